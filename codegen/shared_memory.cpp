// SPDX-License-Identifier: Apache-2.0
#include "codegen/shared_memory.hpp"

#include <algorithm>

#include "codegen/schedule/attention_back.hpp"
#include "codegen/schedule/attention_plan.hpp"
#include "codegen/schedule/diagonal_plan.hpp"
#include "codegen/schedule/distance_plan.hpp"
#include "codegen/schedule/gradient_plan.hpp"
#include "codegen/schedule/input_plan.hpp"
#include "codegen/schedule/key_plan.hpp"
#include "codegen/schedule/lattice_plan.hpp"
#include "codegen/schedule/recurrence_plan.hpp"
#include "codegen/schedule/staged_plan.hpp"
#include "codegen/schedule/states_plan.hpp"
#include "codegen/schedule/tensor_plan.hpp"

namespace heddle {
namespace {

constexpr std::int64_t kChunk = schedule::kTensorChunk;

std::int64_t bytes_of_element(const schedule::KernelSpec& spec) {
  return static_cast<std::int64_t>(size_of(spec.dtype));
}

void describe_recurrence(const schedule::KernelSpec& spec, KernelEntry& entry) {
  using Layout = schedule::RecurrenceLayout;
  constexpr std::int64_t kMost = Layout::kStages * kChunk;
  const Layout layout(spec);
  const std::int64_t row = layout.stride * bytes_of_element(spec);
  entry.shared_rows = {{"key_rows", kMost, kMost, row},
                       {"value_rows", kMost, kMost, row},
                       {"tile_rows", layout.rows, layout.rows, 3 * row}};
}

void describe_diagonals(const schedule::KernelSpec& spec, KernelEntry& entry) {
  const schedule::DiagonalLayout layout(spec);
  const std::int64_t row = layout.stride * bytes_of_element(spec);
  const std::int64_t staged = layout.side / layout.stride;
  entry.shared_rows = {{"key_rows", staged, staged, row},
                       {"value_rows", staged, staged, row},
                       {"tile_rows", layout.rows, layout.rows, row}};
}

void describe_lattice(const schedule::KernelSpec& spec, KernelEntry& entry) {
  using Layout = schedule::LatticeLayout;
  const Layout layout(spec);
  const std::int64_t row = layout.stride * bytes_of_element(spec);
  const std::int64_t staged = Layout::kStages * layout.columns + 2 * layout.kept;
  entry.shared_rows = {{"key_rows", staged, staged, row},
                       {"value_rows", staged, staged, row},
                       {"tile_rows", 2 * layout.rows, 2 * layout.rows, 3 * row}};
}

void describe_attention(const schedule::KernelSpec& spec, KernelEntry& entry) {
  constexpr std::int64_t kMost = schedule::kStages * kChunk;
  const schedule::AttentionLayout layout(spec);
  const std::int64_t row = layout.stride * bytes_of_element(spec);
  entry.chunk_tokens = layout.rows;
  entry.grid.emplace_back("chunks");
  entry.shared_rows = {{"key_rows", kMost, kMost, row},
                       {"value_rows", kMost, kMost, row},
                       {"tile_rows", layout.rows, layout.rows, row}};
}

void describe_attention_back(const schedule::KernelSpec& spec, KernelEntry& entry) {
  constexpr std::int64_t kMost = schedule::kStages * kChunk;
  const schedule::AttentionBackLayout layout(spec);
  const std::int64_t row = layout.stride * bytes_of_element(spec);
  entry.shared_rows = {{"key_rows", kMost, kMost, row},
                       {"value_rows", kMost, kMost, row},
                       {"tile_rows", layout.rows, layout.rows, 2 * row}};
}

void describe_linear(const schedule::KernelSpec& spec, KernelEntry& entry) {
  using Layout = schedule::TensorLayout;
  const Layout layout(spec);
  const std::int64_t element = bytes_of_element(spec), values = kChunk + spec.state_dim;
  entry.shared_rows = {{"key_rows", kChunk, kChunk, 2 * layout.key_stride * element},
                       {"value_rows", values, values, layout.value_stride * element},
                       {"tile_rows", kChunk, kChunk, Layout::kReals / kChunk * 4}};
}

void describe_states(const schedule::KernelSpec& spec, KernelEntry& entry) {
  using Layout = schedule::StatesLayout;
  const Layout layout(schedule::slice_of(spec));
  const std::int64_t element = bytes_of_element(spec), values = kChunk + 2 * spec.state_dim;
  entry.shared_rows = {{"key_rows", kChunk, kChunk, 2 * layout.key_stride * element},
                       {"value_rows", values, values, layout.value_stride * element},
                       {"tile_rows", kChunk, kChunk, Layout::kReals / kChunk * 4}};
}

void describe_keys(const schedule::KernelSpec& spec, KernelEntry& entry) {
  const schedule::KeyLayout layout(spec);
  const std::int64_t element = bytes_of_element(spec);
  entry.shared_rows = {{"key_rows", kChunk, kChunk, 3 * layout.key_stride * element},
                       {"value_rows", kChunk, kChunk,
                        (layout.value_stride + schedule::KeyLayout::kWeightStride) * element},
                       {"tile_rows", kChunk, kChunk, layout.reals / kChunk * 4}};
}

void describe_gradients(const schedule::KernelSpec& spec, KernelEntry& entry) {
  const schedule::GradientLayout layout(spec);
  const std::int64_t element = bytes_of_element(spec);
  const std::int64_t values = 2 * (kChunk + spec.state_dim);
  entry.shared_rows = {
      {"key_rows", kChunk, kChunk, 2 * layout.key_stride * element},
      {"value_rows", values, values, layout.value_stride * element},
      {"tile_rows", kChunk, kChunk,
       layout.out_stride * element + schedule::GradientLayout::kReals / kChunk * 4}};
}

// States, two for each block, are rows of channels.
void describe_key_gradients(const schedule::KernelSpec& spec, KernelEntry& entry) {
  const schedule::KeyGradientLayout layout(spec);
  const std::int64_t element = bytes_of_element(spec);
  const std::int64_t keys = 4 * kChunk + 2 * schedule::kKeyBlocks * spec.head_dim;
  entry.shared_rows = {{"key_rows", keys, keys, layout.key_stride * element},
                       {"value_rows", 2 * kChunk, 2 * kChunk, layout.value_stride * element},
                       {"tile_rows", kChunk, kChunk,
                        schedule::KeyLayout::kWeightStride * element + layout.reals / kChunk * 4}};
}

void describe_staging(const schedule::KernelSpec& spec, const schedule::Staging& staging,
                      KernelEntry& entry) {
  const std::int64_t row = spec.head_dim * bytes_of_element(spec);
  // Of the transposed system values are reals.
  const std::int64_t value_row = spec.gather ? 4 * std::int64_t{spec.head_dim} : row;
  const bool keyed = spec.weights == WeightKind::kSoftmax;
  entry.alignment = static_cast<int>(std::min<std::int64_t>(row & -row, 16));
  const auto add = [&](const char* size, std::int64_t most, std::int64_t multiple,
                       std::int64_t bytes, const char* slots = "") {
    if (most > 0) entry.shared_rows.push_back({size, most, multiple, bytes, slots});
  };
  if (staging.by_distance) {
    const schedule::DistanceLayout layout(spec, staging.tile_rows, spec.gather.has_value());
    add("key_rows", staging.key_rows, staging.key_rows, layout.key_stride * bytes_of_element(spec));
    add("value_rows", staging.value_rows, staging.value_rows,
        layout.value_stride * (spec.gather ? 4 : bytes_of_element(spec)));
    add("tile_rows", staging.tile_rows, staging.tile_rows, layout.bytes_of_row);
    return;
  }
  // Rings of what comes in while rows ask hold two chunks at least, windows always two.
  const std::int64_t chunk = staging.chunk_rows;
  const std::int64_t fetched = schedule::fetches_late(spec, staging) ? chunk : 2 * chunk;
  const bool tiles = staging.tile_rows > 0;
  add("key_rows", keyed ? staging.key_rows : 0, fetched, row);
  add("value_rows", staging.value_rows,
      tiles            ? staging.value_rows
      : spec.b.empty() ? fetched
                       : chunk,
      value_row);
  add("gate_rows", staging.gate_rows, staging.gate_rows, value_row);
  add("live_rows", staging.live_rows, 1, keyed ? 2 * row : row, "slots_b");
  add("tile_rows", staging.tile_rows, schedule::kStagedChunk,
      (keyed ? row : 0) + 4 * std::int64_t{spec.head_dim});
}

void describe_inputs(const schedule::KernelSpec& spec, KernelEntry& entry) {
  const schedule::Staging& staging = *spec.staging;
  const std::int64_t row = schedule::input_stride(spec) * bytes_of_element(spec);
  entry.alignment = 16;
  entry.chunk_tokens = staging.tile_rows;
  entry.grid.emplace_back("chunks");
  if (staging.key_rows > 0) {
    entry.shared_rows.push_back({"key_rows", staging.key_rows, staging.key_rows, row});
  }
  entry.shared_rows.push_back({"value_rows", staging.value_rows, staging.value_rows, row});
}

}  // namespace

void describe_shared_memory(const schedule::KernelSpec& spec, KernelEntry& entry, bool gradients) {
  if (gradients) {
    entry.alignment = 16;
    if (spec.weights == WeightKind::kSoftmax) return describe_attention_back(spec, entry);
    return spec.key_gates ? describe_key_gradients(spec, entry) : describe_gradients(spec, entry);
  }
  const bool inputs = spec.staging && spec.staging->by_distance && spec.b.empty();
  if (inputs) return describe_inputs(spec, entry);
  if (spec.staging) return describe_staging(spec, *spec.staging, entry);
  if (!spec.tensor) return;
  entry.alignment = 16;
  if (spec.matrix_rows()) return describe_states(spec, entry);
  if (spec.key_gates) return describe_keys(spec, entry);
  if (spec.weights == WeightKind::kLinear) return describe_linear(spec, entry);
  if (spec.shifted_outputs) return describe_diagonals(spec, entry);
  if (spec.lattice_outputs) return describe_lattice(spec, entry);
  const bool feedback = spec.dense_outputs || spec.dense_sides;
  feedback ? describe_recurrence(spec, entry) : describe_attention(spec, entry);
}

}  // namespace heddle
