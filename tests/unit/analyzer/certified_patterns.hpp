// SPDX-License-Identifier: Apache-2.0
// Patterns whose certificates name, together, every law that a proof may rest on. Their claims are
// true for every n.
#pragma once

#include <string>
#include <vector>

#include "analyzer/proof/certify.hpp"
#include "tests/unit/analyzer/measured_pattern.hpp"

namespace heddle::testing {

// Statements between the braces.
inline const std::vector<std::string>& certified_bodies() {
  static const std::vector<std::string> kBodies = {
      "f(k) = 2^k\nA = diagonal\nB = offsets(f)\n"
      "claim hops(i, j) = popcount(i - j)\nclaim congestion(n) <= log2(n) + 1\nclaim rank(m) = m\n"
      "claim time(i) in O(log n)",
      "f(k) = k^2 + 1\nA = diagonal\nB = offsets(f)\n"
      "claim hops(i, j) <= 4\nclaim hops(i, j) <= log2(max(log2(i - j) - 2, 1)) + 3",
      "f(k) = 2^k\nA = diagonal\nB = lattice(f)\n"
      "claim cache(i) = log2(i) + 1\nclaim hops(i, j) <= log2(i - j) + 1\nclaim reaches(i, j)\n"
      "claim time(i) <= log2(i) + 2",
      "f(k) = 3^k\nA = none\nB = offsets(f)\nclaim log2(i) <= 2 * time(i) + 1",
      "f(k) = 5*k^2 + 1\nA = diagonal\nB = offsets(f)\nclaim time(i) in O(sqrt n)",
      "f(k) = k^2 + 1\nA = diagonal\nB = lattice(f)\nclaim 2 * cache(i) >= sqrt(i)\n"
      "claim hops(i, j) <= log2(i - j) + 1",
      "f(0) = 1\nf(1) = 2\nf(k+2) = 2 * f(k+1) + f(k)\nA = diagonal\nB = offsets(f)\n"
      "claim hops(i, j) <= 2 * log2(i - j) + 1",
      "A = diagonal\nB = { i - 2*t : t >= 1, 2*t < i } | { i - 4*t : t >= 1, 4*t < i }\n"
      "claim time(i) = floor((i + 1) / 2)",
      "A = diagonal\nB = { i - 2*t : t >= 1, 2*t < i } | { i - (2*t + 1) : t >= 1, 2*t + 1 < i }\n"
      "claim time(i) = i - 1 for i >= 2",
      "A = diagonal\nB = { i - 2*t : t >= 1, 2*t < i } | { i - 3*t : t >= 1, 3*t < i }\n"
      "claim time(i) = floor((i - 1) / 2) + floor((i - 1) / 3) - floor((i - 1) / 6) + 1",
      "A = diagonal\nB = window(4)\n"
      "claim congestion(n) = ceil(n / 4)\nclaim rank(m) = min(m, 4)\nclaim depth(n) = n - 1\n"
      "claim hops(i, j) <= floor((i - j) / 4) + 3\nclaim time(i) <= 0 for i < 1\n"
      "claim hops(i, j) >= 1",
      "A = diagonal\nB = { i - 1 : i > 1 } | { i - 5 : i > 5 }\n"
      "claim hops(i, j) <= floor((i - j) / 5) + 4",
      "A = diagonal\nB = { 2*t : t >= 1, 2*t < i }\nclaim time(i) <= i\nclaim cache(i) <= i\n"
      "claim depth(n) <= n",
      "A = window(8)\nB = none\n"
      "claim depth(n) <= 1\nclaim rank(m) = min(m, 7)\nclaim reaches(i, j) for i - j < 8\n"
      "claim congestion(n) = 1 for n <= 7",
      "A = diagonal\nB = { i - k : k in 2..3, k < i }\n"
      "claim reaches(i, j) for i - j >= 2\nclaim depth(n) = floor((n - 1) / 2)",
      "A = dense\nB = none\nclaim congestion(n) = 1\nclaim hops(i, j) = 1\nclaim reaches(i, j)",
      "A = diagonal\nB = dense - { i - 2 : i > 2 }\nclaim hops(i, j) <= 2",
      "A = diagonal\nB = window(4) - { 1 }\nclaim time(i) <= 5\nclaim cache(i) <= 4",
      "A = diagonal\nB = { 3*t : t >= 1, 3*t < i } & { max(1, i - sqrt(i))..i - 1 }\n"
      "claim time(i) <= i\nclaim cache(i) <= i",
      "A = diagonal\nB = { t : t >= 1, t < i, 2*t > i }\nclaim time(i) <= i\nclaim cache(i) <= i\n"
      "claim 2 * i >= i",
      "A = diagonal\nB = window(4) | { 1..min(3, i - 1) }\nclaim time(i) = min(i, 8)",
      "A = diagonal\nB = window(4) | { t : t in 1..3, t < i }\nclaim cache(i) = min(i, 7)",
      "A = diagonal\nB = { i - 4 * a - b : a in 0..3, b in 1..2, 4 * a + b < i }\n"
      "claim time(i) <= 9\nclaim hops(n, 1) <= n",
      "A = { i - 4 * k : k in 0..floor((i - 1) / 4) } | { 8 * k : k in 1..floor(i / 8) }\nB = "
      "none\n"
      "claim depth(n) <= 1\nclaim time(i) <= i",
      "A = diagonal\nB = { i - a : a in 3..2, a < i } | { i - 1 : i > 1 }\nclaim time(i) <= 2",
      "A = diagonal\nB = { floor(i / 2) : i >= 2 }\nclaim time(i) <= i\nclaim cache(i) <= i",
      "A = { 16 * floor((i - 1) / 16) + 1 .. i }\nB = none\n"
      "claim time(i) = (i - 1) mod 16 + 1\nclaim cache(i) <= 15\nclaim rank(m) <= 15",
      "A = diagonal | { t : t in 1..4, t < i, i > 20 }\nB = { i - 1 : i > 1 and i != 50 }\n"
      "claim time(i) <= 6\nclaim cache(i) <= 5",
      "A = diagonal\nB = { 2*t : t >= 1, 2*t < i } | window(2)\n"
      "claim time(i) <= i + 2\nclaim cache(i) <= i",
  };
  return kBodies;
}

// Proofs are found once for each test program; rows are tried on a few only.
inline const std::vector<Certificate>& certified() {
  static const std::vector<Certificate> kAll = [] {
    std::vector<Certificate> all;
    ProveOptions few_rows;
    few_rows.check_up_to = 48;
    few_rows.check_pairs_up_to = 32;
    few_rows.farthest_search = 48;
    for (const std::string& body : certified_bodies()) {
      const Pattern pattern = pattern_of(body);
      all.push_back(certify(pattern, prove(pattern, few_rows)));
    }
    return all;
  }();
  return kAll;
}

}  // namespace heddle::testing
