// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/prover.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string_view>

#include "analyzer/smt/script.hpp"
#include "codegen/verify/facts.hpp"
#include "patterns/result.hpp"

namespace heddle::verify {

using smt::Operation;
using smt::Term;

namespace {

Integer value(const Term& term, const std::map<std::string, Integer>& model) {
  const auto operand = [&](std::size_t index) { return value(term.operands()[index], model); };
  switch (term.operation()) {
    case Operation::kConstant:
      return term.value();
    case Operation::kVariable: {
      const auto place = model.find(term.name());
      return place == model.end() ? Integer(0) : place->second;
    }
    case Operation::kAdd:
      return operand(0) + operand(1);
    case Operation::kSubtract:
      return operand(0) - operand(1);
    case Operation::kMultiply:
      return operand(0) * operand(1);
    case Operation::kIfThenElse:
      return holds(term.operands()[0], model) ? operand(1) : operand(2);
    default:
      unreachable("an integer term");
  }
}

}  // namespace

bool holds(const Term& term, const std::map<std::string, Integer>& model) {
  const auto each = [&](const Term& operand) { return holds(operand, model); };
  const auto side = [&](std::size_t index) { return value(term.operands()[index], model); };
  const std::vector<Term>& parts = term.operands();
  switch (term.operation()) {
    case Operation::kLess:
      return side(0) < side(1);
    case Operation::kLessEqual:
      return side(0) <= side(1);
    case Operation::kEqual:
      return side(0) == side(1);
    case Operation::kAnd:
      return std::all_of(parts.begin(), parts.end(), each);
    case Operation::kOr:
      return std::any_of(parts.begin(), parts.end(), each);
    case Operation::kNot:
      return !each(parts[0]);
    case Operation::kImplies:
      return !each(parts[0]) || each(parts[1]);
    default:
      unreachable("a truth");
  }
}

namespace {

// Of Z3's units. The plain solver answers nearly all questions with few; of the rest, the one that
// chooses its ways answers most, and faster than the plain one goes on. It stops at kSoon where a
// goal need not follow, and the plain one does not go on; of few facts it may take longer.
constexpr std::uint64_t kFirst = 100'000;
constexpr std::uint64_t kSoon = 1'000'000;
constexpr std::uint64_t kOfFew = 3'000'000;

// Facts that speak of nothing but what the goal does and what is one step from it, twice: another
// variable counts where a fact has no further one besides. Where all facts leave a solver at a
// loss, these are often enough, and what follows from them follows from all.
std::vector<Term> close_to(const Term& goal, const std::vector<Term>& facts) {
  constexpr int kSteps = 2;
  std::vector<std::set<std::string>> spoken_of(facts.size());
  for (std::size_t i = 0; i < facts.size(); ++i) collect_variables(facts[i], spoken_of[i]);
  std::set<std::string> near;
  collect_variables(goal, near);
  const auto beyond = [&](const std::set<std::string>& variables) {
    return std::count_if(variables.begin(), variables.end(),
                         [&](const std::string& each) { return near.count(each) == 0; });
  };
  for (int step = 0; step < kSteps; ++step) {
    std::set<std::string> more;
    for (const std::set<std::string>& variables : spoken_of) {
      if (variables.size() > 1 && beyond(variables) == 1) {
        more.insert(variables.begin(), variables.end());
      }
    }
    near.insert(more.begin(), more.end());
  }
  std::vector<Term> close;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (beyond(spoken_of[i]) == 0) close.push_back(facts[i]);
  }
  return close;
}

std::string refutation(const std::vector<Term>& facts, const Term& goal,
                       const std::string& statement) {
  smt::Script script;
  for (const Term& fact : facts) script.assume(fact, "known");
  std::vector<Term> all = facts;
  all.push_back(goal);
  for (const Term& lemma : monomial_lemmas(all)) script.assume(lemma, "of products");
  return script.refutation_text(statement, goal);
}

// Whether it speaks of numbers only, and is so.
bool is_true(const Term& goal) {
  std::set<std::string> variables;
  collect_variables(goal, variables);
  return variables.empty() && holds(goal, {});
}

// Whether each part of the goal stands among the facts as it is.
bool stands(const Term& goal, const std::set<std::string>& facts) {
  if (goal.operation() != Operation::kAnd) return facts.count(goal.text()) != 0;
  return std::all_of(goal.operands().begin(), goal.operands().end(),
                     [&](const Term& part) { return stands(part, facts); });
}

// The same text for questions that differ in the names of variables only: what is a factor of what
// stays, and with it the lemmas of products.
class Renamed {
 public:
  void add(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t end = std::min(text.find_first_of(" ()", at), text.size());
      if (end == at) {
        text_ += text[at++];
        continue;
      }
      const std::string_view word = text.substr(at, end - at);
      text_ += is_variable(word) ? renamed(word) : word;
      at = end;
    }
    text_ += '\n';
  }
  std::string take() { return std::move(text_); }

