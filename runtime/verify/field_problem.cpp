// SPDX-License-Identifier: Apache-2.0
#include "runtime/verify/field_problem.hpp"

#include <algorithm>
#include <random>

#include "runtime/reference/by_channel.hpp"

namespace heddle {
namespace {

using Word = std::uint64_t;

Word add_p(Word x, Word y) { return add_modulo(x, y, kFieldP); }
Word multiply_p(Word x, Word y) { return multiply_modulo(x, y, kFieldP); }

// Uniform by rejection.
Word below(Word modulus, std::mt19937_64& engine) {
  for (;;) {
    const Word drawn = engine() >> 3U;
    if (drawn < modulus) return drawn;
  }
}
FieldElement draw(std::mt19937_64& engine) {
  const Word value = below(kFieldP, engine);
  return {value, below(kFieldQ, engine)};
}

// One batch and head of a problem: element `channel` of token `token`, both from 0.
class Head {
 public:
  Head(const FieldProblem& problem, std::int64_t batch, std::int64_t head)
      : sizes_(problem.sizes), inputs_(problem.inputs), batch_(batch), head_(head) {}
  const FieldElement& at(const char* name, std::int64_t token, std::int64_t channel,
                         std::int64_t width) const {
    const std::int64_t row = (batch_ * sizes_.tokens + token) * sizes_.heads + head_;
    return inputs_.at(name)[static_cast<std::size_t>(row * width + channel)];
  }

