// SPDX-License-Identifier: Apache-2.0
// The contract between a generated artifact and whoever launches it: which kernels a folder holds,
// their arguments in order, their launch shape, what decode has to keep, and what was verified. It
// has a digest of every file that is compiled, those that kernel files include among them.
// The runtime reads this and nothing else of heddle's front end.
//
// Names that arguments and extents may use (fixed vocabulary):
//   sizes    batch, tokens, heads, head_dim, state_dim, start (tokens already processed),
//            slots_a, slots_b (cache slots for inputs and for outputs), width_a, width_b (columns
//            of the coefficient arrays: at least what the manifest's RowWidth says); key_rows,
//            value_rows, gate_rows, live_rows, tile_rows (rows of dynamic shared memory: see
//            SharedRows, which says what a launch passes); chunks (of chunk_tokens tokens, see KernelEntry: at least
//            one, and no more than hold all tokens or `longest`; nobody tells it); live_states
//            (matrix states that prefill keeps at a time: slots_b, or tokens where that is 0;
//            nobody tells it, either)
//   inputs   q, k, x           [batch, tokens, heads, head_dim]; linear: q, k [.., state_dim]
//            coef_a, coef_b    [batch, tokens, heads, width_*]; entry e of row i belongs to
//                              the e-th position of the row in descending order; gated:
//                              [.., width_*, head_dim], a coefficient for each channel
//            gate              [batch, tokens, heads], f32; linear, of first order; with
//                              key_gates [.., state_dim]: S_i = diag(gate_i) S_{i-1} + k_i x_i^T
//            Linear weights of other patterns have coef_b instead: S_i = k_i x_i^T and the sum of
//            coef_b times earlier states, y_i = q_i^T S_i.
//   output   y                 [batch, tokens, heads, head_dim]
//   state    SIDE_pos          [batch, heads, slots_SIDE] i32: the token a slot holds, 0 when free
//            SIDE_key          [batch, slots_SIDE, heads, head_dim], softmax only
//            SIDE_val          [batch, slots_SIDE, heads, head_dim]: x for side a, y for side b
//            state             [batch, heads, state_dim, head_dim] f32, linear of first order;
//                              of other patterns b_pos and
//            b_val             [batch, slots_b, heads, state_dim, head_dim] f32: states
//            prefill reads initial_NAME and writes final_NAME, free slots too, in which only the
//            position means something; decode updates cache_NAME in place.
//            With retention kAll slot = token - 1 and there is no SIDE_pos.
//   backward dy                [batch, tokens, heads, head_dim], read: the gradient of a loss by y
//            dNAME             its gradient by input NAME (q, k, x, coef_a, coef_b, gate), like it,
//                              written; dcoef_* is 0 beyond the end of a row
//            scratch_lambda    [batch, tokens, heads, head_dim] f32, cuda: dy and later rows' part;
//                              linear but of first order: [batch, heads, tokens, state_dim,
//                              head_dim], and scratch_states likewise, of prefill, too; there
//                              on tensor cores [batch, heads, 2, live_states, state_dim, head_dim]
//            scratch_dk, scratch_dx     likewise, cuda: sums in f32 beside narrower gradients
//            scratch_highest, scratch_inverse  [batch, tokens, heads] f32: of a softmax row
//            scratch_states    [batch, heads, tokens, head_dim] f32, linear: one state in state_dim
//                              tokens; varlen: [tokens, heads, head_dim], a sequence's behind those
//                              of the sequences before it
//            scratch_segment   [batch, heads, state_dim, state_dim, head_dim] f32, linear
//            Scratch needs no initialisation and means nothing afterwards. Of an operation of
//            several launches it is what one leaves for the next:
//            scratch_carry     [batch, heads, chunks, head_dim] f32: what chunks end and begin with
//            scratch_product   [batch, heads, chunks] f32, of coefficients; gated: [.., head_dim],
//                              with key_gates [.., state_dim]
//            With varlen only of the chunks that hold a sequence's own tokens, one at least.
//            The kernel reads the
//            inputs of a prefill of the whole sequence and its y; it takes no `start`, which must
//            be 0, and no state. Or else it takes `start` and what the prefill of the same tokens
//            was given and left as state, and the loss is one of the final state, too:
//            initial_NAME      as the prefill was given it
//            final_SIDE_pos    as the prefill left it
//            dfinal_NAME       [like final_NAME] f32, read: the gradient by the final state; of a
//                              free slot it is not read
//            dinitial_NAME     [like initial_NAME] f32, written: by the initial one; 0 for a free
//                              slot. May be missing where initial_NAME may be.
//            dinitial_ of one launch is dfinal_ of the launch before it.
//   scalars  scale, gamma
// Decode is prefill of one token: `tokens` is then the literal 1. Or it takes the size
//   new_tokens   tokens that are decoded one after the other, [batch, new_tokens, heads, ...],
//   which
//            is as many launches of one token in one; sequences end at start + new_tokens.
//
// Sequences of different lengths (`varlen`) lie one behind the other, as cumulative offsets say:
//   tokens   those of all sequences and of whatever lies before and behind them; the arrays of
//            prefill and backward are [tokens, heads, ...], without an axis for the batch
//   offsets  [batch + 1] i32, read: sequence b has the tokens offsets[b] .. offsets[b + 1] - 1,
//            counted from 0; ascending, from 0 to `tokens`. What lies outside of all sequences is
//            neither read nor written.
//   starts   [batch] i32, read: the tokens of each sequence that were processed already
//   start    the most of these, or for decode any bound on them; where it is 0, `starts` may be
//            missing like initial_*. Backward takes both where it lies between states; of a
//            sequence that begins with the launch initial_* is not read, and dinitial_* is 0.
//   longest  the most tokens that a sequence has after the launch, those before included; at least
//            `start`. Of decode it is start + 1.
// Decode of a matrix state is the same at every position and takes none of these.
// A kernel takes what no launch may pass for the nearest number that it may: whatever the arrays
// hold, no access leaves its buffer. Decode may keep keys and values in pages of so many slots, a
// power of two, which all sequences take from one pool (`page_rows`; SIDE_pos is as ever):
//   cache_SIDE_key, _val  [pool_SIDE, page_rows, heads, head_dim]
//   pages_SIDE  [batch, table_SIDE] i32, read: slot s of sequence b is slot s % page_rows of the
//            page pages_SIDE[b, s / page_rows]. Two sequences may have a page in common as long as
//            neither stores to it: with retention kAll a launch stores to slot `start` only.
//   table_SIDE  the pages of a sequence, enough for slots_SIDE; pool_SIDE  all there are
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codegen/row_width.hpp"
#include "patterns/result.hpp"

