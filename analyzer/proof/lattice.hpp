// SPDX-License-Identifier: Apache-2.0
// What is proved about the strides a_k and the positions p_k(i) of lattice(f), beyond that rows are
// nested: how large a stride can be, and which positions of a row cannot fall together. These give
// the lower bounds of row sizes and the hop bounds of lattices.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "analyzer/proof/knowledge.hpp"

namespace heddle::proof {

// Of lattice(f) with f(0) = 1 and f strictly increasing; g_k = f(k) - f(k-1) is the gap before
// f(k). A field is set only where it has been proved for every k and every row.
struct LatticeFacts {
  // g_{k+1} = c g_k, so that a_k = g_k for k >= 1 and p_{k+1}(i) < p_k(i): |S_i| = #{k : f(k) < i}.
  bool distinct = false;
  // g_{k+1} >= g_k, so that a_k <= 2 g_k - 1 for k >= 1.
  bool convex = false;
  // p_{k+spread}(i) < p_k(i) for k >= from, so that from c > `from` values of k there are at least
  // (c - from) / spread positions. 0: nothing of the kind is known.
  int spread = 0;
  std::int64_t from = 0;

  std::vector<std::string> rules;  // of what is set, in words
  std::vector<Obligation> obligations;
  std::set<std::string> lemmas;
};

LatticeFacts lattice_facts(const Knowledge& knowledge, const std::string& function);

}  // namespace heddle::proof
