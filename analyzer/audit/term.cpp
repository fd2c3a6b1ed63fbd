// SPDX-License-Identifier: Apache-2.0
// Reading, writing and matching of formulas.
#include "analyzer/audit/term.hpp"

#include <algorithm>

#include "patterns/result.hpp"

namespace heddle::auditing {
namespace {

constexpr int kDeepest = 200;

std::optional<Term> read(std::string_view text, std::size_t& at, int depth) {
  if (depth > kDeepest || at >= text.size()) return std::nullopt;
  const bool list = text[at] == '(';
  const std::size_t start = at += list ? 1 : 0;
  while (at < text.size() && text[at] != ' ' && text[at] != '(' && text[at] != ')') {
    if (text[at] < '!' || text[at] > '~' || std::string_view("|\";'`,").find(text[at]) < 7) {
      return std::nullopt;
    }
    ++at;
  }
  Term term{std::string(text.substr(start, at - start)), {}};
  if (term.head.empty()) return std::nullopt;
  if (!list) return term;
  while (at < text.size() && text[at] == ' ') {
    std::optional<Term> part = read(text, ++at, depth + 1);
    if (!part) return std::nullopt;
    term.parts.push_back(std::move(*part));
  }
  if (term.parts.empty() || at >= text.size() || text[at] != ')') return std::nullopt;
  ++at;
  return term;
}

Term shape_of(std::string_view text) {
  std::optional<Term> shape = parse_term(text);
  assert_that(shape.has_value(), "a shape is well formed");
  return *shape;
}

// Makes head(parts), computing where the prover's encoding promises it.
Term computed(Term term) {
  if (term.parts.size() != 2) return term;
  const std::optional<Integer> a = value_of(term.parts[0]), b = value_of(term.parts[1]);
  if (!a || !b) return term;
  if (term.head == "+") return numeral(*a + *b);
  if (term.head == "-") return numeral(*a - *b);
  if (term.head == "*") return numeral(*a * *b);
  return term;
}

Term filled(const Term& shape, const Holes& holes) {
  const std::size_t hole = shape.head.find('?');
  if (hole != std::string::npos) {
    const auto found = holes.find(shape.head.substr(hole));
    if (found != holes.end() && hole == 0) return found->second;
    if (found != holes.end()) {
      Term term{shape.head.substr(0, hole) + text_of(found->second), {}};
      for (const Term& part : shape.parts) term.parts.push_back(filled(part, holes));
      return term;
    }
  }
  Term term{shape.head, {}};
  for (const Term& part : shape.parts) term.parts.push_back(filled(part, holes));
  return computed(std::move(term));
}

bool fits(const Term& shape, const Term& term, Holes& holes) {
  const std::size_t hole = shape.head.find('?');
  if (hole == std::string::npos ? shape.head != term.head
                                : term.head.compare(0, hole, shape.head, 0, hole) != 0) {
    return false;
  }
  if (hole != std::string::npos) {
    const Term content = hole == 0 ? term : Term{term.head.substr(hole), {}};
    if (holes.emplace(shape.head.substr(hole), content).first->second != content) return false;
    if (hole == 0) return true;
  }
  if (shape.parts.size() != term.parts.size()) return false;
  for (std::size_t at = 0; at < shape.parts.size(); ++at) {
    if (!fits(shape.parts[at], term.parts[at], holes)) return false;
  }
  return true;
}

}  // namespace

std::string text_of(const Term& term) {
  if (term.parts.empty()) return term.head;
  std::string text = "(" + term.head;
  for (const Term& part : term.parts) text += " " + text_of(part);
  return text + ")";
}

std::optional<Term> parse_term(std::string_view text) {
  std::size_t at = 0;
  std::optional<Term> term = read(text, at, 0);
  return at == text.size() ? term : std::nullopt;
}

Term numeral(const Integer& value) {
  if (value.sign() >= 0) return {value.to_string(), {}};
  return {"-", {{(-value).to_string(), {}}}};
}

std::optional<Integer> value_of(const Term& term) {
  if (term.head == "-" && term.parts.size() == 1) {
    const std::optional<Integer> value = value_of(term.parts[0]);
    return value ? std::optional(-*value) : std::nullopt;
  }
  if (!term.parts.empty() || term.head.find_first_not_of("0123456789") != std::string::npos) {
    return std::nullopt;  // -5 and 007 are not numerals of SMT-LIB
  }
  const std::optional<Integer> value = Integer::parse(term.head);
  return value && value->to_string() == term.head ? value : std::nullopt;
}

Term fill(std::string_view shape, const Holes& holes) { return filled(shape_of(shape), holes); }

bool fits(std::string_view shape, const Term& term, Holes& holes) {
  return fits(shape_of(shape), term, holes);
}

Term replaced(const Term& term, const Term& from, const Term& to) {
  if (term == from) return to;
  Term result{term.head, {}};
  for (const Term& part : term.parts) result.parts.push_back(replaced(part, from, to));
  return computed(std::move(result));
}

Term both(std::vector<Term> conjuncts) {
  if (conjuncts.size() == 1) return conjuncts[0];
  return {conjuncts.empty() ? "true" : "and", std::move(conjuncts)};
}

bool covers(const Term& have, const Term& want) {
  if (want == Term{"true", {}} || have == want) return true;
  const auto any = [&](const Term& part) { return covers(part, want); };
  if (want.head == "and") {
    return std::all_of(want.parts.begin(), want.parts.end(),
                       [&](const Term& part) { return covers(have, part); });
  }
  if (have.head == "and") return std::any_of(have.parts.begin(), have.parts.end(), any);
  return have.head == "=>" && want.head == "=>" && have.parts.size() == 2 &&
         want.parts.size() == 2 && have.parts[0] == want.parts[0] &&
         covers(have.parts[1], want.parts[1]);
}

}  // namespace heddle::auditing
