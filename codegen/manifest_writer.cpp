// SPDX-License-Identifier: Apache-2.0
// The manifest as JSON: writing.
#include <nlohmann/json.hpp>

#include "codegen/manifest_words.hpp"

namespace heddle {
namespace {

using namespace words;  // NOLINT: their names
using Json = nlohmann::ordered_json;

Json layout_json(const CacheLayout& layout) {
  Json steps = Json::array();
  for (const auto& [from, slots] : layout.steps) steps.push_back({from, slots});
  return {{"retention", word_for(kRetentions, layout.retention)},
          {"steps", std::move(steps)},
          {"exact_to", layout.exact_to}};
}

Json width_json(const RowWidth& width) {
  if (width.exact_to > 0) {
    Json steps = Json::array();
    for (const auto& [from, entries] : width.steps) steps.push_back({from, entries});
    return {{"exact_to", width.exact_to}, {"steps", std::move(steps)}};
  }
  Json parts = Json::array();
  for (const EntryCount& part : width.parts) {
    Json json = {{"most", part.most}};
    if (part.listed.empty()) {
      json["polynomial"] = part.polynomial;
    } else {
      json["listed"] = part.listed;
    }
    parts.push_back(std::move(json));
  }
  return {{"parts", std::move(parts)}};
}

Json argument_json(const Argument& argument) {
  Json json = {{"name", argument.name}, {"kind", word_for(kKinds, argument.kind)}};
  if (argument.kind == ArgumentKind::kBuffer) {
    json["type"] = name_of(argument.type);
    json["access"] = word_for(kAccesses, argument.access);
    json["shape"] = argument.shape;
  }
  return json;
}

Json arguments_json(const KernelEntry& kernel) {
  Json arguments = Json::array();
  for (const Argument& argument : kernel.arguments) arguments.push_back(argument_json(argument));
  return arguments;
}

// What a launch needs to know of a kernel, its arguments apart.
Json launch_json(const KernelEntry& kernel) {
  return {{"symbol", kernel.symbol},   {"file", kernel.file},
          {"sha256", kernel.sha256},   {"grid", kernel.grid},
          {"threads", kernel.threads}, {"shared_bytes", kernel.shared_bytes}};
}

Json staging_json(const KernelEntry& kernel) {
  Json rows = Json::array();
  for (const SharedRows& one : kernel.shared_rows) {
    rows.push_back({{"size", one.size},
                    {"most", one.most},
                    {"multiple", one.multiple},
                    {"row_bytes", one.row_bytes}});
    if (!one.slots.empty()) rows.back()["slots"] = one.slots;
  }
  return {{"alignment", kernel.alignment}, {"shared_rows", std::move(rows)}};
}

Json kernel_json(const KernelEntry& kernel) {
  Json json = {{"op", kernel.op}};
  if (kernel.steps.empty()) {
    json.update(launch_json(kernel));
    if (kernel.chunk_tokens > 0) json["chunk_tokens"] = kernel.chunk_tokens;
  } else {
    json["symbol"] = kernel.symbol;
    json["chunk_tokens"] = kernel.chunk_tokens;
    for (const KernelEntry& step : kernel.steps) {
      json["steps"].push_back(launch_json(step));
      json["steps"].back()["arguments"] = arguments_json(step);
      if (step.schedule != kernel.schedule) {
        json["steps"].back()["schedule"] = step.schedule;
        json["steps"].back()["staging"] = staging_json(step);
      }
    }
  }
  json["schedule"] = kernel.schedule;
  if (kernel.prediction.tokens > 0) {
    json["prediction"] = {{"tokens", kernel.prediction.tokens},
                          {"bytes", kernel.prediction.bytes},
                          {"flops", kernel.prediction.flops}};
  }
  if (kernel.schedule == "staged" || kernel.schedule == "tensor") {
    json["staging"] = staging_json(kernel);
  }
  json["arguments"] = arguments_json(kernel);
  return json;
}

}  // namespace

const char* name_of(ElementType type) { return word_for(kTypes, type); }
const char* name_of(Causality causality) { return word_for(kCausalities, causality); }

std::string to_json(const Manifest& manifest) {
  Json kernels = Json::array();
  for (const KernelEntry& kernel : manifest.kernels) kernels.push_back(kernel_json(kernel));
  Json sliced = Json::array();
  for (const KernelEntry& kernel : manifest.sliced) sliced.push_back(kernel_json(kernel));
  Json includes = Json::array();
  for (const IncludedFile& file : manifest.includes) {
    includes.push_back({{"file", file.file}, {"sha256", file.sha256}});
  }
  Json layers = Json::array();
  for (const VerificationLayer& layer : manifest.layers) {
    layers.push_back({{"name", layer.name}, {"verdict", layer.verdict}, {"detail", layer.detail}});
  }
  Json json = {{"format", manifest.format}};
  if (manifest.varlen) json["lengths"] = "varlen";
  json.update(Json{{"pattern", manifest.pattern},
                   {"source_sha256", manifest.source_sha256},
                   {"causality", name_of(manifest.causality)},
                   {"causality_rows", manifest.causality_rows},
                   {"target", manifest.target},
                   {"weights", manifest.weights},
                   {"dtype", name_of(manifest.dtype)},
                   {"head_dim", manifest.head_dim},
                   {"state_dim", manifest.state_dim}});
  if (manifest.key_gates) json["gates"] = "key";
  json.update(
      Json{{"cache_a", layout_json(manifest.cache_a)}, {"cache_b", layout_json(manifest.cache_b)}});
  if (has_coefficients(manifest)) {
    json["width_a"] = width_json(manifest.width_a);
    json["width_b"] = width_json(manifest.width_b);
  } else if (mixes_states(manifest)) {
    json["width_b"] = width_json(manifest.width_b);
  }
  json["kernels"] = std::move(kernels);
  json["sliced"] = std::move(sliced);
  json["includes"] = std::move(includes);
  json["verdict"] = manifest.verdict;
  json["layers"] = std::move(layers);
  // Details may quote foreign bytes; replacing them keeps the writer free of exceptions.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace heddle
