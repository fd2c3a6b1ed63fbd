// SPDX-License-Identifier: Apache-2.0
// Lambda and the gradients of keys of softmax where B is a lattice, on tensor cores: prefill the
// other way round (see TensorLattice). A block owns one (batch, head) and takes chunks of 64 rows
// from the last one to the first. What later rows have for a chunk's is complete by then, and the
// chunk's own rows are a system with the transposed weights, solved from its last sixteen rows to
// the first. With w_ij the weight of row i for position j and mean_i = <lambda_i, y_i>, its rows
// have for a position
//   lambda_j: sum over i of w_ij lambda_i,   dk_j: scale sum over i of w_ij (<lambda_i, y_j> -
//   mean_i) q_i
// where a row's own input stands in for its output. For listed positions, which the chunk's first
// row reads, that joins what lies there: sums come in beside keys and outputs and go out by a
// thread for each channel, so that no two are at one place whatever the list says. Each warp has
// sixteen positions, whose scores with the chunk's rows are those of columns; warps without rows of
// their own substitute.
#include <optional>

#include "codegen/schedule/attention_rows.hpp"
#include "codegen/schedule/lattice_back.hpp"
#include "codegen/schedule/lattice_columns.hpp"
#include "codegen/schedule/row_vectors.hpp"
#include "codegen/schedule/tensor_solve.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::VectorPlace;

namespace {

constexpr int kLambdaWarps = 8;
constexpr int kLambdaThreads = 32 * kLambdaWarps;
constexpr int kOwners = 32 * kLatticeBackWarps;  // threads with rows of their own, which list, too
constexpr int kReals = 4;                        // a vector of sixteen bytes
constexpr int kPairs = 8;                        // likewise of the kernel's type
constexpr int kScoresOfRows = 4 * kScoreTiles;

class TensorLatticeLambda {
 public:
  explicit TensorLatticeLambda(const KernelSpec& spec)
      : spec_(spec),
        layout_(spec),
        dim_(spec.head_dim),
        tiles_(spec.head_dim / 8),
        builder_(spec.symbol + "_lambda", spec.target, kLambdaThreads),
        frame_(builder_, spec, {Access::kWrite, Access::kRead, std::nullopt}) {}

  ir::Kernel run() {
    frame_.each_block([&] {
      declare();
      columns_->open(frame_.tokens);
      const Ex chunks =
          builder_.let("all_chunks", (frame_.tokens + (kTensorChunk - 1)) / kTensorChunk);
      open(chunks);
      columns_->show(builder_.i64(0));
      const Ex lists = frame_.thread < kOwners;
      builder_.when(both(lists, frame_.tokens > 0),
                    [&] { columns_->list((chunks - 1) * kTensorChunk, builder_.i64(0)); });
      builder_.loop("done", builder_.i64(0), chunks, [&](Ex done) {
        chunk(builder_.let("first", (chunks - 1 - done) * kTensorChunk));
      });
    });
    return builder_.take();
  }

 private:
  Ex stride() { return builder_.i64(layout_.stride); }
  Ex real_stride() { return builder_.i64(layout_.stride); }
  VectorPlace whole(MemoryId sums) { return {sums, builder_.i64(0), true}; }

  void declare() {
    staged_ = builder_.dynamic_array("staged", spec_.dtype);
    reals_ = builder_.rest_of_dynamic_array("reals", builder_.i64(layout_.reals_at()));
    columns_.emplace(builder_, spec_, frame_.thread,
                     LatticeColumns::Sizes{layout_.columns, layout_.columns, kOwners});
    solve_.emplace(builder_, spec_, frame_.thread, staged_, layout_.stride, kOwners);
    highest_ = builder_.array_of_vectors("highest", kTensorChunk);
    inverse_ = builder_.array_of_vectors("inverse", kTensorChunk);
    means_ = builder_.array_of_vectors("means", kTensorChunk);
    scores_ = builder_.array("scores", Type::kF32, kScoresOfRows);
    sums_ = builder_.array("sums_of_rows", Type::kF32, 4 * tiles_);
    changes_ = builder_.array("changes", Type::kF32, kScoresOfRows);
    numbers_ = builder_.array("numbers", Type::kF32, 2);
    limits_ = builder_.array("limits", Type::kI64, 2);
    has_rows_ = builder_.let("has_rows", frame_.warp < kLatticeBackWarps);
    own_row_ = builder_.let("own_row", frame_.warp * 16);
    // Warps without rows have the first columns.
    column_ = builder_.let("own_column",
                           (frame_.warp + (kLambdaWarps - kLatticeBackWarps)) % kLambdaWarps * 16);
    has_columns_ = builder_.let("has_columns", column_ < layout_.columns);
  }

