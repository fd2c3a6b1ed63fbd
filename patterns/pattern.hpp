// SPDX-License-Identifier: Apache-2.0
// A resolved pattern: names bound, parameters fixed, meaning immutable. rowA(i) and rowB(i) say
// which inputs x_j and which earlier outputs y_j token i reads; tokens count from 1.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "patterns/ast.hpp"
#include "patterns/diagnostic.hpp"
#include "patterns/intervals.hpp"
#include "patterns/result.hpp"

namespace heddle {

enum class Side { kA, kB };  // the matrix A (inputs) or B (earlier outputs)

class Pattern {
 public:
  const std::string& name() const { return syntax_.name; }
  // Parameter values already replaced by any overrides; expressions still name the parameters.
  const PatternSyntax& syntax() const { return syntax_; }
  const SetPtr& set(Side side) const { return side == Side::kA ? syntax_.a : syntax_.b; }
  const std::vector<Claim>& claims() const { return syntax_.claims; }
  const Weights& weights() const { return syntax_.weights; }
  // Null when the pattern defines no such function.
  const FunctionDefinition* function(const std::string& name) const;
  std::optional<Integer> parameter(const std::string& name) const;

  // print(syntax()), and its SHA-256 as 64 hexadecimal digits.
  const std::string& canonical_text() const { return canonical_text_; }
  const std::string& sha256() const { return sha256_; }

 private:
  friend std::optional<Pattern> resolve(PatternSyntax, const std::map<std::string, Integer>&,
                                        Diagnostics&);
  PatternSyntax syntax_;
  std::string canonical_text_;
  std::string sha256_;
};

// Checks names, arities, recursion order and where unbounded variables end, and applies
// `overrides`. Reports every problem; returns nothing if there was one. That rows are causal for
// every i is proved by the analyzer, not here.
std::optional<Pattern> resolve(PatternSyntax syntax,
                               const std::map<std::string, Integer>& overrides,
                               Diagnostics& diagnostics);

// "cache(i) <= 3 for i = 7": a claim about the pattern beside those that it makes itself. Nothing
// where the text is not one claim, or its names have no meaning there.
std::optional<Claim> claim_about(const Pattern& pattern, const std::string& text);

}  // namespace heddle
