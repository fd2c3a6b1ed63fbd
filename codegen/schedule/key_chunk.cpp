// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/key_chunk.hpp"

#include "codegen/schedule/row_vectors.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;
using ir::VectorPlace;

namespace {

void unrolled_rows(Builder& builder, const char* name, int count,
                   const std::function<void(Ex)>& body) {
  builder.loop(name, builder.i64(0), builder.i64(count), builder.i64(1), LoopKind::kUnrolled, body);
}

}  // namespace

Ex KeyChunk::gate(Ex row, Ex s) const {
  return frame.builder.load(reals, row * frame.spec.state_dim + s);
}

void KeyChunk::each_item(std::int64_t count, const std::function<void(Ex)>& body) const {
  Builder& builder = frame.builder;
  builder.loop("item", thread, builder.i64(count), builder.i64(threads), LoopKind::kSerial, body);
}

void KeyChunk::bring_gates(Ex first, Ex size) const {
  constexpr int kReals = 4;  // of sixteen bytes
  Builder& builder = frame.builder;
  const int rows = frame.spec.state_dim;
  each_vector(
      builder, thread, threads, builder.i64(kTensorChunk), {rows, kReals}, [&](Ex row, Ex s) {
        const Ex to = builder.let("to", row * rows + s);
        builder.when(
            row < size,
            [&] {
              builder.invoke("copy_elements<" + std::to_string(kReals) + ">",
                             {VectorPlace{reals, to, true},
                              VectorPlace{frame.gate, frame.row_of(first + row) * rows + s}});
            },
            [&] {
              unrolled_rows(builder, "e", kReals,
                            [&](Ex e) { builder.store(reals, to + e, builder.f32(1)); });
            });
      });
}

void KeyChunk::weigh() const {
  Builder& builder = frame.builder;
  const int parts = weight_parts(frame.spec);
  builder.comment("what the rows of a block weigh for each other, in parts");
  builder.when(thread < kTensorChunk * parts, [&] {
    const Ex j = builder.let("j", thread % kKeyBlock);
    const Ex part = builder.let("part", thread / kKeyBlock % parts);
    const Ex from = builder.let("from", thread / (kKeyBlock * parts) * kKeyBlock);
    const MemoryId column = builder.array("column", Type::kF32, kKeyBlock);
    unrolled_rows(builder, "i", kKeyBlock, [&](Ex i) { builder.store(column, i, builder.f32(0)); });
    builder.loop(
        "s", part, builder.i64(frame.spec.state_dim), builder.i64(parts), LoopKind::kSerial,
        [&](Ex s) {
          const Var key =
              builder.variable("key", builder.load(staged, (from + j) * key_stride + s + keys_at));
          unrolled_rows(builder, "i", kKeyBlock, [&](Ex i) {
            const Ex row = from + i;
            builder.assign(key, Ex(key) * builder.select(i > j, gate(row, s), builder.f32(1)));
            builder.store(
                column, i,
                builder.load(column, i) + builder.load(staged, row * key_stride + s) * Ex(key));
          });
        });
    unrolled_rows(builder, "i", kKeyBlock, [&](Ex i) {
      builder.store(reals, part_at(part, from + i, j), builder.load(column, i));
    });
  });
}

Ex KeyChunk::part_at(Ex part, Ex row, Ex j) const {
  return part * (kTensorChunk * kKeyBlock) + row * kKeyBlock + j + parts_at;
}

void KeyChunk::add_weights(bool turned) const {
  Builder& builder = frame.builder;
  each_item(kTensorChunk * kKeyBlock, [&](Ex item) {
    const Ex row = builder.let("row", item / kKeyBlock);
    const Ex j = builder.let("j", item % kKeyBlock);
    const Ex i = builder.let("i", row % kKeyBlock);
    const Var sum = builder.variable("sum", builder.f32(0));
    unrolled_rows(builder, "part", weight_parts(frame.spec), [&](Ex part) {
      builder.assign(sum, Ex(sum) + builder.load(reals, part_at(part, row, j)));
    });
    const Ex to =
        turned ? (row - i + j) * KeyLayout::kWeightStride + i : row * KeyLayout::kWeightStride + j;
    builder.store(staged, to + weights_at, builder.select(i < j, builder.f32(0), sum));
  });
}

}  // namespace heddle::schedule
