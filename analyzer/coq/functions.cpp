// SPDX-License-Identifier: Apache-2.0
#include "analyzer/coq/functions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "patterns/expression.hpp"

namespace heddle::coq {
namespace {

// The degree of a polynomial in `variable` whose coefficients are naturals.
std::optional<int> degree(const Expression& expression, const std::string& variable,
                          const Pattern& pattern) {
  if (const auto value = constant(expression, pattern)) {
    return *value < 0 ? std::nullopt : std::optional(0);
  }
  if (const auto* name = std::get_if<Name>(&expression.node)) {
    return name->name == variable ? std::optional(1) : std::nullopt;
  }
  const auto* node = std::get_if<Arithmetic>(&expression.node);
  if (node == nullptr) return std::nullopt;
  const auto left = degree(*node->left, variable, pattern);
  const auto right = degree(*node->right, variable, pattern);
  if (!left || !right) return std::nullopt;
  switch (node->op) {
    case ArithmeticOperator::kAdd:
      return std::max(*left, *right);
    case ArithmeticOperator::kMultiply:
      return *left + *right;
    case ArithmeticOperator::kPower: {
      const auto exponent = constant(*node->right, pattern);
      if (!exponent || *exponent > 3) return std::nullopt;
      return *left * static_cast<int>(*exponent->to_int64());
    }
    default:
      return std::nullopt;
  }
}

// b of b^variable
std::optional<Integer> base_of_power(const Expression& expression, const std::string& variable,
                                     const Pattern& pattern) {
  const auto* node = std::get_if<Arithmetic>(&expression.node);
  if (node == nullptr || node->op != ArithmeticOperator::kPower) return std::nullopt;
  const auto* name = std::get_if<Name>(&node->right->node);
  if (name == nullptr || name->name != variable) return std::nullopt;
  const auto base = constant(*node->left, pattern);
  return base && *base >= 2 ? base : std::nullopt;
}

// f(k + order) as a sum: the factor of f(k + offset), for each offset, and a number.
struct Recursion {
  std::vector<Integer> factors;
  Integer rest;
};

std::optional<Recursion> recursion_of(const FunctionDefinition& definition,
                                      const Pattern& pattern) {
  Recursion found;
  const Scope scope{pattern, {{definition.variable, "k"}}};
  const auto sum = sum_of(*definition.step, scope);
  if (!sum) return std::nullopt;
  const std::string name = function_name(definition.name);
  for (std::size_t offset = 0; offset < definition.base.size(); ++offset) {
    const std::string argument = offset == 0 ? "k" : fmt::format("(k + {})", offset);
    const auto factor = sum->find(name + " " + argument);
    found.factors.push_back(factor == sum->end() ? Integer(0) : factor->second);
  }
  std::size_t known = 0;
  for (const Integer& factor : found.factors) {
    if (factor < 0) return std::nullopt;
    known += factor > 0 ? 1 : 0;
  }
  const auto rest = sum->find("");
  if (rest != sum->end()) found.rest = rest->second;
  if (sum->size() != known + sum->count("") || found.rest < 0) return std::nullopt;
  return found;
}

// "S (S k)" for two more than k
std::string successor(const std::string& k, std::size_t more) {
  return more == 0 ? k : "S " + (more == 1 ? k : "(" + successor(k, more - 1) + ")");
}

// The sum with `value(offset)` for f(k + offset), the latest first.
std::string combination(const Recursion& step,
                        const std::function<std::string(std::size_t)>& value) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : " + ") + part; };
  for (std::size_t offset = step.factors.size(); offset-- > 0;) {
    const Integer& factor = step.factors[offset];
    if (factor == 1) add(value(offset));
    if (factor > 1) add(factor.to_string() + " * " + value(offset));
  }
  if (step.rest > 0 || text.empty()) add(step.rest.to_string());
  return text;
}

