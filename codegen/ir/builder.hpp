// SPDX-License-Identifier: Apache-2.0
// Writes a kernel front to back. Ex is a value under construction with the usual operators;
// control structures take their bodies as lambdas, so that schedules read like the kernels they
// make. Types are checked as values are made: mixing them is a bug of the schedule, not of a user.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "codegen/ir/ir.hpp"

namespace heddle::ir {

class Builder;

// A typed value of the kernel that `builder` writes.
class Ex {
 public:
  Ex() = default;
  Ex(Builder* builder, ValueId id) : builder_(builder), id_(id) {}
  ValueId id() const { return id_; }
  Builder& builder() const { return *builder_; }
  Type type() const;

 private:
  Builder* builder_ = nullptr;
  ValueId id_;
};

// A variable that changes; it reads as a value.
class Var {
 public:
  Var() = default;
  Var(Builder* builder, VariableId id) : builder_(builder), id_(id) {}
  VariableId id() const { return id_; }
  operator Ex() const;

 private:
  Builder* builder_ = nullptr;
  VariableId id_;
};

// Elements of a memory from `at` on, as a function of the prelude gets them.
struct VectorPlace {
  MemoryId memory;
  Ex at;
  bool writes = false;
};

class Builder {
 public:
  Builder(std::string symbol, Target target, int threads);

  // ---- arguments, in order
  MemoryId buffer(const std::string& name, ElementType element, Access access,
                  std::vector<std::string> shape);
  Ex size(const std::string& name);    // i64 inside the kernel, std::int32_t outside
  Ex scalar(const std::string& name);  // f32

  // ---- values
  Ex i64(std::int64_t value);
  Ex f32(double value);
  Ex truth(bool value);
  Ex lowest_score();
  Ex where(Place place);  // i64
  Ex load(MemoryId memory, Ex index);
  Ex call(Helper helper, std::vector<Ex> arguments);
  // Over the aligned group of so many lanes to which the lane belongs.
  Ex reduce(ReduceOperator op, Ex operand, int lanes = 32);
  // What lane `from` of the lane's group has, a real.
  Ex pick(Ex operand, Ex from, int lanes);
  // The same where all groups of the warp come together.
  Ex reduce_together(ReduceOperator op, Ex operand, int lanes);
  Ex select(Ex condition, Ex yes, Ex no);
  Ex unary(UnaryOperator op, Ex operand);
  Ex binary(BinaryOperator op, Ex left, Ex right);

  // ---- statements; names are made unique by a number where they repeat
  void comment(std::string text);
  Ex let(const std::string& name, Ex value);
  Var variable(const std::string& name, Ex initial);
  void assign(Var variable, Ex value);
  MemoryId array(const std::string& name, Type type, int length, bool shared = false);
  // Shared reals, of which vectors are moved.
  MemoryId array_of_vectors(const std::string& name, int length);
  // Shared memory of the length that the launch gives, once per kernel.
  MemoryId dynamic_array(const std::string& name, ElementType element);
  // What lies in it from element `from` on, as reals; the place is a multiple of sixteen bytes.
  MemoryId rest_of_dynamic_array(const std::string& name, Ex from);
  // `yes` where the condition holds, else `no`; both buffers, of one element.
  MemoryId choose(const std::string& name, Ex condition, MemoryId yes, MemoryId no);
  void store(MemoryId memory, Ex index, Ex value);
  // A name of the prelude's that works on vectors; `invoke_let` keeps its result.
  using VectorArgument = std::variant<Ex, VectorPlace>;
  void invoke(const std::string& callee, const std::vector<VectorArgument>& arguments);
  Ex invoke_let(const std::string& name, Type type, const std::string& callee,
                const std::vector<VectorArgument>& arguments);
  // `count` neighbouring elements, a power of two, into a private array of reals from its element
  // `first` on, sixteen bytes at a time; `at` is a multiple of as many as are moved at once. And
  // back.
  void load_vector(MemoryId to, int first, MemoryId from, Ex at, int count);
  void store_vector(MemoryId to, Ex at, MemoryId from, int first, int count);
  std::string unique_name(const std::string& name) { return unique(name); }
  void loop(const std::string& name, Ex begin, Ex end, Ex step, LoopKind kind,
            const std::function<void(Ex)>& body);
  void loop(const std::string& name, Ex begin, Ex end, const std::function<void(Ex)>& body) {
    loop(name, begin, end, i64(1), LoopKind::kSerial, body);
  }
  void repeat_while(Ex condition, const std::function<void()>& body);
  void when(Ex condition, const std::function<void()>& body,
            const std::function<void()>& otherwise = {});
  void barrier();
  // cpu only: working memory, and what the prelude does with rows.
  MemoryId reserve(const std::string& name, Type type, Ex count);
  Operand at(MemoryId memory, Ex index) const { return Address{memory, index.id()}; }
  Operand at(MemoryId memory) { return at(memory, i64(0)); }
  void perform(Procedure procedure, int channels, std::vector<Operand> operands);
  Ex perform(const std::string& name, Procedure procedure, int channels,
             std::vector<Operand> operands);

  void side_by_side(int blocks) { kernel_.side_by_side = blocks; }
  void summary(std::vector<std::string> lines) { kernel_.summary = std::move(lines); }
  const Kernel& kernel() const { return kernel_; }
  Kernel take() { return std::move(kernel_); }

 private:
  friend class Var;
  ValueId read(VariableId variable);
  std::vector<std::variant<ValueId, VectorAt>> lowered(
      const std::vector<VectorArgument>& arguments) const;
  std::optional<std::int64_t> literal(Ex ex) const;
  std::optional<Ex> fold(BinaryOperator op, Ex left, Ex right);
  Ex value(decltype(Value::node) node, Type type);
  VariableId add_variable(const std::string& name, Type type, bool changes, bool argument);
  std::string unique(const std::string& name);
  template <typename Node>
  void append(Node node) {
    bodies_.back()->push_back(Statement{std::move(node)});
  }
  Body collect(const std::function<void()>& body);

  Kernel kernel_;
  std::vector<std::string> names_;
  std::vector<Body*> bodies_;
  int reserved_ = 0;
};

Ex operator+(Ex a, Ex b);
Ex operator-(Ex a, Ex b);
Ex operator*(Ex a, Ex b);
Ex operator/(Ex a, Ex b);
Ex operator%(Ex a, Ex b);
Ex operator<(Ex a, Ex b);
Ex operator<=(Ex a, Ex b);
Ex operator>(Ex a, Ex b);
Ex operator>=(Ex a, Ex b);
Ex equal(Ex a, Ex b);
Ex not_equal(Ex a, Ex b);
Ex both(Ex a, Ex b);
Ex either(Ex a, Ex b);
Ex negated(Ex a);  // logical

inline Ex operator+(Ex a, std::int64_t b) { return a + a.builder().i64(b); }
inline Ex operator-(Ex a, std::int64_t b) { return a - a.builder().i64(b); }
inline Ex operator*(Ex a, std::int64_t b) { return a * a.builder().i64(b); }
inline Ex operator/(Ex a, std::int64_t b) { return a / a.builder().i64(b); }
inline Ex operator%(Ex a, std::int64_t b) { return a % a.builder().i64(b); }
inline Ex operator<(Ex a, std::int64_t b) { return a < a.builder().i64(b); }
inline Ex operator>(Ex a, std::int64_t b) { return a > a.builder().i64(b); }
inline Ex operator>=(Ex a, std::int64_t b) { return a >= a.builder().i64(b); }

}  // namespace heddle::ir
