// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/witness.hpp"

#include <algorithm>

namespace heddle::verify {
namespace {

class Search {
 public:
  Search(const Facts& facts, const Trace& trace, const Launch& launch, const Access& write,
         const Common& fixed, const std::vector<int>& fixed_loops, const std::string& suffix,
         std::optional<Iteration> iteration)
      : facts_(facts),
        trace_(trace),
        launch_(launch),
        write_(write),
        fixed_(fixed),
        suffix_(suffix),
        iteration_(iteration),
        rename_(renaming(facts, fixed, suffix)) {
    for (const int id : loops_of(write)) {
      if (std::count(fixed_loops.begin(), fixed_loops.end(), id) == 0) own_loops_.push_back(id);
    }
    if (iteration_) follow_on();
  }

  std::optional<Witness> run(const std::vector<Term>& place) {
    // Of one warp there is nothing to solve for, and a digit that it stands in leaves the rest.
    if (free(launch_.warp) && facts_[launch_.warp].high == Integer(0)) {
      values_.emplace(name(launch_.warp), Term(0));
    }
    for (std::size_t axis = 0; axis < place.size(); ++axis) solve(write_.digits[axis], place[axis]);
    solve_conditions();
    for (std::size_t axis = 0; axis < place.size(); ++axis) {
      const Polynomial chosen = as_chosen(write_.digits[axis]);
      if (!(chosen == write_.digits[axis])) solve(chosen, place[axis]);
    }
    put_together(launch_.warp, launch_.warp_parts, launch_.warp_in_parts);
    put_together(launch_.lane, launch_.lane_parts, launch_.lane_in_parts);
    for (const AtomId atom : solvable()) {
      if (values_.count(name(atom)) == 0) values_.emplace(name(atom), Term(0));
    }
    return finish(place);
  }

 private:
  bool free(AtomId id) const { return !fixed_(facts_[id]); }
  // Whether its value is named here, so that what is known of it is to be shown.
  bool named(AtomId id) const {
    const Nature nature = facts_[id].nature;
    return free(id) && (nature == Nature::kCounter || nature == Nature::kGiven);
  }
  // What holds of numbers that the visit shares holds whether or not there is such a visit.
  bool shared(const Term& fact) const {
    std::set<std::string> names;
    collect_factors(fact, names);
    return std::none_of(names.begin(), names.end(),
                        [&](const std::string& each) { return free(facts_.find(each)); });
  }
  std::string name(AtomId id) const { return facts_[id].name + suffix_; }
  Term own(const Term& term) const { return renamed(term, rename_); }

  const Loop& loop(int id) const { return trace_.loops[static_cast<std::size_t>(id)]; }
  // A variable that counts the iterations of a while loop around the write in which it moves.
  const Changed* counting(AtomId head, const Loop** around) const {
    for (const int id : own_loops_) {
      for (const Changed& each : loop(id).changed) {
        if (loop(id).counted || each.head != head || !each.steps) continue;
        *around = &loop(id);
        return &each;
      }
    }
    return nullptr;
  }
  // Atoms whose value is ours to name: the thread, the iterations.
  std::vector<AtomId> solvable() const {
    std::vector<AtomId> result;
    for (const AtomId place : {launch_.warp, launch_.lane}) {
      if (free(place)) result.push_back(place);
    }
    for (const std::vector<AtomId>* parts : {&launch_.warp_parts, &launch_.lane_parts}) {
      for (const AtomId part : *parts) {
        if (free(part)) result.push_back(part);
      }
    }
    for (const int id : own_loops_) {
      if (loop(id).counted) result.push_back(loop(id).counter);
    }
    return result;
  }
  bool ours(AtomId id) const {
    const Loop* around = nullptr;
    const std::vector<AtomId> all = solvable();
    return std::count(all.begin(), all.end(), id) != 0 ||
           (free(id) && counting(id, &around) != nullptr);
  }

