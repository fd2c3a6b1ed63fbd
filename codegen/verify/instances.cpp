// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/instances.hpp"

#include <algorithm>

namespace heddle::verify {

Renaming renaming(const Facts& facts, const Common& common, const std::string& suffix) {
  return [&facts, common, suffix](const std::string& name) {
    return common(facts[facts.find(name)]) ? name : name + suffix;
  };
}

std::vector<int> loops_of(const Access& access) {
  std::vector<int> loops = access.barrier_loops;
  loops.insert(loops.end(), access.plain_loops.begin(), access.plain_loops.end());
  return loops;
}

Instance instance(const Facts& facts, const Trace& trace, const Access& access, AtomId warp,
                  AtomId lane, const Renaming& rename) {
  Instance result;
  std::vector<Term> about;
  const auto term = [&](AtomId id) { return facts.term(Polynomial::atom(id)); };
  for (const Polynomial& digit : access.digits) about.push_back(facts.term(digit));
  for (const Term& digit : about) result.digits.push_back(renamed(digit, rename));
  for (const AtomId place : {warp, lane}) {
    about.push_back(term(place));
    result.thread.push_back(renamed(about.back(), rename));
  }
  for (const int id : loops_of(access)) {
    const Loop& loop = trace.loops[static_cast<std::size_t>(id)];
    for (const Changed& each : loop.changed) {
      if (each.rises) result.atoms.insert(facts[each.exit].name);  // `risen` speaks of it
    }
    if (!loop.counted) continue;
    about.push_back(term(loop.counter));
    result.counters.push_back(renamed(about.back(), rename));
  }
  for (const Term& fact : facts.context(access.path, about)) {
    collect_factors(fact, result.atoms);
    result.known.push_back(renamed(fact, rename));
  }
  for (const Term& each : about) collect_factors(each, result.atoms);
  return result;
}

std::optional<WarpValue> warp_value(const Facts& facts, const Trace& trace, AtomId atom,
                                    const Launch& launch, const std::function<bool(int)>& same,
                                    const std::function<Term(const Term&)>& seen) {
  const bool by_warp = facts[atom].warp_loops.has_value();
  if (!by_warp && facts[atom].group == 0) return std::nullopt;
  const auto of = [&](AtomId id) { return seen(facts.term(Polynomial::atom(id))); };
  WarpValue result{of(atom), {of(launch.warp)}, {}};
  if (!by_warp) {
    const std::optional<std::vector<AtomId>> group = launch.parts_of_group(facts[atom].group);
    if (!group) return std::nullopt;
    for (const AtomId part : *group) result.lanes.push_back(of(part));
  }
  std::vector<int> around = by_warp ? *facts[atom].warp_loops : facts[atom].group_loops;
  around.insert(around.end(), facts[atom].loops.begin(), facts[atom].loops.end());
  for (const int id : around) {
    const Loop& loop = trace.loops[static_cast<std::size_t>(id)];
    if (loop.counted) {
      result.iterations.push_back(of(loop.counter));
    } else if (!same(id)) {
      return std::nullopt;
    }
  }
  return result;
}

Term agree(const WarpValue& a, const WarpValue& b) {
  std::vector<Term> where;
  for (std::size_t index = 0; index < a.lanes.size(); ++index) {
    where.push_back(equal(a.lanes[index], b.lanes[index]));
  }
  for (std::size_t index = 0; index < a.iterations.size(); ++index) {
    where.push_back(equal(a.iterations[index], b.iterations[index]));
  }
  return implies(conjunction(where), equal(a.value, b.value));
}

std::vector<Term> shared_by_warp(const Facts& facts, const Trace& trace, const Instance& a,
                                 const Instance& b, const Launch& launch, const Renaming& here,
                                 const Renaming& there, const std::function<bool(int)>& same) {
  std::vector<Term> result;
  for (const std::string& name : a.atoms) {
    if (b.atoms.count(name) == 0 || here(name) == there(name)) continue;
    const AtomId atom = facts.find(name);
    const auto first = warp_value(facts, trace, atom, launch, same,
                                  [&](const Term& term) { return renamed(term, here); });
    const auto second = warp_value(facts, trace, atom, launch, same,
                                   [&](const Term& term) { return renamed(term, there); });
    if (first && second) result.push_back(agree(*first, *second));
  }
  return result;
}

std::vector<Term> risen(const Facts& facts, const Trace& trace, const Access& access,
                        const Access& later, const Renaming& rename) {
  std::vector<Term> result;
  const std::vector<int> around = loops_of(later);
  for (const int id : loops_of(access)) {
    if (std::count(around.begin(), around.end(), id) != 0 || later.order < access.order) continue;
    for (const Changed& each : trace.loops[static_cast<std::size_t>(id)].changed) {
      if (!each.rises) continue;
      const Term fact = facts.term(each.end) <= facts.term(Polynomial::atom(each.exit));
      for (const Term& known : facts.context(access.path, {fact})) {
        result.push_back(renamed(known, rename));
      }
      result.push_back(renamed(fact, rename));
    }
  }
  return result;
}

std::vector<Term> steps_apart(const Facts& facts, const Trace& trace, const Access& access,
                              const Renaming& here, const Renaming& there) {
  std::vector<Term> result;
  for (const int id : loops_of(access)) {
    const Loop& loop = trace.loops[static_cast<std::size_t>(id)];
    if (!loop.counted || loop.step.constant()) continue;
    const Polynomial counter = Polynomial::atom(loop.counter);
    const Term step = facts.term(loop.step);
    if (renamed(step, here).text() != step.text() || renamed(step, there).text() != step.text())
      continue;
    for (const auto& [first, second] : {std::pair{&here, &there}, std::pair{&there, &here}}) {
      // c < d gives s c + s <= s d, for s >= 0.
      const Term c = renamed(facts.term(counter), *first);
      const Term d = renamed(facts.term(counter), *second);
      const Term way = renamed(facts.term(loop.step * counter), *first);
      const Term further = renamed(facts.term(loop.step * counter), *second);
      result.push_back(implies(conjunction({step >= 0, c < d}), way + step <= further));
      result.push_back(implies(equal(c, d), equal(way, further)));
    }
  }
  return result;
}

namespace {

void insert(std::vector<int>& sorted, int id) {
  const auto place = std::lower_bound(sorted.begin(), sorted.end(), id);
  if (place == sorted.end() || *place != id) sorted.insert(place, id);
}

// What a flow adds to the loops whose next iteration was begun on the way, and to those that had
// none: of these only what control passed before any iteration ended.
void follow(const Flow& flow, std::vector<int>& around, std::vector<int>& skipped) {
  if (flow.around >= 0) {
    insert(around, flow.around);
    skipped.clear();
  }
  if (flow.skips >= 0 && around.empty()) insert(skipped, flow.skips);
}

}  // namespace

std::vector<Reach> reachable(const Trace& trace, int segment) {
  std::vector<Reach> found = {{segment, {}, {}}};
  for (std::size_t next = 0; next < found.size(); ++next) {
    for (const Flow& flow : trace.flows) {
      if (flow.from != found[next].to) continue;
      Reach reach{flow.to, found[next].around, found[next].skipped};
      follow(flow, reach.around, reach.skipped);
      // Known, too, where less is known of the way.
      const bool known = std::any_of(found.begin(), found.end(), [&](const Reach& each) {
        return each.to == reach.to && each.around == reach.around &&
               std::includes(reach.skipped.begin(), reach.skipped.end(), each.skipped.begin(),
                             each.skipped.end());
      });
      if (!known) found.push_back(std::move(reach));
    }
  }
  return found;
}

std::vector<Term> first_iterations(const Facts& facts, const Trace& trace, const Access& first,
                                   const Access& second, const std::vector<int>& around,
                                   const Renaming& there) {
  std::vector<Term> result;
  for (const int id : second.barrier_loops) {
    const auto has = [&](const std::vector<int>& loops) {
      return std::count(loops.begin(), loops.end(), id) != 0;
    };
    if (has(first.barrier_loops) || has(around)) continue;
    const Loop& loop = trace.loops[static_cast<std::size_t>(id)];
    if (loop.counted) {
      result.push_back(equal(renamed(facts.term(Polynomial::atom(loop.counter)), there), 0));
    }
    for (const Changed& each : loop.changed) {
      const Term head = facts.term(Polynomial::atom(each.head));
      result.push_back(equal(renamed(head, there), renamed(facts.term(each.entry), there)));
    }
  }
  return result;
}

std::optional<std::vector<Underway>> underway(const Trace& trace, int segment) {
  struct State {
    Underway at;
    int closed = 0;  // batches since, its own among them
  };
  std::vector<State> found = {{{segment, {}, false}, 0}};
  const auto add = [&](State state) {
    const bool known = std::any_of(found.begin(), found.end(), [&](const State& each) {
      return each.at.segment == state.at.segment && each.at.around == state.at.around &&
             each.at.arrived == state.at.arrived && each.closed == state.closed &&
             each.at.skipped == state.at.skipped;
    });
    if (!known) found.push_back(std::move(state));
  };
  for (std::size_t next = 0; next < found.size(); ++next) {
    const State here = found[next];
    for (const auto& [before, after] : trace.barriers) {
      if (before != here.at.segment || here.at.arrived) continue;
      State state = here;
      state.at.segment = after;
      add(std::move(state));
    }
    for (const Flow& flow : trace.flows) {
      if (flow.from != here.at.segment) continue;
      State state = here;
      state.at.segment = flow.to;
      if (flow.around >= 0) {
        const std::vector<int>& around = state.at.around;
        if (std::count(around.begin(), around.end(), flow.around) != 0) return std::nullopt;
      }
      follow(flow, state.at.around, state.at.skipped);
      const auto batch = trace.batches.find(flow.to);
      if (batch != trace.batches.end()) {
        if (batch->second.closed) ++state.closed;
        // Its own is the closed-th newest.
        if (!batch->second.closed && state.closed > batch->second.left) state.at.arrived = true;
      }
      add(std::move(state));
    }
  }
  std::vector<Underway> result;
  for (State& state : found) result.push_back(std::move(state.at));
  return result;
}

namespace {

// Whether control may pass through a whole iteration without a barrier.
bool runs_through(const Trace& trace, int loop) {
  for (const Flow& back : trace.flows) {
    if (back.around != loop) continue;
    for (const Reach& reach : reachable(trace, back.to)) {
      if (reach.to == back.from) return true;
    }
  }
  return false;
}

}  // namespace

std::vector<Term> later_iterations(const Facts& facts, const Trace& trace,
                                   const std::vector<int>& around, const Renaming& here,
                                   const Renaming& there) {
  std::vector<Term> result;
  for (const int id : around) {
    const Loop& loop = trace.loops[static_cast<std::size_t>(id)];
    // In a later iteration of an outer loop this one has begun anew.
    const bool anew = std::any_of(around.begin(), around.end(), [&](int other) {
      return std::count(loop.outer.begin(), loop.outer.end(), other) != 0;
    });
    if (!loop.counted || anew) continue;
    const Term counter = facts.term(Polynomial::atom(loop.counter));
    const Term next = renamed(counter, here) + Term(1);
    const Term later = renamed(counter, there);
    const bool several = runs_through(trace, id);
    result.push_back(several ? later >= next : equal(later, next));
    if (several) continue;
    // What all threads of the block have at the end of an iteration they have in the next one.
    for (const Changed& each : loop.changed) {
      if (facts[each.head].sharing != Sharing::kBlock) continue;
      const Term end = facts.term(each.end);
      const Term head = facts.term(Polynomial::atom(each.head));
      result.push_back(equal(renamed(end, here), renamed(head, there)));
      for (const Term& fact : facts.context(loop.inside, {end})) {
        result.push_back(renamed(fact, here));
      }
      for (const Term& fact : facts.context(nullptr, {head})) {
        result.push_back(renamed(fact, there));
      }
    }
  }
  return result;
}

bool far_apart(const Facts& facts, const Access& a, const Access& b) {
  for (std::size_t axis = 0; axis < a.digits.size(); ++axis) {
    const auto here = facts.close_interval(a.digits[axis]);
    const auto there = facts.close_interval(b.digits[axis]);
    if (here && there && (here->high < there->low || there->high < here->low)) return true;
  }
  return false;
}

bool same_memory(ir::MemoryId a, ir::MemoryId b) {
  if (a.index() != b.index()) return false;
  return match(
      a, [&](ir::BufferId id) { return id.index == std::get<ir::BufferId>(b).index; },
      [&](ir::ArrayId id) { return id.index == std::get<ir::ArrayId>(b).index; },
      [&](ir::ViewId id) { return id.index == std::get<ir::ViewId>(b).index; });
}

}  // namespace heddle::verify
