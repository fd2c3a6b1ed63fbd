// SPDX-License-Identifier: Apache-2.0
// Softmax over the row's own input and the outputs of a lattice, on tensor cores. Rows are nested,
// so that what the rows of a chunk read of earlier ones is what its first row reads, and those of
// them that read a position are the first ones, as many as its divisors say (see LatticeTerms). A
// block owns one (batch, head) and takes chunks of 64 rows, 16 to a warp, one after the other. The
// positions are listed, a column for each term. Those of the first terms are kept in shared memory:
// each comes from the chunk before, or moves on from an earlier column. Others come by in windows;
// then, where the launch goes on from a state, its slots as they lie. A column is no score of rows
// behind the last one that reads it. The chunk's own rows are columns likewise, and their scores
// come first: each row has one of its own input. They are weighed last, and what is left is a
// system to solve. Warps that have no rows list positions meanwhile.
#include "codegen/schedule/attention_rows.hpp"
#include "codegen/schedule/cache.hpp"
#include "codegen/schedule/lattice_columns.hpp"
#include "codegen/schedule/lattice_plan.hpp"
#include "codegen/schedule/row_vectors.hpp"
#include "codegen/schedule/tensor_solve.hpp"

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

constexpr int kListingWarps = 4;
constexpr int kListers = 32 * kListingWarps;
constexpr int kLatticeVector = 8;  // elements of sixteen bytes

class TensorLattice {
 public:
  explicit TensorLattice(Frame& frame)
      : frame_(frame),
        builder_(frame.builder),
        layout_(frame.spec),
        columns_(frame, {layout_.columns, layout_.listed, kListers, layout_.kept}),
        dim_(frame.spec.head_dim),
        tiles_(frame.spec.head_dim / 8) {}

  void run() {
    staged_ = builder_.dynamic_array("staged", frame_.spec.dtype);
    TensorSolve solve(frame_, staged_, layout_.stride, kListers);
    solve_ = &solve;
    own_scores_ = builder_.array("own_scores", Type::kF32, kOwnScores);
    scores_ = builder_.array("scores", Type::kF32, window_scores());
    outputs_ = builder_.array("outputs", Type::kF32, 4 * tiles_);
    highest_ = builder_.array("highest", Type::kF32, 2);
    totals_ = builder_.array("totals", Type::kF32, 2);
    has_rows_ = builder_.let("has_rows", frame_.warp >= kListingWarps);
    columns_.open(frame_.start + frame_.tokens);
    kept_columns_ = builder_.let(
        "kept_columns",
        builder_.call(Helper::kMinimum, {builder_.i64(layout_.kept), columns_.of_terms()}));
    blank();
    columns_.show(builder_.i64(0));
    by_others([&] {
      bring_own(builder_.i64(0), builder_.i64(0), builder_.i64(0), layout_.rows);
      columns_.list_first();
    });
    builder_.invoke("close_batch", {});
    arrive();
    builder_.loop("first", builder_.i64(0), frame_.tokens, builder_.i64(layout_.rows),
                  LoopKind::kSerial, [&](Ex first) { chunk(first); });
    write_final_state(frame_);
  }

 private:
  static constexpr int kOwnScores = 4 * kScoreTiles;
  static std::string vectors(const char* name) { return on_tiles(name, kLatticeVector); }
  int window_tiles() const { return static_cast<int>(layout_.columns) / 8; }
  int window_scores() const { return 4 * window_tiles(); }
  Ex stride() { return builder_.i64(layout_.stride); }
  VectorPlace whole(MemoryId sums) { return {sums, builder_.i64(0), true}; }

