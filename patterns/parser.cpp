// SPDX-License-Identifier: Apache-2.0
// Statements of a pattern file. Expressions, conditions and sets are in expression_parser.cpp.
#include "patterns/parser.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "patterns/expression_parser.hpp"

namespace heddle {
namespace {

constexpr std::size_t kMaxFunctions = 100;  // they may use each other, so this bounds recursion

// One equation f(argument) = value, before the equations of a function are put together.
struct Equation {
  std::string function;
  std::string variable;    // empty for f(2) = ...
  std::int64_t shift = 0;  // f(k + shift), or the argument itself when there is no variable
  ExpressionPtr value;
  Span span;
};

constexpr int kLargestExponent = 8;  // of a class
constexpr const char* kTooLarge = "the exponents of a class are at most 8";

class PatternParser : ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  std::vector<PatternSyntax> file() {
    std::vector<PatternSyntax> patterns;
    for (skip_statement_ends(); !at_end(); skip_statement_ends()) {
      if (!peek_name("pattern")) {
        error_here("E003", "expected `pattern`, found " + found(),
                   {"a file holds patterns: `pattern NAME { A = diagonal; B = window(4) }`"});
        skip_to_pattern();
        continue;
      }
      patterns.push_back(pattern());
    }
    if (patterns.empty() && !diagnostics().has_errors()) {
      error_here("E009", "the file holds no pattern",
                 {"write `pattern NAME { A = diagonal; B = window(4) }`"});
    }
    std::set<std::string> names;
    for (const PatternSyntax& pattern : patterns) {
      if (pattern.name.empty() || names.insert(pattern.name).second) continue;
      diagnostics().error("E008", pattern.span, "two patterns are called `" + pattern.name + "`");
    }
    return patterns;
  }

 private:
  PatternSyntax pattern() {
    PatternSyntax result;
    equations_.clear();
    forget_parameters();
    advance();  // `pattern`
    result.span = token().span;
    try {
      result.name = expect_name("a name for the pattern");
      if (accept("(")) parameters(result);
      expect_open_body();
    } catch (const SyntaxError&) {
      skip_to_body();
      if (!accept_open_body()) return result;
    }
    for (skip_statement_ends(); !peek("}") && !at_end(); skip_statement_ends()) {
      if (peek_name("pattern") && peek_ahead_is_name()) break;  // the `}` is missing
      try {
        begin_statement();
        statement(result);
        expect_statement_end();
      } catch (const SyntaxError&) {
        skip_statement();
      }
    }
    if (!accept("}")) {
      diagnostics().error("E003", result.span,
                          "the pattern `" + result.name + "` is not closed by `}`");
    }
    assemble_functions(result);
    return result;
  }

  void parameters(PatternSyntax& result) {
    Brackets inside(*this);
    while (!peek(")")) {
      Parameter parameter;
      parameter.span = token().span;
      parameter.name = expect_name("a parameter name");
      expect("=", "and a default value, as in `(w = 4)`");
      const bool negative = accept("-");
      if (token().kind != TokenKind::kNumber) {
        fail("E003", "expected a number as the default value, found " + found());
      }
      const Integer magnitude = *Integer::parse(token().text);
      advance();
      parameter.value = negative ? -magnitude : magnitude;
      for (const Parameter& earlier : result.parameters) {
        if (earlier.name == parameter.name) {
          diagnostics().error("E022", parameter.span,
                              "the parameter `" + parameter.name + "` is defined twice");
        }
      }
      declare_parameter(parameter.name);
      result.parameters.push_back(std::move(parameter));
      if (!accept(",")) break;
    }
    expect(")", "after the parameters");
  }

  void statement(PatternSyntax& result) {
    const Token first = token();
    if (first.kind != TokenKind::kName) {
      fail("E010", "expected a statement, found " + found(),
           {"statements are `A = SET`, `B = SET`, `f(k) = ...`, `weights KIND`, `claim ...`"});
    }
    if (first.text == "claim") return claims(result);
    if (first.text == "weights") return weights(result);
    advance();
    if ((first.text == "A" || first.text == "B") && peek("=")) {
      advance();
      SetPtr& target = first.text == "A" ? result.a : result.b;
      if (target) {
        diagnostics().error("E022", first.span,
                            "`" + std::string(first.text) + "` is defined twice");
      }
      target = set();
      return;
    }
    if (peek("(")) return equation(first);
    fail_at("E010", first.span, "`" + std::string(first.text) + "` starts no statement",
            {"statements are `A = SET`, `B = SET`, `f(k) = ...`, `weights KIND`, `claim ...`"});
  }