  // The number of the iteration, and that what the block has at its end is what the next one begins
  // with, or what the loop leaves.
  void follow_on() {
    const Loop& around = loop(iteration_->loop);
    Term exists = facts_.term(Polynomial::atom(around.counter)) >= 1;
    Term number = facts_.term(Polynomial::atom(around.counter)) - Term(1);
    if (iteration_->last) {
      number = Term::variable("last" + suffix_);
      exists = facts_.term(around.begin) < facts_.term(around.end);
    }
    values_.emplace(name(around.counter), number);
    const auto of_block = [&](const Term& term) {
      std::set<std::string> names;
      collect_factors(term, names);
      return std::all_of(names.begin(), names.end(), [&](const std::string& each) {
        return facts_[facts_.find(each)].sharing != Sharing::kThread;
      });
    };
    const auto holds = [&](const Term& here) {
      const std::optional<Term> term = substituted(here, values_);
      if (term) assumed_.push_back(implies(exists, *term));
    };
    if (iteration_->last) {
      // begin + step last < end <= begin + step (last + 1)
      const Term at =
          own(facts_.term(around.begin + around.step * Polynomial::atom(around.counter)));
      const Term end = own(facts_.term(around.end));
      holds(conjunction({own(facts_.term(Polynomial::atom(around.counter))) >= 0, at < end,
                         end <= at + own(facts_.term(around.step))}));
    }
    for (const Changed& each : around.changed) {
      const Term end = facts_.term(each.end);
      const Term next = facts_.term(Polynomial::atom(iteration_->last ? each.exit : each.head));
      if (facts_[each.head].sharing != Sharing::kBlock || !of_block(end)) continue;
      holds(equal(own(end), next));
      for (const Term& fact : facts_.context(around.inside, {end})) {
        if (of_block(fact)) holds(own(fact));
      }
    }
  }

  // With what runs round a ring as it is the first time.
  Polynomial in_first_round(Polynomial digit) const {
    if (iteration_) return digit;
    for (const int id : own_loops_) {
      for (const Changed& each : loop(id).changed) {
        if (!each.first_round) continue;
        digit = digit.with(each.head, *each.first_round);
        // Or as the next iteration has it.
        const std::set<AtomId> end = each.end.atoms();
        if (end.size() != 1 || each.end.terms().size() != 1 || end.count(each.head) != 0) continue;
        digit = digit.with(*end.begin(), *each.first_round + loop(id).step);
      }
    }
    return digit;
  }

  // Of the least or the largest of two numbers the one that goes by what is ours to name and is not
  // solved for yet: that it is that one in the visit that is named is left to show.
  Polynomial as_chosen(Polynomial digit) const {
    const auto is_ours = [&](const Polynomial& number) {
      const std::set<AtomId> atoms = number.atoms();
      return std::any_of(atoms.begin(), atoms.end(),
                         [&](AtomId id) { return ours(id) && values_.count(name(id)) == 0; });
    };
    for (const AtomId id : digit.atoms()) {
      const auto extreme = facts_.extreme_of(id);
      if (!extreme || !free(id)) continue;
      const bool first = is_ours(extreme->first);
      if (first == is_ours(extreme->second)) continue;
      digit = digit.with(id, first ? extreme->first : extreme->second);
    }
    return digit;
  }

  // From 0 on, by an argument.
  bool whole_steps(const Loop& around) const {
    const std::set<AtomId> atoms = around.step.atoms();
    const bool argument = atoms.size() == 1 && around.step == Polynomial::atom(*atoms.begin()) &&
                          facts_[*atoms.begin()].sharing == Sharing::kLaunch &&
                          !free(*atoms.begin());
    return argument && around.begin == Polynomial();
  }

  // A loop over all blocks of an axis: from the block's own place on, by as many as there are.
  std::optional<AtomId> block_of(const Loop& around) const {
    for (const AtomId place : launch_.places) {
      if (around.begin == Polynomial::atom(place) && around.step == launch_.extent_of(place)) {
        return place;
      }
    }
    return std::nullopt;
  }

