// SPDX-License-Identifier: Apache-2.0
// The oracle against dense linear algebra, against ChaCAL's closed form and against differences.
#include "runtime/reference/reference.hpp"

#include <Eigen/LU>
#include <cmath>

#include "tests/unit/runtime/reference/reference_test_support.hpp"

namespace heddle {
namespace {

using Eigen::MatrixXd;
using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

MatrixXd matrix_of(const std::vector<double>& values, std::int64_t columns) {
  return Eigen::Map<const RowMajor>(values.data(),
                                    static_cast<std::int64_t>(values.size()) / columns, columns);
}

MatrixXd mask_of(const RowTable& table, std::int64_t n) {
  MatrixXd mask = MatrixXd::Zero(n, n);
  for (std::int64_t i = 1; i <= n; ++i) {
    for (std::int64_t j = 1; j <= n; ++j) mask(i - 1, j - 1) = table.contains(i, j) ? 1.0 : 0.0;
  }
  return mask;
}

// (I - B)^-1 A X with a general solver, from whole coefficient matrices.
MatrixXd solved(const MatrixXd& a, const MatrixXd& b, const MatrixXd& x) {
  const MatrixXd left = MatrixXd::Identity(b.rows(), b.cols()) - b;
  return left.partialPivLu().solve(a * x);
}

// The coefficient matrices under softmax, from masks and plain exponentials.
std::pair<MatrixXd, MatrixXd> softmax_matrices(const HeadInputs& in, const Rows& rows) {
  const MatrixXd q = matrix_of(in.q, in.query_dim);
  const MatrixXd k = matrix_of(in.k, in.query_dim);
  const MatrixXd e = (in.scale * q * k.transpose()).array().exp().matrix();
  MatrixXd a = (1.0 - in.gamma) * e.cwiseProduct(mask_of(rows.a, in.tokens));
  MatrixXd b = in.gamma * e.cwiseProduct(mask_of(rows.b, in.tokens));
  for (std::int64_t i = 0; i < in.tokens; ++i) {
    const double sum = a.row(i).sum() + b.row(i).sum();
    if (sum == 0.0) continue;
    a.row(i) /= sum;
    b.row(i) /= sum;
  }
  return {a, b};
}

MatrixXd reference_of(const HeadInputs& inputs, const Rows& rows) {
  return matrix_of(reference_head(inputs, rows), inputs.head_dim);
}

Problem small_problem(WeightMode weights, const Rows& rows, std::int64_t n, std::uint64_t seed,
                      float gamma = 0.5F, bool key_gates = false) {
  ProblemOptions options;
  options.weights = weights;
  options.sizes = {
      .batch = 2, .tokens = n, .heads = 3, .head_dim = 5, .state_dim = 4, .key_gates = key_gates};
  options.gamma = gamma;
  options.seed = seed;
  return make_problem(options, rows);
}

TEST_CASE("the oracle solves (I - B) Y = A X for random patterns") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::int64_t n = 1 + static_cast<std::int64_t>(seed * 7 % 40);
    const Rows rows = test::random_rows(n, 1 + static_cast<std::int64_t>(seed % 5), seed);
    const float gamma = seed % 2 == 0 ? 0.5F : 0.8F;
    const HeadInputs softmax =
        head_inputs(small_problem(WeightMode::kSoftmax, rows, n, seed, gamma), 1, 2);
    const auto [a, b] = softmax_matrices(softmax, rows);
    const MatrixXd x = matrix_of(softmax.x, softmax.head_dim);
    CHECK((reference_of(softmax, rows) - solved(a, b, x)).norm() < 1e-12 * (1.0 + x.norm()));

