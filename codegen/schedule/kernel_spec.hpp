// SPDX-License-Identifier: Apache-2.0
// What a schedule is asked for, and the schedules: each turns a pattern into one kernel.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codegen/ir/ir.hpp"
#include "codegen/rows/row_plan.hpp"

namespace heddle::schedule {

// Rows of a chunk of the simple prefill on cuda; at most 32, so that a lane can keep the near
// weight of one column.
constexpr int kSimpleChunk = 16;
// Of staged prefill: the lanes of a warp, or twice as many where twice the warps have them.
constexpr int kStagedChunk = 32;
// Of prefill on tensor cores: rows, 16 to a warp.
constexpr int kTensorChunk = 64;

// What a staged prefill keeps in shared memory. The rows of the chunk at hand and as many before
// them as a ring has room for; beside them, where rows of B are nested, what the rows to come read.
// Sizes are the most that a launch gives, see SharedRows in the manifest.
struct Staging {
  int warps = 8;
  int chunk_rows = kStagedChunk;
  std::int64_t key_rows = kStagedChunk;  // softmax only; rings hold whole chunks
  std::int64_t value_rows = kStagedChunk;
  std::int64_t live_rows = 0;
  std::int64_t gate_rows = 0;  // gated only: coefficients that are kept or come in
  // Where B is a lattice: terms of it that a chunk's rows are looked up for beforehand, none where
  // there is no room for all that a state has slots for.
  std::int64_t live_terms = 0;
  // Instead of rings and live rows: tiles of so many rows, and by side a list of the offsets of a
  // row up to so many, none where rows have every offset. B reaches back where it is not empty, A
  // where `far_a` says so.
  std::int64_t tile_rows = 0;
  bool far_a = false;
  bool by_distance = false;  // instead of windows by position, see DistanceTiles
  std::int64_t offsets_a = 0;
  std::int64_t offsets_b = 0;
};

// How a prefill on tensor cores shares its work out.
struct TensorSplit {
  // A multiple of four. Linear: so many fours each take a part of the channels; softmax: each warp
  // has sixteen rows of its own.
  int warps = 4;
  int slices = 1;              // that blocks cut a head's channels into
  int ring_chunks = 3;         // diagonals: in shared memory, with the one at hand
  // Lattices: of earlier positions that have scores at a time, and those that stay from one chunk
  // to the next.
  int columns = kTensorChunk;
  int kept = 0;
};

// How first order is cut into chunks that are worked on side by side.
struct ScanSplit {
  int chunk_tokens = 64;
};
// How backward on cuda is several launches, where rows gather what others have for them: a block
// for so many tokens in all launches but the one that solves for lambda, which has `staging`.
struct GatherSplit {
  int chunk_tokens = 32;
  bool windows = false;  // which shared memory has, each row of them once, see WindowLaunch
  bool ahead = false;    // with room for the rows of the next distance, which come in meanwhile
  bool pairs = false;    // where sums leave registers, two blocks of half the warps side by side
};
// Of nested rows, positions that a launch has weights for at a time.
constexpr int kMostNested = 128;
// The launch that goes over chunks has so many warps, and each of them so many chunks at a time.
constexpr int kChainWarps = 16;
constexpr int kWarpChunks = 4;

struct KernelSpec {
  const Pattern& pattern;
  const rows::RowPlan& a;
  const rows::RowPlan& b;
  WeightKind weights = WeightKind::kSoftmax;
  ir::Target target = ir::Target::kCpu;
  ElementType dtype = ElementType::kF32;
  int head_dim = 64;
  int state_dim = 0;       // kLinear only
  bool key_gates = false;  // likewise, first order: each row of a state has a gate of its own
  CacheRetention keep_a = CacheRetention::kNone;
  CacheRetention keep_b = CacheRetention::kNone;
  std::string symbol{};
  bool first_order = false;      // A = {i} and B = {i - 1}, for every row
  bool dense_inputs = false;     // A = {1..i} and B is empty, for every row
  bool dense_outputs = false;    // A = {i} and B = {1..i-1}, for every row
  bool dense_sides = false;      // A = {1..i} and B = {1..i-1}, for every row
  bool lattice_outputs = false;  // A = {i} and B is one lattice
  bool shifted_outputs = false;  // A = {i}, and rows of B reach the same distances back
  // A = {i-w+1..i} as far as that lies in 1..i and B is empty, for every row and this w; else 0.
  std::int64_t input_window = 0;
  bool long_rows = false;            // of B, on cpu: worth going through by windows
  std::optional<Staging> staging{};  // cuda prefill: the staged schedule instead of the simple one
  std::optional<TensorSplit> tensor{};  // cuda prefill, of some kinds: on tensor cores
  // cuda, first order: several launches over chunks; of matrix states with `tensor`.
  std::optional<ScanSplit> scan{};
  std::optional<GatherSplit> gather{};  // cuda backward, where sides reach the same distances back
  bool varlen = false;                  // sequences have lengths and starts of their own
  int page_rows = 0;             // decode with varlen: slots of a page, a power of two; 0: no pages
  bool state_gradients = false;  // backward goes on from a state, and passes gradients through it
  bool several_tokens = false;   // decode takes as many tokens as a launch says, in turn
  int slices = 1;  // cpu prefill, given weights: parts that a head's channels are cut into