  // f(k) = e, f(0) = e, f(k + 2) = e; several may be separated by commas.
  void equation(Token name) {
    while (true) {
      Equation result;
      result.function = std::string(name.text);
      result.span = name.span;
      {
        expect("(", "after a function name");
        Brackets inside(*this);
        if (token().kind == TokenKind::kNumber) {
          result.shift = small_number();
        } else {
          result.variable = expect_name("`k`, `k + 1` or a number as the argument");
          if (accept("+")) result.shift = small_number();
        }
        expect(")", "after the argument of a function");
      }
      expect("=", "in the definition of a function");
      result.value = expression();
      equations_.push_back(std::move(result));
      if (!accept(",")) return;
      name = token();
      expect_name("another equation after `,`");
    }
  }

  std::int64_t small_number() {
    if (token().kind != TokenKind::kNumber) fail("E003", "expected a number, found " + found());
    const auto value = Integer::parse(token().text)->to_int64();
    if (!value || *value > 64) {
      fail("E025", "a recursive definition may reach back at most 64 steps");
    }
    advance();
    return *value;
  }

  void weights(PatternSyntax& result) {
    advance();
    static const std::map<std::string, WeightKind, std::less<>> kKinds = {
        {"softmax", WeightKind::kSoftmax},
        {"given", WeightKind::kGiven},
        {"gated", WeightKind::kGated},
        {"linear", WeightKind::kLinear}};
    const Token kind = token();
    const auto known = kKinds.find(kind.text);
    if (kind.kind != TokenKind::kName || known == kKinds.end()) {
      fail("E011", "unknown weights " + found(),
           {"weights are `softmax`, `given`, `gated` or `linear(state = N)`"});
    }
    advance();
    result.weights.kind = known->second;
    if (known->second != WeightKind::kLinear) return;
    expect("(", "as in `weights linear(state = 16)`");
    Brackets inside(*this);
    if (expect_name("`state`") != "state") {
      fail_at("E011", kind.span, "`linear` takes `state`, as in `weights linear(state = 16)`");
    }
    expect("=", "after `state`");
    result.weights.state = expression();
    expect(")", "after the state size");
  }

  void claims(PatternSyntax& result) {
    const std::size_t begin = token().span.begin;
    advance();
    Claim claim{claim_body(), nullptr, {}};
    if (accept_name("for")) claim.where = condition();
    claim.span = {begin, previous_end()};
    result.claims.push_back(std::move(claim));
  }

  std::variant<BoundClaim, GrowthClaim, ReachClaim> claim_body() {
    if (peek_name("reaches")) {
      advance();
      expect("(", "as in `reaches(i, j)`");
      Brackets inside(*this);
      ReachClaim reach;
      reach.from_row = expression();
      expect(",", "between the two tokens of `reaches(i, j)`");
      reach.to_row = expression();
      expect(")", "after `reaches(i, j`");
      return reach;
    }
    ExpressionPtr left = expression();
    if (accept_name("in")) {
      const GrowthBound bound = growth_bound();
      return GrowthClaim{std::move(left), bound, growth_class()};
    }
    static const std::map<std::string, ComparisonOperator, std::less<>> kOperators = {
        {"<=", ComparisonOperator::kLessEqual},
        {">=", ComparisonOperator::kGreaterEqual},
        {"=", ComparisonOperator::kEqual}};
    const auto op = kOperators.find(token().text);
    if (op == kOperators.end()) {
      fail("E012", "a claim needs `<=`, `>=`, `=` or a class such as `in O(...)`, found " + found(),
           {"claims are `claim time(i) <= sqrt(i) + 2`, `claim cache(i) in O(log n)`, "
            "`claim reaches(i, j)`"});
    }
    advance();
    ExpressionPtr right = expression();
    return BoundClaim{op->second, std::move(left), std::move(right)};
  }

  GrowthBound growth_bound() {
    if (accept_name("O")) return GrowthBound::kAtMost;
    if (accept_name("Omega")) return GrowthBound::kAtLeast;
    if (accept_name("Theta")) return GrowthBound::kBoth;
    fail("E013", "expected a class such as `O(sqrt n)`, found " + found(),
         {"`O` is at most, `Omega` at least, `Theta` both"});
  }

  GrowthClass growth_class() {
    expect("(", "after `O`, `Omega` or `Theta`");
    Brackets inside(*this);
    GrowthClass growth;
    bool more = true;
    while (more) {
      growth_factor(growth);
      more = accept("*") || (!peek(")") && !at_end());
    }
    expect(")", "after the class");
    return growth;
  }

