// SPDX-License-Identifier: Apache-2.0
// Decode of several tokens a launch, and of positions that lie in the device's memory: what the
// generator writes is verified, and texts that take one token for another are rejected.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "codegen/generate.hpp"
#include "patterns/ast_print.hpp"
#include "runtime/verify/launch.hpp"
#include "runtime/verify/ledger.hpp"
#include "runtime/verify/session.hpp"
#include "runtime/verify/varlen.hpp"
#include "runtime/verify/verify.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/explain_report.hpp"
#include "tests/unit/runtime/verify/reject_edits.hpp"

namespace heddle {
namespace {

using test::explain;

constexpr std::int64_t kRows = 140;

struct Kind {
  const char* pattern;
  ir::Target target;
  WeightKind weights;
  ElementType dtype;
  int head_dim;
  bool varlen = false;
  int page_rows = 0;
};

Artifact generated(const Kind& kind, bool with_prefill = false) {
  GenerateOptions options;
  options.ops = {"decode"};
  if (with_prefill) options.ops.push_back("prefill");
  options.target = kind.target;
  options.head_dim = kind.head_dim;
  options.dtype = kind.dtype;
  options.exact_to = kRows;
  options.weights = kind.weights;
  if (kind.weights == WeightKind::kLinear) options.state_dim = 6;
  options.varlen = kind.varlen;
  options.page_rows = kind.page_rows;
  options.several_tokens = true;
  Result<Artifact> artifact = generate(test::builtin(kind.pattern), options);
  INFO(kind.pattern << ": " << (artifact ? "" : artifact.error().message));
  REQUIRE(artifact.ok());
  return *std::move(artifact);
}

VerifyOptions quick() {
  VerifyOptions options;
  options.sizes = {1, 2, 63};
  options.work_budget = 1'500'000;
  options.algebraic_budget = 400'000;
  return options;
}

TEST_CASE("decode of several tokens is verified") {
  const std::vector<Kind> kinds = {
      {"sqrt_cached", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 8},
      {"log_recurrence", ir::Target::kCuda, WeightKind::kGiven, ElementType::kBF16, 40, true, 4},
      {"chacal", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kF32, 8},
      {"fibonacci_cached", ir::Target::kCpu, WeightKind::kGated, ElementType::kBF16, 8, true, 2},
      {"linear_attention", ir::Target::kCpu, WeightKind::kLinear, ElementType::kBF16, 8},
  };
  for (const Kind& kind : kinds) {
    const Artifact artifact = generated(kind, kind.weights == WeightKind::kSoftmax);
    const VerifyReport report =
        verify(artifact.manifest, artifact.files, test::builtin_rows(kind.pattern, kRows), quick());
    INFO(kind.pattern << ", " << name_of(kind.weights) << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

void check_edits(const Kind& kind, Layer layer, const std::vector<test::TextEdit>& edits) {
  test::reject_edits(generated(kind), test::builtin_rows(kind.pattern, kRows), quick(), layer,
                     edits);
}

TEST_CASE("decode that takes one token for another is rejected") {
  const Kind cuda = {"sqrt_cached", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 8};
  check_edits(
      cuda, Layer::kEmulated,
      {{"= start + turn", "= start"}, {"+ turn * token_stride", ""}, {"__syncthreads();", ";"}});
  check_edits(cuda, Layer::kAlgebraic, {{"= start + turn", "= start"}});
  const Kind cpu = {"log_recurrence", ir::Target::kCpu, WeightKind::kGiven, ElementType::kF32, 8};
  check_edits(cpu, Layer::kEmulated,
              {{"= start + turn", "= start + 2 * turn"},
               {"batch * new_tokens + turn", "batch * new_tokens"}});
  check_edits(cpu, Layer::kAlgebraic, {{"batch * new_tokens + turn", "batch * new_tokens"}});
}

// A captured launch has the same scalars whenever it is made again; only arrays differ. `start` is
// then a bound, and a kernel that takes it for a position is rejected.
TEST_CASE("positions come from device memory, whatever bound the launch has") {
  RandomSource random(5);
  bool beyond = false;
  for (int turn = 0; turn < 20; ++turn) {
    const VarlenLayout layout = VarlenLayout::draw(1, {5, 0, 3}, true, random, 7);
    const std::int64_t start = launch_sizes(layout, KernelEntry{}, {}).start;
    CHECK((start == 5 || start == 12));
    beyond = beyond || start == 12;
  }
  CHECK(beyond);
  Kind kind = {"sqrt_cached", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 8, true};
  check_edits(kind, Layer::kEmulated, {{"own_start + turn", "start + turn"}});
  kind.target = ir::Target::kCpu;
  check_edits(kind, Layer::kAlgebraic, {{"own_start + turn", "start + turn"}});
}

// Bytes from and to global memory of one launch of `count` tokens after `start`.
std::int64_t bytes_of(const Artifact& artifact, const std::string& op, const Rows& rows,
                      std::int64_t start, std::int64_t count) {
  const Manifest& manifest = artifact.manifest;
  const auto entry = std::find_if(manifest.kernels.begin(), manifest.kernels.end(),
                                  [&](const KernelEntry& each) { return each.op == op; });
  REQUIRE(entry != manifest.kernels.end());
  const Result<KernelUnderTest> kernel = KernelUnderTest::build(manifest, *entry, artifact.files);
  REQUIRE(kernel.ok());
  ProblemOptions options;
  options.weights = *weight_mode_of(manifest);
  options.dtype = options.coefficient_dtype = manifest.dtype;
  options.sizes = {.batch = 1, .tokens = start + count, .heads = 1, .head_dim = manifest.head_dim};
  set_columns(options.sizes, manifest);
  const Result<Session> session =
      Session::begin(manifest, rows, solve_problem(options, rows), start, 0, 7);
  REQUIRE(session.ok());
  Result<HostBuffers> bound = session->bind(*entry, count);
  REQUIRE(bound.ok());
  LaunchRequest request;
  request.sizes = session->sizes_of(count);
  request.scale = 0.25F;
  request.buffers = &*bound;
  request.count_requests = true;
  request.expected_work = 100'000'000;
  const Result<LaunchOutcome> outcome = kernel->launch(request);
  REQUIRE(outcome.ok());
  REQUIRE(outcome->findings.empty());
  return outcome->counters.global_bytes_read + outcome->counters.global_bytes_written;
}

// A prefill of these tokens gives the same, and hands on a copy of all that is kept: where that is
// everything, it costs the more the longer the sequence; decode costs what its rows read.
TEST_CASE("several tokens in place cost what their rows read, a prefill what the state has") {
  const Kind all = {"log_recurrence", ir::Target::kCuda, WeightKind::kGiven, ElementType::kF32, 32};
  const Kind live = {"sqrt_cached", ir::Target::kCuda, WeightKind::kGiven, ElementType::kF32, 32};
  for (const Kind& kind : {all, live}) {
    const Artifact artifact = generated(kind, true);
    const Rows rows = test::builtin_rows(kind.pattern, kRows);
    const bool keeps_all = kind.pattern == std::string("log_recurrence");
    const std::int64_t one = bytes_of(artifact, "decode", rows, 120, 1);
    for (const std::int64_t count : {2, 16}) {
      const std::int64_t decode = bytes_of(artifact, "decode", rows, 120, count);
      const std::int64_t prefill = bytes_of(artifact, "prefill", rows, 120, count);
      std::cout << fmt::format("{}: {} tokens after 120: decode {} bytes, prefill {}\n",
                               kind.pattern, count, decode, prefill);
      CHECK(decode < 5 * count * one / 4);
      if (keeps_all) CHECK(prefill > (count < 4 ? 6 : 1) * decode);
    }
  }
}

}  // namespace
}  // namespace heddle
