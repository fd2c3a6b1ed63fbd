// SPDX-License-Identifier: Apache-2.0
// The kernel IR: one structured function over typed scalars, memories and loops.
//
// Semantics
//   integers   i64, two's complement; no operation may overflow. Whoever builds an expression
//              answers for its range (rows/bounds.hpp proves it for pattern arithmetic; index
//              arithmetic assumes that no buffer exceeds 2^62 elements). i32 exists in memory and
//              as arguments only and widens when read. kDivide and kModulo take a non-negative
//              dividend and a positive divisor, so that truncation is floor.
//   reals      f32. Order of evaluation is as written; multiply-add may be fused. Loads of bf16
//              and f16 widen exactly, stores round to nearest even. A softmax row sums in an order
//              that is fixed by the prelude and does not depend on the data.
//   memory     buffers are distinct arguments and never overlap; an index counts elements and lies
//              inside the buffer. Private arrays belong to one thread; shared arrays to one block
//              and exist on cuda only; working memory, cpu only, is a private array whose length is
//              known when the kernel runs. A dynamic shared array, at most one, has as many
//              elements as the launch gives it. Nothing is initialised unless a store says so.
//   threads    on cuda a block has `threads` threads in warps of 32; memory written by one thread
//              may be read by another one only after a barrier. A barrier stands only where all
//              threads of a block arrive together, a warp reduction only where all 32 lanes of a
//              warp do, one over a group of lanes only where all lanes of the group do; groups need
//              not wait for each other. On cpu there is one thread, and a launch owns the
//              blocks first_block .. last_block - 1: it loops over them where it likes.
//   variables  are defined before use, once per scope; only those marked `changes` are assigned.
//   loops      kFor evaluates its bounds once; the counter ascends by a positive step.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "codegen/manifest.hpp"

namespace heddle::ir {

enum class Type { kBool, kI64, kF32 };

struct ValueId {
  std::int32_t index = -1;
};
struct VariableId {
  std::int32_t index = -1;
};
struct BufferId {
  std::int32_t index = -1;
};
struct ArrayId {
  std::int32_t index = -1;
};
struct ViewId {
  std::int32_t index = -1;
};
using MemoryId = std::variant<BufferId, ArrayId, ViewId>;

// ---- values -----------------------------------------------------------------------------------

enum class UnaryOperator { kNegate, kNot };
enum class BinaryOperator {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kEqual,
  kNotEqual,
  kAnd,
  kOr
};
// Functions of the prelude, with the same meaning on both targets.
enum class Helper {
  kMinimum,      // of two i64
  kMaximum,      // of two i64 or two f32
  kAbsolute,     // of i64
  kFloorDivide,  // floor(x / y), y > 0
  kCeilDivide,   // ceil(x / y), y > 0
  kFloorModulo,  // x - y floor(x / y), y > 0
  kPower,        // x^y, y >= 0
  kSquareRoot,   // floor(sqrt(x)), x >= 0
  kLogarithm,    // floor(log2(x)), x >= 1
  kPopcount,     // x >= 0
  kLowbit,       // x != 0
  kExponential,  // of f32
  kRoundToBf16,  // of f32: what a bf16 store followed by a load gives
  kRoundToF16    // the same of f16
};
bool is_comparison(BinaryOperator op);
enum class ReduceOperator { kSum, kMaximum };
enum class Place { kBlock, kThread, kWarp, kLane, kFirstBlock, kLastBlock };

struct IntegerLiteral {  // 42
  std::int64_t value;
};
struct RealLiteral {  // 0.5f
  double value;
};
struct LowestScore {};  // the f32 below every score, whose exponential weight is 0
struct Read {           // row
  VariableId variable;
};
struct Where {  // blockIdx.x, threadIdx.x, threadIdx.x / 32, threadIdx.x % 32; cpu: first_block
  Place place;
};
struct Unary {  // -x, !x
  UnaryOperator op;
  ValueId operand;
};
struct Binary {  // x + y
  BinaryOperator op;
  ValueId left;
  ValueId right;
};
struct Select {  // c ? x : y
  ValueId condition;
  ValueId yes;
  ValueId no;
};
struct Load {  // q[index]
  MemoryId memory;
  ValueId index;
};
struct Call {  // ceil_div(x, y)
  Helper helper;
  std::vector<ValueId> arguments;
};
// Over the lanes of a warp, or over the aligned group of 2, 4, 8 or 16 of them to which a lane
// belongs; the same result in each. Groups may be elsewhere, unless they come `together`, for which
// a device has less to find out. cuda only.
struct Reduce {  // warp_sum(x), group_sum<8>(x), warp_sum<8>(x)
  ReduceOperator op;
  ValueId operand;
  int lanes = 32;
  bool together = false;