  // Chooses values so that the digit becomes `place`, if it can.
  void solve(const Polynomial& written, const Term& place) {
    Polynomial digit = in_first_round(written);
    if (solve_backwards(digit, place)) return;
    const std::map<AtomId, Polynomial> falling = from_the_end(digit);
    if (only_falls(written) && falls(digit)) {
      return solve(Polynomial() - written, Term(0) - place);
    }
    const std::map<AtomId, Polynomial> rising = from_the_entry(digit);
    std::vector<std::pair<Integer, AtomId>> strides;
    Polynomial settled = digit;
    const Loop* wide = nullptr;           // a loop whose step is an argument
    std::map<AtomId, const Loop*> turns;  // by the value of a loop over blocks
    for (const int id : own_loops_) {
      const Loop& around = loop(id);
      if (around.value < 0 || digit.coefficient(around.value).sign() <= 0) continue;
      if (values_.count(name(around.counter)) != 0) return;
      if (block_of(around)) {
        strides.emplace_back(digit.coefficient(around.value), around.value);
        turns.emplace(around.value, &around);
        settled = settled - Polynomial::term(digit.coefficient(around.value), {around.value});
        continue;
      }
      if (digit.coefficient(around.value) != Integer(1)) continue;
      if (wide != nullptr || !whole_steps(around)) return;
      wide = &around;
      settled = settled - Polynomial::atom(around.value);
    }
    for (const auto& [monomial, coefficient] : digit.terms()) {
      if (monomial.size() != 1 || coefficient.sign() <= 0 || !ours(monomial[0]) ||
          values_.count(name(monomial[0])) != 0) {
        continue;
      }
      strides.emplace_back(coefficient, monomial[0]);
      settled = settled - Polynomial::term(coefficient, monomial);
    }
    if (rests_on_unsolved(settled)) return;
    // Of two with one stride the iteration before the thread, which has a bound by where it stands.
    std::sort(strides.begin(), strides.end(), [](const auto& a, const auto& b) {
      return b.first < a.first || (a.first == b.first && b.second < a.second);
    });
    const std::optional<Term> known = substituted(own(facts_.term(settled)), values_);
    if (!known) return;
    Term rest = place - *known;
    if (wide != nullptr) {
      const auto [product, remainder] = steps_to(*wide, rest);
      values_.emplace(name(wide->value), product);
      rest = remainder;
    }
    const auto settle = [&](AtomId atom, const Term& value) {
      const auto last = falling.find(atom);
      const auto entry = rising.find(atom);
      const auto turn = turns.find(atom);
      if (turn != turns.end()) {
        const AtomId block = *block_of(*turn->second);
        const auto [product, remainder] = steps_to(*turn->second, value);
        values_.emplace(name(atom), own(facts_.term(Polynomial::atom(block))) + product);
        turns_.emplace(block,
                       Witness::Turn{value, product, remainder, facts_.term(turn->second->step)});
      } else if (entry != rising.end()) {
        const auto from = substituted(own(facts_.term(entry->second)), values_);
        if (from) values_.emplace(name(atom), *from + value);
      } else if (last == falling.end()) {
        values_.emplace(name(atom), value);
      } else if (const auto end = substituted(own(facts_.term(last->second)), values_)) {
        values_.emplace(name(atom), *end - value);
      }
    };
    for (std::size_t index = 0; index < strides.size(); ++index) {
      const auto& [stride, atom] = strides[index];
      if (index + 1 == strides.size() && stride == Integer(1)) {
        settle(atom, rest);
        break;
      }
      const auto [quotient, remainder] = divided(rest, stride);
      settle(atom, quotient);
      rest = remainder;
    }
  }

  // A function of what is yet to be solved for is no place to solve it from: there need not be such
  // numbers, and of numbers that are not anything is true.
  bool rests_on_unsolved(const Polynomial& settled) const {
    const std::set<AtomId> inputs = facts_.with_inputs(settled.atoms());
    return std::any_of(inputs.begin(), inputs.end(),
                       [&](AtomId id) { return ours(id) && values_.count(name(id)) == 0; });
  }

  // rest = quotient stride + remainder.
  std::pair<Term, Term> divided(const Term& rest, const Integer& stride) {
    const std::string number = std::to_string(++divisions_) + suffix_;
    const Term quotient = Term::variable("whole" + number);
    const Term remainder = Term::variable("rest" + number);
    assumed_.push_back(conjunction({equal(rest, quotient * Term(stride) + remainder),
                                    remainder >= 0, remainder < Term(stride)}));
    return {quotient, remainder};
  }

  // rest = s whole + remainder for a step s, where whole is the number of the iteration; gives the
  // product and what is left. Of products is not seen that s whole is at least s, or at most -s,
  // where whole is not 0.
  std::pair<Term, Term> steps_to(const Loop& around, const Term& rest) {
    const std::string number = std::to_string(++divisions_) + suffix_;
    const Term whole = Term::variable("whole" + number);
    const Term remainder = Term::variable("rest" + number);
    const Term s = facts_.term(around.step);
    for (const Term& fact : facts_.context(nullptr, {s})) assumed_.push_back(fact);
    const Term product = Term::variable(product_of({s.name(), whole.name()}));
    assumed_.push_back(
        implies(s >= 1, conjunction({equal(rest, product + remainder), remainder >= 0,
                                     remainder < s, implies(whole >= 1, product >= s),
                                     implies(whole <= Term(-1), product + s <= 0)})));
    values_.emplace(name(around.counter), whole);
    return {product, remainder};
  }

