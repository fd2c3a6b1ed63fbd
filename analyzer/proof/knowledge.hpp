// SPDX-License-Identifier: Apache-2.0
// What has been proved about the functions of one pattern, for every natural argument. Facts enter
// only through learn(), which proves each by induction; later proofs use ground instances of them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "analyzer/certificate/verdict.hpp"
#include "patterns/expression.hpp"
#include "patterns/pattern.hpp"

namespace heddle::proof {

// denominator * f(k) = sum of coefficients[d] * k^d
struct ClosedForm {
  Integer denominator;
  std::vector<Integer> coefficients;
};

// About a recursive function, for all k >= 0; functions in closed form are unfolded instead.
struct FunctionFacts {
  bool total = false;                // f(k) has a value
  bool positive = false;             // f(k) >= 1
  bool increasing = false;           // f(k+1) >= f(k) + 1
  std::optional<ClosedForm> closed;  // a polynomial
  std::optional<int> doubling;       // f(0) >= 1 and f(k + doubling) >= 2 f(k)
  std::optional<Integer> ratio;      // f(k+1) <= ratio f(k)
  std::vector<std::string> at_most;  // f(k) <= g(k) for these g
};

struct Lemma {
  std::string name;  // "increasing(f)"
  std::vector<Obligation> obligations;
};

struct Knowledge {
  const Pattern* pattern = nullptr;
  std::shared_ptr<const Evaluator> evaluator;  // of the pattern
  std::uint64_t resource_limit = 0;
  std::map<std::string, FunctionFacts> functions;
  std::map<std::string, Lemma> lemmas;

  const FunctionFacts& facts(const std::string& function) const;
  // The obligations behind lemmas of these names, in name order; powers and bits included.
  std::vector<Obligation> obligations_of(const std::set<std::string>& lemma_names) const;
};

// Every fact above that induction proves within the resource limit, for all recursive functions.
Knowledge learn(const Pattern& pattern, std::uint64_t resource_limit);

}  // namespace heddle::proof
