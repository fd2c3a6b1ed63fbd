// SPDX-License-Identifier: Apache-2.0
#include "runtime/bench/gradient_baselines.hpp"

#include <Eigen/Core>
#include <Eigen/SparseCore>
#include <atomic>
#include <cmath>
#include <thread>

#include "runtime/reference/by_channel.hpp"
#include "runtime/reference/reference.hpp"

namespace heddle {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Sparse = Eigen::SparseMatrix<float, Eigen::RowMajor, std::int32_t>;

Matrix narrowed(const std::vector<double>& values, std::int64_t rows) {
  if (values.empty()) return {};
  using Wide = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto columns = static_cast<std::int64_t>(values.size()) / rows;
  return Eigen::Map<const Wide>(values.data(), rows, columns).cast<float>();
}

struct GradientHead {
  Matrix q, k, x, y, dy, coef_a, coef_b;
  Sparse a;  // A
  Sparse b;  // I - B; forward and transposed solves use the same matrix
  Matrix dq, dk, dx, dcoef_a, dcoef_b;
};

class EigenSparseBackward final : public GradientBaseline {
 public:
  EigenSparseBackward(const Problem& problem, const Rows& rows)
      : rows_(rows), problem_(problem), softmax_(problem.weights == WeightMode::kSoftmax) {
    const Sizes& s = problem.sizes;
    for (std::int64_t b = 0; b < s.batch; ++b) {
      for (std::int64_t h = 0; h < s.heads; ++h) {
        const HeadInputs inputs = head_inputs(problem, b, h);
        GradientHead head;
        head.q = narrowed(inputs.q, s.tokens);
        head.k = narrowed(inputs.k, s.tokens);
        head.x = narrowed(inputs.x, s.tokens);
        head.coef_a = narrowed(inputs.coef_a, s.tokens);
        head.coef_b = narrowed(inputs.coef_b, s.tokens);
        head.y = gathered("y", b, h);
        head.dy = gathered("dy", b, h);
        head.a = structure(rows.a, false);
        head.b = structure(rows.b, true);
        if (!softmax_) {
          fill_given(head.coef_a, head.a, 1.0F, 0);
          fill_given(head.coef_b, head.b, -1.0F, 1);
        }
        heads_.push_back(std::move(head));
      }
    }
  }

  void run(int threads) override {
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
      for (std::size_t h = next++; h < heads_.size(); h = next++) back(heads_[h]);
    };
    std::vector<std::thread> helpers;
    for (int t = 1; t < threads; ++t) helpers.emplace_back(work);
    work();
    for (std::thread& helper : helpers) helper.join();
  }

  HostBuffers result() const override {
    HostBuffers results;
    add(results, "dx", &GradientHead::dx);
    if (softmax_) {
      add(results, "dq", &GradientHead::dq);
      add(results, "dk", &GradientHead::dk);
    } else {
      add(results, "dcoef_a", &GradientHead::dcoef_a);
      add(results, "dcoef_b", &GradientHead::dcoef_b);
    }
    return results;
  }

 private:
  std::int64_t element(std::int64_t b, std::int64_t t, std::int64_t h) const {
    return (b * problem_.sizes.tokens + t) * problem_.sizes.heads + h;
  }
  Matrix gathered(const char* name, std::int64_t b, std::int64_t h) const {
    const HostBuffer& buffer = problem_.inputs.at(name);
    Matrix values(problem_.sizes.tokens, problem_.sizes.head_dim);
    for (std::int64_t t = 0; t < values.rows(); ++t) {
      for (std::int64_t c = 0; c < values.cols(); ++c) {
        values(t, c) = static_cast<float>(buffer.get(element(b, t, h) * values.cols() + c));
      }
    }
    return values;
  }
  void add(HostBuffers& results, const char* name, Matrix GradientHead::*member) const {
    const Sizes& s = problem_.sizes;
    const std::int64_t columns = (heads_.front().*member).cols();
    HostBuffer buffer(ElementType::kF32, {s.batch, s.tokens, s.heads, columns});
    for (std::size_t head = 0; head < heads_.size(); ++head) {
      const Matrix& values = heads_[head].*member;
      const auto b = static_cast<std::int64_t>(head) / s.heads;
      const auto h = static_cast<std::int64_t>(head) % s.heads;
      for (std::int64_t t = 0; t < values.rows(); ++t) {
        for (std::int64_t c = 0; c < columns; ++c) {
          buffer.set(element(b, t, h) * columns + c, values(t, c));
        }
      }
    }
    results.emplace(name, std::move(buffer));
  }

