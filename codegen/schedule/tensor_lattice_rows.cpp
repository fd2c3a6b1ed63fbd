// SPDX-License-Identifier: Apache-2.0
// Launches of a gather with a block for some chunks of tokens, of softmax where B is a lattice, on
// tensor cores: what rows have for what they read. As in prefill (see TensorLattice) a column for
// each term comes by, and the chunk's own rows are columns likewise; no row needs another one here.
//   weights  each row's highest score and one over the sum of its weights
//   rows     with w_ij the weight of row i for column j before it is divided by their total, and
//            mean_i = <lambda_i, y_i>,
//              dq_i = scale / total_i sum over j of w_ij (<lambda_i, y_j> - mean_i) k_j
//            where a row's own input stands in for its output; and dx_i = w_ii / total_i lambda_i
#include <optional>

#include "codegen/schedule/attention_rows.hpp"
#include "codegen/schedule/lattice_back.hpp"
#include "codegen/schedule/lattice_columns.hpp"
#include "codegen/schedule/row_vectors.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;
using ir::VectorPlace;

namespace {

constexpr int kRowThreads = 32 * kLatticeBackWarps;
constexpr int kRowVector = 8;  // elements of sixteen bytes
constexpr int kOwnScores = 4 * kScoreTiles;

GradientScratch scratch_of(WindowUse use) {
  if (use == WindowUse::kWeights) return {};
  return {Access::kRead, Access::kRead, std::nullopt};
}

class TensorLatticeRows {
 public:
  TensorLatticeRows(const KernelSpec& spec, WindowUse use)
      : spec_(spec),
        weights_(use == WindowUse::kWeights),
        layout_(spec, use),
        dim_(spec.head_dim),
        tiles_(weights_ ? 1 : spec.head_dim / 8),
        builder_(spec.symbol + (weights_ ? "_weights" : "_rows"), spec.target, kRowThreads),
        frame_(builder_, spec, scratch_of(use)) {
    builder_.side_by_side(weights_ && layout_.columns <= 16 ? 3 : 2);
    frame_.chunks = builder_.size("chunks");
  }

  ir::Kernel run() {
    frame_.each_block([&] {
      declare();
      const int size = spec_.gather->chunk_tokens;
      const Ex begin = builder_.let("begin", frame_.chunk * size);
      builder_.when(begin < frame_.tokens, [&] {
        const Ex end =
            builder_.let("end", builder_.call(Helper::kMinimum, {begin + size, frame_.tokens}));
        columns_->open(end);
        blank_windows();
        builder_.loop("first", begin, end, builder_.i64(kTensorChunk), LoopKind::kSerial,
                      [&](Ex first) { chunk(first); });
      });
    });
    return builder_.take();
  }

 private:
  static std::string vectors(const char* name) { return on_tiles(name, kRowVector); }
  int window_tiles() const { return static_cast<int>(layout_.columns) / 8; }
  Ex stride() { return builder_.i64(layout_.stride); }
  VectorPlace whole(MemoryId sums) { return {sums, builder_.i64(0), true}; }

  void declare() {
    staged_ = builder_.dynamic_array("staged", spec_.dtype);
    columns_.emplace(builder_, spec_, frame_.thread,
                     LatticeColumns::Sizes{layout_.columns, layout_.listed, kRowThreads});
    const auto sums = [&](const char* name, int count) {
      return builder_.array(name, Type::kF32, count);
    };
    own_scores_ = sums("own_scores", kOwnScores);
    scores_ = sums("scores", 4 * window_tiles());
    sums_ = sums("sums", 4 * tiles_);
    highest_ = sums("highest", 2);
    totals_ = sums("totals", 2);
    all_first_ = builder_.array("all_first", Type::kF32, 2 * kRowThreads, true);
    if (weights_) {
      all_second_ = builder_.array("all_second", Type::kF32, 2 * kRowThreads, true);
      return;
    }
    own_changes_ = sums("own_changes", kOwnScores);
    changes_ = sums("changes", 4 * window_tiles());
    inverse_ = sums("inverse", 2);
    means_ = sums("means", 2);
    inputs_ = sums("of_inputs", 2);
    own_weights_ = sums("own_weights", 2);
  }

