// SPDX-License-Identifier: Apache-2.0
// Reading expressions: C++'s precedence, and its conversions as far as they leave values alone.
// 32-bit arithmetic other than on literals, and reals mixed with integers, are refused.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "codegen/verify/lift.hpp"

namespace heddle::verify {

// What C++ makes of an expression, finer than ir::Type.
enum class CType { kInt, kIndex, kUnsigned, kFloat, kBool, kBf16, kF16 };
// A real that is stored in two bytes and computed with as a float.
inline bool is_narrow(CType type) { return type == CType::kBf16 || type == CType::kF16; }

struct Typed {
  ir::ValueId id;
  CType type = CType::kIndex;
  std::optional<std::int64_t> literal = std::nullopt;  // of an integer literal, or a few together
};

// Tokens, scopes and the kernel under construction. After the first refusal every token reads as
// the end of the text, so that readers stop by themselves.
class ExpressionReader {
 public:
  ExpressionReader(std::vector<Token> tokens, std::string file)
      : tokens_(std::move(tokens)), file_(std::move(file)) {}

 protected:
  using Symbol = std::variant<ir::VariableId, ir::MemoryId>;

  const Token& peek(std::size_t ahead = 0) const;
  bool is(const char* text, std::size_t ahead = 0) const;
  Token next();
  bool accept(const char* text);
  void expect(const char* text);
  std::string expect_name();
  std::int64_t expect_integer();  // a literal of up to 2^20
  void fail(TextPlace at, const std::string& sentence);
  bool failed() const { return error_.has_value(); }

  Typed expression();  // a whole one, with ?:
  Typed disjunction();
  Typed sum();
  Typed index_of(ir::MemoryId memory);  // of "[...]", an element of `memory`
  ir::ValueId as_index(const Typed& value, TextPlace at);
  ir::ValueId as(const Typed& value, CType type, TextPlace at);
  CType element_of(ir::MemoryId memory) const;
  const Symbol* find(const std::string& name) const;
  ir::ValueId make(ir::Type type, decltype(ir::Value::node) node, TextPlace at);

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::string file_;
  std::optional<Error> error_;
  std::vector<std::vector<std::pair<std::string, Symbol>>> scopes_;
  // Arguments that are 32 bits wide until they are copied into an Index.
  std::vector<std::pair<std::string, ir::VariableId>> narrow_arguments_;
  Lifted lifted_;

 private:
  Typed conjunction();
  Typed equality();
  Typed relation();
  Typed product();
  Typed prefix();
  Typed primary();
  Typed named(const std::string& name, TextPlace at);
  Typed call(const std::string& name, TextPlace at);
  int lanes_of_group();
  Typed arithmetic(ir::BinaryOperator op, const Typed& left, const Typed& right, TextPlace at);
  Typed compare(ir::BinaryOperator op, const Typed& left, const Typed& right, TextPlace at);
  Typed nothing();
};

}  // namespace heddle::verify