    const HeadInputs given = head_inputs(small_problem(WeightMode::kGiven, rows, n, seed), 0, 1);
    MatrixXd given_a = MatrixXd::Zero(n, n);
    MatrixXd given_b = MatrixXd::Zero(n, n);
    for (std::int64_t i = 1; i <= n; ++i) {
      std::int64_t e = 0;  // descending positions, one array entry each
      for (std::int64_t j = i; j >= 1; --j) {
        if (rows.a.contains(i, j)) {
          given_a(i - 1, j - 1) =
              given.coef_a[static_cast<std::size_t>((i - 1) * given.width_a + e++)];
        }
      }
      e = 0;
      for (std::int64_t j = i; j >= 1; --j) {
        if (rows.b.contains(i, j)) {
          given_b(i - 1, j - 1) =
              given.coef_b[static_cast<std::size_t>((i - 1) * given.width_b + e++)];
        }
      }
    }
    const MatrixXd given_x = matrix_of(given.x, given.head_dim);
    CHECK((reference_of(given, rows) - solved(given_a, given_b, given_x)).norm() <
          1e-12 * (1.0 + given_x.norm()));
  }
}

TEST_CASE("gated weights mix every channel with coefficients of its own") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const std::int64_t n = 20;
    const Rows rows = test::random_rows(n, 1 + static_cast<std::int64_t>(seed % 4), seed);
    const Problem problem = small_problem(WeightMode::kGated, rows, n, seed);
    const Sizes& s = problem.sizes;
    const std::vector<double> y = reference_output(problem, rows).y;
    // Element (b, t, h, c), and the coefficient of (b, t, h, entry, c), counted out.
    const auto at = [&](std::int64_t b, std::int64_t t, std::int64_t h, std::int64_t c) {
      return ((b * n + t) * s.heads + h) * s.head_dim + c;
    };
    double worst = 0.0;
    for (std::int64_t b = 0; b < s.batch; ++b) {
      for (std::int64_t h = 0; h < s.heads; ++h) {
        for (std::int64_t i = 1; i <= n; ++i) {
          for (std::int64_t c = 0; c < s.head_dim; ++c) {
            double sum = 0.0;
            for (const bool outputs : {false, true}) {
              const HostBuffer& gates = problem.inputs.at(outputs ? "coef_b" : "coef_a");
              const std::int64_t width = outputs ? s.width_b : s.width_a;
              std::int64_t e = 0;  // descending positions, one array entry each
              for (std::int64_t j = i; j >= 1; --j) {
                if (!(outputs ? rows.b : rows.a).contains(i, j)) continue;
                const std::int64_t row = (b * n + i - 1) * s.heads + h;
                const double gate = gates.get((row * width + e++) * s.head_dim + c);
                const std::int64_t from = at(b, j - 1, h, c);
                sum += gate * (outputs ? y[static_cast<std::size_t>(from)]
                                       : problem.inputs.at("x").get(from));
              }
            }
            worst =
                std::max(worst, std::fabs(sum - y[static_cast<std::size_t>(at(b, i - 1, h, c))]));
          }
        }
      }
    }
    CHECK(worst < 1e-12);
  }
}

TEST_CASE("on chacal, gamma = g gives (1 - g) P (I - g P)^-1 V") {
  const std::int64_t n = 50;
  const Rows rows = test::builtin_rows("chacal", n);
  for (const float gamma : {0.1F, 0.5F, 0.9F}) {
    const Problem problem = small_problem(WeightMode::kSoftmax, rows, n, 3, gamma);
    const HeadInputs in = head_inputs(problem, 1, 1);
    MatrixXd p = (in.scale * matrix_of(in.q, 5) * matrix_of(in.k, 5).transpose()).array().exp();
    p.triangularView<Eigen::StrictlyUpper>().setZero();
    for (std::int64_t i = 0; i < n; ++i) p.row(i) /= p.row(i).sum();
    const double g = in.gamma;
    const MatrixXd resolvent = MatrixXd::Identity(n, n) - g * p;
    const MatrixXd expected = (1.0 - g) * p * resolvent.partialPivLu().solve(matrix_of(in.x, 5));
    CHECK((reference_of(in, rows) - expected).norm() < 1e-12 * expected.norm());
  }
}