  void each_sum(MemoryId sums, int count, const std::function<Ex(Ex)>& value) {
    builder_.loop("e", builder_.i64(0), builder_.i64(count), builder_.i64(1), LoopKind::kUnrolled,
                  [&](Ex e) { builder_.store(sums, e, value(e)); });
  }
  void fill(MemoryId sums, int count, Ex value) {
    each_sum(sums, count, [&](Ex) { return value; });
  }
  void each_piece(Ex rows, const std::function<void(Ex, Ex)>& body) {
    each_vector(builder_, frame_.thread, kRowThreads, rows, {dim_, kRowVector}, body);
  }
  void clear(Ex at) {
    builder_.invoke(vectors("clear_elements"), {VectorPlace{staged_, at, true}});
  }
  void start(Ex to, MemoryId from, Ex at) {
    builder_.invoke(vectors("start_copy"), {VectorPlace{staged_, to, true}, VectorPlace{from, at}});
  }
  void arrive() {
    builder_.invoke(on_tiles("await_batches", 0), {});
    builder_.barrier();
  }

  // Each place is filled before it is read; but for windows that rests on how many of them come by,
  // which the static layer does not follow.
  void blank_windows() {
    const std::int64_t rows = layout_.sides * LatticeBackLayout::kStages * layout_.columns;
    each_piece(builder_.i64(rows), [&](Ex row, Ex d) {
      clear(builder_.let("blank_at", row * layout_.stride + d + layout_.windows_at));
    });
  }

  void chunk(Ex first) {
    first_ = first;
    size_ = builder_.let("size", builder_.call(Helper::kMinimum, {builder_.i64(kTensorChunk),
                                                                  frame_.tokens - first}));
    warp_row_ = builder_.let("warp_row", frame_.warp * 16);
    first_row_ = builder_.let("first_row", first + 1 + warp_row_);
    own_at_ = builder_.let("own_at", warp_row_ * layout_.stride);
    builder_.barrier();
    bring_own();
    columns_->show(builder_.i64(0));
    columns_->list(first_, builder_.i64(0));
    fill(sums_, 4 * tiles_, builder_.f32(0));
    fill(totals_, 2, builder_.f32(0));
    weights_ ? fill(highest_, 2, builder_.lowest_score()) : ask_for_statistics();
    builder_.invoke("close_batch", {});
    arrive();
    if (!weights_) overlap(means_, layout_.outputs_at());
    builder_.loop("listed", builder_.i64(0), columns_->all(), builder_.i64(layout_.listed),
                  LoopKind::kSerial, [&](Ex listed) { take_listed(listed); });
    weights_ ? leave_weights() : leave_rows();
  }

  // ---- the chunk's own rows ---------------------------------------------------------------------

  // Those beyond the last token are zero.
  void bring_own() {
    each_piece(builder_.i64(kTensorChunk), [&](Ex row, Ex d) {
      const Ex to = builder_.let("to", row * layout_.stride + d);
      builder_.when(
          row < size_,
          [&] {
            const Ex from = builder_.let("from", frame_.token_at(first_ + row) + d);
            start(to, frame_.q, from);
            start(to + layout_.keys_at(), frame_.k, from);
            if (weights_) return;
            start(to + layout_.outputs_at(), frame_.y, from);
            start(to + layout_.inputs_at(), frame_.x, from);
            const MemoryId lambda = builder_.array("lambda", Type::kF32, kRowVector);
            builder_.load_vector(lambda, 0, frame_.lambda, from, kRowVector);
            builder_.store_vector(staged_, to + layout_.lambdas_at(), lambda, 0, kRowVector);
          },
          [&] {
            for (std::int64_t matrix = 0; matrix < layout_.matrices; ++matrix) {
              clear(to + matrix * layout_.own);
            }
          });
    });
  }