namespace heddle {

enum class ElementType { kF32, kBF16, kF16, kI32 };
std::size_t size_of(ElementType type);
const char* name_of(ElementType type);  // "f32", "bf16", "f16", "i32"

enum class ArgumentKind { kBuffer, kSize, kScalar };  // pointer, std::int32_t, float
enum class Access { kRead, kWrite, kReadWrite };

struct Argument {
  std::string name;
  ArgumentKind kind = ArgumentKind::kBuffer;
  ElementType type = ElementType::kF32;  // of a buffer
  Access access = Access::kRead;         // of a buffer
  std::vector<std::string> shape;        // extents of a buffer, outermost first: sizes or decimals
};

// Rows of dynamic shared memory: a launch passes their number as the argument `size` and gives the
// kernel `row_bytes` for each. The kernel is right for any number that is a multiple of `multiple`
// (at least one multiple, or with `slots` none at all); shared_launch chooses what it can use.
struct SharedRows {
  std::string size;       // key_rows, value_rows, gate_rows, live_rows or tile_rows
  std::int64_t most = 0;  // a multiple of `multiple`
  std::int64_t multiple = 1;
  std::int64_t row_bytes = 0;
  std::string slots = {};  // "slots_a" or "slots_b": as many as a state of that side needs
};

// What the cost model expects of a launch for one batch and head over that many tokens from the
// first one on, no state wanted.
struct Prediction {
  std::int64_t tokens = 0;  // 0: nothing was predicted
  std::int64_t bytes = 0;   // requested from and sent to global memory
  std::int64_t flops = 0;   // additions, multiplications and divisions of reals by all threads
};

// Launched as one block per product of `grid` on cuda, with `threads` threads a block. On cpu the
// symbol takes two more std::int32_t arguments, the first block and one past the last, and runs
// them one after another in the calling thread.
struct KernelEntry {
  std::string op;      // "decode", "prefill", "backward"
  std::string symbol;  // extern "C" name
  std::string file;    // relative to the manifest
  std::string sha256;  // of that file's bytes
  std::vector<std::string> grid;
  int threads = 1;
  std::int64_t shared_bytes = 0;  // static shared memory, for the report
  std::vector<Argument> arguments;
  std::string schedule = "simple";  // or "staged", "tensor", "scan", "gather"
  Prediction prediction = {};
  // Not of a simple kernel.
  std::vector<SharedRows> shared_rows = {};
  int alignment = 0;  // bytes that the address of every buffer of reals is a multiple of
  // A scan is several launches, and so is a gather: these, in order, each of which begins when the
  // one before is done. `symbol` is then the operation's name and `arguments` are those of all
  // steps; file, grid and threads are the steps' own. A scratch buffer is written completely by the
  // first step that takes it (access write) before others read or update it; of the rest a step
  // takes what it reads, or what it alone writes. The schedule of a step is that of the operation,
  // or "staged" or "tensor" with shared rows of its own.
  std::vector<KernelEntry> steps = {};
  std::int64_t chunk_tokens = 0;  // of several launches, and of a kernel whose grid has chunks
};
// What is launched, in order: the steps, or the kernel itself.
std::vector<const KernelEntry*> launches_of(const KernelEntry& kernel);
// What speaks against the steps of an operation, or against there being none; empty where nothing.
std::string fault_of_steps(const KernelEntry& kernel);
// The size `live_states` of a launch from its slots_b and tokens.
std::int64_t live_states_of(std::int64_t slots, std::int64_t tokens);
// The size `chunks` of a launch; 0 where the kernel has none.
std::int64_t chunks_of(const KernelEntry& kernel, std::int64_t tokens);

// What decode keeps of one side between tokens.
enum class CacheRetention { kNone, kAll, kNextRow };
struct CacheLayout {
  CacheRetention retention = CacheRetention::kNone;
  // kNextRow: (n, slots) steps, ascending: from sequence length n on, `slots` slots are needed;
  // exact up to `exact_to`.
  std::vector<std::pair<std::int64_t, std::int64_t>> steps;
  std::int64_t exact_to = 0;