  void each_sum(MemoryId sums, int count, const std::function<Ex(Ex)>& value) {
    builder_.loop("e", builder_.i64(0), builder_.i64(count), builder_.i64(1), LoopKind::kUnrolled,
                  [&](Ex e) { builder_.store(sums, e, value(e)); });
  }
  void fill(MemoryId sums, int count, Ex value) {
    each_sum(sums, count, [&](Ex) { return value; });
  }
  void clear(Ex at) {
    builder_.invoke(vectors("clear_elements"), {VectorPlace{staged_, at, true}});
  }
  void start(Ex to, MemoryId from, Ex at) {
    builder_.invoke(vectors("start_copy"), {VectorPlace{staged_, to, true}, VectorPlace{from, at}});
  }
  void each_piece(Ex thread, int threads, std::int64_t rows,
                  const std::function<void(Ex, Ex)>& body) {
    each_vector(builder_, thread, threads, builder_.i64(rows), {dim_, kLatticeVector}, body);
  }
  // By the warps that have no rows.
  void by_others(const std::function<void()>& body) { builder_.when(negated(has_rows_), body); }
  void each_piece_of_others(std::int64_t rows, const std::function<void(Ex, Ex)>& body) {
    each_piece(frame_.thread, kListers, rows, body);
  }
  void arrive() {
    builder_.invoke(on_tiles("await_batches", 0), {});
    builder_.barrier();
  }

  // Each place is filled before it is read; but for windows that rests on how many of them come by,
  // and for kept columns and the chunk that they come from on what is listed, which the static
  // layer does not follow.
  void blank() {
    const std::int64_t rows =
        3 * layout_.rows + 2 * LatticeLayout::kStages * layout_.columns + 4 * layout_.kept;
    each_piece(frame_.thread, 32 * frame_.warps, rows, [&](Ex row, Ex d) {
      clear(builder_.let("blank_at", row * layout_.stride + d + layout_.own));
    });
  }

  void chunk(Ex first) {
    first_ = first;
    size_ = builder_.let("size", builder_.call(Helper::kMinimum, {builder_.i64(layout_.rows),
                                                                  frame_.tokens - first}));
    before_ = builder_.let("before", frame_.start + first);
    turn_ = builder_.let("turn", first / layout_.rows % 2);
    own_ = builder_.let("own", turn_ * layout_.own);
    warp_row_ = builder_.let("warp_row", frame_.warp * 16 - kListingWarps * 16);
    first_row_ = builder_.let("first_row", before_ + 1 + warp_row_);
    fill(outputs_, 4 * tiles_, builder_.f32(0));
    fill(highest_, 2, builder_.lowest_score());
    fill(totals_, 2, builder_.f32(0));
    const Ex next = builder_.let("next_first", first_ + layout_.rows);
    const Ex next_before = builder_.let("next_before", before_ + layout_.rows);
    columns_.begin();
    const Ex next_turn = builder_.let("next_turn", builder_.i64(1) - turn_);
    take_kept([&] { columns_.find(next_before, next_turn); });
    builder_.when(columns_.all() > kept_columns_, [&] {
      builder_.loop("listed", builder_.i64(0), columns_.all(), builder_.i64(layout_.listed),
                    LoopKind::kSerial, [&](Ex listed) { take_listed(listed); });
    });
    columns_.show(builder_.i64(0));
    builder_.when(has_rows_, [&] { weigh_own(); });
    const auto meanwhile = [&](Ex part) {
      by_others([&] {
        bring_own(next, next_turn, part * 16, 16);
        columns_.list_further(part);
      });
      builder_.invoke("close_batch", {});
      // All are there when the chunk is; but what is under way for several iterations is not
      // followed by the static layer.
      builder_.invoke(on_tiles("await_batches", 1), {});
    };
    const TensorSolve::Others others{meanwhile, [&](Ex part) { by_others([&] { write(part); }); }};
    solve_->solve(
        {own_ + layout_.values_at, warp_row_, own_scores_, outputs_},
        [&](Ex below) { return both(has_rows_, below); }, others);
    arrive();
  }

