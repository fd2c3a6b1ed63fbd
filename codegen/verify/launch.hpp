// SPDX-License-Identifier: Apache-2.0
// What the static layer takes for granted about a launch, which the runtime's launch check
// enforces: sizes are counts below 2^31, rows are numbered below 2^31, no buffer exceeds 2^48
// elements (nor would one with all tokens of a sequence side by side), caches have the slots and
// coefficient arrays the columns that the manifest asks for, rows of dynamic shared memory are such
// a number as its SharedRows say a kernel must be right for, chunks are as many as hold all tokens,
// and there is one block per product of the grid. Where sequences have lengths of their own, these
// lie one behind the other among the launch's tokens, and starts and lengths are no more than it
// says; that is granted only where blocks are told apart or a sequence's outputs are looked for,
// since no access may rest on what arrays hold.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "codegen/manifest.hpp"
#include "codegen/verify/cuts.hpp"
#include "codegen/verify/facts.hpp"
#include "codegen/verify/lift.hpp"

namespace heddle::verify {

// What the manifest asks of a launch; it outlives whatever is told about launches.
struct Contract {
  const CacheLayout& slots_a;
  const CacheLayout& slots_b;
  const RowWidth& width_a;
  const RowWidth& width_b;
};

// The columns of a coefficient array: no fewer than its counts together.
struct Columns {
  std::vector<std::pair<AtomId, const EntryCount*>> parts;
};

// What the arrays of lengths and starts hold for a block's sequence, whatever it be.
struct OwnSequence {
  AtomId place = 0;                     // of the block along the axis of sequences
  std::optional<AtomId> first, behind;  // offsets of its first token and of the next sequence's
  std::optional<AtomId> before;         // tokens that it has had before
};

struct Launch {
  std::map<std::string, AtomId> sizes;  // arguments and extents, by the manifest's names
  Polynomial block;                     // blockIdx.x
  std::vector<AtomId> places;           // of the block along each axis of the grid
  std::vector<Polynomial> grid;         // how many there are
  AtomId warp = 0;
  AtomId lane = 0;
  // Where they are taken apart, as in 16 a + 4 b + c: the atoms, and the sum.
  std::vector<AtomId> warp_parts, lane_parts;
  Polynomial warp_in_parts, lane_in_parts;
  std::vector<int> lane_cuts;  // the powers of two between lane_parts
  Polynomial lane_place;       // threadIdx.x % 32, in parts where lanes go by their groups
  AtomId length = 0;           // tokens of the (longest) sequence after this launch
  std::optional<OwnSequence> sequence;
  // Products of sizes that stay below a bound, factors sorted.
  std::vector<std::pair<Monomial, Integer>> bounded;
  // Sizes that are multiples of a number: size = number x times.
  struct Multiple {
    AtomId size = 0;
    std::int64_t number = 1;
    AtomId times = 0;
  };
  std::vector<Multiple> multiples;
  std::vector<Columns> columns;  // of each side that has such an array

  // The parts of a lane that say in which aligned group of so many lanes it is; nothing where lanes
  // are not taken apart there.
  std::optional<std::vector<AtomId>> parts_of_group(int lanes) const;
  Polynomial extent(const std::string& name) const;  // a size or a decimal
  Polynomial extent_of(AtomId place) const;          // of the axis of the grid on which it lies
  // The number that is loaded from there, where it is one of the block's sequence.
  std::optional<AtomId> of_sequence(const std::string& buffer, const Polynomial& index) const;
};
// What a launch's arrays keep to, of one block's sequence, its numbers renamed.
std::vector<Term> granted_of_sequence(const Facts& facts, const Launch& launch,
                                      const Renaming& rename);
// ... and of the sequences of two blocks: the same one, or one behind the other.
std::vector<Term> sequences_apart(const Facts& facts, const Launch& launch, const Renaming& here,
                                  const Renaming& there);

// `cuts` are the powers of two at which warps and lanes are taken apart.
Launch make_launch(Facts& facts, const KernelEntry& entry, const Contract& contract,
                   const Cuts& cuts);

}  // namespace heddle::verify