  // Of the two rows that a lane has a part of, token of half `half`.
  Ex token_of(Ex half) { return first_ + warp_row_ + frame_.lane / 4 + half * 8; }
  void ask_for_statistics() {
    builder_.loop("half", builder_.i64(0), builder_.i64(2), builder_.i64(1), LoopKind::kUnrolled,
                  [&](Ex half) {
                    builder_.store(highest_, half, builder_.f32(0));
                    builder_.store(inverse_, half, builder_.f32(0));
                    const Ex token = builder_.let("token", token_of(half));
                    builder_.when(token < frame_.tokens, [&] {
                      const Ex at = builder_.let("statistic_at", frame_.row_at(token));
                      builder_.store(highest_, half, builder_.load(frame_.highest, at));
                      builder_.store(inverse_, half, builder_.load(frame_.inverse, at));
                    });
                  });
  }

  VectorPlace own_rows(std::int64_t matrix_at, bool writes = false) {
    return {staged_, own_at_ + matrix_at, writes};
  }
  // The warp's rows of one of the chunk's matrices, times rows that lie elsewhere.
  void product(MemoryId sums, int tiles, std::int64_t matrix_at, Ex rows) {
    fill(sums, 4 * tiles, builder_.f32(0));
    builder_.invoke(
        on_tiles("multiply_rows_by_rows", tiles, dim_),
        {whole(sums), own_rows(matrix_at), stride(), VectorPlace{staged_, rows}, stride()});
  }
  void score(MemoryId scores, int tiles, Ex keys) {
    product(scores, tiles, 0, keys);
    each_sum(scores, 4 * tiles, [&](Ex e) { return frame_.scale * builder_.load(scores, e); });
  }
  void mask(MemoryId scores, int tiles, MemoryId last, Ex at) {
    builder_.invoke(on_tiles("mask_scores_by_position", tiles),
                    {whole(scores), VectorPlace{last, at}, first_row_});
  }
  void score_own() {
    score(own_scores_, kScoreTiles, builder_.i64(layout_.keys_at()));
    mask(own_scores_, kScoreTiles, columns_->own_last, builder_.i64(0));
    builder_.invoke(on_tiles("mask_scores", kScoreTiles), {whole(own_scores_), warp_row_});
  }
  void raise(MemoryId scores, int tiles) {
    builder_.invoke(on_tiles("raise_highest", tiles, tiles_),
                    {whole(scores), whole(highest_), whole(totals_), whole(sums_)});
  }
  void weigh_own() {
    const Ex gamma = *frame_.gamma;
    each_sum(totals_, 2, [&](Ex e) { return gamma * builder_.load(totals_, e); });
    builder_.invoke(on_tiles("weigh_mixed", kScoreTiles),
                    {whole(own_scores_), whole(highest_), whole(totals_), warp_row_, gamma});
  }

  // <lambda, y> and <lambda, x> of the warp's rows.
  void overlap(MemoryId sums, std::int64_t matrix_at) {
    builder_.invoke(on_tiles("overlap_rows", tiles_), {whole(sums), own_rows(layout_.lambdas_at()),
                                                       stride(), own_rows(matrix_at), stride()});
    builder_.invoke("sum_rows<2>", {whole(sums)});
  }
  void open_weights() {
    score_own();
    raise(own_scores_, kScoreTiles);
  }

  // ---- columns ----------------------------------------------------------------------------------

  void take_listed(Ex listed) {
    const Ex is_first = builder_.let("is_first", equal(listed, builder_.i64(0)));
    builder_.when(negated(is_first), [&] {
      builder_.barrier();
      columns_->show(listed);
      columns_->list(first_, listed);
      builder_.barrier();
    });
    const Ex count = builder_.let(
        "count",
        builder_.call(Helper::kMinimum, {builder_.i64(layout_.listed), columns_->all() - listed}));
    bring(builder_.i64(0), builder_.i64(0));
    builder_.invoke("close_batch", {});
    if (weights_) builder_.when(is_first, [&] { open_weights(); });
    arrive();
    builder_.loop("window", builder_.i64(0), count, builder_.i64(layout_.columns),
                  LoopKind::kSerial, [&](Ex window) { take(window, count); });
  }

