// SPDX-License-Identifier: Apache-2.0
// Where backward on cuda may be several launches in which rows gather.
#pragma once

#include "codegen/schedule/gradient_frame.hpp"

namespace heddle::schedule {

bool gathers(const KernelSpec& spec);

// The launches of it with a block for each chunk of tokens, where spec.gather->windows says so.
enum class WindowUse { kWeights, kRows, kColumns };
constexpr int kWindowWarps = 16;  // at most
// Tokens of such a chunk: as many as leave their sums in registers.
int window_tokens(const KernelSpec& spec);
bool has_windows(const KernelSpec& spec, std::int64_t shared_bytes);
// Of what has windows: whether there is room for those of two distances.
bool has_windows_ahead(const KernelSpec& spec, std::int64_t shared_bytes);
// Of these: whether there is room for two blocks whose warps have twice as many rows.
bool has_window_pairs(const KernelSpec& spec, std::int64_t shared_bytes);
ir::Kernel windowed(const KernelSpec& spec, WindowUse use);
// Of dynamic shared memory, and what bytes every buffer's address is a multiple of.
std::vector<SharedRows> window_rows(const KernelSpec& spec, WindowUse use);
int window_alignment(const KernelSpec& spec);

// Of softmax where B is a lattice and A = {i}: whether groups of lanes have a row each in the
// launches with a block for each chunk of tokens; and those then, `use` being kWeights or kRows.
bool shares_lattice(const KernelSpec& spec);
constexpr int kLatticeTokens = 128;    // of such a chunk
constexpr int kLatticeAlignment = 16;  // bytes of which every buffer's address is a multiple
ir::Kernel lattice_rows(const KernelSpec& spec, WindowUse use);

// With gated weights: the launches with a block for each chunk of tokens; what bytes every buffer's
// address is a multiple of, 0 where any will do.
ir::Kernel gated_rows(const KernelSpec& spec);
ir::Kernel gated_columns(const KernelSpec& spec);
int gated_alignment(const KernelSpec& spec);
// The same where B is a lattice and A = {i}: lambda with the gradients of B's gates, a block for
// each head; whether that has room.
bool has_gated_lambda(const KernelSpec& spec, std::int64_t shared_bytes);
ir::Kernel gated_lambda(const KernelSpec& spec);
std::vector<SharedRows> gated_lambda_rows(const KernelSpec& spec);

// Two launches of it, where B is a lattice and A = {i}: lambda, with a block for each head, and the
// gradients of keys, with one for each chunk of tokens.
ir::Kernel nested_lambda(const KernelSpec& spec);
std::vector<SharedRows> lambda_rows(const KernelSpec& spec);  // of its dynamic shared memory
ir::Kernel nested_columns(const KernelSpec& spec);
int nested_alignment(const KernelSpec& spec);  // of buffers of the latter, 0 where any will do

}  // namespace heddle::schedule
