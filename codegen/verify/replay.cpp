// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/replay.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <set>

#include "codegen/verify/deciding_variables.hpp"
#include "codegen/verify/scalar_replay.hpp"

namespace heddle::verify {
namespace {

using ir::BinaryOperator;
using ir::Type;
using Mask = std::vector<std::uint8_t>;  // by thread
constexpr int kWarp = 32;

// Thrown where a replay ends; it never leaves this file.
struct Ended {
  Violation violation;
};
struct GaveUp {};

// The value of an expression in each thread: the one that its type says. Where a thread takes no
// part it is any number.
struct Lanes {
  std::vector<std::int64_t> whole;  // and truths
  std::vector<float> real;

  bool operator==(const Lanes&) const = default;
};

// Values of expressions while their statement needs them, and of those that never change. A block
// after the other takes the same ones: to make them would take longer than to compute them.
class Workspace {
 public:
  explicit Workspace(const ir::Kernel& kernel)
      : threads_(static_cast<std::size_t>(kernel.threads)), constants_(kernel.values.size()) {}

  // Given back when the mark that was taken before is.
  Lanes& next() {
    if (used_ == lanes_.size()) lanes_.push_back(fresh());
    return lanes_[used_++];
  }
  std::size_t mark() const { return used_; }
  void give_back(std::size_t mark) { used_ = mark; }

  // What make(lanes) makes of the value, once for all blocks.
  template <typename Make>
  const Lanes& constant(ir::ValueId id, Make&& make) {
    std::optional<Lanes>& kept = constants_[static_cast<std::size_t>(id.index)];
    if (!kept) make(kept.emplace(fresh()));
    return *kept;
  }

 private:
  Lanes fresh() const {
    return {std::vector<std::int64_t>(threads_, 0), std::vector<float>(threads_, 0.0f)};
  }

  std::size_t threads_;
  std::deque<Lanes> lanes_;  // which stay where they are
  std::size_t used_ = 0;
  std::vector<std::optional<Lanes>> constants_;  // by ValueId
};

class Block {
 public:
  Block(const Lifted& lifted, const ReplayLaunch& launch, Memories& buffers, int block,
        Workspace& workspace, std::int64_t& work)
      : lifted_(lifted),
        kernel_(lifted.kernel),
        launch_(launch),
        buffers_(buffers),
        block_(block),
        threads_(static_cast<std::size_t>(lifted.kernel.threads)),
        workspace_(workspace),
        work_(work) {}

  void run() {
    workspace_.give_back(0);
    for (const ir::Variable& variable : kernel_.variables) {
      Lanes lanes;
      if (variable.type == Type::kF32) lanes.real.assign(threads_, 0.0f);
      if (variable.type != Type::kF32) lanes.whole.assign(threads_, 0);
      const auto size = launch_.sizes.find(variable.name);
      if (variable.argument && variable.type == Type::kI64 && size != launch_.sizes.end()) {
        std::fill(lanes.whole.begin(), lanes.whole.end(), size->second);
      }
      if (variable.argument && variable.type == Type::kF32) {
        std::fill(lanes.real.begin(), lanes.real.end(), 0.5f);
      }
      variables_.push_back(std::move(lanes));
    }
    for (const ir::Array& array : kernel_.arrays) {
      arrays_.emplace_back();
      if (array.shared) arrays_.back().push_back(record_of(array));
      if (!array.shared) arrays_.back().assign(threads_, record_of(array));
    }
    views_.assign(kernel_.views.size(), std::vector<std::int64_t>(threads_, 0));
    body(kernel_.body, Mask(threads_, 1));
  }

