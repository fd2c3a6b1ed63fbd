// SPDX-License-Identifier: Apache-2.0
// P(0), ..., P(w-1) and (P(k), ..., P(k+w-1) => P(k+w) for k >= 0) give P(k) for all k >= 0.
#include "analyzer/proof/induction.hpp"

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

std::optional<Lemma> by_induction(const Knowledge& knowledge, const FunctionDefinition* function,
                                  const Induction& induction) {
  Lemma lemma{induction.name, {}};

  Query base(knowledge, knowledge.resource_limit);
  std::vector<Term> starts;
  for (int k = 0; k < induction.width; ++k) starts.push_back(induction.property(base, Term(k)));
  const Attempt base_attempt =
      base.prove(induction.name + ".base", induction.statement + ": base", conjunction(starts));
  if (!base_attempt.proved()) return std::nullopt;
  lemma.obligations.push_back(base_attempt.obligation);

  Query step(knowledge, knowledge.resource_limit);
  const Term k = step.variable("k");
  step.assume(k >= 0, "k is natural");
  std::vector<Term> goals;
  if (function != nullptr) {
    for (int offset = 0; offset <= induction.width; ++offset) {
      const Term needed = step.unfold(*function, offset == 0 ? k : k + Term(offset));
      if (offset == 0) goals.push_back(needed);
    }
  }
  for (int offset = 0; offset < induction.width; ++offset) {
    step.assume(induction.property(step, offset == 0 ? k : k + Term(offset)),
                "induction hypothesis");
  }
  goals.push_back(induction.property(step, k + Term(induction.width)));
  const Attempt step_attempt =
      step.prove(induction.name + ".step", induction.statement + ": step", conjunction(goals));
  if (!step_attempt.proved()) return std::nullopt;
  lemma.obligations.push_back(step_attempt.obligation);

  // A lemma rests on the lemmas that its own proof used.
  std::set<std::string> used = base.lemmas();
  used.insert(step.lemmas().begin(), step.lemmas().end());
  for (Obligation& obligation : knowledge.obligations_of(used)) {
    lemma.obligations.push_back(std::move(obligation));
  }
  return lemma;
}

}  // namespace heddle::proof
