// SPDX-License-Identifier: Apache-2.0
// What prefill kernels ask of memory, counted in an emulated run: as little as was promised, and
// what the cost model said.
#include "tests/counters/counters.hpp"

#include <utility>

#include "patterns/ast_print.hpp"
#include "runtime/verify/verify.hpp"
#include "tests/catch.hpp"

namespace heddle::counting {
namespace {

GenerateOptions staged(std::int64_t tokens, WeightKind weights, ElementType dtype) {
  GenerateOptions options;
  options.ops = {"prefill"};
  options.target = ir::Target::kCuda;
  options.schedule = "staged";
  options.weights = weights;
  options.dtype = dtype;
  options.plan_tokens = tokens;
  options.exact_to = tokens;
  return options;
}

Count counted(const char* name, const GenerateOptions& options, std::int64_t tokens, bool flops) {
  const Result<Pattern> pattern = builtin(name);
  REQUIRE(pattern);
  const Result<Count> found = count(*pattern, options, tokens, flops);
  if (!found) FAIL(name << ": " << found.error().message);
  for (const VerifyFailure& finding : found->findings) UNSCOPED_INFO(finding.message);
  CHECK(found->findings.empty());
  const bool several = found->kernel.schedule == "gather";
  CHECK((several ? found->kernel.steps.front().schedule : found->kernel.schedule) ==
        options.schedule);
  return *found;
}

void check_verified(const VerifyReport& report) {
  for (const VerifyFailure& failure : report.failures) {
    UNSCOPED_INFO(failure.kind << ": " << failure.message << " at " << failure.where);
  }
  for (const VerifyObligation& obligation : report.obligations) {
    UNSCOPED_INFO(name_of(obligation.verdict) << ": " << obligation.name);
  }
  CHECK(report.verdict == KernelVerdict::kVerified);
}

void check_predicted(const Count& found) {
  CHECK(found.counters.global_bytes_read + found.counters.global_bytes_written ==
        found.kernel.prediction.bytes);
  const double flops =
      static_cast<double>(found.flops) / static_cast<double>(found.kernel.prediction.flops);
  CHECK(flops > 0.95);
  CHECK(flops < 1.05);
}

// Lattices as well: what rows to come read stays in shared memory.
TEST_CASE("first order and lattices ask for every row once") {
  constexpr std::int64_t kTokens = 1024;
  for (const auto& [name, weights] : {std::pair{"linear_recurrence", WeightKind::kSoftmax},
                                      std::pair{"log_cached", WeightKind::kSoftmax},
                                      std::pair{"sqrt_cached", WeightKind::kSoftmax},
                                      std::pair{"sqrt_cached", WeightKind::kGiven}}) {
    INFO(name << ", " << name_of(weights));
    const Count found = counted(name, staged(kTokens, weights, ElementType::kF32), kTokens, false);
    CHECK(found.of_the_floor() <= 1.001);
    CHECK(found.conflicts_per_request() < 0.05);
  }
}

TEST_CASE("backward of lattices finds what it keeps in different banks") {
  for (const WeightKind weights : {WeightKind::kSoftmax, WeightKind::kGiven}) {
    GenerateOptions options = staged(512, weights, ElementType::kF32);
    options.ops = {"backward"};
    options.schedule = "auto";
    const Result<Pattern> pattern = builtin("sqrt_cached");
    REQUIRE(pattern);
    const Result<Count> found = count(*pattern, options, 512, false);
    REQUIRE(found);
    CHECK(found->findings.empty());
    CHECK(found->conflicts_per_request() < 0.05);
  }
}

TEST_CASE("2^k is within twice the floor at 4096 tokens") {
  constexpr std::int64_t kTokens = 4096;
  const Count found = counted(
      "log_recurrence", staged(kTokens, WeightKind::kSoftmax, ElementType::kF32), kTokens, false);
  CHECK(found.of_the_floor() <= 2.0);
  CHECK(found.conflicts_per_request() < 0.05);
  CHECK(found.of_the_sectors() > 0.99);
}

TEST_CASE("k^2 + 1 is within four times the floor at 4096 tokens") {
  constexpr std::int64_t kTokens = 4096;
  for (const auto& [weights, dtype] : {std::pair{WeightKind::kGiven, ElementType::kF32},
                                       std::pair{WeightKind::kGiven, ElementType::kBF16},
                                       std::pair{WeightKind::kSoftmax, ElementType::kF32},
                                       std::pair{WeightKind::kSoftmax, ElementType::kBF16}}) {
    INFO(name_of(weights) << ", " << name_of(dtype));
    const Count found = counted("sqrt_recurrence", staged(kTokens, weights, dtype), kTokens, false);
    CHECK(found.of_the_floor() <= 4.0);
    CHECK(found.conflicts_per_request() < 0.05);
  }
}

// A block of less shared memory than the pattern would like, so that every road is taken.
TEST_CASE("the cost model says what is counted") {
  constexpr std::int64_t kTokens = 320;
  for (const auto& [name, weights] : {std::pair{"log_recurrence", WeightKind::kSoftmax},
                                      std::pair{"sqrt_cached", WeightKind::kGiven},
                                      std::pair{"sqrt_recurrence", WeightKind::kSoftmax},
                                      std::pair{"log_attention", WeightKind::kGiven},
                                      std::pair{"dense_recurrence", WeightKind::kSoftmax}}) {
    GenerateOptions options = staged(kTokens, weights, ElementType::kF32);
    options.shared_limit = 60000;
    INFO(name << ", " << name_of(weights));
    check_predicted(counted(name, options, kTokens, true));
  }
}

// Tiles side by side, of a length that is no multiple of theirs, with positions ahead and without.
TEST_CASE("tiles that read inputs at distances ask for what the cost model says") {
  constexpr std::int64_t kTokens = 900;
  for (const auto& [name, weights, dtype, head_dim] :
       {std::tuple{"sqrt_attention", WeightKind::kSoftmax, ElementType::kF32, 64},
        std::tuple{"sqrt_attention", WeightKind::kSoftmax, ElementType::kBF16, 256},
        std::tuple{"strided_attention", WeightKind::kSoftmax, ElementType::kF32, 128},
        std::tuple{"sqrt_attention", WeightKind::kGiven, ElementType::kF32, 128}}) {
    GenerateOptions options = staged(kTokens, weights, dtype);
    options.head_dim = head_dim;
    INFO(name << ", " << name_of(weights) << ", " << head_dim);
    const Count found = counted(name, options, kTokens, true);
    CHECK(found.kernel.chunk_tokens > 0);
    check_predicted(found);
    CHECK(found.conflicts_per_request() < 0.05);
    if (weights == WeightKind::kSoftmax) CHECK(found.of_the_sectors() > 0.99);
  }
}

// What the choice between schedules rests on: the same of simple kernels.
TEST_CASE("the cost model says what is counted of simple kernels") {
  constexpr std::int64_t kTokens = 100;
  for (const auto& [name, weights] :
       {std::pair{"log_recurrence", WeightKind::kSoftmax},
        std::pair{"sqrt_cached", WeightKind::kGiven}, std::pair{"chacal", WeightKind::kSoftmax},
        std::pair{"local_attention", WeightKind::kSoftmax},
        std::pair{"linear_recurrence", WeightKind::kGated},
        std::pair{"sqrt_cached", WeightKind::kGated},
        std::pair{"strided_attention", WeightKind::kGated},
        std::pair{"linear_attention", WeightKind::kLinear},
        std::pair{"sqrt_cached", WeightKind::kLinear}}) {
    GenerateOptions options = staged(kTokens, weights, ElementType::kBF16);
    if (weights == WeightKind::kLinear) options.state_dim = 64;
    options.schedule = "simple";
    INFO(name << ", " << name_of(weights));
    check_predicted(counted(name, options, kTokens, true));
  }
}

// A whole number of chunks, a rest, and more than a chain goes over at a time.
TEST_CASE("a scan asks for what the cost model says") {
  for (const auto& [weights, dtype, head_dim, tokens] :
       {std::tuple{WeightKind::kGiven, ElementType::kF32, 64, 320},
        std::tuple{WeightKind::kGiven, ElementType::kBF16, 40, 333},
        std::tuple{WeightKind::kGated, ElementType::kF32, 32, 2400},
        std::tuple{WeightKind::kGated, ElementType::kBF16, 96, 100}}) {
    INFO(name_of(weights) << ", " << head_dim << ", " << tokens);
    GenerateOptions options = staged(tokens, weights, dtype);
    options.schedule = "scan";
    options.plan_heads = 1;
    options.head_dim = head_dim;
    const Count found = counted("linear_recurrence", options, tokens, true);
    check_predicted(found);
  }
}

// Of one chunk of products each, with a rest, and of several.
TEST_CASE("a scan of matrix states asks for what the cost model says") {
  for (const auto& [head_dim, state_dim, heads, tokens] :
       {std::tuple{64, 64, 1, 300}, std::tuple{32, 80, 1, 700}, std::tuple{64, 16, 40, 1100}}) {
    INFO(head_dim << ", " << state_dim << ", " << tokens);
    GenerateOptions options = staged(tokens, WeightKind::kLinear, ElementType::kBF16);
    options.schedule = "scan";
    options.plan_heads = heads;
    options.head_dim = head_dim;
    options.state_dim = state_dim;
    const Count found = counted("linear_attention", options, tokens, true);
    check_predicted(found);
    if (head_dim == 64) CHECK(found.conflicts_per_request() < 0.05);
    CHECK(found.of_the_sectors() > 0.99);
  }
}

// Of threads that share a column of weights two and four at a time, and of warps without channels.
TEST_CASE("gates for each key on tensor cores are asked for as the cost model says") {
  for (const auto& [head_dim, state_dim, schedule] :
       {std::tuple{64, 64, "tensor"}, std::tuple{16, 32, "tensor"}, std::tuple{128, 64, "tensor"},
        std::tuple{64, 32, "scan"}}) {
    INFO(head_dim << ", " << state_dim << ", " << schedule);
    constexpr std::int64_t kTokens = 150;
    GenerateOptions options = staged(kTokens, WeightKind::kLinear, ElementType::kBF16);
    options.schedule = schedule;
    options.plan_heads = 1;
    options.head_dim = head_dim;
    options.state_dim = state_dim;
    options.key_gates = true;
    const Count found = counted("linear_attention", options, kTokens, true);
    check_predicted(found);
    CHECK(found.of_the_sectors() > 0.99);
  }
}

// A whole number of chunks, and a rest.
TEST_CASE("linear prefill on tensor cores asks for every row once") {
  for (const std::int64_t tokens : {256, 300}) {
    GenerateOptions options = staged(tokens, WeightKind::kLinear, ElementType::kBF16);
    options.schedule = "tensor";
    const Count found = counted("linear_attention", options, tokens, true);
    check_predicted(found);
    CHECK(found.of_the_floor() <= 1.001);
    CHECK(found.conflicts_per_request() < 0.05);
    CHECK(found.of_the_sectors() > 0.99);
  }
}

// Whole chunks and a rest; slices of the channels; and more states of a chunk than are made at a
// time.
TEST_CASE("matrix states of nested rows on tensor cores ask for what the cost model says") {
  for (const auto& [name, head_dim, state_dim, tokens] :
       {std::tuple{"sqrt_cached", 64, 64, 200}, std::tuple{"log_cached", 32, 144, 150},
        std::tuple{"fibonacci_cached", 16, 16, 192}}) {
    INFO(name << ", " << head_dim << ", " << state_dim);
    GenerateOptions options = staged(tokens, WeightKind::kLinear, ElementType::kBF16);
    options.schedule = "tensor";
    options.head_dim = head_dim;
    options.state_dim = state_dim;
    const Count found = counted(name, options, tokens, true);
    check_predicted(found);
    if (head_dim == 64) CHECK(found.of_the_sectors() > 0.9);
  }
}

// Each window of keys and values once for each chunk of rows.
TEST_CASE("attention on tensor cores asks for what the cost model says") {
  for (const auto& [dtype, head_dim, tokens, rows] :
       {std::tuple{ElementType::kBF16, 64, 256, 128}, std::tuple{ElementType::kBF16, 64, 290, 256},
        std::tuple{ElementType::kF16, 128, 150, 128}, std::tuple{ElementType::kF16, 64, 50, 64},
        std::tuple{ElementType::kBF16, 256, 90, 64}}) {
    INFO(name_of(dtype) << ", " << head_dim << ", " << tokens << ", " << rows);
    GenerateOptions options = staged(tokens, WeightKind::kSoftmax, dtype);
    options.schedule = "tensor";
    options.head_dim = head_dim;
    options.tile_rows = rows;
    const Count found = counted("attention", options, tokens, true);
    check_predicted(found);
    CHECK(found.conflicts_per_request() < 0.05);
    CHECK(found.of_the_sectors() > 0.99);
  }
}

// Scores twice: by the chunks of rows that make them, and by those of tokens that they weigh.
TEST_CASE("backward of attention on tensor cores asks for what the cost model says") {
  for (const auto& [pattern, dtype, head_dim, tokens, rows] :
       {std::tuple{"attention", ElementType::kBF16, 64, 290, 128},
        std::tuple{"attention", ElementType::kF16, 32, 256, 64},
        std::tuple{"attention", ElementType::kBF16, 128, 150, 128},
        std::tuple{"local_attention", ElementType::kBF16, 64, 320, 64},
        std::tuple{"local_attention", ElementType::kF16, 128, 150, 128},
        std::tuple{"local_attention", ElementType::kF16, 64, 50, 64}}) {
    INFO(pattern << ", " << name_of(dtype) << ", " << head_dim << ", " << tokens << ", " << rows);
    GenerateOptions options = staged(tokens, WeightKind::kSoftmax, dtype);
    options.ops = {"backward"};
    options.schedule = "tensor";
    options.head_dim = head_dim;
    options.tile_rows = rows;
    const Count found = counted(pattern, options, tokens, true);
    check_predicted(found);
    // Eight copies at a time, of two rows of 64 bytes, meet each other's banks.
    if (head_dim > 32) CHECK(found.conflicts_per_request() < 0.05);
    CHECK(found.of_the_sectors() > 0.99);
  }
}

// The chunk's own windows of keys and values and those that its first row reads: of the floor no
// more than a quarter besides, where rows read 64 positions.
TEST_CASE("attention over a window on tensor cores asks for what the cost model says") {
  for (const auto& [dtype, head_dim, tokens] :
       {std::tuple{ElementType::kBF16, 64, 320}, std::tuple{ElementType::kF16, 128, 150},
        std::tuple{ElementType::kF16, 64, 50}}) {
    INFO(name_of(dtype) << ", " << head_dim << ", " << tokens);
    GenerateOptions options = staged(tokens, WeightKind::kSoftmax, dtype);
    options.schedule = "tensor";
    options.head_dim = head_dim;
    const Count found = counted("local_attention", options, tokens, true);
    check_predicted(found);
    CHECK(found.of_the_floor() <= 1.25);
    CHECK(found.conflicts_per_request() < 0.05);
    CHECK(found.of_the_sectors() > 0.99);
  }
}

// Windows of distances beyond a chunk and sixteen keys of every other chunk twice; a rest, and
// whole chunks.
TEST_CASE("diagonals on tensor cores ask for what the cost model says") {
  for (const auto& [pattern, dtype, head_dim, tokens, rows] :
       {std::tuple{"log_recurrence", ElementType::kBF16, 64, 700, 128},
        std::tuple{"sqrt_recurrence", ElementType::kF16, 64, 256, 64},
        std::tuple{"log_recurrence", ElementType::kF16, 128, 150, 64}}) {
    INFO(pattern << ", " << name_of(dtype) << ", " << head_dim << ", " << tokens << ", " << rows);
    GenerateOptions options = staged(tokens, WeightKind::kSoftmax, dtype);
    options.schedule = "tensor";
    options.head_dim = head_dim;
    options.tile_rows = rows;
    const Count found = counted(pattern, options, tokens, true);
    check_predicted(found);
    CHECK(found.conflicts_per_request() < 0.05);
  }
}

// What rows to come read stays in shared memory, as far as the launch was planned for.
TEST_CASE("lattices on tensor cores ask for every row once") {
  for (const char* pattern : {"log_cached", "fibonacci_cached", "sqrt_cached"}) {
    INFO(pattern);
    GenerateOptions options = staged(1024, WeightKind::kSoftmax, ElementType::kBF16);
    options.schedule = "tensor";
    const Count found = counted(pattern, options, 1024, true);
    check_predicted(found);
    CHECK(found.of_the_floor() <= 1.001);
  }
}

// A column for each term of the last row that is not kept, whole windows of them, once for each
// chunk.
TEST_CASE("lattices on tensor cores ask for what the cost model says") {
  for (const auto& [pattern, tokens, head_dim] :
       {std::tuple{"log_cached", 1000, 64}, std::tuple{"log_cached", 256, 128},
        std::tuple{"sqrt_cached", 500, 64}}) {
    GenerateOptions options = staged(tokens, WeightKind::kSoftmax, ElementType::kBF16);
    options.schedule = "tensor";
    options.head_dim = head_dim;
    INFO(pattern << " with " << head_dim << " channels");
    const Count found = counted(pattern, options, tokens, true);
    check_predicted(found);
    CHECK(found.conflicts_per_request() < 0.05);
  }
}

// Each window of keys and earlier outputs once for each chunk; of all inputs, theirs besides.
TEST_CASE("dense feedback on tensor cores asks for what the cost model says") {
  for (const char* pattern : {"dense_recurrence", "chacal"}) {
    for (const auto& [dtype, head_dim, tokens, rows] :
         {std::tuple{ElementType::kBF16, 64, 256, 64}, std::tuple{ElementType::kBF16, 64, 290, 128},
          std::tuple{ElementType::kF16, 64, 300, 256},
          std::tuple{ElementType::kF16, 128, 150, 128}}) {
      INFO(pattern << ", " << name_of(dtype) << ", " << head_dim << ", " << tokens << ", " << rows);
      GenerateOptions options = staged(tokens, WeightKind::kSoftmax, dtype);
      options.schedule = "tensor";
      options.head_dim = head_dim;
      options.tile_rows = rows;
      const Count found = counted(pattern, options, tokens, true);
      check_predicted(found);
      CHECK(found.conflicts_per_request() < 0.05);
      CHECK(found.of_the_sectors() > 0.99);
    }
  }
}

// Shapes of every kind: units of the state for some warps only, channels that pairs of warps share,
// and states wider and narrower than a head.
TEST_CASE("linear prefill on tensor cores is verified") {
  struct Case {
    int head_dim, state_dim;
    ElementType dtype;
  };
  for (const Case& one : {Case{16, 16, ElementType::kF16}, Case{48, 32, ElementType::kBF16},
                          Case{64, 112, ElementType::kBF16}}) {
    INFO(one.head_dim << " channels, " << one.state_dim << " rows, " << name_of(one.dtype));
    GenerateOptions options = staged(1024, WeightKind::kLinear, one.dtype);
    options.schedule = "tensor";
    options.head_dim = one.head_dim;
    options.state_dim = one.state_dim;
    const Result<Pattern> pattern = builtin("linear_attention");
    REQUIRE(pattern);
    const Result<Artifact> artifact = generate(*pattern, options);
    if (!artifact) FAIL(artifact.error().message);
    CHECK(artifact->manifest.kernels.front().schedule == "tensor");
    VerifyOptions how;
    how.sizes = {1, 63, 150};
    MaterializeResult rows = materialize(*pattern, 300);
    check_verified(verify(artifact->manifest, artifact->files, std::get<Rows>(rows), how));
  }
}

// Little shared memory and short lists: rings are short, live rows are missing, tiles are many and
// entries lie beyond the list, from the first token on and after an initial state.
TEST_CASE("staged kernels are verified where shared memory runs out") {
  struct Case {
    const char* pattern;
    WeightKind weights;
    ElementType dtype;
    std::int64_t shared;
    int head_dim = 16;
  };
  for (const Case& one :
       {Case{"log_recurrence", WeightKind::kSoftmax, ElementType::kBF16, 11000},
        Case{"log_recurrence", WeightKind::kSoftmax, ElementType::kBF16, 28000, 64},
        Case{"fibonacci_cached", WeightKind::kSoftmax, ElementType::kF32, 28000, 32},
        Case{"sqrt_cached", WeightKind::kSoftmax, ElementType::kF32, 15000},
        Case{"sqrt_recurrence", WeightKind::kSoftmax, ElementType::kF16, 16000},
        Case{"sqrt_recurrence", WeightKind::kGiven, ElementType::kF32, 16000},
        Case{"log_attention", WeightKind::kGiven, ElementType::kF32, 6000},
        Case{"chacal", WeightKind::kSoftmax, ElementType::kF32, 27000}}) {
    INFO(one.pattern << ", " << name_of(one.weights) << ", " << name_of(one.dtype));
    GenerateOptions options = staged(1024, one.weights, one.dtype);
    options.head_dim = one.head_dim;
    options.shared_limit = one.shared;
    const Result<Pattern> pattern = builtin(one.pattern);
    REQUIRE(pattern);
    options.exact_to = pattern->name().find("_cached") != std::string::npos ? 512 : 64;
    const Result<Artifact> artifact = generate(*pattern, options);
    if (!artifact) FAIL(artifact.error().message);
    CHECK(artifact->manifest.kernels.front().schedule == "staged");
    VerifyOptions how;
    how.sizes = {1, 2, 63, 100, 300};
    MaterializeResult rows = materialize(*pattern, 400);
    const VerifyReport report =
        verify(artifact->manifest, artifact->files, std::get<Rows>(rows), how);
    check_verified(report);
  }
}

TEST_CASE("the simple schedule asks for rows again and again") {
  GenerateOptions options = staged(256, WeightKind::kSoftmax, ElementType::kF32);
  options.schedule = "simple";
  const Result<Pattern> pattern = builtin("log_recurrence");
  REQUIRE(pattern);
  const Result<Count> found = count(*pattern, options, 256, false);
  REQUIRE(found);
  CHECK(found->of_the_floor() > 3);
}

}  // namespace
}  // namespace heddle::counting
