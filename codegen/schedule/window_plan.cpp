// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/window_plan.hpp"

#include <algorithm>

#include "codegen/rows/row_shape.hpp"
#include "codegen/schedule/row_lanes.hpp"
#include "codegen/schedule/row_vectors.hpp"

namespace heddle::schedule {

namespace {

constexpr int kVectorBytes = 16;

}  // namespace

int vector_of_window(int head_dim, int element) {
  int count = kVectorBytes / element;
  while (head_dim % count != 0) count /= 2;
  return count;
}

int lanes_of_window(const KernelSpec& spec, ElementType element) {
  const int least = RowLanes::kWarp * kWindowWarps / window_tokens(spec);
  const int sharing = RowLanes::sharing_for(spec.head_dim, element);
  if (sharing >= least) return sharing;
  const int whole = least * kVectorBytes / static_cast<int>(size_of(element));
  return spec.head_dim % whole == 0 ? least : RowLanes::kWarp;
}

int window_tokens(const KernelSpec& spec) {
  const int parts = (spec.head_dim + 31) / 32;
  return kWindowWarps * (parts <= 2 ? 8 : parts <= 4 ? 4 : 2);
}

bool has_windows(const KernelSpec& spec, std::int64_t shared_bytes) {
  using rows::RowShape;
  const RowShape a = rows::shape_of(spec.a), b = rows::shape_of(spec.b);
  if (spec.varlen || spec.state_gradients || b == RowShape::kLattice) return false;
  for (const int element : {static_cast<int>(size_of(spec.dtype)), 4}) {
    const int vector = vector_of_window(spec.head_dim, element);
    const RowVectors cut{spec.head_dim, vector, vector * element};
    // Of others the static layer does not tell threads apart.
    if (cut.threads_of_row() < 1 || cut.threads_of_row() > 32) return false;
  }
  const std::int64_t value =
      b == RowShape::kEmpty ? static_cast<std::int64_t>(size_of(spec.dtype)) : 4;
  const std::int64_t key =
      spec.weights == WeightKind::kSoftmax ? static_cast<std::int64_t>(size_of(spec.dtype)) : 0;
  const bool any = a == RowShape::kShifted || b == RowShape::kShifted;
  return any && window_tokens(spec) * ((key + value) * spec.head_dim + 3 * 4) <= shared_bytes;
}

std::vector<SharedRows> window_rows(const KernelSpec& spec, WindowUse use) {
  const std::int64_t row = spec.head_dim * static_cast<std::int64_t>(size_of(spec.dtype));
  const bool reals = use == WindowUse::kColumns && !spec.b.empty();
  const std::int64_t count = spec.gather->chunk_tokens;
  std::vector<SharedRows> rows;
  if (spec.weights == WeightKind::kSoftmax) rows.push_back({"key_rows", count, count, row});
  if (use != WindowUse::kWeights) {
    rows.push_back({"value_rows", count, count, reals ? 4 * std::int64_t{spec.head_dim} : row});
  }
  return rows;
}

int window_alignment(const KernelSpec& spec) {
  const int type = static_cast<int>(size_of(spec.dtype));
  return std::max(type * vector_of_window(spec.head_dim, type),
                  4 * vector_of_window(spec.head_dim, 4));
}

}  // namespace heddle::schedule