  // Queries, keys and inputs of the chunk from token `first` on, so many rows from row `from` on.
  // Those beyond the last token are zero.
  void bring_own(Ex first, Ex turn, Ex from_row, std::int64_t rows) {
    each_piece_of_others(rows, [&](Ex below, Ex d) {
      const Ex row = builder_.let("row", from_row + below);
      const Ex to = builder_.let("to", turn * layout_.own + row * layout_.stride + d);
      const Ex key = builder_.let("key_to", to + layout_.keys_at);
      const Ex value = builder_.let("value_to", to + layout_.values_at);
      const Ex token = builder_.let("token", first + row);
      builder_.when(
          token < frame_.tokens,
          [&] {
            const Ex from = builder_.let("from", frame_.token_at(token) + d);
            start(to, frame_.q, from);
            start(key, frame_.k, from);
            start(value, frame_.x, from);
          },
          [&] {
            clear(to);
            clear(key);
            clear(value);
          });
    });
  }

  // ---- columns ----------------------------------------------------------------------------------

  // Keys and outputs of kept columns, which then are scored where they lie.
  void take_kept(const std::function<void()>& meanwhile) {
    const Ex kept = builder_.let("kept", turn_ * (2 * layout_.side) + layout_.kept_at);
    builder_.when(
        has_rows_, [&] { score_own(); }, [&] { move_kept(kept); });
    builder_.barrier();
    const auto mix_kept = [&] {
      builder_.loop("window", builder_.i64(0), kept_columns_, builder_.i64(layout_.columns),
                    LoopKind::kSerial, [&](Ex window) {
                      const Ex keys = builder_.let("keys_at", kept + window * layout_.stride);
                      mix(window, keys, keys + layout_.side);
                    });
    };
    builder_.when(has_rows_, mix_kept, meanwhile);
  }
  // From where they are, which the last chunk knows, or nothing.
  void move_kept(Ex kept) {
    const Ex before = builder_.let("turn_before", builder_.i64(1) - turn_);
    const Ex kept_before =
        builder_.let("kept_before", before * (2 * layout_.side) + layout_.kept_at);
    const Ex own_before = builder_.let("own_before", before * layout_.own + layout_.keys_at);
    const Ex last = builder_.i64(layout_.kept + layout_.rows - 1);
    each_vector(builder_, frame_.thread, kListers, kept_columns_, {dim_, kLatticeVector},
                [&](Ex row, Ex d) {
                  const Ex to = builder_.let("key_to", kept + row * layout_.stride + d);
                  const Ex from = builder_.let(
                      "from",
                      builder_.call(Helper::kMinimum, {builder_.load(columns_.source, row), last}));
                  const auto nothing = [&] {
                    clear(to);
                    clear(to + layout_.side);
                  };
                  const auto move_both = [&](Ex keys, std::int64_t values) {
                    move(to, keys);
                    move(to + layout_.side, keys + values);
                  };
                  const auto of_column = [&] {
                    move_both(builder_.let("column_at", kept_before + from * layout_.stride + d),
                              layout_.side);
                  };
                  const auto of_chunk = [&] {
                    const Ex row_at = own_before + (from - layout_.kept) * layout_.stride + d;
                    move_both(builder_.let("row_at", row_at), layout_.values_at - layout_.keys_at);
                  };
                  builder_.when(from < 0, nothing,
                                [&] { builder_.when(from < layout_.kept, of_column, of_chunk); });
                });
  }
  void move(Ex to, Ex from) {
    builder_.invoke(vectors("copy_elements"),
                    {VectorPlace{staged_, to, true}, VectorPlace{staged_, from}});
  }

