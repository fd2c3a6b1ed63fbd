// SPDX-License-Identifier: Apache-2.0
// Backward through matrix states of any pattern. lambda_i = q_i dy_i^T and the sum of b_ji lambda_j
// over the later rows j that read i; then
//   dq_i = S_i dy_i,  dk_i = lambda_i x_i,  dx_i = lambda_i^T k_i,  db_ij = <lambda_i, S_j>.
// First a thread takes its channels, columns of every matrix, forth and back through the rows by
// itself; then rows are independent, and those sums are taken that need all channels, one row to a
// warp. The order of every sum is fixed.
#include <functional>

#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/backward.hpp"
#include "codegen/schedule/frame.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;

namespace {

class MatrixGradients {
 public:
  explicit MatrixGradients(const KernelSpec& spec)
      : spec_(spec),
        cuda_(spec.target == ir::Target::kCuda),
        dim_(spec.head_dim),
        rows_(spec.state_dim),
        builder_(spec.symbol, spec.target, cuda_ ? kThreads : 1) {
    declare();
  }

  ir::Kernel run() {
    if (cuda_) {
      enter(builder_.let("block", builder_.where(ir::Place::kBlock)));
      head();
    } else {
      builder_.loop("block", builder_.where(ir::Place::kFirstBlock),
                    builder_.where(ir::Place::kLastBlock), [&](Ex block) {
                      enter(block);
                      head();
                    });
    }
    return builder_.take();
  }

 private:
  static constexpr int kParts = 16;  // of a sum on cpu

  void declare() {
    const auto of = [](const std::string& last) {
      return std::vector<std::string>{"batch", "tokens", "heads", last};
    };
    const std::vector<std::string> by_key = of(std::to_string(rows_));
    const std::vector<std::string> by_value = of(std::to_string(dim_));
    const auto buffer = [&](const char* name, Access access,
                            const std::vector<std::string>& shape) {
      return builder_.buffer(name, spec_.dtype, access, shape);
    };
    q_ = buffer("q", Access::kRead, by_key);
    k_ = buffer("k", Access::kRead, by_key);
    x_ = buffer("x", Access::kRead, by_value);
    coefficients_ = buffer("coef_b", Access::kRead, of("width_b"));
    dy_ = buffer("dy", Access::kRead, by_value);
    dq_ = buffer("dq", Access::kWrite, by_key);
    dk_ = buffer("dk", Access::kWrite, by_key);
    dx_ = buffer("dx", Access::kWrite, by_value);
    dcoefficients_ = buffer("dcoef_b", Access::kWrite, of("width_b"));
    const auto scratch = [&](const char* name) {
      return builder_.buffer(
          name, ElementType::kF32, Access::kReadWrite,
          {"batch", "heads", "tokens", std::to_string(rows_), std::to_string(dim_)});
    };
    states_ = scratch("scratch_states");
    lambda_ = scratch("scratch_lambda");
    tokens_ = builder_.size("tokens");
    heads_ = builder_.size("heads");
    width_ = builder_.size("width_b");
  }

  void enter(Ex block) {
    if (cuda_) {
      thread_ = builder_.let("thread", builder_.where(ir::Place::kThread));
      warp_ = builder_.let("warp", builder_.where(ir::Place::kWarp));
      lane_ = builder_.let("lane", builder_.where(ir::Place::kLane));
    }
    const Ex batch = builder_.let("batch", block / heads_);
    row_base_ = builder_.let("row_base", batch * tokens_ * heads_ + block % heads_);
    matrices_at_ = builder_.let("matrices_at", block * tokens_ * (rows_ * dim_));
  }

  void head() {
    builder_.comment("states, and what lambda begins with");
    builder_.loop("token", builder_.i64(0), tokens_, [&](Ex token) { forth(token); });
    builder_.comment("from the last row on, lambda is complete where it is met");
    builder_.loop("back", builder_.i64(0), tokens_,
                  [&](Ex back) { push(builder_.let("token", tokens_ - 1 - back)); });
    if (cuda_) builder_.barrier();
    builder_.comment("sums over all channels");
    builder_.loop("token", cuda_ ? warp_ : builder_.i64(0), tokens_,
                  builder_.i64(cuda_ ? kWarps : 1), LoopKind::kSerial,
                  [&](Ex token) { finish(token); });
  }

