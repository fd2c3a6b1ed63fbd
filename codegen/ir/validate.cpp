// SPDX-License-Identifier: Apache-2.0
#include "codegen/ir/validate.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "patterns/result.hpp"

namespace heddle::ir {
namespace {

// How far a value may differ between threads; each level includes the ones before it, since aligned
// groups of lanes lie within each other.
enum class Spread { kSame, kByWarp, kBy16Lanes, kBy8Lanes, kBy4Lanes, kBy2Lanes, kByLane };
Spread wider(Spread a, Spread b) { return std::max(a, b); }
// The same within aligned groups of so many lanes.
Spread by_groups_of(std::int64_t lanes) {
  return lanes == 32   ? Spread::kByWarp
         : lanes == 16 ? Spread::kBy16Lanes
         : lanes == 8  ? Spread::kBy8Lanes
         : lanes == 4  ? Spread::kBy4Lanes
         : lanes == 2  ? Spread::kBy2Lanes
                       : Spread::kByLane;
}

class Validator {
 public:
  explicit Validator(const Kernel& kernel)
      : kernel_(kernel),
        spread_(kernel.variables.size(), Spread::kSame),
        view_spread_(kernel.views.size(), Spread::kSame) {}

  std::vector<std::string> run() {
    // Assignments under divergent control widen a variable, which may widen that control: repeat
    // until nothing widens. Each round widens at least one of finitely many variables.
    do {
      widened_ = false;
      problems_.clear();
      defined_.clear();
      declared_.clear();
      chosen_.clear();
      numbers_.clear();
      dynamic_.reset();
      for (std::size_t i = 0; i < kernel_.variables.size(); ++i) {
        if (kernel_.variables[i].argument) defined_.insert(static_cast<std::int32_t>(i));
      }
      check(kernel_.body, Spread::kSame);
    } while (widened_);
    return problems_;
  }

 private:
  void problem(const std::string& sentence) {
    if (std::find(problems_.begin(), problems_.end(), sentence) == problems_.end()) {
      problems_.push_back(sentence);
    }
  }
  void require(bool condition, const std::string& sentence) {
    if (!condition) problem(sentence);
  }
  bool known(ValueId id) const {
    return id.index >= 0 && static_cast<std::size_t>(id.index) < kernel_.values.size();
  }

  struct MemoryFacts {
    std::string name;
    Type type = Type::kF32;
    std::optional<Access> access;  // of a buffer
    Spread spread = Spread::kSame;
  };
  MemoryFacts facts(MemoryId memory) {
    return match(
        memory,
        [&](BufferId id) {
          const Buffer& buffer = kernel_[id];
          return MemoryFacts{buffer.name,
                             buffer.element == ElementType::kI32 ? Type::kI64 : Type::kF32,
                             buffer.access, Spread::kSame};
        },
        [&](ArrayId id) {
          const Array& array = kernel_[id];
          require(declared_.count(id.index) != 0, array.name + " is used before it is declared");
          // A private array holds what its own thread computed.
          return MemoryFacts{array.name, array.type, std::nullopt,
                             array.shared ? Spread::kSame : Spread::kByLane};
        },
        [&](ViewId id) {
          const View& view = kernel_[id];
          require(chosen_.count(id.index) != 0, view.name + " is used before it is chosen");
          MemoryFacts result = facts(view.yes);
          result.name = view.name;
          result.access = Access::kRead;
          result.spread = view_spread_[static_cast<std::size_t>(id.index)];
          return result;
        });
  }

  // The spread of a value, whose type must be `wanted`.
  Spread check(ValueId id, Type wanted, Spread control) {
    if (!known(id)) {
      problem("a value is missing");
      return Spread::kSame;
    }
    require(kernel_[id].type == wanted, "a value does not have the type its place needs");
    return check(id, control);
  }

