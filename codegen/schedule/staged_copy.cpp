// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/staged_copy.hpp"

#include "codegen/schedule/row_vectors.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::MemoryId;

int vector_of(const KernelSpec& spec) {
  constexpr int kVectorBytes = 16;
  int count = kVectorBytes / static_cast<int>(size_of(spec.dtype));
  while (spec.head_dim % count != 0) count /= 2;
  return count;
}

void copy_vector(Frame& frame, MemoryId to, Ex to_at, MemoryId from, Ex from_at) {
  frame.builder.invoke("copy_elements<" + std::to_string(vector_of(frame.spec)) + ">",
                       {ir::VectorPlace{to, to_at, true}, ir::VectorPlace{from, from_at}});
}

namespace {

void move_rows(const char* function, Frame& frame, MemoryId from, Ex token, MemoryId to, Ex to_at,
               Ex count, int most) {
  const int vector = vector_of(frame.spec);
  const int dim = frame.spec.head_dim;
  const RowVectors cut{dim, vector, vector * static_cast<int>(size_of(frame.spec.dtype))};
  const auto move = [&](Ex row, Ex d) {
    frame.builder.invoke(function + ("<" + std::to_string(vector) + ">"),
                         {ir::VectorPlace{to, to_at + row * dim + d, true},
                          ir::VectorPlace{from, frame.token_at(token + row) + d}});
  };
  each_vector(frame.builder, frame.thread, 32 * frame.warps, count, cut, move, most);
}

}  // namespace

void copy_rows(Frame& frame, MemoryId from, Ex token, MemoryId to, Ex to_at, Ex count, int most) {
  move_rows("copy_elements", frame, from, token, to, to_at, count, most);
}

void start_rows(Frame& frame, MemoryId from, Ex token, MemoryId to, Ex to_at, Ex count) {
  move_rows("start_copy", frame, from, token, to, to_at, count, 0);
}

}  // namespace heddle::schedule