// Fixpoint over matches, one for each base value: the innermost sees f(k), ..., f(k + order - 1).
std::string fixpoint(const std::string& name, const std::vector<Integer>& base,
                     const Recursion& step) {
  std::string text = fmt::format("Fixpoint {} (k : nat) : nat :=\n", name);
  std::string argument = "k", indent = "  ";
  const std::size_t order = base.size();
  for (std::size_t at = 0; at < order; ++at) {
    const std::string next = fmt::format("k{}", order - 1 - at);
    text += fmt::format("{}match {} with\n{}| 0 => {}\n{}| S {} =>\n", indent, argument, indent,
                        base[at].to_string(), indent, next);
    argument = next;
    indent += "  ";
  }
  text +=
      indent +
      combination(step, [&](std::size_t offset) { return fmt::format("{} k{}", name, offset); }) +
      "\n";
  for (std::size_t at = 0; at < order; ++at) {
    indent.resize(indent.size() - 2);
    text += indent + "end" + (at + 1 == order ? ".\n" : "\n");
  }
  return text;
}

void add_start(Function& function) {
  function.lemmas += fmt::format("Lemma {0}_start : {0} 0 = {1}.\nProof. reflexivity. Qed.\n",
                                 function.name, function.start.to_string());
}

void add_counts(Function& function, const std::string& proof) {
  const std::string& f = function.name;
  function.lemmas +=
      fmt::format("Lemma {0}_counts : forall i c, counts {0} i c -> {1}.\nProof. {2} Qed.\n", f,
                  what_counts(function, "i", "c"), proof);
}

void learn_polynomial(Function& function, int degree, const std::vector<Integer>& values) {
  const std::string& f = function.name;
  function.increases = function.unfolds = true;
  function.square_plus_one = degree <= 2 && values[0] == 1 && values[1] == 2 && values[2] == 5;
  function.lemmas += fmt::format(
      "Lemma {0}_increases : increasing {0}.\nProof. intros k. unfold {0}. simpl. nia. Qed.\n", f);
  if (function.square_plus_one) {
    function.lemmas += fmt::format(
        "Lemma {0}_square : forall k, {0} k = k * k + 1.\nProof. intros k. unfold {0}. simpl. "
        "nia. Qed.\n",
        f);
  }
  add_start(function);
  add_counts(function, fmt::format("intros i c. apply counts_at_most, {}_increases.", f));
}

// The least e with 2^e >= factor.
int doublings(const Integer& factor) {
  int count = 0;
  for (Integer power = 1; power < factor; power = power + power) ++count;
  return count;
}

// f(k+1) <= 2^e f(k), as `proof` shows from goal to end.
void add_slow_growth(Function& function, int e, const std::string& proof) {
  function.slows_to = e;
  function.at_most_doubles = e == 1;
  function.lemmas += fmt::format(
      "Lemma {0}_slow : forall k, {0} (S k) <= 2 ^ {1} * {0} k.\nProof. intros k. change (2 ^ {1}) "
      "with {2}. {3} Qed.\n",
      function.name, e, power(2, static_cast<std::uint64_t>(e), 64)->to_string(), proof);
  if (e == 1) {
    function.lemmas += fmt::format(
        "Lemma {0}_doubles : forall k, {0} (S k) <= 2 * {0} k.\nProof. exact {0}_slow. Qed.\n",
        function.name);
  }
}

// Both bounds on the number of values below i, the lower one where f grows slowly.
void add_logarithmic_counts(Function& function, const std::string& rises,
                            const std::string& doubles) {
  const std::string& f = function.name;
  const std::string many =
      fmt::format("apply (counts_of_doubling {} {}); [lia|intros k; {}|intros k; {}|exact C].", f,
                  function.doubles_after, rises, doubles);
  if (function.slows_to == 0) {
    add_counts(function, "intros i c C. " + many);
    return;
  }
  add_counts(function,
             fmt::format("intros i c C. split.\n  - {}\n  - exact (counts_of_slow_growth {} {} i c "
                         "{}_start {}_slow C).\n",
                         many, f, function.slows_to, f, f));
}

