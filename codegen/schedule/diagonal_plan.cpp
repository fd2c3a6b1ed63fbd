// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/diagonal_plan.hpp"

#include <algorithm>
#include <vector>

#include "codegen/schedule/chunk_solve.hpp"

namespace heddle::schedule {
namespace {

constexpr std::int64_t kRowsTogether = kDiagonalRows;

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
  }

  Cost run() {
    cost_.prediction.tokens = tokens_;
    for (std::int64_t first = 0; first < tokens_; first += layout_.rows) chunk(first);
    cost_.prediction.flops += cost_.tensor_flops;
    return cost_;
  }

 private:
  static constexpr std::int64_t kProduct = 2 * 16 * 16 * 8;

  void chunk(std::int64_t first) {
    const std::int64_t size = std::min(layout_.rows, tokens_ - first);
    const bool twice = first / layout_.rows % layout_.chunks == 0;
    const std::int64_t again = twice ? 2 * std::min(size, kRowsTogether) : 0;
    cost_.prediction.bytes += (4 * size + again + windows(first, size)) * row_bytes_;
    for (std::int64_t own = 0; own < size; own += kRowsTogether) warp(first, own, first + size);
    for (std::int64_t part = 0; part < size; part += kRowsTogether) solve();
  }

  // What sixteen rows weigh each other and those before them with, and their outputs.
  void solve() {
    for (const std::int64_t distance : near_) {
      cost_.prediction.flops += 3 * kRowsTogether;
      if (distance < kRowsTogether) {
        cost_.prediction.flops += 2 * dim_ * kRowsTogether;
      } else {
        cost_.tensor_flops += dim_ / 8 * kProduct;
      }
    }
  }

  // Keys and values that come in for distances beyond the ring. What lies before the first token is
  // not asked for.
  std::int64_t windows(std::int64_t first, std::int64_t size) const {
    const std::int64_t chunk = layout_.rows, ring = 2 * chunk, reach = layout_.reach;
    std::int64_t rows = 0, slot = 0, last = 0;
    for (const std::int64_t distance : distances_) {
      if (distance >= first + size) break;
      const std::int64_t coming = last > reach ? std::min(distance - last, chunk) : chunk;
      slot = (slot + ring - coming) % ring;
      if (distance > reach) {
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
    // Of a row and each of its four lanes: the parts of its product, the scale, how the highest
    // score has risen and the total shrunk, the distance to it, the factor of the side and the
    // total.
    constexpr std::int64_t kLanes = 32, kOfDistance = 2 * kLanes * 7;
    const std::int64_t taken = 1 + reached(std::min(end - 1, first + own + kRowsTogether - 1));
    cost_.tensor_flops += taken * (2 * (dim_ / 16) + dim_ / 8) * kProduct;
    cost_.prediction.flops +=
        taken * (kOfDistance + kRowsTogether * dim_) + kRowsTogether * (dim_ + 4);
  }

  DiagonalLayout layout_;
  std::int64_t dim_, row_bytes_, tokens_;
  std::vector<std::int64_t> near_, distances_;  // ascending
  Cost cost_;
};

// The most chunks of a ring for which there is room.
int ring_that_fits(KernelSpec spec, std::int64_t shared_bytes) {
  int chunks = 0;
  do {
    spec.tensor->ring_chunks = ++chunks + 1;
  } while (DiagonalLayout(spec).bytes <= shared_bytes);
  return chunks;
}

}  // namespace

DiagonalLayout::DiagonalLayout(const KernelSpec& spec)
    : rows(kRowsTogether * spec.tensor->warps),
      stride(spec.head_dim + 8),
      window(rows * stride),
      chunks(spec.tensor->ring_chunks),
      reach((chunks - 1) * rows),
      first_window(slots() + kDiagonalRows),
      side((first_window + 2 * rows + kDiagonalRows) * stride),
      keys_at(window),
      values_at(keys_at + side) {
  sum_stride = spec.head_dim + 8;
  sums = kRowsTogether * sum_stride;
  near_stride = rows + 8;
  const auto distances =
      static_cast<std::int64_t>(near_distances(spec, static_cast<int>(rows)).size());
  near = (distances + kDiagonalSharers - 1) / kDiagonalSharers * kDiagonalSharers * near_stride;
  bytes = (values_at + side) * static_cast<std::int64_t>(size_of(spec.dtype)) + (sums + near) * 4;
}

ir::Ex DiagonalLayout::in_ring(ir::Ex slot) const {
  return slot.builder().select(slot >= slots(), slot - slots(), slot);
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
  std::optional<DiagonalPlan> best;
  Error why{"five chunks of rows do not fit into a block"};
  for (const int warps : {8, 4}) {
    spec.tensor = TensorSplit{warps};
    const int rows_of_chunk = kDiagonalRows * warps;
    if (limits.rows != 0 && limits.rows != rows_of_chunk) continue;
    if (near_distances(spec, rows_of_chunk).size() > kMostNear) {
      why = Error{"rows have more than " + std::to_string(kMostNear) + " entries in a chunk"};
      continue;
    }
    spec.tensor->ring_chunks = ring_that_fits(spec, limits.shared_bytes);
    if (spec.tensor->ring_chunks < kLeastRingChunks) continue;
    const DiagonalPlan plan{*spec.tensor, Counter(spec, rows).run()};
    if (!best || plan.cost.prediction.bytes < best->cost.prediction.bytes) best = plan;
  }
  if (best) return *best;
  return why;
}

}  // namespace heddle::schedule
