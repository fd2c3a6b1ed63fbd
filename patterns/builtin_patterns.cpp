// SPDX-License-Identifier: Apache-2.0
#include "patterns/builtin_patterns.hpp"

#include <algorithm>

namespace heddle {

// Generated from library/*.heddle at build time, in the order of their names.
extern const std::vector<BuiltinPattern> kEmbeddedLibrary;

namespace {

// The order of the paper's table: dense reading first, then recurrences, then designed patterns.
constexpr std::string_view kOrder[] = {
    "attention",      "local_attention",   "strided_attention",  "log_attention",
    "sqrt_attention", "linear_recurrence", "order_k_recurrence", "dense_recurrence",
    "chacal",         "log_recurrence",    "sqrt_recurrence",    "fibonacci_recurrence",
    "log_cached",     "sqrt_cached",       "fibonacci_cached",   "linear_attention"};

}  // namespace

const std::vector<BuiltinPattern>& builtin_patterns() {
  static const std::vector<BuiltinPattern> kSorted = [] {
    std::vector<BuiltinPattern> list = kEmbeddedLibrary;
    const auto rank = [](const BuiltinPattern& pattern) {
      return std::find(std::begin(kOrder), std::end(kOrder), pattern.name) - std::begin(kOrder);
    };
    std::stable_sort(
        list.begin(), list.end(),
        [&](const BuiltinPattern& a, const BuiltinPattern& b) { return rank(a) < rank(b); });
    return list;
  }();
  return kSorted;
}

const BuiltinPattern* find_builtin(std::string_view name) {
  for (const BuiltinPattern& pattern : builtin_patterns()) {
    if (pattern.name == name) return &pattern;
  }
  return nullptr;
}

Source source_of(const BuiltinPattern& pattern) {
  return {"<built-in>/" + std::string(pattern.name) + ".heddle", std::string(pattern.text)};
}

}  // namespace heddle
