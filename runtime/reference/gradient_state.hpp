// SPDX-License-Identifier: Apache-2.0
// The two states of a backward launch that lies between them: drawn for a problem, as what each
// head has to start from, and as where the gradients of the initial one belong.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/reference/problem_gradients.hpp"
#include "runtime/reference/reference.hpp"

namespace heddle {

// Gradients of numbers of any kind, by name. By position, [batch, tokens, heads, head_dim], those
// of what a state keeps are "dx" and "dk" of side a, "dy" and "dk_b" of side b. Matrix states have
// none of these.
template <typename T>
using GradientsByName = std::map<std::string, std::vector<T>>;

// One side of both states: where channel 0 of what is kept lies by position, and where by slot.
struct StateRows {
  std::string side;   // "a" or "b"
  std::string value;  // the names by position
  std::string key;
  std::int64_t row = 0;    // channels
  std::int64_t cells = 0;  // elements by slot
  std::vector<std::pair<std::int64_t, std::int64_t>> before, after;

  bool empty() const { return cells == 0; }
};
// `all` has the tokens of both the launch and what came before it. The arrays of positions are read
// for kNextRow only.
struct StatePositions {
  std::function<std::int64_t(std::int64_t)> initial, final;
};
StateRows state_rows(const std::string& side, CacheRetention keep, const Sizes& all,
                     std::int64_t start, std::int64_t slots, const StatePositions& positions);

// Of numbers by token, [batch, tokens, ...], those of tokens behind `start`.
template <typename T>
std::vector<T> launched_part(const std::vector<T>& numbers, const Sizes& all, std::int64_t start) {
  std::vector<T> kept;
  if (all.tokens == 0) return kept;
  const auto row = static_cast<std::int64_t>(numbers.size()) / (all.batch * all.tokens);
  for (std::int64_t b = 0; b < all.batch; ++b) {
    const auto first = numbers.begin() + b * all.tokens * row;
    kept.insert(kept.end(), first + start * row, first + all.tokens * row);
  }
  return kept;
}

// From gradients by position of all tokens to those of the launch's tokens and, as dinitial_*, of
// the slots of the initial state, where free ones have none.
template <typename T>
void hand_back(const std::vector<StateRows>& sides, const Sizes& all, std::int64_t start,
               GradientsByName<T>& gradients) {
  for (const StateRows& rows : sides) {
    if (start == 0 || rows.empty()) continue;  // nothing is handed back before the first token
    for (const auto& [suffix, name] : {std::pair("_val", rows.value), {"_key", rows.key}}) {
      const auto by_position = gradients.find(name);
      if (by_position == gradients.end()) continue;
      std::vector<T>& slots = gradients["dinitial_" + rows.side + suffix];
      slots.resize(static_cast<std::size_t>(rows.cells));
      for (const auto& [position, slot] : rows.before) {
        std::copy_n(by_position->second.begin() + position, rows.row, slots.begin() + slot);
      }
    }
  }
  gradients.erase("dy");
  gradients.erase("dk_b");
  for (auto& [name, values] : gradients) {
    if (name.rfind("dinitial_", 0) != 0) values = launched_part(values, all, start);
  }
}

struct GradientState {
  std::int64_t start = 0;
  Sizes all;            // of the problem
  Sizes launch;         // tokens behind the start, and slots
  HostBuffers buffers;  // by their whole names
  std::vector<StateRows> sides;
  // The gradients of the final state by position or, as "dstate", of matrices, [batch, heads,
  // state_dim, head_dim].
  GradientsByName<double> handed;

  // `output` is y of all tokens. Gradients of free slots stay poisoned.
  static Result<GradientState> draw(const Problem& problem, const Rows& rows,
                                    const std::vector<double>& output, const StateLayouts& layouts,
                                    std::uint64_t seed);
  bool keyed() const { return handed.count("dk_b") > 0; }
  // `sizes` may be those of channels that are heads.
  HeadState of_head(const Sizes& sizes, std::int64_t batch, std::int64_t head) const;
};

}  // namespace heddle
