// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/replay.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
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

// The value of an expression in each thread: one of the two.
struct Lanes {
  std::vector<std::int64_t> whole;  // and truths
  std::vector<float> real;

  bool operator==(const Lanes&) const = default;
};

class Block {
 public:
  Block(const Lifted& lifted, const ReplayLaunch& launch, Memories& buffers, int block,
        std::int64_t& work)
      : lifted_(lifted),
        kernel_(lifted.kernel),
        launch_(launch),
        buffers_(buffers),
        block_(block),
        threads_(static_cast<std::size_t>(lifted.kernel.threads)),
        work_(work) {}

  void run() {
    for (const ir::Variable& variable : kernel_.variables) {
      Lanes lanes = room(variable.type);
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
  Lanes room(Type type) const {
    Lanes lanes;
    if (type == Type::kF32) lanes.real.assign(threads_, 0.0f);
    if (type != Type::kF32) lanes.whole.assign(threads_, 0);
    return lanes;
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

  Lanes evaluate(ir::ValueId id, const Mask& mask) {
    spend();
    const ir::Value& value = kernel_[id];
    Lanes result = room(value.type);
    const auto fill = [&](auto&& number) {
      each(mask, [&](std::size_t t) {
        if (value.type == Type::kF32) result.real[t] = static_cast<float>(number(t));
        if (value.type != Type::kF32) result.whole[t] = static_cast<std::int64_t>(number(t));
      });
    };
    match(
        value.node,
        [&](const ir::IntegerLiteral& node) { fill([&](std::size_t) { return node.value; }); },
        [&](const ir::RealLiteral& node) { fill([&](std::size_t) { return node.value; }); },
        [&](const ir::LowestScore&) { fill([](std::size_t) { return kLowestReplayScore; }); },
        [&](const ir::Read& node) {
          result = variables_[static_cast<std::size_t>(node.variable.index)];
        },
        [&](const ir::Where& node) {
          fill([&](std::size_t t) {
            const auto thread = static_cast<std::int64_t>(t);
            switch (node.place) {
              case ir::Place::kBlock:
                return static_cast<std::int64_t>(block_);
              case ir::Place::kWarp:
                return thread / kWarp;
              case ir::Place::kLane:
                return thread % kWarp;
              default:
                return thread;
            }
          });
        },
        [&](const ir::Unary& node) {
          const Lanes operand = evaluate(node.operand, mask);
          if (value.type == Type::kF32) {
            fill([&](std::size_t t) { return -operand.real[t]; });
          } else if (node.op == ir::UnaryOperator::kNot) {
            fill([&](std::size_t t) { return operand.whole[t] == 0; });
          } else {
            fill([&](std::size_t t) {
              return checked(BinaryOperator::kSubtract, 0, operand.whole[t], id, t);
            });
          }
        },
        [&](const ir::Binary& node) { result = binary(id, node, mask); },
        [&](const ir::Select& node) {
          const Lanes truth = evaluate(node.condition, mask);
          const Mask yes = where(mask, truth, true);
          const Mask no = where(mask, truth, false);
          if (any(yes)) take(result, evaluate(node.yes, yes), yes);
          if (any(no)) take(result, evaluate(node.no, no), no);
        },
        [&](const ir::Load& node) { result = load(id, node, mask); },
        [&](const ir::Call& node) {
          std::vector<Lanes> arguments;
          for (const ir::ValueId argument : node.arguments) {
            arguments.push_back(evaluate(argument, mask));
          }
          each(mask, [&](std::size_t t) {
            if (value.type == Type::kF32) {
              const float second = arguments.size() > 1 ? arguments[1].real[t] : 0.0f;
              result.real[t] = replayed(node.helper, arguments[0].real[t], second);
              return;
            }
            const std::int64_t second = arguments.size() > 1 ? arguments[1].whole[t] : 0;
            const auto number = replayed(node.helper, arguments[0].whole[t], second);
            if (number) {
              result.whole[t] = *number;
              return;
            }
            violates("arithmetic",
                     told(visit(t, lifted_.place(id))) + " calls a helper with " +
                         std::to_string(arguments[0].whole[t]) +
                         (arguments.size() > 1 ? " and " + std::to_string(second) : "") +
                         ", outside its domain",
                     lifted_.place(id));
          });
        },
        [&](const ir::Reduce& node) { result = reduce(id, node, mask); },
        [&](const ir::Pick& node) { result = pick(id, node, mask); });
    return result;
  }

  static void take(Lanes& to, const Lanes& from, const Mask& mask) {
    for (std::size_t t = 0; t < mask.size(); ++t) {
      if (mask[t] == 0) continue;
      if (!to.real.empty()) to.real[t] = from.real[t];
      if (!to.whole.empty()) to.whole[t] = from.whole[t];
    }
  }

  std::int64_t checked(BinaryOperator op, std::int64_t x, std::int64_t y, ir::ValueId id,
                       std::size_t thread) {
    const std::optional<std::int64_t> result = replayed(op, x, y);
    if (result) return *result;
    const TextPlace at = lifted_.place(id);
    violates("arithmetic",
             told(visit(thread, at)) + " computes with " + std::to_string(x) + " and " +
                 std::to_string(y) +
                 " what has no value in 64 bits or divides other than >= 0 "
                 "by > 0",
             at);
  }

  Lanes binary(ir::ValueId id, const ir::Binary& node, const Mask& mask) {
    Lanes result = room(kernel_[id].type);
    const Lanes left = evaluate(node.left, mask);
    if (node.op == BinaryOperator::kAnd || node.op == BinaryOperator::kOr) {
      const bool conjoined = node.op == BinaryOperator::kAnd;
      take(result, left, mask);
      const Mask open = where(mask, left, conjoined);
      if (any(open)) take(result, evaluate(node.right, open), open);
      return result;
    }
    const Lanes right = evaluate(node.right, mask);
    const bool reals = kernel_[node.left].type == Type::kF32;
    each(mask, [&](std::size_t t) {
      if (reals && is_comparison(node.op)) {
        result.whole[t] = compared(node.op, left.real[t], right.real[t]);
      } else if (reals) {
        result.real[t] = replayed(node.op, left.real[t], right.real[t]);
      } else if (is_comparison(node.op)) {
        result.whole[t] = compared(node.op, left.whole[t], right.whole[t]);
      } else {
        result.whole[t] = checked(node.op, left.whole[t], right.whole[t], id, t);
      }
    });
    return result;
  }

  Lanes reduce(ir::ValueId id, const ir::Reduce& node, const Mask& mask) {
    const TextPlace at = lifted_.place(id);
    const Lanes operand = evaluate(node.operand, mask);
    Lanes result = room(kernel_[id].type);
    // Groups that come together are all there before any of them reduces.
    if (node.together) each_group(mask, kWarp, at, [](std::size_t, std::size_t) {});
    each_group(mask, node.lanes, at, [&](std::size_t first, std::size_t end) {
      for (std::size_t t = first; t < end; ++t) {
        for (std::size_t other = first; other < end; ++other) {
          if (!result.real.empty()) {
            result.real[t] += operand.real[other];
          } else {
            result.whole[t] = other == first ? operand.whole[other]
                                             : std::max(result.whole[t], operand.whole[other]);
          }
        }
      }
    });
    return result;
  }
  Lanes pick(ir::ValueId id, const ir::Pick& node, const Mask& mask) {
    const TextPlace at = lifted_.place(id);
    const Lanes operand = evaluate(node.operand, mask);
    const Lanes from = evaluate(node.from, mask);
    Lanes result = room(kernel_[id].type);
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

  MemoryRecord& record(ir::MemoryId memory, std::size_t thread) {
    return match(
        memory, [&](ir::BufferId id) -> MemoryRecord& { return buffers_.at(kernel_[id].name); },
        [&](ir::ArrayId id) -> MemoryRecord& {
          std::vector<MemoryRecord>& all = arrays_[static_cast<std::size_t>(id.index)];
          return all.size() == 1 ? all[0] : all[thread];
        },
        [&](ir::ViewId id) -> MemoryRecord& {
          const bool yes = views_[static_cast<std::size_t>(id.index)][thread] != 0;
          return buffers_.at(kernel_[yes ? kernel_[id].yes : kernel_[id].no].name);
        });
  }

  Lanes load(ir::ValueId id, const ir::Load& node, const Mask& mask) {
    const Lanes index = evaluate(node.index, mask);
    Lanes result = room(kernel_[id].type);
    each(mask, [&](std::size_t t) {
      MemoryRecord& memory = record(node.memory, t);
      check(memory.read(index.whole[t], visit(t, lifted_.place(id))));
      const auto at = static_cast<std::size_t>(index.whole[t]);
      if (!result.real.empty()) result.real[t] = memory.real[at];
      if (!result.whole.empty()) result.whole[t] = memory.whole[at];
    });
    return result;
  }

  void store(const ir::Statement& statement, const ir::Store& node, const Mask& mask) {
    const Lanes index = evaluate(node.index, mask);
    const Lanes value = evaluate(node.value, mask);
    ++stores_;
    const bool narrow = !std::holds_alternative<ir::ArrayId>(node.memory);
    each(mask, [&](std::size_t t) {
      MemoryRecord& memory = record(node.memory, t);
      const Visit here = visit(t, lifted_.place(statement));
      check(memory.write(index.whole[t], here));
      const auto at = static_cast<std::size_t>(index.whole[t]);
      if (!value.real.empty()) memory.real[at] = value.real[t];
      if (value.whole.empty()) return;
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
    match(
        statement.node, [](const ir::Comment&) {},
        [&](const ir::Declare& node) {
          const ir::Array& array = kernel_[node.array];
          if (array.from) return cut(node.array, evaluate(*array.from, mask).whole[0], statement);
          if (array.shared) return;
          each(mask, [&](std::size_t t) {
            arrays_[static_cast<std::size_t>(node.array.index)][t] = record_of(array);
          });
        },
        [&](const ir::Define& node) { take(of(node.variable), evaluate(node.value, mask), mask); },
        [&](const ir::Assign& node) { take(of(node.variable), evaluate(node.value, mask), mask); },
        [&](const ir::Choose& node) {
          const Lanes truth = evaluate(kernel_[node.view].condition, mask);
          each(mask, [&](std::size_t t) {
            views_[static_cast<std::size_t>(node.view.index)][t] = truth.whole[t];
          });
        },
        [&](const ir::Store& node) { store(statement, node, mask); },
        [&](const ir::For& node) { for_loop(statement, node, mask); },
        [&](const ir::While& node) { while_loop(statement, node, mask); },
        [&](const ir::If& node) {
          const Lanes truth = evaluate(node.condition, mask);
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
      inside = where(inside, evaluate(node.condition, inside), true);
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
    Lanes counter = evaluate(node.begin, mask);
    const Lanes end = evaluate(node.end, mask);
    const Lanes step = evaluate(node.step, mask);
    each(mask, [&](std::size_t t) {
      if (step.whole[t] > 0) return;
      violates("arithmetic", told(visit(t, lifted_.place(statement))) + " takes no step forward",
               lifted_.place(statement));
    });
    Mask inside = mask;
    while (true) {
      spend();
      for (std::size_t t = 0; t < threads_; ++t) {
        if (inside[t] != 0 && counter.whole[t] >= end.whole[t]) inside[t] = 0;
      }
      if (!any(inside)) return;
      take(of(node.variable), counter, inside);
      body(node.body, inside);
      each(inside, [&](std::size_t t) { counter.whole[t] += step.whole[t]; });
    }
  }

  const Lifted& lifted_;
  const ir::Kernel& kernel_;
  const ReplayLaunch& launch_;
  Memories& buffers_;
  int block_;
  std::size_t threads_;
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
  try {
    for (std::int64_t block = 0; block < launch.blocks; ++block) {
      Block(lifted, launch, buffers, static_cast<int>(block), left).run();
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
