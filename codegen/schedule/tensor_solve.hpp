// SPDX-License-Identifier: Apache-2.0
// The system that a window of kTensorChunk rows of a chunk on tensor cores leaves,
//   Y = F + N Y    with F what is summed so far and N strictly below the diagonal,
// sixteen rows at a time: their warp leaves its sums and what its rows weigh each other with in
// shared memory, a thread a channel substitutes them, with outputs in registers, and then the warps
// below add what these outputs weigh for their rows as a product. The same backwards, with N
// strictly above the diagonal, from the last sixteen rows to the first.
#pragma once

#include <functional>
#include <optional>

#include "codegen/schedule/frame.hpp"

namespace heddle::schedule {

class TensorSolve {
 public:
  // Values lie in `staged`, rows of the head's channels so many elements apart. The threads from
  // `first_thread` on substitute, a channel each.
  TensorSolve(Frame& frame, ir::MemoryId staged, std::int64_t stride, int first_thread = 0)
      : TensorSolve(frame.builder, frame.spec, frame.thread, staged, stride, first_thread) {}
  TensorSolve(ir::Builder& builder, const KernelSpec& spec, ir::Ex thread, ir::MemoryId staged,
              std::int64_t stride, int first_thread);

  struct System {
    ir::Ex values;               // place of the window's first row: inputs, then outputs
    ir::Ex diagonal;             // the first of the warp's rows, counted from the window's first
    ir::MemoryId weights, sums;  // N and F of the warp's rows, in registers
    bool inputs = true;          // a row's own input is weighed, by the diagonal of N
    bool backwards = false;
    // Where given: what a thread does besides with channel d of row r of the window.
    std::function<void(ir::Ex r, ir::Ex d, ir::Ex output)> keep = {};
  };
  // What all warps do besides, while sixteen rows are solved and when their outputs are there.
  struct Others {
    std::function<void(ir::Ex part)> meanwhile, behind;
  };
  // `adds`: whether a warp adds, where it comes behind the sixteen rows that are solved.
  void solve(const System& system, const std::function<ir::Ex(ir::Ex)>& adds,
             const std::optional<Others>& others = {});

  // Shared memory besides, in bytes.
  static std::int64_t bytes_of(int head_dim);

 private:
  void leave(const System& system, ir::Ex part);
  void substitute(const System& system, ir::Ex part, ir::Ex values);
  void add(const System& system, ir::Ex part, ir::Ex values);
  void load_column(ir::MemoryId weighs, ir::Ex column, ir::Ex from, ir::Ex end, ir::Ex to);

  ir::Builder& builder_;
  ir::Ex thread_;
  ir::MemoryId staged_, near_, sums_;
  std::int64_t stride_;
  int first_thread_, dim_;
};

}  // namespace heddle::schedule
