// SPDX-License-Identifier: Apache-2.0
// What the model takes instructions of a multiprocessor of sm_90 to cost. How many an operation is
// and after how many cycles one of fixed latency has its result was read off machine code that
// NVRTC 13.0 made of kernels of heddle, where every instruction carries the cycles that the next
// one has to wait. Loads, shuffles and special functions have no such number: theirs are of the
// size that microbenchmarks publish (arXiv 2402.13499 and 2501.12084 for Hopper, 1804.06826 for
// Volta). None was measured here; what is marked so is a guess.
#pragma once

namespace heddle::timing {

// The issue slots of its warp that an operation takes, and the cycles from the first of them until
// its result is there.
struct Cost {
  int slots;
  int latency;
};

constexpr Cost kReal{1, 4};  // add, multiply, multiply-add, maximum
constexpr Cost kCompareReals{1, 5};
constexpr Cost kSelect{1, 5};
constexpr Cost kLogical{1, 5};
// __expf: a product, a look whether it is too small, and the special function between two more
// products under that predicate. expf would be eight instructions, and as long.
constexpr Cost kExponential{5, 46};
constexpr Cost kPower{2, 33};        // of two: a multiply-add and the special function
constexpr Cost kDivideReals{9, 56};  // a reciprocal and its refinement
// mma.m16n8k16 of bf16 or f16 into f32: as long until its sums are there, and so far from the next
// one of another tile, NVRTC sets them apart. At the peak of a data sheet it would be one every
// four cycles.
constexpr Cost kProduct{1, 24};
constexpr int kProductTurn = 6;  // cycles that it keeps a scheduler's tensor core
// Whole numbers have 64 bits and take two instructions, but where only the place in shared memory
// or in a register is asked for: there the compiler does with 32 bits.
constexpr Cost kWhole{1, 5};
constexpr Cost kWide{2, 7};
constexpr Cost kCompareWide{2, 9};
constexpr Cost kWideProduct{4, 14};
constexpr Cost kWideMinimum{4, 14};
constexpr Cost kDivision{12, 60};  // of 32 bits, by no power of two
constexpr Cost kWideDivision{40, 160};
constexpr Cost kWideLoop{60, 300};  // helpers that count bit by bit: a guess
// Between memory and registers.
constexpr Cost kWidenBf16{1, 5};
constexpr Cost kWidenF16{5, 22};
constexpr Cost kNarrowBf16{7, 30};
constexpr Cost kNarrowF16{12, 45};
constexpr Cost kNarrowPair{1, 6};
constexpr Cost kWidenWhole{1, 5};

constexpr Cost kShuffle{1, 23};
// From a comparison to what is behind the branch, and past where its ways meet again.
constexpr Cost kBranch{1, 13};
constexpr Cost kMeet{1, 5};
constexpr int kStore = 1;    // slots
constexpr int kShared = 29;  // latencies of loads
constexpr int kFirstCache = 40;
constexpr int kSecondCache = 262;
constexpr int kMemory = 600;  // with other blocks about: a guess
constexpr int kBarrier = 20;

constexpr int kSchedulers = 4;
constexpr int kBanks = 32;
constexpr int kSectorBytes = 32;
constexpr int kLineBytes = 128;
// So many iterations of a loop without branches are one stretch of code, and up to four times as
// many of a body of so few instructions: NVRTC's habit with sums over a chunk.
constexpr int kUnrolled = 4;
constexpr int kSmallBody = 20;
// A branch of at most so many instructions is none: all are issued, under a predicate.
constexpr int kPredicated = 10;

constexpr int kMultiprocessors = 132;
constexpr double kGigahertz = 1.755;
constexpr int kThreadsOfMultiprocessor = 2048;
constexpr int kBlocksOfMultiprocessor = 32;
constexpr int kRegistersOfMultiprocessor = 65536;
constexpr int kRegistersAtOnce = 8;              // a thread gets a multiple
constexpr int kSharedOfMultiprocessor = 233472;  // bytes
constexpr int kSharedOfSystem = 1024;            // bytes, of each block

}  // namespace heddle::timing
