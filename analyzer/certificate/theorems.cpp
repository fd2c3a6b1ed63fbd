// SPDX-License-Identifier: Apache-2.0
// Names are those that the prover gives its rules. S_i is row i of a set, #M the size of M.
#include "analyzer/certificate/theorems.hpp"

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
      {"capacity law: rank(m) <= cache(m), as every path passes a live x or y",
       "a path from a token up to m to a later row leaves 1..m through an x or a y that is live"},
      {"congestion: every token reads every earlier one, so each path is one edge",
       "if row i reads x_j or y_j for every j < i, the n paths can be n edges without a common "
       "vertex"},
      {"congestion: row i reads x_{i - n} for each n of a window, so each path is one edge",
       "if row i reads x_{i-d} for d = 1, ..., w, then congestion(n) = 1 for n <= w"},
      {"depth: a chain of edges of at least m has at most (n - 1) / m of them",
       "if every edge spans at least m and row i reads i - m, then depth(n) = floor((n - 1) / m)"},
      {"depth: each edge leads to a later token, so a chain has at most n - 1",
       "0 <= depth(n) <= n - 1, whatever the rows are"},
      {"depth: row i reads row i - 1, so the chain 1, ..., n is the longest",
       "a chain visits each of n tokens at most once, and 1, 2, ..., n is one with n - 1 edges"},
      {"depth: without output edges a chain is one input edge",
       "if rowB(i) is empty, then depth(n) is 1 where some row up to n reads an earlier input"},
      {"distances between the nearest allowed one and i - 1",
       "for d0 <= d < i, with d0 = 0 for A and d0 = 1 for B, the position i - d lies in 1..i - d0"},
      {"every expression has a value", "an expression whose needs hold is a number"},
      {"every position is in range under the conditions",
       "a set is causal when each element that its conditions let through lies in range"},
      {"fixed positions that the conditions clip at the row",
       "positions p >= 1 with p <= i (A) or p < i (B) lie in range"},
      {"hops: a sum of h powers of two has at most h one bits",
       "with distances 2^k and no others, and A diagonal: popcount(i - j) <= hops(i, j)"},
      {"hops: descent by the longest distance",
       "if i - j > s gives E(i - j - m) + 1 <= E(i - j), and hops <= E up to s, then hops <= E"},
      {"hops: distances up to {} searched",
       "the base of a descent: sums of distances, by exhaustive search"},
      {"hops: distances up to {} searched in all rows modulo {}",
       "p_k(i + m) = p_k(i) + m for multiples m of a_k, so that some rows stand for all"},
      {"hops: every distance beyond a bound is one read",
       "if row i reads i - d for every d > s, then hops(i, j) = 1 for i - j > s"},
      {"hops: every row reads every position, so one edge is enough",
       "if j is in row i for all j < i, then hops(i, j) = 1"},
      {"hops: greedy descent over the distances {}",
       "for g(k) <= d < g(k+1), t = floor(d / g(k)) reads of g(k) lead from d to r, (t + 1) r < d; "
       "if E(r) + t <= E(d) for every such r, and hops <= E at the start, then hops <= E"},
      {"hops: h steps of at most m cross at most h m",
       "if every edge into i comes from i - m or later, then i - j <= m hops(i, j)"},
      {"hops: i - j - 4 is a sum of four squares when i - j >= 4",
       "with distances k^2 + 1, k >= 0: i - j = (a^2 + 1) + (b^2 + 1) + (c^2 + 1) + (d^2 + 1), and "
       "1, 2, 3 are 1, 2, 1 + 2; so hops(i, j) <= 4"},
      {"hops: i - j is a sum of popcount(i - j) powers of two",
       "with distances 2^k, k >= 0: hops(i, j) <= popcount(i - j)"},
      {"hops: one read of a lattice leads from f(k) <= d < f(k+1) to less than a_(k+1)",
       "if E(r) + 1 <= E(d) for each such r < d, and hops <= E at the start, then hops <= E"},
      {"hops: row i reads x_i, so a token reaches itself in no step",
       "hops(i, i) = 0 where i is in rowA(i): the path is that edge, which does not count"},
      {"hops: row i reads i - 1, so i - j steps are enough",
       "if i - 1 is in rowB(i) for i >= 2 and i in rowA(i), then 1 <= hops(i, j) <= i - j"},
      {"hops: a window of w is crossed in ceil((i - j) / w) steps",
       "with distances 1..w: hops(i, j) <= ceil((i - j) / w)"},
      {"lattice positions of a strictly increasing f with f(0) = 1 lie in 1..i-1",
       "for f(k) < i, p_k(i) = a_k ceil((i - f(k)) / a_k) has 1 <= p_k(i) < i, since a_k <= f(k)"},
      {"lattice spread: p_(k+{})(i) < p_k(i) for k >= {}, as a_(k+{}) <= f(k+{}) - f(k)",
       "p_m(i) < p_k(i) for m > k as soon as a_m <= f(m) - f(k); so every w-th place is another"},
      {"lattice strides: gaps in a constant ratio are the strides, and positions are distinct",
       "if f(k+2) - f(k+1) = c (f(k+1) - f(k)) for k >= 0, then a_{k+1} = f(k+1) - f(k)"},
      {"lattice strides: when gaps do not fall, a_k <= 2 (f(k) - f(k-1)) - 1",
       "by induction over k, as a_{k+1} is the least multiple of a_k from f(k+1) - f(k) on"},
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
      {"live set: rows within their last m + 1 positions keep at most m",
       "if every position of S_i is at least i - m, then live(i) lies within the last min(m, i) "
       "positions, for row p + m is the last that can read p"},
      {"live set: unbounded distances keep everything",
       "if S_i = {i - d : d in D, d < i} with D infinite, then live(i) = 1..i, for some d in D "
       "exceeds i - p and row p + d reads p"},
      {"overlap: every {} is among the {}", "#(S | T) = #T for S within T"},
      {"overlap: no {} is among the {}", "#(S | T) = #S + #T for disjoint S and T"},
      {"overlap: two ranges meet from the later start to the earlier end",
       "#({l..h} | {m..k}) = #{l..h} + #{m..k} - max(0, min(h, k) - max(l, m) + 1)"},
      {"overlap: {} and {} meet at {} + {} u", "#(S | T) = #S + #T - #(S & T)"},
      {"rank: one distance of at least m carries every token up to m across the cut",
       "with distances without bound, some c >= m has row j + c read j for every j <= m: rank(m) = "
       "m"},
      {"rank: the longest distance c carries the last min(c, m) tokens across the cut",
       "row j + c reads j for the last min(c, m) tokens j <= m, and those edges are disjoint"},
      {"reaches: i - j is one distance of A plus a sum of distances of B, by residues",
       "x_j enters row j + d for a distance d of A, and each distance of B leads further on"},
      {"reaches: row i reads every x_j", "if rowA(i) = 1..i, then x_j -> y_i for every j <= i"},
      {"reaches: x_j enters at row j, and every row i reads y_{i-1}, so j walks to i",
       "if j is in rowA(j) and i - 1 in rowB(i), then x_j -> y_j -> y_{j+1} -> ... -> y_i"},
      {"translation law: congestion(n) <= hops over distance n",
       "with rows {i - d : d in D} the n copies can all take the steps of one, each then one "
       "vertex of each copy: congestion(n) <= hops(n + 1, 1)"},
      {"vacuous: the condition after `for` never holds", "then there is nothing to show"},
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

namespace {

constexpr std::size_t kLongestLaw = 400;

// Is the text the pattern with something in the place of each {}?
bool fits(std::string_view pattern, std::string_view text) {
  const std::size_t hole = pattern.find("{}");
  if (hole == std::string_view::npos) return pattern == text;
  if (text.substr(0, hole) != pattern.substr(0, hole)) return false;
  for (std::size_t end = hole + 1; end <= text.size(); ++end) {
    if (fits(pattern.substr(hole + 2), text.substr(end))) return true;
  }
  return false;
}

}  // namespace

const std::string* theorem(const std::string& law) {
  if (law.size() > kLongestLaw) return nullptr;
  const auto& all = theorems();
  const auto at = std::find_if(all.begin(), all.end(),
                               [&](const auto& entry) { return fits(entry.first, law); });
  return at == all.end() ? nullptr : &at->second;
}

}  // namespace heddle