TEST_CASE("softmax rows sum to 1 and do not overflow") {
  const std::int64_t n = 40;
  const Rows rows = test::builtin_rows("chacal", n);
  for (const Fill fill : {Fill::kNormal, Fill::kLargeLogits, Fill::kEqualLogits, Fill::kOneHuge}) {
    ProblemOptions options;
    options.sizes = {.tokens = n, .head_dim = 8};
    options.fill = fill;
    const Problem problem = make_problem(options, rows);
    const HeadInputs in = head_inputs(problem, 0, 0);
    double largest_logit = 0.0;
    const MatrixXd logits = in.scale * matrix_of(in.q, 8) * matrix_of(in.k, 8).transpose();
    for (std::int64_t i = 1; i <= n; ++i) {
      const RowCoefficients row = row_coefficients(in, rows, i);
      double sum = 0.0;
      for (const double value : row.a) sum += value;
      for (const double value : row.b) sum += value;
      CHECK(sum == Approx(1.0).epsilon(1e-12));
      largest_logit = std::max(largest_logit, logits.row(i - 1).cwiseAbs().maxCoeff());
    }
    if (fill == Fill::kLargeLogits) CHECK(largest_logit == Approx(120.0).epsilon(1e-5));
    if (fill == Fill::kEqualLogits) CHECK(largest_logit == Approx(1.0).epsilon(1e-5));
    if (fill == Fill::kOneHuge) CHECK(largest_logit == Approx(1e4).epsilon(1e-5));
    if (fill != Fill::kOneHuge) CHECK(largest_logit <= problem.largest_logit * (1.0 + 1e-6));
  }
}

TEST_CASE("a row without entries is zero") {
  const Rows rows = test::rows_of(
      3,
      [](std::int64_t i) {
        return i == 2 ? IntervalList{} : IntervalList{{i, i}};
      },
      [](std::int64_t i) {
        return i == 3 ? IntervalList{{2, 2}} : IntervalList{};
      });
  const HeadInputs in = head_inputs(small_problem(WeightMode::kSoftmax, rows, 3, 1), 0, 0);
  const MatrixXd y = reference_of(in, rows);
  CHECK(y.row(1).norm() == 0.0);
  CHECK(y.row(0) == matrix_of(in.x, 5).row(0));
}

TEST_CASE("linear attention is its own quadratic form") {
  const std::int64_t n = 30;
  const Rows rows = test::builtin_rows("linear_attention", n);
  const Problem problem = small_problem(WeightMode::kLinear, rows, n, 5);
  for (std::int64_t head = 0; head < 3; ++head) {
    const HeadInputs in = head_inputs(problem, 1, head);
    std::vector<double> state;
    const MatrixXd y = matrix_of(reference_head(in, rows, &state), 5);
    const MatrixXd scores = matrix_of(in.q, 4) * matrix_of(in.k, 4).transpose();
    MatrixXd decay = MatrixXd::Zero(n, n);  // product of the gates between the two tokens
    for (std::int64_t i = 0; i < n; ++i) {
      decay(i, i) = 1.0;
      for (std::int64_t j = i - 1; j >= 0; --j) {
        decay(i, j) = decay(i, j + 1) * in.gate[static_cast<std::size_t>(j + 1)];
      }
    }
    const MatrixXd x = matrix_of(in.x, 5);
    CHECK((y - scores.cwiseProduct(decay) * x).norm() < 1e-12 * y.norm());
    const MatrixXd last =
        (matrix_of(in.k, 4).array().colwise() * decay.row(n - 1).transpose().array()).matrix();
    CHECK((matrix_of(state, 5) - last.transpose() * x).norm() < 1e-12 * x.norm());
  }
}

