// SPDX-License-Identifier: Apache-2.0
// Given weights: that the entries which a kernel takes from a row of coefficients fit its columns
// is proved for every length, and believed of no kernel that takes one more somewhere.
#include "tests/unit/codegen/verify/static_support.hpp"

namespace heddle::test {
TEST_CASE("kernels of given weights are verified for every launch") {
  for (const auto& [name, op] :
       {std::pair{"log_attention", "prefill"}, std::pair{"sqrt_recurrence", "decode"},
        std::pair{"strided_attention", "decode"}, std::pair{"fibonacci_recurrence", "decode"}}) {
    const Artifact artifact = artifact_of(builtin(name), cuda_given(op));
    const StaticReport report =
        report_of(artifact, artifact.files.at(artifact.manifest.kernels[0].file));
    INFO(name << " " << op << "\n" << told(report));
    CHECK(report.verdict == StaticVerdict::kVerified);
    CHECK(report.obligations.size() == 8);
  }
}

TEST_CASE("no kernel of given weights that takes too many entries is verified") {
  const std::vector<Break> breaks = {
      {"Index entry_2 = 0;", "Index entry_2 = 1;"},
      {"coef_b[coef_at_2 + entry_2]", "coef_b[coef_at_2 + term + 1]"},
      {"      entry_2 += 1;", "      entry_2 += 2;"},
      {"* width_b", "* width_a"},
      {"while (f < i)", "while (f <= i)"},
      {"coef_b[", "coef_a["}};
  none_is_verified(artifact_of(builtin("sqrt_recurrence"), cuda_given("decode")), breaks);
}

TEST_CASE("no kernel that goes wrong far from where launches are replayed is verified") {
  // Each takes the entries of the pattern for a thousand tokens, and then one too many.
  none_is_verified(
      artifact_of(builtin("sqrt_recurrence"), cuda_given("decode")),
      {{"term * term + 1", "(term < 70 ? term * term + 1 : f + 1)"},
       {"      entry_2 += 1;", "      entry_2 += start > 5000 ? 2 : 1;"},
       {"coef_b[coef_at_2 + entry_2]", "coef_b[coef_at_2 + (f > 5000 ? width_b : entry_2)]"}});
  none_is_verified(
      artifact_of(builtin("log_recurrence"), cuda_given("decode")),
      {{"f * 2", "(f < 4096 ? f * 2 : f + f / 2)"}, {"f * 2", "(f < 4096 ? f * 2 : f * 2 - 1)"}},
      proofs_only());
  none_is_verified(artifact_of(builtin("fibonacci_recurrence"), cuda_given("decode")),
                   {{"f_1 + f;", "(f < 6000 ? f_1 + f : f_1 + 1);"},
                    {"f = f_1;", "f = f < 6000 ? f_1 : f + 1;"}},
                   proofs_only());
  none_is_verified(artifact_of(builtin("strided_attention"), cuda_given("decode")),
                   {{"t += 1;", "t += p > 5000 ? 0 : 1;"},
                    {"next = at >= low ? at : 0;\n    }", "next = at + 1 >= low ? at : 0;\n    }"}},
                   proofs_only());
}

TEST_CASE("no kernel is verified whose manifest promises it too few columns") {
  const auto verdict = [](const char* name, const std::function<void(EntryCount&)>& change) {
    Artifact artifact = artifact_of(builtin(name), cuda_given("decode"));
    const std::string text = artifact.files.at(artifact.manifest.kernels[0].file);
    REQUIRE(artifact.manifest.width_b.parts.size() == 1);
    change(artifact.manifest.width_b.parts[0]);
    return report_of(artifact, text, proofs_only()).verdict;
  };
  CHECK(verdict("sqrt_recurrence", [](EntryCount&) {}) == StaticVerdict::kVerified);
  for (const std::array<std::int64_t, 3>& fewer :
       {std::array<std::int64_t, 3>{2, 0, 1}, {1, 1, 1}, {1, 0, 2}}) {
    CHECK(verdict("sqrt_recurrence", [&](EntryCount& count) { count.polynomial = fewer; }) ==
          StaticVerdict::kUnknown);
  }
  CHECK(verdict("sqrt_recurrence", [](EntryCount& count) { count.most = 40000; }) ==
        StaticVerdict::kUnknown);
  CHECK(verdict("log_recurrence", [](EntryCount& count) { count.listed[20] += 1; }) ==
        StaticVerdict::kUnknown);
  CHECK(verdict("log_recurrence", [](EntryCount& count) {
          count.listed.erase(count.listed.begin() + 20);
        }) == StaticVerdict::kUnknown);
}

}  // namespace heddle::test
