// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>
#include <set>

#include "patterns/ast_print.hpp"
#include "patterns/expression.hpp"
#include "patterns/monotone.hpp"
#include "patterns/names.hpp"
#include "patterns/parser.hpp"
#include "patterns/pattern.hpp"
#include "patterns/sha256.hpp"

namespace heddle {
namespace {

const std::set<std::string, std::less<>> kReserved = {
    "A",       "B",       "i",       "j",        "n",         "and",    "or",      "not",
    "in",      "for",     "mod",     "floor",    "ceil",      "sqrt",   "log2",    "min",
    "max",     "abs",     "none",    "dense",    "diagonal",  "window", "offsets", "lattice",
    "claim",   "O",       "weights", "time",     "cache",     "hops",   "rank",    "depth",
    "pattern", "reaches", "lowbit",  "popcount", "congestion"};

class Resolver {
 public:
  Resolver(const PatternSyntax& syntax, Diagnostics& diagnostics)
      : syntax_(syntax), diagnostics_(diagnostics) {}

  void run() {
    for (const Parameter& parameter : syntax_.parameters) {
      parameters_.insert(parameter.name);
      reserved(parameter.name, parameter.span);
    }
    for (const FunctionDefinition& function : syntax_.functions) declare(function);
    for (const FunctionDefinition& function : syntax_.functions) check(function);
    if (!diagnostics_.has_errors()) check_cycles();
    for (const auto& [set, name] : {std::pair{syntax_.a, "A"}, std::pair{syntax_.b, "B"}}) {
      if (set)
        check(*set);
      else
        diagnostics_.error(
            "E023", syntax_.span, "`" + syntax_.name + "` does not define `" + name + "`",
            {std::string(name) == "A" ? "write `A = diagonal` if a token reads its own input only"
                                      : "write `B = none` if no output is fed back"});
    }
    if (syntax_.weights.state) fixed_number(*syntax_.weights.state, "the state size");
    for (const Claim& claim : syntax_.claims) check(claim);
  }

 private:
  void reserved(const std::string& name, Span span) {
    if (kReserved.contains(name)) {
      diagnostics_.error("E024", span, "`" + name + "` is a word of the language");
    }
  }

  void declare(const FunctionDefinition& function) {
    reserved(function.name, function.span);
    if (parameters_.contains(function.name)) {
      diagnostics_.error("E022", function.span, "`" + function.name + "` is a parameter already");
    }
    if (parameters_.contains(function.variable)) {
      diagnostics_.error("E022", function.span,
                         "the argument `" + function.variable + "` is a parameter already");
    }
    functions_.insert(function.name);
  }

  struct Scope {
    Names names;
    bool claim = false;
    const FunctionDefinition* step_of = nullptr;  // the recursive function being defined
  };

  Scope scope_of(std::initializer_list<std::string> names) const {
    Scope scope{parameters_, false, nullptr};
    scope.names.insert(names.begin(), names.end());
    return scope;
  }

  void check(const FunctionDefinition& function) {
    for (const ExpressionPtr& value : function.base) check(*value, scope_of({}));
    Scope scope = scope_of({function.variable});
    if (function.recursive()) scope.step_of = &function;
    check(*function.step, scope);
  }

  // Inside its own step f may be used at k, k + 1, ..., k + r - 1.
  bool earlier_argument(const Expression& argument, const FunctionDefinition& function) const {
    const auto is_variable = [&](const Expression& e) {
      const auto* name = std::get_if<Name>(&e.node);
      return name && name->name == function.variable;
    };
    if (is_variable(argument)) return true;
    const auto* sum = std::get_if<Arithmetic>(&argument.node);
    if (!sum || sum->op != ArithmeticOperator::kAdd || !is_variable(*sum->left)) return false;
    const auto* shift = std::get_if<Literal>(&sum->right->node);
    return shift && shift->value < Integer(static_cast<std::int64_t>(function.base.size()));
  }

