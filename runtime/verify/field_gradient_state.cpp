// SPDX-License-Identifier: Apache-2.0
#include "runtime/verify/field_gradient_state.hpp"

#include <memory>
#include <random>

#include "runtime/verify/field_session.hpp"

namespace heddle {

Result<FieldGradientState> FieldGradientState::draw(const Manifest& manifest, const Rows& rows,
                                                    const FieldProblem& problem,
                                                    const std::vector<std::uint64_t>& y,
                                                    std::int64_t start, std::int64_t spare,
                                                    std::int64_t longest, std::uint64_t seed) {
  const auto solved = std::make_shared<const SolvedFieldProblem>(SolvedFieldProblem{problem, y});
  const std::int64_t tokens = problem.sizes.tokens;
  // Sequences as forward launches have them: their states are what this lies between.
  const Result<FieldSession> initial =
      FieldSession::begin(manifest, rows, solved, start, spare, seed, longest);
  if (!initial) return initial.error();
  const Result<FieldSession> left =
      FieldSession::begin(manifest, rows, solved, tokens, spare, seed + 1, longest);
  if (!left) return left.error();
  FieldGradientState drawn;
  drawn.state.start = start;
  drawn.launch = initial->sizes_of(tokens - start);
  std::mt19937_64 random(seed + 2);
  for (const auto& [name, buffer] : initial->state()) {
    drawn.buffers.emplace("initial_" + name, buffer);
    if (buffer.integers) {
      drawn.buffers.emplace("final_" + name, left->state().at(name));
      continue;
    }
    FieldBuffer gradient = buffer;
    std::fill(gradient.numbers.begin(), gradient.numbers.end(), kFieldPoison);
    for (const char* prefix : {"dfinal_", "dinitial_"}) {
      drawn.buffers.emplace(prefix + name, gradient);
    }
  }
  if (problem.weights == WeightMode::kLinear) {
    for (FieldElement& number : drawn.buffers.at("dfinal_state").numbers) {
      number = {random() % kFieldP, kFieldPoison.exponent};
      drawn.state.handed["dstate"].push_back(number.value);
    }
    return drawn;
  }
  for (const bool outputs : {false, true}) {
    const std::string side = outputs ? "b" : "a";
    const auto positions = [&](const FieldSession& session) {
      return [&session, name = side + "_pos"](std::int64_t at) {
        return std::int64_t{session.state().at(name).positions[static_cast<std::size_t>(at)]};
      };
    };
    drawn.sides.push_back(
        state_rows(side, (outputs ? manifest.cache_b : manifest.cache_a).retention, problem.sizes,
                   start, outputs ? drawn.launch.slots_b : drawn.launch.slots_a,
                   {positions(*initial), positions(*left)}));
    const StateRows& held = drawn.sides.back();
    for (const auto& [suffix, name] : {std::pair("_val", held.value), {"_key", held.key}}) {
      if (name == held.key && problem.weights != WeightMode::kSoftmax) continue;
      std::vector<std::uint64_t>& by_position = drawn.state.handed[name];
      by_position.resize(y.size());
      if (held.empty()) continue;
      FieldBuffer& by_slot = drawn.buffers.at("dfinal_" + side + suffix);
      for (const auto& [position, slot] : held.after) {
        for (std::int64_t c = 0; c < held.row; ++c) {
          const std::uint64_t value = random() % kFieldP;
          by_position[static_cast<std::size_t>(position + c)] = value;
          by_slot.numbers[static_cast<std::size_t>(slot + c)] = {value, kFieldPoison.exponent};
        }
      }
    }
  }
  return drawn;
}

}  // namespace heddle
