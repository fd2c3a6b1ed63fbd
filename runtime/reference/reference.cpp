// SPDX-License-Identifier: Apache-2.0
#include "runtime/reference/reference.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "runtime/reference/by_channel.hpp"

namespace heddle {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixView = Eigen::Map<const Matrix>;
using VectorView = Eigen::Map<const Eigen::VectorXd>;
using MutableVectorView = Eigen::Map<Eigen::VectorXd>;

MatrixView view(const std::vector<double>& values, std::int64_t rows, std::int64_t columns) {
  assert_that(static_cast<std::int64_t>(values.size()) == rows * columns, "extents of a matrix");
  return {values.data(), rows, columns};
}

// take(first row, rows, first entry): the intervals of row i as blocks of consecutive matrix rows.
template <typename Take>
void for_each_block(const RowTable& table, std::int64_t i, Take&& take) {
  std::int64_t entry = 0;
  for (const Interval& interval : table.row(i)) {
    const std::int64_t length = interval.high - interval.low + 1;
    take(interval.low - 1, length, entry);
    entry += length;
  }
}

// scale q_i . k_j + bias for the positions j of row i.
std::vector<double> logits(const HeadInputs& inputs, const RowTable& table, std::int64_t i,
                           double bias) {
  const MatrixView q = view(inputs.q, inputs.tokens, inputs.query_dim);
  const MatrixView k = view(inputs.k, inputs.tokens, inputs.query_dim);
  std::vector<double> values(static_cast<std::size_t>(table.size(i)));
  MutableVectorView all(values.data(), table.size(i));
  for_each_block(table, i, [&](auto first, auto length, auto entry) {
    all.segment(entry, length) =
        inputs.scale * (k.middleRows(first, length) * q.row(i - 1).transpose());
  });
  all.array() += bias;
  return values;
}

std::vector<double> given_coefficients(const std::vector<double>& coefficients, std::int64_t width,
                                       std::int64_t size, std::int64_t i) {
  const auto row = coefficients.begin() + (i - 1) * width;
  std::vector<double> values(row, row + size);
  std::reverse(values.begin(), values.end());  // stored in descending order of position
  return values;
}

// target += sum over the row's positions j of coefficients[j] source_j.
void accumulate(const RowTable& table, std::int64_t i, const std::vector<double>& coefficients,
                const MatrixView& source, Eigen::RowVectorXd& target) {
  const VectorView all(coefficients.data(), static_cast<Eigen::Index>(coefficients.size()));
  for_each_block(table, i, [&](auto first, auto length, auto entry) {
    target.noalias() += all.segment(entry, length).transpose() * source.middleRows(first, length);
  });
}

std::vector<double> linear_head(const HeadInputs& inputs, std::vector<double>* final_state) {
  const MatrixView q = view(inputs.q, inputs.tokens, inputs.query_dim);
  const MatrixView k = view(inputs.k, inputs.tokens, inputs.query_dim);
  const MatrixView x = view(inputs.x, inputs.tokens, inputs.head_dim);
  std::vector<double> y(inputs.x.size());
  Matrix state = Matrix::Zero(inputs.query_dim, inputs.head_dim);
  for (std::int64_t i = 0; i < inputs.tokens; ++i) {
    const std::vector<double> gates = row_gates(inputs, i);
    state.array().colwise() *= VectorView(gates.data(), inputs.query_dim).array();
    state.noalias() += k.row(i).transpose() * x.row(i);
    MutableVectorView(y.data() + i * inputs.head_dim, inputs.head_dim) =
        state.transpose() * q.row(i).transpose();
  }
  if (final_state != nullptr) final_state->assign(state.data(), state.data() + state.size());
  return y;
}

}  // namespace

HeadInputs head_inputs(const Problem& problem, std::int64_t batch, std::int64_t head) {
  assert_that(problem.weights != WeightMode::kGated, "a head of one channel");
  const Sizes& s = problem.sizes;
  HeadInputs inputs;
  inputs.weights = problem.weights;
  inputs.tokens = s.tokens;
  inputs.head_dim = s.head_dim;
  inputs.query_dim = has_states(problem.weights) ? s.state_dim : s.head_dim;
  inputs.gates = s.gates();
  inputs.width_a = s.width_a;
  inputs.width_b = s.width_b;
  inputs.scale = problem.scale;
  inputs.gamma = problem.gamma;
  const auto gather = [&](const char* name, std::int64_t last, std::vector<double>& values) {
    const auto found = problem.inputs.find(name);
    if (found == problem.inputs.end()) return;
    values.reserve(static_cast<std::size_t>(s.tokens * last));
    for (std::int64_t t = 0; t < s.tokens; ++t) {
      const std::int64_t from = ((batch * s.tokens + t) * s.heads + head) * last;
      for (std::int64_t c = 0; c < last; ++c) values.push_back(found->second.get(from + c));
    }
  };
  gather("q", inputs.query_dim, inputs.q);
  gather("k", inputs.query_dim, inputs.k);
  gather("x", s.head_dim, inputs.x);
  gather("coef_a", s.width_a, inputs.coef_a);
  gather("coef_b", s.width_b, inputs.coef_b);
  gather("gate", inputs.gates, inputs.gate);
  return inputs;
}

