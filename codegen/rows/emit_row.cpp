// SPDX-License-Identifier: Apache-2.0
#include "codegen/rows/emit_row.hpp"

#include <optional>

#include "codegen/rows/emit_expression.hpp"
#include "codegen/rows/syntax.hpp"

namespace heddle::rows {
namespace {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::Var;

// A place in a descending stream. The state is in variables; these write the code that asks for it
// and moves it. `head` and `wanted` may be asked for while `alive` holds only.
struct Cursor {
  std::function<Ex()> alive;
  std::function<Ex()> head;
  std::function<std::optional<Ex>()> wanted;  // the filters; nothing when every head counts
  std::function<void()> advance;
  bool strict = true;      // no head comes twice
  bool clip_low = false;   // heads may fall below 1 ..
  bool clip_high = false;  // .. or start above the row's last position
};

class RowEmitter {
 public:
  RowEmitter(Builder& builder, const Pattern& pattern, const RowPlan& plan, Ex row)
      : builder_(builder), pattern_(pattern), plan_(plan), row_(row), emitter_(builder, pattern) {}

  void walk(const std::function<void(Ex)>& body) {
    if (plan_.empty()) return;
    if (plan_.formula->leaf >= 0) return walk_leaf(leaf(plan_.formula->leaf), body);
    walk_merged(body);
  }

  void lattice_terms(bool beyond, const std::function<void(Ex, Ex)>& body) {
    const auto& lattice = std::get<LatticeLeaf>(leaf(plan_.formula->leaf));
    const LatticeCursor state = lattice_state(lattice);
    builder_.repeat_while(state.cursor.alive(), [&] {
      body(state.f, state.a);
      state.cursor.advance();
    });
    if (beyond) body(state.f, state.a);
  }

  Ex lattice_reach(Ex position, Ex most) {
    const auto& lattice = std::get<LatticeLeaf>(leaf(plan_.formula->leaf));
    const LatticeCursor state = lattice_state(lattice);
    const Var reach = builder_.variable("reach", builder_.i64(0));
    const Var divides = builder_.variable("divides", builder_.i64(1));
    const Var more = builder_.variable("more", builder_.truth(true));
    const auto take = [&] {
      builder_.when(not_equal(state.a, divides), [&] {
        builder_.assign(divides, state.a);
        builder_.assign(more, equal(position % state.a, builder_.i64(0)));
      });
      builder_.when(more, [&] { builder_.assign(reach, state.f); });
    };
    builder_.repeat_while(both(more, state.f < most), [&] {
      take();
      state.cursor.advance();
    });
    builder_.when(more, take);
    return reach;
  }

  // `last`: it is the last one that the row may have.
  Ex contains(Ex position, bool last) {
    return plan_.empty() ? builder_.truth(false) : contains(*plan_.formula, position, last);
  }

 private:
  const Leaf& leaf(int index) const { return plan_.leaves[static_cast<std::size_t>(index)]; }
  Ex top() { return plan_.side == Side::kA ? row_ : row_ - 1; }
  Scope rows() { return {{{"i", row_}}, "", {}}; }

  static Ex conjunction(const std::optional<Ex>& left, Ex right) {
    return left ? both(*left, right) : right;
  }
  std::optional<Ex> all(const std::vector<ConditionPtr>& conditions, const Scope& scope) {
    std::optional<Ex> result;
    for (const ConditionPtr& condition : conditions) {
      result = conjunction(result, emitter_.emit(*condition, scope));
    }
    return result;
  }
  void guarded(const std::optional<Ex>& condition, const std::function<void()>& body) {
    if (condition) return builder_.when(*condition, body);
    body();
  }

  // ---- one leaf -------------------------------------------------------------------------------

  void walk_leaf(const Leaf& leaf, const std::function<void(Ex)>& body) {
    const SpanLeaf* span = std::get_if<SpanLeaf>(&leaf);
    if (span != nullptr && span->low == span->high) return walk_point(*span, body);
    if (span != nullptr) {
      return guarded(all(span->conditions, rows()), [&] {
        const Ex low = builder_.let("low", low_end(*span));
        const Var p = builder_.variable("p", high_end(*span));
        builder_.repeat_while(Ex(p) >= low, [&] {
          body(p);
          builder_.assign(p, Ex(p) - 1);
        });
      });
    }
    const Cursor cursor = cursor_of(leaf);
    // Where heads may repeat, or start too high, only those below the last one taken count.
    std::optional<Var> above;
    if (!cursor.strict || cursor.clip_high) above = builder_.variable("above", top() + 1);
    builder_.repeat_while(cursor.alive(), [&] {
      const Ex p = builder_.let("p", cursor.head());
      std::optional<Ex> condition = cursor.wanted();
      if (above) condition = condition ? both(p < *above, *condition) : p < *above;
      if (cursor.clip_low) condition = condition ? both(p >= 1, *condition) : p >= 1;
      guarded(condition, [&] {
        if (above) builder_.assign(*above, p);
        body(p);
      });
      cursor.advance();
    });
  }