// Of each row of the states the matrix I - B, with the gates below its diagonal, is solved for.
TEST_CASE("gates for each key are a triangular system for each key") {
  const std::int64_t n = 30;
  const Rows rows = test::builtin_rows("linear_attention", n);
  const Problem problem = small_problem(WeightMode::kLinear, rows, n, 5, 0.5F, true);
  for (std::int64_t head = 0; head < 3; ++head) {
    const HeadInputs in = head_inputs(problem, 1, head);
    std::vector<double> state;
    const MatrixXd y = matrix_of(reference_head(in, rows, &state), 5);
    const MatrixXd x = matrix_of(in.x, 5), gates = matrix_of(in.gate, 4);
    MatrixXd expected = MatrixXd::Zero(n, 5), last(4, 5);
    for (std::int64_t s = 0; s < 4; ++s) {
      MatrixXd system = MatrixXd::Identity(n, n);
      for (std::int64_t i = 1; i < n; ++i) system(i, i - 1) = -gates(i, s);
      const MatrixXd inputs = matrix_of(in.k, 4).col(s).asDiagonal() * x;
      const MatrixXd states = system.triangularView<Eigen::UnitLower>().solve(inputs);
      expected += matrix_of(in.q, 4).col(s).asDiagonal() * states;
      last.row(s) = states.row(n - 1);
    }
    CHECK((y - expected).norm() < 1e-12 * y.norm());
    CHECK((matrix_of(state, 5) - last).norm() < 1e-12 * x.norm());
  }
}

TEST_CASE("gradients agree with central differences") {
  const std::int64_t n = 9;
  for (const auto& [mode, key_gates] : {std::pair{WeightMode::kSoftmax, false},
                                        {WeightMode::kGiven, false},
                                        {WeightMode::kLinear, false},
                                        {WeightMode::kLinear, true},
                                        {WeightMode::kMatrix, false}}) {
    const Rows rows = test::random_rows(n, 2, 11);
    HeadInputs in = head_inputs(small_problem(mode, rows, n, 7, 0.7F, key_gates), 0, 0);
    RandomSource random(13);
    std::vector<double> dy(in.x.size());
    for (double& value : dy) value = random.normal();
    const auto objective = [&] {
      const std::vector<double> y = reference_head(in, rows);
      double sum = 0.0;
      for (std::size_t e = 0; e < y.size(); ++e) sum += dy[e] * y[e];
      return sum;
    };
    const HeadGradients gradients = reference_gradients(in, rows, dy);
    int checked = 0;
    const auto check = [&](std::vector<double>& input, const std::vector<double>& gradient) {
      REQUIRE(gradient.size() == input.size());
      for (std::size_t e = 0; e < input.size(); ++e) {
        const double kept = input[e];
        if (!std::isfinite(kept)) continue;  // beyond the end of a row
        const double step = 1e-5;
        input[e] = kept + step;
        const double above = objective();
        input[e] = kept - step;
        const double below = objective();
        input[e] = kept;
        CHECK(gradient[e] == Approx((above - below) / (2.0 * step)).margin(1e-7));
        ++checked;
      }
    };
    check(in.x, gradients.dx);
    if (mode != WeightMode::kGiven) {
      check(in.q, gradients.dq);
      check(in.k, gradients.dk);
      check(in.gate, gradients.dgate);
    } else {
      check(in.coef_a, gradients.dcoef_a);
    }
    check(in.coef_b, gradients.dcoef_b);
    CHECK(checked >= 80);
  }
}