  int meeting() const { return together ? 32 : lanes; }  // lanes that have to be there
};
// What lane `from` of such a group has, 0 <= from < lanes, which may differ from lane to lane; of
// f32. cuda only.
struct Pick {  // group_read<8>(x, from)
  ValueId operand;
  ValueId from;
  int lanes;
};
// Whether lanes of a warp come in groups of so many.
constexpr bool is_group(std::int64_t lanes) {
  return lanes == 2 || lanes == 4 || lanes == 8 || lanes == 16;
}

struct Value {
  std::variant<IntegerLiteral, RealLiteral, LowestScore, Read, Where, Unary, Binary, Select, Load,
               Call, Reduce, Pick>
      node;
  Type type;
};

// ---- statements -------------------------------------------------------------------------------

struct Statement;
using Body = std::vector<Statement>;

enum class LoopKind {
  kSerial,
  kLanes,     // iterations are independent and touch consecutive elements: vectorise (cpu)
  kUnrolled,  // few iterations, known now (cuda)
  kRolled     // stays a loop, where a compiler would take several iterations at once and have no
              // registers for them (cuda)
};

struct Comment {  // // phase 1: ...
  std::string text;
};
struct Define {  // const auto x = value; or auto x = value; when the variable changes
  VariableId variable;
  ValueId value;
};
struct Assign {  // x = value;
  VariableId variable;
  ValueId value;
};
struct Declare {  // float scratch[64];
  ArrayId array;
};
struct Choose {  // const float* const keys = cached ? initial_b_key : k;
  ViewId view;
};
struct Store {  // y[index] = value;
  MemoryId memory;
  ValueId index;
  ValueId value;
};
struct For {  // for (x = begin; x < end; x += step) { ... }
  VariableId variable;
  ValueId begin;
  ValueId end;
  ValueId step;
  LoopKind kind;
  Body body;
};
struct While {  // while (condition) { ... }
  ValueId condition;
  Body body;
};
struct If {  // if (condition) { ... } else { ... }
  ValueId condition;
  Body body;
  Body otherwise;
};
// A function or an object of the prelude that works on whole vectors of reals: of the cpu prelude,
// or on cuda copy_elements<N>(to, from), which moves N elements at once between memories of one
// element type; both places are multiples of N elements; start_copy<N>, which does so behind the
// thread's back, with close_batch() and await_batches<N>(); clear_elements<N>(to);
// load_elements<N>(to, from), which widens N elements to reals of a private array, and
// store_elements<N>(to, from), which takes them back; and the products
// of matrices by whole warps of tensor_prelude.cuh, whose sums a private array holds, with the
// softmax of their rows of softmax_prelude.cuh. Through the places it is given it reads and, where
// `writes`, changes what its comment there says. The result, if any, is a new constant.
struct VectorAt {  // dx + at
  MemoryId memory;
  ValueId at;
  bool writes;
};
struct Invoke {  // const float slope = own_input<64>(dx + at, lambda + own, x + at, weight,
                 // around);
  std::optional<VariableId> result;
  std::string callee;  // push_rows<64>
  std::vector<std::variant<ValueId, VectorAt>> arguments;
};
struct Barrier {};  // __syncthreads(); cuda only

// float* const outputs = reserve<float>(0, count);
struct Reserve {
  ArrayId array;
  int number;  // one of its own for each memory of a kernel
  ValueId count;
};
// What the cpu prelude does to whole rows; `channels` of the caller's, or as many floats as pad
// them to whole vectors. The prelude says what each means.
enum class Procedure {
  kMixRows,           // mixed, weights, rows, steps, count
  kMixWindows,        // mixed, its rows, weights, their stride, rows, steps, count, packed
  kPackedExtent,      // rows, steps -> i64
  kScoreRows,         // scores, query, rows, steps, count
  kWeighScores,       // scores, first, count, scale, factor of the first, factor of the rest -> f32
  kKeepRow,           // to, from
  kScaleRow,          // to, from, weight
  kZeroRow,           // to, one of the kernel's own
  kSendRow,           // to, from, around the caches
  kClearRow,          // to
  kCloseRow,          // y, kept, mixed, factor, around the caches
  kFindSlot,          // positions by slot, slots, position -> its slot, 0 where it has none
  kHoldsPosition,     // list of positions, count, position -> whether it is there
  kSettleStores,      // before other threads may look
  kLatticeOpen,       // lattice, terms it has room for
  kLatticeTerm,       // lattice, f(k), a_k
  kLatticeStart,      // lattice, row
  kLatticeNext,       // lattice -> i64
  kLatticeExtent,     // terms -> i64
  kLatticeSlots,      // lattice -> i64
  kLatticePositions,  // lattice -> i64
  kLatticeSize,       // lattice -> i64
  kLatticeGroup,      // lattice, rows -> i64
  kLatticeSlot,       // lattice, row of the group -> i64
  kMixGroup,          // mixed, weights, their stride, rows, lattice
  kMixNear,           // mixed, weights, rows, lattice, row of the group
  kMatrixRows         // y, x, q, k, gate, heads, state, its rows, rows
};
struct Address {  // outputs + index
  MemoryId memory;
  ValueId index;
};
using Operand = std::variant<Address, ValueId>;
// mix_rows<64>(mixed, coef_b + at, outputs, steps, count); or const float x = ...; cpu only.
struct Perform {
  Procedure procedure;
  int channels;  // 0 where the procedure has none
  std::vector<Operand> operands;
  VariableId result;  // none: index -1
};

struct Statement {
  std::variant<Comment, Define, Assign, Declare, Choose, Store, For, While, If, Invoke, Barrier,
               Reserve, Perform>
      node;
};

// The types of a procedure's operands, letter by letter: w and r reals that it writes or reads,
// s and t integers that it writes or reads, i f b values; behind a colon what it gives.
struct ProcedureFacts {
  const char* name;
  const char* letters;
  bool channels;
  bool padded;  // its rows are the kernel's own, padded to whole vectors
};
ProcedureFacts facts_of(Procedure procedure);
// The floats of a row of that many channels in the kernel's own memory: whole vectors of eight.
constexpr int padded_channels(int channels) { return (channels + 7) / 8 * 8; }

// ---- the kernel -------------------------------------------------------------------------------

enum class Target { kCuda, kCpu };
const char* name_of(Target target);

struct Variable {
  std::string name;
  Type type;
  bool changes = false;
  bool argument = false;
  bool unread = false;  // an argument that callers pass and the kernel does not look at
};
struct Buffer {
  std::string name;
  ElementType element;
  Access access;
  // On cuda: it is only read, and a view takes turns between it and one that the kernel writes. A
  // pointer to it is then not __restrict__: what nvcc reads through either is, where it may take
  // one for constant, read past what the kernel has written (ld.global.nc).
  bool takes_turns = false;
};
struct Array {
  std::string name;
  Type type;
  int length;  // 0 for working memory, and where the launch decides
  bool shared;
  bool dynamic = false;                               // shared, of the length that the launch gives
  std::optional<ElementType> element = std::nullopt;  // stored as that instead of as `type`
  std::optional<ValueId> from = std::nullopt;  // the end of the dynamic array, from this element of
                                               // it on, where no other index reaches
  bool vectors = false;                        // shared, and begins at a multiple of sixteen bytes
};
// One of two buffers of the same element, chosen where the view is defined; never stored to.
struct View {
  std::string name;
  ValueId condition;
  BufferId yes;
  BufferId no;
};

struct Kernel {
  std::string symbol;
  std::vector<std::string> summary;  // the comment above the kernel, line by line
  Target target = Target::kCpu;
  int threads = 1;
  int side_by_side = 1;  // cuda: blocks for whose registers a multiprocessor has room at least
  std::vector<Argument> arguments;  // what the manifest says; names of buffers and variables
  std::vector<Value> values;
  std::vector<Variable> variables;
  std::vector<Buffer> buffers;
  std::vector<Array> arrays;
  std::vector<View> views;
  Body body;

  const Value& operator[](ValueId id) const { return values[static_cast<std::size_t>(id.index)]; }
  const Variable& operator[](VariableId id) const {
    return variables[static_cast<std::size_t>(id.index)];
  }
  const Buffer& operator[](BufferId id) const {
    return buffers[static_cast<std::size_t>(id.index)];
  }
  // Whether a view of both makes `one` a buffer that takes turns.
  bool take_turns(BufferId one, BufferId other) const {
    return target == Target::kCuda && (*this)[one].access == Access::kRead &&
           (*this)[other].access != Access::kRead;
  }
  const View& operator[](ViewId id) const { return views[static_cast<std::size_t>(id.index)]; }
  const Array& operator[](ArrayId id) const { return arrays[static_cast<std::size_t>(id.index)]; }
};

}  // namespace heddle::ir
