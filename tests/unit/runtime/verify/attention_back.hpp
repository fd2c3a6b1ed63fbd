// SPDX-License-Identifier: Apache-2.0
// Backward of attention on tensor cores, over all inputs or a window of them: two launches with a
// block for each chunk.
#pragma once

#include "tests/unit/runtime/verify/tensor_edits.hpp"

namespace heddle::test::attention_back {

inline Pattern window(std::int64_t width) {
  return pattern_of(Source{"window.heddle", "pattern window {\n A = window(" +
                                                std::to_string(width) + ")\n B = none\n}\n"});
}
inline Rows rows_of_window(std::int64_t width) {
  return rows_of(
      kTensorRows,
      [&](std::int64_t i) {
        return IntervalList{{std::max<std::int64_t>(i - width + 1, 1), i}};
      },
      [](std::int64_t) { return IntervalList{}; });
}

inline Artifact generated(const Pattern& pattern, ElementType dtype, int head_dim,
                          std::int64_t chunk, bool varlen = false) {
  GenerateOptions options;
  options.ops = {"backward"};
  options.target = ir::Target::kCuda;
  options.head_dim = head_dim;
  options.dtype = dtype;
  options.exact_to = kTensorRows;
  options.schedule = "tensor";
  options.tile_rows = chunk;
  options.varlen = varlen;
  Result<Artifact> artifact = generate(pattern, options);
  INFO((artifact ? "" : artifact.error().message));
  REQUIRE(artifact.ok());
  const KernelEntry& entry = artifact->manifest.kernels[0];
  REQUIRE(entry.steps.size() == 2);
  for (const KernelEntry& step : entry.steps) REQUIRE(step.schedule == "tensor");
  REQUIRE(entry.chunk_tokens == chunk);
  return *std::move(artifact);
}
inline Artifact of_all(ElementType dtype, int head_dim, std::int64_t chunk, bool varlen = false) {
  return generated(builtin("attention"), dtype, head_dim, chunk, varlen);
}

}  // namespace heddle::test::attention_back