 private:
  MemoryRecord record_of(const ir::Array& array) const {
    MemoryRecord::Options options;
    options.name = array.name;
    options.length = array.length;
    if (array.dynamic) {
      options.length =
          launch_.dynamic_bytes /
          static_cast<std::int64_t>(size_of(array.element.value_or(ElementType::kF32)));
    }
    return MemoryRecord(options);
  }
  // The dynamic array ends where this one begins.
  void cut(ir::ArrayId end, std::int64_t from, const ir::Statement& statement) {
    for (std::size_t index = 0; index < kernel_.arrays.size(); ++index) {
      const ir::Array& whole = kernel_.arrays[index];
      if (!whole.dynamic || whole.from) continue;
      const auto size =
          static_cast<std::int64_t>(size_of(whole.element.value_or(ElementType::kF32)));
      if (from < 0 || from * size > launch_.dynamic_bytes || from * size % 4 != 0) {
        violates("bounds", "the end of " + whole.name + " begins outside of it",
                 lifted_.place(statement));
      }
      const auto record = [](const ir::Array& array, std::int64_t length) {
        MemoryRecord::Options options;
        options.name = array.name;
        options.length = length;
        return MemoryRecord(options);
      };
      arrays_[index][0] = record(whole, from);
      arrays_[static_cast<std::size_t>(end.index)][0] =
          record(kernel_[end], (launch_.dynamic_bytes - from * size) / 4);
    }
  }
  Visit visit(std::size_t thread, TextPlace at) const {
    return {block_, static_cast<int>(thread), phase_, at};
  }
  [[noreturn]] void violates(const char* obligation, const std::string& sentence, TextPlace at) {
    throw Ended{{obligation, sentence, at}};
  }
  static void check(std::optional<Violation> violation) {
    if (violation) throw Ended{*std::move(violation)};
  }
  void spend() {
    work_ -= static_cast<std::int64_t>(threads_);
    if (work_ < 0) throw GaveUp{};
  }
  static bool any(const Mask& mask) { return std::find(mask.begin(), mask.end(), 1) != mask.end(); }
  template <typename Do>
  void each(const Mask& mask, Do&& act) const {
    for (std::size_t thread = 0; thread < threads_; ++thread) {
      if (mask[thread] != 0) act(thread);
    }
  }
  // Those of the mask for whom the truth is `wanted`.
  Mask where(const Mask& mask, const Lanes& truth, bool wanted) const {
    Mask result(threads_, 0);
    each(mask, [&](std::size_t t) { result[t] = (truth.whole[t] != 0) == wanted ? 1 : 0; });
    return result;
  }

  // ---- values ---------------------------------------------------------------------------------

  // Until the workspace is given back, or a variable that is read changes.
  const Lanes& evaluate(ir::ValueId id, const Mask& mask) {
    spend();
    const ir::Value& value = kernel_[id];
    return match(
        value.node,
        [&](const ir::IntegerLiteral& node) -> const Lanes& {
          return workspace_.constant(id, [&](Lanes& lanes) { uniform(lanes, value, node.value); });
        },
        [&](const ir::RealLiteral& node) -> const Lanes& {
          return workspace_.constant(id, [&](Lanes& lanes) { uniform(lanes, value, node.value); });
        },
        [&](const ir::LowestScore&) -> const Lanes& {
          return workspace_.constant(
              id, [&](Lanes& lanes) { uniform(lanes, value, kLowestReplayScore); });
        },
        [&](const ir::Read& node) -> const Lanes& { return of(node.variable); },
        [&](const ir::Where& node) -> const Lanes& { return whereabouts(id, node); },
        [&](const ir::Unary& node) -> const Lanes& { return unary(id, node, mask); },
        [&](const ir::Binary& node) -> const Lanes& { return binary(id, node, mask); },
        [&](const ir::Select& node) -> const Lanes& {
          const Lanes& truth = evaluate(node.condition, mask);
          const Mask yes = where(mask, truth, true);
          const Mask no = where(mask, truth, false);
          Lanes& result = workspace_.next();
          if (any(yes)) take(value.type, result, evaluate(node.yes, yes), yes);
          if (any(no)) take(value.type, result, evaluate(node.no, no), no);
          return result;
        },
        [&](const ir::Load& node) -> const Lanes& { return load(id, node, mask); },
        [&](const ir::Call& node) -> const Lanes& { return call(id, node, mask); },
        [&](const ir::Reduce& node) -> const Lanes& { return reduce(id, node, mask); },
        [&](const ir::Pick& node) -> const Lanes& { return pick(id, node, mask); });
  }
  template <typename Number>
  static void uniform(Lanes& lanes, const ir::Value& value, Number number) {
    if (value.type == Type::kF32) {
      std::fill(lanes.real.begin(), lanes.real.end(), static_cast<float>(number));
    } else {
      std::fill(lanes.whole.begin(), lanes.whole.end(), static_cast<std::int64_t>(number));
    }
  }

