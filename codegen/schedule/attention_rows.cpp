// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/attention_rows.hpp"

#include "codegen/schedule/row_vectors.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::VectorPlace;

namespace {

constexpr int kScores = 4 * kScoreTiles;

std::string vectors(const char* name) { return on_tiles(name, kAttentionVector); }

}  // namespace

void declare_attention(Frame& frame) {
  const KernelSpec& spec = frame.spec;
  frame.warps = spec.tensor->warps;
  frame.builder.side_by_side(tiles_side_by_side(spec));
  for (const char* size : {"key_rows", "value_rows", "tile_rows"}) frame.builder.size(size);
  frame.chunks = frame.builder.size("chunks");
}

AttentionRows::AttentionRows(Frame& frame)
    : layout(frame.spec),
      frame_(frame),
      builder_(frame.builder),
      dim_(frame.spec.head_dim),
      tiles_(frame.spec.head_dim / 8) {}

int AttentionRows::threads() const { return 32 * frame_.spec.tensor->warps; }
int AttentionRows::pieces() const { return dim_ / kAttentionVector; }

void AttentionRows::open() { staged_ = builder_.dynamic_array("staged", frame_.spec.dtype); }

void AttentionRows::begin() {
  own_at_ = builder_.let("own_at", frame_.warp * (16 * layout.stride));
  scores_ = builder_.array("scores", Type::kF32, kScores);
  outputs_ = builder_.array("outputs", Type::kF32, 4 * tiles_);
  highest_ = builder_.array("highest", Type::kF32, 2);
  totals_ = builder_.array("totals", Type::kF32, 2);
  fill(outputs_, 4 * tiles_, builder_.f32(0));
  fill(highest_, 2, builder_.lowest_score());
  fill(totals_, 2, builder_.f32(0));
}

void AttentionRows::fill(MemoryId sums, int count, Ex value) {
  each_sum(count, [&](Ex e) { builder_.store(sums, e, value); });
}
void AttentionRows::each_sum(int count, const std::function<void(Ex)>& body) {
  builder_.loop("e", builder_.i64(0), builder_.i64(count), builder_.i64(1), LoopKind::kUnrolled,
                body);
}

void AttentionRows::each_piece(Ex rows, const std::function<void(Ex, Ex)>& body) {
  each_vector(builder_, frame_.thread, threads(), rows, {dim_, kAttentionVector}, body);
}

void AttentionRows::bring_queries(Ex first, Ex size) {
  each_piece(builder_.i64(layout.rows), [&](Ex row, Ex d) {
    const Ex to = builder_.let("to", row * layout.stride + d);
    builder_.when(
        row < size,
        [&] {
          builder_.invoke(vectors("start_copy"),
                          {VectorPlace{staged_, to, true},
                           VectorPlace{frame_.q, frame_.token_at(first + row) + d}});
        },
        [&] {
          builder_.invoke(vectors("clear_elements"), {VectorPlace{staged_, to, true}});
        });
  });
}

AttentionRows::Place AttentionRows::place_of(Ex stage, Ex row, Ex d) {
  const Ex key =
      builder_.let("key_to", stage * layout.window + row * layout.stride + d + layout.keys_at);
  return {key, builder_.let("value_to", key + (layout.values_at - layout.keys_at))};
}

void AttentionRows::start(const Place& to, const Location& from, Ex d) {
  builder_.invoke(vectors("start_copy"),
                  {VectorPlace{staged_, to.key, true}, VectorPlace{from.key, from.at + d}});
  builder_.invoke(vectors("start_copy"),
                  {VectorPlace{staged_, to.value, true}, VectorPlace{from.value, from.at + d}});
}

void AttentionRows::clear(const Place& at) {
  for (const Ex& place : {at.key, at.value}) {
    builder_.invoke(vectors("clear_elements"), {VectorPlace{staged_, place, true}});
  }
}

void AttentionRows::mix(Ex stage, const std::function<void(VectorPlace)>& mask) {
  const Ex keys = builder_.let("keys_at", stage * layout.window + layout.keys_at);
  const Ex values = builder_.let("values_at", stage * layout.window + layout.values_at);
  const Ex stride = builder_.i64(layout.stride);
  const auto whole = [&](MemoryId sums) { return VectorPlace{sums, builder_.i64(0), true}; };
  fill(scores_, kScores, builder_.f32(0));
  builder_.invoke(
      on_tiles("multiply_rows_by_rows", kScoreTiles, dim_),
      {whole(scores_), VectorPlace{staged_, own_at_}, stride, VectorPlace{staged_, keys}, stride});
  each_sum(kScores,
           [&](Ex e) { builder_.store(scores_, e, frame_.scale * builder_.load(scores_, e)); });
  mask(whole(scores_));
  builder_.invoke(on_tiles("raise_highest", kScoreTiles, tiles_),
                  {whole(scores_), whole(highest_), whole(totals_), whole(outputs_)});
  builder_.invoke(on_tiles("weigh_scores", kScoreTiles),
                  {whole(scores_), whole(highest_), whole(totals_)});
  builder_.loop("part", builder_.i64(0), builder_.i64(kTensorChunk / 16), builder_.i64(1),
                LoopKind::kUnrolled, [&](Ex part) {
                  builder_.invoke(
                      on_tiles("multiply_sums_by_columns", tiles_),
                      {whole(outputs_), VectorPlace{scores_, part * 8},
                       VectorPlace{staged_, values + part * (16 * layout.stride)}, stride});
                });
}

void AttentionRows::write(Ex first, Ex size) {
  builder_.invoke(on_tiles("divide_rows", tiles_), {VectorPlace{outputs_, builder_.i64(0), true},
                                                    VectorPlace{totals_, builder_.i64(0)}});
  builder_.invoke(on_tiles("store_sums", tiles_),
                  {VectorPlace{staged_, own_at_, true}, builder_.i64(layout.stride),
                   VectorPlace{outputs_, builder_.i64(0)}});
  builder_.barrier();
  each_piece(size, [&](Ex row, Ex d) {
    builder_.invoke(vectors("copy_elements"),
                    {VectorPlace{frame_.y, frame_.token_at(first + row) + d, true},
                     VectorPlace{staged_, row * layout.stride + d}});
  });
}

}  // namespace heddle::schedule