  void take_listed(Ex listed) {
    const Ex is_first = builder_.let("is_first", equal(listed, builder_.i64(0)));
    builder_.when(negated(is_first), [&] {
      builder_.barrier();
      columns_.show(listed);
      by_others([&] { columns_.list(before_, listed); });
      builder_.barrier();
    });
    const Ex count = builder_.let(
        "count",
        builder_.call(Helper::kMinimum, {builder_.i64(layout_.listed), columns_.all() - listed}));
    const Ex from = builder_.let("from", builder_.select(is_first, kept_columns_, builder_.i64(0)));
    builder_.when(from < count, [&] { bring(listed, from, stage_of(from)); });
    builder_.invoke("close_batch", {});
    builder_.loop("window", from, count, builder_.i64(layout_.columns), LoopKind::kSerial,
                  [&](Ex window) { take(listed, window, count); });
    arrive();
  }
  Ex stage_of(Ex window) {
    return builder_.let("stage", window / layout_.columns % LatticeLayout::kStages);
  }

  // Keys and outputs of a window of columns. Where there is none, the chunk's first token stands
  // in, for no row to read.
  void bring(Ex listed, Ex window, Ex stage) {
    const auto terms = [&] { bring_terms(window, stage); };
    if (!frame_.b.cached()) return terms();
    builder_.when(listed + window < columns_.of_terms(), terms,
                  [&] { bring_slots(listed + window, stage); });
  }
  struct Source {
    MemoryId key, value;
    Ex at;
  };
  void bring_rows_of_window(Ex stage, const std::function<Source(Ex)>& source) {
    each_piece(frame_.thread, 32 * frame_.warps, layout_.columns, [&](Ex row, Ex d) {
      const Ex key = builder_.let(
          "key_to", stage * layout_.window + row * layout_.stride + d + layout_.window_keys_at);
      const Source from = source(row);
      start(key, from.key, from.at + d);
      start(key + (layout_.window_values_at - layout_.window_keys_at), from.value, from.at + d);
    });
  }
  void bring_terms(Ex window, Ex stage) {
    bring_rows_of_window(stage, [&](Ex row) {
      const Ex p = builder_.let("p", builder_.load(columns_.held, window + row));
      const Ex here = builder_.let("here", both(p > frame_.start, p <= before_));
      const Ex token = builder_.select(here, p - frame_.start - 1, first_);
      const Ex at = builder_.let("at", frame_.token_at(builder_.let("token", token)));
      return Source{frame_.k, builder_.choose("values", here, frame_.y, frame_.x), at};
    });
  }
  void bring_slots(Ex first_column, Ex stage) {
    bring_rows_of_window(stage, [&](Ex row) {
      const SideFrame& side = frame_.b;
      const LatticeColumns::Slot slot = columns_.slot_of(first_column + row);
      const Ex at = builder_.let(
          "at",
          builder_.select(slot.taken, frame_.slot_at(side, slot.number), frame_.token_at(first_)));
      return Source{builder_.choose("keys", slot.taken, side.before.key, frame_.k),
                    builder_.choose("values", slot.taken, side.before.val, frame_.x), at};
    });
  }

  // The next one comes in meanwhile, to where the last one has been taken by now.
  void take(Ex listed, Ex window, Ex count) {
    const Ex stage = stage_of(window);
    const Ex next = builder_.let("next", window + layout_.columns);
    arrive();
    builder_.when(next < count, [&] { bring(listed, next, builder_.i64(1) - stage); });
    builder_.invoke("close_batch", {});
    builder_.when(has_rows_, [&] {
      const Ex place = builder_.let("place", stage * layout_.window);
      mix(window, place + layout_.window_keys_at, place + layout_.window_values_at);
    });
  }

  // ---- rows -------------------------------------------------------------------------------------

