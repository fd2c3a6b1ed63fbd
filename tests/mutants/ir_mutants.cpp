// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>
#include <map>
#include <optional>

#include "codegen/ir/print.hpp"
#include "codegen/passes/drop_unused_values.hpp"
#include "codegen/rows/row_plan.hpp"
#include "codegen/schedule/kernel_spec.hpp"
#include "patterns/materialize.hpp"
#include "patterns/result.hpp"
#include "tests/mutants/generator_mutator.hpp"
#include "tests/mutants/mutant_text.hpp"

namespace heddle::mutants {
namespace {

using ir::BinaryOperator;
using ir::Helper;
using ir::Kernel;
using ir::Type;
using ir::ValueId;

template <typename... Cases>
struct Match : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Match(Cases...) -> Match<Cases...>;

Danger danger_of(Type type) { return type == Type::kF32 ? Danger::kValue : Danger::kMemory; }

class IrMutator {
 public:
  IrMutator(Kernel kernel, const std::string& original)
      : kernel_(std::move(kernel)), original_(original) {
    const std::string body = ir::print(kernel_);  // without the comment above it
    const bool same = original.size() > body.size() &&
                      original.compare(original.size() - body.size(), body.size(), body) == 0;
    assert_that(same, "the kernel prints as the generator printed it");
    head_ = original.substr(0, original.size() - body.size());
  }

  std::vector<Mutant> all() {
    for (std::size_t v = 0; v < kernel_.values.size(); ++v) value(v);
    std::size_t bodies = 0;
    each_body(kernel_.body, [&](ir::Body&) { ++bodies; });
    for (std::size_t b = 0; b < bodies; ++b) {
      std::size_t count = 0;
      with_body(kernel_, b, [&](ir::Body& body) { count = body.size(); });
      for (std::size_t s = 0; s < count; ++s) statement(b, s);
    }
    return std::move(mutants_);
  }

 private:
  void add(const char* rule, Danger danger, const Kernel& mutated) {
    add_mutant(mutants_, rule, danger, original_, head_ + ir::print(mutated));
  }

  // ---- values ---------------------------------------------------------------------------------

  void become(const char* rule, std::size_t v, decltype(ir::Value::node) node) {
    Kernel mutated = kernel_;
    const Danger danger = danger_of(kernel_.values[v].type);
    mutated.values[v].node = std::move(node);
    add(rule, danger, mutated);
  }
  // The value stays as it was under another id, and `with` makes a new one of it.
  static ValueId push(Kernel& kernel, decltype(ir::Value::node) node, Type type) {
    kernel.values.push_back({std::move(node), type});
    return {static_cast<std::int32_t>(kernel.values.size()) - 1};
  }
  static ValueId shifted(Kernel& kernel, ValueId value, std::int64_t by) {
    const ValueId one = push(kernel, ir::IntegerLiteral{1}, Type::kI64);
    return push(kernel,
                ir::Binary{by > 0 ? BinaryOperator::kAdd : BinaryOperator::kSubtract, value, one},
                Type::kI64);
  }

  void value(std::size_t v) {
    const ir::Value& value = kernel_.values[v];
    std::visit(
        Match{[&](const ir::IntegerLiteral& node) {
                become("ir_wrong_integer", v, ir::IntegerLiteral{node.value + 1});
                if (node.value > 0)
                  become("ir_wrong_integer", v, ir::IntegerLiteral{node.value - 1});
              },
              [&](const ir::RealLiteral& node) {
                become("ir_wrong_real", v,
                       ir::RealLiteral{node.value == 0.0 ? 1.0 : 2 * node.value});
              },
              [&](const ir::LowestScore&) { become("ir_wrong_real", v, ir::RealLiteral{0.0}); },
              [&](const ir::Where& node) { where(v, node); },
              [&](const ir::Unary& node) {
                if (node.op == ir::UnaryOperator::kNegate) return;
                become("ir_not_dropped", v, kernel_[node.operand].node);
              },
              [&](const ir::Binary& node) { binary(v, node); },
              [&](const ir::Select& node) {
                become("ir_swapped_choice", v, ir::Select{node.condition, node.no, node.yes});
              },
              [&](const ir::Load& node) { load(v, node); },
              [&](const ir::Call& node) { call(v, node); },
              [&](const ir::Reduce& node) {
                become("ir_reduction_dropped", v, kernel_[node.operand].node);
              },
              [](const auto&) {}},
        value.node);
  }