std::vector<double> row_gates(const HeadInputs& inputs, std::int64_t i) {
  const auto first = inputs.gate.begin() + i * inputs.gates;
  if (inputs.gates == inputs.query_dim) return {first, first + inputs.gates};
  return std::vector<double>(static_cast<std::size_t>(inputs.query_dim), *first);
}

RowCoefficients row_coefficients(const HeadInputs& inputs, const Rows& rows, std::int64_t i) {
  if (inputs.weights == WeightMode::kGiven) {
    return {given_coefficients(inputs.coef_a, inputs.width_a, rows.a.size(i), i),
            given_coefficients(inputs.coef_b, inputs.width_b, rows.b.size(i), i)};
  }
  assert_that(inputs.weights == WeightMode::kSoftmax, "states have no coefficient rows");
  // The side's weight joins the exponent: (1 - gamma) exp(s) = exp(s + log(1 - gamma)).
  RowCoefficients row{logits(inputs, rows.a, i, std::log(1.0 - inputs.gamma)),
                      logits(inputs, rows.b, i, std::log(inputs.gamma))};
  double largest = -INFINITY;
  for (const double s : row.a) largest = std::max(largest, s);
  for (const double s : row.b) largest = std::max(largest, s);
  double sum = 0.0;
  for (std::vector<double>* side : {&row.a, &row.b}) {
    for (double& s : *side) sum += s = std::exp(s - largest);
  }
  for (std::vector<double>* side : {&row.a, &row.b}) {
    for (double& s : *side) s /= sum;
  }
  return row;
}

HeadInputs by_state(const HeadInputs& inputs, const Rows& rows) {
  assert_that(inputs.weights == WeightMode::kMatrix, "matrix states");
  HeadInputs channels = inputs;
  channels.weights = WeightMode::kGiven;
  channels.head_dim = inputs.query_dim * inputs.head_dim;
  channels.query_dim = channels.head_dim;
  channels.x.resize(static_cast<std::size_t>(inputs.tokens * channels.head_dim));
  const MatrixView k = view(inputs.k, inputs.tokens, inputs.query_dim);
  const MatrixView x = view(inputs.x, inputs.tokens, inputs.head_dim);
  for (std::int64_t i = 0; i < inputs.tokens; ++i) {
    Eigen::Map<Matrix>(channels.x.data() + i * channels.head_dim, inputs.query_dim,
                       inputs.head_dim) = k.row(i).transpose() * x.row(i);
  }
  for (std::int64_t i = 1; i <= inputs.tokens; ++i) {
    channels.width_a = std::max(channels.width_a, rows.a.size(i));
  }
  channels.coef_a.assign(static_cast<std::size_t>(inputs.tokens * channels.width_a), 1.0);
  channels.q.clear();
  channels.k.clear();
  return channels;
}

void by_columns(const HeadInputs& inputs,
                const std::function<void(std::int64_t, const HeadInputs&)>& solve) {
  constexpr std::int64_t kRoom = std::int64_t{1} << 22;
  const std::int64_t d = inputs.head_dim;
  const std::int64_t at_once =
      std::clamp(kRoom / (inputs.tokens * inputs.query_dim), std::int64_t{1}, d);
  HeadInputs some = inputs;
  for (std::int64_t first = 0; first < d; first += at_once) {
    some.head_dim = std::min(at_once, d - first);
    some.x.clear();
    for (std::int64_t i = 0; i < inputs.tokens; ++i) {
      const auto row = inputs.x.begin() + i * d + first;
      some.x.insert(some.x.end(), row, row + some.head_dim);
    }
    solve(first, some);
  }
}