  void walk_point(const SpanLeaf& span, const std::function<void(Ex)>& body) {
    std::optional<Ex> condition = all(span.conditions, rows());
    if (print_of_row(*span.low)) {
      if (span.clip_high && plan_.side == Side::kB) return;  // {i} never lies in 1..i-1
      return guarded(condition, [&] { body(row_); });
    }
    // The conditions may be what keeps the element within the domain of its operations.
    guarded(condition, [&] {
      const Ex p = builder_.let("p", emitter_.emit(*span.low, rows()));
      guarded(inside(p, span.clip_low, span.clip_high), [&] { body(p); });
    });
  }
  static bool print_of_row(const Expression& expression) {
    const Name* name = std::get_if<Name>(&expression.node);
    return name != nullptr && name->name == "i";
  }
  std::optional<Ex> inside(Ex p, bool clip_low, bool clip_high) {
    std::optional<Ex> result;
    if (clip_low) result = p >= 1;
    if (clip_high) result = conjunction(result, p <= top());
    return result;
  }

  Ex low_end(const SpanLeaf& span) {
    const Ex low = emitter_.emit(*span.low, rows());
    return span.clip_low ? builder_.call(Helper::kMaximum, {builder_.i64(1), low}) : low;
  }
  Ex high_end(const SpanLeaf& span) {
    const Ex high = emitter_.emit(*span.high, rows());
    return span.clip_high ? builder_.call(Helper::kMinimum, {top(), high}) : high;
  }

  // ---- cursors --------------------------------------------------------------------------------

  Cursor cursor_of(const Leaf& leaf) {
    return match(
        leaf, [&](const SpanLeaf& span) { return span_cursor(span); },
        [&](const StreamLeaf& stream) { return stream_cursor(stream); },
        [&](const LatticeLeaf& lattice) { return lattice_cursor(lattice); });
  }

  Cursor span_cursor(const SpanLeaf& span) {
    const std::optional<Ex> condition = all(span.conditions, rows());
    const Ex low = builder_.let("low", low_end(span));
    const Ex high = high_end(span);
    const Var at =
        builder_.variable("at", condition ? builder_.select(*condition, high, low - 1) : high);
    Cursor cursor;
    cursor.alive = [=] { return Ex(at) >= low; };
    cursor.head = [=] { return Ex(at); };
    cursor.wanted = [] { return std::nullopt; };
    cursor.advance = [=, this] { builder_.assign(at, Ex(at) - 1); };
    return cursor;
  }

  // c when f(k) = c^k, whose next value is c times as large.
  std::optional<std::int64_t> ratio_of(const FunctionDefinition& function) const {
    const Arithmetic* power = function.recursive() ? nullptr : as<Arithmetic>(function.step);
    if (power == nullptr || power->op != ArithmeticOperator::kPower) return std::nullopt;
    const Name* exponent = as<Name>(power->right);
    const Literal* base = as<Literal>(power->left);
    if (exponent == nullptr || base == nullptr || exponent->name != function.variable) {
      return std::nullopt;
    }
    return base->value.to_int64();
  }