  Spread check(ValueId id, Spread control) {
    const Value& value = kernel_[id];
    return match(
        value.node, [](const IntegerLiteral&) { return Spread::kSame; },
        [](const RealLiteral&) { return Spread::kSame; },
        [](const LowestScore&) { return Spread::kSame; },
        [&](const Read& node) {
          const Variable& variable = kernel_[node.variable];
          require(defined_.count(node.variable.index) != 0,
                  variable.name + " is used before it is defined");
          require(variable.type == value.type, variable.name + " is read as another type");
          return spread_[static_cast<std::size_t>(node.variable.index)];
        },
        [&](const Where& node) {
          const bool range = node.place == Place::kFirstBlock || node.place == Place::kLastBlock;
          require(range == (kernel_.target == Target::kCpu),
                  range ? "a launch owns a range of blocks on cpu only"
                        : "thread positions exist on cuda only");
          if (range || node.place == Place::kBlock) return Spread::kSame;
          return node.place == Place::kWarp ? Spread::kByWarp : Spread::kByLane;
        },
        [&](const Unary& node) { return check(node.operand, value.type, control); },
        [&](const Binary& node) {
          if (!known(node.left)) return check(node.left, value.type, control);
          const Type operands = kernel_[node.left].type;
          const bool compares = is_comparison(node.op);
          const bool logical = node.op == BinaryOperator::kAnd || node.op == BinaryOperator::kOr;
          require(value.type == (compares ? Type::kBool : operands) &&
                      logical == (operands == Type::kBool) &&
                      (node.op != BinaryOperator::kModulo || operands == Type::kI64),
                  "an operator does not fit its operands");
          const Spread spread =
              wider(check(node.left, operands, control), check(node.right, operands, control));
          return std::min(spread, group_of(node));
        },
        [&](const Select& node) {
          return wider(
              check(node.condition, Type::kBool, control),
              wider(check(node.yes, value.type, control), check(node.no, value.type, control)));
        },
        [&](const Load& node) {
          const MemoryFacts memory = facts(node.memory);
          require(memory.type == value.type, memory.name + " is loaded as another type");
          return wider(memory.spread, check(node.index, Type::kI64, control));
        },
        [&](const Call& node) {
          Spread spread = Spread::kSame;
          for (const ValueId argument : node.arguments) {
            spread = wider(spread, check(argument, value.type, control));
          }
          return spread;
        },
        [&](const Reduce& node) {
          require(kernel_.target == Target::kCuda, "warps exist on cuda only");
          const Spread group = by_groups_of(node.lanes);
          require(group != Spread::kByLane, "no lanes of a warp come in such groups");
          require(control <= by_groups_of(node.meeting()),
                  node.meeting() == 32 ? "a warp reduction stands where lanes of a warp may diverge"
                                       : "a reduction stands where lanes of a group may diverge");
          return std::min(check(node.operand, value.type, control), group);
        },
        [&](const Pick& node) {
          require(kernel_.target == Target::kCuda && is_group(node.lanes),
                  "no lanes of a warp come in such groups");
          require(control <= by_groups_of(node.lanes),
                  "a lane is read where lanes of its group may diverge");
          check(node.operand, Type::kF32, control);
          // Lanes of a group that read from one lane get the same.
          return std::max(check(node.from, Type::kI64, control), by_groups_of(node.lanes));
        });
  }

  // Of the number of a lane's group, lane / 8: which lanes share it.
  Spread group_of(const Binary& node) const {
    const auto* by = std::get_if<IntegerLiteral>(&kernel_[node.right].node);
    const bool divides = node.op == BinaryOperator::kDivide && by != nullptr && is_lane(node.left);
    return divides && is_group(by->value) ? by_groups_of(by->value) : Spread::kByLane;
  }
  bool is_lane(ValueId id) const {
    const auto* read = std::get_if<Read>(&kernel_[id].node);
    if (read != nullptr) return lanes_.count(read->variable.index) != 0;
    const auto* where = std::get_if<Where>(&kernel_[id].node);
    return where != nullptr && (where->place == Place::kLane || where->place == Place::kThread);
  }

  void define(VariableId id) {
    require(defined_.insert(id.index).second, kernel_[id].name + " is defined twice");
  }
  void widen(VariableId id, Spread spread) {
    Spread& current = spread_[static_cast<std::size_t>(id.index)];
    if (spread > current) {
      current = spread;
      widened_ = true;
    }
  }

  void check(const Body& body, Spread control) {
    const std::set<std::int32_t> defined = defined_;
    const std::set<std::int32_t> declared = declared_;
    const std::set<std::int32_t> chosen = chosen_;
    for (const Statement& statement : body) check(statement, control);
    defined_ = defined;
    declared_ = declared;
    chosen_ = chosen;
  }

