// SPDX-License-Identifier: Apache-2.0
// Gradients through the state between launches: what the generator writes is verified, a chain of
// launches gives what one launch of the whole sequence gives, and texts that lose a gradient on the
// way, or give it to the wrong slot, are rejected.
#include <algorithm>

#include "codegen/generate.hpp"
#include "patterns/ast_print.hpp"
#include "runtime/reference/problem_binding.hpp"
#include "runtime/reference/problem_gradients.hpp"
#include "runtime/verify/launch.hpp"
#include "runtime/verify/ledger.hpp"
#include "runtime/verify/verify.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/explain_report.hpp"
#include "tests/unit/runtime/verify/reject_edits.hpp"

namespace heddle {
namespace {

using test::explain;

constexpr std::int64_t kRows = 140;
constexpr int kStateDim = 7;  // fewer than the tokens of a launch and more than one

struct Kind {
  const char* pattern;
  ir::Target target;
  WeightKind weights;
  ElementType dtype;
  int head_dim;
};

Artifact generated(const Kind& kind, const std::vector<std::string>& ops = {"backward"}) {
  GenerateOptions options;
  options.ops = ops;
  options.target = kind.target;
  options.head_dim = kind.head_dim;
  options.dtype = kind.dtype;
  options.exact_to = kRows;
  options.weights = kind.weights;
  options.state_gradients = true;
  if (kind.weights == WeightKind::kLinear) options.state_dim = kStateDim;
  Result<Artifact> artifact = generate(test::builtin(kind.pattern), options);
  INFO(kind.pattern << ": " << (artifact ? "" : artifact.error().message));
  REQUIRE(artifact.ok());
  return *std::move(artifact);
}

VerifyOptions quick() {
  VerifyOptions options;
  options.sizes = {1, 2, 63};
  options.work_budget = 2'500'000;
  options.algebraic_budget = 800'000;
  return options;
}

// Of each target and kind of weights: states of all tokens and of the next row, on one side and on
// both, narrow numbers, rows that are walked, shifted and of a lattice on cpu, and matrices.
const std::vector<Kind> kKinds = {
    {"sqrt_cached", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 8},
    {"log_recurrence", ir::Target::kCuda, WeightKind::kGiven, ElementType::kBF16, 8},
    {"local_attention", ir::Target::kCuda, WeightKind::kGated, ElementType::kF32, 8},
    {"chacal", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kF32, 8},
    {"log_recurrence", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kBF16, 5},
    {"log_cached", ir::Target::kCpu, WeightKind::kGiven, ElementType::kF32, 16},
    {"linear_attention", ir::Target::kCuda, WeightKind::kLinear, ElementType::kF32, 9},
    {"linear_attention", ir::Target::kCpu, WeightKind::kLinear, ElementType::kBF16, 6},
};

TEST_CASE("backward kernels between two states are verified") {
  for (const Kind& kind : kKinds) {
    const Artifact artifact = generated(kind);
    const VerifyReport report =
        verify(artifact.manifest, artifact.files, test::builtin_rows(kind.pattern, kRows), quick());
    INFO(kind.pattern << ", " << name_of(kind.weights) << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
    CHECK(std::any_of(report.obligations.begin(), report.obligations.end(),
                      [](const VerifyObligation& obligation) {
                        return obligation.name.find("continues") != std::string::npos;
                      }));
  }
}

// ---- chains -----------------------------------------------------------------------------------

// The tokens of `part`, behind those that `whole` has already.
void append_tokens(std::vector<std::vector<float>>& whole, const HostBuffer& part,
                   std::int64_t batch, bool in_front) {
  const std::int64_t row = part.count() / batch;
  for (std::int64_t b = 0; b < batch; ++b) {
    std::vector<float> values;
    for (std::int64_t e = 0; e < row; ++e) {
      values.push_back(static_cast<float>(part.get(b * row + e)));
    }
    auto& all = whole[static_cast<std::size_t>(b)];
    all.insert(in_front ? all.begin() : all.end(), values.begin(), values.end());
  }
}

// Launches between the cuts, the last one first, each given what the one behind it gave back.
void check_chain(const Kind& kind, const std::vector<std::int64_t>& cuts) {
  INFO(kind.pattern << ", " << name_of(kind.weights) << ", "
                    << (kind.target == ir::Target::kCuda ? "cuda" : "cpu"));
  const Artifact artifact = generated(kind);
  const Manifest& manifest = artifact.manifest;
  const KernelEntry& entry = manifest.kernels.front();
  const Rows rows = test::builtin_rows(kind.pattern, kRows);
  const Result<KernelUnderTest> kernel = KernelUnderTest::build(manifest, entry, artifact.files);
  REQUIRE(kernel.ok());
  ProblemOptions options;
  options.weights = *weight_mode_of(manifest);
  options.dtype = options.coefficient_dtype = kind.dtype;
  options.sizes = {.batch = 2, .tokens = cuts.back(), .heads = 2, .head_dim = kind.head_dim};
  options.sizes.state_dim = manifest.state_dim;
  set_columns(options.sizes, manifest);
  options.seed = 4242;
  const GradientProblem whole = solve_gradients(options, rows);
  std::map<std::string, std::vector<std::vector<float>>> results;
  HostBuffers behind;  // what the launch behind has to say, by the names that this one gives it
  for (std::size_t cut = cuts.size() - 1; cut > 0; --cut) {
    const StateLayouts layouts{manifest.cache_a, manifest.cache_b, cuts[cut - 1], 1};
    Result<GradientProblem> part = solve_gradients(options, rows, layouts);
    REQUIRE(part.ok());
    Sizes sizes = part->launch;
    sizes.tokens = cuts[cut] - cuts[cut - 1];
    for (auto& [name, buffer] : part->state) {
      if (name.rfind("dfinal_", 0) == 0 && behind.empty()) {
        for (std::int64_t e = 0; e < buffer.count(); ++e) buffer.set(e, 0.0);
      }
      if (behind.count(name) > 0) buffer = behind.at(name);
    }
    Result<HostBuffers> bound = bind_buffers(entry, part->problem, sizes, part->state);
    REQUIRE(bound.ok());
    LaunchRequest request;
    request.sizes = sizes;
    request.scale = part->problem.scale;
    request.gamma = part->problem.gamma;
    request.buffers = &*bound;
    request.expected_work = 1'000'000;
    const Result<LaunchOutcome> outcome = kernel->launch(request);
    REQUIRE(outcome.ok());
    for (const VerifyFailure& finding : outcome->findings) FAIL_CHECK(finding.message);
    behind.clear();
    for (const auto& [name, buffer] : *bound) {
      if (name.rfind("dinitial_", 0) == 0) behind["dfinal_" + name.substr(9)] = buffer;
      if (name.rfind("initial_", 0) == 0 && buffer.type() == ElementType::kI32) {
        behind["final_" + name.substr(8)] = buffer;
      }
      if (whole.expected.count(name) == 0) continue;
      auto& all = results[name];
      all.resize(static_cast<std::size_t>(sizes.batch));
      append_tokens(all, buffer, sizes.batch, true);
    }
  }
  const Tolerance tolerance = gradient_tolerance(kind.dtype, whole.problem.largest_logit);
  CHECK(results.size() >= 2);
  for (const auto& [name, by_batch] : results) {
    HostBuffer joined(kind.dtype, whole.problem.inputs.at(name.substr(1)).shape());
    std::int64_t at = 0;
    for (const std::vector<float>& values : by_batch) {
      for (const float value : values) joined.set(at++, value);
    }
    REQUIRE(at == joined.count());
    const Agreement agreement = compare_gradient(whole, name, joined);
    INFO(name << ": " << agreement.describe(joined.shape().back()));
    CHECK(agreement.within(tolerance));
  }
}

TEST_CASE("a chain of launches gives the gradients of one launch of all tokens") {
  for (const Kind& kind : kKinds) check_chain(kind, {0, 1, 37, 38, 61});
}

// ---- broken texts -----------------------------------------------------------------------------

void check_edits(const Kind& kind, Layer layer, const std::vector<test::TextEdit>& edits) {
  test::reject_edits(generated(kind), test::builtin_rows(kind.pattern, kRows), quick(), layer,
                     edits);
}

TEST_CASE("kernels that lose a gradient of a state are rejected") {
  // The gradient of the final state ignored or taken from elsewhere, that of the initial one
  // dropped, kept from before, or given to the wrong slot, and rows that count from the launch.
  const Kind softmax = {"sqrt_cached", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF32,
                        8};
  check_edits(softmax, Layer::kEmulated,
              {{" + dfinal_b_val[handed_at + d]", ""},
               {"p <= length", "p < length"},
               {"dinitial_b_val[from + d] + weight", "weight", true},
               {"final_b_pos[pos_base_b + slot]", "initial_b_pos[pos_base_b + slot]"},
               {"by_lane = candidate + 1", "by_lane = candidate / 2 + 1", true}});
  check_edits(softmax, Layer::kAlgebraic,
              {{" + dfinal_b_key[handed_at + d]", ""},
               {"dinitial_b_key[from + d] + slope", "slope", true}});
  check_edits({"log_recurrence", ir::Target::kCuda, WeightKind::kGiven, ElementType::kBF16, 8},
              Layer::kAlgebraic, {{"before ? initial_b_val : y", "y"}});
  const Kind cpu = {"chacal", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kF32, 8};
  check_edits(
      cpu, Layer::kEmulated,
      {{" + dfinal_a_key[from + d]", ""}, {"dkeys_b + here, query", "dkeys + here, query"}});
  check_edits(cpu, Layer::kAlgebraic,
              {{"dinitial_b_key + slot_at, dkeys_b", "dinitial_b_key + slot_at, dkeys"},
               {"dkeys[here + d] + dkeys_b[here + d]", "dkeys[here + d]"}});
}

TEST_CASE("kernels that lose a gradient of a matrix state are rejected") {
  const Kind cuda = {"linear_attention", ir::Target::kCuda, WeightKind::kLinear, ElementType::kF32,
                     9};
  const Kind cpu = {"linear_attention", ir::Target::kCpu, WeightKind::kLinear, ElementType::kF32,
                    8};
  for (const Layer layer : {Layer::kEmulated, Layer::kAlgebraic}) {
    check_edits(cuda, layer,
                {{"slope[c] = dfinal_state[from + c]", "slope[c] = 0.0f"},
                 {"state[c] = initial_state[from + c]", "state[c] = 0.0f"},
                 {"dinitial_state[to + c] = slope[c]", "dinitial_state[to + c] = state[c]"},
                 {"start > 0", "start > 1"},
                 {"= dfinal_state[state_at + s * 9 + thread]", "= 0.0f"},
                 {"dfinal_state[state_at + s * 9", "dfinal_state[state_at + (6 - s) * 9"}});
    check_edits(cpu, layer,
                {{"keep_row<8>(slope + s * 8, dfinal_state + from)", "zero_row<8>(slope + s * 8)"},
                 {"keep_row<8>(state + s * 8, initial_state + from)", "zero_row<8>(state + s * 8)"},
                 {"dinitial_state[to + c] =", "dinitial_state[to + c] = 2.0f *"}});
  }
}

TEST_CASE("matrix states go over chunks between states, whatever lengths sequences have") {
  GenerateOptions options;
  options.ops = {"backward"};
  options.target = ir::Target::kCuda;
  options.dtype = ElementType::kBF16;
  options.schedule = "auto";
  options.state_gradients = true;
  for (const bool varlen : {false, true}) {
    options.varlen = varlen;
    const Result<Artifact> artifact = generate(test::builtin("linear_attention"), options);
    REQUIRE(artifact.ok());
    CHECK(artifact->manifest.kernels.front().schedule == "scan");
    CHECK(artifact->remarks.empty());
  }
}

}  // namespace
}  // namespace heddle