  void where(std::size_t v, const ir::Where& node) {
    if (node.place == ir::Place::kLane) become("ir_wrong_place", v, ir::Where{ir::Place::kThread});
    if (node.place == ir::Place::kWarp) become("ir_wrong_place", v, ir::Where{ir::Place::kLane});
    if (node.place == ir::Place::kThread) become("ir_wrong_place", v, ir::Where{ir::Place::kLane});
  }

  void binary(std::size_t v, const ir::Binary& node) {
    using B = BinaryOperator;
    static const std::map<B, std::vector<B>> kOthers = {
        {B::kAdd, {B::kSubtract}},
        {B::kSubtract, {B::kAdd}},
        {B::kMultiply, {B::kAdd}},
        {B::kDivide, {B::kMultiply}},
        {B::kModulo, {B::kDivide}},
        {B::kLess, {B::kLessEqual, B::kGreaterEqual}},
        {B::kLessEqual, {B::kLess}},
        {B::kGreater, {B::kGreaterEqual, B::kLess}},
        {B::kGreaterEqual, {B::kGreater}},
        {B::kEqual, {B::kNotEqual}},
        {B::kNotEqual, {B::kEqual}},
        {B::kAnd, {B::kOr}},
        {B::kOr, {B::kAnd}}};
    for (const B op : kOthers.at(node.op)) {
      become("ir_wrong_operator", v, ir::Binary{op, node.left, node.right});
    }
    const bool arithmetic = kernel_.values[v].type != Type::kBool;
    if (arithmetic) {
      become("ir_lost_operand", v, kernel_[node.left].node);
      become("ir_lost_operand", v, kernel_[node.right].node);
    }
    if (node.op == B::kSubtract || node.op == B::kDivide) {
      become("ir_swapped_operands", v, ir::Binary{node.op, node.right, node.left});
    }
  }

  void load(std::size_t v, const ir::Load& node) {
    for (const std::int64_t by : {1, -1}) {
      Kernel mutated = kernel_;
      const ValueId index = shifted(mutated, node.index, by);
      mutated.values[v].node = ir::Load{node.memory, index};
      add("ir_load_off_by_one", danger_of(kernel_.values[v].type), mutated);
    }
    if (const auto other = another(node.memory, true)) {
      become("ir_load_elsewhere", v, ir::Load{*other, node.index});
    }
  }

  void call(std::size_t v, const ir::Call& node) {
    static const std::map<Helper, Helper> kOthers = {
        {Helper::kMinimum, Helper::kMaximum},         {Helper::kMaximum, Helper::kMinimum},
        {Helper::kFloorDivide, Helper::kCeilDivide},  {Helper::kCeilDivide, Helper::kFloorDivide},
        {Helper::kFloorModulo, Helper::kFloorDivide}, {Helper::kSquareRoot, Helper::kLogarithm}};
    if (node.helper == Helper::kMaximum && kernel_.values[v].type == Type::kF32) {
      become("ir_wrong_helper", v, kernel_[node.arguments[1]].node);
      return;
    }
    if (node.helper == Helper::kExponential || node.helper == Helper::kAbsolute) {
      become("ir_wrong_helper", v, kernel_[node.arguments[0]].node);
      return;
    }
    const auto found = kOthers.find(node.helper);
    if (found != kOthers.end()) {
      become("ir_wrong_helper", v, ir::Call{found->second, node.arguments});
    }
  }

