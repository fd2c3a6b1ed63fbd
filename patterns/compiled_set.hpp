// SPDX-License-Identifier: Apache-2.0
// Sets written as { e : k >= lo, conditions }, translated once to arithmetic on 64-bit words with
// names looked up beforehand. Whatever leaves 64 bits, or has no value, is left to the exact
// evaluator, so that only the time differs.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "patterns/pattern.hpp"

namespace heddle {

constexpr std::int64_t kMostElements = 5'000'000;  // looked at for one row
constexpr std::int64_t kFarthestPosition = std::int64_t{1} << 60;

// f(k) where it has a value of 64 bits.
using FunctionValues =
    std::function<std::optional<std::int64_t>(const std::string& function, std::int64_t k)>;

class CompiledSet {
 public:
  // `ends`: for each binder the condition that fails for good as it grows, or null. Null where the
  // set holds what does not fit; `pattern` and `set` must outlive the result.
  static std::unique_ptr<CompiledSet> of(const Pattern& pattern, const Comprehension& set,
                                         const std::vector<ConditionPtr>& ends,
                                         FunctionValues functions);
  ~CompiledSet();

  // Row i in the order of the walk, one interval for each element, positions clamped to
  // +-kFarthestPosition. Nothing where the exact evaluator has to look.
  std::optional<IntervalList> row(std::int64_t i);
  std::int64_t steps() const { return steps_; }  // values of binders that the last row took

 private:
  enum class Operation;
  struct Code;  // an operation on earlier ones, or on none
  struct Function {
    const std::string* name;
    std::vector<std::int64_t> values;  // f(0), f(1), ..., as far as known
  };
  struct Variable {
    int low, high, end;  // -1: none
  };
  class Translator;

  CompiledSet() = default;
  bool value_of(int at, std::int64_t& value);
  bool value_of_call(Function& function, std::int64_t k, std::int64_t& value);
  bool may_hold(std::size_t index, bool& holds);
  bool walk(std::size_t index);

  std::vector<Code> code_;
  std::vector<Function> functions_;
  FunctionValues values_;
  std::vector<Variable> variables_;
  std::vector<int> conditions_;
  int element_ = -1;
  // Of one row:
  std::vector<std::int64_t> slots_;  // i, then the binders
  std::int64_t steps_ = 0;
  IntervalList positions_;
};

}  // namespace heddle