  void each_sum(int count, const std::function<void(Ex)>& body) {
    builder_.loop("e", builder_.i64(0), builder_.i64(count), builder_.i64(1), LoopKind::kUnrolled,
                  body);
  }
  void fill(MemoryId sums, int count) {
    each_sum(count, [&](Ex e) { builder_.store(sums, e, builder_.f32(0)); });
  }
  void each_vector_of(Ex rows, int vector, const std::function<void(Ex, Ex)>& body) {
    each_vector(builder_, frame_.thread, kLambdaThreads, rows, {dim_, vector}, body);
  }
  void start(int vector, MemoryId to, Ex to_at, MemoryId from, Ex at) {
    builder_.invoke(on_tiles("start_copy", vector),
                    {VectorPlace{to, to_at, true}, VectorPlace{from, at}});
  }
  void clear(int vector, MemoryId to, Ex at) {
    builder_.invoke(on_tiles("clear_elements", vector), {VectorPlace{to, at, true}});
  }
  void arrive() {
    builder_.invoke("close_batch", {});
    builder_.invoke(on_tiles("await_batches", 0), {});
    builder_.barrier();
  }

  // Means are there before they are read; but the static layer does not follow which lane has them.
  void open(Ex chunks) {
    builder_.comment("lambda starts as dy, and dk as nothing");
    builder_.when(frame_.thread < kTensorChunk,
                  [&] { builder_.store(means_, frame_.thread, builder_.f32(0)); });
    builder_.loop("opened", builder_.i64(0), chunks, [&](Ex opened) {
      const Ex first = builder_.let("opened_first", opened * kTensorChunk);
      const Ex size =
          builder_.call(Helper::kMinimum, {builder_.i64(kTensorChunk), frame_.tokens - first});
      each_vector_of(builder_.let("opened_rows", size), kReals, [&](Ex row, Ex d) {
        const Ex at = builder_.let("at", frame_.token_at(first + row) + d);
        const MemoryId started = builder_.array("started", Type::kF32, kReals);
        builder_.load_vector(started, 0, frame_.dy, at, kReals);
        builder_.store_vector(frame_.lambda, at, started, 0, kReals);
        each_sum(kReals, [&](Ex e) { builder_.store(started, e, builder_.f32(0)); });
        builder_.store_vector(frame_.dk_sum, at, started, 0, kReals);
      });
    });
  }

  void chunk(Ex first) {
    first_ = first;
    size_ = builder_.let("size", builder_.call(Helper::kMinimum, {builder_.i64(kTensorChunk),
                                                                  frame_.tokens - first}));
    builder_.barrier();
    bring_own();
    bring_listed();
    arrive();
    builder_.when(has_rows_, [&] { weigh_own(); });
    columns_->show(builder_.i64(0));
    columns_->begin();
    solve();
    builder_.when(has_rows_, [&] { find_means(); });
    builder_.barrier();
    builder_.when(has_rows_, [&] { sum_own_dk(); });
    push();
    send_dk();
    send_listed();
    builder_.loop("listed", builder_.i64(layout_.columns), columns_->all(),
                  builder_.i64(layout_.columns), LoopKind::kSerial, [&](Ex listed) {
                    builder_.barrier();
                    columns_->show(listed);
                    builder_.when(frame_.thread < kOwners, [&] { columns_->list(first_, listed); });
                    builder_.barrier();
                    bring_listed();
                    arrive();
                    push();
                    send_listed();
                  });
    builder_.barrier();
    builder_.when(frame_.thread < kOwners, [&] { columns_->list_further(builder_.i64(3)); });
  }

