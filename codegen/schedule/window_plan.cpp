// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/window_plan.hpp"

#include <algorithm>

#include "codegen/rows/row_shape.hpp"
#include "codegen/schedule/row_lanes.hpp"
#include "codegen/schedule/row_vectors.hpp"

namespace heddle::schedule {

namespace {

constexpr int kVectorBytes = 16;

int vector_of(ElementType element) { return kVectorBytes / static_cast<int>(size_of(element)); }

// As few as leave each of a warp's rows to a group.
int least_lanes(const KernelSpec& spec) {
  return RowLanes::kWarp * kWindowWarps / window_tokens(spec);
}

int lanes_of(const KernelSpec& spec, ElementType element, bool ahead) {
  const int least = least_lanes(spec);
  const int sharing = RowLanes::sharing_for(spec.head_dim, element);
  const bool few = spec.head_dim % (least * vector_of(element)) == 0;
  if (ahead && few) return least;
  if (sharing >= least) return sharing;
  return few ? least : RowLanes::kWarp;
}

// Eight lanes ask for vectors side by side, of several rows where fewer share one: these lie so
// that none of them has the banks of another, nor the second half of a vector those of the first.
std::int64_t stride_ahead(const KernelSpec& spec, int element) {
  constexpr int kBankBytes = 128;
  const int lanes = lanes_of(spec, spec.dtype, true);
  if (lanes * kVectorBytes >= kBankBytes) return spec.head_dim;
  const int row = spec.head_dim * element;
  const int more = ((lanes * kVectorBytes - row) % kBankBytes + kBankBytes) % kBankBytes;
  return spec.head_dim + more / element;
}

bool has_runs(const rows::RowPlan& plan) {
  return std::any_of(plan.leaves.begin(), plan.leaves.end(), [](const rows::Leaf& leaf) {
    const rows::SpanLeaf* const span = std::get_if<rows::SpanLeaf>(&leaf);
    return span != nullptr && span->low != span->high;
  });
}

// Of queries or keys, of values, and what columns have of readers.
std::int64_t bytes_of_row(const KernelSpec& spec, bool ahead) {
  const int type = static_cast<int>(size_of(spec.dtype));
  const auto row = [&](int element) {
    return element * (ahead ? stride_ahead(spec, element) : spec.head_dim);
  };
  const bool keys = spec.weights == WeightKind::kSoftmax;
  return (keys ? row(type) : 0) + row(spec.b.empty() ? type : 4) + 3 * 4;
}

}  // namespace

int vector_of_window(int head_dim, int element) {
  int count = kVectorBytes / element;
  while (head_dim % count != 0) count /= 2;
  return count;
}

int lanes_of_window(const KernelSpec& spec, ElementType element) {
  return lanes_of(spec, element, spec.gather->ahead);
}

std::int64_t ring_stride(const KernelSpec& spec, int element) {
  return spec.gather->ahead ? stride_ahead(spec, element) : spec.head_dim;
}

int window_tokens(const KernelSpec& spec) {
  const int parts = (spec.head_dim + 31) / 32;
  return kWindowWarps * (parts <= 2 ? 8 : parts <= 4 ? 4 : 2);
}

bool has_windows(const KernelSpec& spec, std::int64_t shared_bytes) {
  using rows::RowShape;
  const RowShape a = rows::shape_of(spec.a), b = rows::shape_of(spec.b);
  if (spec.varlen || spec.state_gradients || spec.by_channel() || b == RowShape::kLattice) {
    return false;
  }
  for (const int element : {static_cast<int>(size_of(spec.dtype)), 4}) {
    const int vector = vector_of_window(spec.head_dim, element);
    const RowVectors cut{spec.head_dim, vector, vector * element};
    // Of others the static layer does not tell threads apart.
    if (cut.threads_of_row() < 1 || cut.threads_of_row() > 32) return false;
  }
  const bool any = a == RowShape::kShifted || b == RowShape::kShifted;
  return any && window_tokens(spec) * bytes_of_row(spec, false) <= shared_bytes;
}

// Of given weights what a row's entries come to is written distance by distance, which the static
// layer follows in one order; of runs of positions it does not bound the distance across
// iterations.
bool has_windows_ahead(const KernelSpec& spec, std::int64_t shared_bytes) {
  return spec.weights == WeightKind::kSoftmax && !has_runs(spec.a) && !has_runs(spec.b) &&
         2 * window_tokens(spec) * bytes_of_row(spec, true) <= shared_bytes;
}

bool has_window_pairs(const KernelSpec& spec, std::int64_t shared_bytes) {
  constexpr std::int64_t kSharedOfSystem = 1024;
  const int type = static_cast<int>(size_of(spec.dtype));
  const std::int64_t keys = 2 * window_tokens(spec) * type * stride_ahead(spec, type);
  return has_windows_ahead(spec, shared_bytes) && 2 * (keys + kSharedOfSystem) <= shared_bytes &&
         lanes_of(spec, spec.dtype, true) < RowLanes::kWarp;
}

int window_warps(const KernelSpec& spec, WindowUse use) {
  return spec.gather->pairs && use == WindowUse::kWeights ? kWindowWarps / 2 : kWindowWarps;
}

int window_blocks(const KernelSpec& spec, WindowUse use) {
  return window_warps(spec, use) == kWindowWarps ? 1 : 2;
}

int ring_rows(const KernelSpec& spec) {
  return (spec.gather->ahead ? 2 : 1) * spec.gather->chunk_tokens;
}

std::vector<SharedRows> window_rows(const KernelSpec& spec, WindowUse use) {
  const int type = static_cast<int>(size_of(spec.dtype));
  const bool reals = use == WindowUse::kColumns && !spec.b.empty();
  const std::int64_t count = ring_rows(spec);
  const auto bytes = [&](int element) { return element * ring_stride(spec, element); };
  std::vector<SharedRows> rows;
  if (spec.weights == WeightKind::kSoftmax) rows.push_back({"key_rows", count, count, bytes(type)});
  if (use != WindowUse::kWeights) {
    rows.push_back({"value_rows", count, count, bytes(reals ? 4 : type)});
  }
  return rows;
}

int window_alignment(const KernelSpec& spec) {
  const int type = static_cast<int>(size_of(spec.dtype));
  return std::max(type * vector_of_window(spec.head_dim, type),
                  4 * vector_of_window(spec.head_dim, 4));
}

}  // namespace heddle::schedule
