// SPDX-License-Identifier: Apache-2.0
// Reading kernels back: printing what was read gives the text again, for every built-in pattern;
// what is no kernel of heddle is refused with its place.
#include "codegen/verify/lift.hpp"

#include "codegen/ir/print.hpp"
#include "codegen/ir/validate.hpp"
#include "patterns/builtin_patterns.hpp"
#include "tests/catch.hpp"
#include "tests/unit/codegen/kernel_harness.hpp"

namespace heddle::test {
namespace {

GenerateOptions cuda(WeightKind weights, ElementType dtype, int head_dim) {
  GenerateOptions options;
  options.target = ir::Target::kCuda;
  options.weights = weights;
  options.dtype = dtype;
  options.head_dim = head_dim;
  options.exact_to = 64;
  if (weights == WeightKind::kLinear) options.state_dim = 16;
  return options;
}

// Without the file's head, which the reader checks and does not keep.
std::string from_kernel(const std::string& text) { return text.substr(text.find("extern \"C\"")); }

std::string with(std::string text, const std::string& old, const std::string& fresh) {
  const std::size_t at = text.find(old);
  REQUIRE(at != std::string::npos);
  return text.replace(at, old.size(), fresh);
}

}  // namespace

TEST_CASE("every generated kernel reads back to itself") {
  int kernels = 0;
  for (const BuiltinPattern& each : builtin_patterns()) {
    const Pattern pattern = builtin(std::string(each.name));
    for (const WeightKind weights :
         {WeightKind::kSoftmax, WeightKind::kGiven, WeightKind::kGated, WeightKind::kLinear}) {
      for (const auto& [dtype, head_dim] :
           {std::pair{ElementType::kF32, 64}, std::pair{ElementType::kBF16, 40}}) {
        const Result<Artifact> artifact = generate(pattern, cuda(weights, dtype, head_dim));
        if (!artifact) continue;  // linear weights for first-order patterns only
        for (const KernelEntry& entry : artifact->manifest.kernels) {
          const std::string& text = artifact->files.at(entry.file);
          const Result<verify::Lifted> lifted = verify::lift(text, entry);
          INFO(entry.file << ": " << (lifted ? "" : lifted.error().message));
          REQUIRE(lifted.ok());
          CHECK(from_kernel(ir::print(lifted->kernel)) == from_kernel(text));
          CHECK(ir::validate(lifted->kernel).empty());
          ++kernels;
        }
      }
    }
  }
  CHECK(kernels >= 16 * 2 * 2 * 2);
}

TEST_CASE("kernels of f16 read back to themselves, and bf16 is no f16") {
  GenerateOptions options = cuda(WeightKind::kSoftmax, ElementType::kF16, 64);
  options.ops = {"prefill", "decode"};
  options.schedule = "staged";
  options.exact_to = 1024;
  const Artifact artifact = artifact_of(builtin("log_cached"), options);
  CHECK(artifact.manifest.kernels[0].schedule == "staged");
  for (const KernelEntry& entry : artifact.manifest.kernels) {
    const std::string& text = artifact.files.at(entry.file);
    const Result<verify::Lifted> lifted = verify::lift(text, entry);
    INFO(entry.file << ": " << (lifted ? "" : lifted.error().message));
    REQUIRE(lifted.ok());
    // Vectors that are moved at once are read as loops over their elements.
    if (entry.op == "decode") {
      CHECK(from_kernel(ir::print(lifted->kernel)) == from_kernel(text));
    }
    const auto refused = [&](const std::string& old, const std::string& fresh) {
      INFO(old << " -> " << fresh);
      CHECK_FALSE(verify::lift(with(text, old, fresh), entry).ok());
    };
    refused("const f16* __restrict__ q", "const bf16* __restrict__ q");
    refused("= to_f16(", "= to_bf16(");
    refused("= to_f16(", "= (");
    if (entry.op == "decode") {
      refused("to_float(q[", "(q[");
      continue;
    }
    refused("__align__(16) f16 staged", "__align__(16) bf16 staged");
    refused("__align__(16) f16 staged", "__align__(16) float staged");
    refused("const f16* const values", "const bf16* const values");
    refused("start_copy<8>", "start_copy<16>");
  }
}

TEST_CASE("kernels that keep f16 rounded in registers read back to themselves") {
  GenerateOptions options = cuda(WeightKind::kGiven, ElementType::kF16, 40);
  options.ops = {"prefill", "backward"};
  options.exact_to = 1024;
  const Artifact artifact = artifact_of(builtin("log_cached"), options);
  for (const KernelEntry& entry : artifact.manifest.kernels) {
    const std::string& text = artifact.files.at(entry.file);
    const Result<verify::Lifted> lifted = verify::lift(text, entry);
    INFO(entry.file << ": " << (lifted ? "" : lifted.error().message));
    REQUIRE(lifted.ok());
    CHECK(from_kernel(ir::print(lifted->kernel)) == from_kernel(text));
    CHECK((text.find("rounded_to_f16(") != std::string::npos) == (entry.op == "prefill"));
  }
}

TEST_CASE("what is no kernel of heddle is refused with its place") {
  const Artifact artifact =
      artifact_of(builtin("sqrt_cached"), cuda(WeightKind::kSoftmax, ElementType::kF32, 64));
  const KernelEntry& entry = artifact.manifest.kernels[0];
  const std::string text = artifact.files.at(entry.file);
  const auto refused = [&](const std::string& old, const std::string& fresh,
                           const std::string& why) {
    const Result<verify::Lifted> lifted = verify::lift(with(text, old, fresh), entry);
    INFO(old << " -> " << fresh);
    REQUIRE_FALSE(lifted.ok());
    CHECK(lifted.error().message.find(why) != std::string::npos);
    CHECK(lifted.error().message.rfind(entry.file + ":", 0) == 0);
  };
  refused("#include \"device_prelude.cuh\"", "#include \"other.cuh\"", "before a kernel");
  refused("using namespace heddle;", "#define minimum maximum", "before a kernel");
  refused("__launch_bounds__(128)", "__launch_bounds__(256)", "the manifest launches 128");
  refused("const float* __restrict__ q", "float* __restrict__ q", "const");
  refused("Index first = 0;", "int first = 0;", "Index");
  // nvcc would read y, by a view of both, through a cache that sees no stores.
  refused("const float* initial_b_val", "const float* __restrict__ initial_b_val",
          "as if nothing did");
  refused("const Index warp = threadIdx.x / 32;", "const Index warp = threadIdx.x - 1;", "32 bits");
  refused("const Index size", "volatile Index size", "'volatile'");
  refused("first < tokens", "first < tokens && true", "has ;");
  refused("query[part] = q[query_at + d];", "q[query_at + d] = 0.0f;", "read only");
  refused("term += 1;", "term <<= 1;", "an expression");
  refused("// phase 1", "// phase 1 \\", "unreadable");
  refused("highest = score;", "return;", "'return'");
  refused("highest = score;", "atomicAdd(y, 1.0f);", "'atomicAdd'");
  refused("highest = score;", "score = highest;", "may not change");
  refused("r += 4", "r += r", "moves with it");
  refused("first += 16", "first += 020", "octal");
  refused("1.0f - gamma", "1.0 - gamma", "double");
  refused("scale * warp_sum", "2 * warp_sum", "does not fit");
  refused("__shared__ float rows[1024];", "extern __shared__ float rows[];", "__align__");
  refused("#pragma unroll", "#pragma omp parallel", "directive");
}

}  // namespace heddle::test
