// SPDX-License-Identifier: Apache-2.0
// What staging_prelude.cuh adds to the language: shared memory whose length the launch decides, and
// vectors that are moved at once or behind the thread's back.
#include <algorithm>

#include "codegen/verify/lift_statement.hpp"

namespace heddle::verify {

using ir::Body;
using ir::Type;

namespace {

constexpr int kWidest = 16;  // bytes that are moved at once

int size_of_element(CType type) { return is_narrow(type) ? 2 : 4; }

}  // namespace

int parts_of_lanes(const Lifted& lifted) {
  if (!lifted.staging) return 1;
  for (const ir::Value& value : lifted.kernel.values) {
    const ir::Binary* quotient = std::get_if<ir::Binary>(&value.node);
    if (quotient == nullptr || quotient->op != ir::BinaryOperator::kDivide) continue;
    const auto* parts = std::get_if<ir::IntegerLiteral>(&lifted.kernel[quotient->right].node);
    if (parts == nullptr) continue;
    for (const int power : {2, 4, 8, 16}) {
      if (parts->value == power) return power;
    }
  }
  return 1;
}

// extern __shared__ __align__(16) float staged[];
void StatementReader::dynamic_array(Body& statements) {
  const TextPlace at = peek().at;
  for (const char* part : {"extern", "__shared__", "__align__", "(", "16", ")"}) {
    if (peek().text != part)
      return fail(peek().at, std::string("here a kernel of heddle has ") + part);
    next();
  }
  const std::optional<CType> element = element_name();
  if (!element) return fail(peek().at, "dynamic shared memory holds float, bf16 or f16");
  const std::string name = expect_name();
  for (const char* part : {"[", "]", ";"}) expect(part);
  if (scopes_.size() != 2) return fail(at, "shared arrays are declared at the top of a kernel");
  for (const ir::Array& other : lifted_.kernel.arrays) {
    if (other.dynamic) return fail(at, "there is one dynamic array at most");
  }
  if (entry_.shared_rows.empty()) {
    return fail(at, "the manifest launches this kernel without dynamic shared memory");
  }
  ir::Array array{name, Type::kF32, 0, /*shared=*/true};
  array.dynamic = true;
  array.element = *element == CType::kFloat  ? ElementType::kF32
                  : *element == CType::kBf16 ? ElementType::kBF16
                                             : ElementType::kF16;
  lifted_.kernel.arrays.push_back(array);
  const ir::ArrayId id{static_cast<std::int32_t>(lifted_.kernel.arrays.size() - 1)};
  declare(name, ir::MemoryId(id), at);
  add(statements, ir::Declare{id});
}

// float* const sums = reinterpret_cast<float*>(staged + sums_at);
// From here on the dynamic array ends where this one begins: each is an array of its own.
void StatementReader::rest_of_dynamic_array(Body& statements) {
  const TextPlace at = peek().at;
  for (const char* part : {"float", "*", "const"}) expect(part);
  const std::string name = expect_name();
  for (const char* part : {"=", "reinterpret_cast", "<", "float", "*", ">", "("}) expect(part);
  const std::size_t from_begin = at_;
  const std::optional<ir::VectorAt> from = vector_place(false);
  for (const char* part : {")", ";"}) expect(part);
  not_itself(name, from_begin);
  if (failed() || !from) return;
  const ir::ArrayId* whole = std::get_if<ir::ArrayId>(&from->memory);
  if (whole == nullptr || !lifted_.kernel[*whole].dynamic || lifted_.kernel[*whole].from) {
    return fail(at, "only the end of the dynamic array has another type");
  }
  for (const ir::Array& other : lifted_.kernel.arrays) {
    if (other.from) return fail(at, "the dynamic array has one end");
  }
  const auto untouched = [](const ir::Statement& each) {
    return std::holds_alternative<ir::Comment>(each.node) ||
           std::holds_alternative<ir::Define>(each.node) ||
           std::holds_alternative<ir::Declare>(each.node);
  };
  if (scopes_.size() != 2 || !std::all_of(statements.begin(), statements.end(), untouched)) {
    return fail(at, "the dynamic array is cut at the top of a kernel");
  }
  ir::Array array{name, Type::kF32, 0, /*shared=*/true};
  array.dynamic = true;
  array.element = ElementType::kF32;
  array.from = from->at;
  lifted_.kernel.arrays.push_back(array);
  const ir::ArrayId id{static_cast<std::int32_t>(lifted_.kernel.arrays.size() - 1)};
  declare(name, ir::MemoryId(id), at);
  add(statements, ir::Declare{id});
}

// A name of the prelude, unless the kernel has given it to something of its own.
bool StatementReader::moves_vectors() const {
  return lifted_.staging && peek().kind == TokenKind::kName && find(peek().text) == nullptr &&
         (is("copy_elements") || is("start_copy") || is("close_batch") || is("await_batches"));
}

void StatementReader::move(Body& statements) {
  const TextPlace at = peek().at;
  if (accept("close_batch")) {
    for (const char* part : {"(", ")", ";"}) expect(part);
    return add(statements, ir::Invoke{std::nullopt, "close_batch", {}});
  }
  if (accept("await_batches")) {
    expect("<");
    const std::int64_t left = expect_integer();
    for (const char* part : {">", "(", ")", ";"}) expect(part);
    const ir::ValueId number = make(Type::kI64, ir::IntegerLiteral{left}, at);
    return add(statements, ir::Invoke{std::nullopt, "await_batches", {number}});
  }
  const bool starts = accept("start_copy");
  if (!starts) expect("copy_elements");
  copy(statements, starts, at);
}

// staged + values_at + row * 64 + d
std::optional<ir::VectorAt> StatementReader::vector_place(bool writes) {
  const TextPlace at = peek().at;
  const Symbol* symbol = find(expect_name());
  const ir::MemoryId* memory = symbol == nullptr ? nullptr : std::get_if<ir::MemoryId>(symbol);
  if (memory == nullptr) {
    fail(at, "a memory must stand here");
    return std::nullopt;
  }
  const ir::MemoryId place = *memory;
  expect("+");
  const TextPlace index_at = peek().at;
  return ir::VectorAt{place, as_index(sum(), index_at), writes};
}

// start_copy<4>(staged + ..., k + ...);
void StatementReader::copy(Body& statements, bool starts, TextPlace at) {
  expect("<");
  const std::int64_t count = expect_integer();
  expect(">");
  expect("(");
  const std::optional<ir::VectorAt> to = vector_place(true);
  expect(",");
  const std::optional<ir::VectorAt> from = vector_place(false);
  expect(")");
  expect(";");
  if (failed() || !to || !from) return;
  const CType element = element_of(to->memory);
  const std::int64_t bytes = count * size_of_element(element);
  const bool real = element == CType::kFloat || is_narrow(element);
  if (!real || element_of(from->memory) != element) {
    return fail(at, "vectors of different types are moved here");
  }
  if (count < 1 || (count & (count - 1)) != 0 || bytes > kWidest) {
    return fail(at, "no vector has so many elements");
  }
  const ir::Kernel& kernel = lifted_.kernel;
  for (const ir::VectorAt* place : {&*to, &*from}) {
    // A buffer begins where the manifest says, the dynamic array at a multiple of sixteen bytes.
    const ir::ArrayId* array = std::get_if<ir::ArrayId>(&place->memory);
    const bool aligned = array != nullptr ? kernel[*array].dynamic && !kernel[*array].from
                                          : count == 1 || bytes <= entry_.alignment;
    if (!aligned) return fail(at, "it is not known that vectors begin here");
  }
  const ir::ArrayId* array = std::get_if<ir::ArrayId>(&to->memory);
  const ir::BufferId* written = std::get_if<ir::BufferId>(&to->memory);
  const bool writable =
      array != nullptr || (written != nullptr && kernel[*written].access != heddle::Access::kRead);
  if (!writable) return fail(at, "this buffer is read only");
  if (starts && (array == nullptr || !std::holds_alternative<ir::BufferId>(from->memory))) {
    return fail(at, "copies are started from a buffer into shared memory");
  }
  ir::For loop;
  loop.kind = ir::LoopKind::kLanes;
  loop.variable = variable("element", Type::kI64, false);
  const auto number = [&](std::int64_t value) {
    return make(Type::kI64, ir::IntegerLiteral{value}, at);
  };
  loop.begin = number(0);
  loop.end = number(count);
  loop.step = number(1);
  const ir::ValueId here = make(Type::kI64, ir::Read{loop.variable}, at);
  const auto shifted = [&](ir::ValueId first) {
    return make(Type::kI64, ir::Binary{ir::BinaryOperator::kAdd, first, here}, at);
  };
  const ir::ValueId moved = make(Type::kF32, ir::Load{from->memory, shifted(from->at)}, at);
  if (starts) lifted_.started.insert(moved.index);
  places_.push_back(at);  // of the store
  add(loop.body, ir::Store{to->memory, shifted(to->at), moved});
  add(statements, std::move(loop));
}

}  // namespace heddle::verify