 private:
  const Sizes& sizes_;
  const std::map<std::string, std::vector<FieldElement>>& inputs_;
  std::int64_t batch_;
  std::int64_t head_;
};

std::vector<std::int64_t> descending(const RowTable& table, std::int64_t i) {
  std::vector<std::int64_t> positions;
  for_each_position(table, i, [&](std::int64_t p) { positions.push_back(p); });
  std::sort(positions.rbegin(), positions.rend());
  return positions;
}

// g^(scale q_i . k_j)
Word weight_of(const FieldProblem& problem, const Head& head, std::int64_t i, std::int64_t j) {
  const std::int64_t d = problem.sizes.head_dim;
  Word dot = 0;
  for (std::int64_t c = 0; c < d; ++c) {
    dot = add_modulo(dot,
                     multiply_modulo(head.at("q", i - 1, c, d).exponent,
                                     head.at("k", j - 1, c, d).exponent, kFieldQ),
                     kFieldQ);
  }
  return power_modulo(kFieldGenerator, multiply_modulo(dot, problem.scale.exponent, kFieldQ),
                      kFieldP);
}

// y of one head, [tokens, head_dim].
std::vector<Word> mixed_head(const FieldProblem& problem, const Rows& rows, const Head& head) {
  const Sizes& s = problem.sizes;
  const std::int64_t d = s.head_dim;
  const bool softmax = problem.weights == WeightMode::kSoftmax;
  std::vector<Word> y(static_cast<std::size_t>(s.tokens * d), 0);
  const Word share_a = subtract_modulo(1, problem.gamma.value, kFieldP);
  for (std::int64_t i = 1; i <= s.tokens; ++i) {
    Word* const sum = y.data() + (i - 1) * d;
    Word total = 0;
    for (const bool outputs : {false, true}) {
      const std::vector<std::int64_t> positions = descending(outputs ? rows.b : rows.a, i);
      for (std::size_t entry = 0; entry < positions.size(); ++entry) {
        const std::int64_t j = positions[entry];
        const Word weight =
            softmax ? multiply_p(outputs ? problem.gamma.value : share_a,
                                 weight_of(problem, head, i, j))
                    : head.at(outputs ? "coef_b" : "coef_a", i - 1,
                              static_cast<std::int64_t>(entry), outputs ? s.width_b : s.width_a)
                          .value;
        total = add_p(total, weight);
        for (std::int64_t c = 0; c < d; ++c) {
          const Word value = outputs ? y[static_cast<std::size_t>((j - 1) * d + c)]
                                     : head.at("x", j - 1, c, d).value;
          sum[c] = add_p(sum[c], multiply_p(weight, value));
        }
      }
    }
    if (!softmax) continue;
    const Word inverse = inverse_modulo(total, kFieldP);
    for (std::int64_t c = 0; c < d; ++c) sum[c] = multiply_p(sum[c], inverse);
  }
  return y;
}

// Appends y, [tokens, head_dim], to *y where given; returns the state after `tokens` tokens.
std::vector<Word> linear_head(const FieldProblem& problem, const Head& head, std::int64_t tokens,
                              std::vector<Word>* y) {
  const std::int64_t d = problem.sizes.head_dim;
  const std::int64_t rank = problem.sizes.state_dim;
  std::vector<Word> state(static_cast<std::size_t>(rank * d), 0);
  for (std::int64_t t = 0; t < tokens; ++t) {
    std::vector<Word> out(static_cast<std::size_t>(d), 0);
    for (std::int64_t r = 0; r < rank; ++r) {
      const std::int64_t gates = problem.sizes.gates();
      const Word gate = head.at("gate", t, r % gates, gates).value;
      for (std::int64_t c = 0; c < d; ++c) {
        Word& cell = state[static_cast<std::size_t>(r * d + c)];
        cell = add_p(multiply_p(gate, cell),
                     multiply_p(head.at("k", t, r, rank).value, head.at("x", t, c, d).value));
        Word& sum = out[static_cast<std::size_t>(c)];
        sum = add_p(sum, multiply_p(head.at("q", t, r, rank).value, cell));
      }
    }
    if (y != nullptr) y->insert(y->end(), out.begin(), out.end());
  }
  return state;
}

}  // namespace

FieldProblem make_field_problem(WeightMode weights, const Sizes& sizes, const Rows& rows,
                                std::uint64_t seed) {
  assert_that(rows.n() >= sizes.tokens, "rows reach the problem's last token");
  std::mt19937_64 engine(seed);
  FieldProblem problem;
  problem.weights = weights;
  problem.sizes = sizes;
  Sizes& s = problem.sizes;
  s.start = 0;
  problem.scale = draw(engine);
  problem.gamma = draw(engine);
  const std::int64_t vectors = s.batch * s.tokens * s.heads;
  const auto add = [&](const char* name, std::int64_t width) -> std::vector<FieldElement>& {
    std::vector<FieldElement>& numbers = problem.inputs[name];
    numbers.resize(static_cast<std::size_t>(vectors * width));
    std::generate(numbers.begin(), numbers.end(), [&] { return draw(engine); });
    return numbers;
  };
  add("x", s.head_dim);
  if (!has_coefficients(weights) || weights == WeightMode::kMatrix) {
    const std::int64_t width = has_states(weights) ? s.state_dim : s.head_dim;
    add("q", width);
    add("k", width);
    if (weights == WeightMode::kLinear) add("gate", s.gates());
  }
  if (!has_coefficients(weights)) return problem;
  for (const auto& [name, table, width] :
       {std::tuple("coef_a", &rows.a, &s.width_a), std::tuple("coef_b", &rows.b, &s.width_b)}) {
    if (weights == WeightMode::kMatrix && table == &rows.a) continue;
    for (std::int64_t i = 1; i <= s.tokens; ++i) *width = std::max(*width, table->size(i));
    const std::int64_t of_entry = coefficients_of_entry(weights, s.head_dim);
    const std::int64_t of_row = *width * of_entry;
    std::vector<FieldElement>& numbers = add(name, of_row);
    for (std::int64_t row = 0; row < vectors; ++row) {
      const std::int64_t size = table->size(row / s.heads % s.tokens + 1) * of_entry;
      std::fill(numbers.begin() + row * of_row + size, numbers.begin() + (row + 1) * of_row,
                kFieldPoison);
    }
  }
  return problem;
}

FieldProblem by_channel(const FieldProblem& problem) {
  if (problem.weights != WeightMode::kGated) return problem;
  FieldProblem channels = problem;
  channels.weights = WeightMode::kGiven;
  channels.sizes = by_channel(problem.sizes);
  for (const auto& [name, width] :
       {std::pair{"coef_a", problem.sizes.width_a}, {"coef_b", problem.sizes.width_b}}) {
    channels.inputs.at(name) = to_channels(problem.inputs.at(name), width, problem.sizes.head_dim);
  }
  return channels;
}

FieldProblem by_state(const FieldProblem& problem, const Rows& rows) {
  assert_that(problem.weights == WeightMode::kMatrix, "matrix states");
  const std::int64_t rank = problem.sizes.state_dim, d = problem.sizes.head_dim;
  FieldProblem channels = problem;
  channels.weights = WeightMode::kGiven;
  Sizes& s = channels.sizes;
  s.head_dim = rank * d;
  s.width_a = 0;
  for (std::int64_t i = 1; i <= s.tokens; ++i) s.width_a = std::max(s.width_a, rows.a.size(i));
  const std::vector<FieldElement>& k = problem.inputs.at("k");
  const std::vector<FieldElement>& x = problem.inputs.at("x");
  std::vector<FieldElement>& products = channels.inputs.at("x");
  products.clear();
  for (std::int64_t row = 0; row < s.batch * s.tokens * s.heads; ++row) {
    for (std::int64_t e = 0; e < rank * d; ++e) {
      const Word of_key = k[static_cast<std::size_t>(row * rank + e / d)].value;
      const Word of_input = x[static_cast<std::size_t>(row * d + e % d)].value;
      products.push_back({multiply_p(of_key, of_input), kFieldPoison.exponent});
    }
  }
  channels.inputs.erase("q");
  channels.inputs.erase("k");
  channels.inputs["coef_a"].assign(
      static_cast<std::size_t>(s.batch * s.tokens * s.heads * s.width_a),
      FieldElement{1, kFieldPoison.exponent});
  return channels;
}

std::vector<std::uint64_t> field_states(const FieldProblem& problem, const Rows& rows) {
  return field_output(by_state(problem, rows), rows);
}

std::vector<std::uint64_t> read_states(const FieldProblem& problem,
                                       const std::vector<std::uint64_t>& states) {
  const std::int64_t rank = problem.sizes.state_dim, d = problem.sizes.head_dim;
  const std::vector<FieldElement>& q = problem.inputs.at("q");
  std::vector<Word> y(states.size() / static_cast<std::size_t>(rank), 0);
  for (std::size_t at = 0; at < states.size(); ++at) {
    const auto element = static_cast<std::int64_t>(at);
    const std::int64_t row = element / d;  // of all states
    Word& sum = y[static_cast<std::size_t>(row / rank * d + element % d)];
    sum = add_p(sum, multiply_p(q[static_cast<std::size_t>(row)].value, states[at]));
  }
  return y;
}

std::vector<std::uint64_t> field_output(const FieldProblem& problem, const Rows& rows) {
  if (problem.weights == WeightMode::kGated) return field_output(by_channel(problem), rows);
  if (problem.weights == WeightMode::kMatrix) {
    return read_states(problem, field_states(problem, rows));
  }
  const Sizes& s = problem.sizes;
  std::vector<Word> all(static_cast<std::size_t>(s.batch * s.tokens * s.heads * s.head_dim));
  for (std::int64_t b = 0; b < s.batch; ++b) {
    for (std::int64_t h = 0; h < s.heads; ++h) {
      const Head head(problem, b, h);
      std::vector<Word> y;
      if (problem.weights == WeightMode::kLinear) {
        linear_head(problem, head, s.tokens, &y);
      } else {
        y = mixed_head(problem, rows, head);
      }
      for (std::int64_t t = 0; t < s.tokens; ++t) {
        std::copy_n(y.begin() + t * s.head_dim, s.head_dim,
                    all.begin() + ((b * s.tokens + t) * s.heads + h) * s.head_dim);
      }
    }
  }
  return all;
}

std::vector<std::uint64_t> field_state(const FieldProblem& problem, std::int64_t tokens) {
  assert_that(problem.weights == WeightMode::kLinear && tokens <= problem.sizes.tokens,
              "a state of this problem");
  std::vector<Word> all;
  for (std::int64_t b = 0; b < problem.sizes.batch; ++b) {
    for (std::int64_t h = 0; h < problem.sizes.heads; ++h) {
      const std::vector<Word> state = linear_head(problem, Head(problem, b, h), tokens, nullptr);
      all.insert(all.end(), state.begin(), state.end());
    }
  }
  return all;
}

std::int64_t field_degree(WeightMode weights, std::int64_t tokens) {
  // given, gated: y_i adds one coefficient to an earlier y; linear, matrix: k x q and a gate or a
  // coefficient for every token. softmax: every row multiplies by a weight (gamma and the
  // exponential) and divides by a total.
  return weights == WeightMode::kSoftmax ? 4 * tokens + 1 : tokens + 3;
}

}  // namespace heddle
