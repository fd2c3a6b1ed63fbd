// SPDX-License-Identifier: Apache-2.0
// Construction and printing of terms.
#include "analyzer/smt/term.hpp"

#include "patterns/result.hpp"

namespace heddle::smt {

struct Term::Node {
  Operation operation;
  std::string name;
  Integer value;
  std::vector<Term> operands;
};

Term::Term(std::int64_t value) : Term(Integer(value)) {}
Term::Term(const Integer& value)
    : node_(std::make_shared<const Node>(Node{Operation::kConstant, {}, value, {}})) {}

Term Term::variable(std::string name) {
  return Term(std::make_shared<const Node>(Node{Operation::kVariable, std::move(name), {}, {}}));
}
Term Term::apply(std::string function, Term argument) {
  return Term(std::make_shared<const Node>(
      Node{Operation::kApply, std::move(function), {}, {std::move(argument)}}));
}
Term Term::make(Operation operation, std::vector<Term> operands) {
  return Term(std::make_shared<const Node>(Node{operation, {}, {}, std::move(operands)}));
}

Operation Term::operation() const { return node_->operation; }
const std::string& Term::name() const { return node_->name; }
const std::vector<Term>& Term::operands() const { return node_->operands; }
const Integer& Term::value() const { return node_->value; }

namespace {

const char* symbol_of(Operation operation) {
  switch (operation) {
    case Operation::kAdd:
      return "+";
    case Operation::kSubtract:
      return "-";
    case Operation::kMultiply:
      return "*";
    case Operation::kIfThenElse:
      return "ite";
    case Operation::kLess:
      return "<";
    case Operation::kLessEqual:
      return "<=";
    case Operation::kEqual:
      return "=";
    case Operation::kAnd:
      return "and";
    case Operation::kOr:
      return "or";
    case Operation::kNot:
      return "not";
    case Operation::kImplies:
      return "=>";
    case Operation::kConstant:
    case Operation::kVariable:
    case Operation::kApply:
      break;
  }
  unreachable("a leaf has no operator symbol");
}

}  // namespace

void Term::write(std::string& text) const {
  if (operation() == Operation::kVariable) {
    text += name();
  } else if (operation() == Operation::kConstant) {
    text += value().sign() < 0 ? "(- " + (-value()).to_string() + ")" : value().to_string();
  } else if (operands().empty()) {
    text += operation() == Operation::kAnd ? "true" : "false";
  } else {
    text += '(';
    text += operation() == Operation::kApply ? name() : symbol_of(operation());
    for (const Term& operand : operands()) {
      text += ' ';
      operand.write(text);
    }
    text += ')';
  }
}

std::string Term::text() const {
  std::string text;
  write(text);
  return text;
}

Term operator+(const Term& a, const Term& b) {
  if (a.is_constant() && b.is_constant()) return Term(a.value() + b.value());
  return Term::make(Operation::kAdd, {a, b});
}
Term operator-(const Term& a, const Term& b) {
  if (a.is_constant() && b.is_constant()) return Term(a.value() - b.value());
  return Term::make(Operation::kSubtract, {a, b});
}
Term operator*(const Term& a, const Term& b) {
  if (a.is_constant() && b.is_constant()) return Term(a.value() * b.value());
  return Term::make(Operation::kMultiply, {a, b});
}
Term operator<(const Term& a, const Term& b) { return Term::make(Operation::kLess, {a, b}); }
Term operator<=(const Term& a, const Term& b) { return Term::make(Operation::kLessEqual, {a, b}); }
Term operator>(const Term& a, const Term& b) { return b < a; }
Term operator>=(const Term& a, const Term& b) { return b <= a; }
Term equal(const Term& a, const Term& b) { return Term::make(Operation::kEqual, {a, b}); }
Term if_then_else(const Term& condition, const Term& yes, const Term& no) {
  return Term::make(Operation::kIfThenElse, {condition, yes, no});
}
Term conjunction(const std::vector<Term>& operands) {
  return operands.size() == 1 ? operands[0] : Term::make(Operation::kAnd, operands);
}
Term disjunction(const std::vector<Term>& operands) {
  return operands.size() == 1 ? operands[0] : Term::make(Operation::kOr, operands);
}
Term negation(const Term& operand) { return Term::make(Operation::kNot, {operand}); }
Term implies(const Term& premise, const Term& conclusion) {
  return Term::make(Operation::kImplies, {premise, conclusion});
}

}  // namespace heddle::smt
