// SPDX-License-Identifier: Apache-2.0
#include "runtime/reference/gradient_state.hpp"

#include <algorithm>
#include <tuple>

namespace heddle {

StateRows state_rows(const std::string& side, CacheRetention keep, const Sizes& all,
                     std::int64_t start, std::int64_t slots, const StatePositions& positions) {
  StateRows rows;
  rows.side = side;
  rows.value = side == "a" ? "dx" : "dy";
  rows.key = side == "a" ? "dk" : "dk_b";
  rows.row = all.head_dim;
  if (keep == CacheRetention::kNone) return rows;
  rows.cells = all.batch * slots * all.heads * all.head_dim;
  const bool by_position = keep == CacheRetention::kNextRow;
  for (std::int64_t bh = 0; bh < all.batch * all.heads; ++bh) {
    const std::int64_t b = bh / all.heads, h = bh % all.heads;
    for (std::int64_t slot = 0; slot < slots; ++slot) {
      const auto note = [&](std::int64_t p, std::int64_t last, auto& list) {
        if (p < 1 || p > last) return;
        list.emplace_back(((b * all.tokens + p - 1) * all.heads + h) * all.head_dim,
                          ((b * slots + slot) * all.heads + h) * all.head_dim);
      };
      const std::int64_t at = bh * slots + slot;
      note(by_position ? positions.initial(at) : slot + 1, start, rows.before);
      note(by_position ? positions.final(at) : slot + 1, all.tokens, rows.after);
    }
  }
  return rows;
}

Result<GradientState> GradientState::draw(const Problem& problem, const Rows& rows,
                                          const std::vector<double>& output,
                                          const StateLayouts& layouts, std::uint64_t seed) {
  GradientState drawn;
  drawn.start = layouts.start;
  drawn.all = drawn.launch = problem.sizes;
  drawn.launch.start = layouts.start;
  drawn.launch.tokens = problem.sizes.tokens - layouts.start;
  const std::tuple<const char*, const CacheLayout*, std::int64_t*> layouts_of[] = {
      {"a", &layouts.cache_a, &drawn.launch.slots_a},
      {"b", &layouts.cache_b, &drawn.launch.slots_b}};
  for (const auto& [side, layout, slots] : layouts_of) {
    const Result<std::int64_t> needed =
        layout->slots(std::max(problem.sizes.tokens, layouts.longest));
    if (!needed) return needed.error();
    const std::int64_t spare = *side == 'a' ? layouts.spare : spare_of_b(layouts.spare);
    *slots = *needed + (layout->retention == CacheRetention::kNone ? 0 : spare);
  }
  const bool matrix = problem.weights == WeightMode::kLinear;
  const StateSource source{
      problem,         rows,
      layouts.cache_a, layouts.cache_b,
      output,          matrix ? reference_state(problem, layouts.start) : std::vector<double>{}};
  const auto state = [&](std::int64_t tokens, std::uint64_t own_seed) {
    return make_state(source, tokens, drawn.launch.slots_a, drawn.launch.slots_b, own_seed);
  };
  Result<HostBuffers> initial = state(layouts.start, seed);
  if (!initial) return initial.error();
  const Result<HostBuffers> left = state(problem.sizes.tokens, seed + 1);
  if (!left) return left.error();
  for (auto& [name, buffer] : *initial) {
    if (buffer.type() == ElementType::kI32) {
      drawn.buffers.emplace("final_" + name, left->at(name));
    } else {
      for (const char* prefix : {"dfinal_", "dinitial_"}) {
        drawn.buffers.emplace(prefix + name, HostBuffer(ElementType::kF32, buffer.shape()));
      }
    }
    drawn.buffers.emplace("initial_" + name, std::move(buffer));
  }
  RandomSource random(seed + 2);
  if (matrix) {
    HostBuffer& gradient = drawn.buffers.at("dfinal_state");
    for (std::int64_t e = 0; e < gradient.count(); ++e) {
      gradient.set(e, random.normal());
      drawn.handed["dstate"].push_back(gradient.get(e));
    }
    return drawn;
  }
  const bool keyed = problem.weights == WeightMode::kSoftmax;
  for (const auto& [side, layout, slots] : layouts_of) {
    const auto positions = [&, name = std::string(side) + "_pos"](const char* when) {
      return [&drawn, whole = when + name](std::int64_t at) {
        return static_cast<std::int64_t>(drawn.buffers.at(whole).get(at));
      };
    };
    drawn.sides.push_back(state_rows(side, layout->retention, drawn.all, drawn.start, *slots,
                                     {positions("initial_"), positions("final_")}));
    const StateRows& held = drawn.sides.back();
    for (const auto& [suffix, gradient] : {std::pair("_val", held.value), {"_key", held.key}}) {
      if (gradient == held.key && !keyed) continue;
      std::vector<double>& by_position = drawn.handed[gradient];
      by_position.resize(static_cast<std::size_t>(problem.inputs.at("x").count()));
      if (held.empty()) continue;
      HostBuffer& by_slot = drawn.buffers.at("dfinal_" + held.side + suffix);
      for (const auto& [position, slot] : held.after) {
        for (std::int64_t c = 0; c < held.row; ++c) {
          by_slot.set(slot + c, random.normal());
          by_position[static_cast<std::size_t>(position + c)] = by_slot.get(slot + c);
        }
      }
    }
  }
  return drawn;
}

HeadState GradientState::of_head(const Sizes& sizes, std::int64_t batch, std::int64_t head) const {
  HeadState own;
  own.start = start;
  if (const auto matrices = handed.find("dstate"); matrices != handed.end()) {
    const std::int64_t cells = sizes.state_dim * sizes.head_dim;
    const auto from = matrices->second.begin() + (batch * sizes.heads + head) * cells;
    own.dstate.assign(from, from + cells);
    return own;
  }
  const auto part = [&](const char* name) {
    std::vector<double> values;
    const auto found = handed.find(name);
    if (found == handed.end()) return values;
    for (std::int64_t t = 0; t < sizes.tokens; ++t) {
      const auto from = found->second.begin() +
                        ((batch * sizes.tokens + t) * sizes.heads + head) * sizes.head_dim;
      values.insert(values.end(), from, from + sizes.head_dim);
    }
    return values;
  };
  own.dx = part("dx");
  own.dy = part("dy");
  own.dk = part("dk");
  own.dk_b = part("dk_b");
  return own;
}

}  // namespace heddle