  // The positions of `table` with value 0, and a unit diagonal for I - B.
  Sparse structure(const RowTable& table, bool unit_diagonal) const {
    const std::int64_t n = problem_.sizes.tokens;
    std::vector<Eigen::Triplet<float>> entries;
    for (std::int64_t i = 1; i <= n; ++i) {
      const int row = static_cast<int>(i - 1);
      for_each_position(table, i, [&](std::int64_t p) {
        entries.emplace_back(row, static_cast<int>(p - 1), 0.0F);
      });
      if (unit_diagonal) entries.emplace_back(row, row, 1.0F);
    }
    Sparse matrix(n, n);
    matrix.setFromTriplets(entries.begin(), entries.end());
    matrix.makeCompressed();
    return matrix;
  }

  // Entries of row i without the `skip` trailing diagonal ones: visit(first, count).
  template <typename Visit>
  static void each_row(const Sparse& matrix, std::int64_t skip, Visit&& visit) {
    for (std::int64_t i = 0; i < matrix.rows(); ++i) {
      const std::int64_t first = matrix.outerIndexPtr()[i];
      visit(i, first, matrix.outerIndexPtr()[i + 1] - skip - first);
    }
  }
  // Rows hold their columns ascending, the arrays hold positions descending.
  static void fill_given(const Matrix& coefficients, Sparse& matrix, float sign,
                         std::int64_t skip) {
    each_row(matrix, skip, [&](std::int64_t i, std::int64_t first, std::int64_t size) {
      for (std::int64_t e = 0; e < size; ++e) {
        matrix.valuePtr()[first + size - 1 - e] = sign * coefficients(i, e);
      }
    });
  }

  void fill_softmax(GradientHead& head) const {
    const float scale = problem_.scale;
    for (std::int64_t i = 0; i < head.a.rows(); ++i) {
      float largest = -INFINITY;
      for (const auto& [matrix, skip] : {std::pair(&head.a, 0), std::pair(&head.b, 1)}) {
        for (std::int32_t e = matrix->outerIndexPtr()[i]; e < matrix->outerIndexPtr()[i + 1] - skip;
             ++e) {
          const float score = scale * head.q.row(i).dot(head.k.row(matrix->innerIndexPtr()[e]));
          matrix->valuePtr()[e] = score;
          largest = std::max(largest, score);
        }
      }
      float sum = 0.0F;
      const auto values = [&](Sparse& matrix, int skip) {
        const std::int32_t first = matrix.outerIndexPtr()[i];
        return Eigen::Map<Eigen::ArrayXf>(matrix.valuePtr() + first,
                                          matrix.outerIndexPtr()[i + 1] - skip - first);
      };
      auto in_a = values(head.a, 0);
      auto in_b = values(head.b, 1);
      in_a = (1.0F - problem_.gamma) * (in_a - largest).exp();
      in_b = problem_.gamma * (in_b - largest).exp();
      sum = in_a.sum() + in_b.sum();
      in_a /= sum;
      in_b /= -sum;  // the matrix is I - B
    }
  }

