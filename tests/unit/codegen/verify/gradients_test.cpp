// SPDX-License-Identifier: Apache-2.0
// Backward kernels: sums that threads keep in outputs and scratch, rows of gradients that are
// filled up with zeros, and tokens that are taken from the last one on.
#include "tests/unit/codegen/verify/static_support.hpp"

namespace heddle::test {

TEST_CASE("backward kernels are verified for every launch") {
  for (const char* name : {"attention", "log_cached", "linear_recurrence"}) {
    for (const GenerateOptions& options : {cuda_given("backward"), cuda("backward")}) {
      const Artifact artifact = artifact_of(builtin(name), options);
      const StaticReport report =
          report_of(artifact, artifact.files.at(artifact.manifest.kernels[0].file));
      INFO(name << " " << artifact.manifest.weights << "\n" << told(report));
      CHECK(report.verdict == StaticVerdict::kVerified);
    }
  }
}

TEST_CASE("no backward kernel that reads what a list does not hold is verified") {
  none_is_verified(
      artifact_of(builtin("log_recurrence"), cuda("backward")),
      {{"if (count % 4 == warp)", "if (count % 4 == warp && count > 0)"},
       {"\n      if (count % 4 == warp)", "\n      if (count % 4 == warp && count < 9)"},
       {"\n      if (count % 4 == warp)", "\n      if (count % 5 == warp)"},
       {"\n        for (Index e = 0; e < count;", "\n        for (Index e = 0; e < count + 1;"},
       {"\n      count += 1;", "\n      count += 2;"},
       {"\n      if (count == 32)", "\n      if (count == 33)"},
       {"\n        if (lane == 0)", "\n        if (lane == 0 && p < 5000)"},
       {"\n        __syncthreads();\n        for (Index e", "\n        for (Index e"},
       {"\n        __syncthreads();\n        count = 0;", "\n        count = 0;"},
       {"dx[at + d] = own_dx", "dx[at + d + (i > 5000 ? 1 : 0)] = own_dx"}},
      proofs_only());
}

TEST_CASE("no backward kernel that mistakes a segment of states is verified") {
  GenerateOptions options = cuda("backward");
  options.weights = WeightKind::kLinear;
  none_is_verified(artifact_of(builtin("linear_attention"), options),
                   {{"if (begin > 0)", "if (begin > 64)"},
                    {"begin / 64 - 1", "begin / 64"},
                    {"(segment - 1) * 4096", "segment * 4096"},
                    {"segments - 1 - later", "segments - 2 - later"},
                    {"size - 1 - done", "size - done"},
                    {"size - 1 - done", "size - 2 - done"},
                    {"if (lane == 0) {", "if (lane == 0 && warp < 1) {"},
                    {"overlaps[back * 2 + warp]", "overlaps[back * 2]"},
                    {"thread < size", "thread + 1 < size"},
                    {"    __syncthreads();\n    if (thread <", "    if (thread <"}},
                   proofs_only());
}

TEST_CASE("no broken backward kernel is verified") {
  none_is_verified(
      artifact_of(builtin("linear_recurrence"), cuda_given("backward")),
      {{"rest < width_b", "rest <= width_b"},
       {"rest < width_b", "rest < width_b - 1"},
       {"rest = entry_2 + lane", "rest = entry_2 + lane + 1"},
       {"rest = entry_2 + lane", "rest = entry_2 + lane - 1"},
       {"rest += 32", "rest += 33"},
       {"rest += 32", "rest += 31"},
       {"if (lane == 0)", "if (lane < 2)"},
       {"  __syncthreads();\n", ""},
       {"tokens - 1 - done", "tokens - done"},
       {"tokens - 1 - done", "tokens - 2 - done"},
       {"if (d < 64)", "if (d < 63)"},
       {"thread + part * 128", "lane + part * 128"},
       {"token += 4", "token += 3"},
       {"token = warp", "token = lane"},
       {"dcoef_b[coef_at_2 + entry_2]", "dcoef_b[coef_at + entry_2]"},
       // Only far from where launches are replayed.
       {"= slope_2;\n        }\n        entry_2 += 1;",
        "= slope_2;\n        }\n        entry_2 += i > 5000 && lane > 3 ? 0 : 1;"},
       {"= slope_2;\n        }\n        entry_2 += 1;",
        "= slope_2;\n        }\n        entry_2 += i > 5000 && warp > 1 ? 2 : 1;"},
       {"scratch_lambda[from_2 + d] = ", "scratch_lambda[from_2 + (i > 5000 ? 63 - d : d)] = "},
       {"rest = entry_2 + lane", "rest = entry_2 + lane + (i > 5000 ? 1 : 0)"},
       {"token = warp", "token = warp + (tokens > 5000 ? 4 : 0)"}});
}

}  // namespace heddle::test
