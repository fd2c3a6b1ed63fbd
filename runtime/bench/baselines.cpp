// SPDX-License-Identifier: Apache-2.0
#include "runtime/bench/baselines.hpp"

#include <fmt/format.h>

#include <Eigen/Core>
#include <Eigen/SparseCore>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "runtime/reference/by_channel.hpp"

namespace heddle {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Sparse = Eigen::SparseMatrix<float, Eigen::RowMajor, std::int32_t>;

// A sparse solve takes one column of its right-hand sides after the other: they are faster one
// behind the other than side by side.
using Columns = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;

// The inputs of one head in float32.
struct Head {
  Matrix q, k;
  Columns x;
  Matrix coef_a, coef_b;
  Columns y;
};

Matrix gather(const Problem& problem, const char* name, std::int64_t b, std::int64_t h) {
  const auto found = problem.inputs.find(name);
  if (found == problem.inputs.end()) return {};
  const Sizes& s = problem.sizes;
  const std::int64_t columns = found->second.shape().back();
  Matrix values(s.tokens, columns);
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const std::int64_t element = ((b * s.tokens + t) * s.heads + h) * columns + c;
      values(t, c) = static_cast<float>(found->second.get(element));
    }
  }
  return values;
}

class EigenBaseline : public Baseline {
 public:
  EigenBaseline(const Problem& problem, const Rows& rows)
      : rows_(rows),
        sizes_(problem.sizes),
        softmax_(problem.weights == WeightMode::kSoftmax),
        scale_(problem.scale),
        gamma_(problem.gamma) {
    for (std::int64_t b = 0; b < sizes_.batch; ++b) {
      for (std::int64_t h = 0; h < sizes_.heads; ++h) {
        heads_.push_back({gather(problem, "q", b, h),
                          gather(problem, "k", b, h),
                          gather(problem, "x", b, h),
                          gather(problem, "coef_a", b, h),
                          gather(problem, "coef_b", b, h),
                          {}});
      }
    }
  }

  void run(int threads) override {
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
      for (std::size_t h = next++; h < heads_.size(); h = next++) solve(h);
    };
    std::vector<std::thread> helpers;
    for (int t = 1; t < threads; ++t) helpers.emplace_back(work);
    work();
    for (std::thread& helper : helpers) helper.join();
  }

  HostBuffer result() const override {
    const Sizes& s = sizes_;
    HostBuffer y(ElementType::kF32, {s.batch, s.tokens, s.heads, s.head_dim});
    for (std::size_t head = 0; head < heads_.size(); ++head) {
      if (heads_[head].y.size() == 0) continue;  // not run: stays poisoned
      const auto b = static_cast<std::int64_t>(head) / s.heads;
      const auto h = static_cast<std::int64_t>(head) % s.heads;
      for (std::int64_t t = 0; t < s.tokens; ++t) {
        for (std::int64_t c = 0; c < s.head_dim; ++c) {
          y.set(((b * s.tokens + t) * s.heads + h) * s.head_dim + c, heads_[head].y(t, c));
        }
      }
    }
    return y;
  }

 protected:
  virtual void solve(std::size_t head) = 0;

  const Rows& rows_;
  Sizes sizes_;
  bool softmax_;
  float scale_;
  float gamma_;
  std::vector<Head> heads_;
};

// ---- sparse -----------------------------------------------------------------------------------

class EigenSparse final : public EigenBaseline {
 public:
  EigenSparse(const Problem& problem, const Rows& rows) : EigenBaseline(problem, rows) {
    for (const Head& head : heads_) {
      a_.push_back(structure(rows.a, false));
      b_.push_back(structure(rows.b, true));
      if (!softmax_) {
        fill_given(head.coef_a, a_.back(), 1.0F, 0);
        fill_given(head.coef_b, b_.back(), -1.0F, 1);
      }
    }
  }

  std::string name() const override { return "eigen-sparse"; }

 protected:
  void solve(std::size_t index) override {
    Head& head = heads_[index];
    if (softmax_) fill_softmax(head, a_[index], b_[index]);
    head.y.noalias() = a_[index] * head.x;
    b_[index].triangularView<Eigen::UnitLower>().solveInPlace(head.y);
  }

