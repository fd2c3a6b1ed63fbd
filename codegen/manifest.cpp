// SPDX-License-Identifier: Apache-2.0
// The manifest as JSON: reading. It trusts nothing: every key is asked for by name and kind,
// numbers have ranges, names come from the vocabulary of manifest.hpp, and unknown keys are
// refused, so that a manifest that parses can be acted upon without further checks.
#include "codegen/manifest.hpp"

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "codegen/manifest_words.hpp"

namespace heddle {
namespace {

using namespace words;  // NOLINT: their names
using Json = nlohmann::ordered_json;

bool one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}
bool is_size(std::string_view name) {
  return one_of(name,
                {"batch",     "tokens",    "heads",     "head_dim", "state_dim",  "start",
                 "slots_a",   "slots_b",   "width_a",   "width_b",  "key_rows",   "value_rows",
                 "gate_rows", "live_rows", "tile_rows", "chunks",   "longest",    "new_tokens",
                 "table_a",   "table_b",   "pool_a",    "pool_b",   "live_states"});
}
// Arguments of launches whose sequences have lengths of their own.
bool says_lengths(std::string_view name) {
  return one_of(name, {"offsets", "starts", "longest", "pages_a", "pages_b"});
}
bool is_scalar(std::string_view name) { return one_of(name, {"scale", "gamma"}); }
bool is_buffer(std::string_view name) {
  if (one_of(name, {"q", "k", "x", "coef_a", "coef_b", "gate", "y"})) return true;
  if (says_lengths(name)) return true;
  if (one_of(name,
             {"dy", "dq", "dk", "dx", "dcoef_a", "dcoef_b", "scratch_lambda", "scratch_dk",
              "scratch_dx", "scratch_highest", "scratch_inverse", "scratch_mean", "scratch_states",
              "scratch_segment", "scratch_carry", "scratch_product", "dgate"})) {
    return true;
  }
  for (const std::string_view prefix : {"initial_", "final_", "cache_", "dinitial_", "dfinal_"}) {
    if (name.substr(0, prefix.size()) == prefix) {
      const std::string_view what = name.substr(prefix.size());
      if (one_of(what, {"a_pos", "b_pos"})) return prefix[0] != 'd';
      return one_of(what, {"a_key", "a_val", "b_key", "b_val", "state"});
    }
  }
  return false;
}
bool is_decimal(std::string_view text) {
  return !text.empty() && text.size() <= 9 && text[0] != '0' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}
bool is_extent(const std::string& text) {
  return is_size(text) || is_decimal(text) || text == kBoundsExtent;
}
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_identifier(const std::string& text) {
  return !text.empty() && text.size() <= 256 && is_letter(text[0]) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}
// A plain name inside the manifest's own folder: no separators, no leading dot, nothing to escape.
bool is_file_name(const std::string& text) {
  return !text.empty() && text.size() <= 256 && text[0] != '.' && text[0] != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '-';
         });
}
bool is_sha256(const std::string& text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// Reads one JSON object and remembers the first thing that is wrong; after that every answer is a
// harmless default, so that readers need no checks of their own.
class ObjectReader {
 public:
  ObjectReader(const Json& json, std::string path, std::string& error)
      : json_(json), path_(std::move(path)), error_(error) {
    if (!json_.is_object()) fail("", "must be an object");
  }

  std::string text(const char* key, bool (*accepts)(const std::string&), const char* wanted) {
    const Json* value = find(key);
    if (value == nullptr) return {};
    if (!value->is_string() || !accepts(value->get_ref<const std::string&>())) {
      fail(key, std::string("must be ") + wanted);
      return {};
    }
    return value->get<std::string>();
  }
  std::string any_text(const char* key) {
    return text(
        key, [](const std::string&) { return true; }, "a string");
  }
  std::int64_t integer(const char* key, std::int64_t low, std::int64_t high) {
    const Json* value = find(key);
    if (value == nullptr) return low;
    const std::optional<std::int64_t> number = integer_in(*value, low, high);
    if (!number) {
      fail(key, "must be an integer from " + std::to_string(low) + " to " + std::to_string(high));
    }
    return number.value_or(low);
  }
  template <typename Table>
  auto word(const char* key, const Table& table) {
    const Json* value = find(key);
    if (value != nullptr && value->is_string()) {
      for (const auto& candidate : table) {
        if (value->get_ref<const std::string&>() == candidate.text) return candidate.value;
      }
    }
    if (value != nullptr) fail(key, "is not one of the known words");
    return table[0].value;
  }
  // visit(element, path) for each element, until something is wrong.
  template <typename Visit>
  void each(const char* key, Visit&& visit) {
    const Json* value = find(key);
    if (value == nullptr) return;
    if (!value->is_array() || value->size() > 65536) return fail(key, "must be a list");
    for (std::size_t i = 0; i < value->size() && error_.empty(); ++i) {
      visit((*value)[i], path_of(key) + "[" + std::to_string(i) + "]");
    }
  }
  std::vector<std::string> extents(const char* key) {
    std::vector<std::string> result;
    each(key, [&](const Json& element, const std::string& path) {
      if (!element.is_string() || !is_extent(element.get_ref<const std::string&>())) {
        fail_at(path, "must be the name of a size or a decimal number");
        return;
      }
      result.push_back(element.get<std::string>());
    });
    return result;
  }
  ObjectReader object(const char* key) {
    static const Json empty = Json::object();
    const Json* value = find(key);
    return {value == nullptr ? empty : *value, path_of(key), error_};
  }
  bool has(const char* key) const { return json_.is_object() && json_.contains(key); }
  // Call last: refuses keys that nobody asked for.
  void finish() {
    if (!error_.empty()) return;
    for (const auto& [key, value] : json_.items()) {
      if (asked_.count(key) == 0) return fail_at(path_, "has the unknown key '" + key + "'");
    }
  }
  void fail(const char* key, const std::string& what) { fail_at(path_of(key), what); }
  void fail_at(const std::string& path, const std::string& what) {
    if (error_.empty()) error_ = "manifest: " + (path.empty() ? "the top" : path) + " " + what;
  }
  bool failed() const { return !error_.empty(); }
  std::string& error() { return error_; }

  static std::optional<std::int64_t> integer_in(const Json& value, std::int64_t low,
                                                std::int64_t high) {
    if (!value.is_number_integer()) return std::nullopt;
    if (value.is_number_unsigned() &&
        value.get<std::uint64_t>() > std::uint64_t(std::numeric_limits<std::int64_t>::max())) {
      return std::nullopt;
    }
    const std::int64_t number = value.get<std::int64_t>();
    if (number < low || number > high) return std::nullopt;
    return number;
  }

 private:
  std::string path_of(const std::string& key) const {
    return path_.empty() || key.empty() ? path_ + key : path_ + "." + key;
  }
  const Json* find(const char* key) {
    asked_.insert(key);
    if (!error_.empty()) return nullptr;
    const auto found = json_.find(key);
    if (found == json_.end()) {
      fail(key, "is missing");
      return nullptr;
    }
    return &*found;
  }

  const Json& json_;
  std::string path_;
  std::string& error_;
  std::set<std::string> asked_;
};

constexpr std::int64_t kMaxTokens = std::numeric_limits<std::int32_t>::max();

CacheLayout read_layout(ObjectReader reader) {
  CacheLayout layout;
  layout.retention = reader.word("retention", kRetentions);
  reader.each("steps", [&](const Json& element, const std::string& path) {
    if (!element.is_array() || element.size() != 2) {
      return reader.fail_at(path, "must be a pair of a length and a number of slots");
    }
    const auto from = ObjectReader::integer_in(element[0], 1, kMaxTokens);
    const auto slots = ObjectReader::integer_in(element[1], 0, kMaxTokens);
    if (!from || !slots) return reader.fail_at(path, "has a number out of range");
    if (!layout.steps.empty() &&
        (*from <= layout.steps.back().first || *slots <= layout.steps.back().second)) {
      return reader.fail_at(path, "does not ascend");
    }
    layout.steps.emplace_back(*from, *slots);
  });
  layout.exact_to = reader.integer("exact_to", 0, kMaxTokens);
  if (!reader.failed()) {
    const bool needs_steps = layout.retention == CacheRetention::kNextRow;
    if (!needs_steps && !layout.steps.empty()) reader.fail("steps", "belong to next_row only");
    if (!layout.steps.empty() && layout.steps.back().first > layout.exact_to) {
      reader.fail("steps", "go beyond exact_to");
    }
  }
  reader.finish();
  return layout;
}

EntryCount read_count(ObjectReader reader) {
  EntryCount count;
  const auto numbers = [&](const char* key, std::size_t most) {
    std::vector<std::int64_t> result;
    reader.each(key, [&](const Json& element, const std::string& path) {
      const auto number = ObjectReader::integer_in(element, 0, kLongestSequence);
      if (!number || result.size() == most) return reader.fail_at(path, "is no such number");
      result.push_back(*number);
    });
    return result;
  };
  count.most = reader.integer("most", 0, kLongestSequence);
  if (reader.has("listed")) {
    count.listed = numbers("listed", 4096);
    const bool rises = std::adjacent_find(count.listed.begin(), count.listed.end(),
                                          std::greater_equal<>()) == count.listed.end();
    if (!reader.failed() &&
        (count.listed.empty() || !rises || count.listed.back() != kLongestSequence)) {
      reader.fail("listed", "does not rise to the longest sequence");
    }
  } else {
    const std::vector<std::int64_t> form = numbers("polynomial", count.polynomial.size());
    if (!reader.failed() && (form.size() != count.polynomial.size() || form[1] + form[2] < 1)) {
      reader.fail("polynomial", "is not three coefficients of what rises");
    }
    if (!reader.failed()) std::copy(form.begin(), form.end(), count.polynomial.begin());
  }
  reader.finish();
  return count;
}

RowWidth read_width(ObjectReader reader) {
  RowWidth width;
  if (reader.has("parts")) {
    reader.each("parts", [&](const Json& element, const std::string& path) {
      width.parts.push_back(read_count({element, path, reader.error()}));
      if (width.parts.size() > 256) reader.fail_at(path, "is one part too many");
    });
  } else {
    width.exact_to = reader.integer("exact_to", 1, kMaxTokens);
    reader.each("steps", [&](const Json& element, const std::string& path) {
      if (!element.is_array() || element.size() != 2) {
        return reader.fail_at(path, "must be a pair of a length and a number of entries");
      }
      const auto from = ObjectReader::integer_in(element[0], 1, kMaxTokens);
      const auto entries = ObjectReader::integer_in(element[1], 0, kMaxTokens);
      if (!from || !entries) return reader.fail_at(path, "has a number out of range");
      if (!width.steps.empty() &&
          (*from <= width.steps.back().first || *entries <= width.steps.back().second)) {
        return reader.fail_at(path, "does not ascend");
      }
      width.steps.emplace_back(*from, *entries);
    });
  }
  reader.finish();
  return width;
}

Argument read_argument(ObjectReader reader) {
  Argument argument;
  argument.name = reader.text("name", is_identifier, "an identifier");
  argument.kind = reader.word("kind", kKinds);
  if (argument.kind == ArgumentKind::kBuffer) {
    argument.type = reader.word("type", kTypes);
    argument.access = reader.word("access", kAccesses);
    argument.shape = reader.extents("shape");
    if (!reader.failed() && argument.shape.empty()) reader.fail("shape", "is empty");
  }
  const bool known = argument.kind == ArgumentKind::kBuffer ? is_buffer(argument.name)
                     : argument.kind == ArgumentKind::kSize ? is_size(argument.name)
                                                            : is_scalar(argument.name);
  if (!known) reader.fail("name", "is not an argument of this kind");
  reader.finish();
  return argument;
}

SharedRows read_shared_rows(ObjectReader reader) {
  SharedRows rows;
  rows.size = reader.text(
      "size",
      [](const std::string& text) {
        return one_of(text, {"key_rows", "value_rows", "gate_rows", "live_rows", "tile_rows"});
      },
      "key_rows, value_rows, live_rows or tile_rows");
  rows.multiple = reader.integer("multiple", 1, 1024);
  rows.most = reader.integer("most", 0, 1 << 20);
  if (!reader.failed() && rows.most % rows.multiple != 0) reader.fail("most", "is no multiple");
  rows.row_bytes = reader.integer("row_bytes", 1, 1 << 20);
  if (reader.has("slots")) {
    rows.slots = reader.text(
        "slots",
        [](const std::string& text) {
          return one_of(text, {"slots_a", "slots_b"});
        },
        "slots_a or slots_b");
  }
  reader.finish();
  return rows;
}

// What simple kernels do not have.
void read_staging(ObjectReader reader, KernelEntry& kernel) {
  kernel.alignment = static_cast<int>(reader.integer("alignment", 1, 16));
  reader.each("shared_rows", [&](const Json& element, const std::string& path) {
    kernel.shared_rows.push_back(read_shared_rows({element, path, reader.error()}));
  });
  reader.finish();
}

Prediction read_prediction(ObjectReader reader) {
  constexpr std::int64_t kMost = std::int64_t{1} << 62;
  Prediction prediction;
  prediction.tokens = reader.integer("tokens", 1, kMaxTokens);
  prediction.bytes = reader.integer("bytes", 0, kMost);
  prediction.flops = reader.integer("flops", 0, kMost);
  reader.finish();
  return prediction;
}

void read_arguments(ObjectReader& reader, KernelEntry& kernel) {
  std::set<std::string> names;
  reader.each("arguments", [&](const Json& element, const std::string& path) {
    kernel.arguments.push_back(read_argument({element, path, reader.error()}));
    if (!names.insert(kernel.arguments.back().name).second) {
      reader.fail_at(path, "repeats an earlier argument");
    }
  });
}

// What is launched, its arguments apart.
void read_launch(ObjectReader& reader, KernelEntry& kernel) {
  kernel.symbol = reader.text("symbol", is_identifier, "an identifier");
  kernel.file = reader.text("file", is_file_name, "a plain file name");
  kernel.sha256 = reader.text("sha256", is_sha256, "64 lower-case hexadecimal digits");
  kernel.grid = reader.extents("grid");
  kernel.threads = static_cast<int>(reader.integer("threads", 1, 1024));
  kernel.shared_bytes = reader.integer("shared_bytes", 0, 1 << 20);
}

void read_steps(ObjectReader& reader, KernelEntry& kernel) {
  kernel.symbol = reader.text("symbol", is_identifier, "an identifier");
  kernel.chunk_tokens = reader.integer("chunk_tokens", 1, 1 << 20);
  reader.each("steps", [&](const Json& element, const std::string& path) {
    ObjectReader step(element, path, reader.error());
    KernelEntry& read = kernel.steps.emplace_back();
    read_launch(step, read);
    read_arguments(step, read);
    read.op = kernel.op;
    if (step.has("schedule")) {
      read.schedule = step.text(
          "schedule",
          [](const std::string& text) {
            return one_of(text, {"staged", "tensor"});
          },
          "staged or tensor");
      read_staging(step.object("staging"), read);
    }
    step.finish();
    read.chunk_tokens = kernel.chunk_tokens;
  });
}

KernelEntry read_kernel(ObjectReader reader) {
  KernelEntry kernel;
  kernel.op = reader.text(
      "op",
      [](const std::string& text) {
        return one_of(text, {"decode", "prefill", "backward"});
      },
      "decode, prefill or backward");
  if (reader.has("steps")) {
    read_steps(reader, kernel);
  } else {
    read_launch(reader, kernel);
    if (reader.has("chunk_tokens"))
      kernel.chunk_tokens = reader.integer("chunk_tokens", 1, 1 << 20);
  }
  kernel.schedule = reader.text(
      "schedule",
      [](const std::string& text) {
        return one_of(text, {"simple", "staged", "tensor", "scan", "gather"});
      },
      "simple, staged, tensor, scan or gather");
  for (KernelEntry& step : kernel.steps) {
    if (step.schedule == "simple") step.schedule = kernel.schedule;
  }
  if (reader.has("prediction")) kernel.prediction = read_prediction(reader.object("prediction"));
  if (kernel.schedule == "staged" || kernel.schedule == "tensor") {
    read_staging(reader.object("staging"), kernel);
  }
  read_arguments(reader, kernel);
  if (const std::string fault = fault_of_steps(kernel); !fault.empty()) reader.fail("", fault);
  reader.finish();
  return kernel;
}

bool is_verdict(const std::string& text) {
  return one_of(text, {"verified", "rejected", "unknown"});
}

// The format and, in the second and third, that sequences have lengths of their own.
void read_format(ObjectReader& reader, Manifest& manifest) {
  manifest.format = static_cast<int>(reader.integer("format", 1, 3));
  if (manifest.format == 2 || (manifest.format == 3 && reader.has("lengths"))) {
    reader.text(
        "lengths", [](const std::string& text) { return text == "varlen"; }, "varlen");
    manifest.varlen = true;
  }
}

void read_pattern(ObjectReader& reader, Manifest& manifest) {
  manifest.pattern = reader.text("pattern", is_identifier, "an identifier");
  manifest.source_sha256 =
      reader.text("source_sha256", is_sha256, "64 lower-case hexadecimal digits");
  manifest.causality = reader.word("causality", kCausalities);
  const bool checked = manifest.causality == Causality::kChecked;
  manifest.causality_rows = reader.integer("causality_rows", 0, checked ? kMaxTokens : 0);
}

// What the kernels compute on: target, weights, types and sizes.
void read_choices(ObjectReader& reader, Manifest& manifest) {
  manifest.target = reader.text(
      "target",
      [](const std::string& text) {
        return one_of(text, {"cuda", "cpu"});
      },
      "cuda or cpu");
  manifest.weights = reader.text(
      "weights",
      [](const std::string& text) {
        return one_of(text, {"softmax", "given", "gated", "linear"});
      },
      "softmax, given, gated or linear");
  manifest.dtype = reader.word("dtype", kTypes);
  if (manifest.dtype == ElementType::kI32) reader.fail("dtype", "must be a floating-point type");
  manifest.head_dim = static_cast<int>(reader.integer("head_dim", 1, 65536));
  const bool linear = manifest.weights == "linear";
  manifest.state_dim =
      static_cast<int>(reader.integer("state_dim", linear ? 1 : 0, linear ? 65536 : 0));
  if (linear && reader.has("gates")) {
    reader.text(
        "gates", [](const std::string& text) { return text == "key"; }, "key");
    manifest.key_gates = true;
  }
}

void read_rows(ObjectReader& reader, Manifest& manifest) {
  manifest.cache_a = read_layout(reader.object("cache_a"));
  manifest.cache_b = read_layout(reader.object("cache_b"));
  if (has_coefficients(manifest)) {
    manifest.width_a = read_width(reader.object("width_a"));
    manifest.width_b = read_width(reader.object("width_b"));
  } else if (manifest.weights == "linear" && !manifest.key_gates && reader.has("width_b")) {
    manifest.width_b = read_width(reader.object("width_b"));
  }
}

// `symbols` are those of the kernels before.
void read_kernels(ObjectReader& reader, const char* key, const Manifest& manifest,
                  std::set<std::string>& symbols, std::vector<KernelEntry>& kernels) {
  reader.each(key, [&](const Json& element, const std::string& path) {
    kernels.push_back(read_kernel({element, path, reader.error()}));
    std::vector<const KernelEntry*> named = {&kernels.back()};
    for (const KernelEntry& step : kernels.back().steps) named.push_back(&step);
    for (const KernelEntry* const one : named) {
      if (symbols.insert(one->symbol).second) continue;
      reader.fail_at(path, "repeats the symbol of an earlier kernel");
    }
    const auto& arguments = kernels.back().arguments;
    const bool told = std::any_of(arguments.begin(), arguments.end(), [](const Argument& argument) {
      return says_lengths(argument.name);
    });
    // A matrix state is the same at every position.
    const bool anywhere = manifest.weights == "linear" && kernels.back().op == "decode";
    if (!reader.failed() && told != manifest.varlen && !(anywhere && !told)) {
      reader.fail_at(path, manifest.varlen ? "takes no lengths" : "takes lengths in format 1");
    }
  });
}

// The steps of an operation, or the blocks of a launch, go over chunks in the third format only.
void check_chunks(ObjectReader& reader, const Manifest& manifest) {
  const auto has_chunks = [](const KernelEntry& kernel) { return kernel.chunk_tokens > 0; };
  const bool chunks = std::any_of(manifest.kernels.begin(), manifest.kernels.end(), has_chunks);
  if (chunks != (manifest.format == 3)) {
    reader.fail("format", chunks ? "is not 3, and an operation has chunks"
                                 : "is 3, and no operation has chunks");
  }
  if (chunks && manifest.target != "cuda") reader.fail("target", "has no operations with chunks");
  if (std::any_of(manifest.sliced.begin(), manifest.sliced.end(), has_chunks)) {
    reader.fail("sliced", "has chunks");
  }
}

void read_includes(ObjectReader& reader, Manifest& manifest) {
  std::set<std::string> included;
  reader.each("includes", [&](const Json& element, const std::string& path) {
    ObjectReader file(element, path, reader.error());
    manifest.includes.push_back(
        {file.text("file", is_file_name, "a plain file name"),
         file.text("sha256", is_sha256, "64 lower-case hexadecimal digits")});
    file.finish();
    if (!included.insert(manifest.includes.back().file).second) {
      reader.fail_at(path, "repeats an earlier file");
    }
  });
}

// "verified" needs every layer to say so, and a pattern that is proved causal.
void read_verdict(ObjectReader& reader, Manifest& manifest) {
  manifest.verdict = reader.text(
      "verdict", [](const std::string& text) { return is_verdict(text) || text == "unverified"; },
      "verified, rejected, unknown or unverified");
  reader.each("layers", [&](const Json& element, const std::string& path) {
    ObjectReader layer(element, path, reader.error());
    manifest.layers.push_back({layer.any_text("name"),
                               layer.text("verdict", is_verdict, "verified, rejected or unknown"),
                               layer.any_text("detail")});
    layer.finish();
  });
  if (!reader.failed() && manifest.verdict == "verified" &&
      (manifest.layers.empty() ||
       std::any_of(manifest.layers.begin(), manifest.layers.end(),
                   [](const VerificationLayer& layer) { return layer.verdict != "verified"; }))) {
    reader.fail("verdict", "says verified but not every layer does");
  }
  if (!reader.failed() && manifest.verdict == "verified" &&
      manifest.causality != Causality::kProved) {
    reader.fail("verdict", "says verified but causality is not proved");
  }
}

Manifest read_manifest(ObjectReader reader) {
  Manifest manifest;
  read_format(reader, manifest);
  read_pattern(reader, manifest);
  read_choices(reader, manifest);
  read_rows(reader, manifest);
  std::set<std::string> symbols;
  read_kernels(reader, "kernels", manifest, symbols, manifest.kernels);
  if (reader.has("sliced")) read_kernels(reader, "sliced", manifest, symbols, manifest.sliced);
  check_chunks(reader, manifest);
  read_includes(reader, manifest);
  read_verdict(reader, manifest);
  reader.finish();
  return manifest;
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view text) {
  if (text.size() > (std::size_t{16} << 20)) return Error{"manifest: larger than 16 MiB"};
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Error{"manifest: not a JSON text"};
  std::string error;
  Manifest manifest = read_manifest({json, "", error});
  if (!error.empty()) return Error{std::move(error)};
  return manifest;
}

}  // namespace heddle