  void back(GradientHead& head) const {
    if (softmax_) fill_softmax(head);
    Matrix lambda = head.dy;
    head.b.transpose().triangularView<Eigen::UnitUpper>().solveInPlace(lambda);
    head.dx.noalias() = head.a.transpose() * lambda;
    // dA and dB where the pattern has entries.
    Sparse da = head.a;
    Sparse db = head.b;
    for (const auto& [matrix, values, skip] :
         {std::tuple(&da, &head.x, 0), std::tuple(&db, &head.y, 1)}) {
      each_row(*matrix, skip, [&](std::int64_t i, std::int64_t first, std::int64_t size) {
        for (std::int64_t e = first; e < first + size; ++e) {
          matrix->valuePtr()[e] = lambda.row(i).dot(values->row(matrix->innerIndexPtr()[e]));
        }
      });
    }
    if (!softmax_) {
      head.dcoef_a = to_coefficients(da, 0, head.coef_a.cols());
      head.dcoef_b = to_coefficients(db, 1, head.coef_b.cols());
      return;
    }
    // dS = P o (dP - <lambda, y>), in place of dA and dB.
    const Eigen::VectorXf mean = lambda.cwiseProduct(head.y).rowwise().sum();
    for (const auto& [changes, weights, skip, sign] :
         {std::tuple(&da, &head.a, 0, 1.0F), std::tuple(&db, &head.b, 1, -1.0F)}) {
      each_row(*changes, skip, [&](std::int64_t i, std::int64_t first, std::int64_t size) {
        for (std::int64_t e = first; e < first + size; ++e) {
          float& change = changes->valuePtr()[e];
          change = problem_.scale * sign * weights->valuePtr()[e] * (change - mean[i]);
        }
        for (std::int64_t e = first + size; e < first + size + skip; ++e) {
          changes->valuePtr()[e] = 0.0F;
        }
      });
    }
    head.dq.noalias() = da * head.k;
    head.dq.noalias() += db * head.k;
    head.dk.noalias() = da.transpose() * head.q;
    head.dk.noalias() += db.transpose() * head.q;
  }

  static Matrix to_coefficients(const Sparse& matrix, std::int64_t skip, std::int64_t width) {
    Matrix values = Matrix::Zero(matrix.rows(), width);
    each_row(matrix, skip, [&](std::int64_t i, std::int64_t first, std::int64_t size) {
      for (std::int64_t e = 0; e < size; ++e) {
        values(i, e) = matrix.valuePtr()[first + size - 1 - e];
      }
    });
    return values;
  }

  const Rows& rows_;
  const Problem& problem_;
  bool softmax_;
  std::vector<GradientHead> heads_;
};

// Gated weights: a solve for each channel.
class ByChannelBackward final : public GradientBaseline {
 public:
  ByChannelBackward(const Problem& problem, const Rows& rows)
      : sizes_(problem.sizes), channels_(by_channel(problem)), solves_(channels_, rows) {}

  void run(int threads) override { solves_.run(threads); }

  HostBuffers result() const override {
    const Sizes& s = sizes_;
    HostBuffers results;
    for (const auto& [name, found] : solves_.result()) {
      const std::int64_t width = found.shape().back();
      const bool gates = name != "dx";
      std::vector<std::int64_t> shape = {s.batch, s.tokens, s.heads, s.head_dim};
      if (gates) shape.insert(shape.begin() + 3, width);
      HostBuffer buffer(found.type(), std::move(shape));
      std::vector<double> values;
      for (std::int64_t e = 0; e < found.count(); ++e) values.push_back(found.get(e));
      if (gates) values = from_channels(values, width, s.head_dim);
      for (std::int64_t e = 0; e < buffer.count(); ++e) {
        buffer.set(e, values[static_cast<std::size_t>(e)]);
      }
      results.emplace(name, std::move(buffer));
    }
    return results;
  }

 private:
  Sizes sizes_;
  Problem channels_;  // which solves_ reads
  EigenSparseBackward solves_;
};

}  // namespace

Result<std::unique_ptr<GradientBaseline>> make_eigen_sparse_backward(const Problem& problem,
                                                                     const Rows& rows) {
  if (has_states(problem.weights)) {
    return Error{"linear weights are not one triangular solve"};
  }
  assert_that(rows.n() >= problem.sizes.tokens, "rows reach the problem's last token");
  if (problem.weights == WeightMode::kGated) {
    return std::unique_ptr<GradientBaseline>(std::make_unique<ByChannelBackward>(problem, rows));
  }
  return std::unique_ptr<GradientBaseline>(std::make_unique<EigenSparseBackward>(problem, rows));
}

}  // namespace heddle
