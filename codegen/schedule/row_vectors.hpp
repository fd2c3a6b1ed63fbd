// SPDX-License-Identifier: Apache-2.0
// Rows that a block moves, vector by vector: which thread has which of them.
#pragma once

#include <functional>

#include "codegen/ir/builder.hpp"

namespace heddle::schedule {

// How a row is cut: `width` elements, a multiple of the `vector` that are moved at once.
struct RowVectors {
  int width = 0;
  int vector = 1;
  int vector_bytes = 16;
  int most_threads = 1024;  // of a row: a power of two, so that rows of two kinds are cut alike

  int of_row() const { return width / vector; }
  // Threads that share a row: as many as it has vectors where that is a power of two, else the
  // largest power of two that divides them and still asks for whole sectors of 32 bytes. 0: none
  // does, and vectors are counted through.
  int threads_of_row() const;
};

// Visits (row, first element of the vector in it) for all vectors of `rows` rows, shared out among
// the `threads` of a block. Where threads share rows by powers of two, the static layer can tell
// them apart.
// `most`, where given: rows are never more, so that threads which have one vector at most go
// through no loop, which nvcc would unroll.
void each_vector(ir::Builder& builder, ir::Ex thread, int threads, ir::Ex rows,
                 const RowVectors& cut, const std::function<void(ir::Ex row, ir::Ex d)>& body,
                 int most = 0, ir::LoopKind kind = ir::LoopKind::kSerial);

constexpr int kPiece = 8;  // elements of sixteen bytes, which are moved at once

// Rows of a chunk in shared memory, of the kernel's type: place, stride and width in elements.
struct ChunkRows {
  std::int64_t at, stride;
  int width;
};
// Brings kTensorChunk rows, each from `place(row)` of `from` on; those behind the first `size` are
// zero, so that nothing else has to know of them.
void bring_rows(ir::Builder& builder, ir::MemoryId staged, ir::Ex thread, int threads,
                ir::MemoryId from, const ChunkRows& to, ir::Ex size,
                const std::function<ir::Ex(ir::Ex row)>& place);

}  // namespace heddle::schedule
