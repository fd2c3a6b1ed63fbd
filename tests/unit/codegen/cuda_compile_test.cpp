// SPDX-License-Identifier: Apache-2.0
// The device compiler's own word on the generated CUDA text: every built-in pattern's kernels
// compile for every supported architecture. Needs NVRTC but no device; without it nothing is
// claimed, and the reason is printed.
#include <fmt/format.h>

#include <atomic>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "codegen/architecture.hpp"
#include "codegen/generate.hpp"
#include "patterns/builtin_patterns.hpp"
#include "patterns/parser.hpp"
#include "runtime/load/nvrtc.hpp"
#include "tests/catch.hpp"

namespace heddle {
namespace {

constexpr std::int64_t kFewBytes = 64;  // of a thread

struct Compilation {
  std::string pattern;
  ElementType dtype = ElementType::kF32;
  KernelEntry entry;
  std::string text;
  std::map<std::string, std::string> includes;
  std::string architecture;
};
struct Outcome {
  std::string error;
  KernelResources resources;
};

Pattern resolved(const BuiltinPattern& builtin) {
  Diagnostics diagnostics;
  std::vector<PatternSyntax> patterns = parse(source_of(builtin), diagnostics);
  REQUIRE(patterns.size() == 1);
  std::optional<Pattern> pattern = resolve(std::move(patterns.front()), {}, diagnostics);
  REQUIRE(pattern.has_value());
  return *std::move(pattern);
}

GenerateOptions options_for(ElementType dtype) {
  GenerateOptions options;
  options.target = ir::Target::kCuda;
  options.head_dim = 64;
  options.dtype = dtype;
  options.ops = {"prefill", "decode", "backward"};
  options.exact_to = 1024;
  return options;
}

constexpr const char* kArchitectures[] = {"sm_80", "sm_90", "sm_100"};

// With the pattern's own weights: softmax, and linear for linear_attention.
void add(std::vector<Compilation>& all, const BuiltinPattern& builtin,
         const GenerateOptions& options, const std::vector<const char*>& architectures) {
  const Result<Artifact> artifact = generate(resolved(builtin), options);
  if (!artifact) FAIL(builtin.name << ": " << artifact.error().message);
  for (const KernelEntry& kernel : artifact->manifest.kernels) {
    for (const KernelEntry* const entry : launches_of(kernel)) {
      std::map<std::string, std::string> includes = artifact->files;
      includes.erase(entry->file);
      for (const char* architecture : architectures) {
        all.push_back({std::string(builtin.name), options.dtype, *entry,
                       artifact->files.at(entry->file), includes, architecture});
      }
    }
  }
}

Outcome compile(const Nvrtc& compiler, const Compilation& one) {
  const auto code = compiler.compile(one.entry.file, one.text, one.includes, one.architecture);
  if (!code) return {code.error().message, {}};
  const auto resources = code->resources.find(one.entry.symbol);
  if (resources == code->resources.end()) return {"there is no " + one.entry.symbol, {}};
  return {"", resources->second};
}

std::vector<Outcome> compile_all(const Nvrtc& compiler, const std::vector<Compilation>& all) {
  std::vector<Outcome> outcomes(all.size());
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < all.size(); i = next++)
      outcomes[i] = compile(compiler, all[i]);
  };
  std::vector<std::thread> threads;
  for (unsigned t = 1; t < std::thread::hardware_concurrency(); ++t) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  return outcomes;
}