  // Iterations that the digit falls with are counted from the last one on: c as last - c. Gives
  // what the last one is.
  std::map<AtomId, Polynomial> from_the_end(Polynomial& digit) const {
    std::map<AtomId, Polynomial> result;
    for (const int id : own_loops_) {
      const Loop& around = loop(id);
      if (!around.counted || around.step != Polynomial(1)) continue;
      if (digit.coefficient(around.counter).sign() >= 0) continue;
      if (values_.count(name(around.counter)) != 0) continue;
      const Polynomial last = around.end - around.begin - Polynomial(1);
      digit = digit.with(around.counter, last - Polynomial::atom(around.counter));
      result.emplace(around.counter, last);
    }
    return result;
  }

  // What a while loop counts begins where the loop is come to: v as entry + steps, so that the
  // steps are what is left of a division. Gives what the entry is.
  std::map<AtomId, Polynomial> from_the_entry(Polynomial& digit) const {
    std::map<AtomId, Polynomial> result;
    for (const int id : own_loops_) {
      for (const Changed& each : loop(id).changed) {
        if (loop(id).counted || !each.steps || each.entry == Polynomial()) continue;
        if (digit.coefficient(each.head).sign() <= 0 || values_.count(name(each.head)) != 0)
          continue;
        if (rests_on_unsolved(each.entry)) continue;
        digit = digit.with(each.head, each.entry + Polynomial::atom(each.head));
        result.emplace(each.head, each.entry);
      }
    }
    return result;
  }

  // rest - atom, as where tokens are taken from the last one on: the atom is rest - place.
  bool solve_backwards(const Polynomial& digit, const Term& place) {
    std::optional<AtomId> falling;
    for (const auto& [monomial, coefficient] : digit.terms()) {
      const bool free_here =
          monomial.size() == 1 && ours(monomial[0]) && values_.count(name(monomial[0])) == 0;
      if (!free_here) continue;
      if (falling || coefficient != Integer(-1)) return false;
      falling = monomial[0];
    }
    if (!falling) return false;
    const Polynomial rest = digit + Polynomial::atom(*falling);
    if (rests_on_unsolved(rest)) return false;
    const std::optional<Term> known = substituted(own(facts_.term(rest)), values_);
    if (known) values_.emplace(name(*falling), *known - place);
    return known.has_value();
  }

  // Of numbers that are ours to name and not solved for yet: whether the digit goes down with one,
  // and whether it goes up with none.
  bool falls(const Polynomial& digit) const { return goes(digit, -1); }
  bool only_falls(const Polynomial& digit) const { return falls(digit) && !goes(digit, 1); }
  bool goes(const Polynomial& digit, int sign) const {
    return std::any_of(digit.terms().begin(), digit.terms().end(), [&](const auto& term) {
      const auto& [monomial, coefficient] = term;
      return monomial.size() == 1 && coefficient.sign() == sign && ours(monomial[0]) &&
             values_.count(name(monomial[0])) == 0;
    });
  }

  // Either a place or its parts are solved for; the others follow.
  void put_together(AtomId place, const std::vector<AtomId>& parts, const Polynomial& sum) {
    if (parts.empty() || !free(place)) return;
    const auto whole = values_.find(name(place));
    if (whole == values_.end()) {
      for (const AtomId part : parts) values_.emplace(name(part), Term(0));
      values_.emplace(name(place), *substituted(own(facts_.term(sum)), values_));
      return;
    }
    const auto known = [&](AtomId part) { return values_.count(name(part)) != 0; };
    if (std::any_of(parts.begin(), parts.end(), known)) return;
    Term rest = whole->second;
    for (auto part = parts.rbegin(); part + 1 != parts.rend(); ++part) {
      const auto [quotient, remainder] = divided(rest, sum.coefficient(*part));
      values_.emplace(name(*part), quotient);
      rest = remainder;
    }
    values_.emplace(name(parts.front()), rest);
  }

