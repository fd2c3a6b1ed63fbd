// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/linear_frame.hpp"

namespace heddle::schedule {

using ir::Ex;

LinearFrame::LinearFrame(ir::Builder& the_builder, const KernelSpec& the_spec, bool is_decode)
    : builder(the_builder), spec(the_spec), decode(is_decode) {
  const std::string count = decode ? "1" : "tokens";
  const std::string dim = std::to_string(spec.head_dim);
  const std::string rows = std::to_string(spec.state_dim);
  q = builder.buffer("q", spec.dtype, Access::kRead, {"batch", count, "heads", rows});
  k = builder.buffer("k", spec.dtype, Access::kRead, {"batch", count, "heads", rows});
  x = builder.buffer("x", spec.dtype, Access::kRead, {"batch", count, "heads", dim});
  gate = builder.buffer("gate", ElementType::kF32, Access::kRead, {"batch", count, "heads"});
  y = builder.buffer("y", spec.dtype, Access::kWrite, {"batch", count, "heads", dim});
  const std::vector<std::string> shape = {"batch", "heads", rows, dim};
  if (decode) {
    before = after = builder.buffer("cache_state", ElementType::kF32, Access::kReadWrite, shape);
  } else {
    before = builder.buffer("initial_state", ElementType::kF32, Access::kRead, shape);
    after = builder.buffer("final_state", ElementType::kF32, Access::kWrite, shape);
    tokens = builder.size("tokens");
  }
  heads = builder.size("heads");
  if (!decode) start = builder.size("start");
  if (decode) tokens = builder.i64(1);
}

void LinearFrame::enter(Ex block) {
  batch = builder.let("batch", block / heads);
  head = builder.let("head", block % heads);
  state_at = builder.let("state_at", block * (spec.state_dim * spec.head_dim));
}

}  // namespace heddle::schedule