  // Declares the variable, if anything reads it, and the values carried for it.
  struct Run {
    Scope scope;
    std::optional<Var> k;
  };
  Run start(const std::string& variable, Ex first, const std::vector<CarriedFunction>& carried,
            std::int64_t first_value, const std::vector<const Expression*>& expressions,
            const std::vector<ConditionPtr>& conditions) {
    Run run;
    run.scope = rows();
    run.scope.variable = variable;
    for (const CarriedFunction& entry : carried) {
      run.scope.carried.push_back(
          {entry.function, std::vector<Var>(static_cast<std::size_t>(entry.values))});
    }
    bool reads = false;
    for (const Expression* part : expressions) reads = reads || reads_variable(*part, run.scope);
    for (const ConditionPtr& part : conditions) reads = reads || reads_variable(*part, run.scope);
    for (const CarriedFunction& entry : carried) {
      const FunctionDefinition& function = *pattern_.function(entry.function);
      // Closed forms are computed from k unless they grow by a ratio; so are calls of closed forms
      // inside the steps of recursions.
      bool step_reads = !function.recursive() && !ratio_of(function);
      if (function.recursive()) {
        Scope inner;
        inner.variable = function.variable;
        for (const Scope::Carried& known : run.scope.carried) {
          if (pattern_.function(known.function)->recursive()) inner.carried.push_back(known);
        }
        step_reads = reads_variable(*function.step, inner);
      }
      reads = reads || step_reads;
    }
    if (reads) {
      // `k` is the name of the keys.
      run.k = builder_.variable(variable == "k" ? "term" : variable, first);
      run.scope.names[variable] = Ex(*run.k);
    } else {
      run.scope.names[variable] = first;  // for the values at the start only
    }
    const Evaluator evaluator(pattern_);
    for (Scope::Carried& entry : run.scope.carried) {
      const FunctionDefinition& function = *pattern_.function(entry.function);
      for (std::size_t shift = 0; shift < entry.values.size(); ++shift) {
        const std::string name =
            shift == 0 ? entry.function : entry.function + "_" + std::to_string(shift);
        const std::int64_t place = first_value + static_cast<std::int64_t>(shift);
        const Ex value =
            first_value >= 0
                ? builder_.i64(evaluator.call(entry.function, place)->to_int64().value())
                : emitter_.emit(*function.step, {{{function.variable, first}}, "", {}});
        entry.values[shift] = builder_.variable(name, value);
      }
    }
    return run;
  }

  // f(k + values): the value that enters. Must stand before k moves for recursive functions and
  // after it for closed forms.
  Ex entering(const FunctionDefinition& function, const Scope::Carried& entry, const Run& run) {
    if (const std::optional<std::int64_t> ratio = ratio_of(function)) {
      return Ex(entry.values[0]) * *ratio;
    }
    if (!function.recursive()) {
      return emitter_.emit(*function.step,
                           {{{function.variable, run.scope.names.at(run.scope.variable)}}, "", {}});
    }
    // The step at k + ahead, ahead = values - order: a shift s of it is the carried shift ahead +
    // s.
    const std::size_t ahead = entry.values.size() - function.base.size();
    Scope scope;
    scope.variable = function.variable;
    for (const Scope::Carried& known : run.scope.carried) {
      if (!pattern_.function(known.function)->recursive()) continue;
      if (known.values.size() <= ahead) continue;
      scope.carried.push_back(
          {known.function,
           {known.values.begin() + static_cast<std::ptrdiff_t>(ahead), known.values.end()}});
    }
    if (run.k) {
      const Ex k = *run.k;
      scope.names[function.variable] = ahead == 0 ? k : k + static_cast<std::int64_t>(ahead);
    }
    return emitter_.emit(*function.step, scope);
  }

  // Moves k and all carried values one step on. `extra` runs when `next(f)` is known for every
  // carried f but nothing carried has moved yet.
  void advance(const Run& run, const std::function<void(const std::vector<Ex>&)>& extra) {
    std::vector<Ex> last(run.scope.carried.size());
    const auto enter = [&](bool recursive) {
      for (std::size_t index = 0; index < last.size(); ++index) {
        const Scope::Carried& entry = run.scope.carried[index];
        const FunctionDefinition& function = *pattern_.function(entry.function);
        if (function.recursive() != recursive) continue;
        last[index] = builder_.let("next_" + entry.function, entering(function, entry, run));
      }
    };
    enter(true);
    if (run.k) builder_.assign(*run.k, Ex(*run.k) + 1);
    enter(false);
    std::vector<Ex> next;
    for (std::size_t index = 0; index < last.size(); ++index) {
      const Scope::Carried& entry = run.scope.carried[index];
      next.push_back(entry.values.size() > 1 ? Ex(entry.values[1]) : last[index]);
    }
    if (extra) extra(next);
    for (std::size_t index = 0; index < last.size(); ++index) {
      const std::vector<Var>& values = run.scope.carried[index].values;
      for (std::size_t shift = 0; shift + 1 < values.size(); ++shift) {
        builder_.assign(values[shift], values[shift + 1]);
      }
      builder_.assign(values.back(), last[index]);
    }
  }

