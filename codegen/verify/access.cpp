// SPDX-License-Identifier: Apache-2.0
// Memory of a symbolic run: what a load may give, and the accesses that the trace keeps.
#include <algorithm>

#include "codegen/verify/execute.hpp"

namespace heddle::verify {
namespace {

bool holds_always(const Term& term) {
  return term.operation() == smt::Operation::kAnd && term.operands().empty();
}

}  // namespace

std::optional<Term> Execution::keeps(const Bound& bound, const Polynomial& value) const {
  const Term x = facts_.term(value);
  if (bound.kind == Bound::Kind::kBelow || bound.kind == Bound::Kind::kWithin) {
    const std::vector<Alternative>& number =
        state_[static_cast<std::size_t>(bound.number.index)].integer;
    if (number.size() != 1) return std::nullopt;
    const Term y = facts_.term(number[0].value);
    if (bound.kind == Bound::Kind::kBelow) return x < y;
    return conjunction({x <= y, x >= Term(0) - y});
  }
  const Term y = facts_.term(bound.value);
  switch (bound.kind) {
    case Bound::Kind::kLower:
      return x >= y;
    case Bound::Kind::kUpper:
      return x <= y;
    case Bound::Kind::kNot:
      return negation(equal(x, y));
    case Bound::Kind::kBelow:
    case Bound::Kind::kWithin:
      break;
  }
  unreachable("a bound");
}

// Whether lanes of a warp have the same number there in the same iterations.
bool Execution::same_for_warp(const Polynomial& value) const {
  const std::set<AtomId> atoms = value.atoms();
  return std::all_of(atoms.begin(), atoms.end(), [&](AtomId id) {
    const Atom& atom = facts_[id];
    const bool counts = atom.nature == Nature::kCounter;
    const auto is_warp = [&](AtomId atom_id) {
      return atom_id == launch_.warp ||
             std::count(launch_.warp_parts.begin(), launch_.warp_parts.end(), atom_id) != 0;
    };
    return atom.sharing != Sharing::kThread || is_warp(id) || counts || atom.warp_loops.has_value();
  });
}

// Whoever of the block asks, and whenever: nothing stores to these arrays.
std::optional<AtomId> Execution::of_sequence(ir::MemoryId memory, const Symbolic& index) const {
  const ir::BufferId* buffer = std::get_if<ir::BufferId>(&memory);
  if (buffer == nullptr || index.integer.size() != 1) return std::nullopt;
  const ir::Buffer& array = lifted_.kernel[*buffer];
  if (array.access != heddle::Access::kRead) return std::nullopt;
  return launch_.of_sequence(array.name, index.integer[0].value);
}

Symbolic Execution::load(ir::ValueId id, const ir::Load& node) {
  const Symbolic index = evaluate(node.index);
  const std::size_t made = trace.accesses.size();
  access(node.memory, false, index, lifted_.place(id), lifted_.started.count(id.index) != 0);
  if (lifted_.by_warp.count(id.index) != 0) {
    for (std::size_t each = made; each < trace.accesses.size(); ++each) {
      trace.accesses[each].by_warp = true;
    }
  }
  if (kernel()[id].type != ir::Type::kI64) return {};
  if (const auto own = of_sequence(node.memory, index)) {
    Symbolic loaded;
    loaded.integer = always(Polynomial::atom(*own));
    return loaded;
  }
  const AtomId result = facts_.fresh("loaded", Sharing::kThread, Nature::kState);
  for (std::size_t each = made; each < trace.accesses.size(); ++each) {
    trace.accesses[each].number = Polynomial::atom(result);
  }
  const Term value = facts_.term(Polynomial::atom(result));
  if (const ir::ArrayId* array = std::get_if<ir::ArrayId>(&node.memory)) {
    const bool by_warp = kernel()[*array].shared && index.integer.size() == 1 &&
                         same_for_warp(index.integer[0].value);
    if (by_warp && recording_) {
      // A store between the loads of two lanes would race with one of them.
      facts_[result].loops = loops_;
      facts_[result].warp_loops = around_;
    }
    for (const Bound& bound : kept_[array->index]) {
      const std::optional<Term> kept = keeps(bound, Polynomial::atom(result));
      if (kept) facts_.add(result, path_, *kept);
    }
  } else {
    facts_[result].low = INT32_MIN;
    facts_[result].high = INT32_MAX;
    facts_.add(result, nullptr, conjunction({value >= Term(INT32_MIN), value <= Term(INT32_MAX)}));
    look_at_position(node.memory, index, value);
  }
  Symbolic loaded;
  loaded.integer = always(Polynomial::atom(result));
  return loaded;
}

void Execution::access(ir::MemoryId memory, bool write, const Symbolic& index, TextPlace at,
                       bool started) {
  if (!recording_) return;
  const ir::ViewId* view = std::get_if<ir::ViewId>(&memory);
  struct Way {
    ir::MemoryId memory;
    Path path;
    Polynomial index;
  };
  std::vector<Way> ways;
  for (const Alternative& each : index.integer) {
    const Path path = holds_always(each.when) ? path_ : extend(path_, each.when);
    if (view == nullptr) {
      ways.push_back({memory, path, each.value});
      continue;
    }
    const ir::View& chosen = kernel()[*view];
    const Term& condition = views_.at(view->index);
    ways.push_back({chosen.yes, extend(path, condition), each.value});
    ways.push_back({chosen.no, extend(path, negation(condition)), each.value});
  }
  for (Way& way : ways) {
    // Some ways contradict each other: then there is no such access.
    if (ways.size() > 1 && proves(way.path, negation(conjunction({})), "this way is never taken"))
      continue;
    access(way.memory, write, way.index, way.path, at, started);
  }
}

void Execution::access(ir::MemoryId memory, bool write, const Polynomial& index, const Path& path,
                       TextPlace at, bool started) {
  Access made;
  made.memory = memory;
  made.write = write;
  made.started = started;
  made.index = index;
  made.path = path;
  made.barrier_loops = loops_;
  made.plain_loops = around_;
  made.segment = segment_;
  made.order = order_;
  made.at = at;
  trace.accesses.push_back(std::move(made));
}

}  // namespace heddle::verify
