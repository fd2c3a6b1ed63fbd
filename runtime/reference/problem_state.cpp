// SPDX-License-Identifier: Apache-2.0
// Decode states as a prefix would have left them, built from the rows and the oracle's results.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "runtime/reference/problem.hpp"

namespace heddle {

std::vector<std::int64_t> live_positions(CacheRetention retention, const RowTable& table,
                                         std::int64_t tokens) {
  std::vector<std::int64_t> positions;
  if (retention == CacheRetention::kAll) {
    for (std::int64_t p = 1; p <= tokens; ++p) positions.push_back(p);
  } else if (retention == CacheRetention::kNextRow) {
    for_each_position(table, tokens + 1, [&](std::int64_t p) {
      if (p <= tokens) positions.push_back(p);
    });
  }
  return positions;
}

namespace {

struct SideState {
  const char* pos;
  const char* key;
  const char* val;
};

void add_side(const StateSource& source, const CacheLayout& layout, const RowTable& table,
              const SideState& names, bool outputs, std::int64_t tokens, std::int64_t slots,
              RandomSource& random, HostBuffers& state) {
  if (layout.retention == CacheRetention::kNone) return;
  const Problem& problem = source.problem;
  const Sizes& s = problem.sizes;
  const std::vector<std::int64_t> live = live_positions(layout.retention, table, tokens);

  // slot_of[e]: where live[e] goes. A search by position must work whatever the order.
  std::vector<std::int64_t> slot_of(static_cast<std::size_t>(slots));
  for (std::int64_t slot = 0; slot < slots; ++slot) slot_of[static_cast<std::size_t>(slot)] = slot;
  const bool by_position = layout.retention == CacheRetention::kNextRow;
  const auto shuffle = [&] {
    for (std::int64_t last = slots - 1; by_position && last > 0; --last) {
      std::swap(slot_of[static_cast<std::size_t>(last)],
                slot_of[static_cast<std::size_t>(random.below(last + 1))]);
    }
  };

  const bool keyed = problem.weights == WeightMode::kSoftmax;
  const bool matrices = outputs && problem.weights == WeightMode::kMatrix;
  const std::int64_t elements = matrices ? s.state_dim * s.head_dim : s.head_dim;
  HostBuffer pos(ElementType::kI32, {s.batch, s.heads, slots});
  HostBuffer key(problem.dtype, {s.batch, slots, s.heads, s.head_dim});
  HostBuffer val =
      matrices ? HostBuffer(ElementType::kF32, {s.batch, slots, s.heads, s.state_dim, s.head_dim})
               : HostBuffer(problem.dtype, {s.batch, slots, s.heads, s.head_dim});
  const auto kept = static_cast<std::int64_t>(live.size());
  assert_that(!matrices || static_cast<std::int64_t>(source.state.size()) ==
                               s.batch * kept * s.heads * elements,
              "a state for every live position");
  const auto value = [&](std::int64_t b, std::int64_t h, std::int64_t e, std::int64_t c) {
    if (matrices) {
      return source.state[static_cast<std::size_t>(((b * kept + e) * s.heads + h) * elements + c)];
    }
    const std::int64_t token = live[static_cast<std::size_t>(e)] - 1;
    const std::int64_t from = ((b * s.tokens + token) * s.heads + h) * s.head_dim + c;
    return outputs ? source.y[static_cast<std::size_t>(from)] : problem.inputs.at("x").get(from);
  };
  for (std::int64_t b = 0; b < s.batch; ++b) {
    for (std::int64_t h = 0; h < s.heads; ++h) {
      shuffle();
      for (std::int64_t slot = 0; slot < slots; ++slot) {
        pos.set((b * s.heads + h) * slots + slot, 0.0);
      }
      for (std::int64_t e = 0; e < kept; ++e) {
        const std::int64_t slot = slot_of[static_cast<std::size_t>(e)];
        const std::int64_t position = live[static_cast<std::size_t>(e)];
        pos.set((b * s.heads + h) * slots + slot, static_cast<double>(position));
        const std::int64_t to = ((b * slots + slot) * s.heads + h) * elements;
        const std::int64_t from = ((b * s.tokens + position - 1) * s.heads + h) * s.head_dim;
        for (std::int64_t c = 0; c < elements; ++c) {
          if (keyed) key.set(to + c, problem.inputs.at("k").get(from + c));
          val.set(to + c, value(b, h, e, c));
        }
      }
    }
  }
  if (by_position) state.emplace(names.pos, std::move(pos));
  if (keyed) state.emplace(names.key, std::move(key));
  state.emplace(names.val, std::move(val));
}

}  // namespace

Result<HostBuffers> make_state(const StateSource& source, std::int64_t tokens, std::int64_t slots_a,
                               std::int64_t slots_b, std::uint64_t seed) {
  RandomSource random(seed);
  HostBuffers state;
  if (source.problem.weights == WeightMode::kLinear) {
    const Sizes& s = source.problem.sizes;
    HostBuffer matrix(ElementType::kF32, {s.batch, s.heads, s.state_dim, s.head_dim});
    assert_that(static_cast<std::int64_t>(source.state.size()) == matrix.count(),
                "the state has one matrix per batch and head");
    for (std::int64_t e = 0; e < matrix.count(); ++e) {
      matrix.set(e, source.state[static_cast<std::size_t>(e)]);
    }
    state.emplace("state", std::move(matrix));
    return state;
  }
  for (const auto& [layout, table, slots, side] :
       {std::tuple(&source.cache_a, &source.rows.a, slots_a, 'a'),
        std::tuple(&source.cache_b, &source.rows.b, slots_b, 'b')}) {
    const auto live = live_positions(layout->retention, *table, tokens).size();
    if (static_cast<std::int64_t>(live) > slots) {
      return Error{fmt::format("cache {} has {} slots, but {} positions live after token {}", side,
                               slots, live, tokens)};
    }
  }
  add_side(source, source.cache_a, source.rows.a, {"a_pos", "a_key", "a_val"}, false, tokens,
           slots_a, random, state);
  add_side(source, source.cache_b, source.rows.b, {"b_pos", "b_key", "b_val"}, true, tokens,
           slots_b, random, state);
  return state;
}

}  // namespace heddle
