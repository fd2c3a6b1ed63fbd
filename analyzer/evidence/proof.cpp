// SPDX-License-Identifier: Apache-2.0
// Numbers that stay are turned into places that depend on the cases above.
#include "analyzer/evidence/proof.hpp"

#include <algorithm>
#include <numeric>

namespace heddle::evidence {
namespace {

std::string text_of(const Proof& proof, const auditing::Refutation& refutation,
                    const std::vector<int>& facts, const std::vector<int>& disjunctions) {
  const auto place = [](const std::vector<int>& all, int number) {
    return std::to_string(std::find(all.begin(), all.end(), number) - all.begin());
  };
  if (proof.cases.empty()) {
    std::string text = "(sum";
    for (const Proof::Summand& part : proof.sum) {
      text += part.times.empty()
                  ? " (" + part.multiplier.to_string()
                  : " (times " +
                        refutation.text_of(auditing::product(part.times, {{{}, part.multiplier}}));
      for (const int number : part.facts) text += " " + place(facts, number);
      text += ")";
    }
    return text + ")";
  }
  std::string text = "(" + proof.head;
  if (proof.disjunction >= 0) text += " " + place(disjunctions, proof.disjunction);
  for (const Proof::Case& each : proof.cases) {
    std::vector<int> all = facts, any = disjunctions;
    all.insert(all.end(), each.facts.begin(), each.facts.end());
    any.insert(any.end(), each.disjunctions.begin(), each.disjunctions.end());
    text += "\n" + text_of(*each.proof, refutation, all, any);
  }
  return text + ")";
}

}  // namespace

std::string text_of(const Proof& proof, const auditing::Refutation& refutation) {
  std::vector<int> facts(refutation.assumed().facts.size());
  std::vector<int> disjunctions(refutation.assumed().disjunctions.size());
  std::iota(facts.begin(), facts.end(), 0);
  std::iota(disjunctions.begin(), disjunctions.end(), 0);
  return text_of(proof, refutation, facts, disjunctions);
}

}  // namespace heddle::evidence