 private:
  static bool is_variable(std::string_view word) {
    // All that SMT-LIB itself gives a meaning; other functions are any function.
    static const std::set<std::string_view> words = {"and",   "or",  "not", "ite", "true",
                                                     "false", "div", "mod", "abs", "distinct"};
    return std::isalpha(static_cast<unsigned char>(word[0])) != 0 && words.count(word) == 0;
  }
  std::string_view renamed(std::string_view variable) {
    const auto known = variables_.find(variable);
    if (known != variables_.end()) return known->second;
    std::vector<std::string> factors = factors_of(std::string(variable));
    for (std::string& factor : factors) {
      factor = names_.emplace(factor, "v" + std::to_string(names_.size())).first->second;
    }
    return variables_.emplace(std::string(variable), product_of(std::move(factors))).first->second;
  }

  std::map<std::string, std::string> names_;                   // of factors
  std::map<std::string, std::string, std::less<>> variables_;  // products of them
  std::string text_;
};

}  // namespace

smt::Reply Prover::ask(const std::vector<Term>& facts, const Term& goal,
                       const std::string& statement, bool with_model) {
  return answer(facts, goal, statement, with_model, false);
}

bool Prover::proves_soon(const std::vector<Term>& facts, const Term& goal,
                         const std::string& statement) {
  return answer(facts, goal, statement, false, true).answer == smt::Answer::kUnsat;
}

smt::Reply Prover::answer(const std::vector<Term>& facts, const Term& goal,
                          const std::string& statement, bool with_model, bool soon) {
  if (is_true(goal)) return {smt::Answer::kUnsat, {}, {}};
  std::set<std::string> stated;
  std::vector<Term> all;  // each fact once: witnesses bring the same ones
  std::vector<std::string_view> texts;
  for (const Term& fact : facts) {
    const auto [text, first] = stated.insert(fact.text());
    if (!first) continue;
    all.push_back(fact);
    texts.push_back(*text);
  }
  if (stands(goal, stated)) return {smt::Answer::kUnsat, {}, {}};
  Renamed renamed;
  for (const std::string_view text : texts) renamed.add(text);
  renamed.add(goal.text());
  const std::string question = renamed.take();
  const auto known = answers_.find(question);
  if (known != answers_.end() && (!with_model || known->second != smt::Answer::kSat)) {
    return {known->second, {}, {}};
  }
  std::string text = refutation(all, goal, statement);
  std::vector<std::string> names;
  if (with_model) {
    all.push_back(goal);
    std::set<std::string> variables;
    for (const Term& term : all) collect_variables(term, variables);
    names.assign(variables.begin(), variables.end());
  }
  ++questions_;
  const std::uint64_t limit = options_.resource_limit;
  smt::Reply reply = plain_.solve(text, std::min(kFirst, limit), with_model);
  const auto search = [&](const std::string& script, std::uint64_t most) {
    return smt::solve(script, std::min(most, limit), names, smt::Process::kThis);
  };
  const auto search_near = [&](const std::vector<Term>& near, std::uint64_t most) {
    const std::string fewer = refutation(near, goal, statement);
    const smt::Reply of_fewer = search(fewer, most);
    if (of_fewer.answer != smt::Answer::kUnsat) return;
    reply = of_fewer;
    text = fewer;
  };
  if (reply.answer == smt::Answer::kUnknown) {
    const std::vector<Term> near = with_model ? all : close_to(goal, all);
    const bool is_few = 2 * near.size() <= all.size();
    if (is_few) search_near(near, kOfFew);
    if (reply.answer == smt::Answer::kUnknown) reply = search(text, kSoon);
    if (reply.answer == smt::Answer::kUnknown && !is_few && !with_model) search_near(near, kSoon);
  }
  if (reply.answer == smt::Answer::kUnknown) {
    if (soon) return reply;
    reply = search(text, limit);
  }
  if (reply.answer == smt::Answer::kUnknown) reply = plain_.solve(text, limit, with_model);
  answers_[question] = reply.answer;
  if (options_.keep_scripts && reply.answer == smt::Answer::kUnsat) {
    scripts_.push_back({statement, text});
  }
  return reply;
}

}  // namespace heddle::verify