  // The next buffer of the same element that may be read or written too.
  std::optional<ir::MemoryId> another(const ir::MemoryId& memory, bool to_read) const {
    const auto* buffer = std::get_if<ir::BufferId>(&memory);
    if (buffer == nullptr) return std::nullopt;
    const auto count = static_cast<std::int32_t>(kernel_.buffers.size());
    for (std::int32_t step = 1; step < count; ++step) {
      const ir::BufferId other{(buffer->index + step) % count};
      const Access access = kernel_[other].access;
      if (kernel_[other].element != kernel_[*buffer].element) continue;
      if (access == (to_read ? Access::kWrite : Access::kRead)) continue;
      return other;
    }
    return std::nullopt;
  }

  // ---- statements -----------------------------------------------------------------------------

  static void each_body(ir::Body& body, const std::function<void(ir::Body&)>& visit) {
    visit(body);
    for (ir::Statement& statement : body) {
      if (auto* loop = std::get_if<ir::For>(&statement.node)) each_body(loop->body, visit);
      if (auto* loop = std::get_if<ir::While>(&statement.node)) each_body(loop->body, visit);
      if (auto* choice = std::get_if<ir::If>(&statement.node)) {
        each_body(choice->body, visit);
        each_body(choice->otherwise, visit);
      }
    }
  }
  static void with_body(Kernel& kernel, std::size_t number,
                        const std::function<void(ir::Body&)>& work) {
    std::size_t seen = 0;
    ir::Body* found = nullptr;
    each_body(kernel.body, [&](ir::Body& body) {
      if (seen++ == number) found = &body;
    });
    work(*found);
  }
  void edit(const char* rule, Danger danger, std::size_t number,
            const std::function<void(Kernel&, ir::Body&)>& change) {
    Kernel mutated = kernel_;
    with_body(mutated, number, [&](ir::Body& body) { change(mutated, body); });
    add(rule, danger, mutated);
  }

  static bool acts(const ir::Statement& statement) {
    return std::holds_alternative<ir::Assign>(statement.node) ||
           std::holds_alternative<ir::Store>(statement.node) ||
           std::holds_alternative<ir::Barrier>(statement.node) ||
           std::holds_alternative<ir::For>(statement.node) ||
           std::holds_alternative<ir::If>(statement.node) ||
           std::holds_alternative<ir::While>(statement.node);
  }
  static bool gives_nothing(const ir::Statement& statement) {
    const auto* invoke = std::get_if<ir::Invoke>(&statement.node);
    const auto* perform = std::get_if<ir::Perform>(&statement.node);
    // An object of the prelude is declared by its first call.
    return (invoke != nullptr && !invoke->result &&
            invoke->callee.find(' ') == std::string::npos) ||
           (perform != nullptr && perform->result.index < 0);
  }

  void statement(std::size_t number, std::size_t s) {
    ir::Statement here;
    std::optional<ir::Statement> next;
    with_body(kernel_, number, [&](ir::Body& body) {
      here = body[s];
      if (s + 1 < body.size()) next = body[s + 1];
    });
    const auto at = [s](ir::Body& body) { return body.begin() + static_cast<std::ptrdiff_t>(s); };
    Danger danger = Danger::kMemory;
    if (const auto* store = std::get_if<ir::Store>(&here.node)) {
      danger = danger_of(kernel_[store->value].type);
    } else if (const auto* assign = std::get_if<ir::Assign>(&here.node)) {
      danger = danger_of(kernel_[assign->variable].type);
    } else if (gives_nothing(here)) {
      danger = Danger::kValue;
    }
    if (acts(here) || gives_nothing(here)) {
      const bool barrier = std::holds_alternative<ir::Barrier>(here.node);
      edit(barrier ? "ir_barrier_dropped" : "ir_statement_dropped", danger, number,
           [&](Kernel&, ir::Body& body) { body.erase(at(body)); });
      if (next && (acts(*next) || gives_nothing(*next))) {
        edit("ir_statements_swapped", danger, number,
             [&](Kernel&, ir::Body& body) { std::iter_swap(at(body), at(body) + 1); });
      }
    }
    if (const auto* loop = std::get_if<ir::For>(&here.node)) edit_loop(number, s, *loop);
    if (const auto* choice = std::get_if<ir::If>(&here.node)) {
      edit("ir_guard_always", Danger::kMemory, number, [&](Kernel&, ir::Body& body) {
        const ir::Body inside = std::get<ir::If>(body[s].node).body;
        body.erase(at(body));
        body.insert(at(body), inside.begin(), inside.end());
      });
      if (!choice->otherwise.empty()) {
        edit("ir_branches_swapped", Danger::kMemory, number, [&](Kernel&, ir::Body& body) {
          auto& branch = std::get<ir::If>(body[s].node);
          std::swap(branch.body, branch.otherwise);
        });
      }
    }
    if (const auto* store = std::get_if<ir::Store>(&here.node)) {
      edit("ir_store_off_by_one", Danger::kMemory, number, [&](Kernel& kernel, ir::Body& body) {
        std::get<ir::Store>(body[s].node).index = shifted(kernel, store->index, 1);
      });
      if (const auto other = another(store->memory, false)) {
        edit("ir_store_elsewhere", Danger::kMemory, number,
             [&](Kernel&, ir::Body& body) { std::get<ir::Store>(body[s].node).memory = *other; });
      }
    }
  }

