// SPDX-License-Identifier: Apache-2.0
// Collects what goes wrong while a kernel runs, cheaply, and puts it into words afterwards.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "patterns/result.hpp"
#include "runtime/emulator/finding.hpp"
#include "runtime/emulator/shadow.hpp"
#include "runtime/emulator/source_lines.hpp"

namespace heddle::emulator {

// What was seen, as numbers: noted on a small stack in the middle of a kernel.
struct Observation {
  FindingKind kind = FindingKind::kOutOfBounds;
  std::uint32_t site = 0;
  int block = -1;
  int thread = -1;
  const Array* array = nullptr;
  std::size_t offset = 0;  // in bytes
  std::size_t size = 0;    // of the access
  bool is_write = false;
  // Of the other party of a race.
  std::uint32_t other_site = 0;
  int other_thread = -1;
  bool other_is_write = false;
  bool between_blocks = false;
  // The whole message where numbers do not suffice.
  std::string words = {};
};

class FindingLog {
 public:
  explicit FindingLog(std::size_t limit) : limit_(limit) {}

  // Things of one kind at one place of the text, about one array, are one finding.
  void note(Observation observation);
  bool empty() const { return entries_.empty(); }
  std::vector<Finding> findings(SourceLines& lines) const;

 private:
  struct Entry {
    Observation observation;
    std::int64_t count = 1;
  };
  std::size_t limit_;
  std::vector<Entry> entries_;
};

}  // namespace heddle::emulator