  const Lanes& whereabouts(ir::ValueId id, const ir::Where& node) {
    if (node.place == ir::Place::kBlock) {
      Lanes& result = workspace_.next();
      uniform(result, kernel_[id], block_);
      return result;
    }
    return workspace_.constant(id, [&](Lanes& lanes) {
      for (std::size_t t = 0; t < threads_; ++t) {
        const auto thread = static_cast<std::int64_t>(t);
        const std::int64_t number = node.place == ir::Place::kWarp   ? thread / kWarp
                                    : node.place == ir::Place::kLane ? thread % kWarp
                                                                     : thread;
        lanes.whole[t] = number;
        lanes.real[t] = static_cast<float>(number);
      }
    });
  }

  const Lanes& unary(ir::ValueId id, const ir::Unary& node, const Mask& mask) {
    const Lanes& operand = evaluate(node.operand, mask);
    Lanes& result = workspace_.next();
    if (kernel_[id].type == Type::kF32) {
      each(mask, [&](std::size_t t) { result.real[t] = -operand.real[t]; });
    } else if (node.op == ir::UnaryOperator::kNot) {
      each(mask, [&](std::size_t t) { result.whole[t] = operand.whole[t] == 0 ? 1 : 0; });
    } else {
      each(mask, [&](std::size_t t) {
        result.whole[t] = checked(BinaryOperator::kSubtract, 0, operand.whole[t], id, t);
      });
    }
    return result;
  }

  const Lanes& call(ir::ValueId id, const ir::Call& node, const Mask& mask) {
    std::vector<const Lanes*> arguments;
    for (const ir::ValueId argument : node.arguments) {
      arguments.push_back(&evaluate(argument, mask));
    }
    Lanes& result = workspace_.next();
    const bool real = kernel_[id].type == Type::kF32;
    each(mask, [&](std::size_t t) {
      if (real) {
        const float second = arguments.size() > 1 ? arguments[1]->real[t] : 0.0f;
        result.real[t] = replayed(node.helper, arguments[0]->real[t], second);
        return;
      }
      const std::int64_t second = arguments.size() > 1 ? arguments[1]->whole[t] : 0;
      const auto number = replayed(node.helper, arguments[0]->whole[t], second);
      if (number) {
        result.whole[t] = *number;
        return;
      }
      violates("arithmetic",
               told(visit(t, lifted_.place(id))) + " calls a helper with " +
                   std::to_string(arguments[0]->whole[t]) +
                   (arguments.size() > 1 ? " and " + std::to_string(second) : "") +
                   ", outside its domain",
               lifted_.place(id));
    });
    return result;
  }

  static void take(Type type, Lanes& to, const Lanes& from, const Mask& mask) {
    const auto copy = [&](auto& into, const auto& out_of) {
      for (std::size_t t = 0; t < mask.size(); ++t) {
        if (mask[t] != 0) into[t] = out_of[t];
      }
    };
    if (type == Type::kF32) copy(to.real, from.real);
    if (type != Type::kF32) copy(to.whole, from.whole);
  }

  std::int64_t checked(BinaryOperator op, std::int64_t x, std::int64_t y, ir::ValueId id,
                       std::size_t thread) {
    const std::optional<std::int64_t> result = replayed(op, x, y);
    if (result) return *result;
    has_no_value(x, y, id, thread);
  }
  [[noreturn]] void has_no_value(std::int64_t x, std::int64_t y, ir::ValueId id,
                                 std::size_t thread) {
    const TextPlace at = lifted_.place(id);
    violates("arithmetic",
             told(visit(thread, at)) + " computes with " + std::to_string(x) + " and " +
                 std::to_string(y) +
                 " what has no value in 64 bits or divides other than >= 0 "
                 "by > 0",
             at);
  }

  const Lanes& binary(ir::ValueId id, const ir::Binary& node, const Mask& mask) {
    const Lanes& left = evaluate(node.left, mask);
    if (node.op == BinaryOperator::kAnd || node.op == BinaryOperator::kOr) {
      const bool conjoined = node.op == BinaryOperator::kAnd;
      Lanes& result = workspace_.next();
      take(kernel_[id].type, result, left, mask);
      const Mask open = where(mask, left, conjoined);
      if (any(open)) take(kernel_[id].type, result, evaluate(node.right, open), open);
      return result;
    }
    const Lanes& right = evaluate(node.right, mask);
    Lanes& result = workspace_.next();
    const bool reals = kernel_[node.left].type == Type::kF32;
    if (is_comparison(node.op)) {
      with_comparison(node.op, [&](auto op) {
        each(mask, [&](std::size_t t) {
          result.whole[t] = reals ? compared(op(), left.real[t], right.real[t])
                                  : compared(op(), left.whole[t], right.whole[t]);
        });
      });
      return result;
    }
    with_arithmetic(node.op, [&](auto op) {
      each(mask, [&](std::size_t t) {
        if (reals) {
          result.real[t] = replayed(op(), left.real[t], right.real[t]);
        } else {
          result.whole[t] = checked(op(), left.whole[t], right.whole[t], id, t);
        }
      });
    });
    return result;
  }