  // Queries, keys, outputs, inputs, what is due so far and the rows' statistics; rows beyond the
  // last token are zero and weigh nothing.
  void bring_own() {
    each_vector_of(builder_.i64(kTensorChunk), kPairs, [&](Ex row, Ex d) {
      const Ex to = builder_.let("to", row * layout_.stride + d);
      builder_.when(
          row < size_,
          [&] {
            const Ex from = builder_.let("from", frame_.token_at(first_ + row) + d);
            start(kPairs, staged_, to, frame_.q, from);
            start(kPairs, staged_, to + layout_.keys_at(), frame_.k, from);
            start(kPairs, staged_, to + layout_.outputs_at(), frame_.y, from);
            start(kPairs, staged_, to + layout_.inputs_at(), frame_.x, from);
          },
          [&] {
            for (std::int64_t matrix = 0; matrix < 4; ++matrix) {
              clear(kPairs, staged_, to + matrix * layout_.own);
            }
          });
    });
    each_vector_of(builder_.i64(kTensorChunk), kReals, [&](Ex row, Ex d) {
      const Ex to = builder_.let("due_to", row * layout_.stride + d);
      builder_.when(
          row < size_,
          [&] {
            const Ex from = builder_.let("due_from", frame_.token_at(first_ + row) + d);
            start(kReals, reals_, to, frame_.lambda, from);
            start(kReals, reals_, to + layout_.own_dk_at(), frame_.dk_sum, from);
          },
          [&] {
            clear(kReals, reals_, to);
            clear(kReals, reals_, to + layout_.own_dk_at());
          });
    });
    builder_.when(frame_.thread < kTensorChunk, [&] {
      const Ex row = frame_.thread;
      builder_.when(
          row < size_,
          [&] {
            const Ex at = builder_.let("statistic_at", frame_.row_at(first_ + row));
            builder_.store(highest_, row, builder_.load(frame_.highest, at));
            builder_.store(inverse_, row, builder_.load(frame_.inverse, at));
          },
          [&] {
            builder_.store(highest_, row, builder_.f32(0));
            builder_.store(inverse_, row, builder_.f32(0));
          });
    });
  }

  // Keys and outputs of listed positions, and what there is of their sums. Where there is none, the
  // chunk's first token stands in, which no row reads here.
  Ex here(Ex p) { return both(p > 0, p <= first_); }
  void bring_listed() {
    const auto token_of = [&](Ex row) {
      const Ex p = builder_.let("p", builder_.load(columns_->held, row));
      return builder_.let("token", builder_.select(here(p), p - 1, first_));
    };
    each_vector_of(builder_.i64(layout_.columns), kPairs, [&](Ex row, Ex d) {
      const Ex to = builder_.let("key_to", row * layout_.stride + d + layout_.window_at());
      const Ex from = builder_.let("from", frame_.token_at(token_of(row)) + d);
      start(kPairs, staged_, to, frame_.k, from);
      start(kPairs, staged_, to + layout_.window, frame_.y, from);
    });
    each_vector_of(builder_.i64(layout_.columns), kReals, [&](Ex row, Ex d) {
      const Ex to = builder_.let("sum_to", row * layout_.stride + d + layout_.window_sums_at());
      const Ex from = builder_.let("sum_from", frame_.token_at(token_of(row)) + d);
      start(kReals, reals_, to, frame_.lambda, from);
      start(kReals, reals_, to + layout_.window, frame_.dk_sum, from);
    });
  }

  // ---- weights ----------------------------------------------------------------------------------

  // A warp's sixteen positions, from place `row` of their matrix on, times the chunk's rows.
  void product(MemoryId sums, Ex positions, std::int64_t rows) {
    fill(sums, kScoresOfRows);
    builder_.invoke(on_tiles("multiply_rows_by_rows", kScoreTiles, dim_),
                    {whole(sums), VectorPlace{staged_, positions}, stride(),
                     VectorPlace{staged_, builder_.i64(rows)}, stride()});
  }
  // The chunk's row of sum e of a lane, and that of its position.
  Ex reader_of(Ex e) { return frame_.lane % 4 * 2 + e % 2 + e / 4 * 8; }
  Ex place_of(Ex row, Ex half) { return row + frame_.lane / 4 + half * 8; }
  // The last readers of the positions are listed from `row` on. The chunk's own are read by
  // themselves, as inputs, and by rows behind them.
  void weigh(MemoryId scores, Ex row, MemoryId last, bool own) {
    const Ex gamma = *frame_.gamma;
    builder_.loop("half", builder_.i64(0), builder_.i64(2), builder_.i64(1), LoopKind::kUnrolled,
                  [&](Ex half) {
                    const Ex reader = builder_.call(
                        Helper::kMaximum,
                        {builder_.i64(0),
                         builder_.call(Helper::kMinimum, {builder_.load(last, place_of(row, half)),
                                                          first_ + kTensorChunk})});
                    builder_.store(limits_, half, reader - first_ - 1);
                  });
    each_sum(kScoresOfRows, [&](Ex e) {
      const Ex reader = builder_.let("reader", reader_of(e));
      Ex reads = reader <= builder_.load(limits_, e / 2 % 2);
      if (own) reads = both(reads, reader >= place_of(row, e / 2 % 2));
      builder_.store(
          scores, e,
          builder_.select(reads, frame_.scale * builder_.load(scores, e), builder_.lowest_score()));
    });
    builder_.invoke(on_tiles("weigh_by_column", kScoreTiles),
                    {whole(scores), VectorPlace{highest_, builder_.i64(0)},
                     VectorPlace{inverse_, builder_.i64(0)}});
    each_sum(kScoresOfRows, [&](Ex e) {
      Ex factor = gamma;
      if (own) {
        factor = builder_.select(equal(reader_of(e), place_of(row, e / 2 % 2)),
                                 builder_.f32(1) - gamma, gamma);
      }
      builder_.store(scores, e, factor * builder_.load(scores, e));
    });
  }
  void weigh_own() {
    product(scores_, own_row_ * layout_.stride + layout_.keys_at(), 0);
    weigh(scores_, own_row_, columns_->own_last, true);
    load_sums(own_row_ * layout_.stride);
  }
  void weigh_listed() {
    product(scores_, column_ * layout_.stride + layout_.window_at(), 0);
    weigh(scores_, column_, columns_->last, false);
  }

