// SPDX-License-Identifier: Apache-2.0
// Kernels for sequences that have lengths and starts of their own: what the generator writes is
// verified, and texts that mistake a sequence for another, or its end for the batch's, are not.
#include <algorithm>

#include "codegen/generate.hpp"
#include "patterns/ast_print.hpp"
#include "runtime/verify/ledger.hpp"
#include "runtime/verify/varlen.hpp"
#include "runtime/verify/verify.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/explain_report.hpp"

namespace heddle {
namespace {

using test::explain;

constexpr std::int64_t kRows = 170;
constexpr std::int64_t kChunkedRows = 600;  // of backward over chunks, more than it takes at a time

VerifyOptions quick() {
  VerifyOptions options;
  options.sizes = {1, 2, 63};
  options.work_budget = 2'500'000;
  options.algebraic_budget = 600'000;
  return options;
}

struct Kind {
  const char* pattern;
  ir::Target target;
  WeightKind weights;
  ElementType dtype;
  int head_dim;
  const char* schedule = "simple";
  int page_rows = 0;
  bool states = false;  // backward between them, and no other operation
};

Artifact generated(const Kind& kind) {
  GenerateOptions options;
  const bool linear = kind.weights == WeightKind::kLinear;
  options.ops = {"prefill", "decode", "backward"};
  if (kind.states) options.ops = {"backward"};
  options.state_gradients = kind.states;
  if (linear) options.state_dim = kind.head_dim;
  options.target = kind.target;
  options.head_dim = kind.head_dim;
  options.dtype = kind.dtype;
  options.exact_to = kRows;
  options.weights = kind.weights;
  options.schedule = kind.schedule;
  options.plan_tokens = 128;
  options.varlen = true;
  options.page_rows = kind.page_rows;
  Result<Artifact> artifact = generate(test::builtin(kind.pattern), options);
  INFO(kind.pattern << ": " << (artifact ? "" : artifact.error().message));
  REQUIRE(artifact.ok());
  return *std::move(artifact);
}

TEST_CASE("kernels for sequences of different lengths are verified") {
  // One of each: retention, target, schedule, weights, type, and of the ways to walk rows on cpu.
  const std::vector<Kind> kinds = {
      {"sqrt_cached", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kBF16, 8},
      {"linear_recurrence", ir::Target::kCuda, WeightKind::kGated, ElementType::kF32, 5},
      {"log_cached", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 8, "staged"},
      {"sqrt_recurrence", ir::Target::kCuda, WeightKind::kGiven, ElementType::kBF16, 8, "staged"},
      {"linear_attention", ir::Target::kCuda, WeightKind::kLinear, ElementType::kBF16, 16,
       "tensor"},
      {"dense_recurrence", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kBF16, 64,
       "tensor"},
      {"linear_attention", ir::Target::kCpu, WeightKind::kLinear, ElementType::kBF16, 8},
      {"fibonacci_cached", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kF32, 16},
      {"log_cached", ir::Target::kCpu, WeightKind::kGiven, ElementType::kBF16, 16},
      {"log_recurrence", ir::Target::kCpu, WeightKind::kGiven, ElementType::kF32, 32},
      {"dense_recurrence", ir::Target::kCpu, WeightKind::kGated, ElementType::kF32, 8},
  };
  for (const Kind& kind : kinds) {
    const Artifact artifact = generated(kind);
    const bool chunks = kind.schedule == std::string("tensor");
    const Rows rows = test::builtin_rows(kind.pattern, chunks ? kChunkedRows : kRows);
    const VerifyReport report = verify(artifact.manifest, artifact.files, rows, quick());
    INFO(kind.pattern << ", " << name_of(kind.weights) << ", " << kind.schedule << ": "
                      << explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

// What an edit makes of one kernel's text: every occurrence is a mutant, and each must die in the
// layer that is asked.
struct Edit {
  const char* op;
  const char* from;
  const char* to;
};
void check_edits(ir::Target target, Layer layer, const std::vector<Edit>& edits,
                 const char* pattern = "sqrt_cached", int page_rows = 0,
                 WeightKind weights = WeightKind::kSoftmax, bool states = false) {
  const Artifact artifact =
      generated({pattern, target, weights, ElementType::kF32, 8, "simple", page_rows, states});
  const Rows rows = test::builtin_rows(pattern, kRows);
  VerifyOptions options = quick();
  options.stop_early = true;
  options.emulated = layer == Layer::kEmulated;
  options.algebraic = layer == Layer::kAlgebraic;
  for (const Edit& edit : edits) {
    const auto kernel =
        std::find_if(artifact.manifest.kernels.begin(), artifact.manifest.kernels.end(),
                     [&](const KernelEntry& entry) { return entry.op == std::string(edit.op); });
    Manifest only = artifact.manifest;
    only.kernels = {*kernel};
    const std::string& text = artifact.files.at(kernel->file);
    INFO(only.target << ", " << edit.op << ": " << edit.from << " -> " << edit.to << ", "
                     << name_of(layer));
    CHECK(text.find(edit.from) != std::string::npos);
    for (std::size_t at = text.find(edit.from); at != std::string::npos;
         at = text.find(edit.from, at + 1)) {
      std::map<std::string, std::string> files = artifact.files;
      files[kernel->file].replace(at, std::string(edit.from).size(), edit.to);
      const VerifyReport report = verify(only, files, rows, options);
      INFO(explain(report));
      CHECK(report.verdict == KernelVerdict::kRejected);
    }
  }
}

TEST_CASE("backward of sequences of different lengths between their states is verified") {
  using ir::Target;
  // One of each: target, weights, retention, and of the ways to walk rows on cpu.
  const std::vector<Kind> kinds = {
      {"sqrt_cached", Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 8},
      {"log_recurrence", Target::kCuda, WeightKind::kGiven, ElementType::kBF16, 8},
      {"local_attention", Target::kCuda, WeightKind::kGated, ElementType::kF32, 8},
      {"linear_attention", Target::kCuda, WeightKind::kLinear, ElementType::kF32, 9},
      {"chacal", Target::kCpu, WeightKind::kSoftmax, ElementType::kF32, 8},
      {"log_recurrence", Target::kCpu, WeightKind::kSoftmax, ElementType::kBF16, 5},
      {"log_cached", Target::kCpu, WeightKind::kGiven, ElementType::kF32, 16},
      {"sqrt_attention", Target::kCpu, WeightKind::kGated, ElementType::kF32, 8},
      {"linear_attention", Target::kCpu, WeightKind::kLinear, ElementType::kBF16, 6},
  };
  for (Kind kind : kinds) {
    kind.states = true;
    const Artifact artifact = generated(kind);
    const VerifyReport report =
        verify(artifact.manifest, artifact.files, test::builtin_rows(kind.pattern, kRows), quick());
    INFO(kind.pattern << ", " << name_of(kind.weights) << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

TEST_CASE("caches in pages are verified") {
  const std::vector<Kind> kinds = {
      {"log_recurrence", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kBF16, 8, "simple",
       8},
      {"sqrt_cached", ir::Target::kCuda, WeightKind::kGiven, ElementType::kF32, 8, "simple", 2},
      {"attention", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kF32, 16, "simple", 16},
      {"fibonacci_cached", ir::Target::kCpu, WeightKind::kGiven, ElementType::kBF16, 8, "simple",
       1},
  };
  for (const Kind& kind : kinds) {
    Artifact artifact = generated(kind);
    std::erase_if(artifact.manifest.kernels,
                  [](const KernelEntry& kernel) { return kernel.op == "backward"; });
    const VerifyReport report =
        verify(artifact.manifest, artifact.files, test::builtin_rows(kind.pattern, kRows), quick());
    INFO(kind.pattern << ", " << name_of(kind.weights) << ", pages of " << kind.page_rows << ": "
                      << explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

TEST_CASE("kernels that mistake one sequence for another are rejected") {
  check_edits(
      ir::Target::kCuda, Layer::kEmulated,
      {{"prefill", "offsets[batch]", "offsets[0]"},
       {"prefill", "offsets[batch + 1]", "(offsets[batch + 1] + 1)"},
       {"prefill", "starts[batch]", "starts[0]"},
       {"prefill", "= own_start + own_tokens", "= start + own_tokens"},
       {"decode", "starts[batch]", "start"},
       {"backward", "offsets[batch + 1]", "(offsets[batch + 1] + 1)"},
       {"backward", "(first_token * heads + head)", "(batch * own_tokens * heads + head)"}});
  check_edits(ir::Target::kCuda, Layer::kAlgebraic,
              {{"prefill", "= own_start + own_tokens", "= own_start + tokens"},
               {"prefill", "(first_token * heads + head)", "(batch * own_tokens * heads + head)"},
               {"decode", "starts[batch]", "starts[batch / 2]"},
               {"backward", "offsets[batch]", "offsets[0]"}});
  check_edits(ir::Target::kCpu, Layer::kEmulated,
              {{"prefill", "offsets[batch + 1]", "(offsets[batch + 1] + 1)"},
               {"prefill", "starts[batch]", "starts[0]"},
               {"decode", "starts[batch]", "start"},
               {"backward", "offsets[batch + 1]", "(offsets[batch + 1] + 1)"}});
  check_edits(
      ir::Target::kCpu, Layer::kAlgebraic,
      {{"prefill", "offsets[batch]", "offsets[0]"}, {"prefill", "< own_tokens", "< tokens"}});
}

TEST_CASE("backward through matrix states that mistakes one sequence for another is rejected") {
  const auto check = [](ir::Target target, Layer layer, const std::vector<Edit>& edits) {
    check_edits(target, layer, edits, "linear_attention", 0, WeightKind::kLinear);
  };
  const char* const kept = "(first_token * heads + head * own_tokens)";
  check(ir::Target::kCuda, Layer::kEmulated,
        {{"backward", kept, "(first_token * heads + own_tokens)"},
         {"backward", kept, "(first_token * heads + head * tokens)"},
         {"backward", kept, "(batch * heads + head) * own_tokens"},
         {"backward", "offsets[batch + 1]", "(offsets[batch + 1] + 1)"}});
  check(ir::Target::kCuda, Layer::kAlgebraic,
        {{"backward", "(first_token + (first + r))", "(batch * own_tokens + (first + r))"},
         {"backward", "(first_token + back)", "(batch * own_tokens + back)"},
         {"backward", "offsets[batch]", "offsets[0]"}});
  check(ir::Target::kCpu, Layer::kEmulated,
        {{"backward", "own_tokens - first", "tokens - first"},
         {"backward", "offsets[batch + 1]", "(offsets[batch + 1] + 1)"}});
}

// Of a sequence that begins in a launch of others that go on, too: its initial state is not read,
// and has a gradient of zero.
TEST_CASE("backward that mistakes one sequence's state for another's is rejected") {
  using ir::Target;
  const auto check = [](Target target, const char* pattern, WeightKind weights,
                        const std::vector<Edit>& edits) {
    for (const Layer layer : {Layer::kEmulated, Layer::kAlgebraic}) {
      check_edits(target, layer, edits, pattern, 0, weights, true);
    }
  };
  check(Target::kCuda, "log_recurrence", WeightKind::kSoftmax,
        {{"backward", "starts[batch]", "starts[0]"},
         {"backward", "p <= own_start", "p <= start"},
         {"backward", "if (start > 0) {\n    for", "if (own_start > 0) {\n    for"}});
  check_edits(Target::kCuda, Layer::kEmulated,
              {{"backward", "own_start + own_tokens", "start + own_tokens"}}, "log_recurrence", 0,
              WeightKind::kSoftmax, true);
  check(Target::kCpu, "log_recurrence", WeightKind::kSoftmax,
        {{"backward", "starts[batch]", "starts[0]"},
         {"backward", "p <= own_start", "p <= start"},
         {"backward", "if (start > 0) {\n      for", "if (own_start > 0) {\n      for"}});
  for (const Target target : {Target::kCuda, Target::kCpu}) {
    check(target, "linear_attention", WeightKind::kLinear,
          {{"backward", "starts[batch]", "starts[0]"},
           {"backward", "if (own_start > 0)", "if (start > 0)"},
           {"backward", "dinitial_state[to + c] = 0.0f", "dinitial_state[to + c] = 1.0f"}});
  }
}

// Of a sequence that begins in a launch of others that go on.
TEST_CASE("prefill that reads a state where there is none is rejected") {
  for (const Layer layer : {Layer::kEmulated, Layer::kAlgebraic}) {
    check_edits(ir::Target::kCuda, layer,
                {{"prefill", "own_start > 0 ? initial_state", "start > 0 ? initial_state"}},
                "linear_attention", 0, WeightKind::kLinear);
    check_edits(ir::Target::kCpu, layer, {{"prefill", "if (own_start > 0) {", "if (start > 0) {"}},
                "linear_attention", 0, WeightKind::kLinear);
  }
}

TEST_CASE("kernels that mistake one page for another are rejected") {
  const std::vector<Edit> edits = {{"decode", "pages_b[batch * table_b +", "pages_b[table_b +"},
                                   {"decode", "pages_b[batch * table_b +", "pages_b[batch +"},
                                   {"decode", " * 4 + ", " * 2 + "},
                                   {"decode", "/ 4", "/ 8"}};
  check_edits(ir::Target::kCuda, Layer::kEmulated, edits, "log_recurrence", 4);
  check_edits(ir::Target::kCuda, Layer::kAlgebraic, edits, "log_recurrence", 4);
  check_edits(ir::Target::kCpu, Layer::kEmulated, edits, "log_recurrence", 4);
}

// Tokens in front of all sequences and behind them are nobody's.
TEST_CASE("a kernel that touches what belongs to no sequence is rejected") {
  const Artifact artifact =
      generated({"linear_recurrence", ir::Target::kCuda, WeightKind::kGiven, ElementType::kF32, 8});
  const Rows rows = test::builtin_rows("linear_recurrence", kRows);
  Manifest only = artifact.manifest;
  std::erase_if(only.kernels, [](const KernelEntry& kernel) { return kernel.op != "prefill"; });
  const std::string& file = only.kernels.front().file;
  const auto rejected_for = [&](const std::string& addition, const std::string& kind) {
    std::map<std::string, std::string> files = artifact.files;
    std::string& text = files[file];
    text.insert(text.rfind('}'), addition);
    VerifyOptions options = quick();
    options.algebraic = false;
    const VerifyReport report = verify(only, files, rows, options);
    INFO(addition << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kRejected);
    CHECK(std::any_of(report.failures.begin(), report.failures.end(),
                      [&](const VerifyFailure& failure) { return failure.kind == kind; }));
  };
  rejected_for("  if (block == 0 && thread == 0 && tokens > end_token) y[0] = 0.0f;\n",
               "write_twice");
  rejected_for(
      "  if (batch * heads + heads == gridDim.x && head == 0 && thread == 0 && end_token < tokens) "
      "y[end_token * heads * 8] = 0.0f;\n",
      "out_of_bounds");
  rejected_for(
      "  if (batch * heads + heads == gridDim.x && head == 0 && thread == 0 && end_token < tokens) "
      "y[first_token * heads * 8] += 0.0f * x[end_token * heads * 8];\n",
      "uninitialised_read");
}

// Arrays of a device are not looked at before a launch. Over the field only bounds are watched, so
// that nothing else fills the list of findings.
TEST_CASE("offsets, starts and tables of any contents keep to the buffers") {
  const std::vector<std::vector<std::int32_t>> hostile = {
      {-5, 2147483647, -2147483647, 3}, {11, 2, 90, 1}, {12, 12, 12, 12}, {0, 12, 0, 12}};
  using ir::Target;
  for (const Kind& kind : std::vector<Kind>{
           {"sqrt_cached", Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 8, "simple", 2},
           {"sqrt_cached", Target::kCpu, WeightKind::kSoftmax, ElementType::kF32, 8, "simple", 2},
           {"linear_attention", Target::kCuda, WeightKind::kLinear, ElementType::kF32, 8},
           {"linear_attention", Target::kCpu, WeightKind::kLinear, ElementType::kF32, 8},
           {"sqrt_cached", Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 8, "simple", 0,
            true},
           {"log_recurrence", Target::kCpu, WeightKind::kSoftmax, ElementType::kF32, 8, "simple", 0,
            true},
           {"linear_attention", Target::kCuda, WeightKind::kLinear, ElementType::kF32, 8, "simple",
            0, true},
           {"linear_attention", Target::kCpu, WeightKind::kLinear, ElementType::kF32, 8, "simple",
            0, true},
           {"log_recurrence", Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 8, "auto"},
           {"sqrt_cached", Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 8, "auto"},
           {"linear_recurrence", Target::kCuda, WeightKind::kGiven, ElementType::kF32, 8, "scan"},
           {"linear_recurrence", Target::kCuda, WeightKind::kGated, ElementType::kF32, 8, "scan", 0,
            true},
           {"linear_attention", Target::kCuda, WeightKind::kLinear, ElementType::kBF16, 16, "scan"},
           {"linear_attention", Target::kCuda, WeightKind::kLinear, ElementType::kBF16, 16, "scan",
            0, true}}) {
    const Artifact artifact = generated(kind);
    const bool chunks = kind.schedule == std::string("scan");
    const Sizes all = {.batch = 3,
                       .tokens = chunks ? 200 : 12,
                       .heads = 2,
                       .head_dim = kind.head_dim,
                       .state_dim = kind.head_dim,
                       .start = 5,
                       .slots_b = 6,
                       .width_a = 1,
                       .width_b = 1,
                       .longest = chunks ? 190 : 9,
                       .table_b = 3,
                       .pool_b = 4};
    for (const KernelEntry& entry : artifact.manifest.kernels) {
      const Sizes sizes = all.in_chunks(entry);
      const Result<KernelUnderTest> kernel =
          KernelUnderTest::build(artifact.manifest, entry, artifact.files, Numbers::kField);
      REQUIRE(kernel.ok());
      for (const std::vector<std::int32_t>& numbers : hostile) {
        FieldBuffers buffers;
        for (const Argument& argument : entry.arguments) {
          if (argument.kind != ArgumentKind::kBuffer) continue;
          std::size_t count = 1;
          for (const std::string& extent : argument.shape) {
            count *= static_cast<std::size_t>(*sizes.extent(extent));
          }
          FieldBuffer buffer;
          buffer.integers = argument.type == ElementType::kI32;
          const bool told =
              argument.name == "offsets" || argument.name == "starts" || argument.name == "pages_b";
          for (std::size_t e = 0; e < count; ++e) {
            if (!buffer.integers) buffer.numbers.push_back({7, 11});
            if (buffer.integers) {
              buffer.positions.push_back(told ? numbers[e % numbers.size()] : 0);
            }
          }
          buffers.emplace(argument.name, std::move(buffer));
        }
        const FieldElement one = {1, 1};
        const Result<LaunchOutcome> outcome =
            kernel->launch(FieldLaunchRequest{.sizes = sizes,
                                              .scale = one,
                                              .gamma = one,
                                              .buffers = &buffers,
                                              .expected_work = 1'000'000});
        REQUIRE(outcome.ok());
        for (const VerifyFailure& finding : outcome->findings) {
          FAIL_CHECK(artifact.manifest.target << ", " << entry.op << ": " << finding.message
                                              << " at " << finding.where);
        }
      }
    }
  }
}

TEST_CASE("layouts cover their sequences") {
  RandomSource random(3);
  bool empty = false, before = false, behind = false;
  for (int turn = 0; turn < 50; ++turn) {
    const VarlenLayout layout = VarlenLayout::draw(7, {5, 0, 3}, false, random);
    CHECK(layout.counts.front() == 7);
    CHECK(layout.longest() == 12);
    CHECK(layout.most_before() == 5);
    empty = empty || layout.counts[1] == 0;
    before = before || layout.before > 0;
    behind = behind || layout.behind > 0;
    CHECK(launch_sizes(layout, KernelEntry{}, {}).tokens == layout.first_of(3) + layout.behind);
  }
  CHECK(empty);
  CHECK(before);
  CHECK(behind);
  const VarlenLayout decode = VarlenLayout::draw(1, {5, 0, 3}, true, random);
  CHECK(decode.counts == std::vector<std::int64_t>{1, 1, 1});
  CHECK(launch_sizes(decode, KernelEntry{}, {}).start == 5);
}

}  // namespace
}  // namespace heddle