  void edit_loop(std::size_t number, std::size_t s, const ir::For& loop) {
    const auto change = [&](const char* rule, ValueId ir::For::*part, ValueId value,
                            std::int64_t by) {
      edit(rule, Danger::kMemory, number, [&](Kernel& kernel, ir::Body& body) {
        std::get<ir::For>(body[s].node).*part = shifted(kernel, value, by);
      });
    };
    change("ir_loop_starts_late", &ir::For::begin, loop.begin, 1);
    change("ir_loop_ends_early", &ir::For::end, loop.end, -1);
    change("ir_loop_ends_late", &ir::For::end, loop.end, 1);
    change("ir_loop_strides", &ir::For::step, loop.step, 1);
  }

  Kernel kernel_;
  const std::string& original_;
  std::string head_;  // what stands before the kernel
  std::vector<Mutant> mutants_;
};

// As the generator builds it.
Kernel kernel_of(const Pattern& pattern, const GenerateOptions& options, const Manifest& manifest,
                 const std::string& op) {
  const Result<rows::RowPlan> a = rows::plan_row(pattern, Side::kA);
  const Result<rows::RowPlan> b = rows::plan_row(pattern, Side::kB);
  assert_that(a && b, "a pattern that has kernels");
  schedule::KernelSpec spec{pattern, *a, *b};
  spec.weights = options.weights.value_or(pattern.weights().kind);
  spec.target = options.target;
  spec.dtype = options.dtype;
  spec.head_dim = options.head_dim;
  spec.state_dim = manifest.state_dim;
  spec.key_gates = manifest.key_gates;
  spec.varlen = options.varlen;
  spec.page_rows = options.page_rows;
  spec.state_gradients = options.state_gradients;
  spec.several_tokens = options.several_tokens;
  spec.keep_a = manifest.cache_a.retention;
  spec.keep_b = manifest.cache_b.retention;
  // Linear weights of first order keep one state, others a cache of them.
  spec.first_order = spec.weights == WeightKind::kLinear && spec.keep_b == CacheRetention::kNone;
  spec.symbol = pattern.name() + "_" + op;
  const MaterializeResult rows = materialize(pattern, 1025);
  assert_that(std::holds_alternative<Rows>(rows), "a pattern that has rows");
  spec.long_rows = std::get<Rows>(rows).b.size(1024) >= 24;
  Kernel kernel = op == "backward"     ? schedule::backward(spec)
                  : spec.matrix_rows() ? schedule::matrix_rows(spec, op == "decode")
                  : spec.weights == WeightKind::kLinear ? schedule::linear(spec, op == "decode")
                  : op == "decode"                      ? schedule::decode(spec)
                                                        : schedule::prefill(spec);
  passes::drop_unused_values(kernel);
  return kernel;
}

}  // namespace

std::vector<Mutant> ir_mutants(const Pattern& pattern, const GenerateOptions& options,
                               const Manifest& manifest, const std::string& op,
                               const std::string& original) {
  return IrMutator(kernel_of(pattern, options, manifest, op), original).all();
}

}  // namespace heddle::mutants