  // Slots needed to hold a sequence of `tokens` tokens; fails beyond exact_to.
  Result<std::int64_t> slots(std::int64_t tokens) const;
};

// A file that kernel files include: the prelude.
struct IncludedFile {
  std::string file;    // relative to the manifest
  std::string sha256;  // of that file's bytes
};

// Whether every row is known to read earlier tokens only: for all rows, for rows 1..causality_rows,
// or nobody has asked.
enum class Causality { kUnknown, kChecked, kProved };
const char* name_of(Causality causality);  // "unknown", "checked", "proved"

struct VerificationLayer {
  std::string name;     // "emulated"
  std::string verdict;  // "verified", "rejected", "unknown"
  std::string detail;
};

struct Manifest {
  // 2 where sequences have lengths of their own, 3, with or without them, where an operation is
  // several launches or one over chunks, which readers of 1 know nothing of.
  int format = 1;
  std::string pattern;
  std::string source_sha256;
  Causality causality = Causality::kUnknown;
  std::int64_t causality_rows = 0;  // kChecked only
  std::string target;               // "cuda" or "cpu"
  std::string weights;              // "softmax", "given", "gated", "linear"
  ElementType dtype = ElementType::kF32;
  int head_dim = 0;
  int state_dim = 0;       // linear only
  bool key_gates = false;  // linear of first order: each row of a state has a gate of its own
  bool varlen = false;     // sequences of a batch have lengths and starts of their own
  CacheLayout cache_a;
  CacheLayout cache_b;
  // The columns that coef_a and coef_b must have: given and gated; width_b also linear where
  // kernels take coef_b.
  RowWidth width_a;
  RowWidth width_b;
  std::vector<KernelEntry> kernels;
  // cpu: kernels of the same operations that cut a head's channels into slices, as many as the last
  // extent of the grid says, for launches with fewer heads than threads.
  std::vector<KernelEntry> sliced;
  std::vector<IncludedFile> includes;
  // "verified" only when every layer says so and the pattern is proved causal
  std::string verdict = "unverified";
  std::vector<VerificationLayer> layers;
};

// The sizes of a kernel's SharedRows for a launch of `tokens` tokens after `start`, and the bytes
// of dynamic shared memory they come to.
struct SharedLaunch {
  std::vector<std::pair<std::string, std::int64_t>> rows;
  std::int64_t bytes = 0;

  const std::int64_t* find(std::string_view size) const;
};
SharedLaunch shared_launch(const Manifest& manifest, const KernelEntry& kernel, std::int64_t tokens,
                           std::int64_t start);
// As few rows as the kernel must be right for.
SharedLaunch least_shared_launch(const KernelEntry& kernel);

// The extent of `offsets`.
inline constexpr const char* kBoundsExtent = "batch+1";

std::string to_json(const Manifest& manifest);
// Refuses anything that is not a complete manifest of this format, with a sentence saying what.
Result<Manifest> parse_manifest(std::string_view json);

}  // namespace heddle