  const Lanes& reduce(ir::ValueId id, const ir::Reduce& node, const Mask& mask) {
    const TextPlace at = lifted_.place(id);
    const Lanes& operand = evaluate(node.operand, mask);
    Lanes& result = workspace_.next();
    const bool real = kernel_[id].type == Type::kF32;
    // Groups that come together are all there before any of them reduces.
    if (node.together) each_group(mask, kWarp, at, [](std::size_t, std::size_t) {});
    each_group(mask, node.lanes, at, [&](std::size_t first, std::size_t end) {
      // What every lane of the group gets.
      if (real) {
        float sum = 0.0f;
        for (std::size_t t = first; t < end; ++t) sum += operand.real[t];
        for (std::size_t t = first; t < end; ++t) result.real[t] = sum;
      } else {
        std::int64_t largest = operand.whole[first];
        for (std::size_t t = first; t < end; ++t) largest = std::max(largest, operand.whole[t]);
        for (std::size_t t = first; t < end; ++t) result.whole[t] = largest;
      }
    });
    return result;
  }
  const Lanes& pick(ir::ValueId id, const ir::Pick& node, const Mask& mask) {
    const TextPlace at = lifted_.place(id);
    const Lanes& operand = evaluate(node.operand, mask);
    const Lanes& from = evaluate(node.from, mask);
    Lanes& result = workspace_.next();
    each_group(mask, node.lanes, at, [&](std::size_t first, std::size_t end) {
      for (std::size_t t = first; t < end; ++t) {
        if (from.whole[t] < 0 || from.whole[t] >= node.lanes) {
          violates("arithmetic",
                   told(visit(t, at)) + " reads lane " + std::to_string(from.whole[t]) +
                       " of a group of " + std::to_string(node.lanes),
                   at);
        }
        result.real[t] = operand.real[first + static_cast<std::size_t>(from.whole[t])];
      }
    });
    return result;
  }
  // Of so many lanes that meet: those groups that come here, all of whose lanes must.
  template <typename Do>
  void each_group(const Mask& mask, int lanes, TextPlace at, Do&& act) {
    const auto count = static_cast<std::size_t>(lanes);
    for (std::size_t first = 0; first < threads_; first += count) {
      const auto begin = mask.begin() + static_cast<std::ptrdiff_t>(first);
      const auto missing = std::find(begin, begin + lanes, 0);
      if (std::find(begin, begin + lanes, 1) == begin + lanes) continue;
      if (missing != begin + lanes) {
        const auto thread = static_cast<std::size_t>(missing - mask.begin());
        violates("barriers",
                 (lanes == kWarp ? "the warp of " : "the group of ") + told(visit(thread, at)) +
                     " meets and this thread does not take part",
                 at);
      }
      act(first, first + count);
    }
  }

  // ---- memory ---------------------------------------------------------------------------------

  // Where each thread finds what it loads or stores: one memory of all, or one of each.
  struct Found {
    MemoryRecord* whole = nullptr;
    std::vector<MemoryRecord>* by_thread = nullptr;
    MemoryRecord* no = nullptr;  // of a view, where its condition does not hold
    const std::vector<std::int64_t>* truth = nullptr;

    MemoryRecord& of(std::size_t thread) const {
      if (by_thread != nullptr) return (*by_thread)[thread];
      return truth != nullptr && (*truth)[thread] == 0 ? *no : *whole;
    }
  };
  Found record(ir::MemoryId memory) {
    const auto buffer = [&](ir::BufferId id) { return &buffers_.at(kernel_[id].name); };
    return match(
        memory,
        [&](ir::BufferId id) {
          return Found{buffer(id), nullptr, nullptr, nullptr};
        },
        [&](ir::ArrayId id) {
          std::vector<MemoryRecord>& all = arrays_[static_cast<std::size_t>(id.index)];
          return all.size() == 1 ? Found{&all[0], nullptr, nullptr, nullptr}
                                 : Found{nullptr, &all, nullptr, nullptr};
        },
        [&](ir::ViewId id) {
          return Found{buffer(kernel_[id].yes), nullptr, buffer(kernel_[id].no),
                       &views_[static_cast<std::size_t>(id.index)]};
        });
  }

