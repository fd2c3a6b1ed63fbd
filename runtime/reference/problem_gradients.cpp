// SPDX-License-Identifier: Apache-2.0
#include "runtime/reference/problem_gradients.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>
#include <thread>

#include "runtime/reference/by_channel.hpp"
#include "runtime/reference/gradient_state.hpp"
#include "runtime/reference/reference.hpp"

namespace heddle {
namespace {

using Member = std::vector<double> HeadGradients::*;
struct NamedGradient {
  const char* name;
  Member member;
};
constexpr NamedGradient kGradients[] = {
    {"dx", &HeadGradients::dx},           {"dq", &HeadGradients::dq},
    {"dk", &HeadGradients::dk},           {"dcoef_a", &HeadGradients::dcoef_a},
    {"dcoef_b", &HeadGradients::dcoef_b}, {"dgate", &HeadGradients::dgate}};

constexpr NamedGradient kOfState[] = {{"dy", &HeadGradients::dy}, {"dk_b", &HeadGradients::dk_b}};

// Into [batch, tokens, heads, ...] from one head's [tokens, ...].
void place(const Sizes& s, std::int64_t b, std::int64_t h, const std::vector<double>& head,
           std::vector<double>& all) {
  if (s.tokens == 0) return;
  const auto last = static_cast<std::int64_t>(head.size()) / s.tokens;
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    std::copy_n(head.begin() + t * last, last,
                all.begin() + ((b * s.tokens + t) * s.heads + h) * last);
  }
}

// A problem, its y as a forward pass stores it and a dy, and `output`, y unrounded.
Problem posed(const ProblemOptions& options, const Rows& rows, int threads,
              std::vector<double>& output) {
  Problem problem = make_problem(options, rows);
  const Sizes& s = problem.sizes;
  const std::vector<std::int64_t> shape = {s.batch, s.tokens, s.heads, s.head_dim};
  output = reference_output(problem, rows, threads).y;
  HostBuffer y(problem.dtype, shape);
  HostBuffer dy(problem.dtype, shape);
  RandomSource random(options.seed + 7777);
  for (std::int64_t e = 0; e < y.count(); ++e) {
    y.set(e, output[static_cast<std::size_t>(e)]);
    dy.set(e, random.normal());
  }
  problem.inputs.insert_or_assign("y", std::move(y));
  problem.inputs.insert_or_assign("dy", std::move(dy));
  return problem;
}

// Fills in what is expected of the gradients of all tokens; with a state, that of tokens before
// its start means what HeadGradients says, and `dy` and `dk_b` are there, too.
void expect_gradients(GradientProblem& solved, const Rows& rows, int threads,
                      const GradientState* state) {
  const Problem& problem = solved.problem;
  const Sizes& s = problem.sizes;
  const HostBuffer& dy = problem.inputs.at("dy");
  for (const NamedGradient& gradient : kGradients) {
    const auto input = problem.inputs.find(std::string(gradient.name).substr(1));
    if (input == problem.inputs.end()) continue;
    const auto count = static_cast<std::size_t>(input->second.count());
    solved.expected[gradient.name].resize(count);
    solved.magnitude[gradient.name].resize(count);
  }
  const bool matrix = problem.weights == WeightMode::kLinear;
  if (state != nullptr && matrix && state->start > 0) {
    for (auto* gradients : {&solved.expected, &solved.magnitude}) {
      (*gradients)["dinitial_state"].resize(state->handed.at("dstate").size());
    }
  } else if (state != nullptr && !matrix) {
    for (const NamedGradient& gradient : kOfState) {
      if (gradient.member == &HeadGradients::dk_b && !state->keyed()) continue;
      const auto count = static_cast<std::size_t>(dy.count());
      solved.expected[gradient.name].resize(count);
      solved.magnitude[gradient.name].resize(count);
    }
  }

  // Of heads that are solved one by one.
  const Problem heads = by_channel(problem);
  const Sizes& each = heads.sizes;
  std::atomic<std::int64_t> next{0};
  const auto work = [&] {
    for (std::int64_t bh = next++; bh < each.batch * each.heads; bh = next++) {
      const std::int64_t b = bh / each.heads;
      const std::int64_t h = bh % each.heads;
      const HeadInputs inputs = head_inputs(heads, b, h);
      std::vector<double> head_dy;
      for (std::int64_t t = 0; t < each.tokens; ++t) {
        const std::int64_t from = ((b * each.tokens + t) * each.heads + h) * each.head_dim;
        const bool before = state != nullptr && t < state->start;
        for (std::int64_t c = 0; c < each.head_dim; ++c) {
          head_dy.push_back(before ? 0.0 : dy.get(from + c));
        }
      }
      std::optional<HeadState> own;
      if (state != nullptr) own = state->of_head(each, b, h);
      const HeadState* const handed = own ? &*own : nullptr;
      const HeadGradients gradients = reference_gradients(inputs, rows, head_dy, handed);
      const HeadGradients magnitudes = gradient_magnitudes(inputs, rows, head_dy, handed);
      const auto keep = [&](const NamedGradient& gradient) {
        const auto found = solved.expected.find(gradient.name);
        if (found == solved.expected.end()) return;
        place(each, b, h, gradients.*gradient.member, found->second);
        place(each, b, h, magnitudes.*gradient.member, solved.magnitude.at(gradient.name));
      };
      for (const NamedGradient& gradient : kGradients) keep(gradient);
      for (const NamedGradient& gradient : kOfState) keep(gradient);
      for (const auto& [all, of_state] : {std::pair(&solved.expected, &gradients.dstate),
                                          std::pair(&solved.magnitude, &magnitudes.dstate)}) {
        const auto initial = all->find("dinitial_state");
        if (initial == all->end()) continue;
        const auto cells = static_cast<std::int64_t>(of_state->size());
        std::copy(of_state->begin(), of_state->end(), initial->second.begin() + bh * cells);
      }
    }
  };
  std::vector<std::thread> helpers;
  for (int t = 1; t < threads; ++t) helpers.emplace_back(work);
  work();
  for (std::thread& helper : helpers) helper.join();
  if (problem.weights == WeightMode::kGated) {
    for (auto* gradients : {&solved.expected, &solved.magnitude}) {
      for (const auto& [name, width] : {std::pair{"dcoef_a", s.width_a}, {"dcoef_b", s.width_b}}) {
        std::vector<double>& values = gradients->at(name);
        values = from_channels(values, width, s.head_dim);
      }
    }
  }
}

}  // namespace