  // Of a window; where there is no position, the chunk's first token stands in, for no row to read.
  void bring(Ex window, Ex stage) {
    each_piece(builder_.i64(layout_.columns), [&](Ex row, Ex d) {
      const Ex p = builder_.let("p", builder_.load(columns_->held, window + row));
      const Ex token = builder_.select(both(p > 0, p <= first_), p - 1, first_);
      const Ex at = builder_.let("at", frame_.token_at(builder_.let("token", token)) + d);
      const Ex to = builder_.let(
          "key_to", stage * layout_.window + row * layout_.stride + d + layout_.windows_at);
      start(to, frame_.k, at);
      if (!weights_) start(to + LatticeBackLayout::kStages * layout_.window, frame_.y, at);
    });
  }

  // The next one comes in meanwhile, to where the last one has been taken by now.
  void take(Ex window, Ex count) {
    const Ex stage = builder_.let("stage", window / layout_.columns % LatticeBackLayout::kStages);
    const Ex next = builder_.let("next", window + layout_.columns);
    builder_.when(next < count, [&] { bring(next, builder_.i64(1) - stage); });
    builder_.invoke("close_batch", {});
    mix(window, stage);
    arrive();
  }
  void mix(Ex window, Ex stage) {
    const Ex keys = builder_.let("keys_at", stage * layout_.window + layout_.windows_at);
    score(scores_, window_tiles(), keys);
    mask(scores_, window_tiles(), columns_->last, window);
    if (weights_) raise(scores_, window_tiles());
    builder_.invoke(on_tiles("weigh_scores", window_tiles()),
                    {whole(scores_), whole(highest_), whole(totals_)});
    if (weights_) return;
    product(changes_, window_tiles(), layout_.lambdas_at(),
            builder_.let("outputs_at", keys + LatticeBackLayout::kStages * layout_.window));
    add_slopes(scores_, changes_, window_tiles(), keys);
  }
  void add_slopes(MemoryId weights, MemoryId changes, int tiles, Ex keys) {
    each_sum(changes, 4 * tiles, [&](Ex e) {
      const Ex change = builder_.load(changes, e) - builder_.load(means_, e / 2 % 2);
      return builder_.load(weights, e) * change;
    });
    builder_.loop("part", builder_.i64(0), builder_.i64(tiles / 2), builder_.i64(1),
                  LoopKind::kUnrolled, [&](Ex part) {
                    builder_.invoke(
                        on_tiles("multiply_sums_by_columns", tiles_),
                        {whole(sums_), VectorPlace{changes, part * 8},
                         VectorPlace{staged_, keys + part * (16 * layout_.stride)}, stride()});
                  });
  }

  // ---- what a chunk leaves ----------------------------------------------------------------------

  // Every lane leaves what it has of its two rows, the same in all four that share one.
  void leave(MemoryId shared, MemoryId own) {
    const Ex to = builder_.let("to", frame_.warp * 64 + frame_.lane);
    each_half([&](Ex half) { builder_.store(shared, to + half * 32, builder_.load(own, half)); });
  }
  void each_half(const std::function<void(Ex)>& body) {
    builder_.loop("half", builder_.i64(0), builder_.i64(2), builder_.i64(1), LoopKind::kUnrolled,
                  body);
  }
  Ex left_of(MemoryId shared, Ex row) { return builder_.load(shared, row / 8 * 32 + row % 8 * 4); }
  void send_statistic(MemoryId to, MemoryId shared) {
    const Ex at = builder_.let("statistic_at", frame_.row_at(first_ + frame_.thread));
    builder_.store(to, at, left_of(shared, frame_.thread));
  }

  void leave_weights() {
    weigh_own();
    builder_.invoke("sum_rows<2>", {whole(totals_)});
    each_half([&](Ex half) {
      const Ex total = builder_.let("total", builder_.load(totals_, half));
      builder_.store(
          totals_, half,
          builder_.select(total > builder_.f32(0), builder_.f32(1) / total, builder_.f32(0)));
    });
    leave(all_first_, highest_);
    leave(all_second_, totals_);
    builder_.barrier();
    builder_.when(frame_.thread < size_, [&] {
      send_statistic(frame_.highest, all_first_);
      send_statistic(frame_.inverse, all_second_);
    });
  }