 private:
  // The positions of `table` with value 0, and a unit diagonal for I - B.
  Sparse structure(const RowTable& table, bool unit_diagonal) const {
    std::vector<Eigen::Triplet<float>> entries;
    for (std::int64_t i = 1; i <= sizes_.tokens; ++i) {
      const int row = static_cast<int>(i - 1);
      for_each_position(table, i, [&](std::int64_t p) {
        entries.emplace_back(row, static_cast<int>(p - 1), 0.0F);
      });
      if (unit_diagonal) entries.emplace_back(row, row, 1.0F);
    }
    Sparse matrix(sizes_.tokens, sizes_.tokens);
    matrix.setFromTriplets(entries.begin(), entries.end());
    matrix.makeCompressed();
    return matrix;
  }

  // Rows hold their columns ascending, the arrays hold positions descending; `skip` trailing
  // diagonal entries are left alone.
  void fill_given(const Matrix& coefficients, Sparse& matrix, float sign, std::int64_t skip) const {
    for (std::int64_t i = 0; i < sizes_.tokens; ++i) {
      const std::int64_t first = matrix.outerIndexPtr()[i];
      const std::int64_t size = matrix.outerIndexPtr()[i + 1] - skip - first;
      for (std::int64_t e = 0; e < size; ++e) {
        matrix.valuePtr()[first + size - 1 - e] = sign * coefficients(i, e);
      }
    }
  }

  void fill_softmax(const Head& head, Sparse& a, Sparse& b) const {
    for (std::int64_t i = 0; i < sizes_.tokens; ++i) {
      const std::int64_t a_size = a.outerIndexPtr()[i + 1] - a.outerIndexPtr()[i];
      const std::int64_t b_size = b.outerIndexPtr()[i + 1] - b.outerIndexPtr()[i] - 1;
      Eigen::Map<Eigen::ArrayXf> in_a(a.valuePtr() + a.outerIndexPtr()[i], a_size);
      Eigen::Map<Eigen::ArrayXf> in_b(b.valuePtr() + b.outerIndexPtr()[i], b_size);
      const std::int32_t* a_columns = a.innerIndexPtr() + a.outerIndexPtr()[i];
      const std::int32_t* b_columns = b.innerIndexPtr() + b.outerIndexPtr()[i];
      const auto q = head.q.row(i);
      for (std::int64_t e = 0; e < a_size; ++e) in_a[e] = scale_ * q.dot(head.k.row(a_columns[e]));
      for (std::int64_t e = 0; e < b_size; ++e) in_b[e] = scale_ * q.dot(head.k.row(b_columns[e]));
      float largest = -INFINITY;
      if (a_size > 0) largest = std::max(largest, in_a.maxCoeff());
      if (b_size > 0) largest = std::max(largest, in_b.maxCoeff());
      in_a = (1.0F - gamma_) * (in_a - largest).exp();
      in_b = gamma_ * (in_b - largest).exp();
      const float sum = in_a.sum() + in_b.sum();
      in_a /= sum;
      in_b /= -sum;  // the matrix is I - B
    }
  }

  std::vector<Sparse> a_;
  std::vector<Sparse> b_;
};

// ---- dense ------------------------------------------------------------------------------------

class EigenDense final : public EigenBaseline {
 public:
  EigenDense(const Problem& problem, const Rows& rows) : EigenBaseline(problem, rows) {
    const std::int64_t n = sizes_.tokens;
    if (softmax_) {
      log_weight_a_ = mask(rows.a, std::log(1.0F - gamma_));
      log_weight_b_ = mask(rows.b, std::log(gamma_));
      a_.assign(heads_.size(), Matrix(n, n));
      b_.assign(heads_.size(), Matrix(n, n));
      return;
    }
    for (const Head& head : heads_) {
      a_.push_back(given(head.coef_a, rows.a, n));
      b_.push_back(-given(head.coef_b, rows.b, n));
    }
  }

  std::string name() const override { return "eigen-dense"; }

