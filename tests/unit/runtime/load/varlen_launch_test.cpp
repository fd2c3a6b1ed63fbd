// SPDX-License-Identifier: Apache-2.0
// Launches of sequences that have lengths and starts of their own, on the cpu for real: each gets,
// bit by bit, what it gets alone; and what such launches are refused for.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <tuple>

#include "codegen/generate.hpp"
#include "patterns/ast_print.hpp"
#include "runtime/load/kernel.hpp"
#include "runtime/load/launch_check.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"

namespace heddle {
namespace {

constexpr int kDim = 16;
constexpr std::int64_t kHeads = 2;
constexpr std::int64_t kWidth = 40;  // columns of coefficients
constexpr std::int64_t kSlots = 40;
constexpr std::int64_t kMost = 40;  // tokens of a sequence

using Array = std::vector<float>;
using Arrays = std::map<std::string, Array>;

KernelArtifact artifact_of(const std::string& pattern, WeightKind weights, bool varlen,
                           int page_rows = 0, bool several = false, bool states = false) {
  GenerateOptions options;
  options.ops = {"prefill", "decode", "backward"};
  options.head_dim = kDim;
  options.exact_to = 64;
  options.weights = weights;
  options.varlen = varlen;
  options.page_rows = page_rows;
  options.several_tokens = several;
  options.state_gradients = states;
  const Result<Artifact> artifact = generate(test::builtin(pattern), options);
  REQUIRE(artifact.ok());
  LoadOptions trusting;
  trusting.allow_unverified = true;
  trusting.threads = 2;
  Result<KernelArtifact> loaded =
      KernelArtifact::load(artifact->manifest, artifact->files, trusting);
  if (!loaded) FAIL(loaded.error().message);
  return *std::move(loaded);
}

std::string bare(const std::string& name) {
  for (const char* prefix : {"initial_", "final_", "cache_"}) {
    if (name.rfind(prefix, 0) == 0) return name.substr(std::strlen(prefix));
  }
  return "";
}

// A batch on its way through launches: buffers by name, states without their prefix. Positions are
// integers in the same four bytes.
struct Batch {
  const KernelArtifact& artifact;
  std::int64_t sequences;
  Arrays state = {};

  static bool is_positions(const std::string& name) {
    return name.size() > 4 && name.substr(name.size() - 4) == "_pos";
  }
  static std::int64_t extent(const std::string& name,
                             const std::map<std::string, std::int64_t>& sizes) {
    const auto found = sizes.find(name);
    if (found != sizes.end()) return found->second;
    return name == "batch+1" ? sizes.at("batch") + 1 : std::stoll(name);
  }

