// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/row_vectors.hpp"

#include <algorithm>

#include "codegen/schedule/kernel_spec.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::LoopKind;

int RowVectors::threads_of_row() const {
  constexpr int kSectorBytes = 32;
  const int together = std::min(of_row() & -of_row(), most_threads);
  return together == of_row() || together * vector_bytes >= kSectorBytes ? together : 0;
}

void each_vector(ir::Builder& builder, Ex thread, int threads, Ex rows, const RowVectors& cut,
                 const std::function<void(Ex, Ex)>& body, int most, LoopKind kind) {
  const int together = cut.threads_of_row();
  const int turns = together == 0 ? 1 : cut.of_row() / together;
  const int pieces = cut.of_row() / turns;
  const auto take = [&](Ex piece) {
    const Ex row = builder.let("row", piece / pieces);
    const Ex d = builder.let("d", piece % pieces * cut.vector);
    if (turns == 1) return body(row, d);
    builder.loop(
        "turn", builder.i64(0), builder.i64(turns), builder.i64(1), LoopKind::kUnrolled,
        [&](Ex turn) { body(row, builder.let("at_d", d + turn * (pieces * cut.vector))); });
  };
  if (most > 0 && most * pieces <= threads) {
    return builder.when(thread < rows * pieces, [&] { take(thread); });
  }
  builder.loop("piece", thread, rows * pieces, builder.i64(threads), kind, take);
}

void bring_rows(ir::Builder& builder, ir::MemoryId staged, Ex thread, int threads,
                ir::MemoryId from, const ChunkRows& to, Ex size,
                const std::function<Ex(Ex)>& place) {
  const std::string pieces = "<" + std::to_string(kPiece) + ">";
  each_vector(
      builder, thread, threads, builder.i64(kTensorChunk), {to.width, kPiece}, [&](Ex row, Ex d) {
        const ir::VectorPlace there{staged, builder.let("to", row * to.stride + d + to.at), true};
        builder.when(
            row < size,
            [&] {
              builder.invoke("copy_elements" + pieces,
                             {there, ir::VectorPlace{from, place(row) + d}});
            },
            [&] { builder.invoke("clear_elements" + pieces, {there}); });
      });
}

}  // namespace heddle::schedule
