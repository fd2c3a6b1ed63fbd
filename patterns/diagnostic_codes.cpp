// SPDX-License-Identifier: Apache-2.0
// Every diagnostic code, once. tests/unit/patterns/reject_test provokes each of them.
#include "patterns/diagnostic.hpp"

namespace heddle {

const std::vector<DiagnosticCode>& diagnostic_codes() {
  static const std::vector<DiagnosticCode> kCodes = {
      {"E001", "unknown characters",
       "A pattern file is ASCII text. Operators are + - * ^ mod, comparisons < <= > >= = !=, set\n"
       "operators | & -, brackets ( ) { }; a comment runs from # to the end of its line."},
      {"E002", "a number runs into a name",
       "Names start with a letter or `_`, and a product is written with its star: 2 * k, not 2k."},
      {"E003", "something else was expected",
       "The text does not follow the grammar at this place. A statement ends at the end of its "
       "line\n"
       "outside brackets, or at `;`."},
      {"E004", "nested too deeply", "Brackets and prefix operators may be nested 200 deep."},
      {"E005", "too long",
       "One statement may hold 4000 symbols, one number 1000 digits, one pattern 100 functions."},
      {"E006", "division outside floor and ceil",
       "Integers have no exact quotient, so `/` stands only inside floor(x / y) or ceil(x / y), "
       "with\n"
       "brackets around sums: ceil((i - f(k)) / a(k))."},
      {"E007", "not a set of positions",
       "Sets are none, diagonal, dense, window(w), offsets(f), lattice(f), { e : conditions }, { e "
       "},\n"
       "{ lo..hi }, joined by | (union), & (intersection), - (difference)."},
      {"E008", "two patterns of one name", "Each pattern of a file needs a name of its own."},
      {"E009", "no pattern", "A file holds one or more patterns: pattern NAME { ... }."},
      {"E010", "not a statement",
       "Statements are A = SET, B = SET, f(k) = EXPRESSION, weights KIND and claim CLAIM."},
      {"E011", "unknown weights",
       "Weights are softmax (the default), given, gated, or linear(state = N)."},
      {"E012", "not a claim",
       "Claims are x <= y, x >= y, x = y, MEASURE in O(class) and reaches(i, j), each with an\n"
       "optional `for CONDITION`. For integers x < y is x + 1 <= y. Omega is at least, and\n"
       "Theta both."},
      {"E013", "not a class",
       "Classes are products of 1, n, n^2, n^(2/3), sqrt n, log n, log(n)^2: O(sqrt n), O(n log "
       "n)."},
      {"E020", "unknown name",
       "Names in a set are i, the parameters, and the variables bound by `k >= lo` or `k in "
       "lo..hi`.\n"
       "Names in a claim are i, j, n, m and the parameters."},
      {"E021", "unknown function",
       "The functions are those the pattern defines and sqrt log2 min max abs popcount lowbit "
       "floor\n"
       "ceil."},
      {"E022", "defined twice", "A name stands for one thing within its pattern."},
      {"E023", "A or B is missing",
       "A pattern says which inputs a token reads (A) and which earlier outputs (B). Write\n"
       "`A = diagonal` for its own input only, `B = none` for no feedback."},
      {"E024", "a reserved name",
       "i, A, B, the words of the language and the names of measures cannot be redefined."},
      {"E025", "an incomplete recursive definition",
       "Give the first values without a gap and one general step:\n"
       "  f(0) = 1\n  f(1) = 2\n  f(k+2) = f(k+1) + f(k)\n"
       "The step may use f only at k, k+1, ..., below the argument it defines."},
      {"E026", "functions that need each other",
       "A function may use those that do not, directly or through others, use it."},
      {"E027", "a variable without an end",
       "A variable bound by `k >= lo` needs a condition that becomes false for good as k grows, in "
       "a\n"
       "way that can be seen from its text, such as f(k) < i. Otherwise write `k in lo..hi`."},
      {"E028", "a measure outside a claim",
       "time, cache, hops, congestion, rank and depth describe a pattern; its definition cannot "
       "use\n"
       "them."},
      {"E029", "no such parameter", "-P name=value sets a parameter that the pattern declares."},
      {"E031", "wrong number of arguments", "Every function has a fixed number of arguments."},
      {"E032", "a width or state size that depends on the row",
       "window(w) and linear(state = N) take a number that is the same for every row: a literal or "
       "a\n"
       "parameter, of at least 1."},
      {"E040", "a row reads outside its range",
       "Row i of A may read positions 1..i, row i of B positions 1..i-1. Positions are never "
       "dropped\n"
       "silently: add a condition, or use a built-in shape, which is clipped by definition."},
      {"E041", "a function that does not increase",
       "offsets(f) and lattice(f) need f strictly increasing with f(0) >= 1."},
      {"E042", "a lattice that loses its cache",
       "lattice(f) needs f(0) = 1: only then is every row contained in the row before it plus the\n"
       "newest position, which is what bounds its cache."},
      {"E043", "a row has no value",
       "An expression of the row cannot be evaluated: it divides by zero, takes the root of a\n"
       "negative number, calls a function below 0, or grows beyond 2^1048576."},
  };
  return kCodes;
}

}  // namespace heddle