 protected:
  void solve(std::size_t index) override {
    Head& head = heads_[index];
    Matrix& a = a_[index];
    Matrix& b = b_[index];
    if (softmax_) fill_softmax(head, a, b);
    head.y.noalias() = a.triangularView<Eigen::Lower>() * head.x;
    b.triangularView<Eigen::UnitLower>().solveInPlace(head.y);
  }

 private:
  // `weight` on the pattern, -inf elsewhere: exp makes that 0.
  Matrix mask(const RowTable& table, float weight) const {
    Matrix values = Matrix::Constant(sizes_.tokens, sizes_.tokens, -INFINITY);
    for (std::int64_t i = 1; i <= sizes_.tokens; ++i) {
      for_each_position(table, i, [&](std::int64_t p) { values(i - 1, p - 1) = weight; });
    }
    return values;
  }

  void fill_softmax(const Head& head, Matrix& a, Matrix& b) const {
    a.noalias() = head.q * head.k.transpose();
    b = scale_ * a + log_weight_b_;
    a = scale_ * a + log_weight_a_;
    for (std::int64_t i = 0; i < sizes_.tokens; ++i) {
      const float largest = std::max(a.row(i).maxCoeff(), b.row(i).maxCoeff());
      if (!std::isfinite(largest)) {  // a row without entries
        a.row(i).setZero();
        b.row(i).setZero();
        continue;
      }
      a.row(i) = (a.row(i).array() - largest).exp();
      b.row(i) = (b.row(i).array() - largest).exp();
      const float sum = a.row(i).sum() + b.row(i).sum();
      a.row(i) /= sum;
      b.row(i) /= -sum;  // the matrix is I - B
    }
  }

  static Matrix given(const Matrix& coefficients, const RowTable& table, std::int64_t n) {
    Matrix values = Matrix::Zero(n, n);
    for (std::int64_t i = 1; i <= n; ++i) {
      std::int64_t e = table.size(i);
      for_each_position(table, i,
                        [&](std::int64_t p) { values(i - 1, p - 1) = coefficients(i - 1, --e); });
    }
    return values;
  }

  Matrix log_weight_a_;
  Matrix log_weight_b_;
  std::vector<Matrix> a_;
  std::vector<Matrix> b_;
};

Result<bool> suits(const Problem& problem, const Rows& rows) {
  if (problem.weights == WeightMode::kLinear) {
    return Error{"linear weights are not one triangular solve"};
  }
  if (problem.weights == WeightMode::kMatrix) {
    return Error{"matrix states are read out by queries, which no solver here does"};
  }
  assert_that(rows.n() >= problem.sizes.tokens, "rows reach the problem's last token");
  return true;
}

}  // namespace

Result<std::unique_ptr<Baseline>> make_eigen_sparse(const Problem& problem, const Rows& rows) {
  const Result<bool> suited = suits(problem, rows);
  if (!suited) return suited.error();
  return std::unique_ptr<Baseline>(std::make_unique<EigenSparse>(by_channel(problem), rows));
}

Result<std::unique_ptr<Baseline>> make_eigen_dense(const Problem& problem, const Rows& rows,
                                                   std::int64_t max_bytes) {
  const Result<bool> suited = suits(problem, rows);
  if (!suited) return suited.error();
  const Sizes& s = problem.sizes;
  // Two matrices per head; softmax has two masks besides.
  const double masks = problem.weights == WeightMode::kSoftmax ? 2.0 : 0.0;
  const std::int64_t alike = coefficients_of_entry(problem.weights, s.head_dim);
  const double matrices = masks + 2.0 * static_cast<double>(s.batch * s.heads * alike);
  const double bytes = matrices * 4.0 * std::pow(static_cast<double>(s.tokens), 2);
  if (bytes > static_cast<double>(max_bytes)) {
    return Error{
        fmt::format("dense matrices for {} tokens would take {:.1f} GB", s.tokens, bytes / 1e9)};
  }
  return std::unique_ptr<Baseline>(std::make_unique<EigenDense>(by_channel(problem), rows));
}

}  // namespace heddle
