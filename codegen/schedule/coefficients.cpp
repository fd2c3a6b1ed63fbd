// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/coefficients.hpp"

namespace heddle::schedule {

using ir::Ex;

std::vector<std::string> coefficient_shape(const KernelSpec& spec, const std::string& tokens,
                                           Side side) {
  std::vector<std::string> shape = {"batch", tokens, "heads",
                                    side == Side::kA ? "width_a" : "width_b"};
  if (spec.varlen && tokens == "tokens") shape.erase(shape.begin());
  if (spec.by_channel()) shape.push_back(std::to_string(spec.head_dim));
  return shape;
}

Ex coefficient_row(const KernelSpec& spec, Ex row, Ex width) {
  return coefficient_entry(spec, row * width);
}

Ex coefficient_entry(const KernelSpec& spec, Ex entry) {
  return spec.by_channel() ? entry * spec.head_dim : entry;
}

}  // namespace heddle::schedule
