// SPDX-License-Identifier: Apache-2.0
// Generated kernels under verification: what the generator writes passes, and what small edits
// make of it does not.
#include <algorithm>

#include "codegen/generate.hpp"
#include "patterns/ast_print.hpp"
#include "runtime/verify/verify.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/explain_report.hpp"

namespace heddle {
namespace {

using test::explain;

constexpr std::int64_t kRows = 270;

VerifyOptions quick() {
  VerifyOptions options;
  options.sizes = {1, 2, 63, 257};
  options.work_budget = 4'000'000;
  return options;
}

Artifact generated(const std::string& name, ir::Target target, WeightKind weights,
                   ElementType dtype, int head_dim) {
  GenerateOptions options;
  options.target = target;
  options.head_dim = head_dim;
  options.dtype = dtype;
  options.exact_to = kRows;
  options.weights = weights;
  if (weights == WeightKind::kLinear) options.state_dim = 6;
  Result<Artifact> artifact = generate(test::builtin(name), options);
  INFO(name);
  REQUIRE(artifact.ok());
  return *std::move(artifact);
}

TEST_CASE("generated kernels of every kind are verified") {
  struct Kind {
    const char* pattern;
    ir::Target target;
    WeightKind weights;
    ElementType dtype;
    int head_dim;
  };
  // One of each: retention, target, weights, type; awkward head dimensions.
  const std::vector<Kind> kinds = {
      {"sqrt_cached", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kBF16, 40},
      {"log_recurrence", ir::Target::kCuda, WeightKind::kGiven, ElementType::kF32, 16},
      {"chacal", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 5},
      {"linear_attention", ir::Target::kCuda, WeightKind::kLinear, ElementType::kF32, 8},
      {"fibonacci_cached", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kF32, 16},
      {"strided_attention", ir::Target::kCpu, WeightKind::kGiven, ElementType::kBF16, 8},
      {"linear_attention", ir::Target::kCpu, WeightKind::kLinear, ElementType::kBF16, 8},
      {"linear_recurrence", ir::Target::kCuda, WeightKind::kGated, ElementType::kF32, 140},
      {"local_attention", ir::Target::kCuda, WeightKind::kGated, ElementType::kBF16, 5},
      {"log_cached", ir::Target::kCuda, WeightKind::kGated, ElementType::kF16, 40},
      {"log_cached", ir::Target::kCpu, WeightKind::kGated, ElementType::kBF16, 12},
      {"log_recurrence", ir::Target::kCpu, WeightKind::kGiven, ElementType::kF16, 12},
      {"sqrt_cached", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kF16, 8},
      {"sqrt_recurrence", ir::Target::kCuda, WeightKind::kGiven, ElementType::kF16, 8},
  };
  for (const Kind& kind : kinds) {
    const Artifact artifact =
        generated(kind.pattern, kind.target, kind.weights, kind.dtype, kind.head_dim);
    const VerifyReport report =
        verify(artifact.manifest, artifact.files, test::builtin_rows(kind.pattern, kRows), quick());
    INFO(kind.pattern << ", " << name_of(kind.weights) << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
    CHECK(report.profiles.size() == 2);
  }
}

// Every occurrence of `from` in the kernel's body, one mutant each.
std::vector<std::string> mutants_of(const std::string& text, const std::string& from,
                                    const std::string& to) {
  std::vector<std::string> mutants;
  const std::size_t body = text.find(") {\n");
  for (std::size_t at = text.find(from, body); at != std::string::npos;
       at = text.find(from, at + 1)) {
    mutants.push_back(text);
    mutants.back().replace(at, from.size(), to);
  }
  return mutants;
}

VerifyReport verify_mutant(const Artifact& artifact, const KernelEntry& kernel,
                           const std::string& text, const Rows& rows) {
  Manifest only = artifact.manifest;
  only.kernels = {kernel};
  std::map<std::string, std::string> files = artifact.files;
  files[kernel.file] = text;
  VerifyOptions options = quick();
  options.stop_early = true;
  return verify(only, files, rows, options);
}

TEST_CASE("f16 that was rounded to bf16 on its way is rejected") {
  const std::string before = "word.value = x;\n  const unsigned sign";
  const std::string after = "word.value = to_float(to_bf16(x));\n  const unsigned sign";
  for (const auto& [target, op, weights] :
       {std::tuple{ir::Target::kCpu, "prefill", WeightKind::kGiven},
        std::tuple{ir::Target::kCpu, "backward", WeightKind::kSoftmax},
        std::tuple{ir::Target::kCuda, "decode", WeightKind::kGiven}}) {
    GenerateOptions asked;
    asked.ops = {op};
    asked.target = target;
    asked.dtype = ElementType::kF16;
    asked.head_dim = 8;
    asked.weights = weights;
    asked.exact_to = kRows;
    Result<Artifact> artifact = generate(test::builtin("local_attention"), asked);
    REQUIRE(artifact.ok());
    const bool cuda = target == ir::Target::kCuda;
    std::string& prelude = artifact->files.at(cuda ? "device_prelude.cuh" : "cpu_prelude.hpp");
    const std::size_t at = prelude.find(before);
    REQUIRE(at != std::string::npos);
    prelude.replace(at, before.size(), after);
    VerifyOptions options = quick();
    options.algebraic = false;
    options.stop_early = true;
    const VerifyReport report = verify(artifact->manifest, artifact->files,
                                       test::builtin_rows("local_attention", kRows), options);
    INFO(op << ", " << name_of(weights) << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kRejected);
    REQUIRE_FALSE(report.failures.empty());
    CHECK(report.failures[0].kind == "wrong_result");
  }
}

// Entries beyond the 319 that a list has room for are there from token 16,448 on.
TEST_CASE("what a list has no room for is come to far out, where rows are not too many") {
  GenerateOptions asked;
  asked.ops = {"prefill"};
  asked.target = ir::Target::kCuda;
  asked.head_dim = 16;
  asked.weights = WeightKind::kSoftmax;
  asked.schedule = "staged";
  Result<Artifact> artifact = generate(test::builtin("strided_attention"), asked);
  REQUIRE(artifact.ok());
  const Rows rows = test::builtin_rows("strided_attention", kRows);
  VerifyOptions options = quick();
  options.sizes = {1, 2};
  options.work_budget = 1'000'000;
  options.algebraic = false;
  std::string& text = artifact->files.at(artifact->manifest.kernels[0].file);
  const auto overflow = [&](const VerifyReport& report) {
    const std::size_t at = text.find("number >= 319");
    REQUIRE(at != std::string::npos);
    const int line = 1 + static_cast<int>(std::count(text.begin(), text.begin() + at, '\n'));
    return std::any_of(
        report.unreached[0].lines.begin(), report.unreached[0].lines.end(),
        [&](const auto& lines) { return lines.first <= line && line <= lines.second; });
  };
  const VerifyReport near = verify(artifact->manifest, artifact->files, rows, options);
  CHECK(near.verdict == KernelVerdict::kVerified);
  REQUIRE(near.unreached.size() == 1);
  CHECK(overflow(near));

  options.more_rows = [] { return std::optional(test::builtin_rows("strided_attention", 17'000)); };
  const VerifyReport far = verify(artifact->manifest, artifact->files, rows, options);
  INFO(explain(far));
  CHECK(far.verdict == KernelVerdict::kVerified);
  REQUIRE(far.unreached.size() == 1);
  CHECK_FALSE(overflow(far));

  text.replace(text.find("number >= 319"), 13, "number >= 320");
  CHECK(verify(artifact->manifest, artifact->files, rows, options).verdict ==
        KernelVerdict::kRejected);
}

TEST_CASE("what a kernel finds elsewhere, or leaves where no token comes, is run") {
  GenerateOptions wish;
  wish.ops = {"prefill"};
  wish.target = ir::Target::kCuda;
  wish.head_dim = 8;
  wish.weights = WeightKind::kGiven;
  wish.exact_to = kRows;
  wish.schedule = "staged";
  const Result<Artifact> artifact = generate(test::builtin("linear_recurrence"), wish);
  REQUIRE(artifact.ok());
  const Rows rows = test::builtin_rows("linear_recurrence", kRows);
  const VerifyReport right = verify(artifact->manifest, artifact->files, rows, quick());
  INFO(explain(right));
  CHECK(right.verdict == KernelVerdict::kVerified);
  CHECK(right.unreached.empty());
  const std::string file = artifact->manifest.kernels[0].file;
  const std::string text = artifact->files.at(file);
  // The row that lies in the launch, though not in the ring; a final state as it was.
  for (const std::string place : {"Index at = token_base + (p - start - 1) * token_stride;",
                                  "if (initial_b_pos[pos_base_b + candidate] == p) {"}) {
    const std::size_t at = place[0] == 'I' ? text.find(place) : text.rfind(place);
    REQUIRE(at != std::string::npos);
    std::map<std::string, std::string> files = artifact->files;
    const std::string fresh = place[0] == 'I' ? "Index at = token_base;" : "if (candidate < 0) {";
    files.at(file) = std::string(text).replace(at, place.size(), fresh);
    const VerifyReport report = verify(artifact->manifest, files, rows, quick());
    INFO(place << " " << explain(report));
    CHECK(report.verdict == KernelVerdict::kRejected);
  }
}

// Safe for memory whatever they hold, and so for the layers that look at values: see
// live_rows_test.
TEST_CASE("kept rows that hold something else are rejected for their values") {
  GenerateOptions wish;
  wish.ops = {"prefill"};
  wish.target = ir::Target::kCuda;
  wish.head_dim = 8;
  wish.exact_to = kRows;
  wish.schedule = "staged";
  const Result<Artifact> artifact = generate(test::builtin("sqrt_cached"), wish);
  REQUIRE(artifact.ok());
  VerifyOptions options = quick();
  options.stop_early = true;
  const std::string& file = artifact->manifest.kernels[0].file;
  for (const auto& [old, fresh] :
       {std::pair{"staged + (key_from + r)", "staged + (key_from + 31 - r)"},
        std::pair{"staged + values_at + (value_from + r)",
                  "staged + values_at + (value_from + 31 - r)"}}) {
    std::map<std::string, std::string> files = artifact->files;
    const std::size_t at = files.at(file).find(old);
    REQUIRE(at != std::string::npos);
    files.at(file).replace(at, std::string(old).size(), fresh);
    const VerifyReport report =
        verify(artifact->manifest, files, test::builtin_rows("sqrt_cached", kRows), options);
    INFO(old << " -> " << fresh << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kRejected);
  }
}

TEST_CASE("a pattern that keeps nothing has no state to leave, and is verified") {
  const Pattern pattern = test::pattern_of({"p", "pattern p {\n A = diagonal\n B = none\n}\n"});
  MaterializeResult rows = materialize(pattern, kRows);
  REQUIRE(std::holds_alternative<Rows>(rows));
  for (const ir::Target target : {ir::Target::kCpu, ir::Target::kCuda}) {
    GenerateOptions asked;
    asked.target = target;
    asked.head_dim = 5;
    const Result<Artifact> artifact = generate(pattern, asked);
    REQUIRE(artifact.ok());
    const VerifyReport report =
        verify(artifact->manifest, artifact->files, std::get<Rows>(rows), quick());
    INFO(explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

TEST_CASE("a generated kernel without one of its barriers is rejected") {
  const Rows rows = test::builtin_rows("sqrt_cached", kRows);
  const Artifact artifact =
      generated("sqrt_cached", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 8);
  int barriers = 0;
  for (const KernelEntry& kernel : artifact.manifest.kernels) {
    for (const std::string& text :
         mutants_of(artifact.files.at(kernel.file), "__syncthreads();", ";")) {
      const VerifyReport report = verify_mutant(artifact, kernel, text, rows);
      INFO(kernel.op << ": " << explain(report));
      CHECK(report.verdict == KernelVerdict::kRejected);
      CHECK(std::any_of(report.failures.begin(), report.failures.end(), [](const VerifyFailure& f) {
        return f.kind.rfind("race", 0) == 0 || f.kind == "uninitialised_read";
      }));
      ++barriers;
    }
  }
  CHECK(barriers >= 4);
}

TEST_CASE("small edits of generated kernels are rejected") {
  struct Edit {
    const char* op;
    const char* from;
    const char* to;
  };
  // All of these change what the text means in some launch; each must occur and die everywhere.
  const std::vector<Edit> edits = {
      {"prefill", "scale * warp_sum", "warp_sum"},
      {"prefill", "(1.0f - gamma)", "gamma"},
      {"prefill", "total += weight_2", "total = weight_2"},
      {"prefill", "first < tokens", "first < tokens - 1"},
      {"prefill", "tokens - first", "tokens - first - 1"},
      {"prefill", "p <= start", "p < start"},
      {"prefill", "p > final_to", "p >= final_to"},
      {"prefill", "c < r", "c < r - 1"},
      {"prefill", "batch * tokens", "batch"},
      {"decode", "scale * warp_sum", "warp_sum"},
      {"decode", "candidate < slots_b", "candidate < slots_b - 1"},
      {"decode", "f < i", "f < i - 1"},
      {"decode", "static_cast<int>(token)", "static_cast<int>(token + 1)"},
      {"decode", "= start + 2", "= start + 1"},
      {"decode", "sum * inverse", "sum"},
      {"decode", "w < 4", "w < 3"},
  };
  const Rows rows = test::builtin_rows("sqrt_cached", kRows);
  const Artifact artifact =
      generated("sqrt_cached", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 8);
  for (const Edit& edit : edits) {
    for (const KernelEntry& kernel : artifact.manifest.kernels) {
      if (kernel.op != edit.op) continue;
      const auto mutants = mutants_of(artifact.files.at(kernel.file), edit.from, edit.to);
      INFO(edit.op << ": " << edit.from << " -> " << edit.to);
      CHECK_FALSE(mutants.empty());
      for (const std::string& text : mutants) {
        const VerifyReport report = verify_mutant(artifact, kernel, text, rows);
        INFO(explain(report));
        CHECK(report.verdict == KernelVerdict::kRejected);
      }
    }
  }
}

TEST_CASE("a gated kernel that takes another coefficient, or waits for nobody, is rejected") {
  struct Edit {
    ir::Target target;
    const char* op;
    const char* from;
    const char* to;
  };
  const Rows rows = test::builtin_rows("log_cached", kRows);
  for (const Edit& edit : std::vector<Edit>{
           {ir::Target::kCuda, "prefill", "coef_b[gates_at_2 + d]", "coef_b[gates_at_2]"},
           {ir::Target::kCuda, "prefill", "number_2 * 40", "number_2 * 39"},
           {ir::Target::kCuda, "prefill", "* width_b * 40", "* width_b"},
           {ir::Target::kCuda, "prefill", "__syncthreads();", ";"},
           {ir::Target::kCuda, "decode", "coef_b[gates_at + d]", "coef_b[gates_at]"},
           {ir::Target::kCpu, "prefill", "* width_b * 40", "* width_b"},
           {ir::Target::kCpu, "prefill", "scale_gated_row<40>", "scale_gated_row<39>"},
           {ir::Target::kCpu, "decode", "mix_gated_rows<40>", "mix_gated_rows<32>"}}) {
    const Artifact artifact =
        generated("log_cached", edit.target, WeightKind::kGated, ElementType::kF32, 40);
    for (const KernelEntry& kernel : artifact.manifest.kernels) {
      if (kernel.op != edit.op) continue;
      const auto mutants = mutants_of(artifact.files.at(kernel.file), edit.from, edit.to);
      INFO(edit.op << ": " << edit.from << " -> " << edit.to);
      CHECK_FALSE(mutants.empty());
      for (const std::string& text : mutants) {
        const VerifyReport report = verify_mutant(artifact, kernel, text, rows);
        INFO(explain(report));
        CHECK(report.verdict == KernelVerdict::kRejected);
      }
    }
  }
}

TEST_CASE("a cpu kernel that mishandles its range of blocks is rejected") {
  const Rows rows = test::builtin_rows("sqrt_cached", kRows);
  const Artifact artifact =
      generated("sqrt_cached", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kF32, 8);
  for (const KernelEntry& kernel : artifact.manifest.kernels) {
    const std::string& text = artifact.files.at(kernel.file);
    for (const auto& [from, to] :
         {std::pair<std::string, std::string>{"block < last_block;", "block < first_block + 1;"},
          {"block = first_block;", "block = 0;"}}) {
      const auto mutants = mutants_of(text, from, to);
      INFO(kernel.op << ": " << from << " -> " << to << "\n" << text.substr(0, 3000));
      CHECK_FALSE(mutants.empty());
      for (const std::string& mutant : mutants) {
        const VerifyReport report = verify_mutant(artifact, kernel, mutant, rows);
        CHECK(report.verdict == KernelVerdict::kRejected);
      }
    }
  }
}

TEST_CASE("kernels of one pattern are rejected under the rows of another") {
  const Artifact artifact =
      generated("log_cached", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kF32, 8);
  const VerifyReport report = verify(artifact.manifest, artifact.files,
                                     test::builtin_rows("fibonacci_cached", kRows), quick());
  CHECK(report.verdict == KernelVerdict::kRejected);
}

}  // namespace
}  // namespace heddle
