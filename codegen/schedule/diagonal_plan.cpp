// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/diagonal_plan.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "codegen/schedule/chunk_solve.hpp"

namespace heddle::schedule {
namespace {

constexpr std::int64_t kRowsTogether = 16;

class Counter {
 public:
  Counter(const KernelSpec& spec, const Rows& rows)
      : layout_(spec),
        dim_(spec.head_dim),
        row_bytes_(spec.head_dim * static_cast<std::int64_t>(size_of(spec.dtype))),
        tokens_(rows.n() - 1),
        near_(near_distances(spec, static_cast<int>(layout_.rows))) {
    for_each_position(rows.b, rows.n(),
                      [&](std::int64_t p) { distances_.push_back(rows.n() - p); });
    std::reverse(distances_.begin(), distances_.end());
    rises_.push_back(1);
    for (std::size_t at = 0; at < distances_.size(); ++at) {
      rises_.push_back(rises_.back() + 1.0 / static_cast<double>(at + 2));
    }
  }

  Cost run() {
    cost_.prediction.tokens = tokens_;
    for (std::int64_t first = 0; first < tokens_; first += layout_.rows) chunk(first);
    cost_.prediction.flops += cost_.tensor_flops;
    return cost_;
  }

 private:
  void chunk(std::int64_t first) {
    const std::int64_t size = std::min(layout_.rows, tokens_ - first);
    const std::int64_t again = first / layout_.rows % 2 == 0 ? std::min(size, kRowsTogether) : 0;
    cost_.prediction.bytes += (4 * size + again + windows(first, size)) * row_bytes_;
    for (std::int64_t own = 0; own < size; own += kRowsTogether) warp(first, own, first + size);
    const std::int64_t solved = (size + kRowsTogether - 1) / kRowsTogether * kRowsTogether;
    for (const std::int64_t distance : near_) {
      cost_.prediction.flops +=
          3 * solved + 2 * dim_ * std::max<std::int64_t>(solved - distance, 0);
    }
  }

  // Keys and values that come in for distances beyond a chunk. What lies before the first token is
  // not asked for.
  std::int64_t windows(std::int64_t first, std::int64_t size) const {
    const std::int64_t chunk = layout_.rows, ring = 2 * chunk;
    std::int64_t rows = 0, slot = 0, last = 0;
    for (const std::int64_t distance : distances_) {
      if (distance >= first + size) break;
      const std::int64_t coming = last > chunk ? std::min(distance - last, chunk) : chunk;
      slot = (slot + ring - coming) % ring;
      if (distance > chunk) {
        const std::int64_t missing = std::max<std::int64_t>(distance - first, 0);
        const std::int64_t from = slot + missing, to = slot + coming;
        rows += 2 * std::max<std::int64_t>(to - from, 0);
        for (const std::int64_t begin : {std::int64_t{0}, ring}) {  // which lie there twice
          rows += 2 * std::max<std::int64_t>(
                          std::min(to, begin + kRowsTogether) - std::max(from, begin), 0);
        }
      }
      last = distance;
    }
    return rows;
  }

  // Distances that the row of this token reaches.
  std::int64_t reached(std::int64_t token) const {
    return std::upper_bound(distances_.begin(), distances_.end(), token) - distances_.begin();
  }

  // Sixteen rows, whether or not all of them exist, at each distance that one of them reaches.
  void warp(std::int64_t first, std::int64_t own, std::int64_t end) {
    constexpr std::int64_t kProduct = 2 * 16 * 16 * 8, kLanes = 32;
    // Of a row and each of its four lanes: the scale, the distance to the highest score, the factor
    // of the side and the place in the total.
    constexpr std::int64_t kOfDistance = 2 * kLanes * 4;
    const std::int64_t taken = 1 + reached(std::min(end - 1, first + own + kRowsTogether - 1));
    cost_.tensor_flops += taken * (2 * (dim_ / 16) + dim_ / 8) * kProduct;
    // Of m scores in no order the highest one rises 1 + 1/2 + ... + 1/m times.
    double rises = 0;
    for (std::int64_t token = first + own; token < first + own + kRowsTogether; ++token) {
      rises += rises_[static_cast<std::size_t>(token < tokens_ ? reached(token) : 0)];
    }
    cost_.prediction.flops += taken * kOfDistance +
                              std::llround(rises * static_cast<double>(dim_ + 8)) +
                              kRowsTogether * (dim_ + 4);
  }

  DiagonalLayout layout_;
  std::int64_t dim_, row_bytes_, tokens_;
  std::vector<std::int64_t> near_, distances_;  // ascending
  std::vector<double> rises_;                   // by how many distances a row reaches
  Cost cost_;
};

}  // namespace

DiagonalLayout::DiagonalLayout(const KernelSpec& spec)
    : rows(kRowsTogether * spec.tensor->warps),
      stride(spec.head_dim + 8),
      window(rows * stride),
      ring(2 * window + kRowsTogether * stride) {
  keys_at = window;
  values_at = keys_at + ring;
  window_keys_at = values_at + ring;
  window_values_at = window_keys_at + ring;
  sum_stride = spec.head_dim + 8;
  sums = rows * sum_stride;
  near_stride = rows + 8;
  near = kMostNear * near_stride;
  bytes = (window_values_at + ring) * static_cast<std::int64_t>(size_of(spec.dtype)) +
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
  Error why{"four chunks of rows do not fit into a block"};
  for (const int warps : {8, 4}) {
    spec.tensor = TensorSplit{warps};
    const DiagonalLayout layout(spec);
    if (limits.rows != 0 && limits.rows != layout.rows) continue;
    constexpr std::int64_t kDeclaredBytes = 48 * 1024;  // that may be declared with a length
    const std::int64_t declared = (layout.sums + layout.near) * 4;
    if (layout.bytes > limits.shared_bytes || declared > kDeclaredBytes) continue;
    if (near_distances(spec, static_cast<int>(layout.rows)).size() > kMostNear) {
      why = Error{"rows have more than " + std::to_string(kMostNear) + " entries in a chunk"};
      continue;
    }
    return DiagonalPlan{*spec.tensor, Counter(spec, rows).run()};
  }
  return why;
}

}  // namespace heddle::schedule
