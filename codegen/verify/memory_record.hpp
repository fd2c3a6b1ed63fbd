// SPDX-License-Identifier: Apache-2.0
// The memory of a replayed launch: numbers, and who touched what since when. It tells the first
// access that no launch may make: out of bounds, of what nobody has written, or against another
// thread without a barrier between.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "codegen/verify/lexer.hpp"

namespace heddle::verify {

// One thread at one place of the text.
struct Visit {
  int block = 0;
  int thread = 0;
  int phase = 0;  // of the block: barriers so far
  TextPlace at;
};
std::string told(const Visit& visit);  // "thread 3 of block 0 in line 20"

// What a replay ran into.
struct Violation {
  std::string obligation;  // as of the proofs: "bounds", "races", ...
  std::string sentence;
  TextPlace at;
};

class MemoryRecord {
 public:
  struct Options {
    std::string name;
    std::int64_t length = 0;
    bool global = false;        // seen by all blocks
    bool written = false;       // holds numbers before the launch
    bool written_once = false;  // no element may be written twice
    bool missing = false;       // no such memory: not to be touched
  };
  explicit MemoryRecord(Options options);

  const std::string& name() const { return options_.name; }
  std::int64_t length() const { return options_.length; }

  // As it was made.
  void forget();

  // The violation that this access is, if it is one; else it is noted.
  std::optional<Violation> read(std::int64_t index, const Visit& visit);
  std::optional<Violation> write(std::int64_t index, const Visit& visit);
  // Of what `written` says is there before the launch, this element is not: a free slot's.
  void set_blank(std::int64_t index, bool is_blank) {
    if (blank_.empty()) blank_.assign(trails_.size(), 0);
    blank_[static_cast<std::size_t>(index)] = is_blank ? 1 : 0;
  }
  bool blank(std::int64_t index) const {
    return !blank_.empty() && blank_[static_cast<std::size_t>(index)] != 0;
  }
  bool was_written(std::int64_t index) const {
    return trails_[static_cast<std::size_t>(index)].writer.has_value();
  }
  // An element that is yet to be written.
  std::optional<std::int64_t> unwritten() const;

  std::vector<std::int64_t> whole;  // the numbers, one of the two
  std::vector<float> real;

 private:
  struct Trail {
    std::optional<Visit> writer;
    std::optional<Visit> readers[2];  // two threads of the newest phase
  };
  std::optional<Violation> bounds(std::int64_t index, const Visit& visit) const;
  bool apart(const Visit& before, const Visit& now) const;
  std::string place(std::int64_t index) const;

  Options options_;
  std::vector<Trail> trails_;
  std::vector<char> blank_;  // of nothing: none is
};

}  // namespace heddle::verify
