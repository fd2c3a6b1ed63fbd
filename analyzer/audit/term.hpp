// SPDX-License-Identifier: Apache-2.0
// Formulas of SMT-LIB as trees, read from text and made from shapes: formulas with ?holes. The
// auditor's own; it shares nothing with the terms that the prover builds.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "patterns/integer.hpp"

namespace heddle::auditing {

struct Term {
  std::string head;         // an operator, a function, a symbol or a numeral
  std::vector<Term> parts;  // none for symbols and numerals
  friend bool operator==(const Term&, const Term&) = default;
};
using Holes = std::map<std::string, Term>;  // by name, "?t"

std::string text_of(const Term& term);
// Nothing unless text_of() gives back the very same text.
std::optional<Term> parse_term(std::string_view text);
Term numeral(const Integer& value);
std::optional<Integer> value_of(const Term& term);  // of a numeral

// The shape with its holes filled; +, - and * of two numerals are computed, nothing else is.
Term fill(std::string_view shape, const Holes& holes);
// Is the term the shape for some contents of the holes? A hole inside a name, as in pow.?b, holds
// the rest of the name. What is in `holes` before must be there again.
bool fits(std::string_view shape, const Term& term, Holes& holes);
Term replaced(const Term& term, const Term& from, const Term& to);
Term both(std::vector<Term> conjuncts);  // one conjunct stands alone, none is true
// Does `have` say at least what `want` says, on the face of it?
bool covers(const Term& have, const Term& want);

}  // namespace heddle::auditing