void learn_power(Function& function, const Integer& base) {
  const std::string& f = function.name;
  function.increases = true;
  function.power_of_two = base == 2;
  function.doubles_after = 1;
  function.lemmas += fmt::format(
      "Lemma {0}_increases : increasing {0}.\nProof. exact (powers_increase {1} ltac:(lia)). "
      "Qed.\n",
      f, base.to_string());
  add_start(function);
  add_slow_growth(function, doublings(base),
                  fmt::format("unfold {}. rewrite Nat.pow_succ_r'. nia.", f));
  function.ratio = base.to_string();
  function.lemmas += fmt::format(
      "Lemma {0}_gaps : forall k, gap {0} (S k) = {1} * gap {0} k.\nProof. intros k. unfold gap, "
      "{0}. rewrite !Nat.pow_succ_r'. lia. Qed.\n",
      f, function.ratio);
  if (base == 2) {
    add_counts(function, "intros i c. apply count_powers_of_two. intros k. reflexivity.");
    return;
  }
  const std::string positive = fmt::format("pose proof (Nat.pow_nonzero {} k)", base.to_string());
  add_logarithmic_counts(
      function, fmt::format("unfold {}; {}; lia", f, positive),
      fmt::format("unfold {}; rewrite Nat.add_1_r, Nat.pow_succ_r'; {}; nia", f, positive));
}

// What NAME_rises says of k, ..., k + order - 1.
std::string rises_up_to(const std::string& f, std::size_t order) {
  std::string text;
  for (std::size_t at = 0; at < order; ++at) {
    const std::string k = at == 0 ? "k" : "(" + successor("k", at) + ")";
    text += fmt::format("pose proof ({}_rises {}). ", f, k);
  }
  return text;
}

// 1 <= f(k) < f(k+1), as it is for the first values and each from those before it.
void add_rises(Function& function, std::size_t order) {
  const std::string& f = function.name;
  std::string first, known, shifted;
  for (std::size_t at = 0; at < order; ++at) {
    first += "destruct k as [|k]; [simpl; lia|";
    known += fmt::format("pose proof (H {0} ltac:(lia)) as H{0}. ", at);
  }
  for (std::size_t at = 0; at <= order; ++at) {
    shifted += fmt::format("{}?(Nat.add_comm k {})", at > 0 ? ", " : "", at);
  }
  function.lemmas += fmt::format(
      "Lemma {0}_rises : forall k, 1 <= {0} k /\\ {0} k < {0} (S k).\n"
      "Proof.\n"
      "  apply (induction_of_width {1} (fun k => 1 <= {0} k /\\ {0} k < {0} (S k))); intros k H; "
      "cbn beta in *.\n"
      "  - {2}lia{3}.\n"
      "  - {4}rewrite {5} in *. cbn [Nat.add] in *.\n"
      "    pose proof ({0}_step k). pose proof ({0}_step (S k)). lia.\n"
      "Qed.\n"
      "Lemma {0}_increases : increasing {0}.\nProof. intros k. apply {0}_rises. Qed.\n",
      f, order, first, std::string(order, ']'), known, shifted);
}

void learn_recursion(Function& function, const Recursion& step, const std::vector<Integer>& base) {
  const std::string& f = function.name;
  const std::size_t order = base.size();
  Integer total = step.rest;
  for (const Integer& factor : step.factors) total = total + factor;
  if (step.factors.back() < 1 || total - step.rest < 2) return;
  Integer steepest = total;  // f(k+1) is at most so many times f(k)
  for (std::size_t at = 1; at < order; ++at) {
    steepest = std::max(steepest, ceil_div(base[at], base[at - 1]));
  }
  function.increases = true;
  function.doubles_after = static_cast<int>(order);
  const std::string values = combination(step, [&](std::size_t offset) {
    return f + (offset == 0 ? " k" : " (" + successor("k", offset) + ")");
  });
  function.lemmas +=
      fmt::format("Lemma {0}_step : forall k, {0} ({1}) = {2}.\nProof. reflexivity. Qed.\n", f,
                  successor("k", order), values);
  add_rises(function, order);
  add_start(function);
  const std::string rises = rises_up_to(f, order);
  if (function.start == 1) {
    std::string first;
    for (std::size_t at = 1; at < order; ++at) first += "destruct k as [|k]; [simpl; lia|]. ";
    add_slow_growth(function, doublings(steepest),
                    fmt::format("{}pose proof ({}_step k). {}lia.", first, f, rises));
  }
  add_logarithmic_counts(
      function, fmt::format("apply {}_rises", f),
      one_tactic(fmt::format("rewrite (Nat.add_comm k {}). cbn [Nat.add]. pose proof ({}_step k). "
                             "{}lia.",
                             order, f, rises)));
}

}  // namespace

