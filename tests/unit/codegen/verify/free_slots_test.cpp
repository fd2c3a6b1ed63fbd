// SPDX-License-Identifier: Apache-2.0
// A slot of a state that holds no token has no contents: kernels may read a slot only where its
// position says that a token is there, and no text that reads another one is verified.
#include "tests/unit/codegen/verify/static_support.hpp"

namespace heddle::test {
namespace {

const char* const kSearch = "if (cache_b_pos[pos_base_b + candidate] == p) {";
const char* const kInitialSearch = "if (initial_b_pos[pos_base_b + candidate] == p) {";

GenerateOptions simple(const std::string& op, WeightKind weights = WeightKind::kSoftmax) {
  GenerateOptions options = cuda(op);
  options.weights = weights;
  options.schedule = "simple";
  return options;
}

}  // namespace

TEST_CASE("no kernel that reads a slot without a token is verified") {
  SECTION("decode, given weights") {
    none_is_verified(
        artifact_of(builtin("sqrt_cached"), simple("decode", WeightKind::kGiven)),
        {// no guard, or one that a slot that is not found passes
         {"if (found > 0) {", "if (found >= 0) {"},
         {"if (found > 0) {", "if (found < slots_b) {"},
         {"Index by_lane = 0;", "Index by_lane = 1;"},
         // on another slot
         {"(found - 1) * token_stride", "found / 2 * token_stride"},
         {"by_lane = candidate + 1;", "by_lane = candidate / 2 + 1;"},
         // found whatever is there
         {kSearch, "if (cache_b_pos[pos_base_b + candidate] >= 0) {"},
         {kSearch, "if (cache_b_pos[pos_base_b + candidate] != p) {"},
         {kSearch, "if (cache_b_pos[pos_base_b + candidate] <= p) {"},
         {kSearch, "if (cache_b_pos[pos_base_b + candidate] == p - 1) {"},
         {"warp_max(by_lane)", "warp_max(minimum(by_lane + 1, slots_b))"},
         // found where this launch has put a token itself
         {"  // earlier outputs that this token reads",
          "  if (thread == 0 && slots_b > 0) {\n    cache_b_pos[pos_base_b] = 1;\n  }\n"
          "  __syncthreads();\n  // earlier outputs that this token reads"}},
        proofs_only());
  }
  SECTION("prefill, softmax") {
    const Artifact artifact = artifact_of(builtin("sqrt_cached"), simple("prefill"));
    none_is_verified(
        artifact,
        {{"held = found > 0;", "held = true;"},
         {"held = found > 0;", "held = found >= 0;"},
         // another head's, another sequence's
         {kInitialSearch, "if (initial_b_pos[(block - head) * slots_b + candidate] == p) {"},
         {kInitialSearch, "if (initial_b_pos[head * slots_b + candidate] == p) {"},
         {"held ? keys[at + d] : 0.0f", "keys[at + d]"},
         {"held ? values[at + d] : 0.0f", "(held || cached) ? values[at + d] : 0.0f"},
         {"const Index found = warp_max(by_lane);", "const Index found = warp_max(lane) + 1;"}},
        proofs_only());
  }
}

TEST_CASE("where every token keeps its slot, none of tokens to come is read") {
  none_is_verified(
      artifact_of(builtin("sqrt_recurrence"), simple("prefill")),
      {{"const bool cached = p <= start;", "const bool cached = p <= start + minimum(start, 1);"}},
      proofs_only());
}

TEST_CASE("a launch that reads a slot without a token is rejected") {
  const auto is_rejected = [](const Artifact& artifact, const Break& each) {
    const StaticReport report = report_of(artifact, broken(artifact, each));
    INFO(told(report));
    CHECK(report.verdict == StaticVerdict::kRejected);
    CHECK(told(report).find("of a slot that holds no token") != std::string::npos);
  };
  is_rejected(artifact_of(builtin("sqrt_cached"), simple("decode")),
              {"(found - 1) * token_stride", "(slots_b - found) * token_stride"});
  is_rejected(artifact_of(builtin("sqrt_cached"), simple("prefill", WeightKind::kGiven)),
              {kInitialSearch, "if (initial_b_pos[pos_base_b + candidate] == p - 1) {"});
  is_rejected(
      artifact_of(builtin("sqrt_recurrence"), simple("prefill")),
      {"const bool cached = p <= start;", "const bool cached = p <= start + minimum(start, 1);"});
  // A token is put into a slot, and what it holds is not: the next launch finds nothing there.
  is_rejected(artifact_of(builtin("sqrt_cached"), simple("decode")),
              {"cache_b_val[to] = output;", "cache_b_key[to] = output;"});
}

}  // namespace heddle::test