  void check(const Statement& statement, Spread control) {
    match(
        statement.node, [](const Comment&) {},
        [&](const Define& node) {
          const Spread spread = check(node.value, kernel_[node.variable].type, control);
          define(node.variable);
          widen(node.variable, spread);
          if (!kernel_[node.variable].changes && is_lane(node.value)) {
            lanes_.insert(node.variable.index);
          }
        },
        [&](const Assign& node) {
          const Variable& variable = kernel_[node.variable];
          require(variable.changes && defined_.count(node.variable.index) != 0,
                  variable.name + " is assigned but does not change");
          widen(node.variable, wider(control, check(node.value, variable.type, control)));
        },
        [&](const Declare& node) {
          const Array& array = kernel_[node.array];
          require(!array.shared || kernel_.target == Target::kCuda,
                  "shared arrays exist on cuda only");
          require(array.dynamic ? array.shared && array.length == 0 : array.length > 0,
                  array.name + " is empty");
          if (array.from) {
            require(dynamic_.has_value(), array.name + " is the rest of nothing");
            check(*array.from, Type::kI64, control);
          } else if (array.dynamic) {
            require(!dynamic_ || *dynamic_ == node.array.index, "a kernel has two dynamic arrays");
            dynamic_ = node.array.index;
          }
          require(declared_.insert(node.array.index).second, array.name + " is declared twice");
        },
        [&](const Choose& node) {
          const View& view = kernel_[node.view];
          require(kernel_[view.yes].element == kernel_[view.no].element,
                  view.name + " chooses between different elements");
          for (const auto& [one, other] :
               {std::pair(view.yes, view.no), std::pair(view.no, view.yes)}) {
            require(kernel_[one].takes_turns || !kernel_.take_turns(one, other),
                    kernel_[one].name + " takes turns with what the kernel writes");
          }
          require(chosen_.insert(node.view.index).second, view.name + " is chosen twice");
          view_spread_[static_cast<std::size_t>(node.view.index)] =
              check(view.condition, Type::kBool, control);
        },
        [&](const Store& node) {
          const MemoryFacts memory = facts(node.memory);
          require(memory.access != Access::kRead, memory.name + " is stored to but read-only");
          check(node.index, Type::kI64, control);
          check(node.value, memory.type, control);
        },
        [&](const For& node) {
          const Spread spread = wider(
              check(node.begin, Type::kI64, control),
              wider(check(node.end, Type::kI64, control), check(node.step, Type::kI64, control)));
          const std::set<std::int32_t> defined = defined_;
          define(node.variable);
          widen(node.variable, spread);
          check(node.body, wider(control, spread));
          defined_ = defined;
        },
        [&](const While& node) {
          // The condition is computed by those who are still in the loop.
          const Spread spread = check(node.condition, Type::kBool, control);
          check(node.condition, Type::kBool, wider(control, spread));
          check(node.body, wider(control, spread));
        },
        [&](const If& node) {
          const Spread spread = wider(control, check(node.condition, Type::kBool, control));
          check(node.body, spread);
          check(node.otherwise, spread);
        },
        [&](const Invoke& node) {
          const auto begins = [&](const char* name) { return node.callee.rfind(name, 0) == 0; };
          const bool copies = begins("copy_elements<") || begins("start_copy<");
          const bool widens = begins("load_elements<") || begins("store_elements<");
          const bool batches = node.callee == "close_batch" || begins("await_batches<");
          const bool by_warp = begins("multiply_") || begins("raise_highest<") ||
                               begins("divide_rows<") || begins("sum_rows<");
          const bool of_fragments =
              begins("scale_rows<") || begins("scale_sums") || begins("dot_rows<") ||
              begins("store_sums") || begins("load_sums") || begins("scale_columns<") ||
              begins("mask_scores") || begins("drop_scores<") || begins("weigh_scores<") ||
              begins("weigh_mixed<") || begins("weigh_by_column<") || begins("slopes_by_column<") ||
              begins("overlap_rows<") || begins("clear_elements<");
          require(
              (copies || widens || batches || by_warp || of_fragments) ==
                  (kernel_.target == Target::kCuda),
              "functions on vectors are a cpu helper, copies and products of matrices cuda ones");
          if (copies) check_copy(node);
          if (widens) check_vector(node, begins("load_elements<"));
          require(!by_warp || control <= Spread::kByWarp,
                  "a product of matrices stands where lanes of a warp "
                  "may diverge");
          for (const auto& argument : node.arguments) {
            match(
                argument, [&](ValueId id) { check(id, control); },
                [&](const VectorAt& vector) {
                  const MemoryFacts memory = facts(vector.memory);
                  require(!vector.writes || memory.access != Access::kRead,
                          memory.name + " is stored to but read-only");
                  require(memory.type == Type::kF32 || !vector.writes ||
                              std::holds_alternative<ArrayId>(vector.memory),
                          "a vector of a buffer that is written holds reals");
                  check(vector.at, Type::kI64, control);
                });
          }
          if (node.result) define(*node.result);
        },
        [&](const Reserve& node) {
          require(kernel_.target == Target::kCpu, "working memory exists on cpu only");
          require(kernel_[node.array].length == 0, "working memory has no fixed length");
          require(numbers_.insert(node.number).second, "two working memories are one");
          check(node.count, Type::kI64, control);
          require(declared_.insert(node.array.index).second,
                  kernel_[node.array].name + " is reserved twice");
        },
        [&](const Perform& node) { check(node, control); },
        [&](const Barrier&) {
          require(kernel_.target == Target::kCuda, "barriers exist on cuda only");
          require(control == Spread::kSame,
                  "a barrier stands where threads of a block may diverge");
        });
  }

