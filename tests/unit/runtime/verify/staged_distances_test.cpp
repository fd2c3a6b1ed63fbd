// SPDX-License-Identifier: Apache-2.0
// Staged prefill, and lambda of backward, whose tiles go distance by distance. What the generator
// writes is verified, with either weights and from a state on; a text that takes another position,
// weighs it otherwise, or goes on before the block has met, is not.
#include <algorithm>

#include "patterns/ast_print.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/reject_edits.hpp"

namespace heddle {
namespace {

constexpr std::int64_t kRows = 300;

VerifyOptions quick() {
  VerifyOptions options;
  options.sizes = {1, 33, 290};
  options.work_budget = 24'000'000;
  options.algebraic_budget = 8'000'000;
  return options;
}

// Room for tiles of 128 rows, so that launches have several: of keys, values, sums where these are
// no reals, and weights, with what keeps lanes' banks apart.
std::int64_t room(WeightKind weights, std::int64_t element, std::int64_t head_dim,
                  bool transposed) {
  const std::int64_t row = element * head_dim, reals = 4 * head_dim;
  const bool softmax = weights == WeightKind::kSoftmax;
  if (transposed) return 128 * ((softmax ? row : 0) + reals + 80);
  // Of four lanes a row, half a turn of the banks apart.
  const std::int64_t value = softmax && element == 2 ? row * 3 / 2 : row;
  return 128 * ((softmax ? 2 : 1) * value + (element == 2 ? reals : 0) + 80);
}

Artifact generated(WeightKind weights, ElementType dtype = ElementType::kF32, bool varlen = false,
                   int head_dim = 64) {
  GenerateOptions options;
  options.ops = {"prefill"};
  options.target = ir::Target::kCuda;
  options.dtype = dtype;
  options.exact_to = kRows;
  options.weights = weights;
  options.schedule = "staged";
  options.varlen = varlen;
  options.head_dim = head_dim;
  options.shared_limit =
      room(weights, static_cast<std::int64_t>(size_of(dtype)), head_dim, /*transposed=*/false);
  Result<Artifact> artifact = generate(test::builtin("sqrt_recurrence"), options);
  INFO((artifact ? "" : artifact.error().message));
  REQUIRE(artifact.ok());
  return *std::move(artifact);
}

// Lambda's tiles have so many rows as well.
Artifact generated_backward(WeightKind weights, ElementType dtype, bool varlen = false,
                            bool states = false) {
  GenerateOptions options;
  options.ops = {"backward"};
  options.target = ir::Target::kCuda;
  options.dtype = dtype;
  options.exact_to = kRows;
  options.weights = weights;
  options.varlen = varlen;
  options.state_gradients = states;
  options.schedule = "auto";
  options.shared_limit =
      room(weights, static_cast<std::int64_t>(size_of(dtype)), options.head_dim, true);
  Result<Artifact> artifact = generate(test::builtin("sqrt_recurrence"), options);
  INFO((artifact ? "" : artifact.error().message));
  REQUIRE(artifact.ok());
  const std::vector<KernelEntry>& steps = artifact->manifest.kernels[0].steps;
  const auto lambda = std::find_if(steps.begin(), steps.end(), [](const KernelEntry& step) {
    return step.symbol == "sqrt_recurrence_backward_lambda";
  });
  REQUIRE(lambda != steps.end());
  REQUIRE(lambda->shared_rows.back().size == "tile_rows");
  CHECK(lambda->shared_rows.back().most == 128);
  return *std::move(artifact);
}

void reject_lambda(WeightKind weights, ElementType dtype, const std::vector<test::TextEdit>& edits,
                   bool of_values) {
  const Artifact artifact = generated_backward(weights, dtype);
  const Rows rows = test::builtin_rows("sqrt_recurrence", kRows);
  const std::string file = "sqrt_recurrence_backward_lambda.cu";
  test::reject_edits(artifact, file, rows, quick(), Layer::kEmulated, edits);
  if (of_values) test::reject_edits(artifact, file, rows, quick(), Layer::kAlgebraic, edits);
}

void reject(WeightKind weights, const std::vector<test::TextEdit>& edits, bool of_values,
            ElementType dtype = ElementType::kF32) {
  const Artifact artifact = generated(weights, dtype);
  const Rows rows = test::builtin_rows("sqrt_recurrence", kRows);
  test::reject_edits(artifact, rows, quick(), Layer::kEmulated, edits);
  if (of_values) test::reject_edits(artifact, rows, quick(), Layer::kAlgebraic, edits);
}

}  // namespace

TEST_CASE("tiles that go distance by distance are verified") {
  struct Kind {
    WeightKind weights;
    ElementType dtype;
    bool varlen;
    int head_dim;
  };
  for (const Kind& kind : {Kind{WeightKind::kSoftmax, ElementType::kF32, true, 64},
                           Kind{WeightKind::kSoftmax, ElementType::kBF16, false, 64},
                           Kind{WeightKind::kGiven, ElementType::kF32, false, 96},
                           Kind{WeightKind::kGiven, ElementType::kF16, true, 128}}) {
    const Artifact artifact = generated(kind.weights, kind.dtype, kind.varlen, kind.head_dim);
    const std::vector<SharedRows>& shared = artifact.manifest.kernels[0].shared_rows;
    REQUIRE(shared.back().size == "tile_rows");
    CHECK(shared.back().most == shared.back().multiple);
    CHECK(shared.back().most == 128);
    const VerifyReport report = verify(artifact.manifest, artifact.files,
                                       test::builtin_rows("sqrt_recurrence", kRows), quick());
    INFO(name_of(kind.weights) << ", " << name_of(kind.dtype) << ": " << test::explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

TEST_CASE("a tile that finds another position at a distance is rejected") {
  reject(
      WeightKind::kGiven,
      {{"minimum(reached, found", "minimum(reached - 1, found"},
       {"before + 1 - (tile > 0 ? 128 : 0)", "before - (tile > 0 ? 128 : 0)"},
       {"reached = minimum(reached, from)", "reached = from - 1"},
       {"place = base + (p_2 - found)", "place = base + (p_2 - from)"},
       {"(found + origin) % 128", "(found + origin + 1) % 128"},
       {"origin = 256 - (start + 1) % 128", "origin = 256 - start % 128"},
       {"Index slot = place - (place < 128 ? 0", "Index slot = place - (place < 127 ? 0"},
       {"(tile + r)) * heads + head) * width_b + entry", "(tile + r)) * heads + head) * width_b"},
       {"distances[3] = 10", "distances[3] = 11"},
       {"is_solved_2 ? (r - 2)", "is_solved_2 ? (r - 1)"},
       {"shown < 5 && 5 <= r", "shown <= 5 && 5 <= r"},
       {"at_2 < 12", "at_2 < 11"},
       {"weight = distance <= r &&", "weight = distance < r &&"},
       {"own_weight * input[part]", "0.5f * input[part]"},
       {"if (r >= 5)", "if (r >= 6)"},
       {"solved[r] = reals[(chunk + r)", "solved[r] = reals[(0 + r)"},
       {"token_stride + d, reals + row * 64 + d)", "token_stride + d, reals + d)"}},
      true);
}

// Of narrow elements a lane has two vectors of reals, in an order of its own.
TEST_CASE("a tile whose lanes mistake their halves is rejected") {
  reject(WeightKind::kSoftmax,
         {{"turned == 0 ? sum[0] : sum[4]", "turned == 1 ? sum[0] : sum[4]"},
          {"turned == 0 ? sum[7] : sum[3]", "sum[7]"},
          {"lane_of_row * 8 + turned * 4, written", "lane_of_row * 8, written"},
          {"(1 - turned) * 4, written", "turned * 4, written"},
          {"lane_of_row * 8 + turned * 4);", "lane_of_row * 8);"},
          {"turned == 0 ? read_2[3] : read_2[7]", "read_2[3]"}},
         true, ElementType::kBF16);
}

TEST_CASE("a tile that weighs what it finds otherwise is rejected") {
  reject(WeightKind::kSoftmax,
         {{"held = r < distance && distance - before <= r",
           "held = r <= distance && distance - before <= r"},
          {"held = r < distance && distance - before <= r",
           "held = r < distance && distance - before < r"},
          {"total[turn] * shrink + weight", "total[turn] + weight"},
          {"mixed[turn * 8 + part] * shrink", "mixed[turn * 8 + part]"},
          {"total_of_all = total[turn] * shrink", "total_of_all = total[turn]"},
          {"share = shrink * inverse", "share = shrink"},
          {"own_share = own_weight * inverse", "own_share = own_weight"},
          {"+ warp_sum<8>(total_of_lane)", "+ total_of_lane"},
          {"row_weights[1] * inverse", "row_weights[1]"},
          {"held = distance <= r && r < size", "held = distance < r && r < size"},
          {"slot = held ? r - distance : r", "slot = r"}},
         true);
}

TEST_CASE("a tile whose threads do not wait for each other is rejected") {
  reject(
      WeightKind::kSoftmax,
      {{"      __syncthreads();\n      const Index from", "      const Index from"},
       {"await_batches<0>();\n      __syncthreads();\n      #pragma",
        "await_batches<0>();\n      #pragma"},
       {"    __syncthreads();\n    for (Index piece = thread; piece < size * 16; piece += 512) {\n"
        "      const Index row = piece / 16;\n      const Index d = piece % 16 * 4;\n"
        "      start_copy",
        "    for (Index piece = thread; piece < size * 16; piece += 512) {\n"
        "      const Index row = piece / 16;\n      const Index d = piece % 16 * 4;\n"
        "      start_copy"},
       {"    await_batches<0>();\n    __syncthreads();\n    float above",
        "    await_batches<0>();\n    float above"},
       {"      __syncthreads();\n      // one thread", "      // one thread"},
       {"= solved[r];\n        }\n      }\n      __syncthreads();\n",
        "= solved[r];\n        }\n      }\n"}},
      false);
}

TEST_CASE("lambda's tiles that go distance by distance are verified") {
  struct Kind {
    WeightKind weights;
    ElementType dtype;
    bool varlen, states;
  };
  for (const Kind& kind : {Kind{WeightKind::kSoftmax, ElementType::kF32, true, true},
                           Kind{WeightKind::kSoftmax, ElementType::kBF16, false, false},
                           Kind{WeightKind::kGiven, ElementType::kF32, false, true},
                           Kind{WeightKind::kGiven, ElementType::kF16, true, false}}) {
    const Artifact artifact =
        generated_backward(kind.weights, kind.dtype, kind.varlen, kind.states);
    const VerifyReport report = verify(artifact.manifest, artifact.files,
                                       test::builtin_rows("sqrt_recurrence", kRows), quick());
    INFO(name_of(kind.weights) << ", " << name_of(kind.dtype) << ": " << test::explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

TEST_CASE("lambda's tile that finds another row at a distance is rejected") {
  reject_lambda(
      WeightKind::kGiven, ElementType::kBF16,
      {{"place = base + (p_2 - found)", "place = base + (p_2 - from)"},
       {"(tile + r - distance)", "(tile + r)"},
       {"token - distance_2", "token - distance"},
       {"* width_b + entry", "* width_b"},
       {"is_solved_2 ? (r - 2)", "is_solved_2 ? (r - 1)"},
       {"due[part] = 0.0f;\n      }\n      #pragma unroll\n      for (Index part = 0; part < 4; "
        "++part) {\n        due[4 + part] = 0.0f;\n      }\n      if (r < size)",
        "due[part] = 0.0f;\n      }\n      #pragma unroll\n      for (Index part = 0; part < 4; "
        "++part) {\n        due[4 + part] = 0.0f;\n      }\n      if (r < size - 1)"},
       {"load_elements<4>(due + 4, dy", "load_elements<4>(due, dy"}},
      true);
  // Only long launches come to rows that the tile before has not left.
  reject_lambda(WeightKind::kGiven, ElementType::kBF16,
                {{"minimum(reached, found", "minimum(reached - 1, found"}}, false);
}

TEST_CASE("lambda's tile that weighs what it finds otherwise is rejected") {
  reject_lambda(WeightKind::kSoftmax, ElementType::kBF16,
                {{"held = r < distance && distance - before <= r",
                  "held = r <= distance && distance - before <= r"},
                 {"* inverse_of[slot]", "* inverse_of[0]"},
                 {"score - highest_of[slot]", "score - highest_of[0]"},
                 {"place = base + (from + row - found)", "place = base + (from + row - found + 1)"},
                 {"(from + row - 1)", "(from + row)"},
                 {"(tile + 1 + row - 1)", "(tile + 1 + row)"}},
                true);
  reject_lambda(WeightKind::kSoftmax, ElementType::kBF16,
                {{"      __syncthreads();\n      const Index from", "      const Index from"},
                 {"await_batches<0>();\n      __syncthreads();\n      #pragma",
                  "await_batches<0>();\n      #pragma"},
                 {"await_batches<0>();\n    __syncthreads();\n    for (Index at",
                  "await_batches<0>();\n    for (Index at"}},
                false);
}

}  // namespace heddle