  Cursor stream_cursor(const StreamLeaf& stream) {
    std::vector<ConditionPtr> conditions = stream.filters;
    if (stream.end != nullptr) conditions.push_back(stream.end);
    std::vector<const Expression*> expressions = {stream.element.get()};
    const Literal* constant = as<Literal>(stream.start);
    const std::int64_t first_value =
        constant != nullptr ? constant->value.to_int64().value() : constant_start(stream);
    Ex last;
    if (stream.last != nullptr) last = builder_.let("last", emitter_.emit(*stream.last, rows()));
    // A bounded variable is compared with its end, so it is always there.
    const ExpressionPtr itself = name(stream.variable);
    if (stream.last != nullptr) expressions.push_back(itself.get());
    const Run run = start(stream.variable, emitter_.emit(*stream.start, rows()), stream.carried,
                          first_value, expressions, conditions);
    Cursor cursor;
    cursor.alive = [=, this, &stream] {
      if (stream.last == nullptr) return emitter_.emit(*stream.end, run.scope);
      const Ex k = *run.k;
      return stream.ascending ? k <= last : k >= last;
    };
    cursor.head = [=, this, &stream] { return emitter_.emit(*stream.element, run.scope); };
    cursor.wanted = [=, this, &stream] { return all(stream.filters, run.scope); };
    cursor.advance = [=, this, &stream] {
      if (stream.ascending) return advance(run, {});
      builder_.assign(*run.k, Ex(*run.k) - 1);
    };
    cursor.strict = stream.strict;
    cursor.clip_low = cursor.clip_high = stream.clip;
    return cursor;
  }

  // The value of a start that depends on parameters only; -1 when it depends on the row.
  std::int64_t constant_start(const StreamLeaf& stream) const {
    if (mentions(*stream.start, "i")) return -1;
    const Result<Integer> value = Evaluator(pattern_).evaluate(*stream.start, {});
    return value && value->sign() >= 0 ? value->to_int64().value_or(-1) : -1;
  }

  struct LatticeCursor {
    Cursor cursor;
    Var f, a;  // f(k) and a_k
  };
  Cursor lattice_cursor(const LatticeLeaf& lattice) { return lattice_state(lattice).cursor; }
  LatticeCursor lattice_state(const LatticeLeaf& lattice) {
    const Run run = start("k", builder_.i64(0), lattice.carried, 0, {}, {});
    const Var f = run.scope.find(lattice.function)->values[0];
    const Var a = builder_.variable("a", builder_.i64(1));
    Cursor cursor;
    cursor.alive = [=, this] { return Ex(f) < row_; };
    cursor.head = [=, this] { return Ex(a) * builder_.call(Helper::kCeilDivide, {row_ - f, a}); };
    cursor.wanted = [] { return std::nullopt; };
    cursor.advance = [=, this, &lattice] {
      advance(run, [&](const std::vector<Ex>& next) {
        std::size_t index = 0;
        while (run.scope.carried[index].function != lattice.function) ++index;
        builder_.assign(a, Ex(a) * builder_.call(Helper::kCeilDivide, {next[index] - f, a}));
      });
    };
    cursor.strict = false;
    return {cursor, f, a};
  }

  // ---- several leaves -------------------------------------------------------------------------

  void collect(const RowFormula& formula, std::vector<int>& indices) const {
    if (formula.leaf >= 0) return indices.push_back(formula.leaf);
    collect(*formula.left, indices);
    collect(*formula.right, indices);
  }

  // Whether the row holds p, given for each leaf whether it does.
  Ex holds(const RowFormula& formula, const std::function<Ex(int)>& leaf_holds) {
    if (formula.leaf >= 0) return leaf_holds(formula.leaf);
    const Ex left = holds(*formula.left, leaf_holds);
    const Ex right = holds(*formula.right, leaf_holds);
    switch (formula.op) {
      case SetOperator::kUnion:
        return either(left, right);
      case SetOperator::kIntersection:
        return both(left, right);
      case SetOperator::kDifference:
        return both(left, negated(right));
    }
    unreachable("set operator");
  }

  static bool only_unions(const RowFormula& formula) {
    if (formula.leaf >= 0) return true;
    return formula.op == SetOperator::kUnion && only_unions(*formula.left) &&
           only_unions(*formula.right);
  }

  // Moves on to the next head that counts and lies below `bound`.
  void settle(const Cursor& cursor, Ex bound) {
    const std::optional<Ex> wanted = cursor.wanted();
    const Ex skip =
        wanted ? either(cursor.head() >= bound, negated(*wanted)) : cursor.head() >= bound;
    builder_.repeat_while(both(cursor.alive(), skip), cursor.advance);
  }

