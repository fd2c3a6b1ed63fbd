// SPDX-License-Identifier: Apache-2.0
// Backward of lattices with gated weights: lambda chunk by chunk, with the gradients of gates, and
// then what is left. Texts that mistake rows, entries or whose gates are whose are rejected.
#include "tests/unit/runtime/verify/gather_edits.hpp"

namespace heddle {
namespace {

using test::explain;
using test::gather::generated;
using test::gather::Kind;
using test::gather::reject;
using test::gather::rows_of;
using test::gather::steps_of;
using test::scan::quick;

TEST_CASE("backward of lattices with gated weights is verified") {
  for (const Kind& kind : {Kind{"log_cached", WeightKind::kGated, ElementType::kBF16, 64},
                           Kind{"sqrt_cached", WeightKind::kGated, ElementType::kF32, 32},
                           Kind{"fibonacci_cached", WeightKind::kGated, ElementType::kF16, 24},
                           Kind{"log_cached", WeightKind::kGated, ElementType::kF32, 8},
                           Kind{"sqrt_cached", WeightKind::kGated, ElementType::kBF16, 64, true}}) {
    const Artifact artifact = generated(kind);
    CHECK(steps_of(artifact) == std::vector<std::string>{"lambda", "rows"});
    const VerifyReport report = verify(artifact.manifest, artifact.files, rows_of(kind), quick());
    INFO(kind.pattern << ", " << name_of(kind.dtype) << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

// More positions than are listed at a time: launches of so many tokens have another window.
struct LongRows {
  static constexpr std::int64_t kMost = 1200;
  static constexpr const char* kFile = "sqrt_cached_backward_lambda.cu";

  static Artifact generated() {
    GenerateOptions options;
    options.ops = {"backward"};
    options.target = ir::Target::kCuda;
    options.head_dim = 32;
    options.exact_to = kMost;
    options.weights = WeightKind::kGated;
    options.schedule = "auto";
    Result<Artifact> artifact = generate(test::builtin("sqrt_cached"), options);
    REQUIRE(artifact.ok());
    return *std::move(artifact);
  }
  static VerifyReport verdict_of(const Artifact& artifact,
                                 const std::map<std::string, std::string>& files) {
    VerifyOptions options = quick();
    options.sizes = {1100};
    options.work_budget = 20'000'000;
    options.stop_early = true;
    return verify(artifact.manifest, files, test::builtin_rows("sqrt_cached", kMost), options);
  }
};

TEST_CASE("gates of more positions than are listed at a time are taken") {
  const Artifact artifact = LongRows::generated();
  const VerifyReport report = LongRows::verdict_of(artifact, artifact.files);
  INFO(explain(report));
  CHECK(report.verdict == KernelVerdict::kVerified);
}

TEST_CASE("windows of listed positions that are mistaken are rejected") {
  const Artifact artifact = LongRows::generated();
  for (const auto& [from, to] : {std::pair{"is_first = window == 0", "is_first = window >= 0"},
                                 std::pair{"window < maximum(count, 1)", "window < 1"},
                                 std::pair{"window += 32", "window += 64"}}) {
    INFO(from << " -> " << to);
    std::map<std::string, std::string> files = artifact.files;
    std::string& text = files.at(LongRows::kFile);
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, std::string(from).size(), to);
    const VerifyReport report = LongRows::verdict_of(artifact, files);
    INFO(explain(report));
    CHECK(report.verdict == KernelVerdict::kRejected);
    for (const VerifyFailure& failure : report.failures) CHECK(failure.kind != "compile_error");
  }
}

// What cannot be kept goes another way.
TEST_CASE("lattices with too many gates within a chunk have the simple schedule") {
  const Artifact artifact = generated({"dense_lattice", WeightKind::kGated});
  CHECK(artifact.manifest.kernels[0].steps.empty());
}

TEST_CASE("backward with gated weights that mistakes rows, entries or gates is rejected") {
  reject(
      {"sqrt_cached", WeightKind::kGated, ElementType::kF32, 32},
      {{"lambda", "past / 32 * 32", "past / 32 * 32 + 2"},
       {"lambda", "tokens - 1 - done", "done"},
       {"lambda", "(token + 32) * token_stride", "token * token_stride"},
       {"lambda", "own[1280 + d] = 0.0f", "own[d] = 0.0f", false},
       {"lambda", "position = first + 1 + item", "position = first + 2 + item"},
       {"lambda", "first + 1 - p <= term_f[term_at]", "first + 1 - p < term_f[term_at]"},
       {"lambda", "position + reach - first - 1", "position + reach - first"},
       {"lambda", "c = 31 - behind - part", "c = behind + part"},
       {"lambda", "number < 6", "number < 3"},
       {"lambda", "rest * 32 + lane] = 32", "rest * 32 + lane] = 0"},
       {"lambda", "passed + (lane > c", "passed + (lane >= c"},
       {"lambda", "numbers[entry * 32 + lane] = passed", "numbers[entry * 32 + lane] = entry"},
       {"lambda", "coef_b + gates_at + 32 +", "coef_b + gates_at +"},
       {"lambda", "store_elements<4>(staged + (64 + r) * 32", "store_elements<4>(staged + r * 32"},
       {"lambda", "(other + 2) * 32 + (r - 1)] * 40", "(other + 2) * 32 + r] * 40"},
       {"lambda", "before[other] = own[places[r % 2 * 4 + other]]", "before[other] = 0.0f"},
       {"lambda", "gates_of_others[r % 2 * 4 + other] * lambda",
        "gates_of_others[(r + 1) % 2 * 4 + other] * lambda"},
       {"lambda", "waiting[r] + due_within[r]", "waiting[r]"},
       {"lambda", "staged[(32 + r) * 32 + d] * lambda", "staged[r * 32 + d] * lambda"},
       {"lambda", "(first + c) * token_stride", "(first + c + 1) * token_stride"},
       {"lambda", "lambda_of_row[part] * value[part]", "value[part]"},
       {"lambda", "group_of_warp = lane % 4", "group_of_warp = lane % 2"},
       {"lambda", "warp_sum<4>(pushed[part])", "pushed[part]"},
       {"lambda", "group_of_warp == 0", "group_of_warp == 1", false},
       {"lambda", "rest = ends[r]", "rest = ends[r] + 1"},
       {"lambda", "rest = ends[r]", "rest = 0"},
       {"lambda", "__syncthreads();", "", false},
       {"rows", "coef_at = (", "coef_at = 32 + ("},
       {"rows", "read_by[part]", "1.0f"}});
}

TEST_CASE("lanes that mistake their halves of lambda are rejected") {
  reject({"sqrt_cached", WeightKind::kGated, ElementType::kBF16, 64},
         {{"lambda", "turned == 0 ? due[1] : due[5]", "due[1]"},
          {"lambda", "lane_of_row * 8 + (1 - turned) * 4, written",
           "lane_of_row * 8 + turned * 4, written"},
          {"lambda", "lane_of_group * 8 + turned * 4", "lane_of_group * 8"},
          {"lambda", "turned == 0 ? read[6] : read[2]", "read[6]"}});
}

}  // namespace
}  // namespace heddle