  // A branch that is taken by one warp, lane or thread only: that one.
  void solve_conditions() {
    for (const Term& condition : conditions(write_.path)) {
      if (condition.operation() != smt::Operation::kEqual) continue;
      const std::optional<Polynomial> left = polynomial(condition.operands()[0]);
      const std::optional<Polynomial> right = polynomial(condition.operands()[1]);
      if (!left || !right) continue;
      solve(*left - *right, Term(0));
      solve(*right - *left, Term(0));
    }
  }

  std::optional<Polynomial> polynomial(const Term& term) const {
    const auto part = [&](std::size_t index) { return polynomial(term.operands()[index]); };
    switch (term.operation()) {
      case smt::Operation::kConstant:
        return Polynomial(term.value());
      case smt::Operation::kVariable: {
        Monomial factors;
        for (const std::string& factor : factors_of(term.name())) {
          factors.push_back(facts_.find(factor));
        }
        std::sort(factors.begin(), factors.end());
        return Polynomial::term(1, factors);
      }
      case smt::Operation::kAdd:
      case smt::Operation::kSubtract:
      case smt::Operation::kMultiply: {
        const std::optional<Polynomial> a = part(0);
        const std::optional<Polynomial> b = part(1);
        if (!a || !b) return std::nullopt;
        if (term.operation() == smt::Operation::kAdd) return *a + *b;
        return term.operation() == smt::Operation::kSubtract ? *a - *b : *a * *b;
      }
      default:
        return std::nullopt;
    }
  }

  std::optional<Witness> finish(const std::vector<Term>& place) {
    std::vector<Term> required;
    std::vector<Term> granted;  // true of the iteration that is named, if it exists
    std::vector<Term> entered;  // and where its loop was come to
    std::vector<Term> inside;   // true of it then
    std::vector<Term> left;     // true of what its loop leaves behind
    std::vector<Term> ended;    // and where it was come to: whoever asks comes after it
    std::vector<Term> exists;
    std::size_t given_conditions = 0;
    std::size_t first_given = 0;
    for (const int id : own_loops_) {
      if (loop(id).counted) continue;
      // It counts from its entry up to its exit and misses nothing: some iteration moved from the
      // place to the next one.
      const Changed* counter = nullptr;
      for (const Changed& each : loop(id).changed) {
        const Loop* around = nullptr;
        if (counting(each.head, &around) != nullptr && values_.count(name(each.head)) != 0) {
          counter = &each;
        }
      }
      if (counter == nullptr || given_conditions > 0) return std::nullopt;
      const Term at = values_.at(name(counter->head));
      exists.push_back(own(facts_.term(counter->entry)) <= at);
      exists.push_back(at < own(facts_.term(Polynomial::atom(counter->exit))));
      spoken_.insert(counter->exit);
      inside.push_back(own(equal(facts_.term(counter->end),
                                 facts_.term(Polynomial::atom(counter->head)) + Term(1))));
      for (const Term& fact : facts_.context(
               loop(id).inside, {facts_.term(counter->end), facts_.term(counter->entry)})) {
        inside.push_back(own(fact));
      }
      if (loop(id).ended) ended.push_back(own(*loop(id).ended));
      for (const Term& condition : conditions(loop(id).entry)) entered.push_back(own(condition));
      first_given = conditions(loop(id).entry).size();
      given_conditions = conditions(loop(id).inside).size() - first_given;
      for (const Facts::Known& known :
           facts_.known(nullptr, {facts_.term(Polynomial::atom(counter->exit))})) {
        if (named(known.owner)) continue;
        (shared(known.holds) ? assumed_ : left).push_back(own(known.holds));
      }
    }
    std::vector<Term> about;
    for (std::size_t axis = 0; axis < place.size(); ++axis) {
      about.push_back(facts_.term(write_.digits[axis]));
      required.push_back(equal(own(about.back()), place[axis]));
    }
    for (const AtomId atom : solvable()) about.push_back(facts_.term(Polynomial::atom(atom)));
    // The conditions are to be shown, so nothing may lean on them: facts come with their paths.
    const std::vector<Term> path = conditions(write_.path);
    const std::vector<bool> left_behind = settled(write_.path);
    for (std::size_t index = 0; index < path.size(); ++index) {
      const bool given = index >= first_given && index < first_given + given_conditions;
      about.push_back(path[index]);
      if (given) continue;  // among what holds inside
      if (!left_behind[index]) {
        required.push_back(own(path[index]));
        continue;
      }
      // A loop on the way has ended, where the way leads through it.
      const std::vector<Term> way(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(index));
      granted.push_back(own(implies(conjunction(way), path[index])));
    }
    std::vector<Term> defined;
    std::vector<Term> real;  // there is such a thread, and iterations are not negative
    for (const Facts::Known& known : facts_.known(nullptr, about)) {
      // What defines a function holds of any numbers, those of no thread too.
      const bool defines = facts_[known.owner].nature == Nature::kTotal;
      (named(known.owner) ? real : defines ? defined : granted).push_back(own(known.holds));
    }
    const auto with_values = [&](const Term& term) { return substituted(term, values_); };
    std::vector<Term> all = exists;
    all.insert(all.end(), real.begin(), real.end());
    all.insert(all.end(), required.begin(), required.end());
    Witness result{{}, conjunction({}), {}, {}, turns_};
    tell_of_warp(about, result);
    for (const int id : own_loops_) {
      if (loop(id).counted) result.counter.emplace(id, values_.at(name(loop(id).counter)));
    }
    std::vector<Term> parts;
    for (const Term& each : all) {
      const std::optional<Term> term = with_values(each);
      if (!term) return std::nullopt;
      parts.push_back(*term);
    }
    result.required = conjunction(parts);
    std::vector<Term> there;
    const auto where = [&](const std::vector<Term>& terms) {
      for (const Term& term : terms) there.push_back(*with_values(term));
    };
    const auto assume = [&](const std::vector<Term>& facts) {
      for (const Term& each : facts) {
        // A fact about a product that moves is left out.
        const std::optional<Term> term = with_values(each);
        if (term)
          result.assumed.push_back(there.empty() ? *term : implies(conjunction(there), *term));
      }
    };
    // What is granted was shown of visits that there are.
    assume(defined);
    where(real);
    assume(left);
    std::vector<Term> come_to;
    for (const Term& each : entered) {
      const std::optional<Term> term = with_values(each);
      if (!term) return std::nullopt;
      come_to.push_back(*term);
    }
    const std::vector<Term> before = there;
    there.insert(there.end(), come_to.begin(), come_to.end());
    assume(ended);
    there = before;
    where(exists);
    assume(granted);
    there.insert(there.end(), come_to.begin(), come_to.end());
    assume(inside);
    for (const Term& each : assumed_) result.assumed.push_back(each);
    return result;
  }