// y of the tokens behind `start`, where those before it are numbers: what a state holds of them.
struct Held {
  std::vector<double> x, y, key_a, key_b;  // [tokens, head_dim], of tokens up to `start`
};
std::vector<double> after_state(const HeadInputs& in, const Rows& rows, std::int64_t start,
                                const Held& held) {
  const std::int64_t d = in.head_dim;
  std::vector<double> y = held.y;
  y.resize(in.x.size());
  const auto at = [d](std::int64_t position, std::int64_t c) {
    return static_cast<std::size_t>((position - 1) * d + c);
  };
  for (std::int64_t i = start + 1; i <= in.tokens; ++i) {
    std::vector<double> sums(static_cast<std::size_t>(d), 0.0);
    double total = 0.0;
    for (const bool outputs : {false, true}) {
      std::int64_t entry = (outputs ? rows.b : rows.a).size(i);
      for_each_position(outputs ? rows.b : rows.a, i, [&](std::int64_t j) {
        --entry;  // coefficients descend
        const bool before = j <= start;
        double weight = 0.0;
        if (in.weights == WeightMode::kSoftmax) {
          const std::vector<double>& keys = before ? (outputs ? held.key_b : held.key_a) : in.k;
          for (std::int64_t c = 0; c < d; ++c) weight += in.q[at(i, c)] * keys[at(j, c)];
          weight = std::exp(in.scale * weight) * (outputs ? in.gamma : 1.0 - in.gamma);
          total += weight;
        } else {
          const std::vector<double>& coefficients = outputs ? in.coef_b : in.coef_a;
          const std::int64_t width = outputs ? in.width_b : in.width_a;
          weight = coefficients[static_cast<std::size_t>((i - 1) * width + entry)];
        }
        const std::vector<double>& values = outputs ? y : before ? held.x : in.x;
        for (std::int64_t c = 0; c < d; ++c) {
          sums[static_cast<std::size_t>(c)] += weight * values[at(j, c)];
        }
      });
    }
    if (in.weights != WeightMode::kSoftmax) total = 1.0;
    for (std::int64_t c = 0; c < d; ++c) {
      y[at(i, c)] = total == 0.0 ? 0.0 : sums[static_cast<std::size_t>(c)] / total;
    }
  }
  return y;
}

TEST_CASE("gradients of states agree with central differences") {
  const std::int64_t n = 9, start = 4;
  for (const WeightMode mode : {WeightMode::kSoftmax, WeightMode::kGiven}) {
    const Rows rows = test::random_rows(n, 2, 11);
    HeadInputs in = head_inputs(small_problem(mode, rows, n, 7, 0.7F), 0, 0);
    const auto before = static_cast<std::ptrdiff_t>(start * in.head_dim);
    RandomSource random(13);
    const auto drawn = [&] {
      std::vector<double> values(in.x.size());
      for (double& value : values) value = random.normal();
      return values;
    };
    HeadState state;
    state.start = start;
    std::vector<double> dy = drawn();
    std::fill_n(dy.begin(), before, 0.0);
    state.dx = drawn();
    state.dy = drawn();
    state.dk = drawn();
    state.dk_b = drawn();
    const std::vector<double> y = reference_head(in, rows);
    Held held{in.x, y, in.k, in.k};
    // The loss is one of y and of what the final state holds of each token.
    const auto objective = [&] {
      const std::vector<double> output = after_state(in, rows, start, held);
      double sum = 0.0;
      for (std::size_t e = 0; e < output.size(); ++e) {
        const bool handed = e < static_cast<std::size_t>(before);
        sum += (dy[e] + state.dy[e]) * output[e];
        sum += state.dx[e] * (handed ? held.x[e] : in.x[e]);
        if (mode != WeightMode::kSoftmax) continue;
        sum += state.dk[e] * (handed ? held.key_a[e] : in.k[e]);
        sum += state.dk_b[e] * (handed ? held.key_b[e] : in.k[e]);
      }
      return sum;
    };
    const HeadGradients gradients = reference_gradients(in, rows, dy, &state);
    int checked = 0;
    const auto check = [&](std::vector<double>& input, const std::vector<double>& gradient,
                           bool handed) {
      REQUIRE(gradient.size() == input.size());
      const auto row = static_cast<std::ptrdiff_t>(input.size()) / n;
      for (auto e = handed ? 0 : start * row; e < (handed ? start : n) * row; ++e) {
        double& value = input[static_cast<std::size_t>(e)];
        const double kept = value;
        if (!std::isfinite(kept)) continue;  // beyond the end of a row
        const double step = 1e-5;
        value = kept + step;
        const double above = objective();
        value = kept - step;
        const double below = objective();
        value = kept;
        CHECK(gradient[static_cast<std::size_t>(e)] ==
              Approx((above - below) / (2.0 * step)).margin(1e-7));
        ++checked;
      }
    };
    check(in.x, gradients.dx, false);
    check(held.x, gradients.dx, true);
    check(held.y, gradients.dy, true);
    if (mode == WeightMode::kSoftmax) {
      check(in.q, gradients.dq, false);
      check(in.k, gradients.dk, false);
      check(held.key_a, gradients.dk, true);
      check(held.key_b, gradients.dk_b, true);
    } else {
      check(in.coef_a, gradients.dcoef_a, false);
      check(in.coef_b, gradients.dcoef_b, false);
    }
    CHECK(checked >= 80);
  }
}

