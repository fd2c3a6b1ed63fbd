// SPDX-License-Identifier: Apache-2.0
// Result<T> carries an expected failure; assert_that and unreachable stop on a bug of ours, in
// every build. The user's mistakes go through Diagnostics instead.
#pragma once

#include <optional>
#include <source_location>
#include <string>
#include <utility>
#include <variant>

namespace heddle {

// Why something could not be done, as one lower-case sentence without a full stop.
struct Error {
  std::string message;
  // A program, a file or the time for it was missing: nothing is said of what was given.
  bool of_the_machine = false;
};

inline Error machine_error(std::string message) { return {std::move(message), true}; }

[[noreturn]] void fail_assertion(const char* what, std::source_location where);

inline void assert_that(bool condition, const char* what,
                        std::source_location where = std::source_location::current()) {
  if (!condition) fail_assertion(what, where);
}

[[noreturn]] inline void unreachable(const char* what,
                                     std::source_location where = std::source_location::current()) {
  fail_assertion(what, where);
}

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    assert_that(ok(), "value() of a failed Result");
    return std::get<0>(state_);
  }
  const T& value() const& {
    assert_that(ok(), "value() of a failed Result");
    return std::get<0>(state_);
  }
  T&& value() && {
    assert_that(ok(), "value() of a failed Result");
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const {
    assert_that(!ok(), "error() of a Result that holds a value");
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Error> state_;
};

// match(variant, cases...): std::visit over an exhaustive set of lambdas.
template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

template <typename Variant, typename... Cases>
decltype(auto) match(Variant&& value, Cases&&... cases) {
  return std::visit(Overloaded{std::forward<Cases>(cases)...}, std::forward<Variant>(value));
}

}  // namespace heddle
