// SPDX-License-Identifier: Apache-2.0
// Statements of a symbolic run.
#include "codegen/verify/execute.hpp"

#include <algorithm>

namespace heddle::verify {

using ir::Type;

Execution::Execution(const Lifted& lifted, const Uniformity& uniformity, const Launch& launch,
                     Facts& facts, Prover& prover)
    : facts_(facts), prover_(prover), lifted_(lifted), uniformity_(uniformity), launch_(launch) {}

void Execution::run() {
  // Lists of rows that are kept end where the rows do.
  entry_counters_ = entry_counters(kernel(), row_bounds().empty());
  for (const ir::VariableId id : numbers_run_up_to(kernel())) {
    const Spread spread = uniformity_.variables[static_cast<std::size_t>(id.index)];
    if (spread == Spread::kSame) block_numbers_.push_back(id);
  }
  squares_ = squares(kernel());
  for (std::size_t index = 0; index < kernel().arrays.size(); ++index) {
    if (kernel().arrays[index].type != Type::kI64) continue;
    std::vector<Bound>& bounds = kept_[static_cast<std::int32_t>(index)];
    bounds.push_back({Bound::Kind::kLower, Polynomial(0)});
    const Polynomial length = Polynomial::atom(launch_.length);
    for (const ir::VariableId number : block_numbers_) {
      bounds.push_back({Bound::Kind::kBelow, {}, number});
    }
    if (!block_numbers_.empty()) {
      bounds.push_back({Bound::Kind::kLower, Polynomial(-1)});
      bounds.push_back({Bound::Kind::kUpper, length});
    }
    if (!row_bounds().empty()) {
      bounds.push_back({Bound::Kind::kLower, Polynomial(-1)});
      bounds.push_back({Bound::Kind::kUpper, length});
    }
    for (const Polynomial& rows : row_bounds()) bounds.push_back({Bound::Kind::kUpper, rows});
    for (const Polynomial& size : size_bounds()) bounds.push_back({Bound::Kind::kUpper, size});
    if (!size_bounds().empty()) continue;
    // Without slots: positions of the sequence, of either side; those of the one stand below 0.
    for (const ir::VariableId number : block_numbers_) {
      bounds.push_back({Bound::Kind::kWithin, {}, number});
    }
    bounds.push_back({Bound::Kind::kNot, Polynomial(0)});
    bounds.push_back({Bound::Kind::kLower, Polynomial() - length});
    bounds.push_back({Bound::Kind::kUpper, length});
  }
  // A bound that some store breaks was no bound: start again without it.
  do {
    kept_changed_ = false;
    trace = {};
    findings.clear();
    arithmetic = 0;
    ranged_.clear();
    views_.clear();
    state_.assign(kernel().variables.size(), {});
    for (std::size_t index = 0; index < kernel().variables.size(); ++index) {
      const ir::Variable& variable = kernel().variables[index];
      if (!variable.argument || variable.type != Type::kI64) continue;
      state_[index].integer = always(Polynomial::atom(launch_.sizes.at(variable.name)));
    }
    path_ = nullptr;
    segment_ = 0;
    segments_ = 1;
    order_ = 0;
    while_loops = 0;
    body(kernel().body);
  } while (kept_changed_);
  settle_ranges();
}

void Execution::body(const ir::Body& statements) {
  for (const ir::Statement& each : statements) statement(each);
}

void Execution::statement(const ir::Statement& statement) {
  if (recording_) ++order_;
  at_ = lifted_.place(statement);
  match(
      statement.node, [](const ir::Comment&) {},
      [&](const ir::Declare& node) {
        const ir::Array& array = kernel()[node.array];
        if (array.from) integer(*array.from);
      },
      [&](const ir::Define& node) {
        value_of(node.variable) = named(evaluate(node.value), kernel()[node.variable].name);
      },
      [&](const ir::Assign& node) {
        value_of(node.variable) = named(evaluate(node.value), kernel()[node.variable].name);
      },
      [&](const ir::Choose& node) {
        views_.insert_or_assign(node.view.index, truth(kernel()[node.view].condition));
      },
      [&](const ir::Store& node) { store(statement, node); },
      [&](const ir::For& node) {
        if (node.kind == ir::LoopKind::kLanes) aligned(statement, node);
        loop({&statement, &node.body, &node, nullptr, {}});
      },
      [&](const ir::While& node) {
        loop({&statement, &node.body, nullptr, &node, {}});
      },
      [&](const ir::If& node) { branch(statement, node); },
      [&](const ir::Barrier&) {
        if (!recording_) return;
        trace.barriers.emplace_back(segment_, segments_);
        segment_ = segments_++;
      },
      [&](const ir::Invoke& node) { batch(statement, node); },
      [&](const auto&) { unreachable("a statement of the cpu in a cuda kernel"); });
}

// A product of unknowns of execution gets a name, so that it may stand in further products.
Symbolic Execution::named(Symbolic value, const std::string& name) {
  for (Alternative& each : value.integer) {
    const bool product =
        std::any_of(each.value.terms().begin(), each.value.terms().end(), [&](const auto& term) {
          return term.first.size() > 1 &&
                 std::none_of(term.first.begin(), term.first.end(), [&](AtomId factor) {
                   return facts_[factor].nature == Nature::kGiven;
                 });
        });
    if (!product) continue;
    const Term term = facts_.term(each.value);
    const AtomId id = total(name, {term});
    facts_.add(id, nullptr, equal(facts_.term(Polynomial::atom(id)), term));
    each.value = Polynomial::atom(id);
  }
  return value;
}

// Vectors begin at multiples of their length: coefficient by coefficient. Registers have no places.
void Execution::aligned(const ir::Statement& statement, const ir::For& node) {
  const Integer count = std::get<ir::IntegerLiteral>(kernel()[node.end].node).value;
  const bool recorded = std::exchange(recording_, false);
  bool fits = true;
  const auto look_at = [&](ir::MemoryId memory, ir::ValueId place) {
    const ir::ArrayId* array = std::get_if<ir::ArrayId>(&memory);
    if (array != nullptr && !kernel()[*array].shared) return;
    for (const Alternative& each :
         evaluate(std::get<ir::Binary>(kernel()[place].node).left).integer) {
      fits = fits && divide(each.value, count).remainder.terms().empty();
    }
  };
  const auto read = [&](ir::ValueId value) {
    if (const auto* exchanged = std::get_if<ir::Reduce>(&kernel()[value].node)) {
      value = exchanged->operand;
    }
    const ir::Load* load = std::get_if<ir::Load>(&kernel()[value].node);
    if (load != nullptr) look_at(load->memory, load->index);
  };
  for (const ir::Statement& each : node.body) {
    if (const auto* store = std::get_if<ir::Store>(&each.node)) {
      look_at(store->memory, store->index);
      read(store->value);
    }
    if (const auto* register_of = std::get_if<ir::Define>(&each.node)) read(register_of->value);
  }
  recording_ = recorded;
  if (!recording_ || fits) return;
  findings.push_back({"bounds", false, "it is not proved that this vector begins where one may",
                      lifted_.place(statement)});
}

// A stretch of code ends, though not for the block. Loops without barriers have one stretch only.
void Execution::batch(const ir::Statement& statement, const ir::Invoke& node) {
  if (!recording_) return;
  if (plain_loops_ > 0) {
    findings.push_back({"races", false, "batches of copies are not followed through this loop",
                        lifted_.place(statement)});
    return;
  }
  const int before = std::exchange(segment_, segments_++);
  trace.flows.push_back({before, segment_, -1});
  Batch batch;
  batch.closed = node.callee == "close_batch";
  if (!batch.closed) {
    const ir::ValueId left = std::get<ir::ValueId>(node.arguments.front());
    batch.left = static_cast<int>(std::get<ir::IntegerLiteral>(kernel()[left].node).value);
  }
  trace.batches.emplace(segment_, batch);
}

void Execution::store(const ir::Statement& statement, const ir::Store& node) {
  const Symbolic index = evaluate(node.index);
  const Symbolic value = evaluate(node.value);
  const TextPlace at = lifted_.place(statement);
  const std::size_t made = trace.accesses.size();
  access(node.memory, true, index, at, lifted_.started.count(node.value.index) != 0);
  if (value.integer.empty() || !recording_) return;
  const Polynomial stored = collapse(value, "stored");
  for (std::size_t each = made; each < trace.accesses.size(); ++each) {
    trace.accesses[each].number = stored;
  }
  const Term term = facts_.term(stored);
  const ir::ArrayId* array = std::get_if<ir::ArrayId>(&node.memory);
  if (array == nullptr) {
    require("arithmetic", conjunction({term >= Term(INT32_MIN), term <= Term(INT32_MAX)}),
            "what is stored fits 32 bits", at);
    return;
  }
  std::vector<Bound>& bounds = kept_[array->index];
  const auto broken = [&](const Bound& bound) {
    const std::optional<Term> kept = keeps(bound, stored);
    return !kept || !proves(path_, *kept, "what is stored keeps the array's bound");
  };
  kept_changed_ = std::erase_if(bounds, broken) > 0 || kept_changed_;
}

namespace {

void collect_assigned(const ir::Body& statements, std::set<std::int32_t>& assigned,
                      std::set<std::int32_t>& defined) {
  for (const ir::Statement& statement : statements) {
    match(
        statement.node, [&](const ir::Define& node) { defined.insert(node.variable.index); },
        [&](const ir::Assign& node) { assigned.insert(node.variable.index); },
        [&](const ir::For& node) {
          defined.insert(node.variable.index);
          collect_assigned(node.body, assigned, defined);
        },
        [&](const ir::While& node) { collect_assigned(node.body, assigned, defined); },
        [&](const ir::If& node) {
          collect_assigned(node.body, assigned, defined);
          collect_assigned(node.otherwise, assigned, defined);
        },
        [](const auto&) {});
  }
}

}  // namespace

void Execution::branch(const ir::Statement&, const ir::If& node) {
  const Term condition = truth(node.condition);
  const Path before = path_;
  const State entry = state_;
  const int before_segment = segment_;
  path_ = extend(before, condition);
  body(node.body);
  State yes = std::move(state_);
  const int yes_segment = std::exchange(segment_, before_segment);
  state_ = entry;
  path_ = extend(before, negation(condition));
  body(node.otherwise);
  State no = std::move(state_);
  if (yes_segment != before_segment || segment_ != before_segment) {
    // A barrier on the one way or the other: what follows may come after either.
    const int after = segments_++;
    trace.flows.push_back({yes_segment, after, -1});
    trace.flows.push_back({segment_, after, -1});
    segment_ = after;
  }
  path_ = before;
  state_ = entry;
  std::set<std::int32_t> assigned;
  std::set<std::int32_t> defined;
  collect_assigned(node.body, assigned, defined);
  collect_assigned(node.otherwise, assigned, defined);
  for (const std::int32_t index : assigned) {
    if (defined.count(index) != 0) continue;
    const std::size_t place = static_cast<std::size_t>(index);
    const Type type = kernel().variables[place].type;
    if (type == Type::kF32) continue;
    if (type == Type::kBool) {
      state_[place].truth = disjunction({conjunction({condition, yes[place].truth}),
                                         conjunction({negation(condition), no[place].truth})});
      continue;
    }
    Symbolic merged;
    bool linear = true;
    for (const auto& [side, when] :
         {std::pair{&yes, condition}, std::pair{&no, negation(condition)}}) {
      for (const Alternative& each : (*side)[place].integer) {
        linear = linear && each.value.linear();
        merged.integer.push_back({conjunction({when, each.when}), each.value});
      }
    }
    const bool same = yes[place].integer.size() == 1 && no[place].integer.size() == 1 &&
                      yes[place].integer[0].value == no[place].integer[0].value;
    if (same) {
      merged.integer = always(yes[place].integer[0].value);
    } else if (linear || merged.integer.size() > 4) {
      // Indices stay apart, since their products would not be seen through one new number.
      merged.integer = always(
          collapse(merged, kernel().variables[place].name, squares_.variables.count(index) != 0));
    }
    state_[place] = std::move(merged);
  }
}

Sharing Execution::sharing_of(ir::VariableId id) const {
  const bool same = uniformity_.variables[static_cast<std::size_t>(id.index)] == Spread::kSame;
  return same && plain_loops_ == 0 ? Sharing::kBlock : Sharing::kThread;
}

std::set<std::int32_t> assigned_outside(const ir::Body& statements) {
  std::set<std::int32_t> assigned;
  std::set<std::int32_t> defined;
  collect_assigned(statements, assigned, defined);
  for (const std::int32_t index : defined) assigned.erase(index);
  return assigned;
}

}  // namespace heddle::verify