  // Vectors are moved as they are stored.
  ElementType element_of(MemoryId memory) const {
    return match(
        memory, [&](BufferId id) { return kernel_[id].element; },
        [&](ArrayId id) { return kernel_[id].element.value_or(ElementType::kF32); },
        [&](ViewId id) { return kernel_[kernel_[id].yes].element; });
  }
  void check_copy(const Invoke& node) {
    const bool two = node.arguments.size() == 2 && !node.result &&
                     std::holds_alternative<VectorAt>(node.arguments[0]) &&
                     std::holds_alternative<VectorAt>(node.arguments[1]);
    require(two, "a copy takes two places");
    if (!two) return;
    const VectorAt& to = std::get<VectorAt>(node.arguments[0]);
    const VectorAt& from = std::get<VectorAt>(node.arguments[1]);
    require(to.writes && !from.writes && element_of(to.memory) == element_of(from.memory),
            "a copy goes from one place to another of the same element");
    if (node.callee.rfind("start_copy<", 0) != 0) return;
    const ArrayId* const array = std::get_if<ArrayId>(&to.memory);
    require(
        array != nullptr && kernel_[*array].shared && !std::holds_alternative<ArrayId>(from.memory),
        "a copy behind a thread's back goes from a buffer to shared memory");
  }

  // load_elements and store_elements go between any memory and reals of the thread's own.
  void check_vector(const Invoke& node, bool loads) {
    const bool two = node.arguments.size() == 2 && !node.result &&
                     std::holds_alternative<VectorAt>(node.arguments[0]) &&
                     std::holds_alternative<VectorAt>(node.arguments[1]);
    require(two, "a vector goes from one place to another");
    if (!two) return;
    const VectorAt& to = std::get<VectorAt>(node.arguments[0]);
    const VectorAt& from = std::get<VectorAt>(node.arguments[1]);
    require(to.writes && !from.writes, "a vector goes from one place to another");
    const ArrayId* const own = std::get_if<ArrayId>(loads ? &to.memory : &from.memory);
    require(own != nullptr && !kernel_[*own].shared && kernel_[*own].type == Type::kF32,
            "a vector is computed with in reals of the thread's own");
    require(element_of(loads ? from.memory : to.memory) != ElementType::kI32, "vectors hold reals");
  }

  void check(const Perform& node, Spread control) {
    const ProcedureFacts procedure = facts_of(node.procedure);
    const std::string name = procedure.name;
    std::string letters = procedure.letters;
    const std::size_t colon = letters.find(':');
    const bool gives = colon != std::string::npos;
    require(kernel_.target == Target::kCpu, name + " is a cpu helper");
    require(gives == (node.result.index >= 0), name + " gives a result, or none");
    require(procedure.channels == (node.channels > 0), name + " has channels, or none");
    if (gives) letters.resize(colon);
    require(letters.size() == node.operands.size(), name + " has other operands");
    for (std::size_t i = 0; i < std::min(letters.size(), node.operands.size()); ++i) {
      const char letter = letters[i];
      match(
          node.operands[i],
          [&](const Address& place) {
            const MemoryFacts memory = facts(place.memory);
            const bool writes = letter == 'w' || letter == 's';
            require(letter == 'w' || letter == 'r' || letter == 's' || letter == 't',
                    name + " takes a value where it is given memory");
            require(memory.type == (letter == 'w' || letter == 'r' ? Type::kF32 : Type::kI64),
                    name + " is given memory of another type");
            require(!writes || memory.access != Access::kRead,
                    memory.name + " is stored to but read-only");
            check(place.index, Type::kI64, control);
          },
          [&](ValueId id) {
            require(letter == 'i' || letter == 'f' || letter == 'b',
                    name + " takes memory where it is given a value");
            check(id,
                  letter == 'f'   ? Type::kF32
                  : letter == 'b' ? Type::kBool
                                  : Type::kI64,
                  control);
          });
    }
    if (gives && node.result.index >= 0) define(node.result);
  }

  const Kernel& kernel_;
  std::vector<Spread> spread_;
  std::set<int> numbers_;                // of working memories
  std::optional<std::int32_t> dynamic_;  // the array of the launch's length
  std::set<std::int32_t> defined_;
  std::set<std::int32_t> declared_;
  std::set<std::int32_t> chosen_;
  std::set<std::int32_t> lanes_;  // constants that are the number of the lane or thread
  std::vector<Spread> view_spread_;
  std::vector<std::string> problems_;
  bool widened_ = false;
};

}  // namespace

std::vector<std::string> validate(const Kernel& kernel) { return Validator(kernel).run(); }

}  // namespace heddle::ir
