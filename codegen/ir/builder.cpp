// SPDX-License-Identifier: Apache-2.0
#include "codegen/ir/builder.hpp"

#include <algorithm>

#include "patterns/result.hpp"

namespace heddle::ir {
namespace {

bool is_real(ElementType element) { return element != ElementType::kI32; }

Type type_of(const Kernel& kernel, MemoryId memory) {
  return match(
      memory, [&](BufferId id) { return is_real(kernel[id].element) ? Type::kF32 : Type::kI64; },
      [&](ArrayId id) { return kernel[id].type; },
      [&](ViewId id) { return type_of(kernel, kernel[id].yes); });
}

constexpr int kVectorBytes = 16;

// Of an element, as memory holds it.
int bytes_of(const Kernel& kernel, MemoryId memory) {
  const ElementType element = match(
      memory, [&](BufferId id) { return kernel[id].element; },
      [&](ArrayId id) { return kernel[id].element.value_or(ElementType::kF32); },
      [&](ViewId id) { return kernel[kernel[id].yes].element; });
  return static_cast<int>(size_of(element));
}

}  // namespace

const char* name_of(Target target) { return target == Target::kCuda ? "cuda" : "cpu"; }

bool is_comparison(BinaryOperator op) {
  return op >= BinaryOperator::kLess && op <= BinaryOperator::kNotEqual;
}

Type Ex::type() const { return builder_->kernel()[id_].type; }
Var::operator Ex() const { return Ex(builder_, id_.index < 0 ? ValueId{} : builder_->read(id_)); }

Builder::Builder(std::string symbol, Target target, int threads) {
  kernel_.symbol = std::move(symbol);
  kernel_.target = target;
  kernel_.threads = threads;
  bodies_.push_back(&kernel_.body);
}

MemoryId Builder::buffer(const std::string& name, ElementType element, Access access,
                         std::vector<std::string> shape) {
  kernel_.arguments.push_back({name, ArgumentKind::kBuffer, element, access, std::move(shape)});
  kernel_.buffers.push_back({unique(name), element, access});
  assert_that(kernel_.buffers.back().name == name, "two arguments of one name");
  return BufferId{static_cast<std::int32_t>(kernel_.buffers.size()) - 1};
}

Ex Builder::size(const std::string& name) {
  kernel_.arguments.push_back({name, ArgumentKind::kSize, ElementType::kI32, Access::kRead, {}});
  return Ex(this, read(add_variable(name, Type::kI64, false, true)));
}

Ex Builder::scalar(const std::string& name) {
  kernel_.arguments.push_back({name, ArgumentKind::kScalar, ElementType::kF32, Access::kRead, {}});
  return Ex(this, read(add_variable(name, Type::kF32, false, true)));
}

Ex Builder::value(decltype(Value::node) node, Type type) {
  kernel_.values.push_back({std::move(node), type});
  return Ex(this, ValueId{static_cast<std::int32_t>(kernel_.values.size()) - 1});
}

ValueId Builder::read(VariableId variable) {
  return value(Read{variable}, kernel_[variable].type).id();
}

Ex Builder::i64(std::int64_t number) { return value(IntegerLiteral{number}, Type::kI64); }
Ex Builder::f32(double number) { return value(RealLiteral{number}, Type::kF32); }
Ex Builder::truth(bool holds) { return value(IntegerLiteral{holds ? 1 : 0}, Type::kBool); }
Ex Builder::lowest_score() { return value(LowestScore{}, Type::kF32); }

Ex Builder::where(Place place) {
  const bool range = place == Place::kFirstBlock || place == Place::kLastBlock;
  assert_that(range == (kernel_.target == Target::kCpu),
              "ranges of blocks exist on cpu only, thread positions on cuda only");
  return value(Where{place}, Type::kI64);
}

Ex Builder::load(MemoryId memory, Ex index) {
  assert_that(index.type() == Type::kI64, "an index must be an integer");
  return value(Load{memory, index.id()}, type_of(kernel_, memory));
}

Ex Builder::call(Helper helper, std::vector<Ex> arguments) {
  Call node{helper, {}};
  for (const Ex& argument : arguments) {
    assert_that(argument.type() == arguments[0].type(), "arguments of different types");
    node.arguments.push_back(argument.id());
  }
  return value(std::move(node), arguments[0].type());
}

Ex Builder::reduce(ReduceOperator op, Ex operand, int lanes) {
  assert_that(kernel_.target == Target::kCuda, "warps exist on cuda only");
  assert_that(lanes == 32 || is_group(lanes), "lanes come in groups of a power of two");
  return value(Reduce{op, operand.id(), lanes}, operand.type());
}

Ex Builder::pick(Ex operand, Ex from, int lanes) {
  assert_that(kernel_.target == Target::kCuda && is_group(lanes),
              "groups of lanes are a power of two and exist on cuda only");
  assert_that(operand.type() == Type::kF32 && from.type() == Type::kI64,
              "a real is read from a lane by its number");
  return value(Pick{operand.id(), from.id(), lanes}, Type::kF32);
}

Ex Builder::reduce_together(ReduceOperator op, Ex operand, int lanes) {
  if (lanes == 32) return reduce(op, operand);
  assert_that(is_group(lanes), "lanes come in groups of a power of two");
  return value(Reduce{op, operand.id(), lanes, true}, operand.type());
}

Ex Builder::select(Ex condition, Ex yes, Ex no) {
  assert_that(condition.type() == Type::kBool && yes.type() == no.type(), "select of mixed types");
  return value(Select{condition.id(), yes.id(), no.id()}, yes.type());
}

Ex Builder::unary(UnaryOperator op, Ex operand) {
  assert_that((op == UnaryOperator::kNot) == (operand.type() == Type::kBool),
              "an operator does not fit its operand");
  return value(Unary{op, operand.id()}, operand.type());
}

Ex Builder::binary(BinaryOperator op, Ex left, Ex right) {
  assert_that(left.type() == right.type(), "operands of different types");
  const bool logical = op == BinaryOperator::kAnd || op == BinaryOperator::kOr;
  assert_that(logical == (left.type() == Type::kBool), "an operator does not fit its operands");
  const bool compares = is_comparison(op);
  if (const std::optional<Ex> folded = fold(op, left, right)) return *folded;
  return value(Binary{op, left.id(), right.id()}, compares ? Type::kBool : left.type());
}

std::optional<std::int64_t> Builder::literal(Ex ex) const {
  const IntegerLiteral* node = std::get_if<IntegerLiteral>(&kernel_[ex.id()].node);
  return node != nullptr && ex.type() == Type::kI64 ? std::optional(node->value) : std::nullopt;
}

// Integer sums and products with small literals, so that schedules need not tell i - 1 + 1 from i,
// remainders of them, and what holds beside something that always does.
std::optional<Ex> Builder::fold(BinaryOperator op, Ex left, Ex right) {
  constexpr std::int64_t kSmall = std::int64_t{1} << 20;
  const auto small = [](std::optional<std::int64_t> value) {
    return value && *value > -kSmall && *value < kSmall;
  };
  if (op == BinaryOperator::kAnd) {
    const IntegerLiteral* known = std::get_if<IntegerLiteral>(&kernel_[right.id()].node);
    return known != nullptr && known->value != 0 ? std::optional(left) : std::nullopt;
  }
  const std::optional<std::int64_t> x = literal(left);
  const std::optional<std::int64_t> y = literal(right);
  if (op == BinaryOperator::kMultiply) {
    if (x == 0 || y == 1) return left;
    if (y == 0 || x == 1) return right;
    if (small(x) && small(y)) return i64(*x * *y);
    return std::nullopt;
  }
  if (op == BinaryOperator::kModulo && x && *x >= 0 && small(x) && y && *y > 0 && small(y)) {
    return i64(*x % *y);
  }
  const bool adds = op == BinaryOperator::kAdd;
  if ((!adds && op != BinaryOperator::kSubtract) || left.type() != Type::kI64) return std::nullopt;
  if (adds && x == 0) return right;
  if (y == 0) return left;
  if (!small(y)) return std::nullopt;
  const std::int64_t shift = adds ? *y : -*y;
  if (small(x)) return i64(*x + shift);
  // (z + c) + shift; c and shift are small, and so is their sum.
  const Binary* inner = std::get_if<Binary>(&kernel_[left.id()].node);
  if (inner == nullptr ||
      (inner->op != BinaryOperator::kAdd && inner->op != BinaryOperator::kSubtract)) {
    return std::nullopt;
  }
  const std::optional<std::int64_t> c = literal(Ex(this, inner->right));
  if (!small(c)) return std::nullopt;
  const std::int64_t sum = (inner->op == BinaryOperator::kAdd ? *c : -*c) + shift;
  const Ex base(this, inner->left);
  return sum >= 0 ? base + sum : base - -sum;
}

std::string Builder::unique(const std::string& name) {
  std::string candidate = name;
  for (int number = 2; std::find(names_.begin(), names_.end(), candidate) != names_.end();
       ++number) {
    candidate = name + "_" + std::to_string(number);
  }
  names_.push_back(candidate);
  return candidate;
}

VariableId Builder::add_variable(const std::string& name, Type type, bool changes, bool argument) {
  kernel_.variables.push_back({unique(name), type, changes, argument});
  return VariableId{static_cast<std::int32_t>(kernel_.variables.size()) - 1};
}

void Builder::comment(std::string text) { append(Comment{std::move(text)}); }

Ex Builder::let(const std::string& name, Ex initial) {
  const VariableId id = add_variable(name, initial.type(), false, false);
  append(Define{id, initial.id()});
  return Ex(this, read(id));
}

Var Builder::variable(const std::string& name, Ex initial) {
  const VariableId id = add_variable(name, initial.type(), true, false);
  append(Define{id, initial.id()});
  return Var(this, id);
}

void Builder::assign(Var variable, Ex new_value) {
  assert_that(kernel_[variable.id()].type == new_value.type(), "assignment of another type");
  append(Assign{variable.id(), new_value.id()});
}

MemoryId Builder::array(const std::string& name, Type type, int length, bool shared) {
  assert_that(!shared || kernel_.target == Target::kCuda, "shared arrays exist on cuda only");
  kernel_.arrays.push_back({unique(name), type, length, shared});
  const ArrayId id{static_cast<std::int32_t>(kernel_.arrays.size()) - 1};
  append(Declare{id});
  return id;
}

MemoryId Builder::array_of_vectors(const std::string& name, int length) {
  const MemoryId id = array(name, Type::kF32, length, /*shared=*/true);
  kernel_.arrays.back().vectors = true;
  return id;
}

MemoryId Builder::dynamic_array(const std::string& name, ElementType element) {
  assert_that(kernel_.target == Target::kCuda && is_real(element),
              "dynamic shared arrays hold reals and exist on cuda only");
  kernel_.arrays.push_back({unique(name), Type::kF32, 0, true, true, element});
  const ArrayId id{static_cast<std::int32_t>(kernel_.arrays.size()) - 1};
  append(Declare{id});
  return id;
}

MemoryId Builder::rest_of_dynamic_array(const std::string& name, Ex from) {
  assert_that(from.type() == Type::kI64, "an index must be an integer");
  kernel_.arrays.push_back({unique(name), Type::kF32, 0, true, true, ElementType::kF32, from.id()});
  const ArrayId id{static_cast<std::int32_t>(kernel_.arrays.size()) - 1};
  append(Declare{id});
  return id;
}

MemoryId Builder::choose(const std::string& name, Ex condition, MemoryId yes, MemoryId no) {
  const BufferId* first = std::get_if<BufferId>(&yes);
  const BufferId* second = std::get_if<BufferId>(&no);
  assert_that(
      first != nullptr && second != nullptr && kernel_[*first].element == kernel_[*second].element,
      "a view needs two buffers of one element");
  for (const auto& [one, other] : {std::pair(*first, *second), std::pair(*second, *first)}) {
    if (!kernel_.take_turns(one, other)) continue;
    kernel_.buffers[static_cast<std::size_t>(one.index)].takes_turns = true;
  }
  kernel_.views.push_back({unique(name), condition.id(), *first, *second});
  const ViewId id{static_cast<std::int32_t>(kernel_.views.size()) - 1};
  append(Choose{id});
  return id;
}

void Builder::store(MemoryId memory, Ex index, Ex stored) {
  assert_that(index.type() == Type::kI64 && stored.type() == type_of(kernel_, memory),
              "a store of another type");
  append(Store{memory, index.id(), stored.id()});
}

std::vector<std::variant<ValueId, VectorAt>> Builder::lowered(
    const std::vector<VectorArgument>& arguments) const {
  std::vector<std::variant<ValueId, VectorAt>> result;
  for (const VectorArgument& argument : arguments) {
    match(
        argument, [&](const Ex& value) { result.emplace_back(value.id()); },
        [&](const VectorPlace& place) {
          result.emplace_back(VectorAt{place.memory, place.at.id(), place.writes});
        });
  }
  return result;
}

void Builder::invoke(const std::string& callee, const std::vector<VectorArgument>& arguments) {
  append(Invoke{std::nullopt, callee, lowered(arguments)});
}

Ex Builder::invoke_let(const std::string& name, Type type, const std::string& callee,
                       const std::vector<VectorArgument>& arguments) {
  const VariableId id = add_variable(name, type, false, false);
  append(Invoke{id, callee, lowered(arguments)});
  return Ex(this, read(id));
}

void Builder::load_vector(MemoryId to, int first, MemoryId from, Ex at, int count) {
  const int most = std::min(count, kVectorBytes / bytes_of(kernel_, from));
  for (int done = 0; done < count; done += most) {
    invoke("load_elements<" + std::to_string(most) + ">",
           {VectorPlace{to, i64(first + done), true}, VectorPlace{from, at + done}});
  }
}

void Builder::store_vector(MemoryId to, Ex at, MemoryId from, int first, int count) {
  const int most = std::min(count, kVectorBytes / bytes_of(kernel_, to));
  for (int done = 0; done < count; done += most) {
    invoke("store_elements<" + std::to_string(most) + ">",
           {VectorPlace{to, at + done, true}, VectorPlace{from, i64(first + done)}});
  }
}

Body Builder::collect(const std::function<void()>& body) {
  Body statements;
  const std::vector<std::string> names = names_;
  bodies_.push_back(&statements);
  body();
  bodies_.pop_back();
  // Names of a closed scope are free again: siblings may use the same words.
  names_ = names;
  return statements;
}

void Builder::loop(const std::string& name, Ex begin, Ex end, Ex step, LoopKind kind,
                   const std::function<void(Ex)>& body) {
  VariableId id;
  Body statements = collect([&] {
    id = add_variable(name, Type::kI64, false, false);
    body(Ex(this, read(id)));
  });
  append(For{id, begin.id(), end.id(), step.id(), kind, std::move(statements)});
}

void Builder::repeat_while(Ex condition, const std::function<void()>& body) {
  append(While{condition.id(), collect(body)});
}

void Builder::when(Ex condition, const std::function<void()>& body,
                   const std::function<void()>& otherwise) {
  Body yes = collect(body);
  Body no = otherwise ? collect(otherwise) : Body{};
  append(If{condition.id(), std::move(yes), std::move(no)});
}

void Builder::barrier() {
  assert_that(kernel_.target == Target::kCuda, "barriers exist on cuda only");
  append(Barrier{});
}

MemoryId Builder::reserve(const std::string& name, Type type, Ex count) {
  assert_that(kernel_.target == Target::kCpu, "working memory exists on cpu only");
  kernel_.arrays.push_back({unique(name), type, 0, false});
  const ArrayId id{static_cast<std::int32_t>(kernel_.arrays.size()) - 1};
  append(Reserve{id, reserved_++, count.id()});
  return id;
}

void Builder::perform(Procedure procedure, int channels, std::vector<Operand> operands) {
  append(Perform{procedure, channels, std::move(operands), VariableId{}});
}

Ex Builder::perform(const std::string& name, Procedure procedure, int channels,
                    std::vector<Operand> operands) {
  const std::string letters = facts_of(procedure).letters;
  const bool real = letters.back() == 'f';
  const VariableId id = add_variable(name, real ? Type::kF32 : Type::kI64, false, false);
  append(Perform{procedure, channels, std::move(operands), id});
  return Ex(this, read(id));
}

ProcedureFacts facts_of(Procedure procedure) {
  switch (procedure) {
    case Procedure::kMixRows:
      return {"mix_rows", "wrrti", true, true};
    case Procedure::kMixWindows:
      return {"mix_windows", "wirirtiw", true, true};
    case Procedure::kPackedExtent:
      return {"packed_extent", "ii:i", false, false};
    case Procedure::kScoreRows:
      return {"score_rows", "wrrti", true, true};
    case Procedure::kWeighScores:
      return {"weigh_scores", "wiifff:f", false, false};
    case Procedure::kKeepRow:
      return {"keep_row", "wr", true, false};
    case Procedure::kScaleRow:
      return {"scale_row", "wrf", true, false};
    case Procedure::kZeroRow:
      return {"zero_row", "w", true, true};
    case Procedure::kSendRow:
      return {"send_row", "wrb", true, false};
    case Procedure::kClearRow:
      return {"clear_row", "w", true, false};
    case Procedure::kCloseRow:
      return {"close_row", "wwrfb", true, false};
    case Procedure::kFindSlot:
      return {"find_slot", "tii:i", false, false};
    case Procedure::kHoldsPosition:
      return {"holds_position", "tii:i", false, false};
    case Procedure::kSettleStores:
      return {"settle_stores", "", false, false};
    case Procedure::kLatticeOpen:
      return {"lattice_open", "si", false, false};
    case Procedure::kLatticeTerm:
      return {"lattice_term", "sii", false, false};
    case Procedure::kLatticeStart:
      return {"lattice_start", "si", false, false};
    case Procedure::kLatticeNext:
      return {"lattice_next", "s:i", false, false};
    case Procedure::kLatticeExtent:
      return {"lattice_extent", "i:i", false, false};
    case Procedure::kLatticeSlots:
      return {"lattice_slots", "t:i", false, false};
    case Procedure::kLatticePositions:
      return {"lattice_positions", "t:i", false, false};
    case Procedure::kLatticeSize:
      return {"lattice_size", "t:i", false, false};
    case Procedure::kLatticeGroup:
      return {"lattice_group", "si:i", false, false};
    case Procedure::kLatticeSlot:
      return {"lattice_slot", "si:i", false, false};
    case Procedure::kMixGroup:
      return {"mix_group", "wrirs", true, true};
    case Procedure::kMixNear:
      return {"mix_near", "wrrsi", true, true};
    case Procedure::kMatrixRows:
      return {"matrix_rows", "wrrrriwii", true, false};
  }
  unreachable("procedure");
}

Ex operator+(Ex a, Ex b) { return a.builder().binary(BinaryOperator::kAdd, a, b); }
Ex operator-(Ex a, Ex b) { return a.builder().binary(BinaryOperator::kSubtract, a, b); }
Ex operator*(Ex a, Ex b) { return a.builder().binary(BinaryOperator::kMultiply, a, b); }
Ex operator/(Ex a, Ex b) { return a.builder().binary(BinaryOperator::kDivide, a, b); }
Ex operator%(Ex a, Ex b) { return a.builder().binary(BinaryOperator::kModulo, a, b); }
Ex operator<(Ex a, Ex b) { return a.builder().binary(BinaryOperator::kLess, a, b); }
Ex operator<=(Ex a, Ex b) { return a.builder().binary(BinaryOperator::kLessEqual, a, b); }
Ex operator>(Ex a, Ex b) { return a.builder().binary(BinaryOperator::kGreater, a, b); }
Ex operator>=(Ex a, Ex b) { return a.builder().binary(BinaryOperator::kGreaterEqual, a, b); }
Ex equal(Ex a, Ex b) { return a.builder().binary(BinaryOperator::kEqual, a, b); }
Ex not_equal(Ex a, Ex b) { return a.builder().binary(BinaryOperator::kNotEqual, a, b); }
Ex both(Ex a, Ex b) { return a.builder().binary(BinaryOperator::kAnd, a, b); }
Ex either(Ex a, Ex b) { return a.builder().binary(BinaryOperator::kOr, a, b); }
Ex negated(Ex a) { return a.builder().unary(UnaryOperator::kNot, a); }

}  // namespace heddle::ir
