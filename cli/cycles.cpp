// SPDX-License-Identifier: Apache-2.0
#include "cli/cycles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/verification.hpp"
#include "patterns/text_writer.hpp"

namespace heddle {
namespace {

using timing::LaunchEstimate;
using timing::PhaseCycles;
using Json = nlohmann::ordered_json;

const char* bound_of(const PhaseCycles& phase) {
  const std::int64_t most = std::max({phase.chain, phase.issue, phase.requests, phase.products});
  if (phase.chain == most) return "chain";
  if (phase.issue == most) return "issue";
  return phase.requests == most ? "requests" : "products";
}
std::string beginning_of(const PhaseCycles& phase) {
  return phase.from_line == 0 ? "the start" : fmt::format("the barrier at {}", phase.from_line);
}
double sum_of(const OperationCycles& operation) {
  double sum = 0;
  for (const LaunchEstimate& launch : operation.launches) sum += launch.milliseconds;
  return sum;
}

TextTable launches_table(const std::vector<OperationCycles>& all) {
  TextTable table{{{"kernel"},
                   {"blocks", Align::kRight},
                   {"registers", Align::kRight},
                   {"at a time", Align::kRight},
                   {"cycles of a block", Align::kRight},
                   {"ms", Align::kRight}},
                  {}};
  for (const OperationCycles& operation : all) {
    for (const LaunchEstimate& launch : operation.launches) {
      table.rows.push_back({launch.symbol, grouped(launch.blocks),
                            launch.registers > 0 ? std::to_string(launch.registers) : "-",
                            std::to_string(launch.side_by_side), grouped(launch.cycles.cycles),
                            fmt::format("{:.3g}", launch.milliseconds)});
    }
    if (operation.launches.size() > 1) {
      table.rows.push_back(
          {operation.op, "", "", "", "", fmt::format("{:.3g}", sum_of(operation))});
    }
  }
  return table;
}

TextTable phases_table(const std::vector<OperationCycles>& all) {
  TextTable table{{{"kernel"},
                   {"phase, from"},
                   {"visits", Align::kRight},
                   {"cycles each", Align::kRight},
                   {"chain", Align::kRight},
                   {"issue", Align::kRight},
                   {"requests", Align::kRight},
                   {"products", Align::kRight},
                   {"bound by"}},
                  {}};
  for (const OperationCycles& operation : all) {
    for (const LaunchEstimate& launch : operation.launches) {
      for (const PhaseCycles& phase : launch.cycles.phases) {
        const auto each = [&](std::int64_t sum) { return grouped(sum / phase.visits); };
        table.rows.push_back({launch.symbol, beginning_of(phase), grouped(phase.visits),
                              each(phase.cycles), each(phase.chain), each(phase.issue),
                              each(phase.requests), each(phase.products), bound_of(phase)});
      }
    }
  }
  return table;
}

Json json_of(const LaunchEstimate& launch) {
  Json json = {{"symbol", launch.symbol},        {"blocks", launch.blocks},
               {"block", launch.block},          {"side_by_side", launch.side_by_side},
               {"cycles", launch.cycles.cycles}, {"milliseconds", launch.milliseconds},
               {"phases", Json::array()}};
  for (const PhaseCycles& phase : launch.cycles.phases) {
    json["phases"].push_back({{"from_line", phase.from_line},
                              {"visits", phase.visits},
                              {"cycles", phase.cycles},
                              {"chain", phase.chain},
                              {"issue", phase.issue},
                              {"requests", phase.requests},
                              {"products", phase.products},
                              {"bound_by", bound_of(phase)}});
  }
  return json;
}

}  // namespace

std::vector<OperationCycles> cycles_of(const Artifact& artifact, const timing::Occasion& occasion) {
  std::vector<OperationCycles> all;
  for (const KernelEntry& entry : artifact.manifest.kernels) {
    OperationCycles operation{entry.op, "", {}};
    auto found = timing::estimate(artifact.files, artifact.manifest, entry, occasion);
    if (found) operation.launches = std::move(*found);
    if (!found) operation.why_not = found.error().message;
    all.push_back(std::move(operation));
  }
  return all;
}

std::map<std::string, int> registers_of(const Artifact& artifact) {
  std::map<std::string, int> registers;
  const Result<Nvrtc> compiler = Nvrtc::open();
  if (!compiler) return registers;
  for (const KernelEntry& entry : artifact.manifest.kernels) {
    for (const KernelEntry* const launched : launches_of(entry)) {
      const auto resources = resources_of(artifact, *launched, *compiler);
      if (resources) registers[launched->symbol] = resources->registers;
    }
  }
  return registers;
}

std::string cycles_text(const std::vector<OperationCycles>& all, const timing::Occasion& occasion,
                        bool colour) {
  const TextTableOptions look{0, colour, true};
  return fmt::format(
             "an estimate of a simple model of sm_90, not a measurement: batch {}, {} heads, "
             "{} tokens\n",
             occasion.batch, occasion.heads, grouped(occasion.tokens)) +
         text_table(launches_table(all), look) + "\n" + text_table(phases_table(all), look);
}

std::string cycles_json(const std::vector<OperationCycles>& all, const timing::Occasion& occasion) {
  Json json = {{"estimate", "a simple model of sm_90, not a measurement"},
               {"tokens", occasion.tokens},
               {"batch", occasion.batch},
               {"heads", occasion.heads},
               {"operations", Json::array()}};
  for (const OperationCycles& operation : all) {
    Json one = {{"op", operation.op}, {"launches", Json::array()}};
    if (!operation.why_not.empty()) one["not_estimated"] = operation.why_not;
    for (const LaunchEstimate& launch : operation.launches) {
      one["launches"].push_back(json_of(launch));
    }
    json["operations"].push_back(std::move(one));
  }
  return json.dump(2);
}

}  // namespace heddle
