// SPDX-License-Identifier: Apache-2.0
// The float64 oracle of the gradients, row by row from the last to the first. The same walk gives
// their magnitudes, with absolute values everywhere.
#include <Eigen/Core>
#include <cmath>

#include "runtime/reference/reference.hpp"

namespace heddle {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix matrix_of(const std::vector<double>& values, std::int64_t rows, std::int64_t columns) {
  assert_that(static_cast<std::int64_t>(values.size()) == rows * columns, "extents of a matrix");
  return Eigen::Map<const Matrix>(values.data(), rows, columns);
}

std::vector<double> values_of(const Matrix& matrix) {
  return {matrix.data(), matrix.data() + matrix.size()};
}

std::vector<double> absolute(std::vector<double> values) {
  for (double& value : values) value = std::fabs(value);
  return values;
}

// Softmax and given weights.
class RowsBackward {
 public:
  RowsBackward(const HeadInputs& inputs, const Rows& rows, const std::vector<double>& dy,
               bool magnitudes, const HeadState* state)
      : inputs_(inputs), rows_(rows), magnitudes_(magnitudes) {
    const std::int64_t n = inputs.tokens;
    x_ = matrix_of(sized(inputs.x), n, inputs.head_dim);
    y_ = matrix_of(forward(), n, inputs.head_dim);
    lambda_ = matrix_of(sized(dy), n, inputs.head_dim);
    dx_ = Matrix::Zero(n, inputs.head_dim);
    if (softmax()) {
      q_ = matrix_of(sized(inputs.q), n, inputs.query_dim);
      k_ = matrix_of(sized(inputs.k), n, inputs.query_dim);
      dq_ = dk_ = dk_b_ = Matrix::Zero(n, inputs.query_dim);
    }
    if (state != nullptr) begin_with(*state);
    gradients_.dcoef_a.resize(inputs.coef_a.size());
    gradients_.dcoef_b.resize(inputs.coef_b.size());
  }

  HeadGradients run() {
    // Rows above i are done, so lambda_i = dy_i + sum over i' > i of B[i', i] lambda_i' is
    // complete.
    for (std::int64_t i = inputs_.tokens; i > start_; --i) row(i);
    if (softmax()) {
      dk_.bottomRows(inputs_.tokens - start_) += dk_b_.bottomRows(inputs_.tokens - start_);
    }
    gradients_.dx = values_of(dx_);
    gradients_.dq = values_of(dq_);
    gradients_.dk = values_of(dk_);
    gradients_.dy = values_of(lambda_);
    gradients_.dk_b = values_of(dk_b_);
    return std::move(gradients_);
  }

 private:
  bool softmax() const { return inputs_.weights == WeightMode::kSoftmax; }
  std::vector<double> sized(const std::vector<double>& values) const {
    return magnitudes_ ? absolute(values) : values;
  }
  void begin_with(const HeadState& state) {
    const std::int64_t n = inputs_.tokens;
    start_ = state.start;
    lambda_ += matrix_of(sized(state.dy), n, inputs_.head_dim);
    dx_ = matrix_of(sized(state.dx), n, inputs_.head_dim);
    if (!softmax()) return;
    dk_ = matrix_of(sized(state.dk), n, inputs_.query_dim);
    dk_b_ = matrix_of(sized(state.dk_b), n, inputs_.query_dim);
  }
  RowCoefficients coefficients(std::int64_t i) const {
    RowCoefficients row = row_coefficients(inputs_, rows_, i);
    return {sized(row.a), sized(row.b)};
  }

  std::vector<double> forward() const {
    if (!magnitudes_) return reference_head(inputs_, rows_);
    Matrix y = Matrix::Zero(inputs_.tokens, inputs_.head_dim);
    for (std::int64_t i = 1; i <= inputs_.tokens; ++i) {
      const RowCoefficients row = coefficients(i);
      std::size_t entry = 0;
      for_each_position(rows_.a, i,
                        [&](std::int64_t j) { y.row(i - 1) += row.a[entry++] * x_.row(j - 1); });
      entry = 0;
      for_each_position(rows_.b, i,
                        [&](std::int64_t j) { y.row(i - 1) += row.b[entry++] * y.row(j - 1); });
    }
    return values_of(y);
  }