  const Lanes& load(ir::ValueId id, const ir::Load& node, const Mask& mask) {
    const Lanes& index = evaluate(node.index, mask);
    Lanes& result = workspace_.next();
    const Found found = record(node.memory);
    const TextPlace place = lifted_.place(id);
    const bool real = kernel_[id].type == Type::kF32;
    each(mask, [&](std::size_t t) {
      MemoryRecord& memory = found.of(t);
      check(memory.read(index.whole[t], visit(t, place)));
      const auto at = static_cast<std::size_t>(index.whole[t]);
      if (real) result.real[t] = memory.real[at];
      if (!real) result.whole[t] = memory.whole[at];
    });
    return result;
  }

  void store(const ir::Statement& statement, const ir::Store& node, const Mask& mask) {
    const Lanes& index = evaluate(node.index, mask);
    const Lanes& value = evaluate(node.value, mask);
    ++stores_;
    const bool narrow = !std::holds_alternative<ir::ArrayId>(node.memory);
    const Found found = record(node.memory);
    const TextPlace place = lifted_.place(statement);
    const bool real = kernel_[node.value].type == Type::kF32;
    each(mask, [&](std::size_t t) {
      MemoryRecord& memory = found.of(t);
      const Visit here = visit(t, place);
      check(memory.write(index.whole[t], here));
      const auto at = static_cast<std::size_t>(index.whole[t]);
      if (real) memory.real[at] = value.real[t];
      if (real) return;
      if (narrow && (value.whole[t] < INT32_MIN || value.whole[t] > INT32_MAX)) {
        violates("arithmetic", told(here) + " stores more than 32 bits hold", here.at);
      }
      memory.whole[at] = value.whole[t];
    });
  }

  // ---- statements -----------------------------------------------------------------------------

  void body(const ir::Body& statements, const Mask& mask) {
    for (const ir::Statement& each : statements) statement(each, mask);
  }
  Lanes& of(ir::VariableId id) { return variables_[static_cast<std::size_t>(id.index)]; }

  void statement(const ir::Statement& statement, const Mask& mask) {
    spend();
    const std::size_t mark = workspace_.mark();
    carry_out(statement, mask);
    workspace_.give_back(mark);
  }
  void set(ir::VariableId variable, ir::ValueId value, const Mask& mask) {
    take(kernel_[variable].type, of(variable), evaluate(value, mask), mask);
  }
  void carry_out(const ir::Statement& statement, const Mask& mask) {
    match(
        statement.node, [](const ir::Comment&) {},
        [&](const ir::Declare& node) {
          const ir::Array& array = kernel_[node.array];
          if (array.from) {
            const Lanes& from = evaluate(*array.from, mask);
            return cut(node.array, mask[0] != 0 ? from.whole[0] : 0, statement);
          }
          if (array.shared) return;
          each(mask, [&](std::size_t t) {
            arrays_[static_cast<std::size_t>(node.array.index)][t].forget();
          });
        },
        [&](const ir::Define& node) { set(node.variable, node.value, mask); },
        [&](const ir::Assign& node) { set(node.variable, node.value, mask); },
        [&](const ir::Choose& node) {
          const Lanes& truth = evaluate(kernel_[node.view].condition, mask);
          each(mask, [&](std::size_t t) {
            views_[static_cast<std::size_t>(node.view.index)][t] = truth.whole[t];
          });
        },
        [&](const ir::Store& node) { store(statement, node, mask); },
        [&](const ir::For& node) { for_loop(statement, node, mask); },
        [&](const ir::While& node) { while_loop(statement, node, mask); },
        [&](const ir::If& node) {
          const Lanes& truth = evaluate(node.condition, mask);
          const Mask yes = where(mask, truth, true);
          const Mask no = where(mask, truth, false);
          if (any(yes)) body(node.body, yes);
          if (any(no)) body(node.otherwise, no);
        },
        [&](const ir::Barrier&) {
          const TextPlace at = lifted_.place(statement);
          const auto missing = std::find(mask.begin(), mask.end(), 0);
          if (missing != mask.end()) {
            const auto arrived = std::find(mask.begin(), mask.end(), 1);
            violates("barriers",
                     told(visit(static_cast<std::size_t>(arrived - mask.begin()), at)) +
                         " waits at a barrier that thread " +
                         std::to_string(missing - mask.begin()) + " does not come to",
                     at);
          }
          ++phase_;
        },
        // A copy that is started is carried out at once, as it may be.
        [](const ir::Invoke&) {},
        [&](const auto&) { unreachable("a statement of the cpu in a cuda kernel"); });
  }