  // ---- a thread's channels ----------------------------------------------------------------------

  int owned() const { return cuda_ ? (dim_ + kThreads - 1) / kThreads : dim_; }
  // body(channel, index among the thread's own)
  void each_channel(const std::function<void(Ex, Ex)>& body) {
    if (!cuda_) {
      builder_.loop("d", builder_.i64(0), builder_.i64(dim_), builder_.i64(1), LoopKind::kLanes,
                    [&](Ex d) { body(d, d); });
      return;
    }
    builder_.loop("part", builder_.i64(0), builder_.i64(owned()), builder_.i64(1),
                  LoopKind::kUnrolled, [&](Ex part) {
                    const Ex d = builder_.let("d", thread_ + part * kThreads);
                    if (dim_ % kThreads == 0) return body(d, part);
                    builder_.when(d < dim_, [&] { body(d, part); });
                  });
  }
  void each_row(const std::function<void(Ex)>& body) {
    builder_.loop("s", builder_.i64(0), builder_.i64(rows_), body);
  }
  Ex matrix_of(Ex token) {
    return builder_.let("matrix_at", matrices_at_ + token * (rows_ * dim_));
  }
  Ex row_of(Ex token) { return builder_.let("row", row_base_ + token * heads_); }

  // body(position as a token, weight, entry) of the row of a token; how many there are.
  Var each_entry(Ex token, Ex row, const std::function<void(Ex, Ex, Ex)>& body) {
    const Ex at = builder_.let("coef_at", row * width_);
    const Var entry = builder_.variable("entry", builder_.i64(0));
    rows::emit_walk(builder_, spec_.pattern, spec_.b, builder_.let("i", token + 1), [&](Ex p) {
      const Ex weight = builder_.let("weight", builder_.load(coefficients_, at + entry));
      body(p - 1, weight, entry);
      builder_.assign(entry, Ex(entry) + 1);
    });
    return entry;
  }

  void forth(Ex token) {
    const Ex row = row_of(token), here = matrix_of(token);
    each_row([&](Ex s) {
      const Ex key = builder_.let("key", builder_.load(k_, row * rows_ + s));
      const Ex query = builder_.let("query", builder_.load(q_, row * rows_ + s));
      each_channel([&](Ex d, Ex) {
        builder_.store(states_, here + s * dim_ + d, key * builder_.load(x_, row * dim_ + d));
        builder_.store(lambda_, here + s * dim_ + d, query * builder_.load(dy_, row * dim_ + d));
      });
    });
    each_entry(token, row, [&](Ex earlier, Ex weight, Ex) {
      add(states_, builder_.let("from", matrices_at_ + earlier * (rows_ * dim_)), here, weight);
    });
  }
  // The matrix at `to` += weight * the one at `from`.
  void add(MemoryId matrices, Ex from, Ex to, Ex weight) {
    each_row([&](Ex s) {
      each_channel([&](Ex d, Ex) {
        const Ex at = builder_.let("at", to + s * dim_ + d);
        builder_.store(
            matrices, at,
            builder_.load(matrices, at) + weight * builder_.load(matrices, from + s * dim_ + d));
      });
    });
  }

  void push(Ex token) {
    const Ex row = row_of(token), here = matrix_of(token);
    const MemoryId sums = builder_.array("sums", Type::kF32, owned());
    each_channel([&](Ex, Ex index) { builder_.store(sums, index, builder_.f32(0)); });
    each_row([&](Ex s) {
      const Ex key = builder_.let("key", builder_.load(k_, row * rows_ + s));
      each_channel([&](Ex d, Ex index) {
        builder_.store(
            sums, index,
            builder_.load(sums, index) + key * builder_.load(lambda_, here + s * dim_ + d));
      });
    });
    each_channel(
        [&](Ex d, Ex index) { builder_.store(dx_, row * dim_ + d, builder_.load(sums, index)); });
    each_entry(token, row, [&](Ex earlier, Ex weight, Ex) {
      const Ex to = builder_.let("to", matrices_at_ + earlier * (rows_ * dim_));
      add(lambda_, here, to, weight);
    });
  }

  // ---- a row, all channels ----------------------------------------------------------------------

