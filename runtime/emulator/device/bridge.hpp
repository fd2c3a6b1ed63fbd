// SPDX-License-Identifier: Apache-2.0
// What an emulated module and the emulator know of each other. Both sides include this file: the
// module is compiled on its own, without any other header, so everything here is plain C++.
#pragma once

namespace heddle_emulated {

// An asynchronous copy takes its place when it starts and fills it when it arrives; in between
// nobody may look at it.
enum class Touch : unsigned { kRead, kWrite, kAtomic, kCopyStarts, kCopyArrives };

// The warp's meeting points. The order is used by the emulator's table of names.
enum class Collective : unsigned {
  kSyncWarp,
  kShuffle,
  kShuffleUp,
  kShuffleDown,
  kShuffleXor,
  kBallot,
  kAny,
  kAll,
  kReduceAdd,
  kReduceMin,
  kReduceMax,
  kMatrixProduct,
  kLoadMatrices,
};

enum class Fault : unsigned {
  kIndex,
  kOverflow,
  kDivision,
  kShift,
  kAlignment,
  kCopies,
  kObject,
  kGap
};

// A text that is watched for overruns of a thread's own arrays has gaps between them, which it
// notes itself, as code for the kernel's address sanitizer does: the byte at kGapNotes + address /
// 8 says how many of these eight bytes may be touched, 0 for all of them, or is negative.
constexpr unsigned long kGapNotes = 0x200000000000;

// Set by the emulator before a module runs, called by the hooks. `site` is a return address.
struct Bridge {
  void* engine;
  void (*touch)(void* engine, const void* address, unsigned long size, Touch touch,
                const void* site);
  void (*barrier)(void* engine, const void* site);
  unsigned long long (*collective)(void* engine, Collective kind, unsigned mask,
                                   unsigned long long value, int operand, int width,
                                   const void* site);
  unsigned (*active_mask)(void* engine);
  // `detail` is the index, the address for kAlignment, for kCopies how many are under way, or the
  // size of what touches a gap;
  // `type` names what was indexed, or null.
  void (*fault)(void* engine, Fault fault, long long detail, const char* type, const void* site);
  void (*exhausted)(void* engine, const void* site);  // out of steps, or of stack
  // Working memory of a cpu kernel, without contents each time.
  void* (*reserve)(void* engine, int number, unsigned long bytes);

  long long steps_left;  // basic blocks this launch may still enter
  // The running thread's stack, and what it must stay above. What a thread does there is nobody
  // else's: such an access is not handed over, only held against the gaps.
  const char* stack_begin;
  unsigned long stack_bytes;
  const char* stack_limit;
  bool gaps;  // whether that stack has notes of its gaps
  // What ran: a byte for each place in the module's code, set behind the call that each basic block
  // begins with. Null until the emulator connects.
  unsigned char* entered;
  const char* code;
};

// As much as a block may have, see `extern __shared__` in emulated_device.hpp.
constexpr unsigned kMostDynamicShared = 232448;
// A number of the field takes as much room as eight of the narrowest floats.
constexpr unsigned kMostDynamicSharedOfField = 8 * kMostDynamicShared;

struct Coordinates {
  unsigned x, y, z;
};

// The state of field.hpp, which a module compiled over floats leaves alone.
struct FieldState {
  unsigned long long seed;  // of the order that comparisons take
  long long additions, multiplications, divisions, exponentials;  // counted over all threads
};

// The one symbol a module exports, `heddle_module`.
struct Module {
  Bridge* bridge;
  Coordinates* thread_index;
  Coordinates* block_index;
  Coordinates* block_shape;
  Coordinates* grid_shape;
  char* shared_begin;
  char* shared_end;
  void (*entry)(void** arguments);
  void (*forget_copies)();  // those of the block before that nobody waited for
  FieldState* field;
  void (*block_entered)();  // what each basic block begins with a call of
  // One letter per parameter: p pointer, c pointer to const, i 32-bit integer, f float, ? other.
  const char* const* signature;
};

}  // namespace heddle_emulated