  // Missing inputs are drawn; what the launch wrote is in the result.
  Arrays launch(const std::string& op, std::map<std::string, std::int64_t> sizes, Arrays arrays,
                std::vector<std::int32_t> offsets = {}, std::vector<std::int32_t> starts = {},
                std::vector<std::int32_t> pages = {}) {
    const auto& kernels = artifact.manifest().kernels;
    const auto entry = std::find_if(kernels.begin(), kernels.end(),
                                    [&](const KernelEntry& each) { return each.op == op; });
    sizes["batch"] = sequences;
    sizes["heads"] = kHeads;
    sizes["slots_a"] = sizes["slots_b"] = kSlots;
    sizes["width_a"] = sizes["width_b"] = kWidth;
    LaunchValues values;
    values.sizes = sizes;
    values.scalars = {{"scale", 0.25F}, {"gamma", 0.4F}};
    for (const Argument& argument : entry->arguments) {
      if (argument.kind != ArgumentKind::kBuffer) continue;
      if (argument.name == "offsets") {
        values.buffers["offsets"] = {offsets.data(), offsets.size() * 4, ElementType::kI32};
        continue;
      }
      if (argument.name.rfind("pages_", 0) == 0) {
        values.buffers[argument.name] = {pages.data(), pages.size() * 4, ElementType::kI32};
        continue;
      }
      if (argument.name == "starts") {
        values.buffers["starts"] = {starts.data(), starts.size() * 4, ElementType::kI32};
        continue;
      }
      std::int64_t count = 1;
      for (const std::string& name : argument.shape) count *= extent(name, sizes);
      Array& array = arrays[argument.name];
      const std::string name = bare(argument.name);
      if (array.empty() && argument.name.rfind("final_", 0) != 0 && state.count(name) > 0) {
        array = state.at(name);
      }
      array.resize(static_cast<std::size_t>(count), 0.0F);
      values.buffers[argument.name] = {array.data(), array.size() * 4, argument.type};
    }
    const auto failure = artifact.launch(op, values);
    if (failure) FAIL(failure->message);
    for (const auto& [name, array] : arrays) {
      if (name.rfind("final_", 0) == 0 || name.rfind("cache_", 0) == 0) state[bare(name)] = array;
    }
    return arrays;
  }
};

Array part(const Array& array, std::int64_t first, std::int64_t count, std::int64_t width) {
  return {array.begin() + first * width, array.begin() + (first + count) * width};
}

bool same_bits(const Array& a, const Array& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

Array drawn(std::int64_t count, int seed) {
  Array array(static_cast<std::size_t>(count));
  std::uint32_t number = 12345U + static_cast<std::uint32_t>(seed);
  for (float& value : array) {
    number = number * 1664525U + 1013904223U;
    value = static_cast<float>(number >> 8) / 8388608.0F - 1.0F;
  }
  return array;
}

const std::vector<std::string> kInputs = {"q", "k", "x", "coef_a", "coef_b", "dy", "y"};
std::int64_t width_of(const std::string& name) {
  return kHeads * (name.rfind("coef_", 0) == 0 || name.rfind("dcoef_", 0) == 0 ? kWidth : kDim);
}

// Lengths by launch and sequence: a prefill, another one, where one sequence rests, and a decode.
void check_like_alone(const std::string& pattern, WeightKind weights) {
  const KernelArtifact together = artifact_of(pattern, weights, true);
  const KernelArtifact alone = artifact_of(pattern, weights, false);
  const std::vector<std::vector<std::int64_t>> launches = {{9, 0, 21, 4}, {5, 11, 0, 17}};
  constexpr std::int64_t kSequences = 4, kBefore = 2, kBehind = 3;
  Batch batch{together, kSequences};
  std::vector<Batch> each(kSequences, Batch{alone, 1});
  std::vector<std::int32_t> starts(kSequences, 0);
  INFO(pattern << ", " << name_of(weights));
  const auto compare_states = [&] {
    for (const auto& [name, array] : batch.state) {
      const auto size = static_cast<std::int64_t>(array.size()) / kSequences;
      for (std::int64_t b = 0; b < kSequences; ++b) {
        INFO(name << " of sequence " << b);
        CHECK(same_bits(part(array, b, 1, size), each[static_cast<std::size_t>(b)].state.at(name)));
      }
    }
  };
  int seed = 0;
  for (const std::vector<std::int64_t>& counts : launches) {
    std::vector<std::int32_t> offsets = {kBefore};
    for (const std::int64_t count : counts) {
      offsets.push_back(offsets.back() + static_cast<std::int32_t>(count));
    }
    const std::int64_t tokens = offsets.back() + kBehind;
    Arrays arrays;
    for (const std::string& name : kInputs) {
      arrays[name] = drawn(tokens * width_of(name), ++seed);
    }
    const std::int64_t start = *std::max_element(starts.begin(), starts.end());
    const Arrays before = arrays;
    const Arrays after =
        batch.launch("prefill", {{"tokens", tokens}, {"start", start}, {"longest", kMost}}, arrays,
                     offsets, starts);
    // What belongs to no sequence is as it was.
    CHECK(same_bits(part(after.at("y"), 0, kBefore, width_of("y")),
                    part(before.at("y"), 0, kBefore, width_of("y"))));
    CHECK(same_bits(part(after.at("y"), offsets.back(), kBehind, width_of("y")),
                    part(before.at("y"), offsets.back(), kBehind, width_of("y"))));
    const Arrays gradients =
        batch.launch("backward", {{"tokens", tokens}, {"longest", kMost}}, arrays, offsets);
    for (std::size_t b = 0; b < kSequences; ++b) {
      if (counts[b] == 0 && starts[b] == 0) {
        // Nothing has happened: the final state is that of no tokens, as memory was.
        for (const auto& [name, array] : batch.state) {
          const auto size = static_cast<std::int64_t>(array.size()) / kSequences;
          each[b].state[name] = part(array, static_cast<std::int64_t>(b), 1, size);
          if (!Batch::is_positions(name)) continue;
          CHECK(same_bits(each[b].state[name], Array(static_cast<std::size_t>(size), 0.0F)));
        }
        continue;
      }
      if (counts[b] == 0) continue;
      Arrays own;
      for (const std::string& name : kInputs) {
        own[name] = part(arrays.at(name), offsets[b], counts[b], width_of(name));
      }
      INFO("sequence " << b << " of " << counts[b] << " tokens");
      const Arrays result =
          each[b].launch("prefill", {{"tokens", counts[b]}, {"start", starts[b]}}, own);
      CHECK(same_bits(part(after.at("y"), offsets[b], counts[b], width_of("y")), result.at("y")));
      const Arrays own_gradients = each[b].launch("backward", {{"tokens", counts[b]}}, own);
      for (const auto& [name, array] : own_gradients) {
        if (name[0] != 'd') continue;
        INFO(name);
        CHECK(same_bits(part(gradients.at(name), offsets[b], counts[b], width_of(name)), array));
      }
    }
    for (std::size_t b = 0; b < kSequences; ++b) starts[b] += static_cast<std::int32_t>(counts[b]);
  }
  compare_states();
  Arrays arrays;
  for (const std::string& name : kInputs) {
    arrays[name] = drawn(kSequences * width_of(name), ++seed);
  }
  const std::int64_t start = *std::max_element(starts.begin(), starts.end());
  const Arrays after = batch.launch("decode", {{"start", start}}, arrays, {}, starts);
  for (std::size_t b = 0; b < kSequences; ++b) {
    Arrays own;
    const auto at = static_cast<std::int64_t>(b);
    for (const std::string& name : kInputs) {
      own[name] = part(arrays.at(name), at, 1, width_of(name));
    }
    const Arrays result = each[b].launch("decode", {{"start", starts[b]}}, own);
    INFO("decode of sequence " << b);
    CHECK(same_bits(part(after.at("y"), at, 1, width_of("y")), result.at("y")));
  }
  compare_states();
}

TEST_CASE("sequences of different lengths get together what they get alone") {
  check_like_alone("sqrt_cached", WeightKind::kSoftmax);
  check_like_alone("log_recurrence", WeightKind::kGiven);
}

// Backward of a second launch between its states: a sequence that went on, one that begins there,
// one that rests and one of no tokens at all.
void check_states_like_alone(const std::string& pattern, WeightKind weights) {
  const KernelArtifact together = artifact_of(pattern, weights, true, 0, false, true);
  const KernelArtifact alone = artifact_of(pattern, weights, false, 0, false, true);
  const std::vector<std::int32_t> starts = {9, 0, 21, 0};
  const std::vector<std::int64_t> counts = {5, 17, 0, 0};
  constexpr std::int64_t kSequences = 4;
  Batch batch{together, kSequences};
  INFO(pattern << ", " << name_of(weights));
  int seed = 300;
  const auto inputs = [&](std::int64_t tokens) {
    Arrays arrays;
    for (const std::string& name : kInputs) {
      arrays[name] = drawn(tokens * width_of(name), ++seed);
    }
    return arrays;
  };
  batch.launch("prefill", {{"tokens", 30}, {"start", 0}, {"longest", kMost}}, inputs(30),
               {0, 9, 9, 30, 30}, std::vector<std::int32_t>(kSequences, 0));
  const Arrays before = batch.state;
  const std::vector<std::int32_t> offsets = {0, 5, 22, 22, 22};
  Arrays arrays = inputs(22);
  const Arrays outputs = batch.launch(
      "prefill", {{"tokens", 22}, {"start", 21}, {"longest", kMost}}, arrays, offsets, starts);
  arrays["y"] = outputs.at("y");
  for (const auto& [name, array] : before) {
    arrays["initial_" + name] = array;
    if (Batch::is_positions(name)) {
      arrays["final_" + name] = batch.state.at(name);
    } else {
      arrays["dfinal_" + name] = drawn(static_cast<std::int64_t>(array.size()), ++seed);
    }
  }
  const Arrays gradients = batch.launch(
      "backward", {{"tokens", 22}, {"start", 21}, {"longest", kMost}}, arrays, offsets, starts);
  for (std::size_t b = 0; b < kSequences; ++b) {
    INFO("sequence " << b);
    const auto of_sequence = [&](const std::string& name, const Array& array) {
      const bool by_token = offsets.back() * width_of(name) == static_cast<int>(array.size());
      const std::int64_t whole = static_cast<std::int64_t>(array.size()) / kSequences;
      return by_token ? part(array, offsets[b], counts[b], width_of(name))
                      : part(array, static_cast<std::int64_t>(b), 1, whole);
    };
    Arrays own;
    for (const auto& [name, array] : arrays) own[name] = of_sequence(name, array);
    Batch one{alone, 1};
    const Arrays expected =
        one.launch("backward", {{"tokens", counts[b]}, {"start", starts[b]}}, own);
    for (const auto& [name, array] : expected) {
      if (name[0] != 'd' || own.count(name) > 0) continue;
      INFO(name);
      const Array found = of_sequence(name, gradients.at(name));
      const bool begins = name.rfind("dinitial_", 0) == 0 && starts[b] == 0;
      CHECK(same_bits(found, begins ? Array(found.size(), 0.0F) : array));
    }
  }
}

TEST_CASE("between states, too, sequences get together what they get alone") {
  check_states_like_alone("sqrt_cached", WeightKind::kSoftmax);
  check_states_like_alone("log_recurrence", WeightKind::kGiven);
}

// A page of four slots each, shuffled, and two pages that belong to nobody.
constexpr std::int64_t kPageRows = 4, kTable = kSlots / kPageRows;
std::int32_t page_of(std::int64_t sequence, std::int64_t page, std::int64_t sequences) {
  const std::int64_t pool = sequences * kTable + 2;
  return static_cast<std::int32_t>((7 * (sequence * kTable + page) + 3) % pool);
}

TEST_CASE("decode finds in pages what it finds side by side") {
  for (const auto& [pattern, weights] : {std::pair{"sqrt_cached", WeightKind::kSoftmax},
                                         std::pair{"log_recurrence", WeightKind::kGiven}}) {
    const KernelArtifact dense = artifact_of(pattern, weights, true);
    const KernelArtifact paged = artifact_of(pattern, weights, true, kPageRows);
    constexpr std::int64_t kSequences = 3, kTokens = 30;
    constexpr std::int64_t kPool = kSequences * kTable + 2, kRow = kHeads * kDim;
    std::vector<std::int32_t> starts = {18, 0, 12};
    Arrays arrays;
    int seed = 100;
    for (const std::string& name : kInputs) {
      arrays[name] = drawn(kTokens * width_of(name), ++seed);
    }
    Batch batch{dense, kSequences};
    batch.launch("prefill", {{"tokens", kTokens}, {"start", 0}, {"longest", kMost}}, arrays,
                 {0, 18, 18, 30}, {0, 0, 0});
    Batch in_pages{paged, kSequences};
    std::vector<std::int32_t> table;
    for (std::int64_t b = 0; b < kSequences; ++b) {
      for (std::int64_t j = 0; j < kTable; ++j) table.push_back(page_of(b, j, kSequences));
    }
    const auto each_slot = [&](const auto& body) {
      for (std::int64_t b = 0; b < kSequences; ++b) {
        for (std::int64_t slot = 0; slot < kSlots; ++slot) {
          const std::int64_t page = page_of(b, slot / kPageRows, kSequences);
          body((b * kSlots + slot) * kRow, (page * kPageRows + slot % kPageRows) * kRow);
        }
      }
    };
    for (const auto& [name, array] : batch.state) {
      if (Batch::is_positions(name)) {
        in_pages.state[name] = array;
        continue;
      }
      Array& pool = in_pages.state[name];
      pool.assign(static_cast<std::size_t>(kPool * kPageRows * kRow), 77.0F);
      each_slot([&](std::int64_t from, std::int64_t to) {
        std::copy_n(array.begin() + from, kRow, pool.begin() + to);
      });
    }
    for (int step = 0; step < 6; ++step) {
      Arrays token;
      for (const std::string& name : kInputs) {
        token[name] = drawn(kSequences * width_of(name), ++seed);
      }
      const std::int64_t start = *std::max_element(starts.begin(), starts.end());
      const Arrays one = batch.launch("decode", {{"start", start}}, token, {}, starts);
      const Arrays other = in_pages.launch("decode",
                                           {{"start", start},
                                            {"table_a", kTable},
                                            {"table_b", kTable},
                                            {"pool_a", kPool},
                                            {"pool_b", kPool}},
                                           token, {}, starts, table);
      INFO(pattern << ", step " << step);
      CHECK(same_bits(one.at("y"), other.at("y")));
      for (std::int32_t& before : starts) ++before;
    }
    for (const auto& [name, array] : batch.state) {
      const Array& pool = in_pages.state.at(name);
      if (Batch::is_positions(name)) {
        CHECK(same_bits(array, pool));
        continue;
      }
      Array gathered(array.size());
      Array rest = pool;
      each_slot([&](std::int64_t to, std::int64_t from) {
        std::copy_n(pool.begin() + from, kRow, gathered.begin() + to);
        std::fill_n(rest.begin() + from, kRow, 77.0F);
      });
      INFO(pattern << ", " << name);
      CHECK(same_bits(array, gathered));
      CHECK(same_bits(rest, Array(pool.size(), 77.0F)));  // nobody's pages are as they were
    }
  }
}

// Whether each has a position of its own or not; with positions of their own `start` is the same
// for every launch, as it is where one is captured and made again.
TEST_CASE("a launch of several tokens is as many launches of one, bit by bit") {
  for (const auto& [pattern, weights, varlen] :
       {std::tuple{"sqrt_cached", WeightKind::kSoftmax, false},
        std::tuple{"log_recurrence", WeightKind::kGiven, true},
        std::tuple{"fibonacci_cached", WeightKind::kGated, true}}) {
    const KernelArtifact several = artifact_of(pattern, weights, varlen, 0, true);
    const KernelArtifact single = artifact_of(pattern, weights, varlen);
    constexpr std::int64_t kSequences = 3, kTurns = 5;
    Batch batch{several, kSequences}, one{single, kSequences};
    std::vector<std::int32_t> starts = {0, 0, 0};
    int seed = 300;
    const auto width = [gates = weights == WeightKind::kGated ? kDim : 1](const std::string& name) {
      return width_of(name) * (name.rfind("coef_", 0) == 0 ? gates : 1);
    };
    for (int launch = 0; launch < 4; ++launch) {
      Arrays arrays;
      for (const std::string& name : kInputs) {
        arrays[name] = drawn(kSequences * kTurns * width(name), ++seed);
      }
      const std::int64_t bound = varlen ? kMost - kTurns : starts[0];
      const Arrays all =
          batch.launch("decode", {{"start", bound}, {"new_tokens", kTurns}}, arrays, {}, starts);
      for (std::int64_t turn = 0; turn < kTurns; ++turn) {
        Arrays token;
        for (const std::string& name : kInputs) {
          for (std::int64_t b = 0; b < kSequences; ++b) {
            const Array values = part(arrays.at(name), b * kTurns + turn, 1, width(name));
            token[name].insert(token[name].end(), values.begin(), values.end());
          }
        }
        const Arrays result = one.launch("decode", {{"start", starts[0]}}, token, {}, starts);
        INFO(pattern << ", launch " << launch << ", token " << turn);
        for (std::int64_t b = 0; b < kSequences; ++b) {
          CHECK(same_bits(part(all.at("y"), b * kTurns + turn, 1, width_of("y")),
                          part(result.at("y"), b, 1, width_of("y"))));
        }
        for (std::int32_t& start : starts) ++start;
      }
      for (const auto& [name, array] : batch.state) {
        INFO(pattern << ", " << name);
        CHECK(same_bits(array, one.state.at(name)));
      }
    }
  }
}

TEST_CASE("lengths and starts that do not fit a launch are refused") {
  GenerateOptions options;
  options.head_dim = kDim;
  options.exact_to = 64;
  options.varlen = true;
  const Result<Artifact> artifact = generate(test::builtin("linear_recurrence"), options);
  REQUIRE(artifact.ok());
  std::vector<std::int32_t> offsets = {1, 4, 4, 9}, starts = {0, 5, 2};
  Array array(10 * kHeads * kDim);
  LaunchValues values;
  values.sizes = {{"batch", 3},   {"heads", kHeads}, {"tokens", 10}, {"start", 5},
                  {"longest", 7}, {"slots_a", 1},    {"slots_b", 1}};
  values.scalars = {{"scale", 1.0F}, {"gamma", 0.5F}};
  const auto check = [&](const char* op, const std::string& target = "cpu") {
    Manifest manifest = artifact->manifest;
    manifest.target = target;
    const auto entry = std::find_if(manifest.kernels.begin(), manifest.kernels.end(),
                                    [&](const KernelEntry& each) { return each.op == op; });
    for (const Argument& argument : entry->arguments) {
      if (argument.kind != ArgumentKind::kBuffer) continue;
      values.buffers[argument.name] = {array.data(), array.size() * 4, argument.type};
    }
    values.buffers["offsets"] = {offsets.data(), offsets.size() * 4, ElementType::kI32};
    values.buffers["starts"] = {starts.data(), starts.size() * 4, ElementType::kI32};
    const Result<CheckedLaunch> launch = check_launch(manifest, *entry, values);
    return launch ? std::string() : launch.error().message;
  };
  const auto mentions = [](const std::string& text, const std::string& words) {
    INFO(text);
    return text.find(words) != std::string::npos;
  };
  CHECK(check("prefill").empty());
  CHECK(check("decode").empty());
  offsets[1] = 5;
  CHECK(mentions(check("prefill"), "sequence 1 has the tokens from 5 to 4"));
  CHECK(check("prefill", "cuda").empty());  // arrays of a device are not looked at
  offsets = {-1, 4, 4, 9};
  CHECK(mentions(check("prefill"), "sequence 0 has the tokens from -1 to 4"));
  offsets = {1, 4, 4, 11};
  CHECK(mentions(check("prefill"), "tokens = 10"));
  offsets = {1, 4, 4, 10};
  CHECK(mentions(check("prefill"), "sequence 2 has 8 tokens, where longest says at most 7"));
  offsets = {1, 4, 4, 9};
  starts[1] = 6;
  CHECK(
      mentions(check("prefill"), "sequence 1 starts behind 6 tokens, where start says at most 5"));
  CHECK(mentions(check("decode"), "sequence 1 starts behind 6 tokens"));
  starts[1] = -1;
  CHECK(mentions(check("decode"), "sequence 1 starts behind -1 tokens"));
  starts[1] = 5;
  values.sizes["longest"] = 4;
  CHECK(mentions(check("prefill", "cuda"), "longest = 4 tokens, and start = 5"));
  values.sizes.erase("longest");
  CHECK(mentions(check("prefill"), "\"longest\" is not given"));
  values.sizes["longest"] = 7;
  values.buffers.clear();
  offsets.pop_back();
  CHECK(mentions(check("prefill"), "\"offsets\" has 12 bytes, the sizes ask for 16"));
  // Slots are those of the longest sequence.
  offsets = {1, 4, 4, 9};
  values.sizes["slots_b"] = 0;
  CHECK(mentions(check("prefill"), "a sequence of 7 tokens needs slots_b = 1"));
  CHECK(mentions(check("decode"), "a sequence of 6 tokens needs slots_b = 1"));
}

TEST_CASE("a scan has as many chunks as the longest sequence needs") {
  GenerateOptions options;
  options.ops = {"prefill"};
  options.target = ir::Target::kCuda;
  options.weights = WeightKind::kGiven;
  options.head_dim = kDim;
  options.exact_to = 600;
  options.varlen = true;
  options.schedule = "scan";
  options.plan_heads = 1;
  const Result<Artifact> artifact = generate(test::builtin("linear_recurrence"), options);
  REQUIRE(artifact.ok());
  const KernelEntry& scan = artifact->manifest.kernels.front();
  REQUIRE(scan.chunk_tokens == 32);
  Array array(200 * kHeads * kDim);
  LaunchValues values;
  values.sizes = {{"batch", 3},   {"heads", kHeads}, {"tokens", 200}, {"start", 0},
                  {"longest", 0}, {"slots_b", 1},    {"width_a", 1},  {"width_b", 1}};
  for (const Argument& argument : scan.arguments) {
    if (argument.kind != ArgumentKind::kBuffer) continue;
    values.buffers[argument.name] = {array.data(), array.size() * 4, argument.type};
  }
  for (const auto& [longest, chunks] : {std::pair{90, 3}, std::pair{500, 7}, std::pair{0, 1}}) {
    values.sizes["longest"] = longest;
    const auto launches = check_launches(artifact->manifest, scan, values);
    INFO(longest << (launches ? "" : ": " + launches.error().message));
    REQUIRE(launches.ok());
    REQUIRE(launches->size() == 3);
    CHECK((*launches)[0].blocks == 3 * kHeads * chunks);
    CHECK((*launches)[1].blocks == 3 * kHeads);
    CHECK((*launches)[2].blocks == 3 * kHeads * chunks);
  }
  values.sizes["longest"] = 90;
  values.sizes["chunks"] = 7;
  const auto wrong = check_launches(artifact->manifest, scan, values);
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().message.find("the launch makes chunks = 3, not 7") != std::string::npos);
}

TEST_CASE("a gather has as many chunks as the longest sequence needs") {
  GenerateOptions options;
  options.ops = {"backward"};
  options.target = ir::Target::kCuda;
  options.weights = WeightKind::kGiven;
  options.head_dim = kDim;
  options.exact_to = 600;
  options.varlen = true;
  options.schedule = "auto";
  const Result<Artifact> artifact = generate(test::builtin("log_recurrence"), options);
  REQUIRE(artifact.ok());
  const KernelEntry& gather = artifact->manifest.kernels.front();
  REQUIRE(gather.schedule == "gather");
  Array array(200 * kHeads * kDim * 8);
  LaunchValues values;
  values.sizes = {{"batch", 3},   {"heads", kHeads}, {"tokens", 200},
                  {"longest", 0}, {"width_a", 1},    {"width_b", 9}};
  for (const Argument& argument : gather.arguments) {
    if (argument.kind != ArgumentKind::kBuffer) continue;
    values.buffers[argument.name] = {array.data(), array.size() * 4, argument.type};
  }
  for (const auto& [longest, chunks] : {std::pair{90, 3}, std::pair{500, 7}, std::pair{0, 1}}) {
    values.sizes["longest"] = longest;
    const auto launches = check_launches(artifact->manifest, gather, values);
    INFO(longest << (launches ? "" : ": " + launches.error().message));
    REQUIRE(launches.ok());
    REQUIRE(launches->size() == 2);
    CHECK((*launches)[0].blocks == 3 * kHeads);
    CHECK((*launches)[1].blocks == 3 * kHeads * chunks);
  }
}

// Between no states there is no start to be given, though shared memory is sized by what came
// before.
TEST_CASE("a gather of whole sequences asks for no start") {
  GenerateOptions options;
  options.ops = {"backward"};
  options.target = ir::Target::kCuda;
  options.weights = WeightKind::kGiven;
  options.head_dim = kDim;
  options.schedule = "auto";
  const Result<Artifact> artifact = generate(test::builtin("log_recurrence"), options);
  REQUIRE(artifact.ok());
  const KernelEntry& gather = artifact->manifest.kernels.front();
  REQUIRE(gather.schedule == "gather");
  Array array(3 * 200 * kHeads * kDim);
  LaunchValues values;
  values.sizes = {{"batch", 3}, {"heads", kHeads}, {"tokens", 200}, {"width_a", 1}, {"width_b", 8}};
  for (const Argument& argument : gather.arguments) {
    if (argument.kind != ArgumentKind::kBuffer) continue;
    values.buffers[argument.name] = {array.data(), array.size() * 4, argument.type};
  }
  const auto launches = check_launches(artifact->manifest, gather, values);
  INFO((launches ? "" : launches.error().message));
  REQUIRE(launches.ok());
  CHECK((*launches)[0].blocks == 3 * kHeads);
}

TEST_CASE("pages that do not fit a launch are refused") {
  GenerateOptions options;
  options.ops = {"decode"};
  options.head_dim = kDim;
  options.exact_to = 64;
  options.varlen = true;
  options.page_rows = 4;
  std::vector<std::int32_t> starts = {5, 2}, pages = {0, 1, 2, 3};
  Array array(100 * kHeads * kDim);
  const auto check = [&](const std::string& pattern, std::map<std::string, std::int64_t> sizes) {
    const Result<Artifact> artifact = generate(test::builtin(pattern), options);
    REQUIRE(artifact.ok());
    LaunchValues values;
    values.sizes = {{"batch", 2},   {"heads", kHeads}, {"start", 5},
                    {"slots_b", 6}, {"table_b", 2},    {"pool_b", 4}};
    for (const auto& [name, size] : sizes) values.sizes[name] = size;
    values.scalars = {{"scale", 1.0F}, {"gamma", 0.5F}};
    const KernelEntry& entry = artifact->manifest.kernels.front();
    for (const Argument& argument : entry.arguments) {
      if (argument.kind != ArgumentKind::kBuffer) continue;
      values.buffers[argument.name] = {array.data(), array.size() * 4, argument.type};
    }
    values.buffers["starts"] = {starts.data(), starts.size() * 4, ElementType::kI32};
    values.buffers["pages_b"] = {pages.data(), pages.size() * 4, ElementType::kI32};
    const Result<CheckedLaunch> launch = check_launch(artifact->manifest, entry, values);
    return launch ? std::string() : launch.error().message;
  };
  const auto mentions = [](const std::string& text, const std::string& words) {
    return text.find(words) != std::string::npos;
  };
  CHECK(check("sqrt_cached", {}).empty());
  CHECK(check("log_recurrence", {}).empty());
  CHECK(mentions(check("sqrt_cached", {{"table_b", 1}}), "slots_b = 6 take 2 pages"));
  CHECK(mentions(check("sqrt_cached", {{"pool_b", 3}}), "page 1 of sequence 1 is 3"));
  CHECK(mentions(check("sqrt_cached", {{"pool_b", 0}}), "pool_b = 0"));
  pages = {0, 1, 0, 3};
  CHECK(
      mentions(check("sqrt_cached", {}), "page 0 of side b is stored to and stands in the table"));
  // Sequence 1 stores to its page 0, where all is kept; one that both only read may be shared.
  CHECK(mentions(check("log_recurrence", {}), "page 0 of side b is stored to"));
  starts = {5, 4};
  CHECK(check("log_recurrence", {}).empty());
  pages = {0, 1, 0, -1};
  CHECK(mentions(check("log_recurrence", {}), "page 1 of sequence 1 is -1"));
  starts = {5, 2};  // its page 1 holds nothing yet
  pages = {0, 1, 2, -1};
  CHECK(check("log_recurrence", {}).empty());
  // Three tokens of sequence 1 go to both of its pages.
  options.several_tokens = true;
  const std::map<std::string, std::int64_t> three = {{"new_tokens", 3}, {"slots_b", 8}};
  CHECK(mentions(check("log_recurrence", three), "page 1 of sequence 1 is -1"));
  pages = {0, 1, 0, 3};
  CHECK(mentions(check("log_recurrence", three), "page 0 of side b is stored to"));
  pages = {0, 1, 2, 3};
  CHECK(check("log_recurrence", three).empty());
  CHECK(mentions(check("log_recurrence", {{"new_tokens", 3}}),
                 "a sequence of 8 tokens needs slots_b = 8, and 6 is given"));
}

TEST_CASE("backward between two states takes what it needs of both") {
  GenerateOptions options;
  options.ops = {"backward"};
  options.head_dim = kDim;
  options.exact_to = 64;
  options.state_gradients = true;
  const Result<Artifact> artifact = generate(test::builtin("log_recurrence"), options);
  REQUIRE(artifact.ok());
  const KernelEntry& entry = artifact->manifest.kernels.front();
  Array array(100 * kHeads * kDim);
  const auto check = [&](std::int64_t start, std::int64_t slots, const std::string& missing) {
    LaunchValues values;
    values.sizes = {
        {"batch", 1}, {"heads", kHeads}, {"tokens", 7}, {"start", start}, {"slots_b", slots}};
    values.scalars = {{"scale", 1.0F}, {"gamma", 0.5F}};
    for (const Argument& argument : entry.arguments) {
      const bool left_out = !missing.empty() && argument.name.rfind(missing, 0) == 0;
      if (argument.kind != ArgumentKind::kBuffer || left_out) continue;
      values.buffers[argument.name] = {array.data(), array.size() * 4, argument.type};
    }
    const Result<CheckedLaunch> launch = check_launch(artifact->manifest, entry, values);
    return launch ? std::string() : launch.error().message;
  };
  CHECK(check(5, 12, "").empty());
  CHECK(check(0, 7, "initial_").empty());
  CHECK(check(0, 7, "dinitial_").empty());
  CHECK(check(0, 0, "").empty());  // no state is wanted
  CHECK(check(5, 12, "dinitial_").find("\"dinitial_b_key\" is not given") != std::string::npos);
  CHECK(check(5, 12, "initial_").find("\"initial_b_key\" is not given") != std::string::npos);
  CHECK(check(0, 7, "dfinal_").find("\"dfinal_b_key\" is not given") != std::string::npos);
  CHECK(check(5, 11, "").find("a sequence of 12 tokens needs slots_b = 12") != std::string::npos);
}

}  // namespace
}  // namespace heddle
