// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/attention_back_tiles.hpp"

#include "codegen/schedule/row_vectors.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::VectorPlace;

AttentionBackTiles::AttentionBackTiles(const KernelSpec& the_spec, const std::string& step,
                                       GradientScratch scratch)
    : spec(the_spec),
      layout(the_spec),
      tiles(the_spec.head_dim / 8),
      reach(the_spec.input_window > 0 ? the_spec.input_window - 1 : 0),
      builder(the_spec.symbol + "_" + step, the_spec.target, threads()),
      frame(builder, the_spec, scratch) {
  frame.chunks = builder.size("chunks");
  builder.side_by_side(back_tiles_side_by_side(spec));
}

ir::Kernel AttentionBackTiles::run(const std::function<void()>& chunk, bool longest_last) {
  frame.each_block([&] {
    staged = builder.dynamic_array("staged", spec.dtype);
    if (longest_last) builder.comment("chunks with the longest rows begin first");
    const Ex number = longest_last ? *frame.chunks - 1 - frame.chunk : frame.chunk;
    first = builder.let("first", number * layout.rows);
    builder.when(first < frame.tokens, [&] {
      size = builder.let(
          "size", builder.call(Helper::kMinimum, {builder.i64(layout.rows), frame.tokens - first}));
      own_at = builder.let("own_at", frame.warp * (16 * layout.stride));
      chunk();
    });
  });
  return builder.take();
}

void AttentionBackTiles::each_piece(Ex rows, const std::function<void(Ex, Ex)>& body) {
  each_vector(builder, frame.thread, threads(), rows, {spec.head_dim, kAttentionVector}, body);
}
void AttentionBackTiles::bring(MemoryId from, Ex token, Ex to, Ex d) {
  builder.invoke(on_tiles("start_copy", kAttentionVector),
                 {VectorPlace{staged, to, true}, VectorPlace{from, frame.token_at(token) + d}});
}
void AttentionBackTiles::clear(Ex to) {
  builder.invoke(on_tiles("clear_elements", kAttentionVector), {VectorPlace{staged, to, true}});
}

void AttentionBackTiles::bring_own(const Both& from) {
  each_piece(builder.i64(layout.rows), [&](Ex row, Ex d) {
    const Ex to = builder.let("to", row * layout.stride + d);
    const Ex to_second = builder.let("to_second", to + layout.seconds_at);
    builder.when(
        row < size,
        [&] {
          bring(from.first, first + row, to, d);
          bring(from.second, first + row, to_second, d);
        },
        [&] {
          clear(to);
          clear(to_second);
        });
  });
}

void AttentionBackTiles::bring_own_to_second_window(MemoryId from) {
  each_piece(builder.i64(layout.rows), [&](Ex row, Ex d) {
    const Ex to = builder.let("to", row * layout.stride + d + layout.second_window_at());
    builder.when(
        row < size, [&] { bring(from, first + row, to, d); }, [&] { clear(to); });
  });
}

void AttentionBackTiles::bring_window(const Both& from, Ex token, Ex stage, bool some_missing) {
  each_piece(builder.i64(kTensorChunk), [&](Ex row, Ex d) {
    const Ex to = builder.let(
        "to", stage * (2 * layout.window) + row * layout.stride + d + layout.windows_at);
    const Ex to_second = builder.let("to_second", to + layout.window);
    const Ex of = builder.let("token", token + row);
    const auto start = [&] {
      bring(from.first, of, to, d);
      bring(from.second, of, to_second, d);
    };
    if (!some_missing) return start();
    builder.when(of < frame.tokens, start, [&] {
      clear(to);
      clear(to_second);
    });
  });
}

VectorPlace AttentionBackTiles::window_first(Ex stage, Ex row) {
  return {staged, stage * (2 * layout.window) + row * layout.stride + layout.windows_at};
}
VectorPlace AttentionBackTiles::window_second(Ex stage, Ex row) {
  return {staged,
          stage * (2 * layout.window) + row * layout.stride + (layout.windows_at + layout.window)};
}

void AttentionBackTiles::send(MemoryId to, std::int64_t from) {
  each_piece(size, [&](Ex row, Ex d) {
    builder.invoke(on_tiles("copy_elements", kAttentionVector),
                   {VectorPlace{to, frame.token_at(first + row) + d, true},
                    VectorPlace{staged, row * layout.stride + d + from}});
  });
}

MemoryId AttentionBackTiles::sums(const char* name, int count) {
  const MemoryId sums = builder.array(name, Type::kF32, count);
  fill(sums, count, builder.f32(0));
  return sums;
}
void AttentionBackTiles::each_sum(int count, const std::function<void(Ex)>& body) {
  builder.loop("e", builder.i64(0), builder.i64(count), builder.i64(1), LoopKind::kUnrolled, body);
}
void AttentionBackTiles::fill(MemoryId sums, int count, Ex value) {
  each_sum(count, [&](Ex e) { builder.store(sums, e, value); });
}

}  // namespace heddle::schedule