  // Whether sum e of a lane is in the column of the row's own input.
  Ex is_own(Ex e) {
    const Ex row = warp_row_ + frame_.lane / 4 + e / 2 % 2 * 8;
    return equal(frame_.lane % 4 * 2 + e % 2 + e / 4 * 8, row);
  }

  void leave_rows() {
    score_own();
    const Ex gamma = *frame_.gamma;
    each_sum(sums_, 4 * tiles_, [&](Ex e) { return gamma * builder_.load(sums_, e); });
    weigh_own();
    product(own_changes_, kScoreTiles, layout_.lambdas_at(), builder_.i64(layout_.outputs_at()));
    overlap(inputs_, layout_.inputs_at());
    fill(own_weights_, 2, builder_.f32(0));
    builder_.loop(
        "e", builder_.i64(0), builder_.i64(kOwnScores), builder_.i64(1), LoopKind::kUnrolled,
        [&](Ex e) {
          const Ex own = builder_.let("is_own", is_own(e));
          const Ex half = e / 2 % 2;
          builder_.store(
              own_changes_, e,
              builder_.select(own, builder_.load(inputs_, half), builder_.load(own_changes_, e)));
          builder_.store(own_weights_, half,
                         builder_.load(own_weights_, half) +
                             builder_.select(own, builder_.load(own_scores_, e), builder_.f32(0)));
        });
    builder_.invoke("sum_rows<2>", {whole(own_weights_)});
    each_half([&](Ex half) {
      builder_.store(own_weights_, half,
                     builder_.load(inverse_, half) * builder_.load(own_weights_, half));
    });
    add_slopes(own_scores_, own_changes_, kScoreTiles, builder_.i64(layout_.keys_at()));
    each_sum(sums_, 4 * tiles_, [&](Ex e) {
      return frame_.scale * builder_.load(inverse_, e / 2 % 2) * builder_.load(sums_, e);
    });
    builder_.comment("gradients of queries lie where each lane had its part of the inputs");
    builder_.invoke(on_tiles("store_sums", tiles_),
                    {own_rows(layout_.inputs_at(), true), stride(), whole(sums_)});
    leave(all_first_, own_weights_);
    builder_.barrier();
    each_piece(size_, [&](Ex row, Ex d) {
      const Ex at = builder_.let("at", frame_.token_at(first_ + row) + d);
      builder_.invoke(vectors("copy_elements"),
                      {VectorPlace{frame_.dq, at, true},
                       VectorPlace{staged_, row * layout_.stride + d + layout_.inputs_at()}});
      const MemoryId dx = builder_.array("own_dx", Type::kF32, kRowVector);
      builder_.load_vector(dx, 0, frame_.lambda, at, kRowVector);
      const Ex weight = builder_.let("weight", left_of(all_first_, row));
      each_sum(dx, kRowVector, [&](Ex e) { return weight * builder_.load(dx, e); });
      builder_.store_vector(frame_.dx, at, dx, 0, kRowVector);
    });
  }

  const KernelSpec& spec_;
  bool weights_;
  LatticeBackLayout layout_;
  int dim_, tiles_;
  Builder builder_;
  GradientFrame frame_;
  std::optional<LatticeColumns> columns_;
  MemoryId staged_;
  MemoryId own_scores_, scores_, own_changes_, changes_;
  MemoryId sums_;  // dq, before it is divided by the rows' totals
  MemoryId highest_, totals_, inverse_, means_;
  MemoryId inputs_;                  // <lambda, x>
  MemoryId own_weights_;             // of a row's own input
  MemoryId all_first_, all_second_;  // shared: two numbers of each thread, twice
  Ex first_, size_, warp_row_, first_row_, own_at_;
};

}  // namespace

ir::Kernel tensor_lattice_rows(const KernelSpec& spec, WindowUse use) {
  return TensorLatticeRows(spec, use).run();
}

}  // namespace heddle::schedule