TEST_CASE("gradients agree with dense linear algebra") {
  // With U = (I - B)^-T dY: dX = A^T U, dA = U X^T and dB = U Y^T on their masks, and through the
  // softmax dS = P o (dP - rowsum(P o dP)) over both sides at once.
  const std::int64_t n = 31;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const Rows rows = test::random_rows(n, 1 + static_cast<std::int64_t>(seed % 4), 100 + seed);
    const HeadInputs in =
        head_inputs(small_problem(WeightMode::kSoftmax, rows, n, seed, 0.3F), 1, 0);
    RandomSource random(seed);
    std::vector<double> dy(in.x.size());
    for (double& value : dy) value = random.normal();
    const auto [a, b] = softmax_matrices(in, rows);
    const MatrixXd x = matrix_of(in.x, in.head_dim);
    const MatrixXd y = solved(a, b, x);
    const MatrixXd left = MatrixXd::Identity(n, n) - b;
    const MatrixXd u = left.transpose().partialPivLu().solve(matrix_of(dy, in.head_dim));
    const MatrixXd da = u * x.transpose();
    const MatrixXd db = u * y.transpose();
    const Eigen::VectorXd mean = (a.cwiseProduct(da) + b.cwiseProduct(db)).rowwise().sum();
    MatrixXd ds = a.cwiseProduct(da) + b.cwiseProduct(db);
    ds -= mean.asDiagonal() * (a + b);
    const HeadGradients gradients = reference_gradients(in, rows, dy);
    const auto close = [&](const std::vector<double>& values, const MatrixXd& expected) {
      CHECK((matrix_of(values, in.head_dim) - expected).norm() < 1e-11 * (1.0 + expected.norm()));
    };
    close(gradients.dx, a.transpose() * u);
    close(gradients.dq, in.scale * ds * matrix_of(in.k, in.query_dim));
    close(gradients.dk, in.scale * ds.transpose() * matrix_of(in.q, in.query_dim));
  }
}

TEST_CASE("all heads land where the layout says, whatever the threads") {
  const std::int64_t n = 12;
  const Rows rows = test::random_rows(n, 3, 17);
  const Problem problem = small_problem(WeightMode::kSoftmax, rows, n, 19);
  const ReferenceOutput one = reference_output(problem, rows, 1);
  CHECK(one.y == reference_output(problem, rows, 4).y);
  const std::vector<double> head = reference_head(head_inputs(problem, 1, 2), rows);
  for (std::int64_t t = 0; t < n; ++t) {
    for (std::int64_t c = 0; c < 5; ++c) {
      CHECK(one.y[static_cast<std::size_t>(((1 * n + t) * 3 + 2) * 5 + c)] ==
            head[static_cast<std::size_t>(t * 5 + c)]);
    }
  }
}

}  // namespace
}  // namespace heddle
