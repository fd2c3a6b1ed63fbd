// SPDX-License-Identifier: Apache-2.0
// What a compiler would not compute twice. Every value has a name: a number that stands for where
// it comes from, and a constant added to it. Two values of one name are the same in each lane, so
// that the second costs nothing, inside a loop or out of it; added constants go into addresses and
// into additions of three operands, and cost nothing.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>

#include "codegen/timing/warp_clock.hpp"

namespace heddle::timing {

struct Name {
  std::int64_t base = 0;  // 0: a constant
  std::int64_t added = 0;

  bool constant() const { return base == 0; }
  bool operator==(const Name&) const = default;
};

class Names {
 public:
  // An operation, and what tells it from others of its kind.
  using Operation = std::array<std::int64_t, 8>;
  struct Result {
    std::int64_t base;
    Cycle ready;
  };

  std::int64_t fresh() { return ++newest_; }
  const Result* find(const Operation& operation) const;
  Result add(const Operation& operation, Cycle ready);

 private:
  struct Hash {
    std::size_t operator()(const Operation& operation) const;
  };
  std::int64_t newest_ = 0;
  std::unordered_map<Operation, Result, Hash> known_;
};

}  // namespace heddle::timing