  void check(const Expression& expression, const Scope& scope) {
    match(
        expression.node, [](const Literal&) {},
        [&](const Name& node) {
          if (scope.names.contains(node.name)) return;
          std::vector<std::string> notes;
          if (functions_.contains(node.name))
            notes.push_back("`" + node.name + "` is a function: write `" + node.name + "(k)`");
          else if (!scope.claim)
            notes.push_back("bind it with `" + node.name + " >= 0` or `" + node.name +
                            " in 0..9`, or make it a parameter");
          diagnostics_.error("E020", expression.span, "`" + node.name + "` is not known here",
                             notes);
        },
        [&](const Apply& node) {
          if (!functions_.contains(node.function)) {
            diagnostics_.error("E021", expression.span,
                               "there is no function `" + node.function + "`",
                               {"define it: `" + node.function + "(k) = ...`"});
          } else if (scope.step_of && node.function == scope.step_of->name &&
                     !earlier_argument(*node.argument, *scope.step_of)) {
            diagnostics_.error(
                "E025", expression.span,
                "the step of `" + node.function + "` may use it only at earlier arguments",
                {"these are `" + scope.step_of->variable + "`, `" + scope.step_of->variable +
                 " + 1`, ..., below the one defined"});
          }
          check(*node.argument, scope);
        },
        [&](const Negate& node) { check(*node.operand, scope); },
        [&](const Arithmetic& node) {
          check(*node.left, scope);
          check(*node.right, scope);
        },
        [&](const BuiltinCall& node) {
          for (const ExpressionPtr& argument : node.arguments) check(*argument, scope);
        },
        [&](const MeasureTerm& node) {
          if (!scope.claim) {
            diagnostics_.error("E028", expression.span,
                               std::string("`") + name_of(node.measure) +
                                   "` is a measure and may only stand in a claim");
          }
          for (const ExpressionPtr& argument : node.arguments) check(*argument, scope);
        });
  }

  void check(const Condition& condition, const Scope& scope) {
    match(
        condition.node,
        [&](const Comparison& node) {
          check(*node.left, scope);
          check(*node.right, scope);
        },
        [&](const Conjunction& node) {
          check(*node.left, scope);
          check(*node.right, scope);
        },
        [&](const Disjunction& node) {
          check(*node.left, scope);
          check(*node.right, scope);
        },
        [&](const Negation& node) { check(*node.operand, scope); });
  }

  void check(const SetExpression& set) {
    match(
        set.node, [](const EmptySet&) {}, [](const DiagonalSet&) {}, [](const DenseSet&) {},
        [&](const WindowSet& node) { fixed_number(*node.width, "the width of a window"); },
        [&](const OffsetsSet& node) { function_named(node.function, set.span); },
        [&](const LatticeSet& node) { function_named(node.function, set.span); },
        [&](const RangeSet& node) {
          check(*node.low, scope_of({"i"}));
          check(*node.high, scope_of({"i"}));
        },
        [&](const Comprehension& node) { check(node, set.span); },
        [&](const SetOperation& node) {
          check(*node.left);
          check(*node.right);
        });
  }

  void check(const Comprehension& set, Span span) {
    Scope scope = scope_of({"i"});
    for (const Binder& binder : set.binders) {
      check(*binder.low, scope);
      if (binder.high) check(*binder.high, scope);
      reserved(binder.name, binder.span);
      if (!scope.names.insert(binder.name).second) {
        diagnostics_.error("E022", binder.span, "`" + binder.name + "` is defined already");
      }
    }
    check(*set.element, scope);
    for (const ConditionPtr& condition : set.conditions) check(*condition, scope);
    if (diagnostics_.has_errors()) return;
    const Monotone monotone(syntax_.parameters, syntax_.functions);
    for (std::size_t index = 0; index < set.binders.size(); ++index) {
      const Binder& binder = set.binders[index];
      if (binder.high || monotone.end_of(set, index)) continue;
      diagnostics_.error(
          "E027", binder.span.end > 0 ? binder.span : span,
          "nothing here ends the values of `" + binder.name + "`",
          {"add a condition that fails for large `" + binder.name + "`, such as `f(" + binder.name +
           ") < i`, or write `" + binder.name + " in 0..9`"});
    }
  }

  void function_named(const std::string& name, Span span) {
    if (functions_.contains(name)) return;
    diagnostics_.error("E021", span, "there is no function `" + name + "`",
                       {"define it: `" + name + "(k) = k^2 + 1`"});
  }

  // An expression of literals and parameters whose value is at least 1.
  void fixed_number(const Expression& expression, const std::string& what) {
    const std::size_t before = diagnostics_.list().size();
    check(expression, scope_of({"i"}));
    if (diagnostics_.list().size() != before) return;
    if (names_in(expression).contains("i")) {
      diagnostics_.error("E032", expression.span, what + " is the same for every row",
                         {"a width that grows is written `{ max(1, i - sqrt(i))..i - 1 }`"});
      return;
    }
    fixed_numbers_.push_back({&expression, what});
  }

  void check(const Claim& claim) {
    Scope scope = scope_of({"i", "j", "n", "m"});
    scope.claim = true;
    match(
        claim.node,
        [&](const BoundClaim& node) {
          check(*node.left, scope);
          check(*node.right, scope);
        },
        [&](const GrowthClaim& node) { check(*node.measure, scope); },
        [&](const ReachClaim& node) {
          check(*node.from_row, scope);
          check(*node.to_row, scope);
        });
    if (claim.where) check(*claim.where, scope);
  }