  // ---- sums -------------------------------------------------------------------------------------

  // Lambda takes the place of the chunk's keys.
  void solve() {
    TensorSolve::System system{builder_.i64(layout_.keys_at()), own_row_, scores_, sums_};
    system.inputs = false;
    system.backwards = true;
    builder_.comment("lambda, as reals, lies where what was due lay");
    system.keep = [&](Ex r, Ex d, Ex output) {
      builder_.store(reals_, r * layout_.stride + d, output);
    };
    const Ex before = builder_.let(
        "chunk_before", builder_.call(Helper::kMaximum, {first_ - kTensorChunk, builder_.i64(0)}));
    const auto meanwhile = [&](Ex turn) {
      builder_.when(frame_.thread < kOwners, [&] {
        builder_.when(
            equal(turn, builder_.i64(0)), [&] { columns_->find(before); },
            [&] { columns_->list_further(turn - 1); });
      });
    };
    solve_->solve(
        system, [&](Ex behind) { return both(has_rows_, behind); },
        TensorSolve::Others{meanwhile, [&](Ex turn) { write(turn); }});
  }

  // Sixteen rows, the last ones first, by the threads that have none.
  void write(Ex turn) {
    const Ex from = builder_.let("from_row", builder_.i64(kTensorChunk - 16) - turn * 16);
    builder_.when(negated(has_rows_), [&] {
      each_vector(builder_, frame_.thread - kOwners, kLambdaThreads - kOwners, builder_.i64(16),
                  {dim_, kReals}, [&](Ex below, Ex d) {
                    const Ex row = builder_.let("row", from + below);
                    builder_.when(row < size_, [&] {
                      builder_.invoke(
                          on_tiles("copy_elements", kReals),
                          {VectorPlace{frame_.lambda, frame_.token_at(first_ + row) + d, true},
                           VectorPlace{reals_, row * layout_.stride + d}});
                    });
                  });
    });
  }

  void load_sums(Ex at) {
    builder_.invoke(on_tiles("load_sums", tiles_),
                    {whole(sums_), VectorPlace{reals_, at}, real_stride()});
  }
  // Sums of positions: weights of the chunk's rows times one of its matrices.
  void add(MemoryId weights, std::int64_t rows_at) {
    builder_.loop("part", builder_.i64(0), builder_.i64(kTensorChunk / 16), builder_.i64(1),
                  LoopKind::kUnrolled, [&](Ex part) {
                    const Ex rows = part * (16 * layout_.stride) + rows_at;
                    builder_.invoke(on_tiles("multiply_sums_by_columns", tiles_),
                                    {whole(sums_), VectorPlace{weights, part * 8},
                                     VectorPlace{staged_, rows}, stride()});
                  });
  }
  void join(MemoryId weights, std::int64_t rows_at, std::int64_t sums_at) {
    const Ex at = builder_.let("sums_at", column_ * layout_.stride + sums_at);
    load_sums(at);
    add(weights, rows_at);
    builder_.invoke(on_tiles("store_sums", tiles_),
                    {VectorPlace{reals_, at, true}, real_stride(), whole(sums_)});
  }
  void push() {
    builder_.when(has_columns_, [&] {
      weigh_listed();
      push_lambda();
      push_dk();
    });
    builder_.barrier();
  }
  void push_lambda() { join(scores_, layout_.keys_at(), layout_.window_sums_at()); }
  void push_dk() {
    product(changes_, column_ * layout_.stride + layout_.window_at() + layout_.window,
            layout_.keys_at());
    slopes(scores_);
    join(changes_, 0, layout_.window_sums_at() + layout_.window);
  }
  void slopes(MemoryId weights) {
    builder_.invoke(on_tiles("slopes_by_column", kScoreTiles),
                    {whole(changes_), whole(weights), VectorPlace{means_, builder_.i64(0)}});
  }