  void row(std::int64_t i) {
    const RowCoefficients row = coefficients(i);
    std::vector<double> da;
    std::vector<double> db;
    std::size_t entry = 0;
    for_each_position(rows_.a, i, [&](std::int64_t j) {
      da.push_back(lambda_.row(i - 1).dot(x_.row(j - 1)));
      dx_.row(j - 1) += row.a[entry++] * lambda_.row(i - 1);
    });
    entry = 0;
    for_each_position(rows_.b, i, [&](std::int64_t j) {
      db.push_back(lambda_.row(i - 1).dot(y_.row(j - 1)));
      lambda_.row(j - 1) += row.b[entry++] * lambda_.row(i - 1);
    });
    if (!softmax()) {
      std::copy(da.rbegin(), da.rend(), gradients_.dcoef_a.begin() + (i - 1) * inputs_.width_a);
      std::copy(db.rbegin(), db.rend(), gradients_.dcoef_b.begin() + (i - 1) * inputs_.width_b);
      return;
    }
    // ds_e = p_e (dp_e - sum over e' of p_e' dp_e')
    double mean = 0.0;
    for (std::size_t e = 0; e < da.size(); ++e) mean += row.a[e] * da[e];
    for (std::size_t e = 0; e < db.size(); ++e) mean += row.b[e] * db[e];
    if (magnitudes_) mean = -mean;
    const auto through_logits = [&](const RowTable& table, const std::vector<double>& p,
                                    const std::vector<double>& dp, Matrix& dk) {
      std::size_t e = 0;
      for_each_position(table, i, [&](std::int64_t j) {
        const double ds = inputs_.scale * p[e] * (dp[e] - mean);
        dq_.row(i - 1) += ds * k_.row(j - 1);
        dk.row(j - 1) += ds * q_.row(i - 1);
        ++e;
      });
    };
    through_logits(rows_.a, row.a, da, dk_);
    through_logits(rows_.b, row.b, db, dk_b_);
  }