GradientProblem solve_gradients(const ProblemOptions& options, const Rows& rows, int threads) {
  GradientProblem solved;
  std::vector<double> output;
  solved.problem = posed(options, rows, threads, output);
  solved.launch = solved.problem.sizes;
  expect_gradients(solved, rows, threads, nullptr);
  return solved;
}

Result<GradientProblem> solve_gradients(const ProblemOptions& options, const Rows& rows,
                                        const StateLayouts& layouts) {
  GradientProblem solved;
  std::vector<double> output;
  solved.problem = posed(options, rows, 1, output);
  const Result<GradientState> state =
      GradientState::draw(solved.problem, rows, output, layouts, options.seed + 5555);
  if (!state) return state.error();
  expect_gradients(solved, rows, 1, &*state);
  solved.launch = state->launch;
  solved.state = state->buffers;
  for (auto* gradients : {&solved.expected, &solved.magnitude}) {
    hand_back(state->sides, state->all, state->start, *gradients);
  }
  return solved;
}

Agreement compare_gradient(const GradientProblem& solved, const std::string& name,
                           const HostBuffer& result) {
  const std::vector<double>& expected = solved.expected.at(name);
  const std::vector<double>& magnitude = solved.magnitude.at(name);
  const std::int64_t row = result.shape().size() >= 4 ? result.shape().back() : 1;
  if (result.count() == 0) return {};
  // A slope is the difference of two products with outputs, which are of the problem's type.
  return compare(result, expected, row, magnitude, cancelled_share(solved.problem.dtype));
}

Tolerance gradient_tolerance(ElementType type, double largest_logit) {
  Tolerance tolerance = tolerance_for(type, largest_logit);
  const double logits = 8.0 * largest_logit * 0x1p-23;
  if (type == ElementType::kF32) tolerance.relative = 1e-5 + logits;
  if (type == ElementType::kBF16) tolerance.relative = 1e-2 + logits;
  return tolerance;
}

}  // namespace heddle
