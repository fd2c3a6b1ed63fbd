// SPDX-License-Identifier: Apache-2.0
// Reads the text of a CUDA kernel back into the IR, so that proofs are about the text that a
// compiler gets and not about what the printer was asked to print. The grammar is that of the
// printer with C++'s own precedence, scopes and conversions; what lies outside it is refused with
// file, line and column, never skipped.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "codegen/ir/ir.hpp"
#include "codegen/verify/lexer.hpp"

namespace heddle::verify {

// Vectors are moved by a loop over their elements, of kind kLanes: each element is stored from a
// load, and the first one's place is a multiple of their number.
struct Lifted {
  ir::Kernel kernel;
  // By ValueId, the loads of what start_copy moves: load and store happen at any time from there on
  // until its batch is awaited.
  std::set<std::int32_t> started;
  bool staging = false;             // includes staging_prelude.cuh
  std::vector<TextPlace> value_at;  // by ValueId
  // By address: the kernel's statements may be moved with it but not copied.
  std::map<const ir::Statement*, TextPlace> statement_at;

  Lifted() = default;
  Lifted(Lifted&&) = default;
  Lifted& operator=(Lifted&&) = default;
  Lifted(const Lifted&) = delete;
  Lifted& operator=(const Lifted&) = delete;

  TextPlace place(ir::ValueId id) const { return value_at[static_cast<std::size_t>(id.index)]; }
  TextPlace place(const ir::Statement& statement) const { return statement_at.at(&statement); }
};

// The power of two below a warp that a kernel which moves vectors divides by, 1 where there is
// none.
int parts_of_lanes(const Lifted& lifted);

// The parameters must be those of `entry`, in its order, and so must symbol and threads.
Result<Lifted> lift(const std::string& text, const KernelEntry& entry);

}  // namespace heddle::verify