std::string one_tactic(std::string proof) {
  for (std::size_t at = 0; at + 1 < proof.size(); ++at) {
    if (proof[at] == '.' && (proof[at + 1] == ' ' || proof[at + 1] == '\n')) proof[at] = ';';
  }
  if (!proof.empty() && proof.back() == '.') proof.pop_back();
  return proof;
}

std::string what_counts(const Function& function, const std::string& i, const std::string& c) {
  if (function.power_of_two) {
    return fmt::format("{} = Nat.log2_up {}", c, argument(i));
  }
  if (function.doubles_after > 0) {
    const std::string most =
        fmt::format("{0} <= {1} * Nat.log2 ({2} - 1) + {1}", c, function.doubles_after, i);
    if (function.slows_to == 0) return most;
    return fmt::format("{} /\\ (2 <= {} -> Nat.log2 ({} - 1) + 1 <= {} * {})", most, i, i,
                       function.slows_to, c);
  }
  return fmt::format("counts {} {} {} /\\ {} <= {}", function.name, argument(i), c, c, i);
}

Function function_of(const std::string& name, const Expression& value, const std::string& variable,
                     const Integer& low, const Pattern& pattern) {
  Function function;
  function.name = name;
  const std::string k = low == 0 ? "k" : "(k + " + low.to_string() + ")";
  const auto text = term(value, {pattern, {{variable, k}}});
  if (!text) return function;
  std::vector<Integer> values;
  const Evaluator evaluator(pattern);
  for (int at = 0; at < 3; ++at) {
    const Result<Integer> found = evaluator.evaluate(value, {{variable, low + Integer(at)}});
    if (!found.ok() || found.value() < 0) return function;
    values.push_back(found.value());
  }
  function.definition = fmt::format("Definition {} (k : nat) : nat := {}.\n", name, *text);
  function.start = values[0];
  if (const auto exponent = degree(value, variable, pattern)) {
    if (values[0] < values[1]) learn_polynomial(function, *exponent, values);
  } else if (const auto base = base_of_power(value, variable, pattern); base && low == 0) {
    learn_power(function, *base);
  }
  return function;
}

Function function_of(const FunctionDefinition& definition, const Pattern& pattern) {
  const std::string name = function_name(definition.name);
  if (!definition.recursive()) {
    return function_of(name, *definition.step, definition.variable, 0, pattern);
  }
  Function function;
  function.name = name;
  const auto step = recursion_of(definition, pattern);
  if (!step) return function;
  std::vector<Integer> base;
  bool rises = true;
  for (const ExpressionPtr& expression : definition.base) {
    const auto value = constant(*expression, pattern);
    if (!value || *value < 0) return function;
    rises = rises && (base.empty() ? *value >= 1 : *value > base.back());
    base.push_back(*value);
  }
  function.definition = fixpoint(name, base, *step);
  function.start = base.front();
  const Result<Integer> next =
      Evaluator(pattern).call(definition.name, static_cast<std::int64_t>(base.size()));
  if (rises && next.ok() && next.value() > base.back()) {
    learn_recursion(function, *step, base);
  }
  return function;
}

}  // namespace heddle::coq
