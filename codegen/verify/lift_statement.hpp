// SPDX-License-Identifier: Apache-2.0
// Reading statements: scopes and names, declarations, assignments and branches
// (lift_statement.cpp), loops (lift_loop.cpp), what staged kernels add (lift_copy.cpp), and
// products of matrices (lift_tensor.cpp).
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "codegen/verify/expansion.hpp"
#include "codegen/verify/lift_expression.hpp"

namespace heddle::verify {

class StatementReader : public ExpressionReader {
 public:
  StatementReader(std::vector<Token> tokens, const KernelEntry& entry)
      : ExpressionReader(std::move(tokens), entry.file), entry_(entry) {}

 protected:
  ir::VariableId variable(const std::string& name, ir::Type type, bool changes);
  void declare(const std::string& name, Symbol symbol, TextPlace at);
  void body(ir::Body& statements);

  const KernelEntry& entry_;
  std::vector<TextPlace> places_;  // of statements, in the order in which they begin
  // Calls of helpers on products of matrices, by the places from the first statement of each to
  // behind its last one.
  struct CallOfHelper {
    std::string name;
    std::size_t from, to;
  };
  std::vector<CallOfHelper> calls_;

 private:
  void not_itself(const std::string& name, std::size_t from);
  void block(ir::Body& statements);
  void add(ir::Body& statements, decltype(ir::Statement::node) node);
  void statement(ir::Body& statements);
  std::optional<ir::Type> type_name();
  std::optional<CType> element_name();
  static CType c_type(ir::Type type);
  void declaration(ir::Body& statements);
  void array(ir::Body& statements, bool shared);
  void view(ir::Body& statements);
  std::optional<ir::BufferId> buffer_name();
  void change(ir::Body& statements);
  void store(ir::Body& statements, ir::MemoryId memory, TextPlace at);
  void for_loop(ir::Body& statements, ir::LoopKind kind);
  void other_loop(ir::Body& statements, ir::For loop, const Token& op, TextPlace at);
  void backward_loop(ir::Body& statements, ir::For loop, TextPlace at);
  void while_counting(ir::Body& statements, const ir::For& loop, ir::ValueId condition,
                      TextPlace at);
  void while_stepping(ir::Body& statements, const ir::For& loop, ir::ValueId condition,
                      std::optional<ir::BinaryOperator> op, ir::ValueId value, TextPlace at);
  void require_steady(const ir::For& loop, TextPlace at);
  void while_loop(ir::Body& statements);
  void branch(ir::Body& statements);
  void dynamic_array(ir::Body& statements);
  static bool stores_nothing(const ir::Body& statements);
  void rest_of_dynamic_array(ir::Body& statements);
  void begin_of_vectors();
  bool calls_helper() const;
  void helper(ir::Body& statements);
  std::optional<ir::VectorAt> vector_place(bool writes);
  std::optional<ir::VectorAt> vector_of(std::int64_t count, bool writes);
  std::int64_t alignment_of(ir::MemoryId memory) const;
  std::int32_t whole_of_dynamic() const;
  std::int64_t factor_of(ir::ValueId id) const;
  bool may_write(ir::MemoryId memory) const;
  void copy(ir::Body& statements, bool starts, TextPlace at);
  void clear(ir::Body& statements, TextPlace at);
  std::optional<ir::VectorAt> own_reals(bool writes);
  void load_elements(ir::Body& statements, TextPlace at);
  void store_elements(ir::Body& statements, TextPlace at);
  bool is_tensor_helper(const std::string& name) const;
  void tensor_helper(ir::Body& statements);
  const char* unfit(const ir::VectorAt& place, char letter) const;
};

}  // namespace heddle::verify
