// SPDX-License-Identifier: Apache-2.0
// Launches on sequences that have lengths and starts of their own: each sequence is prepared and
// judged as a batch of one, and here its buffers are put behind those of the others and taken apart
// again. What lies outside of all sequences is poison, before the launch and after it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/reference/problem.hpp"
#include "runtime/verify/launch.hpp"

namespace heddle {

struct VarlenLayout {
  std::vector<std::int64_t> counts;  // tokens of each sequence in this launch
  std::vector<std::int64_t> starts;  // and before it
  std::int64_t before = 0;           // tokens of nobody, in front of the first sequence
  std::int64_t behind = 0;           // and behind the last one
  std::int64_t bound = 0;            // of decode: by how much `start` exceeds all starts
  std::uint64_t pages_seed = 0;      // of where pages lie in their pool

  std::int64_t first_of(std::size_t sequence) const;
  std::int64_t most_before() const;
  std::int64_t longest() const;  // tokens of a sequence after the launch
  // A part of the sequence in front, more of the one behind: at random, none now and then. All
  // sequences of decode take `count`; now and then it is told that `room` more tokens came before
  // than did, as a launch is that is to be made again and again with other starts.
  static VarlenLayout draw(std::int64_t count, const std::vector<std::int64_t>& starts, bool decode,
                           RandomSource& random, std::int64_t room = 0);
  // Of backward: the first sequence has tokens from `start` to `end`. Where that is behind a state,
  // the second one begins in the launch and is as long.
  static VarlenLayout draw_backward(std::int64_t sequences, std::int64_t start, std::int64_t end,
                                    RandomSource& random);
  // Of chunks of so many tokens: sequences that end where chunks do, one token before and behind,
  // the longest in front, and those of one token and of none.
  static VarlenLayout at_borders(std::int64_t chunk);
  std::string describe() const;  // "tokens 3+0+17 after 5, 0, 2"
};

// The sizes of a launch of the entry, where each sequence alone has `one`.
Sizes launch_sizes(const VarlenLayout& layout, const KernelEntry& entry, const Sizes& one);

// What the entry would be without lengths and pages, for a batch of one.
KernelEntry of_one_sequence(const KernelEntry& entry);

// `parts` has the buffers of each sequence, bound for of_one_sequence. A buffer that all of them
// lack is missing; `starts` is where all are 0 and initial states are missing.
HostBuffers join(const KernelEntry& entry, const VarlenLayout& layout, const Sizes& sizes,
                 const std::vector<HostBuffers>& parts);
FieldBuffers join(const KernelEntry& entry, const VarlenLayout& layout, const Sizes& sizes,
                  const std::vector<FieldBuffers>& parts);
// The contents back into the parts. Returns what has been written outside of all sequences, in
// words, or nothing.
std::string split(const KernelEntry& entry, const VarlenLayout& layout, const Sizes& sizes,
                  const HostBuffers& joined, std::vector<HostBuffers>& parts);
std::string split(const KernelEntry& entry, const VarlenLayout& layout, const Sizes& sizes,
                  const FieldBuffers& joined, std::vector<FieldBuffers>& parts);

}  // namespace heddle