namespace {

std::vector<double> matrix_head(const HeadInputs& inputs, const Rows& rows,
                                std::vector<double>* state, const std::vector<std::int64_t>& kept) {
  const std::int64_t d = inputs.head_dim, rank = inputs.query_dim;
  const MatrixView q = view(inputs.q, inputs.tokens, rank);
  std::vector<double> y(inputs.x.size());
  if (state != nullptr) state->assign(kept.size() * static_cast<std::size_t>(rank * d), 0.0);
  by_columns(inputs, [&](std::int64_t first, const HeadInputs& some) {
    const std::int64_t count = some.head_dim;
    const std::vector<double> states = reference_head(by_state(some, rows), rows);
    const auto after = [&](std::int64_t i) {
      return MatrixView(states.data() + (i - 1) * rank * count, rank, count);
    };
    for (std::int64_t i = 1; i <= inputs.tokens; ++i) {
      MutableVectorView(y.data() + (i - 1) * d + first, count) =
          after(i).transpose() * q.row(i - 1).transpose();
    }
    for (std::size_t e = 0; state != nullptr && e < kept.size(); ++e) {
      Eigen::Map<Matrix>(state->data() + static_cast<std::int64_t>(e) * rank * d, rank, d)
          .middleCols(first, count) = after(kept[e]);
    }
  });
  return y;
}

}  // namespace

std::vector<double> reference_head(const HeadInputs& inputs, const Rows& rows,
                                   std::vector<double>* state,
                                   const std::vector<std::int64_t>& kept) {
  if (inputs.weights == WeightMode::kLinear) return linear_head(inputs, state);
  if (inputs.weights == WeightMode::kMatrix) return matrix_head(inputs, rows, state, kept);
  const std::int64_t d = inputs.head_dim;
  const MatrixView x = view(inputs.x, inputs.tokens, d);
  std::vector<double> y(inputs.x.size());
  for (std::int64_t i = 1; i <= inputs.tokens; ++i) {
    const RowCoefficients row = row_coefficients(inputs, rows, i);
    Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(d);
    accumulate(rows.a, i, row.a, x, sum);
    accumulate(rows.b, i, row.b, view(y, inputs.tokens, d), sum);
    std::copy_n(sum.data(), d, y.begin() + (i - 1) * d);
  }
  return y;
}

ReferenceOutput reference_output(const Problem& problem, const Rows& rows, int threads,
                                 const std::vector<std::int64_t>& kept) {
  if (problem.weights == WeightMode::kGated) {
    return reference_output(by_channel(problem), rows, threads);
  }
  const Sizes& s = problem.sizes;
  assert_that(rows.n() >= s.tokens, "rows reach the problem's last token");
  ReferenceOutput output;
  output.y.resize(static_cast<std::size_t>(s.batch * s.tokens * s.heads * s.head_dim));
  // Of every head.
  const std::int64_t states = problem.weights == WeightMode::kLinear   ? 1
                              : problem.weights == WeightMode::kMatrix ? std::ssize(kept)
                                                                       : 0;
  const std::int64_t state_size = s.state_dim * s.head_dim;
  output.state.resize(static_cast<std::size_t>(s.batch * s.heads * states * state_size));

  std::atomic<std::int64_t> next{0};
  const auto work = [&] {
    for (std::int64_t bh = next++; bh < s.batch * s.heads; bh = next++) {
      const std::int64_t b = bh / s.heads;
      const std::int64_t h = bh % s.heads;
      std::vector<double> state;
      const std::vector<double> y = reference_head(head_inputs(problem, b, h), rows, &state, kept);
      for (std::int64_t t = 0; t < s.tokens; ++t) {
        std::copy_n(y.begin() + t * s.head_dim, s.head_dim,
                    output.y.begin() + ((b * s.tokens + t) * s.heads + h) * s.head_dim);
      }
      for (std::int64_t e = 0; e < states; ++e) {
        std::copy_n(state.begin() + e * state_size, state_size,
                    output.state.begin() + ((b * states + e) * s.heads + h) * state_size);
      }
    }
  };
  std::vector<std::thread> helpers;
  for (int t = 1; t < threads; ++t) helpers.emplace_back(work);
  work();
  for (std::thread& helper : helpers) helper.join();
  return output;
}

std::vector<double> reference_state(const Problem& problem, std::int64_t tokens) {
  assert_that(problem.weights == WeightMode::kLinear && tokens <= problem.sizes.tokens,
              "a state of this problem");
  std::vector<double> states;
  for (std::int64_t bh = 0; bh < problem.sizes.batch * problem.sizes.heads; ++bh) {
    HeadInputs inputs = head_inputs(problem, bh / problem.sizes.heads, bh % problem.sizes.heads);
    inputs.tokens = tokens;
    inputs.q.resize(static_cast<std::size_t>(tokens * inputs.query_dim));
    inputs.k.resize(static_cast<std::size_t>(tokens * inputs.query_dim));
    inputs.x.resize(static_cast<std::size_t>(tokens * inputs.head_dim));
    std::vector<double> state;
    linear_head(inputs, &state);
    states.insert(states.end(), state.begin(), state.end());
  }
  return states;
}

}  // namespace heddle
