// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/expansion.hpp"

namespace heddle::verify {

using ir::BinaryOperator;
using ir::Type;

namespace {

Number binary(BinaryOperator op, Number a, Number b) {
  return {a.of, a.of->make(Type::kI64, ir::Binary{op, a.id, b.id})};
}

}  // namespace

Number operator+(Number a, Number b) { return binary(BinaryOperator::kAdd, a, b); }
Number operator+(Number a, std::int64_t b) { return a + a.of->number(b); }
Number operator*(Number a, Number b) { return binary(BinaryOperator::kMultiply, a, b); }
Number operator*(Number a, std::int64_t b) { return a * a.of->number(b); }
Number operator/(Number a, std::int64_t b) {
  return binary(BinaryOperator::kDivide, a, a.of->number(b));
}
Number operator%(Number a, std::int64_t b) {
  return binary(BinaryOperator::kModulo, a, a.of->number(b));
}

ir::ValueId Expansion::make(Type type, decltype(ir::Value::node) node) {
  const ir::ValueId id{static_cast<std::int32_t>(lifted_.kernel.values.size())};
  lifted_.kernel.values.push_back({std::move(node), type});
  lifted_.value_at.push_back(at_);
  return id;
}

ir::VariableId Expansion::variable(const std::string& name, Type type) {
  lifted_.kernel.variables.push_back({name, type});
  return {static_cast<std::int32_t>(lifted_.kernel.variables.size() - 1)};
}

Number Expansion::number(std::int64_t value) {
  return {this, make(Type::kI64, ir::IntegerLiteral{value})};
}
Number Expansion::lane() { return value(make(Type::kI64, ir::Where{ir::Place::kThread})) % 32; }

void Expansion::begin() {
  if (begun_) places_.push_back(at_);
  begun_ = true;
}

void Expansion::loop(std::int64_t count, const std::function<void(Number)>& body) {
  loop(count, ir::LoopKind::kUnrolled, body);
}
void Expansion::vector(std::int64_t count, const std::function<void(Number)>& body) {
  loop(count, ir::LoopKind::kLanes, body);
}
void Expansion::loop(std::int64_t count, ir::LoopKind kind,
                     const std::function<void(Number)>& body) {
  begin();
  ir::For loop;
  loop.kind = kind;
  loop.variable = variable("element", Type::kI64);
  loop.begin = number(0).id;
  loop.end = number(count).id;
  loop.step = number(1).id;
  ir::Body* const outer = std::exchange(body_, &loop.body);
  body(value(make(Type::kI64, ir::Read{loop.variable})));
  body_ = outer;
  body_->push_back({std::move(loop)});
}

ir::ValueId Expansion::at(const ir::VectorAt& place, Number offset) {
  return (value(place.at) + offset).id;
}
ir::ValueId Expansion::load(const ir::VectorAt& place, Number offset) {
  return make(Type::kF32, ir::Load{place.memory, at(place, offset)});
}
Number Expansion::load_index(const ir::VectorAt& place, Number offset) {
  return {this, make(Type::kI64, ir::Load{place.memory, at(place, offset)})};
}
void Expansion::look_at(ir::ValueId loaded) {
  begin();
  body_->push_back({ir::Define{variable("loaded", Type::kF32), loaded}});
}
void Expansion::compute(Number value) {
  begin();
  body_->push_back({ir::Define{variable("computed", Type::kI64), value.id}});
}
void Expansion::store(const ir::VectorAt& place, Number offset, ir::ValueId value) {
  begin();
  body_->push_back({ir::Store{place.memory, at(place, offset), value}});
}
ir::ValueId Expansion::exchanged(ir::ValueId value) {
  return make(Type::kF32, ir::Reduce{ir::ReduceOperator::kSum, value});
}

}  // namespace heddle::verify