  // <lambda, y> or <lambda, x> of the warp's rows, of a lane's two in all four that share them.
  void overlap(std::int64_t matrix_at) {
    const auto rows = [&](std::int64_t at) {
      return VectorPlace{staged_, own_row_ * layout_.stride + at};
    };
    builder_.invoke(on_tiles("overlap_rows", tiles_), {whole(numbers_), rows(layout_.keys_at()),
                                                       stride(), rows(matrix_at), stride()});
    builder_.invoke("sum_rows<2>", {whole(numbers_)});
  }
  void find_means() {
    overlap(layout_.outputs_at());
    builder_.when(equal(frame_.lane % 4, builder_.i64(0)), [&] {
      builder_.loop("half", builder_.i64(0), builder_.i64(2), builder_.i64(1), LoopKind::kUnrolled,
                    [&](Ex half) {
                      builder_.store(means_, place_of(own_row_, half),
                                     builder_.load(numbers_, half));
                    });
    });
  }
  // Gradients of the chunk's keys lie where each lane had its part of the inputs.
  void sum_own_dk() {
    product(changes_, own_row_ * layout_.stride + layout_.outputs_at(), layout_.keys_at());
    overlap(layout_.inputs_at());
    each_sum(kScoresOfRows, [&](Ex e) {
      const Ex half = e / 2 % 2;
      const Ex own = equal(reader_of(e), place_of(own_row_, half));
      builder_.store(
          changes_, e,
          builder_.select(own, builder_.load(numbers_, half), builder_.load(changes_, e)));
    });
    slopes(scores_);
    load_sums(own_row_ * layout_.stride + layout_.own_dk_at());
    add(changes_, 0);
    each_sum(4 * tiles_,
             [&](Ex e) { builder_.store(sums_, e, frame_.scale * builder_.load(sums_, e)); });
    builder_.invoke(on_tiles("store_sums", tiles_),
                    {VectorPlace{staged_, own_row_ * layout_.stride + layout_.inputs_at(), true},
                     stride(), whole(sums_)});
  }
  void send_dk() {
    each_vector_of(size_, kPairs, [&](Ex row, Ex d) {
      builder_.invoke(on_tiles("copy_elements", kPairs),
                      {VectorPlace{frame_.dk, frame_.token_at(first_ + row) + d, true},
                       VectorPlace{staged_, row * layout_.stride + d + layout_.inputs_at()}});
    });
  }

  void send_listed() {
    builder_.comment("a thread for each channel keeps what listed positions have now");
    const int at_once = dim_ <= 64 ? 16 : 8;  // as registers allow
    const auto send = [&](MemoryId to, Ex d, std::int64_t from) {
      builder_.loop(
          "some", builder_.i64(0), builder_.i64(layout_.columns), builder_.i64(at_once),
          LoopKind::kSerial, [&](Ex some) {
            each_sum(at_once, [&](Ex e) {
              const Ex entry = builder_.let("entry", some + e);
              const Ex p = builder_.let("p", builder_.load(columns_->held, entry));
              const Ex sum =
                  builder_.let("sum", builder_.load(reals_, entry * layout_.stride + d + from));
              builder_.when(here(p), [&] { builder_.store(to, frame_.token_at(p - 1) + d, sum); });
            });
          });
    };
    builder_.when(
        frame_.thread < dim_, [&] { send(frame_.lambda, frame_.thread, layout_.window_sums_at()); },
        [&] {
          builder_.when(frame_.thread < 2 * dim_, [&] {
            send(frame_.dk_sum, builder_.let("channel", frame_.thread - dim_),
                 layout_.window_sums_at() + layout_.window);
          });
        });
  }

  const KernelSpec& spec_;
  LatticeLambdaLayout layout_;
  int dim_, tiles_;
  Builder builder_;
  GradientFrame frame_;
  std::optional<LatticeColumns> columns_;
  std::optional<TensorSolve> solve_;
  MemoryId staged_, reals_;
  MemoryId highest_, inverse_, means_;  // of the chunk's rows
  MemoryId scores_, changes_, sums_, numbers_;
  MemoryId limits_;  // the last row of the chunk that reads each of a lane's two positions
  Ex has_rows_, has_columns_;
  Ex first_, size_, own_row_, column_;
};

}  // namespace

ir::Kernel tensor_lattice_lambda(const KernelSpec& spec) { return TensorLatticeLambda(spec).run(); }

}  // namespace heddle::schedule
