// SPDX-License-Identifier: Apache-2.0
// Names are those that the prover gives its rules. S_i is row i of a set, #M the size of M.
#include "analyzer/theorems.hpp"

#include <algorithm>

namespace heddle {

const std::vector<std::pair<std::string, std::string>>& theorems() {
  static const std::vector<std::pair<std::string, std::string>> kTheorems = {
      {"arithmetic", "what holds by arithmetic alone holds of every pattern"},
      {"built-in sets have values",
       "none, diagonal, dense, window(w), offsets(f) and lattice(f) have a value in every row"},
      {"capacity law: congestion(n) * cache(n) >= n when A is diagonal",
       "every path of the copy task leaves 1..n through a vertex of live(n), so some vertex of "
       "live(n) lies on at least n / cache(n) of the n paths"},
      {"capacity law: rank(m) <= cache(m) when A is diagonal",
       "live(m) cuts every path from tokens up to m to later rows, so at most cache(m) of them are "
       "disjoint"},
      {"depth: row i reads row i - 1, so the chain 1, ..., n is the longest",
       "a chain visits each of n tokens at most once, and 1, 2, ..., n is one with n - 1 edges"},
      {"distances between the nearest allowed one and i - 1",
       "for d0 <= d < i, with d0 = 0 for A and d0 = 1 for B, the position i - d lies in 1..i - d0"},
      {"every expression has a value", "an expression whose needs hold is a number"},
      {"every position is in range under the conditions",
       "a set is causal when each element that its conditions let through lies in range"},
      {"fixed positions that the conditions clip at the row",
       "positions p >= 1 with p <= i (A) or p < i (B) lie in range"},
      {"hops: every row reads every position, so one edge is enough",
       "if j is in row i for all j < i, then hops(i, j) = 1"},
      {"hops: h steps of at most m cross at most h m",
       "if every edge into i comes from i - m or later, then i - j <= m hops(i, j)"},
      {"hops: i - j - 4 is a sum of four squares when i - j >= 4",
       "with distances k^2 + 1, k >= 0: i - j = (a^2 + 1) + (b^2 + 1) + (c^2 + 1) + (d^2 + 1), and "
       "1, 2, 3 are 1, 2, 1 + 2; so hops(i, j) <= 4"},
      {"hops: i - j is a sum of popcount(i - j) powers of two",
       "with distances 2^k, k >= 0: hops(i, j) <= popcount(i - j)"},
      {"hops: row i reads i - 1, so i - j steps are enough",
       "if i - 1 is in rowB(i) for i >= 2 and i in rowA(i), then 1 <= hops(i, j) <= i - j"},
      {"hops: a window of w is crossed in ceil((i - j) / w) steps",
       "with distances 1..w: hops(i, j) <= ceil((i - j) / w)"},
      {"lattice positions of a strictly increasing f with f(0) = 1 lie in 1..i-1",
       "for f(k) < i, p_k(i) = a_k ceil((i - f(k)) / a_k) has 1 <= p_k(i) < i, since a_k <= f(k)"},
      {"live set: at most every position", "live(i) is a subset of 1..i"},
      {"live set: fixed positions are read for ever",
       "if S_i = {p in P : p <= i} or {p in P : p < i}, then live(i) = {p in P : p <= i}"},
      {"live set: lattice rows are nested, live(i) = row(i+1)",
       "for f strictly increasing with f(0) = 1, S_{i+1} is a subset of S_i and {i}; so a position "
       "once skipped is never read again, and live(i) = S_{i+1}"},
      {"live set: of a difference, within the left", "live(S - T) is a subset of live(S)"},
      {"live set: of a union, the union", "live(S | T) is the union of live(S) and live(T)"},
      {"live set: of an intersection, within both",
       "live(S & T) is a subset of live(S) and of live(T)"},
      {"live set: the last m positions, m the largest distance",
       "if S_i = {i - d : d in D, d < i} with D finite and m its largest element, then live(i) is "
       "the last min(m, i) positions, for row p + m is the last that reads p"},
      {"live set: unbounded distances keep everything",
       "if S_i = {i - d : d in D, d < i} with D infinite, then live(i) = 1..i, for some d in D "
       "exceeds i - p and row p + d reads p"},
      {"reaches: row i reads every x_j", "if rowA(i) = 1..i, then x_j -> y_i for every j <= i"},
      {"reaches: x_j enters at row j, and every row i reads y_{i-1}, so j walks to i",
       "if j is in rowA(j) and i - 1 in rowB(i), then x_j -> y_j -> y_{j+1} -> ... -> y_i"},
      {"row size: #{k : f(k) < i} is the c with f(c-1) < i <= f(c)",
       "for f strictly increasing, the k with f(k) < i are 0, ..., c - 1 for that c"},
      {"row size: a difference is in its left part", "#S - #T <= #(S - T) <= #S"},
      {"row size: a lattice row has at most #{k : f(k) < i}",
       "S_i = {p_k(i) : f(k) < i} has between 1 and #{k : f(k) < i} elements, and none if there is "
       "no such k"},
      {"row size: a range, or at most every position",
       "#{lo..hi} = max(0, hi - lo + 1), and #S_i <= i for A and <= i - 1 for B"},
      {"row size: a union has at most the sum", "max(#S, #T) <= #(S | T) <= #S + #T"},
      {"row size: an intersection is in both parts", "#(S & T) <= min(#S, #T)"},
      {"row size: distances below i", "#{i - d : d in D, d < i} = #{d in D : d < i}"},
      {"row size: fixed positions up to i", "#{p in P : p <= i} is counted in P"},
  };
  return kTheorems;
}

const std::string* theorem(const std::string& law) {
  const auto& all = theorems();
  const auto at =
      std::find_if(all.begin(), all.end(), [&](const auto& entry) { return entry.first == law; });
  return at == all.end() ? nullptr : &at->second;
}

}  // namespace heddle
