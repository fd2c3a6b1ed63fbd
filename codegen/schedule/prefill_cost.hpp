// SPDX-License-Identifier: Apache-2.0
// What a prefill launch on cuda moves and computes, for one batch and head over the first
// rows.n() - 1 tokens, no state wanted. counters_test holds these numbers to the emulator's.
#pragma once

#include <cstdint>
#include <vector>

#include "codegen/schedule/kernel_spec.hpp"
#include "patterns/materialize.hpp"

namespace heddle::schedule {

struct Cost {
  Prediction prediction;
  std::int64_t tensor_flops = 0;  // among those of the prediction
};

// q, k, x and y once each, with what else a launch cannot do without.
std::int64_t minimum_bytes(const KernelSpec& spec, const Rows& rows);

// The entries of all rows by how far before their chunk they lie; 0 for those inside it.
struct Reach {
  std::vector<std::int64_t> entries;  // behind -> how many
  std::int64_t near_steps = 0;        // from a row's nearest entry of the chunk on to the row
  std::int64_t total = 0;

  std::int64_t near() const { return entries[0]; }
};
Reach reach_of(const RowTable& table, std::int64_t tokens, std::int64_t chunk);

// Entries of both sides.
std::int64_t entries_of(const Rows& rows);

// The flops of all rows by all lanes that share one, whether or not what they compute differs.
struct Mixing {
  std::int64_t near = 0;        // entries that are left to a substitution
  std::int64_t near_steps = 0;  // multiply-adds of it, for each channel
  std::int64_t weighed = 0;     // columns of chunks whose softmax weights are reckoned
  bool warp_asks = false;       // a given coefficient is handed on by a sum over the warp
  int sharing = 32;             // lanes of a row
};
std::int64_t mixing_flops(const KernelSpec& spec, const Rows& rows, const Mixing& how);

Cost simple_cost(const KernelSpec& spec, const Rows& rows);

}  // namespace heddle::schedule
