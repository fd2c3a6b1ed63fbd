// SPDX-License-Identifier: Apache-2.0
// Bland's rule throughout: the smallest variable that can move moves, so that no search is endless.
#include "analyzer/evidence/simplex.hpp"

namespace heddle::evidence {

int Simplex::add_variable() {
  variables_.emplace_back();
  return static_cast<int>(variables_.size()) - 1;
}

int Simplex::add_sum(const std::vector<std::pair<int, Rational>>& sum) {
  Variable added;
  added.basic = true;
  const auto add = [&](int variable, const Rational& coefficient) {
    Rational& there = added.row[variable];
    there = there + coefficient;
    if (there.sign() == 0) added.row.erase(variable);
  };
  for (const auto& [variable, coefficient] : sum) {
    added.value = added.value + coefficient * at(variable).value;
    if (!at(variable).basic) {
      add(variable, coefficient);
      continue;
    }
    for (const auto& [inner, factor] : at(variable).row) add(inner, coefficient * factor);
  }
  variables_.push_back(std::move(added));
  return static_cast<int>(variables_.size()) - 1;
}

void Simplex::undo(std::size_t mark) {
  for (; trail_.size() > mark; trail_.pop_back()) {
    Change& change = trail_.back();
    (change.high ? at(change.variable).high : at(change.variable).low) = std::move(change.before);
  }
  if (clash_ && clash_mark_ > mark) clash_.reset();
}

void Simplex::contradict(int variable) {
  if (clash_) return;
  const Variable& x = at(variable);
  clash_ = Conflict{{x.low->source, x.low->multiplier}, {x.high->source, x.high->multiplier}};
  clash_mark_ = trail_.size();
}

bool Simplex::bound_below(int variable, Bound bound) {
  Variable& x = at(variable);
  if (x.low && bound.value <= x.low->value) return true;
  trail_.push_back({variable, false, std::exchange(x.low, std::move(bound))});
  if (x.high && x.high->value < x.low->value) {
    contradict(variable);
    return false;
  }
  if (!x.basic && x.value < x.low->value) move(variable, Rational(x.low->value));
  return true;
}

bool Simplex::bound_above(int variable, Bound bound) {
  Variable& x = at(variable);
  if (x.high && x.high->value <= bound.value) return true;
  trail_.push_back({variable, true, std::exchange(x.high, std::move(bound))});
  if (x.low && x.high->value < x.low->value) {
    contradict(variable);
    return false;
  }
  if (!x.basic && x.high->value < x.value) move(variable, Rational(x.high->value));
  return true;
}

void Simplex::move(int variable, const Rational& to) {
  const Rational by = to - at(variable).value;
  for (Variable& basic : variables_) {
    if (!basic.basic) continue;
    const auto found = basic.row.find(variable);
    if (found != basic.row.end()) basic.value = basic.value + found->second * by;
  }
  at(variable).value = to;
}

void Simplex::pivot(int leaving, int entering) {
  Row row = std::move(at(leaving).row);
  const Rational factor = row.at(entering);
  row.erase(entering);
  for (auto& [variable, coefficient] : row) coefficient = -coefficient / factor;
  row[leaving] = Rational(1) / factor;
  at(leaving).basic = false;
  at(leaving).row.clear();
  for (Variable& basic : variables_) {
    if (!basic.basic) continue;
    const auto found = basic.row.find(entering);
    if (found == basic.row.end()) continue;
    const Rational times = found->second;
    basic.row.erase(found);
    work_ += row.size();
    for (const auto& [variable, coefficient] : row) {
      Rational& there = basic.row[variable];
      there = there + times * coefficient;
      if (there.sign() == 0) basic.row.erase(variable);
    }
  }
  at(entering).basic = true;
  at(entering).row = std::move(row);
}

std::optional<Conflict> Simplex::check() {
  if (clash_) return clash_;
  for (;;) {
    work_ += variables_.size();
    if (exhausted()) return std::nullopt;
    int wrong = -1;
    bool below = false;
    for (int at_variable = 0; at_variable < static_cast<int>(variables_.size()); ++at_variable) {
      const Variable& x = at(at_variable);
      if (!x.basic) continue;
      below = x.low && x.value < x.low->value;
      if (!below && (!x.high || x.value <= x.high->value)) continue;
      wrong = at_variable;
      break;
    }
    if (wrong < 0) return std::nullopt;
    const Variable& x = at(wrong);
    int entering = -1;
    for (const auto& [variable, coefficient] : x.row) {
      const Variable& y = at(variable);
      const bool up = (coefficient.sign() > 0) == below;
      if (up ? !y.high || y.value < y.high->value : !y.low || y.low->value < y.value) {
        entering = variable;
        break;
      }
    }
    const Bound& missed = below ? *x.low : *x.high;
    if (entering < 0) {
      Conflict conflict{{missed.source, missed.multiplier}};
      for (const auto& [variable, coefficient] : x.row) {
        const bool up = (coefficient.sign() > 0) == below;
        const Bound& held = up ? *at(variable).high : *at(variable).low;
        const Rational size = coefficient.sign() < 0 ? -coefficient : coefficient;
        conflict.emplace_back(held.source, size * held.multiplier);
      }
      return conflict;
    }
    const Rational target = missed.value;
    const Rational by = (target - x.value) / x.row.at(entering);
    move(entering, at(entering).value + by);
    pivot(wrong, entering);
  }
}

}  // namespace heddle::evidence