  void walk_merged(const std::function<void(Ex)>& body) {
    std::vector<int> indices;
    collect(*plan_.formula, indices);
    std::vector<Cursor> cursors;
    std::vector<Var> heads;  // 0 when the leaf is exhausted; positions start at 1
    for (const int index : indices) {
      const Cursor cursor = cursor_of(leaf(index));
      if (cursor.clip_high || cursor.wanted()) settle(cursor, top() + 1);
      heads.push_back(builder_.variable("next", head_or_zero(cursor)));
      cursors.push_back(cursor);
    }
    const auto highest = [&] {
      Ex result = heads[0];
      for (std::size_t t = 1; t < heads.size(); ++t) {
        result = builder_.call(Helper::kMaximum, {result, heads[t]});
      }
      return result;
    };
    const Var p = builder_.variable("p", highest());
    builder_.repeat_while(Ex(p) > 0, [&] {
      std::size_t next = 0;
      const auto at_head = [&](int) { return equal(heads[next++], p); };
      if (only_unions(*plan_.formula)) {
        body(p);
      } else {
        builder_.when(holds(*plan_.formula, at_head), [&] { body(p); });
      }
      for (std::size_t t = 0; t < cursors.size(); ++t) {
        builder_.when(equal(heads[t], p), [&] {
          cursors[t].advance();
          if (!cursors[t].strict || cursors[t].wanted()) settle(cursors[t], p);
          builder_.assign(heads[t], head_or_zero(cursors[t]));
        });
      }
      builder_.assign(p, highest());
    });
  }
  Ex head_or_zero(const Cursor& cursor) {
    return builder_.select(cursor.alive(), cursor.head(), builder_.i64(0));
  }

  // ---- membership -----------------------------------------------------------------------------

  Ex contains(const RowFormula& formula, Ex position, bool last) {
    // Leaves that need statements write them in the order of the formula, before the answer.
    std::vector<int> indices;
    collect(formula, indices);
    std::vector<Ex> answers;
    for (const int index : indices) answers.push_back(leaf_contains(leaf(index), position, last));
    std::size_t next = 0;
    return holds(formula, [&](int) { return answers[next++]; });
  }

  Ex leaf_contains(const Leaf& leaf, Ex position, bool last) {
    if (const SpanLeaf* span = std::get_if<SpanLeaf>(&leaf)) {
      std::optional<Ex> result = all(span->conditions, rows());
      const Ex low = emitter_.emit(*span->low, rows());
      if (span->low == span->high) return conjunction(result, equal(position, low));
      return conjunction(conjunction(result, low <= position),
                         position <= emitter_.emit(*span->high, rows()));
    }
    // f(0) = 1 and a_0 = 1: a lattice reads the last position.
    if (last && std::holds_alternative<LatticeLeaf>(leaf)) return builder_.truth(true);
    const Cursor cursor = cursor_of(leaf);
    settle(cursor, position + 1);
    return builder_.let("found", both(cursor.alive(), equal(cursor.head(), position)));
  }

  Builder& builder_;
  const Pattern& pattern_;
  const RowPlan& plan_;
  Ex row_;
  ExpressionEmitter emitter_;
};

}  // namespace

void emit_walk(Builder& builder, const Pattern& pattern, const RowPlan& plan, Ex row,
               const std::function<void(Ex)>& body) {
  RowEmitter(builder, pattern, plan, row).walk(body);
}

void emit_lattice_terms(Builder& builder, const Pattern& pattern, const RowPlan& plan, Ex row,
                        const std::function<void(Ex, Ex)>& body) {
  RowEmitter(builder, pattern, plan, row).lattice_terms(/*beyond=*/false, body);
}

void emit_lattice_terms_beyond(Builder& builder, const Pattern& pattern, const RowPlan& plan,
                               Ex row, const std::function<void(Ex, Ex)>& body) {
  RowEmitter(builder, pattern, plan, row).lattice_terms(/*beyond=*/true, body);
}

Ex emit_lattice_reach(Builder& builder, const Pattern& pattern, const RowPlan& plan, Ex position,
                      Ex most) {
  return RowEmitter(builder, pattern, plan, position).lattice_reach(position, most);
}

Ex emit_contains(Builder& builder, const Pattern& pattern, const RowPlan& plan, Ex row,
                 Ex position) {
  return RowEmitter(builder, pattern, plan, row).contains(position, /*last=*/false);
}

Ex emit_contains_newest(Builder& builder, const Pattern& pattern, const RowPlan& plan, Ex row,
                        Ex newest) {
  return RowEmitter(builder, pattern, plan, row).contains(newest, plan.side == Side::kB);
}

}  // namespace heddle::rows
