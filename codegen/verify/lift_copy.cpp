// SPDX-License-Identifier: Apache-2.0
// What staging_prelude.cuh adds to the language: shared memory whose length the launch decides, and
// vectors that are moved at once or behind the thread's back.
#include <algorithm>
#include <numeric>

#include "codegen/verify/lift_statement.hpp"

namespace heddle::verify {

using ir::Body;
using ir::Type;

namespace {

constexpr int kWidest = 16;  // bytes that are moved at once

int size_of_element(CType type) { return is_narrow(type) ? 2 : 4; }

}  // namespace

void StatementReader::begin_of_vectors() {
  for (const char* part : {"__align__", "(", "16", ")"}) {
    if (peek().text != part) {
      return fail(peek().at, std::string("here a kernel of heddle has ") + part);
    }
    next();
  }
}

// extern __shared__ __align__(16) float staged[];
void StatementReader::dynamic_array(Body& statements) {
  const TextPlace at = peek().at;
  for (const char* part : {"extern", "__shared__"}) expect(part);
  begin_of_vectors();
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

// Numbers are computed and arrays declared, on any way.
bool StatementReader::stores_nothing(const Body& statements) {
  return std::all_of(statements.begin(), statements.end(), [](const ir::Statement& each) {
    if (const auto* branch = std::get_if<ir::If>(&each.node)) {
      return stores_nothing(branch->body) && stores_nothing(branch->otherwise);
    }
    return std::holds_alternative<ir::Comment>(each.node) ||
           std::holds_alternative<ir::Define>(each.node) ||
           std::holds_alternative<ir::Assign>(each.node) ||
           std::holds_alternative<ir::Declare>(each.node);
  });
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
  if (scopes_.size() != 2 || !stores_nothing(statements)) {
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
bool StatementReader::calls_helper() const {
  if (lifted_.prelude == Prelude::kDevice || peek().kind != TokenKind::kName) return false;
  if (find(peek().text) != nullptr) return false;
  if (is("copy_elements") || is("start_copy") || is("clear_elements")) return true;
  if (is("load_elements") || is("store_elements")) return true;
  return is("close_batch") || is("await_batches") || is_tensor_helper(peek().text);
}

void StatementReader::helper(Body& statements) {
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
  if (accept("clear_elements")) return clear(statements, at);
  if (accept("load_elements")) return load_elements(statements, at);
  if (accept("store_elements")) return store_elements(statements, at);
  if (accept("start_copy")) return copy(statements, true, at);
  if (accept("copy_elements")) return copy(statements, false, at);
  tensor_helper(statements);
}

// staged + values_at + row * 64 + d, or staged alone.
std::optional<ir::VectorAt> StatementReader::vector_place(bool writes) {
  const TextPlace at = peek().at;
  const Symbol* symbol = find(expect_name());
  const ir::MemoryId* memory = symbol == nullptr ? nullptr : std::get_if<ir::MemoryId>(symbol);
  if (memory == nullptr) {
    fail(at, "a memory must stand here");
    return std::nullopt;
  }
  const ir::MemoryId place = *memory;
  const TextPlace index_at = peek().at;
  if (!accept("+")) return ir::VectorAt{place, make(Type::kI64, ir::IntegerLiteral{0}, at), writes};
  return ir::VectorAt{place, as_index(sum(), index_at), writes};
}

// Where so many elements are moved at once, if they may be.
std::optional<ir::VectorAt> StatementReader::vector_of(std::int64_t count, bool writes) {
  const TextPlace at = peek().at;
  const std::optional<ir::VectorAt> place = vector_place(writes);
  if (failed() || !place) return std::nullopt;
  const CType element = element_of(place->memory);
  const std::int64_t bytes = count * size_of_element(element);
  if (element != CType::kFloat && !is_narrow(element)) fail(at, "vectors hold reals");
  if (count < 1 || (count & (count - 1)) != 0 || bytes > kWidest) {
    fail(at, "no vector has so many elements");
  }
  if (count > 1 && bytes > alignment_of(place->memory)) {
    fail(at, "it is not known that vectors begin here");
  }
  if (writes && !may_write(place->memory)) fail(at, "this buffer is read only");
  return failed() ? std::nullopt : place;
}

// Of the first element: a buffer begins where the manifest says, the dynamic array and what is
// declared so at a multiple of sixteen bytes, and with it what begins so many bytes behind.
std::int64_t StatementReader::alignment_of(ir::MemoryId memory) const {
  const ir::ArrayId* array = std::get_if<ir::ArrayId>(&memory);
  if (array == nullptr) return entry_.alignment;
  const ir::Array& of = lifted_.kernel[*array];
  if (!of.dynamic) return of.vectors ? kWidest : 4;
  if (!of.from) return kWidest;
  const ir::MemoryId whole = ir::ArrayId{whole_of_dynamic()};
  const std::int64_t element = size_of_element(element_of(whole));
  return factor_of(*of.from) % (kWidest / element) == 0 ? kWidest : 4;
}
// A number that divides this one, whatever its names stand for; 0 for 0, which all divide.
std::int64_t StatementReader::factor_of(ir::ValueId id) const {
  const auto& node = lifted_.kernel[id].node;
  if (const auto* literal = std::get_if<ir::IntegerLiteral>(&node)) return literal->value;
  const auto* binary = std::get_if<ir::Binary>(&node);
  if (binary == nullptr) return 1;
  constexpr std::int64_t kEnough = std::int64_t{1} << 20;
  const std::int64_t left = std::gcd(factor_of(binary->left), kEnough);
  const std::int64_t right = std::gcd(factor_of(binary->right), kEnough);
  if (binary->op == ir::BinaryOperator::kMultiply) return left * right;
  const bool sum =
      binary->op == ir::BinaryOperator::kAdd || binary->op == ir::BinaryOperator::kSubtract;
  return sum ? std::gcd(left, right) : 1;
}
std::int32_t StatementReader::whole_of_dynamic() const {
  for (std::size_t index = 0; index < lifted_.kernel.arrays.size(); ++index) {
    const ir::Array& array = lifted_.kernel.arrays[index];
    if (array.dynamic && !array.from) return static_cast<std::int32_t>(index);
  }
  unreachable("an end without the dynamic array that it is of");
}

bool StatementReader::may_write(ir::MemoryId memory) const {
  const ir::BufferId* buffer = std::get_if<ir::BufferId>(&memory);
  if (std::holds_alternative<ir::ArrayId>(memory)) return true;
  return buffer != nullptr && lifted_.kernel[*buffer].access != heddle::Access::kRead;
}

// start_copy<4>(staged + ..., k + ...);
void StatementReader::copy(Body& statements, bool starts, TextPlace at) {
  expect("<");
  const std::int64_t count = expect_integer();
  expect(">");
  expect("(");
  const std::optional<ir::VectorAt> to = vector_of(count, true);
  expect(",");
  const std::optional<ir::VectorAt> from = vector_of(count, false);
  expect(")");
  expect(";");
  if (failed() || !to || !from) return;
  if (element_of(from->memory) != element_of(to->memory)) {
    return fail(at, "vectors of different types are moved here");
  }
  const ir::ArrayId* array = std::get_if<ir::ArrayId>(&to->memory);
  const bool shared = array != nullptr && lifted_.kernel[*array].shared;
  if (starts && (!shared || std::holds_alternative<ir::ArrayId>(from->memory))) {
    return fail(at, "copies are started from a buffer into shared memory");
  }
  Expansion expansion(lifted_, places_, statements, at);
  expansion.vector(count, [&](Number element) {
    const ir::ValueId moved = expansion.load(*from, element);
    if (starts) lifted_.started.insert(moved.index);
    expansion.store(*to, element, moved);
  });
}

// clear_elements<8>(staged + ...);
void StatementReader::clear(Body& statements, TextPlace at) {
  expect("<");
  const std::int64_t count = expect_integer();
  expect(">");
  expect("(");
  const std::optional<ir::VectorAt> to = vector_of(count, true);
  expect(")");
  expect(";");
  if (failed() || !to) return;
  Expansion expansion(lifted_, places_, statements, at);
  expansion.vector(count, [&](Number element) {
    expansion.store(*to, element, make(Type::kF32, ir::RealLiteral{0.0}, at));
  });
}

// key + 8: where reals of the thread's own begin.
std::optional<ir::VectorAt> StatementReader::own_reals(bool writes) {
  const TextPlace at = peek().at;
  const std::optional<ir::VectorAt> place = vector_place(writes);
  if (failed() || !place) return std::nullopt;
  const ir::ArrayId* array = std::get_if<ir::ArrayId>(&place->memory);
  const bool own = array != nullptr && !lifted_.kernel[*array].shared;
  if (!own || element_of(place->memory) != CType::kFloat) {
    fail(at, "a vector is computed with in reals of the thread's own");
  }
  return failed() ? std::nullopt : place;
}

// load_elements<8>(key, staged + ...);
void StatementReader::load_elements(Body& statements, TextPlace at) {
  expect("<");
  const std::int64_t count = expect_integer();
  expect(">");
  expect("(");
  const std::optional<ir::VectorAt> to = own_reals(true);
  expect(",");
  const std::optional<ir::VectorAt> from = vector_of(count, false);
  expect(")");
  expect(";");
  if (failed() || !to || !from) return;
  Expansion expansion(lifted_, places_, statements, at);
  expansion.vector(count, [&](Number element) {
    expansion.store(*to, element, expansion.load(*from, element));
  });
}

// store_elements<4>(sums + ..., mixed);
void StatementReader::store_elements(Body& statements, TextPlace at) {
  expect("<");
  const std::int64_t count = expect_integer();
  expect(">");
  expect("(");
  const std::optional<ir::VectorAt> to = vector_of(count, true);
  expect(",");
  const std::optional<ir::VectorAt> from = own_reals(false);
  expect(")");
  expect(";");
  if (failed() || !to || !from) return;
  Expansion expansion(lifted_, places_, statements, at);
  expansion.vector(count, [&](Number element) {
    expansion.store(*to, element, expansion.load(*from, element));
  });
}

}  // namespace heddle::verify