  const HeadInputs& inputs_;
  const Rows& rows_;
  bool magnitudes_;
  Matrix x_, y_, q_, k_;
  Matrix lambda_, dx_, dq_, dk_, dk_b_;  // dk_b_: of keys that B reads
  std::int64_t start_ = 0;
  HeadGradients gradients_;
};

HeadGradients linear_gradients(const HeadInputs& inputs, const std::vector<double>& dy,
                               const HeadState& between) {
  const std::int64_t n = inputs.tokens;
  const Matrix q = matrix_of(inputs.q, n, inputs.query_dim);
  const Matrix k = matrix_of(inputs.k, n, inputs.query_dim);
  const Matrix x = matrix_of(inputs.x, n, inputs.head_dim);
  const Matrix out = matrix_of(dy, n, inputs.head_dim);
  std::vector<Matrix> states{Matrix::Zero(inputs.query_dim, inputs.head_dim)};  // before token i
  const auto decayed = [&](const Matrix& state, std::int64_t i) -> Matrix {
    const std::vector<double> gates = row_gates(inputs, i);
    return Eigen::Map<const Eigen::VectorXd>(gates.data(), inputs.query_dim).asDiagonal() * state;
  };
  for (std::int64_t i = 0; i < n; ++i) {
    states.push_back(decayed(states.back(), i) + k.row(i).transpose() * x.row(i));
  }
  HeadGradients gradients;
  gradients.dgate.resize(inputs.gate.size());
  Matrix dq = Matrix::Zero(n, inputs.query_dim), dk = dq;
  Matrix dx = Matrix::Zero(n, inputs.head_dim);
  Matrix g = Matrix::Zero(inputs.query_dim, inputs.head_dim);
  if (!between.dstate.empty()) g = matrix_of(between.dstate, inputs.query_dim, inputs.head_dim);
  for (std::int64_t i = n - 1; i >= between.start; --i) {
    const auto at = static_cast<std::size_t>(i);
    g += q.row(i).transpose() * out.row(i);
    dq.row(i) = states[at + 1] * out.row(i).transpose();
    dk.row(i) = g * x.row(i).transpose();
    dx.row(i) = g.transpose() * k.row(i).transpose();
    const Eigen::VectorXd of_rows = g.cwiseProduct(states[at]).rowwise().sum();
    for (std::int64_t s = 0; s < inputs.query_dim; ++s) {
      gradients.dgate[at * static_cast<std::size_t>(inputs.gates) +
                      static_cast<std::size_t>(s % inputs.gates)] += of_rows[s];
    }
    g = decayed(g, i);
  }
  gradients.dx = values_of(dx);
  gradients.dq = values_of(dq);
  gradients.dk = values_of(dk);
  gradients.dstate = values_of(g);
  return gradients;
}

HeadGradients matrix_gradients(const HeadInputs& inputs, const Rows& rows,
                               const std::vector<double>& dy) {
  const std::int64_t n = inputs.tokens, rank = inputs.query_dim;
  const Matrix q = matrix_of(inputs.q, n, rank), k = matrix_of(inputs.k, n, rank);
  const Matrix all_dy = matrix_of(dy, n, inputs.head_dim);
  Matrix dq = Matrix::Zero(n, rank), dk = dq, dx = Matrix::Zero(n, inputs.head_dim);
  HeadGradients gradients;
  gradients.dcoef_b.resize(inputs.coef_b.size());
  by_columns(inputs, [&](std::int64_t first, const HeadInputs& some) {
    const std::int64_t d = some.head_dim;
    const auto state_at = [&](std::vector<double>& states, std::int64_t i) {
      return Eigen::Map<Matrix>(states.data() + i * rank * d, rank, d);
    };
    const Matrix x = matrix_of(some.x, n, d);
    const Matrix out = all_dy.middleCols(first, d);
    const HeadInputs channels = by_state(some, rows);
    std::vector<double> states = reference_head(channels, rows);
    std::vector<double> read(states.size());  // what read-outs alone make of the gradient
    for (std::int64_t i = 0; i < n; ++i) {
      state_at(read, i) = q.row(i).transpose() * out.row(i);
      dq.row(i) += state_at(states, i) * out.row(i).transpose();
    }
    HeadGradients of_states = RowsBackward(channels, rows, read, false, nullptr).run();
    for (std::int64_t i = 0; i < n; ++i) {
      const auto g = state_at(of_states.dx, i);
      dk.row(i) += g * x.row(i).transpose();
      dx.row(i).segment(first, d) = g.transpose() * k.row(i).transpose();
    }
    for (std::size_t e = 0; e < gradients.dcoef_b.size(); ++e) {
      gradients.dcoef_b[e] += of_states.dcoef_b[e];
    }
  });
  gradients.dx = values_of(dx);
  gradients.dq = values_of(dq);
  gradients.dk = values_of(dk);
  return gradients;
}

}  // namespace

HeadGradients reference_gradients(const HeadInputs& inputs, const Rows& rows,
                                  const std::vector<double>& dy, const HeadState* state) {
  if (inputs.weights == WeightMode::kLinear) {
    return linear_gradients(inputs, dy, state == nullptr ? HeadState{} : *state);
  }
  if (inputs.weights == WeightMode::kMatrix) {
    assert_that(state == nullptr, "a whole sequence");
    return matrix_gradients(inputs, rows, dy);
  }
  return RowsBackward(inputs, rows, dy, false, state).run();
}

HeadGradients gradient_magnitudes(const HeadInputs& inputs, const Rows& rows,
                                  const std::vector<double>& dy, const HeadState* state) {
  if (inputs.weights == WeightMode::kSoftmax || inputs.weights == WeightMode::kGiven) {
    return RowsBackward(inputs, rows, dy, true, state).run();
  }
  HeadInputs positive = inputs;
  for (std::vector<double>* values :
       {&positive.q, &positive.k, &positive.x, &positive.gate, &positive.coef_b}) {
    *values = absolute(std::move(*values));
  }
  if (inputs.weights == WeightMode::kMatrix) {
    return matrix_gradients(positive, rows, absolute(dy));
  }
  HeadState between = state == nullptr ? HeadState{} : *state;
  between.dstate = absolute(std::move(between.dstate));
  return linear_gradients(positive, absolute(dy), between);
}

}  // namespace heddle