  // Scores of the warp's rows with the keys from there on.
  void score(MemoryId scores, int tiles, Ex keys) {
    fill(scores, 4 * tiles, builder_.f32(0));
    builder_.invoke(on_tiles("multiply_rows_by_rows", tiles, dim_),
                    {whole(scores), VectorPlace{staged_, own_ + warp_row_ * layout_.stride},
                     stride(), VectorPlace{staged_, keys}, stride()});
    each_sum(scores, 4 * tiles, [&](Ex e) { return frame_.scale * builder_.load(scores, e); });
  }
  void mask(MemoryId scores, int tiles, MemoryId last, Ex at) {
    builder_.invoke(on_tiles("mask_scores_by_position", tiles),
                    {whole(scores), VectorPlace{last, at}, first_row_});
  }
  void raise(MemoryId scores, int tiles) {
    builder_.invoke(on_tiles("raise_highest", tiles, tiles_),
                    {whole(scores), whole(highest_), whole(totals_), whole(outputs_)});
  }
  void score_own() {
    score(own_scores_, kScoreTiles, own_ + layout_.keys_at);
    mask(own_scores_, kScoreTiles, columns_.own_last, builder_.i64(0));
    builder_.invoke(on_tiles("mask_scores", kScoreTiles), {whole(own_scores_), warp_row_});
    raise(own_scores_, kScoreTiles);
  }
  void mix(Ex window, Ex keys, Ex values_at) {
    score(scores_, window_tiles(), keys);
    mask(scores_, window_tiles(), columns_.last, window);
    raise(scores_, window_tiles());
    builder_.invoke(on_tiles("weigh_scores", window_tiles()),
                    {whole(scores_), whole(highest_), whole(totals_)});
    const Ex values = builder_.let("values_at", values_at);
    builder_.loop("part", builder_.i64(0), builder_.i64(layout_.columns / 16), builder_.i64(1),
                  LoopKind::kUnrolled, [&](Ex part) {
                    builder_.invoke(
                        on_tiles("multiply_sums_by_columns", tiles_),
                        {whole(outputs_), VectorPlace{scores_, part * 8},
                         VectorPlace{staged_, values + part * (16 * layout_.stride)}, stride()});
                  });
  }

  // The weights of the chunk's own rows, the sums so far times gamma, and both over the total.
  void weigh_own() {
    const Ex gamma = *frame_.gamma;
    each_sum(outputs_, 4 * tiles_, [&](Ex e) { return gamma * builder_.load(outputs_, e); });
    each_sum(totals_, 2, [&](Ex e) { return gamma * builder_.load(totals_, e); });
    builder_.invoke(on_tiles("weigh_mixed", kScoreTiles),
                    {whole(own_scores_), whole(highest_), whole(totals_), warp_row_, gamma});
    for (const auto& [sums, tiles] : {std::pair{own_scores_, kScoreTiles}, {outputs_, tiles_}}) {
      builder_.invoke(on_tiles("divide_rows", tiles),
                      {whole(sums), VectorPlace{totals_, builder_.i64(0)}});
    }
  }

  // Sixteen rows.
  void write(Ex part) {
    each_piece_of_others(16, [&](Ex below, Ex d) {
      const Ex row = builder_.let("row", part * 16 + below);
      builder_.when(row < size_, [&] {
        builder_.invoke(
            vectors("copy_elements"),
            {VectorPlace{frame_.y, frame_.token_at(first_ + row) + d, true},
             VectorPlace{staged_, own_ + row * layout_.stride + d + layout_.values_at}});
      });
    });
  }

  Frame& frame_;
  Builder& builder_;
  LatticeLayout layout_;
  LatticeColumns columns_;
  TensorSolve* solve_ = nullptr;
  int dim_, tiles_;
  MemoryId staged_, own_scores_, scores_, outputs_, highest_, totals_;
  Ex has_rows_, kept_columns_;
  Ex first_, size_, before_, turn_, own_, warp_row_, first_row_;
};

}  // namespace

ir::Kernel tensor_lattice(const KernelSpec& spec) {
  const int warps = spec.tensor->warps + kListingWarps;
  Builder builder(spec.symbol, spec.target, 32 * warps);
  Frame frame(builder, spec, /*decode=*/false);
  frame.warps = warps;
  for (const char* size : {"key_rows", "value_rows", "tile_rows"}) builder.size(size);
  frame.each_block([&] { TensorLattice(frame).run(); });
  return builder.take();
}

}  // namespace heddle::schedule
