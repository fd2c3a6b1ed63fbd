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

// Each prelude includes the one before it.
enum class Prelude { kDevice, kStaging, kTensor, kSoftmax };
const char* file_of(Prelude prelude);  // "device_prelude.cuh"

// The call of a helper on products of matrices, by its number in the text.
struct HelperOf {
  std::string name;
  int call = 0;
};

// Vectors are moved by a loop over their elements, of kind kLanes, and the first one's place is a
// multiple of their number. The call of a helper that works on products of matrices is read as the
// loads and stores that it makes (lift_tensor.cpp), and as a reduction wherever lanes wait for each
// other; what is computed in between is any number.
struct Lifted {
  ir::Kernel kernel;
  Prelude prelude = Prelude::kDevice;  // that is included
  // By ValueId, the loads of what start_copy moves: load and store happen at any time from there on
  // until its batch is awaited.
  std::set<std::int32_t> started;
  // By ValueId, the loads that lanes make for each other: which of them is whose is not told.
  std::set<std::int32_t> by_warp;
  std::vector<TextPlace> value_at;  // by ValueId
  // By address: the kernel's statements may be moved with it but not copied.
  std::map<const ir::Statement*, TextPlace> statement_at;
  // By address, the statements that stand for the call of a helper on products of matrices.
  std::map<const ir::Statement*, HelperOf> helper_of;

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