  const rows::RowPlan& plan(Side side) const { return side == Side::kA ? a : b; }
  CacheRetention keep(Side side) const { return side == Side::kA ? keep_a : keep_b; }
  // Each channel of an entry has a coefficient of its own: the channels are mixers of their own.
  bool by_channel() const { return weights == WeightKind::kGated; }
  // Rows of B mix matrix states, each by coefficients of its own; first order has gates instead.
  bool matrix_rows() const { return weights == WeightKind::kLinear && !first_order; }
  int gates() const { return key_gates ? state_dim : 1; }  // of a token
  // Of what a cache holds of a position.
  int value_size() const { return matrix_rows() ? state_dim * head_dim : head_dim; }
};

// The channels of a slice make whole lanes, so that no two slices share one.
constexpr bool can_slice(int head_dim, int slices) { return head_dim % (16 * slices) == 0; }

// All weights but linear ones: tokens start+1 .. start+tokens after an explicit initial state.
ir::Kernel prefill(const KernelSpec& spec);
// Token start+1 after the state in the cache, which is updated in place; with several_tokens that
// and the next ones.
ir::Kernel decode(const KernelSpec& spec);
// prefill on cuda where spec.staging says how.
ir::Kernel staged_prefill(const KernelSpec& spec);
// Lanes of a warp that share a row there.
int lanes_of_rows(const KernelSpec& spec);
ir::Kernel staged_tiles(const KernelSpec& spec);
ir::Kernel staged_distances(const KernelSpec& spec);
// The same where no output is read; a launch has a block for each tile.
ir::Kernel staged_inputs(const KernelSpec& spec);
// The launches of a prefill on cuda where spec.scan says how, in order. Blocks of chunks have a
// thread for each channel.
constexpr int scan_warps(const KernelSpec& spec) { return (spec.head_dim + 31) / 32; }
struct Step {
  ir::Kernel kernel;
  std::vector<std::string> grid;
  std::string schedule = {};  // "tensor" or "staged" where it has rows of shared memory
  bool gradients = false;     // on tensor cores, with a layout of their own
  // "staged", where it says itself what it has there, if anything, and how buffers are aligned.
  std::vector<SharedRows> shared_rows = {};
  int alignment = 0;
};
std::vector<Step> scan(const KernelSpec& spec);
std::vector<Step> matrix_scan(const KernelSpec& spec);  // with linear weights
std::vector<Step> matrix_scan_backward(const KernelSpec& spec);
std::vector<Step> scan_backward(const KernelSpec& spec);
// The launches of a backward on cuda where spec.gather says how, in order.
std::vector<Step> gather_backward(const KernelSpec& spec);
// The same of softmax over dense inputs or a window of them where spec.tensor says how besides.
std::vector<Step> attention_backward(const KernelSpec& spec);
// lambda = (I - B)^-T dy into scratch, f32, where rows of B reach the same distances back.
ir::Kernel transposed_rows(const KernelSpec& spec);
ir::Kernel transposed_distances(const KernelSpec& spec);
// Both on cpu, where they are other kernels altogether.
ir::Kernel cpu_prefill(const KernelSpec& spec);
ir::Kernel cpu_decode(const KernelSpec& spec);
// The gradients of sum(dy * y) after a prefill of the whole sequence (start = 0) that gave y; with
// state_gradients of tokens start+1 .. start+tokens, and of sum(dfinal * final state) besides.
ir::Kernel backward(const KernelSpec& spec);
// Matrix states S_i = gate_i S_{i-1} + k_i x_i^T read out by q_i; decode is prefill of one token.
// With key_gates gate_i is a diagonal matrix.
ir::Kernel linear(const KernelSpec& spec, bool decode);
// Where spec.matrix_rows(): states that rows of any pattern mix.
ir::Kernel matrix_rows(const KernelSpec& spec, bool decode);
// Its prefill where rows of B are nested and spec.tensor says how; a launch has a block for each
// slice of a head.
ir::Kernel tensor_states(const KernelSpec& spec);
// Prefill of linear() where spec.tensor says how.
ir::Kernel tensor_linear(const KernelSpec& spec);
// Softmax over dense inputs where spec.tensor says how; a launch has a block for each chunk of
// tokens, sixteen to a warp.
ir::Kernel tensor_attention(const KernelSpec& spec);
// The same over a window of inputs.
ir::Kernel tensor_window(const KernelSpec& spec);
// The same over dense outputs, or those and dense inputs, with a block for each head.
ir::Kernel tensor_recurrence(const KernelSpec& spec);
// The same over outputs at the same distances from each row, likewise.
ir::Kernel tensor_diagonals(const KernelSpec& spec);
// The same over the outputs of a lattice, likewise.
ir::Kernel tensor_lattice(const KernelSpec& spec);

}  // namespace heddle::schedule