  // 1 | log n | log(n)^c | sqrt n | n | n^c | n^(a/b)
  void growth_factor(GrowthClass& growth) {
    if (token().kind == TokenKind::kNumber && token().text == "1") return advance();
    if (accept_name("log")) {
      const bool bracket = growth_variable();
      if (peek("^") && !bracket) {
        fail("E013", "a power of a logarithm needs brackets", {"write `log(n)^2`"});
      }
      growth.log_power += accept("^") ? exponent() : 1;
      if (growth.log_power > kLargestExponent) fail("E013", kTooLarge);
      return;
    }
    int numerator = 1;
    int denominator = 1;
    if (accept_name("sqrt")) {
      growth_variable();
      denominator = 2;
    } else {
      growth_variable();
      if (accept("^")) {
        const bool fraction = accept("(");
        numerator = exponent();
        if (fraction) {
          if (accept("/")) denominator = exponent();
          expect(")", "after the exponent");
        }
        if (denominator == 0) fail("E013", "the exponent divides by zero");
      }
    }
    growth.power_numerator =
        growth.power_numerator * denominator + numerator * growth.power_denominator;
    growth.power_denominator *= denominator;
    const int common = std::gcd(growth.power_numerator, growth.power_denominator);
    growth.power_numerator /= common;
    growth.power_denominator /= common;
    if (growth.power_denominator > kLargestExponent ||
        growth.power_numerator > kLargestExponent * growth.power_denominator) {
      fail("E013", kTooLarge);
    }
  }

  int exponent() {
    if (token().kind == TokenKind::kNumber &&
        Integer(kLargestExponent) < *Integer::parse(token().text)) {
      fail("E013", kTooLarge);
    }
    return static_cast<int>(small_number());
  }

  // Was it in brackets?
  bool growth_variable() {
    const bool bracket = accept("(");
    const Token variable = token();
    if (variable.kind != TokenKind::kName || (variable.text != "n" && variable.text != "i")) {
      fail("E013", "expected `n` in a class, found " + found(),
           {"classes are products of `1`, `n`, `sqrt n`, `log n`, `n^(2/3)`, `log(n)^2`"});
    }
    advance();
    if (bracket) expect(")", "after the variable");
    return bracket;
  }

  // Puts the equations of each function together, in the order of their first equation.
  void assemble_functions(PatternSyntax& result) {
    std::vector<std::string> order;
    std::map<std::string, std::vector<const Equation*>> by_name;
    for (const Equation& equation : equations_) {
      auto& list = by_name[equation.function];
      if (list.empty()) order.push_back(equation.function);
      list.push_back(&equation);
    }
    if (order.size() > kMaxFunctions) {
      diagnostics().error("E005", by_name[order[kMaxFunctions]].front()->span,
                          "a pattern defines at most 100 functions");
      return;
    }
    for (const std::string& name : order) assemble(name, by_name[name], result);
  }

  void assemble(const std::string& name, const std::vector<const Equation*>& equations,
                PatternSyntax& result) {
    const Equation* step = nullptr;
    std::map<std::int64_t, const Equation*> base;
    for (const Equation* equation : equations) {
      const bool twice = equation->variable.empty()
                             ? !base.emplace(equation->shift, equation).second
                             : step != nullptr;
      if (twice) {
        diagnostics().error("E022", equation->span, "`" + name + "` is defined twice here");
        return;
      }
      if (!equation->variable.empty()) step = equation;
    }
    if (!step) {
      diagnostics().error("E025", equations.front()->span, "`" + name + "` has no general equation",
                          {"add `" + name + "(k) = ...` or `" + name + "(k+" +
                           std::to_string(base.size()) + ") = ...`"});
      return;
    }
    FunctionDefinition function{name, step->variable, {}, step->value, equations.front()->span};
    const auto order = static_cast<std::int64_t>(base.size());
    const bool complete =
        base.empty() || (base.begin()->first == 0 && base.rbegin()->first == order - 1);
    if (!complete || step->shift != order) {
      diagnostics().error("E025", step->span, "the equations of `" + name + "` do not fit together",
                          {"give " + name + "(0), " + name + "(1), ... without a gap and then " +
                           name + "(k+r) where r is how many values you gave"});
      return;
    }
    for (const auto& [index, equation] : base) function.base.push_back(equation->value);
    result.functions.push_back(std::move(function));
  }

  std::vector<Equation> equations_;
};

}  // namespace

std::vector<PatternSyntax> parse(const Source& source, Diagnostics& diagnostics) {
  const std::vector<Token> tokens = tokenize(source, diagnostics);
  std::vector<PatternSyntax> patterns = PatternParser(tokens, diagnostics).file();
  diagnostics.sort();
  return patterns;
}

}  // namespace heddle
