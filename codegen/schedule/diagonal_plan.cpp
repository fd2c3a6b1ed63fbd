// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/diagonal_plan.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace heddle::schedule {
namespace {

constexpr std::int64_t kRowsOfWarp = 16;

// The distances below `end` that rows reach back, ascending.
std::vector<std::int64_t> distances_below(const RowTable& table, std::int64_t end) {
  const std::int64_t row = std::min(end, table.rows());
  std::vector<std::int64_t> distances;
  for_each_position(table, row, [&](std::int64_t p) { distances.push_back(row - p); });
  std::reverse(distances.begin(), distances.end());
  return distances;
}

class Counter {
 public:
  Counter(const KernelSpec& spec, const Rows& rows)
      : layout_(spec),
        dim_(spec.head_dim),
        row_bytes_(spec.head_dim * static_cast<std::int64_t>(size_of(spec.dtype))),
        tokens_(rows.n() - 1),
        distances_(distances_below(rows.b, rows.n())),
        near_(distances_in_chunk(spec, layout_.rows)) {}

  Cost run() {
    cost_.prediction.tokens = tokens_;
    for (std::int64_t first = 0; first < tokens_; first += layout_.rows) chunk(first);
    cost_.prediction.flops += cost_.tensor_flops;
    return cost_;
  }

 private:
  void chunk(std::int64_t first) {
    const std::int64_t size = std::min(layout_.rows, tokens_ - first);
    const std::int64_t again = first / layout_.rows % 2 == 0 ? std::min(size, kRowsOfWarp) : 0;
    std::int64_t rows = 4 * size + again;
    for (const std::int64_t distance : distances_) {
      if (distance >= first + size) break;
      // What lies before the first token is not asked for.
      if (distance > layout_.rows) {
        rows += 2 * std::clamp<std::int64_t>(first + layout_.rows - distance, 0, layout_.rows);
      }
    }
    cost_.prediction.bytes += rows * row_bytes_;
    for (std::int64_t own = 0; own < size; own += kRowsOfWarp) warp(first, own, first + size);
    const std::int64_t solved = (size + kRowsOfWarp - 1) / kRowsOfWarp * kRowsOfWarp;
    for (const std::int64_t distance : near_) {
      cost_.prediction.flops +=
          3 * solved + 2 * dim_ * std::max<std::int64_t>(solved - distance, 0);
    }
  }

  // Sixteen rows, whether or not all of them exist, at each distance that one of them reaches.
  void warp(std::int64_t first, std::int64_t own, std::int64_t end) {
    constexpr std::int64_t kProduct = 2 * 16 * 16 * 8, kLanes = 32;
    // Of a row and each of its four lanes: the sum over them and the scale, then the distance to
    // the highest score, the factor of the side and the place in the total.
    constexpr std::int64_t kOfDistance = 2 * kLanes * (2 + 1 + 3);
    std::int64_t taken = 1;
    for (const std::int64_t distance : distances_) {
      if (distance >= end || distance > first + own + kRowsOfWarp - 1) break;
      ++taken;
    }
    cost_.tensor_flops += taken * (2 * (dim_ / 16) + dim_ / 8) * kProduct;
    double rises = 0;
    for (std::int64_t row = 0; row < kRowsOfWarp; ++row) {
      rises += first + own + row < tokens_ ? rises_of(first + own + row) : 1;
    }
    cost_.prediction.flops += taken * kOfDistance +
                              std::llround(rises * static_cast<double>(dim_ + 8)) +
                              kRowsOfWarp * (dim_ + 4);
  }
  // Of m scores in no order the highest one rises 1 + 1/2 + ... + 1/m times.
  double rises_of(std::int64_t token) const {
    double rises = 1;
    for (std::size_t at = 0; at < distances_.size() && distances_[at] <= token; ++at) {
      rises += 1.0 / static_cast<double>(at + 2);
    }
    return rises;
  }

  DiagonalLayout layout_;
  std::int64_t dim_, row_bytes_, tokens_;
  std::vector<std::int64_t> distances_, near_;
  Cost cost_;
};

}  // namespace

std::vector<std::int64_t> distances_in_chunk(const KernelSpec& spec, std::int64_t rows) {
  const MaterializeResult table = materialize(spec.pattern, rows);
  return distances_below(std::get<Rows>(table).b, rows);
}

DiagonalLayout::DiagonalLayout(const KernelSpec& spec)
    : rows(kRowsOfWarp * spec.tensor->warps),
      stride(spec.head_dim + 8),
      ring(2 * rows + kRowsOfWarp),
      window(rows * stride) {
  keys_at = rows * stride;
  values_at = keys_at + ring * stride;
  window_keys_at = values_at + ring * stride;
  window_values_at = window_keys_at + kStages * window;
  sum_stride = spec.head_dim + 8;
  sums = rows * sum_stride;
  near_stride = rows + 8;
  near = kMostNear * near_stride;
  bytes = (window_values_at + kStages * window) * static_cast<std::int64_t>(size_of(spec.dtype)) +
          (sums + near) * 4;
}

Result<DiagonalPlan> plan_diagonals(KernelSpec spec, const Rows& rows, const TileLimits& limits) {
  if (!spec.shifted_outputs || spec.weights != WeightKind::kSoftmax) {
    return Error{
        "tensor cores take A = diagonal and softmax weights where rows of B reach the same "
        "distances back"};
  }
  if (spec.keep_b != CacheRetention::kAll) {
    return Error{"diagonals of tensor cores are for rows of B whose state has every position"};
  }
  if (spec.dtype != ElementType::kBF16 && spec.dtype != ElementType::kF16) {
    return Error{"tensor cores sum products of bf16 and f16 only"};
  }
  if (spec.head_dim != 64 && spec.head_dim != 128) {
    return Error{"diagonals of tensor cores are for 64 or 128 channels a head"};
  }
  Error why{"two windows and two chunks of rows do not fit into a block"};
  for (const int warps : {8, 4}) {
    spec.tensor = TensorSplit{warps};
    const DiagonalLayout layout(spec);
    if (limits.rows != 0 && limits.rows != layout.rows) continue;
    constexpr std::int64_t kDeclaredBytes = 48 * 1024;  // that may be declared with a length
    const std::int64_t declared = (layout.sums + layout.near) * 4;
    if (layout.bytes > limits.shared_bytes || declared > kDeclaredBytes) continue;
    if (!std::holds_alternative<Rows>(materialize(spec.pattern, layout.rows))) {
      return Error{"the rows of a chunk have no values"};
    }
    if (distances_in_chunk(spec, layout.rows).size() > kMostNear) {
      why = Error{"rows have more than " + std::to_string(kMostNear) + " entries in a chunk"};
      continue;
    }
    return DiagonalPlan{*spec.tensor, Counter(spec, rows).run()};
  }
  return why;
}

}  // namespace heddle::schedule