  // The sum of value(e) over e < count: lanes take every 32nd of a warp, every sixteenth on cpu.
  Ex sum_of(const std::string& name, int count, const std::function<Ex(Ex)>& value) {
    const Var sum = builder_.variable(name, builder_.f32(0));
    const auto add = [&](Ex e) { builder_.assign(sum, Ex(sum) + value(e)); };
    if (cuda_) {
      builder_.loop("e", lane_, builder_.i64(count), builder_.i64(32), LoopKind::kSerial, add);
      return builder_.let(name + "_of_all", builder_.reduce(ir::ReduceOperator::kSum, sum));
    }
    const int whole = count / kParts * kParts;
    if (whole > 0) {
      const MemoryId parts = builder_.array("parts", Type::kF32, kParts);
      const auto each_part = [&](const std::function<void(Ex)>& body) {
        builder_.loop("part", builder_.i64(0), builder_.i64(kParts), builder_.i64(1),
                      LoopKind::kLanes, body);
      };
      each_part([&](Ex part) { builder_.store(parts, part, builder_.f32(0)); });
      builder_.loop("first", builder_.i64(0), builder_.i64(whole), builder_.i64(kParts),
                    LoopKind::kSerial, [&](Ex first) {
                      each_part([&](Ex part) {
                        builder_.store(parts, part,
                                       builder_.load(parts, part) + value(first + part));
                      });
                    });
      builder_.loop("part", builder_.i64(0), builder_.i64(kParts),
                    [&](Ex part) { builder_.assign(sum, Ex(sum) + builder_.load(parts, part)); });
    }
    if (whole < count) builder_.loop("e", builder_.i64(whole), builder_.i64(count), add);
    return sum;
  }
  // <lambda, S> of the matrices at these places.
  Ex overlap(Ex lambda_at, Ex state_at) {
    const auto product = [&](Ex e) {
      return builder_.load(lambda_, lambda_at + e) * builder_.load(states_, state_at + e);
    };
    if (!cuda_) return sum_of("slope", rows_ * dim_, product);
    const Var sum = builder_.variable("slope", builder_.f32(0));
    each_row([&](Ex s) {
      builder_.loop("d", lane_, builder_.i64(dim_), builder_.i64(32), LoopKind::kSerial,
                    [&](Ex d) { builder_.assign(sum, Ex(sum) + product(s * dim_ + d)); });
    });
    return builder_.let("slope_of_all", builder_.reduce(ir::ReduceOperator::kSum, sum));
  }
  void store_once(MemoryId to, Ex at, Ex value) {
    if (!cuda_) return builder_.store(to, at, value);
    builder_.when(equal(lane_, builder_.i64(0)), [&] { builder_.store(to, at, value); });
  }

  void finish(Ex token) {
    const Ex row = row_of(token), here = matrix_of(token);
    each_row([&](Ex s) {
      const auto product = [&](const char* name, MemoryId matrices, MemoryId vector) {
        return sum_of(name, dim_, [&](Ex d) {
          return builder_.load(matrices, here + s * dim_ + d) *
                 builder_.load(vector, row * dim_ + d);
        });
      };
      store_once(dq_, row * rows_ + s, product("dquery", states_, dy_));
      store_once(dk_, row * rows_ + s, product("dkey", lambda_, x_));
    });
    const Var size = each_entry(token, row, [&](Ex earlier, Ex, Ex entry) {
      const Ex there = builder_.let("there", matrices_at_ + earlier * (rows_ * dim_));
      store_once(dcoefficients_, row * width_ + entry, overlap(here, there));
    });
    builder_.loop("rest", cuda_ ? Ex(size) + lane_ : Ex(size), width_, builder_.i64(cuda_ ? 32 : 1),
                  LoopKind::kSerial, [&](Ex rest) {
                    builder_.store(dcoefficients_, row * width_ + rest, builder_.f32(0));
                  });
  }

  const KernelSpec& spec_;
  bool cuda_;
  int dim_, rows_;  // channels, and rows of a state
  Builder builder_;
  MemoryId q_, k_, x_, coefficients_, dy_, dq_, dk_, dx_, dcoefficients_;
  MemoryId states_, lambda_;
  Ex tokens_, heads_, width_;
  Ex thread_, warp_, lane_;  // cuda only
  Ex row_base_, matrices_at_;
};

}  // namespace

ir::Kernel matrix_rows_back(const KernelSpec& spec) { return MatrixGradients(spec).run(); }

}  // namespace heddle::schedule
