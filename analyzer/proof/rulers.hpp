// SPDX-License-Identifier: Apache-2.0
// What a set of rows is sure to read, as steps of a descent:
//   distances g(k), k >= low: t reads of g(k) lead from d to d - t g(k), g(k) <= d < g(k+1)
//   distances 1..m and no others that matter: one read of m leads from d > m to d - m
//   every distance beyond s: one read is enough from there on
//   lattice(f): one read leads from f(k) <= d < f(k+1) to some r <= a_{k+1} - 1, r < d. Proof: let
//   j be the target. If p_{k+1}(i) >= j, then r <= d - f(k+1) + a_{k+1} - 1 < a_{k+1}. Else
//     p_k(i) - p_{k+1}(i) <= f(k+1) - f(k) + a_k - 1 is a multiple of a_k, hence at most a_{k+1}.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyzer/proof/structure.hpp"
#include "patterns/expression.hpp"

namespace heddle::proof {

constexpr std::int64_t kMostSteps = 6;  // of one g(k)

// What every row reads, as steps of a descent.
struct Ruler {
  enum class Kind { kProgression, kFinite, kEverything, kLattice };
  Kind kind = Kind::kFinite;
  const Points* points = nullptr;            // all but kLattice
  const Progression* progression = nullptr;  // kProgression
  std::int64_t longest = 0;                  // kFinite
  std::string function;                      // kLattice
  const LatticeFacts* lattice = nullptr;
  std::vector<int> hops;    // entry d: the most hops over distance d, over all rows
  std::int64_t period = 1;  // of rows, as far as distances below hops.size() are concerned
};

// What the step of an induction knows about the remainder r of d > start after some reads.
enum class Grip {
  kExact,    // the definition of the reads, k included
  kHalving,  // t reads leave (t + 1) r < d; one read of a lattice 2 r <= d
  kRoot,     // one read leaves r^2 <= 4^e d
};

// r <= most after `steps` reads.
struct Move {
  std::int64_t most = 0;
  std::int64_t steps = 1;
  bool any = false;  // every r from 0 to `most` is possible, not only `most`
};

class Rulers {
 public:
  // Of B, where every token reaches every later one; the structure must outlive it.
  explicit Rulers(const Structure& structure);

  const std::vector<Ruler>& all() const { return rulers_; }
  // `level` is e for kRoot, and the largest number of reads of one g(k) for kHalving.
  std::optional<Move> move_from(const Ruler& ruler, std::int64_t d, Grip grip, int level) const;

 private:
  void add_rulers(const RowModel& model);
  void add_points(const Points& points);
  std::vector<int> hops_of(const Points& points) const;
  void add_lattice(const std::string& function);
  std::optional<Integer> ruler_value(const Ruler& ruler, std::int64_t k) const;

  const Structure& structure_;
  const Evaluator& evaluator_;
  std::vector<Ruler> rulers_;
};

}  // namespace heddle::proof
