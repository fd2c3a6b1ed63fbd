// SPDX-License-Identifier: Apache-2.0
// The walk only moves back, so one pass from row n to row 1 settles where it ends.
#include "analyzer/measures/mixing.hpp"

#include <algorithm>

namespace heddle {
namespace {

// Weights of tokens 1..n, to be read from n down. A long interval is spread by its two ends.
class Spread {
 public:
  explicit Spread(std::int64_t n)
      : points_(static_cast<std::size_t>(n) + 1, 0.0), ends_(points_.size(), 0.0) {}

  void add(const Interval& tokens, double each) {
    constexpr std::int64_t kShort = 4;
    if (tokens.high - tokens.low < kShort) {
      for (std::int64_t p = tokens.low; p <= tokens.high; ++p)
        points_[static_cast<std::size_t>(p)] += each;
      return;
    }
    ends_[static_cast<std::size_t>(tokens.high)] += each;
    ends_[static_cast<std::size_t>(tokens.low - 1)] -= each;
  }

  // The weight of the next token; nothing may be added to it any more. First call: token n.
  double take(std::int64_t token) {
    open_ += ends_[static_cast<std::size_t>(token)];
    return std::max(0.0, points_[static_cast<std::size_t>(token)] + open_);
  }

 private:
  std::vector<double> points_, ends_;
  double open_ = 0;
};

}  // namespace

std::int64_t Mixing::age_at_share(double share) const {
  const double goal = share * held;
  if (goal <= 0) return -1;
  double sum = 0;
  for (std::size_t t = 0; t < weight.size(); ++t) {
    sum += weight[t];
    // Rounding must not put off an age at which the share is met exactly.
    if (sum >= goal - 1e-12) return static_cast<std::int64_t>(t);
  }
  return static_cast<std::int64_t>(weight.size()) - 1;
}

double Mixing::older_than(std::int64_t age) const {
  double sum = 0;
  for (std::size_t t = weight.size(); t-- > static_cast<std::size_t>(age + 1);) sum += weight[t];
  return sum;
}

Mixing uniform_mixing(const Rows& rows) {
  const std::int64_t n = rows.n();
  assert_that(n >= 1, "there is a row");
  Mixing mixing;
  mixing.n = n;
  mixing.weight.resize(static_cast<std::size_t>(n));
  Spread outputs(n), inputs(n);
  outputs.add({n, n}, 1.0);
  for (std::int64_t i = n; i >= 1; --i) {
    const double here = outputs.take(i);
    if (here > 0) {
      const std::int64_t reads = rows.a.size(i) + rows.b.size(i);
      if (reads == 0) mixing.lost += here;
      const double each = here / static_cast<double>(std::max<std::int64_t>(reads, 1));
      for (const Interval read : rows.a.row(i)) inputs.add(read, each);
      for (const Interval read : rows.b.row(i)) outputs.add(read, each);
    }
    const double weight = inputs.take(i);
    mixing.weight[static_cast<std::size_t>(n - i)] = weight;
    mixing.held += weight;
    mixing.mean_age += weight * static_cast<double>(n - i);
  }
  constexpr double kRounding = 1e-12;
  if (mixing.held < kRounding) mixing.held = 0;
  mixing.mean_age = mixing.held > 0 ? mixing.mean_age / mixing.held : 0;
  return mixing;
}

}  // namespace heddle
