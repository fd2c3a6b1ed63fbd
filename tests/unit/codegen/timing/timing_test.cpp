// SPDX-License-Identifier: Apache-2.0
// Cycles of kernels that are short enough to be counted on paper, with the figures of machine.hpp.
#include <algorithm>
#include <functional>

#include "codegen/timing/estimate.hpp"
#include "codegen/timing/machine.hpp"
#include "codegen/timing/run_block.hpp"
#include "tests/catch.hpp"
#include "tests/unit/codegen/kernel_harness.hpp"

namespace heddle::test {
namespace {

using timing::BlockCycles;

std::string repeated(int times, const std::string& text) {
  std::string all;
  for (int time = 0; time < times; ++time) all += text;
  return all;
}

// Line 5 is the first of the body.
Result<BlockCycles> run(const std::string& body, int threads = 32, std::int64_t tokens = 8,
                        const std::string& prelude = "staging_prelude.cuh") {
  KernelEntry entry;
  entry.shared_rows = {{"key_rows", 64, 2, 64}};
  entry.symbol = "kernel";
  entry.file = "kernel.cu";
  entry.threads = threads;
  entry.alignment = 16;
  entry.arguments = {
      {"x", ArgumentKind::kBuffer, ElementType::kF32, Access::kRead, {"1024"}},
      {"y", ArgumentKind::kBuffer, ElementType::kF32, Access::kWrite, {"1024"}},
      {"tokens", ArgumentKind::kSize, ElementType::kI32, Access::kRead, {}},
      {"scale", ArgumentKind::kScalar, ElementType::kF32, Access::kRead, {}},
  };
  const std::string text =
      "#include \"" + prelude +
      "\"\n"
      "using namespace heddle;\n"
      "extern \"C\" __global__ void __launch_bounds__(" +
      std::to_string(threads) +
      ") kernel(const float* __restrict__ x, float* __restrict__ y, int tokens_arg, float scale) "
      "{\nconst Index tokens = tokens_arg; const Index thread = threadIdx.x;\n" +
      body + "}\n";
  const Result<verify::Lifted> lifted = verify::lift(text, entry);
  INFO((lifted ? "" : lifted.error().message));
  REQUIRE(lifted.ok());
  timing::BlockLaunch launch;
  launch.sizes = {{"tokens", tokens}};
  launch.lengths = {{"x", 1024}, {"y", 1024}};
  launch.work = 1'000'000;
  launch.dynamic_bytes = 64 * 72 * 2;
  return timing::run_block(*lifted, launch);
}
BlockCycles cycles(const std::string& body, int threads = 32, std::int64_t tokens = 8,
                   const std::string& prelude = "staging_prelude.cuh") {
  const Result<BlockCycles> result = run(body, threads, tokens, prelude);
  INFO((result ? "" : result.error().message));
  REQUIRE(result.ok());
  return *result;
}

// Sixty-four rows of bf16 in shared memory, 72 elements apart, and sums of products.
BlockCycles on_tensor_cores(const std::string& calls, int threads = 32) {
  return cycles(
      "extern __shared__ __align__(16) bf16 staged[];\nfloat sums[8];\nfloat parts[2];\n" + calls +
          "y[thread] = sums[0];\n",
      threads, 8, "softmax_prelude.cuh");
}

const std::string kStep = "sum = sum * scale + 1.0f;\n";

}  // namespace

TEST_CASE("a chain of multiply-adds takes the latency of each") {
  const BlockCycles found =
      cycles("float sum = scale;\n" + repeated(10, kStep) + "y[thread] = sum;\n");
  REQUIRE(found.phases.size() == 1);
  // Ten times four, and the store. Its address is two instructions.
  CHECK(found.phases[0].chain == 41);
  CHECK(found.phases[0].issue == 10 + 2 + 1);
  CHECK(found.phases[0].requests == 1);
  CHECK(found.cycles == 41 + timing::kBarrier);
}

TEST_CASE("what was computed before on the same numbers costs nothing") {
  const BlockCycles once = cycles("const float a = scale * scale;\ny[thread] = a * scale;\n");
  const BlockCycles twice = cycles(
      "const float a = scale * scale;\nconst float b = scale * scale;\n"
      "y[thread] = a * scale;\ny[thread + 32] = b * scale;\n");
  CHECK(once.phases[0].issue == 2 + 2 + 1);
  CHECK(twice.phases[0].issue == once.phases[0].issue + 1);  // the other store
}

TEST_CASE("a reduction is five exchanges and additions") {
  const BlockCycles found = cycles("const float all = warp_sum(scale);\ny[thread] = all;\n");
  CHECK(found.phases[0].chain == 5 * (23 + 4) + 1);
  CHECK(found.phases[0].issue == 10 + 2 + 1);
  CHECK(found.phases[0].requests == 5 + 1);
}

TEST_CASE("a group of eight lanes exchanges three times") {
  const BlockCycles found = cycles("const float all = group_sum<8>(scale);\ny[thread] = all;\n");
  CHECK(found.phases[0].chain == 3 * (23 + 4) + 1);
  CHECK(found.phases[0].issue == 6 + 2 + 1);
  CHECK(found.phases[0].requests == 3 + 1);
  CHECK_FALSE(
      run("if (thread < 4) {\nconst float all = group_sum<8>(scale);\ny[thread] = all;\n}\n").ok());
}

TEST_CASE("a vector is one request") {
  const BlockCycles found = cycles(
      "float own[4];\nload_elements<4>(own, x + thread * 4);\n"
      "y[thread] = own[0] + own[1] + (own[2] + own[3]);\n");
  // The place and its address; two sums side by side, one of both, and the store.
  CHECK(found.phases[0].chain == 7 + 7 + timing::kMemory + 1 + 4 + 4 + 1);
  CHECK(found.phases[0].issue == 2 + 2 + 1 + 3 + 2 + 1);
  CHECK(found.phases[0].requests == 4 + 1);
}

TEST_CASE("warps of one scheduler share its slots") {
  const std::string four =
      "float a = scale;\nfloat b = scale * 2.0f;\nfloat c = scale * 3.0f;\nfloat d = scale * "
      "4.0f;\n" +
      repeated(10,
               "a = a * scale + 1.0f;\nb = b * scale + 1.0f;\nc = c * scale + 1.0f;\n"
               "d = d * scale + 1.0f;\n") +
      "y[thread] = a + b + (c + d);\n";
  const std::int64_t slots = 3 + 40 + 3 + 2 + 1;
  const BlockCycles apart = cycles(four, 128);
  CHECK(apart.phases[0].issue == slots);
  CHECK(apart.phases[0].chain > slots);
  CHECK(apart.cycles == apart.phases[0].chain + timing::kBarrier);
  const BlockCycles together = cycles(four, 160);
  CHECK(together.phases[0].issue == 2 * slots);
  CHECK(together.phases[0].chain == apart.phases[0].chain);
  CHECK(together.cycles == 2 * slots + timing::kBarrier);
}

TEST_CASE("a barrier ends a phase for all warps") {
  const BlockCycles found = cycles(
      "__shared__ float shared[64];\n"
      "shared[thread] = scale;\n"
      "__syncthreads();\n"
      "y[thread] = shared[63 - thread];\n",
      64);
  REQUIRE(found.phases.size() == 2);
  CHECK(found.phases[0].from_line == 0);
  CHECK(found.phases[1].from_line == 7);
  CHECK(found.phases[0].chain == 5 + 1);           // a place, and the store
  CHECK(found.phases[1].chain == 5 + 5 + 29 + 1);  // 63 - thread, its place, the load, the store
  CHECK(found.phases[0].requests == 2);
  CHECK(found.phases[1].requests == 2 + 2);
  CHECK(found.cycles == 6 + 40 + 2 * timing::kBarrier);
}

TEST_CASE("lanes that meet in a bank ask one after the other") {
  const BlockCycles found = cycles(
      "__shared__ float shared[1024];\nshared[thread * 32] = scale;\n__syncthreads();\n"
      "y[thread] = shared[thread];\n");
  CHECK(found.phases[0].requests == 32);
  CHECK(found.phases[0].cycles == 32 + timing::kBarrier);
  CHECK(found.phases[1].requests == 1 + 1);
}

TEST_CASE("a loop that does not branch is taken several iterations at a time") {
  const std::string loop = "float sum = scale;\nfor (Index c = 0; c < tokens; ++c) {\n" + kStep +
                           "}\ny[thread] = sum;\n";
  const auto chain = [&](std::int64_t tokens) { return cycles(loop, 32, tokens).phases[0].chain; };
  // First a comparison (9) and a branch (13), in the end an address (7) and the store. Of eight
  // iterations, in one stretch: the counter goes on (7) in the slot behind the first multiply-add,
  // is compared (9) in the one behind the third, and the loop branches (13). Of sixteen the
  // multiply-adds take longer. Of one there is none in the comparison's way.
  const std::int64_t around = 9 + 13 + 7 + 1, eight = 1 + 7 + 1 + 9 + 13, sixteen = 15 * 4 + 1;
  const std::int64_t one = 1 + 7 + 9 + 13;
  CHECK(chain(8) == around + eight);
  CHECK(chain(16) == around + sixteen);
  // Behind sixteen the first of eight waits for the last sum, and the counter does not.
  const std::int64_t behind = 3 + 7 * 4 + 1;
  CHECK(chain(24) == around + sixteen + behind);
  CHECK(chain(26) == around + 2 * one + sixteen + behind);
  const std::string branches = "float sum = scale;\nfor (Index c = 0; c < tokens; ++c) {\n" +
                               kStep + "if (sum > scale) {\n" + repeated(20, kStep) +
                               "}\n}\ny[thread] = sum;\n";
  CHECK(cycles(branches, 32, 16).phases[0].chain > cycles(branches).phases[0].chain + 8 * one);
}

TEST_CASE("both ways of a branch cost where lanes part") {
  const auto branch = [](const std::string& condition) {
    return "float sum = scale;\nif (" + condition + ") {\n" + repeated(20, kStep) + "} else {\n" +
           repeated(20, "sum = sum * scale + 2.0f;\n") + "}\ny[thread] = sum;\n";
  };
  const std::int64_t together = cycles(branch("thread < tokens"), 32, 32).phases[0].chain;
  const std::int64_t apart = cycles(branch("thread < tokens"), 32, 16).phases[0].chain;
  // The other way begins where the register is free again.
  CHECK(apart == together + 20 * 4);
}

TEST_CASE("a copy is awaited as long as memory takes") {
  const BlockCycles found = cycles(
      "__shared__ __align__(16) float shared[128];\n"
      "start_copy<4>(shared + thread * 4, x + thread * 4);\n"
      "close_batch();\nawait_batches<0>();\n__syncthreads();\n"
      "y[thread] = shared[thread * 2];\n");
  // thread * 4, and its address, before it is started.
  CHECK(found.phases[0].chain >= 5 + 7 + timing::kMemory);
  CHECK(found.phases[0].chain <= 5 + 7 + timing::kMemory + 3);
  CHECK(found.phases[0].requests == 4 + 4);
}

TEST_CASE("memory is nearer the second time") {
  const auto loads = [](const std::string& between) {
    return cycles("__shared__ float shared[32];\nshared[thread] = x[thread];\n" + between +
                  "y[thread] = x[thread];\n");
  };
  CHECK(loads("__syncthreads();\n").phases[1].chain == timing::kSecondCache + 1);
  const BlockCycles near = loads("");
  CHECK(near.phases[0].chain < timing::kMemory + 20);
  CHECK(near.phases[0].chain > timing::kMemory);
}

TEST_CASE("what no launch may do has no estimate") {
  CHECK_FALSE(run("y[thread] = x[thread + 1000];\n").ok());
  CHECK_FALSE(run("y[thread + 1000] = scale;\n").ok());
  CHECK_FALSE(run("float own[4];\nown[thread] = scale;\n").ok());
  CHECK_FALSE(run("if (thread < 16) {\n__syncthreads();\n}\n").ok());
  CHECK_FALSE(run("Index f = 1;\nwhile (f > 0) {\nf = f % 2 + 1;\n}\n").ok());
}

TEST_CASE("an operation has an estimate of each of its launches") {
  GenerateOptions options;
  options.ops = {"prefill", "decode", "backward"};
  options.target = ir::Target::kCuda;
  options.weights = WeightKind::kGiven;
  options.dtype = ElementType::kF32;
  options.head_dim = 64;
  options.exact_to = 256;
  options.schedule = "auto";
  const Result<Artifact> artifact = generate(builtin("log_recurrence"), options);
  REQUIRE(artifact.ok());
  for (const KernelEntry& entry : artifact->manifest.kernels) {
    const auto found = timing::estimate(artifact->files, artifact->manifest, entry, {256, 8, 16});
    INFO(entry.op << ": " << (found ? "" : found.error().message));
    REQUIRE(found.ok());
    CHECK(found->size() == launches_of(entry).size());
    for (const timing::LaunchEstimate& launch : *found) {
      CHECK(launch.blocks % (8 * 16) == 0);
      CHECK(launch.cycles.cycles > 0);
      CHECK(launch.cycles.cycles_of_all >= launch.cycles.cycles);
      std::int64_t sum = 0;
      for (const timing::PhaseCycles& phase : launch.cycles.phases) sum += phase.cycles;
      CHECK(sum == launch.cycles.cycles);
    }
  }
  const auto kernel_of = [&](const std::string& op) -> const KernelEntry& {
    const auto found =
        std::find_if(artifact->manifest.kernels.begin(), artifact->manifest.kernels.end(),
                     [&](const KernelEntry& each) { return each.op == op; });
    REQUIRE(found != artifact->manifest.kernels.end());
    return *found;
  };
  // With many registers a multiprocessor has room for fewer blocks.
  const KernelEntry& backward = kernel_of("backward");
  REQUIRE(backward.steps.size() > 1);
  const std::string rows = backward.steps.back().symbol;
  for (const auto& [registers, blocks] : {std::pair{0, 4}, std::pair{64, 2}, std::pair{128, 1}}) {
    const timing::Occasion occasion{512, 8, 16, {{rows, registers}}};
    const auto found = timing::estimate(artifact->files, artifact->manifest, backward, occasion);
    REQUIRE(found.ok());
    CHECK(found->back().symbol == rows);
    CHECK(found->back().side_by_side == blocks);
    CHECK(found->back().registers == registers);
  }
  // What is longer takes longer, and more than twice as long, since its rows read more.
  const KernelEntry& prefill = kernel_of("prefill");
  const auto of = [&](std::int64_t tokens) {
    const auto found =
        timing::estimate(artifact->files, artifact->manifest, prefill, {tokens, 8, 16});
    REQUIRE(found.ok());
    return found->front().cycles.cycles;
  };
  CHECK(of(256) > 2 * of(128));
}

TEST_CASE("products wait for their sums, and for the tensor core") {
  const auto deep = [](int depth, int tiles, int threads) {
    return on_tensor_cores("multiply_rows_by_rows<" + std::to_string(tiles) + ", " +
                               std::to_string(depth) + ">(sums, staged, 72, staged + 1152, 72);\n",
                           threads)
        .phases[0];
  };
  const timing::PhaseCycles one = deep(16, 2, 32), four = deep(64, 2, 32);
  // Sixteen columns more are two loads of sixteen bytes a lane, four wavefronts each, and a product
  // for each tile, which waits for the one before it. Both tiles have a tensor core to themselves
  // for long enough.
  CHECK(four.chain == one.chain + 3 * timing::kProduct.latency);
  CHECK(four.issue == one.issue + 3 * (2 + 2));
  CHECK(four.requests == one.requests + 3 * 8);
  CHECK(one.products == 2 * timing::kProductTurn);
  CHECK(four.products == 8 * timing::kProductTurn);
  // The first tile is stored; the other one has a turn behind it.
  CHECK(one.chain >= timing::kShared + 3 + timing::kProduct.latency + 1);
  CHECK(deep(16, 1, 32).products == timing::kProductTurn);
  // Warp 4 is on the scheduler of warp 0, and has its tensor core.
  CHECK(deep(64, 2, 128).products == four.products);
  CHECK(deep(64, 2, 160).products == 2 * four.products);
}

TEST_CASE("a tensor core takes one product after the other") {
  const std::string product = "multiply_sums_by_columns<2>(sums, sums, staged, 72);\n";
  const timing::PhaseCycles once = on_tensor_cores(product).phases[0];
  const timing::PhaseCycles twice = on_tensor_cores(product + product).phases[0];
  // Eight sums are narrowed two by two once those before are there: the second tile's a turn late,
  // and the second pair of these a slot later.
  CHECK(twice.chain == once.chain + timing::kProductTurn + 1 + timing::kNarrowPair.latency +
                           timing::kProduct.latency);
  CHECK(twice.issue == once.issue + 4 + 1 + 2);
  CHECK(twice.products == 4 * timing::kProductTurn);
}

TEST_CASE("what softmax does with sums costs what it computes") {
  const timing::PhaseCycles none = on_tensor_cores("").phases[0];
  const auto more = [&](const std::string& call) {
    const timing::PhaseCycles found = on_tensor_cores(call).phases[0];
    return std::pair{found.chain - none.chain, found.issue - none.issue};
  };
  // Every score: a multiply-add, a power and the sum.
  CHECK(more("weigh_scores<2>(sums, parts, parts);\n").second == (2 + 8) * 3);
  CHECK(more("sum_rows<2>(parts);\n").second == 2 * 4);
  // The highest of eight, of two rows: by four lanes, and a power; then sums shrink.
  CHECK(more("raise_highest<2, 2>(sums, parts, parts, sums);\n").second == 8 + 2 * (4 + 2 + 1) + 8);
  CHECK(on_tensor_cores("store_sums<2>(staged, 72, sums);\n").phases[0].requests >
        none.requests + 3);
}

TEST_CASE("what tensor cores take is estimated") {
  for (const auto& [pattern, weights] : {std::pair{"attention", WeightKind::kSoftmax},
                                         std::pair{"local_attention", WeightKind::kSoftmax},
                                         std::pair{"dense_recurrence", WeightKind::kSoftmax},
                                         std::pair{"log_recurrence", WeightKind::kSoftmax},
                                         std::pair{"linear_attention", WeightKind::kLinear}}) {
    GenerateOptions options;
    options.ops = {"prefill"};
    options.target = ir::Target::kCuda;
    options.weights = weights;
    options.dtype = ElementType::kBF16;
    options.head_dim = 64;
    options.state_dim = 64;
    options.schedule = "tensor";
    options.exact_to = 256;
    const Result<Artifact> artifact = generate(builtin(pattern), options);
    REQUIRE(artifact.ok());
    const auto found = timing::estimate(artifact->files, artifact->manifest,
                                        artifact->manifest.kernels.front(), {256, 8, 16});
    INFO(pattern << ": " << (found ? "" : found.error().message));
    REQUIRE(found.ok());
    std::int64_t products = 0;
    for (const timing::PhaseCycles& phase : found->front().cycles.phases) {
      products += phase.products;
      CHECK(phase.cycles >= phase.products);
    }
    CHECK(products > 0);
  }
}

}  // namespace heddle::test