  void tell_of_warp(const std::vector<Term>& about, Witness& result) {
    std::set<std::string> names;
    for (const Term& term : about) collect_factors(term, names);
    for (const std::string& each : names) spoken_.insert(facts_.find(each));
    for (const AtomId atom : spoken_) {
      if (!free(atom)) continue;
      bool moves = false;  // in a product, where no value can be put for it
      const auto seen = [&](const Term& term) {
        const std::optional<Term> value = substituted(own(term), values_);
        moves = moves || !value;
        return value.value_or(term);
      };
      const auto same = [&](int id) {
        return std::count(own_loops_.begin(), own_loops_.end(), id) == 0;
      };
      const auto value = warp_value(facts_, trace_, atom, launch_, same, seen);
      if (value && !moves) result.of_warp.emplace(atom, *value);
    }
  }

  const Facts& facts_;
  const Trace& trace_;
  const Launch& launch_;
  const Access& write_;
  const Common& fixed_;
  const std::string& suffix_;
  std::optional<Iteration> iteration_;
  Renaming rename_;
  std::vector<int> own_loops_;
  std::map<std::string, Term> values_;
  std::vector<Term> assumed_;
  int divisions_ = 0;
  std::map<AtomId, Witness::Turn> turns_;
  std::set<AtomId> spoken_;
};

}  // namespace

std::optional<Witness> witness(const Facts& facts, const Trace& trace, const Launch& launch,
                               const Access& write, const std::vector<Term>& place,
                               const Common& fixed, const std::vector<int>& fixed_loops,
                               const std::string& suffix, std::optional<Iteration> iteration) {
  return Search(facts, trace, launch, write, fixed, fixed_loops, suffix, iteration).run(place);
}

}  // namespace heddle::verify
