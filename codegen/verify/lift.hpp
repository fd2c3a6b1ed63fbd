// SPDX-License-Identifier: Apache-2.0
// Reads the text of a CUDA kernel back into the IR, so that proofs are about the text that a
// compiler gets and not about what the printer was asked to print. The grammar is that of the
// printer with C++'s own precedence, scopes and conversions; what lies outside it is refused with
// file, line and column, never skipped.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/ir/ir.hpp"
#include "codegen/verify/lexer.hpp"

namespace heddle::verify {

struct Lifted {
  ir::Kernel kernel;
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

// The parameters must be those of `entry`, in its order, and so must symbol and threads.
Result<Lifted> lift(const std::string& text, const KernelEntry& entry);

}  // namespace heddle::verify