  // What comes back to where it was comes back forever: the variables that decide, or all of them
  // and all memory.
  void while_loop(const ir::Statement& statement, const ir::While& node, const Mask& mask) {
    constexpr std::int64_t kPatience = 64;
    std::optional<std::set<std::int32_t>> deciding;
    std::vector<Lanes> seen;
    Mask inside_seen;
    std::int64_t stores_seen = 0;
    const auto now = [&] {
      if (!deciding) return variables_;
      std::vector<Lanes> some;
      for (const std::int32_t index : *deciding) {
        some.push_back(variables_[static_cast<std::size_t>(index)]);
      }
      return some;
    };
    Mask inside = mask;
    for (std::int64_t count = 1; any(inside); ++count) {
      const std::size_t mark = workspace_.mark();
      inside = where(inside, evaluate(node.condition, inside), true);
      workspace_.give_back(mark);
      if (!any(inside)) return;
      body(node.body, inside);
      if (count < kPatience) continue;
      if (count == kPatience) deciding = deciding_variables(kernel_, node);
      if (!seen.empty() && inside == inside_seen && (deciding || stores_ == stores_seen) &&
          now() == seen) {
        const auto thread = std::find(inside.begin(), inside.end(), 1) - inside.begin();
        const TextPlace at = lifted_.place(statement);
        violates("loops",
                 told(visit(static_cast<std::size_t>(thread), at)) +
                     " is in a loop that comes back to where it was and never ends",
                 at);
      }
      if ((count & (count - 1)) != 0) continue;
      seen = now();
      stores_seen = stores_;
      inside_seen = inside;
    }
  }

  void for_loop(const ir::Statement& statement, const ir::For& node, const Mask& mask) {
    // The body may change what they are made of.
    std::vector<std::int64_t> counter = evaluate(node.begin, mask).whole;
    const std::vector<std::int64_t> end = evaluate(node.end, mask).whole;
    const std::vector<std::int64_t> step = evaluate(node.step, mask).whole;
    each(mask, [&](std::size_t t) {
      if (step[t] > 0) return;
      violates("arithmetic", told(visit(t, lifted_.place(statement))) + " takes no step forward",
               lifted_.place(statement));
    });
    Mask inside = mask;
    while (true) {
      spend();
      for (std::size_t t = 0; t < threads_; ++t) {
        if (inside[t] != 0 && counter[t] >= end[t]) inside[t] = 0;
      }
      if (!any(inside)) return;
      each(inside, [&](std::size_t t) { of(node.variable).whole[t] = counter[t]; });
      body(node.body, inside);
      each(inside, [&](std::size_t t) { counter[t] += step[t]; });
    }
  }

  const Lifted& lifted_;
  const ir::Kernel& kernel_;
  const ReplayLaunch& launch_;
  Memories& buffers_;
  int block_;
  std::size_t threads_;
  Workspace& workspace_;
  std::int64_t& work_;
  int phase_ = 0;
  std::int64_t stores_ = 0;
  std::vector<Lanes> variables_;
  std::vector<std::vector<MemoryRecord>> arrays_;  // one, or one a thread
  std::vector<std::vector<std::int64_t>> views_;
};

}  // namespace

ReplayResult replay(const Lifted& lifted, const ReplayLaunch& launch, Memories& buffers,
                    std::int64_t work) {
  ReplayResult result;
  std::int64_t left = work;
  Workspace workspace(lifted.kernel);
  try {
    for (std::int64_t block = 0; block < launch.blocks; ++block) {
      Block(lifted, launch, buffers, static_cast<int>(block), workspace, left).run();
    }
  } catch (const Ended& ended) {
    result.violation = ended.violation;
  } catch (const GaveUp&) {
    result.gave_up = true;
  }
  result.work = work - std::max<std::int64_t>(left, 0);
  return result;
}

}  // namespace heddle::verify
