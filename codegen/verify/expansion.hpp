// SPDX-License-Identifier: Apache-2.0
// The loads and stores that the call of a helper stands for, made as statements at its place.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "codegen/verify/lift.hpp"

namespace heddle::verify {

class Expansion;

// A whole number of the expansion, to compute with.
struct Number {
  Expansion* of = nullptr;
  ir::ValueId id;
};
Number operator+(Number a, Number b);
Number operator+(Number a, std::int64_t b);
Number operator*(Number a, Number b);
Number operator*(Number a, std::int64_t b);
Number operator/(Number a, std::int64_t b);
Number operator%(Number a, std::int64_t b);

class Expansion {
 public:
  // `places` has the place of the first statement already, as readers of statements note it.
  Expansion(Lifted& lifted, std::vector<TextPlace>& places, ir::Body& statements, TextPlace at)
      : lifted_(lifted), places_(places), body_(&statements), at_(at) {}

  Number number(std::int64_t value);
  Number value(ir::ValueId id) { return {this, id}; }
  Number lane();  // threadIdx.x % 32

  // Times 0, 1, ..., count - 1.
  void loop(std::int64_t count, const std::function<void(Number)>& body);
  // The elements of a vector that memory moves at once.
  void vector(std::int64_t count, const std::function<void(Number)>& body);

  ir::ValueId load(const ir::VectorAt& place, Number offset);
  Number load_index(const ir::VectorAt& place, Number offset);  // a whole number
  // What goes to a register, and no further.
  void look_at(ir::ValueId loaded);
  void compute(Number value);
  void store(const ir::VectorAt& place, Number offset, ir::ValueId value);
  // What all lanes of the warp give each other, of which nothing is known but that all are there.
  ir::ValueId exchanged(ir::ValueId value);

  ir::ValueId make(ir::Type type, decltype(ir::Value::node) node);

 private:
  void loop(std::int64_t count, ir::LoopKind kind, const std::function<void(Number)>& body);
  void begin();
  ir::VariableId variable(const std::string& name, ir::Type type);
  ir::ValueId at(const ir::VectorAt& place, Number offset);

  Lifted& lifted_;
  std::vector<TextPlace>& places_;
  ir::Body* body_;
  TextPlace at_;
  bool begun_ = false;
};

}  // namespace heddle::verify
