// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/diagonal_rows.hpp"

#include "codegen/schedule/attention_rows.hpp"
#include "codegen/schedule/row_vectors.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::VectorPlace;

namespace {

std::string vectors(const char* name) { return on_tiles(name, kAttentionVector); }

}  // namespace

DiagonalRows::DiagonalRows(Frame& frame)
    : layout(frame.spec),
      staged(frame.builder.dynamic_array("staged", frame.spec.dtype)),
      frame_(frame),
      builder_(frame.builder) {}

void DiagonalRows::clear(Ex at) {
  builder_.invoke(vectors("clear_elements"), {VectorPlace{staged, at, true}});
}
void DiagonalRows::start(Ex to, ir::MemoryId from, Ex at) {
  builder_.invoke(vectors("start_copy"), {VectorPlace{staged, to, true}, VectorPlace{from, at}});
}
void DiagonalRows::each_piece(Ex rows, const std::function<void(Ex, Ex)>& body) {
  each_vector(builder_, frame_.thread, 32 * frame_.warps, rows,
              {frame_.spec.head_dim, kAttentionVector}, body);
}

void DiagonalRows::open() {
  builder_.comment("a ring of the last chunks and this one, which begins with what a state holds");
  each_piece(builder_.i64(layout.reach), [&](Ex row, Ex d) {
    const Ex key =
        builder_.let("key_to", row * layout.stride + d + (layout.keys_at + layout.window));
    const Ex value = builder_.let("value_to", key + layout.side);
    const Ex position = builder_.let("p", frame_.start - layout.reach + 1 + row);
    builder_.when(
        position > 0,
        [&] {
          const Location from = frame_.locate_in_state(frame_.b, position);
          start(key, from.key, from.at + d);
          start(value, from.value, from.at + d);
        },
        [&] {
          clear(key);
          clear(value);
        });
  });
  // No row of a window is taken before it has come; but that rests on distances that ascend, which
  // the static layer does not follow.
  each_piece(builder_.i64(layout.side / layout.stride - layout.slots()), [&](Ex row, Ex d) {
    const Ex key = builder_.let(
        "blank_at", row * layout.stride + d + (layout.keys_at + layout.slots() * layout.stride));
    clear(key);
    clear(key + layout.side);
  });
}

void DiagonalRows::bring_first_chunk() {
  const Ex zero = builder_.i64(0);
  bring(zero, zero, zero, builder_.i64(layout.rows));
  bring_again(zero);
}
void DiagonalRows::bring_sixteen(Ex first, Ex turn, Ex part) {
  builder_.when(first + part < frame_.tokens, [&] {
    bring(first, turn, part, builder_.i64(kDiagonalRows));
    builder_.when(both(equal(turn, builder_.i64(0)), equal(part, builder_.i64(0))),
                  [&] { bring_again(first); });
  });
  builder_.invoke("close_batch", {});
  builder_.invoke("await_batches<1>", {});
}

void DiagonalRows::bring(Ex first, Ex turn, Ex part, Ex count) {
  each_piece(count, [&](Ex below, Ex d) {
    const Ex row = builder_.let("chunk_row", part + below);
    const Ex to = builder_.let("to", row * layout.stride + d);
    const Ex key = builder_.let("key_to", to + turn * layout.window + layout.keys_at);
    const Ex value = builder_.let("value_to", key + layout.side);
    const Ex token = builder_.let("token", first + row);
    builder_.when(
        token < frame_.tokens,
        [&] {
          const Ex from = builder_.let("from", frame_.token_at(token) + d);
          start(to, frame_.q, from);
          start(key, frame_.k, from);
          start(value, frame_.x, from);
        },
        [&] {
          for (const Ex& at : {to, key, value}) clear(at);
        });
  });
}

// What lies behind the ring's end.
void DiagonalRows::bring_again(Ex first) {
  each_piece(builder_.i64(kDiagonalRows), [&](Ex row, Ex d) {
    const Ex key = builder_.let(
        "again_to", row * layout.stride + d + (layout.keys_at + layout.slots() * layout.stride));
    const Ex token = builder_.let("token", first + row);
    builder_.when(
        token < frame_.tokens,
        [&] {
          const Ex from = builder_.let("from", frame_.token_at(token) + d);
          start(key, frame_.k, from);
          start(key + layout.side, frame_.x, from);
        },
        [&] {
          clear(key);
          clear(key + layout.side);
        });
  });
}

void DiagonalRows::bring_window(Ex before, Ex distance, Ex from_slot, Ex rows) {
  const std::int64_t slots = 2 * layout.rows, behind = slots * layout.stride;
  each_piece(rows, [&](Ex row, Ex d) {
    const Ex slot = builder_.let("to_slot", (from_slot + row) % slots);
    const Ex key =
        builder_.let("key_to", (slot + layout.first_window) * layout.stride + d + layout.keys_at);
    const Ex value = builder_.let("value_to", key + layout.side);
    const Ex twice = builder_.let("twice", slot < builder_.i64(kDiagonalRows));
    const Ex position = builder_.let("p", before - distance + row + 1);
    builder_.when(
        position > 0,
        [&] {
          const Location from = frame_.locate(frame_.b, position);
          const Ex at = builder_.let("from", from.at + d);
          start(key, from.key, at);
          start(value, from.value, at);
          builder_.when(twice, [&] {
            start(key + behind, from.key, at);
            start(value + behind, from.value, at);
          });
        },
        [&] {
          clear(key);
          clear(value);
          builder_.when(twice, [&] {
            clear(key + behind);
            clear(value + behind);
          });
        });
  });
}

void DiagonalRows::arrive() {
  builder_.invoke("close_batch", {});
  builder_.invoke("await_batches<0>", {});
  builder_.barrier();
}

void DiagonalRows::write(Ex first, Ex size, Ex turn) {
  each_piece(size, [&](Ex row, Ex d) {
    builder_.invoke(
        vectors("copy_elements"),
        {VectorPlace{frame_.y, frame_.token_at(first + row) + d, true},
         VectorPlace{staged, turn * layout.window + row * layout.stride + d + layout.values_at}});
  });
}

}  // namespace heddle::schedule
