// SPDX-License-Identifier: Apache-2.0
// Generated backward kernels under verification: what the generator writes passes, and what small
// edits make of it does not.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "codegen/generate.hpp"
#include "patterns/ast_print.hpp"
#include "runtime/verify/verify.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/explain_report.hpp"
#include "tests/unit/runtime/verify/reject_edits.hpp"

namespace heddle {
namespace {

using test::explain;

constexpr std::int64_t kRows = 270;

VerifyOptions quick() {
  VerifyOptions options;
  options.sizes = {1, 2, 63, 257};
  options.work_budget = 5'000'000;
  return options;
}

Artifact generated(const std::string& name, ir::Target target, WeightKind weights,
                   ElementType dtype, int head_dim, std::int64_t rows = kRows) {
  GenerateOptions options;
  options.ops = {"backward"};
  options.target = target;
  options.head_dim = head_dim;
  options.dtype = dtype;
  options.exact_to = rows;
  options.weights = weights;
  if (weights == WeightKind::kLinear) options.state_dim = 6;
  Result<Artifact> artifact = generate(test::builtin(name), options);
  INFO(name);
  REQUIRE(artifact.ok());
  return *std::move(artifact);
}

TEST_CASE("generated backward kernels of every kind are verified") {
  struct Kind {
    const char* pattern;
    ir::Target target;
    WeightKind weights;
    ElementType dtype;
    int head_dim;
  };
  // Rows of one entry, of both sides, without outputs, and of more entries than are held at once.
  const std::vector<Kind> kinds = {
      {"sqrt_cached", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kF32, 16},
      {"sqrt_cached", ir::Target::kCpu, WeightKind::kGiven, ElementType::kBF16, 8},
      {"sqrt_recurrence", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kF32, 16},
      {"log_recurrence", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kBF16, 5},
      {"log_recurrence", ir::Target::kCpu, WeightKind::kGiven, ElementType::kF32, 16},
      {"sqrt_recurrence", ir::Target::kCpu, WeightKind::kGiven, ElementType::kBF16, 5},
      {"chacal", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kF32, 5},
      {"chacal", ir::Target::kCpu, WeightKind::kGiven, ElementType::kF32, 8},
      {"attention", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kBF16, 9},
      {"strided_attention", ir::Target::kCpu, WeightKind::kGiven, ElementType::kBF16, 8},
      {"sqrt_cached", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kBF16, 40},
      {"chacal", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 5},
      {"log_recurrence", ir::Target::kCuda, WeightKind::kGiven, ElementType::kF32, 16},
      {"local_attention", ir::Target::kCuda, WeightKind::kGiven, ElementType::kBF16, 8},
      {"sqrt_cached", ir::Target::kCpu, WeightKind::kGated, ElementType::kBF16, 5},
      {"chacal", ir::Target::kCpu, WeightKind::kGated, ElementType::kF32, 8},
      {"linear_recurrence", ir::Target::kCuda, WeightKind::kGated, ElementType::kF32, 140},
      {"local_attention", ir::Target::kCuda, WeightKind::kGated, ElementType::kBF16, 5},
      {"linear_attention", ir::Target::kCpu, WeightKind::kLinear, ElementType::kF32, 8},
      {"linear_attention", ir::Target::kCpu, WeightKind::kLinear, ElementType::kBF16, 5},
      {"linear_attention", ir::Target::kCuda, WeightKind::kLinear, ElementType::kF32, 8},
      {"linear_recurrence", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 70},
      {"log_recurrence", ir::Target::kCpu, WeightKind::kGiven, ElementType::kF16, 12},
      {"fibonacci_cached", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF16, 8},
      {"linear_attention", ir::Target::kCpu, WeightKind::kLinear, ElementType::kF16, 8},
  };
  for (const Kind& kind : kinds) {
    const Artifact artifact =
        generated(kind.pattern, kind.target, kind.weights, kind.dtype, kind.head_dim);
    const VerifyReport report =
        verify(artifact.manifest, artifact.files, test::builtin_rows(kind.pattern, kRows), quick());
    INFO(kind.pattern << ", " << name_of(kind.weights) << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
    CHECK(report.profiles.size() == 1);
  }
}

TEST_CASE("segments of several runs are verified, and not with a run's state from elsewhere") {
  GenerateOptions options;
  options.ops = {"backward"};
  options.target = ir::Target::kCpu;
  options.head_dim = 4;
  options.state_dim = 40;
  options.exact_to = kRows;
  const Result<Artifact> artifact = generate(test::builtin("linear_attention"), options);
  REQUIRE(artifact.ok());
  const Rows rows = test::builtin_rows("linear_attention", kRows);
  const VerifyReport report = verify(artifact->manifest, artifact->files, rows, quick());
  INFO(explain(report));
  CHECK(report.verdict == KernelVerdict::kVerified);
  for (const Layer layer : {Layer::kEmulated, Layer::kAlgebraic}) {
    test::reject_edits(*artifact, rows, quick(), layer,
                       {{"runs - 1 - run", "run"},
                        {"run < runs - 1", "run < runs - 2"},
                        {"minimum(16, size - back * 16)", "16"},
                        {"segment_at + back * 160", "segment_at"}});
  }
}

TEST_CASE("backward follows a lattice of inputs") {
  const Pattern pattern = test::pattern_of(
      {"p", "pattern p {\n f(k) = k^2 + 1\n A = lattice(f)\n B = window(2) | lattice(f)\n}\n"});
  MaterializeResult rows = materialize(pattern, kRows);
  REQUIRE(std::holds_alternative<Rows>(rows));
  for (const WeightKind weights : {WeightKind::kSoftmax, WeightKind::kGiven, WeightKind::kGated}) {
    GenerateOptions options;
    options.ops = {"backward"};
    options.target = ir::Target::kCpu;
    options.head_dim = 5;
    options.exact_to = kRows;
    options.weights = weights;
    const Result<Artifact> artifact = generate(pattern, options);
    REQUIRE(artifact.ok());
    const VerifyReport report =
        verify(artifact->manifest, artifact->files, std::get<Rows>(rows), quick());
    INFO(name_of(weights) << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

// Lists of 32 entries fill up beyond the lengths that are planned for; what comes then was changed.
TEST_CASE("what lists do when they are full is come to where a length can be afforded") {
  const Artifact artifact =
      generated("sqrt_cached", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 4);
  const Rows rows = test::builtin_rows("sqrt_cached", 2064);
  VerifyOptions options = quick();
  const VerifyReport report = verify(artifact.manifest, artifact.files, rows, options);
  CHECK(report.verdict == KernelVerdict::kVerified);
  CHECK(report.unreached.empty());
  options.work_budget /= 10;
  const VerifyReport poorer = verify(artifact.manifest, artifact.files, rows, options);
  REQUIRE(poorer.unreached.size() == 1);
  CHECK(describe(poorer.unreached[0]).rfind("lines ", 0) == 0);
  const auto named = nlohmann::json::parse(verify_json(poorer))["unreached"][0];
  CHECK(named["file"] == artifact.manifest.kernels[0].file);

  Artifact broken = artifact;
  std::string& text = broken.files.at(broken.manifest.kernels[0].file);
  const std::string flush =
      "scratch_lambda[from + d] = scratch_lambda[from + d] + weight * own[part];";
  REQUIRE(text.find(flush) != text.rfind(flush));  // of a full list, and of what is left
  text.replace(text.find(flush), flush.size(), ";");
  CHECK(verify(broken.manifest, broken.files, rows, quick()).verdict == KernelVerdict::kRejected);
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

VerifyReport verify_mutant(const Artifact& artifact, const std::string& text, const Rows& rows) {
  std::map<std::string, std::string> files = artifact.files;
  files[artifact.manifest.kernels[0].file] = text;
  VerifyOptions options = quick();
  options.sizes = {1, 2, 63, 100};
  options.work_budget = 2'500'000;
  options.stop_early = true;
  return verify(artifact.manifest, files, rows, options);
}

struct Edit {
  const char* pattern;
  ir::Target target;
  WeightKind weights;
  const char* from;
  const char* to;
};

// What a head holds of its weights is bounded; no size that is run here reaches the bound.
TEST_CASE("rows push what is not held for those who would gather it") {
  for (const WeightKind weights : {WeightKind::kSoftmax, WeightKind::kGiven}) {
    // With given weights, rows are gathered where some of them are long.
    Artifact artifact =
        generated("sqrt_recurrence", ir::Target::kCpu, weights, ElementType::kF32, 8, 3 * kRows);
    std::string& text = artifact.files.at(artifact.manifest.kernels[0].file);
    const std::string held = "16777216 / tokens";
    REQUIRE(text.find(held) != std::string::npos);
    text.replace(text.find(held), held.size(), "100 / tokens");
    const VerifyReport report =
        verify_mutant(artifact, text, test::builtin_rows("sqrt_recurrence", kRows));
    INFO(explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

TEST_CASE("small edits of backward kernels are rejected") {
  // All of these change what the text means in some launch; each must occur and die everywhere.
  const std::vector<Edit> edits = {
      {"chacal", ir::Target::kCuda, WeightKind::kSoftmax, "__syncthreads();", ";"},
      {"chacal", ir::Target::kCuda, WeightKind::kSoftmax, "(change - mean)", "change"},
      {"chacal", ir::Target::kCuda, WeightKind::kSoftmax, "count == 32", "count == 33"},
      {"chacal", ir::Target::kCuda, WeightKind::kSoftmax, "e < count", "e < count - 1"},
      {"chacal", ir::Target::kCuda, WeightKind::kSoftmax, "tokens - 1 - done", "done"},
      {"sqrt_cached", ir::Target::kCuda, WeightKind::kGiven, "__syncthreads();", ";"},
      {"sqrt_cached", ir::Target::kCuda, WeightKind::kGiven, "rest < width_b",
       "rest < width_b - 1"},
      {"chacal", ir::Target::kCpu, WeightKind::kSoftmax, "tokens - 1 - done", "done"},
      {"chacal", ir::Target::kCpu, WeightKind::kSoftmax, "block < last_block;",
       "block < first_block + 1;"},
      {"chacal", ir::Target::kCpu, WeightKind::kSoftmax, ", gamma)", ", 1.0f)"},
      {"sqrt_cached", ir::Target::kCpu, WeightKind::kGiven, ", width_b, lattice",
       ", width_b - 1, lattice"},
      {"sqrt_cached", ir::Target::kCpu, WeightKind::kSoftmax, "token > 0", "token > 1"},
      {"log_recurrence", ir::Target::kCpu, WeightKind::kSoftmax, "tokens - first,",
       "tokens - first - 1,"},
      {"log_recurrence", ir::Target::kCpu, WeightKind::kGiven, "row < tokens", "row + 1 < tokens"},
      {"log_recurrence", ir::Target::kCpu, WeightKind::kGiven, "later < most_b",
       "later + 1 < most_b"},
      {"log_recurrence", ir::Target::kCpu, WeightKind::kGiven, "slot >= ring", "slot > ring"},
      {"log_recurrence", ir::Target::kCpu, WeightKind::kGiven, "ring - place", "tokens"},
      {"linear_attention", ir::Target::kCuda, WeightKind::kLinear, "__syncthreads();", ";"},
      {"linear_attention", ir::Target::kCpu, WeightKind::kLinear, "segment > 0", "segment > 1"},
  };
  for (const Edit& edit : edits) {
    const Rows rows = test::builtin_rows(edit.pattern, kRows);
    const Artifact artifact =
        generated(edit.pattern, edit.target, edit.weights, ElementType::kF32, 4);
    const auto mutants =
        mutants_of(artifact.files.at(artifact.manifest.kernels[0].file), edit.from, edit.to);
    INFO(edit.from << " -> " << edit.to);
    CHECK_FALSE(mutants.empty());
    for (const std::string& text : mutants) {
      const VerifyReport report = verify_mutant(artifact, text, rows);
      INFO(explain(report));
      CHECK(report.verdict == KernelVerdict::kRejected);
    }
  }
}

TEST_CASE("a backward kernel without one of its gradients is rejected") {
  Artifact artifact =
      generated("log_cached", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kF32, 8);
  std::string& text = artifact.files.at(artifact.manifest.kernels[0].file);
  const std::string finish = "send_row<8>(dq + at, dquery, around);";
  REQUIRE(text.find(finish) != std::string::npos);
  text.replace(text.find(finish), finish.size(), ";");
  const VerifyReport report =
      verify(artifact.manifest, artifact.files, test::builtin_rows("log_cached", kRows), quick());
  CHECK(report.verdict == KernelVerdict::kRejected);
  CHECK(std::any_of(report.failures.begin(), report.failures.end(),
                    [](const VerifyFailure& f) { return f.kind == "unwritten"; }));
}

}  // namespace
}  // namespace heddle
