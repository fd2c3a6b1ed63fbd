// SPDX-License-Identifier: Apache-2.0
#include "codegen/check_options.hpp"

#include <algorithm>

#include "codegen/architecture.hpp"

namespace heddle {

bool asked_for(const GenerateOptions& options, const std::string& op) {
  return std::find(options.ops.begin(), options.ops.end(), op) != options.ops.end();
}

std::int64_t shared_limit(const GenerateOptions& options) {
  return options.shared_limit > 0 ? options.shared_limit
                                  : find_architecture(options.architecture)->shared_limit;
}

std::optional<Error> check_options(const GenerateOptions& options) {
  if (options.dtype == ElementType::kI32) return Error{"kernels store reals, not i32"};
  if (options.head_dim < 1 || options.head_dim > 256) {
    return Error{"the head dimension must lie in 1..256"};
  }
  if (options.exact_to < 1 || options.exact_to > (std::int64_t{1} << 20)) {
    return Error{"cache sizes can be computed for lengths from 1 to 2^20"};
  }
  if (options.schedule != "auto" && options.schedule != "simple" && options.schedule != "staged" &&
      options.schedule != "tensor" && options.schedule != "scan") {
    return Error{"there is no schedule '" + options.schedule + "'"};
  }
  if (find_architecture(options.architecture) == nullptr) {
    return Error{"there is no architecture '" + options.architecture + "'"};
  }
  if (options.plan_tokens < 1 || options.plan_tokens > (std::int64_t{1} << 20)) {
    return Error{"shared memory can be planned for lengths from 1 to 2^20"};
  }
  if (options.plan_heads < 1 || options.plan_heads > (std::int64_t{1} << 20)) {
    return Error{"schedules can be chosen for 1 to 2^20 heads"};
  }
  if (options.tile_rows != 0 && options.tile_rows != 64 && options.tile_rows != 128 &&
      options.tile_rows != 256) {
    return Error{"a chunk on tensor cores has 64, 128 or 256 rows"};
  }
  if (options.page_rows != 0 && !options.varlen) {
    return Error{"pages belong to sequences that have starts of their own (--varlen)"};
  }
  if (options.page_rows < 0 || options.page_rows > 4096 ||
      (options.page_rows & (options.page_rows - 1)) != 0) {
    return Error{"a page has a power of two of slots, 4096 at most"};
  }
  if (options.ops.empty()) return Error{"no operation was asked for"};
  if (options.state_gradients && !asked_for(options, "backward")) {
    return Error{"gradients of a state are handed on by backward, which was not asked for"};
  }
  if (options.several_tokens && !asked_for(options, "decode")) {
    return Error{"several tokens a launch are for decode, which was not asked for"};
  }
  for (const std::string& op : options.ops) {
    if (op != "prefill" && op != "decode" && op != "backward") {
      return Error{"there is no schedule for the operation '" + op + "'"};
    }
    if (std::count(options.ops.begin(), options.ops.end(), op) > 1) {
      return Error{"the operation '" + op + "' was asked for twice"};
    }
  }
  return std::nullopt;
}

}  // namespace heddle