  void check_cycles() {
    for (const FunctionDefinition& function : syntax_.functions) {
      Names seen;
      if (!needs(function, function.name, seen)) continue;
      diagnostics_.error(
          "E026", function.span, "`" + function.name + "` needs itself to be computed",
          {"a recursive function gives first values and a step: `f(0) = 1`, `f(k+1) = 2 * f(k)`"});
    }
  }

  // Whether `function` uses `target` through others, or directly outside its own step.
  bool needs(const FunctionDefinition& function, const std::string& target, Names& seen) {
    for (const std::string& used : applied(function)) {
      if (used == function.name && function.recursive()) {
        if (applied_in_base(function).contains(used) && used == target) return true;
        continue;
      }
      if (used == target) return true;
      if (!seen.insert(used).second) continue;
      for (const FunctionDefinition& other : syntax_.functions) {
        if (other.name == used && needs(other, target, seen)) return true;
      }
    }
    return false;
  }

  static void collect(const Expression& expression, Names& names) {
    match(
        expression.node, [](const Literal&) {}, [](const Name&) {},
        [&](const Apply& node) {
          names.insert(node.function);
          collect(*node.argument, names);
        },
        [&](const Negate& node) { collect(*node.operand, names); },
        [&](const Arithmetic& node) {
          collect(*node.left, names);
          collect(*node.right, names);
        },
        [&](const BuiltinCall& node) {
          for (const ExpressionPtr& argument : node.arguments) collect(*argument, names);
        },
        [](const MeasureTerm&) {});
  }

  static Names applied_in_base(const FunctionDefinition& function) {
    Names names;
    for (const ExpressionPtr& value : function.base) collect(*value, names);
    return names;
  }

  static Names applied(const FunctionDefinition& function) {
    Names names = applied_in_base(function);
    collect(*function.step, names);
    return names;
  }

 public:
  struct FixedNumber {
    const Expression* expression;
    std::string what;
  };
  const std::vector<FixedNumber>& fixed_numbers() const { return fixed_numbers_; }

 private:
  const PatternSyntax& syntax_;
  Diagnostics& diagnostics_;
  Names parameters_;
  Names functions_;
  std::vector<FixedNumber> fixed_numbers_;
};

}  // namespace

const FunctionDefinition* Pattern::function(const std::string& name) const {
  for (const FunctionDefinition& function : syntax_.functions) {
    if (function.name == name) return &function;
  }
  return nullptr;
}

std::optional<Integer> Pattern::parameter(const std::string& name) const {
  for (const Parameter& parameter : syntax_.parameters) {
    if (parameter.name == name) return parameter.value;
  }
  return std::nullopt;
}

std::optional<Pattern> resolve(PatternSyntax syntax,
                               const std::map<std::string, Integer>& overrides,
                               Diagnostics& diagnostics) {
  for (const auto& [name, value] : overrides) {
    const auto parameter =
        std::find_if(syntax.parameters.begin(), syntax.parameters.end(),
                     [&, &wanted = name](const Parameter& p) { return p.name == wanted; });
    if (parameter == syntax.parameters.end()) {
      diagnostics.error("E029", syntax.span,
                        "`" + syntax.name + "` has no parameter `" + name + "`");
    } else {
      parameter->value = value;
    }
  }
  Resolver resolver(syntax, diagnostics);
  resolver.run();
  Pattern pattern;
  if (!diagnostics.has_errors()) {
    pattern.syntax_ = syntax;
    const Evaluator evaluator(pattern);
    for (const auto& [expression, what] : resolver.fixed_numbers()) {
      const Result<Integer> value = evaluator.evaluate(*expression, {});
      if (value && *value >= Integer(1)) continue;
      diagnostics.error("E032", expression->span,
                        value ? what + " is " + value->to_string() + ", below 1"
                              : what + " has no value: " + value.error().message);
    }
  }
  diagnostics.sort();
  if (diagnostics.has_errors()) return std::nullopt;
  pattern.canonical_text_ = print(pattern.syntax_);
  pattern.sha256_ = sha256_hex(pattern.canonical_text_);
  return pattern;
}

std::optional<Claim> claim_about(const Pattern& pattern, const std::string& text) {
  const std::string& whole = pattern.canonical_text();
  Diagnostics diagnostics;
  std::vector<PatternSyntax> syntax = parse(
      {"claim", whole.substr(0, whole.rfind('}')) + "  claim " + text + "\n}\n"}, diagnostics);
  if (diagnostics.has_errors() || syntax.size() != 1) return std::nullopt;
  const std::optional<Pattern> stated = resolve(std::move(syntax[0]), {}, diagnostics);
  if (!stated || stated->claims().size() != pattern.claims().size() + 1) return std::nullopt;
  return stated->claims().back();
}

}  // namespace heddle