TEST_CASE("the kernels of all built-in patterns compile for every architecture") {
  const Result<Nvrtc> compiler = Nvrtc::open();
  if (!compiler) {
    WARN("skipped: " << compiler.error().message);
    return;
  }
  std::vector<Compilation> all;
  for (const BuiltinPattern& builtin : builtin_patterns()) {
    for (const ElementType dtype : {ElementType::kF32, ElementType::kBF16}) {
      add(all, builtin, options_for(dtype), {std::begin(kArchitectures), std::end(kArchitectures)});
      GenerateOptions chosen = options_for(dtype);
      chosen.ops = {"prefill"};
      chosen.schedule = "auto";
      chosen.plan_tokens = 1024;
      add(all, builtin, chosen, {"sm_90"});
    }
  }
  // Three operations, two types, three architectures; and the schedule that the cost model chooses.
  CHECK(all.size() == builtin_patterns().size() * 20);
  // Given weights keep the most numbers at a time where both sides reach back.
  for (const char* name : {"chacal", "dense_recurrence", "sqrt_cached"}) {
    GenerateOptions options = options_for(ElementType::kF32);
    options.ops = {"prefill"};
    options.weights = WeightKind::kGiven;
    options.schedule = "staged";
    options.plan_tokens = 256;
    add(all, *find_builtin(name), options, {"sm_90"});
    CHECK(all.back().entry.schedule == "staged");
  }
  // Tiles that go distance by distance: as many rows in registers as there may be.
  for (const WeightKind weights : {WeightKind::kSoftmax, WeightKind::kGiven}) {
    for (const auto& [dtype, head_dim] :
         {std::pair{ElementType::kF32, 64}, std::pair{ElementType::kBF16, 64},
          std::pair{ElementType::kF32, 96}, std::pair{ElementType::kF16, 128}}) {
      GenerateOptions options = options_for(dtype);
      options.ops = {"prefill"};
      options.weights = weights;
      options.schedule = "staged";
      options.head_dim = head_dim;
      for (const char* name : {"sqrt_recurrence", "sqrt_attention", "strided_attention"}) {
        add(all, *find_builtin(name), options, {"sm_90"});
        CHECK(all.back().entry.schedule == "staged");
      }
    }
  }
  // First order as a scan; at most so many channels of a head.
  for (const WeightKind weights : {WeightKind::kGiven, WeightKind::kGated}) {
    for (const auto& [dtype, head_dim] :
         {std::pair{ElementType::kBF16, 64}, std::pair{ElementType::kF32, 256}}) {
      GenerateOptions options = options_for(dtype);
      options.ops = {"prefill", "backward"};
      options.weights = weights;
      options.schedule = "scan";
      options.head_dim = head_dim;
      options.state_gradients = head_dim == 64;
      add(all, *find_builtin("linear_recurrence"), options,
          {std::begin(kArchitectures), std::end(kArchitectures)});
      CHECK(all.back().entry.schedule == "scan");
    }
  }
  // Sequences of different lengths, with caches in pages: every retention and schedule.
  for (const char* name : {"sqrt_cached", "log_recurrence", "local_attention"}) {
    for (const char* schedule : {"simple", "staged"}) {
      GenerateOptions options = options_for(ElementType::kBF16);
      options.varlen = true;
      options.page_rows = 16;
      options.schedule = schedule;
      options.plan_tokens = 1024;
      add(all, *find_builtin(name), options, {"sm_90"});
    }
  }
  // Over chunks, of which a short sequence has few.
  for (const auto& [name, weights] : {std::pair{"linear_recurrence", WeightKind::kGiven},
                                      std::pair{"linear_attention", WeightKind::kLinear}}) {
    GenerateOptions options = options_for(ElementType::kBF16);
    options.ops = {"prefill", "backward"};
    options.weights = weights;
    options.schedule = "scan";
    options.varlen = options.state_gradients = true;
    add(all, *find_builtin(name), options, {"sm_90"});
    CHECK(all.back().entry.schedule == (weights == WeightKind::kLinear ? "tensor" : "scan"));
  }
  // Gradients through states, and decode of several tokens, in either narrow type.
  for (const char* name : {"sqrt_cached", "log_recurrence", "chacal"}) {
    for (const WeightKind weights : {WeightKind::kSoftmax, WeightKind::kGiven}) {
      const bool softmax = weights == WeightKind::kSoftmax;
      GenerateOptions options = options_for(softmax ? ElementType::kBF16 : ElementType::kF16);
      options.ops = {"backward", "decode"};
      options.weights = weights;
      options.state_gradients = options.several_tokens = true;
      add(all, *find_builtin(name), options, {"sm_90"});
      options.ops = {"backward"};
      options.varlen = true;
      options.several_tokens = false;
      add(all, *find_builtin(name), options, {"sm_90"});
    }
  }
  // Tensor cores: the largest sums that a thread may keep, and both types.
  const BuiltinPattern& linear = *find_builtin("linear_attention");
  for (const auto& [head_dim, state_dim] : {std::pair{64, 64}, {128, 128}, {256, 64}}) {
    GenerateOptions options = options_for(ElementType::kBF16);
    options.ops = {"prefill"};
    options.schedule = "tensor";
    options.head_dim = head_dim;
    options.state_dim = state_dim;
    options.key_gates = true;
    add(all, linear, options, {"sm_90"});
    CHECK(all.back().entry.schedule == "tensor");
  }
  for (const auto& [dtype, head_dim, state_dim] :
       {std::tuple{ElementType::kF16, 64, 64}, std::tuple{ElementType::kBF16, 128, 128},
        std::tuple{ElementType::kBF16, 256, 64}}) {
    GenerateOptions options = options_for(dtype);
    options.ops = {"prefill"};
    options.schedule = "tensor";
    options.head_dim = head_dim;
    options.state_dim = state_dim;
    options.shared_limit = find_architecture("sm_80")->shared_limit;
    add(all, linear, options, {std::begin(kArchitectures), std::end(kArchitectures)});
    CHECK(all.back().entry.schedule == "tensor");
  }
  for (const auto& [dtype, head_dim, rows] :
       {std::tuple{ElementType::kBF16, 64, 128}, std::tuple{ElementType::kF16, 64, 64},
        std::tuple{ElementType::kBF16, 64, 256}, std::tuple{ElementType::kBF16, 128, 64},
        std::tuple{ElementType::kF16, 128, 128}}) {
    GenerateOptions options = options_for(dtype);
    options.ops = {"prefill"};
    options.schedule = "tensor";
    options.head_dim = head_dim;
    options.tile_rows = rows;
    for (const char* name : {"attention", "local_attention"}) {
      add(all, *find_builtin(name), options,
          {std::begin(kArchitectures), std::end(kArchitectures)});
      CHECK(all.back().entry.schedule == "tensor");
    }
  }
  for (const auto& [dtype, head_dim, rows] :
       {std::tuple{ElementType::kBF16, 32, 64}, std::tuple{ElementType::kF16, 32, 128},
        std::tuple{ElementType::kBF16, 64, 64}, std::tuple{ElementType::kF16, 64, 128},
        std::tuple{ElementType::kBF16, 128, 64}, std::tuple{ElementType::kF16, 128, 128}}) {
    GenerateOptions options = options_for(dtype);
    options.ops = {"backward"};
    options.schedule = "tensor";
    options.head_dim = head_dim;
    options.tile_rows = rows;
    for (const char* name : {"attention", "local_attention"}) {
      add(all, *find_builtin(name), options, {"sm_90"});
      CHECK(all.back().entry.schedule == "tensor");
    }
  }
  for (const auto& [dtype, head_dim, rows] :
       {std::tuple{ElementType::kBF16, 64, 64}, std::tuple{ElementType::kF16, 64, 256},
        std::tuple{ElementType::kF16, 128, 128}}) {
    GenerateOptions options = options_for(dtype);
    options.ops = {"prefill"};
    options.schedule = "tensor";
    options.head_dim = head_dim;
    options.tile_rows = rows;
    for (const char* name : {"dense_recurrence", "chacal"}) {
      add(all, *find_builtin(name), options,
          {std::begin(kArchitectures), std::end(kArchitectures)});
      CHECK(all.back().entry.schedule == "tensor");
    }
  }
  for (const auto& [dtype, head_dim, rows] :
       {std::tuple{ElementType::kBF16, 64, 128}, std::tuple{ElementType::kF16, 64, 64},
        std::tuple{ElementType::kF16, 128, 64}}) {
    GenerateOptions options = options_for(dtype);
    options.ops = {"prefill"};
    options.schedule = "tensor";
    options.head_dim = head_dim;
    options.tile_rows = rows;
    for (const char* name : {"log_recurrence", "sqrt_recurrence"}) {
      add(all, *find_builtin(name), options, {"sm_90"});
      CHECK(all.back().entry.schedule == "tensor");
    }
  }
  for (const auto& [dtype, head_dim] :
       {std::pair{ElementType::kBF16, 64}, std::pair{ElementType::kF16, 128}}) {
    GenerateOptions options = options_for(dtype);
    options.ops = {"prefill"};
    options.schedule = "tensor";
    options.head_dim = head_dim;
    for (const char* name : {"log_cached", "fibonacci_cached", "sqrt_cached"}) {
      add(all, *find_builtin(name), options, {"sm_90"});
      CHECK(all.back().entry.schedule == "tensor");
    }
  }
  // Gradients that rows gather.
  for (const auto& [weights, dtype] : {std::pair{WeightKind::kSoftmax, ElementType::kF32},
                                       std::pair{WeightKind::kSoftmax, ElementType::kBF16},
                                       std::pair{WeightKind::kGiven, ElementType::kF32},
                                       std::pair{WeightKind::kGated, ElementType::kBF16}}) {
    GenerateOptions options = options_for(dtype);
    options.ops = {"backward"};
    options.weights = weights;
    options.schedule = "auto";
    for (const char* name :
         {"log_recurrence", "sqrt_recurrence", "log_cached", "fibonacci_cached", "sqrt_cached"}) {
      add(all, *find_builtin(name), options, {"sm_90"});
      CHECK(all.back().entry.schedule != "simple");
    }
  }
  const std::vector<Outcome> outcomes = compile_all(*compiler, all);

  std::cout << fmt::format("NVRTC {}, sm_90, head_dim 64\n{:24} {:8} {:8} {:5} {:>9} {:>7} {:>7}\n",
                           compiler->version(), "pattern", "op", "schedule", "dtype", "registers",
                           "shared", "spills");
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Compilation& one = all[i];
    const Outcome& outcome = outcomes[i];
    INFO(one.pattern << ", " << one.entry.op << ", " << one.entry.schedule << ", "
                     << name_of(one.dtype) << ", " << one.architecture);
    CHECK(outcome.error == "");
    CHECK(outcome.resources.registers > 0);
    // The manifest's account of shared memory is the assembler's.
    CHECK(outcome.resources.shared_bytes == one.entry.shared_bytes);
    // An address or two may go to local memory, an accumulator may not; and nothing at all where
    // rows are in shared memory already, on the architecture that this is planned for.
    CHECK(outcome.resources.spill_stores <= kFewBytes);
    CHECK(outcome.resources.spill_loads <= kFewBytes);
    const bool softmax = one.pattern != "linear_attention";
    const bool planned = one.entry.schedule == "staged" || one.entry.schedule == "gather" ||
                         (one.entry.schedule == "tensor" && softmax);
    if (planned && one.architecture == "sm_90") {
      CHECK(spilled_bytes(outcome.resources) == 0);
    }
    if (one.architecture != "sm_90") continue;
    std::cout << fmt::format("{:24} {:8} {:8} {:5} {:9} {:7} {:7}\n", one.pattern, one.entry.op,
                             one.entry.schedule, name_of(one.dtype), outcome.resources.registers,
                             outcome.resources.shared_bytes,
                             outcome.resources.spill_stores + outcome.resources.spill_loads);
  }
}

}  // namespace
}  // namespace heddle
