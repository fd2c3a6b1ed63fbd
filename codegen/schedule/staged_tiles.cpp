// SPDX-License-Identifier: Apache-2.0
// Prefill on cuda for rows that reach back far and often: {i - o : o in O, o < i} for one set O. A
// block owns one (batch, head) and sums a tile of many rows at a time. Windows of 32 earlier rows
// come by in ascending order, each is asked for once a tile, and every row of the tile takes its
// entries out of it; then the tile's own chunks follow, each solved and then shown to the rows
// after it. A row's entries are therefore taken from the last one, the furthest back, to the first.
#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/cache.hpp"
#include "codegen/schedule/chunk_solve.hpp"
#include "codegen/schedule/mixer.hpp"
#include "codegen/schedule/row_groups.hpp"
#include "codegen/schedule/staged_copy.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;

namespace {

// A side whose rows reach back.
struct Far {
  const SideFrame* side;
  std::int64_t most;        // offsets that are listed; 0: rows have every one from the first on
  std::int64_t values = 0;  // where those of a window begin in shared memory
  MemoryId next;            // of the tile's rows: the last listed entry that is not yet taken
  MemoryId offsets;         // ascending
  Ex counted, listed;

  bool dense() const { return most == 0; }
  std::int64_t first_offset() const { return side->side == Side::kB ? 1 : 0; }
};

class Tiles {
 public:
  explicit Tiles(Frame& frame)
      : frame_(frame),
        builder_(frame.builder),
        staging_(*frame.spec.staging),
        solves_(!frame.spec.b.empty()),
        dim_(frame.spec.head_dim),
        groups_(frame, RowLanes::kWarp) {
    if (staging_.far_a) far_.push_back({&frame.a, staging_.offsets_a});
    if (solves_) far_.push_back({&frame.b, staging_.offsets_b});
  }

  void run() {
    groups_.open();
    declare();
    for (Far& far : far_) list_offsets(far);
    builder_.loop("tile", builder_.i64(0), frame_.tokens, tile_rows_, LoopKind::kSerial,
                  [&](Ex tile) { run_tile(tile); });
    write_final_state(frame_);
  }

 private:
  void declare() {
    if (frame_.softmax()) builder_.size("key_rows");
    builder_.size("value_rows");
    tile_rows_ = builder_.size("tile_rows");
    staged_ = builder_.dynamic_array("staged", frame_.spec.dtype);
    builder_.comment("shared memory: keys and values of two windows, queries and sums of the tile");
    const std::int64_t window = kStagedChunk * dim_;
    queries_ = frame_.softmax() ? window : 0;
    for (Far& far : far_) {
      far.values = queries_;
      queries_ += window;
    }
    // The next window comes in beside the one that is shown.
    window_size_ = queries_;
    queries_ *= 2;
    const Ex sums_at =
        frame_.softmax() ? builder_.i64(queries_) + tile_rows_ * dim_ : builder_.i64(queries_);
    sums_ = builder_.rest_of_dynamic_array("sums", sums_at);
    // What a row of the tile is left with after a window: read in one place, written in another.
    const int most = static_cast<int>(staging_.tile_rows);
    if (frame_.softmax()) {
      highest_ = builder_.array("highest_of", Type::kF32, 2 * most, true);
      total_ = builder_.array("total_of", Type::kF32, 2 * most, true);
    }
    for (Far& far : far_) {
      if (!far.dense()) far.next = builder_.array("next_of", Type::kI64, 2 * most, true);
    }
    if (leaves()) parity_ = builder_.variable("parity", builder_.i64(0));
    if (!solves_) return;
    if (few_distances(frame_.spec, kStagedChunk)) {
      solve_.emplace(frame_, kStagedChunk);
      return;
    }
    near_weights_ = builder_.array("near_weights", Type::kF32, kStagedChunk * kStagedChunk, true);
    near_from_ = builder_.array("near_from", Type::kI64, kStagedChunk, true);
  }

  // ---- the offsets of a row ---------------------------------------------------------------------

  // Those of the last row are all that any row has. More than there is room for are left to be
  // walked: they lie further back than a tile has rows. Every thread counts them, one writes.
  void list_offsets(Far& far) {
    if (far.dense()) return;
    far.offsets = builder_.array("offsets", Type::kI64, static_cast<int>(far.most), true);
    const Ex last = builder_.let("last_row", frame_.start + frame_.tokens);
    const Var count = builder_.variable("count", builder_.i64(0));
    rows::emit_walk(builder_, frame_.spec.pattern, *far.side->plan, last, [&](Ex p) {
      builder_.when(both(equal(frame_.thread, builder_.i64(0)), Ex(count) < far.most),
                    [&] { builder_.store(far.offsets, count, last - p); });
      builder_.assign(count, Ex(count) + 1);
    });
    builder_.barrier();
    far.counted = builder_.let("counted", count);
    far.listed = builder_.let(
        "listed", builder_.call(Helper::kMinimum, {far.counted, builder_.i64(far.most)}));
  }

  Ex offset(const Far& far, Ex entry) { return builder_.load(far.offsets, entry); }

  // The number of the last listed entry of row i, -1 where it has none.
  Ex last_entry(const Far& far, Ex i) {
    const Var count = builder_.variable("entries", builder_.i64(0));
    builder_.loop("number", groups_.lane(), far.listed, builder_.i64(groups_.sharing()),
                  LoopKind::kSerial, [&](Ex number) {
                    builder_.when(offset(far, number) < i,
                                  [&] { builder_.assign(count, number + 1); });
                  });
    return builder_.reduce(ir::ReduceOperator::kMaximum, count, groups_.sharing()) - 1;
  }

  // ---- what a row is left with ------------------------------------------------------------------

  // Whether a row is left with more than its sums. Where it has every offset, the next entry is the
  // first one that the next window has.
  bool leaves() const {
    return frame_.softmax() ||
           std::any_of(far_.begin(), far_.end(), [](const Far& far) { return !far.dense(); });
  }
  Ex here(Ex r) const { return parity_ * staging_.tile_rows + r; }
  Ex there(Ex r) const { return (builder_.i64(1) - parity_) * staging_.tile_rows + r; }

  // Softmax: what a row was left with.
  Ex highest(Ex r) { return frame_.softmax() ? builder_.load(highest_, here(r)) : Ex(); }
  Ex total(Ex r) { return frame_.softmax() ? builder_.load(total_, here(r)) : Ex(); }

  Mixer resume(Ex r, Ex token, Ex highest, Ex total) {
    const Ex query_at = builder_.let("query_at", r * dim_ + queries_);
    const Ex sum_at = builder_.let("sum_at", r * dim_);
    Mixer mixer(frame_, token, groups_.cut(frame_.spec.dtype), groups_.cut(ElementType::kF32),
                Mixer::Left{staged_, query_at, sums_, sum_at, highest, total});
    if (!groups_.several()) mixer.ask_once();
    return mixer;
  }

  // The first position of the window from `base` on; of those that are listed of row i the last one
  // that is not yet taken, below 0 where there is none, and where it lies.
  struct Next {
    Ex first;
    Var listed, at;
  };
  Next next_entry(const Far& far, Ex r, Ex i, Ex base) {
    const Ex first = builder_.call(Helper::kMaximum, {builder_.i64(1), base});
    if (far.dense()) return {first, {}, {}};
    const Var listed = builder_.variable("next", builder_.load(far.next, here(r)));
    return {builder_.let("window_first", first), listed,
            builder_.variable("next_at", position(far, i, listed, base))};
  }
  // Of a listed entry; before the window where there is none.
  Ex position(const Far& far, Ex i, Ex entry, Ex base) {
    return builder_.select(entry >= 0, i - offset(far, entry), base - 1);
  }

  // By one lane, for all that share the row.
  void leave(Ex at, const std::vector<Ex>& next, Ex highest, Ex total) {
    builder_.when(equal(groups_.lane(), builder_.i64(0)), [&] {
      for (std::size_t side = 0; side < far_.size(); ++side) {
        if (!far_[side].dense()) builder_.store(far_[side].next, at, next[side]);
      }
      if (!frame_.softmax()) return;
      builder_.store(highest_, at, highest);
      builder_.store(total_, at, total);
    });
  }

  void clear_sums(Ex r) {
    frame_.each_channel([&](Ex d, Ex) { builder_.store(sums_, r * dim_ + d, builder_.f32(0)); });
  }
  void keep_sums(Mixer& mixer, Ex r) {
    groups_.cut(ElementType::kF32).store(sums_, r * dim_, mixer.mixed);
  }

  // ---- a tile -----------------------------------------------------------------------------------

  void each_row(Ex from, Ex size, const std::function<void(Ex)>& body) {
    groups_.each_row("r", from, size, body);
  }

  void run_tile(Ex tile) {
    tile_ = tile;
    const Ex size =
        builder_.let("size", builder_.call(Helper::kMinimum, {tile_rows_, frame_.tokens - tile}));
    if (frame_.softmax()) copy_rows(frame_, frame_.q, tile, staged_, builder_.i64(queries_), size);
    each_row(builder_.i64(0), size, [&](Ex r) { begin_row(r); });
    builder_.barrier();
    // Positions before the launch make windows of their own, so that tokens start one.
    const Ex before = (frame_.start + (kStagedChunk - 1)) / kStagedChunk * kStagedChunk;
    const Ex end = solves_ ? tile : tile + size;
    const Ex from = builder_.let("from", builder_.i64(0) - before);
    builder_.when(from < end, [&] { fetch(from, end, builder_.i64(0)); });
    builder_.invoke("close_batch", {});
    // Which of the two windows is shown.
    const Var shown = builder_.variable("shown", builder_.i64(0));
    builder_.loop(
        "window", from, end, builder_.i64(kStagedChunk), LoopKind::kSerial, [&](Ex window) {
          window_at_ = builder_.let("window_at", Ex(shown) * window_size_);
          const Ex other = builder_.let("other_at", (builder_.i64(1) - shown) * window_size_);
          const Ex next = builder_.let("next_window", window + kStagedChunk);
          builder_.when(next < end, [&] { fetch(next, end, other); });
          builder_.invoke("close_batch", {});
          builder_.invoke("await_batches<1>", {});
          builder_.barrier();
          show(window, builder_.i64(0), size);
          builder_.barrier();
          builder_.assign(shown, builder_.i64(1) - shown);
        });
    // The last one was closed with nothing in it.
    builder_.invoke("await_batches<0>", {});
    window_at_ = builder_.i64(0);
    if (!solves_) {
      each_row(builder_.i64(0), size, [&](Ex r) { finish_row(r); });
      return builder_.barrier();
    }
    builder_.loop("chunk", builder_.i64(0), size, builder_.i64(kStagedChunk), LoopKind::kSerial,
                  [&](Ex chunk) { run_chunk(chunk, size); });
  }

  void begin_row(Ex r) {
    const Ex token = builder_.let("token", tile_ + r);
    const Ex i = builder_.let("i", frame_.start + token + 1);
    groups_.cut(ElementType::kF32).each_channel([&](Ex d, Ex) {
      builder_.store(sums_, r * dim_ + d, builder_.f32(0));
    });
    std::vector<Ex> next;
    for (const Far& far : far_) {
      next.push_back(far.dense() ? Ex() : builder_.let("last", last_entry(far, i)));
    }
    if (leaves()) leave(here(r), next, builder_.lowest_score(), builder_.f32(0));
    std::optional<Ex> more;
    for (const Far& far : far_) {
      if (far.dense()) continue;
      const Ex beyond = far.counted > far.most;
      more = more ? either(*more, beyond) : beyond;
    }
    if (!more) return;
    builder_.when(*more, [&] {
      builder_.comment("entries beyond the list, all final");
      Mixer mixer(frame_, token, groups_.cut(frame_.spec.dtype), groups_.cut(ElementType::kF32));
      if (!groups_.several()) mixer.ask_once();
      for (const Far& far : far_) take_unlisted(mixer, far, i);
      keep_sums(mixer, r);
      leave(here(r), next, mixer.highest, mixer.total);
    });
  }

  void take_unlisted(Mixer& mixer, const Far& far, Ex i) {
    if (far.dense()) return;
    mixer.begin_side(*far.side);
    const Var number = builder_.variable("number", builder_.i64(0));
    rows::emit_walk(builder_, frame_.spec.pattern, *far.side->plan, i, [&](Ex p) {
      const auto take = [&] { mixer.take(*far.side, p); };
      if (frame_.softmax()) {
        builder_.when(Ex(number) >= far.most, take);
      } else {
        builder_.when(Ex(number) >= far.most, take, [&] { mixer.skip(); });
      }
      builder_.assign(number, Ex(number) + 1);
    });
  }

  // Starts on keys and values of the rows window .. window + 31, as far as they lie before `end`.
  void fetch(Ex window, Ex end, Ex at) {
    const Ex count = builder_.let(
        "count", builder_.call(Helper::kMinimum, {builder_.i64(kStagedChunk), end - window}));
    const auto tokens = [&] {
      if (frame_.softmax()) {
        start_rows(frame_, frame_.k, window, staged_, at, count);
      }
      for (const Far& far : far_) {
        start_rows(frame_, far.side->input, window, staged_, at + far.values, count);
      }
    };
    builder_.when(
        window < 0,
        [&] {
          builder_.loop("row", frame_.warp, builder_.i64(kStagedChunk), builder_.i64(frame_.warps),
                        LoopKind::kSerial, [&](Ex row) {
                          const Ex p = builder_.let("p", frame_.start + window + row + 1);
                          builder_.when(p > 0, [&] { fetch_state(p, row * dim_ + at); });
                        });
        },
        tokens);
  }

  // A window below 0 is of whole chunks of the state.
  void fetch_state(Ex p, Ex row_at) {
    for (const Far& far : far_) {
      const Location from = frame_.locate_in_state(*far.side, p);
      frame_.each_channel([&](Ex d, Ex) {
        const Ex to = row_at + d;
        // Both sides keep the same keys.
        if (frame_.softmax() && &far == &far_.front()) {
          builder_.store(staged_, to, frame_.load(from, from.key, d));
        }
        builder_.store(staged_, to + far.values, frame_.load(from, from.value, d));
      });
    }
  }

  // Whether the window from `base` on holds the next entry. None that is still to be taken lies
  // before one, but whether reads stay inside shared memory is not to hang on what a list holds.
  Ex holds(Ex base, const Next& next) {
    return both(next.first <= Ex(next.at), Ex(next.at) < base + kStagedChunk);
  }

  // The entries of row i that lie in the window, the furthest back first; a listed one moves on.
  void take_entries(Mixer& mixer, const Far& far, Ex i, Ex base, const Next& next,
                    const Mixer::Near* near = nullptr) {
    mixer.begin_side(*far.side);
    const auto take = [&](Ex p, Ex number) {
      const Ex place = builder_.let("place", (p - base) * dim_ + window_at_);
      mixer.set_entry(number);
      mixer.take(*far.side, p,
                 Mixer::Entry{[&](const Mixer::Use& use) { use(staged_, place); },
                              [&](const Mixer::Use& use) { use(staged_, place + far.values); }},
                 near);
    };
    if (far.dense()) {
      const Ex last = i - far.first_offset();
      const Ex end = builder_.call(Helper::kMinimum, {last + 1, base + kStagedChunk});
      return builder_.loop("p", next.first, end, [&](Ex p) { take(p, last - p); });
    }
    builder_.repeat_while(both(Ex(next.listed) >= 0, holds(base, next)), [&] {
      take(next.at, next.listed);
      builder_.assign(next.listed, Ex(next.listed) - 1);
      builder_.assign(next.at, position(far, i, next.listed, base));
    });
  }

  void show(Ex window, Ex from, Ex size) {
    each_row(from, size, [&](Ex r) {
      const Ex token = builder_.let("token", tile_ + r);
      const Ex i = builder_.let("i", frame_.start + token + 1);
      const Ex base = builder_.let("window_from", frame_.start + window + 1);
      const Var reads = builder_.variable("reads", builder_.truth(false));
      std::vector<Next> next;
      for (const Far& far : far_) {
        next.push_back(next_entry(far, r, i, base));
        const Ex in_window =
            far.dense() ? next.back().first <= i - far.first_offset() : holds(base, next.back());
        builder_.assign(reads, either(reads, in_window));
      }
      Var highest_left, total_left;
      if (frame_.softmax()) {
        highest_left = builder_.variable("highest_left", highest(r));
        total_left = builder_.variable("total_left", total(r));
      }
      builder_.when(reads, [&] {
        Mixer mixer = frame_.softmax() ? resume(r, token, highest_left, total_left)
                                       : resume(r, token, {}, {});
        for (std::size_t side = 0; side < far_.size(); ++side) {
          take_entries(mixer, far_[side], i, base, next[side]);
        }
        keep_sums(mixer, r);
        if (!frame_.softmax()) return;
        builder_.assign(highest_left, mixer.highest);
        builder_.assign(total_left, mixer.total);
      });
      if (!leaves()) return;
      std::vector<Ex> listed;
      for (std::size_t side = 0; side < far_.size(); ++side) {
        listed.push_back(far_[side].dense() ? Ex() : Ex(next[side].listed));
      }
      if (!frame_.softmax()) return leave(there(r), listed, {}, {});
      leave(there(r), listed, highest_left, total_left);
    });
    if (leaves()) builder_.assign(parity_, builder_.i64(1) - parity_);
  }

  void finish_row(Ex r) {
    const Ex token = builder_.let("token", tile_ + r);
    Mixer mixer = resume(r, token, highest(r), total(r));
    mixer.finish();
    mixer.write(frame_.y, builder_.let("y_at", frame_.token_at(token)));
  }

  // ---- the tile's own chunks --------------------------------------------------------------------

  void run_chunk(Ex chunk, Ex size) {
    const Ex first = builder_.let("first", tile_ + chunk);
    const Ex count = builder_.let(
        "count", builder_.call(Helper::kMinimum, {builder_.i64(kStagedChunk), size - chunk}));
    if (frame_.softmax())
      copy_rows(frame_, frame_.k, first, staged_, builder_.i64(0), count, kStagedChunk);
    if (staging_.far_a) {
      copy_rows(frame_, frame_.x, first, staged_, builder_.i64(far_.front().values), count,
                kStagedChunk);
    }
    if (frame_.softmax() || staging_.far_a) builder_.barrier();
    builder_.comment("the chunk's rows leave the weights of entries inside it in near_weights");
    groups_.each_row("c", builder_.i64(0), count, [&](Ex c) { close_row(chunk, first, c); });
    if (solve_) solve_->close(count, [&](Ex c) { clear_sums(chunk + c); });
    builder_.barrier();
    builder_.comment("one thread per channel solves the chunk, row after row");
    solve_ ? solve_in_registers(chunk) : solve_in_shared(chunk, first, count);
    builder_.barrier();
    if (solve_) write(first, count);
    show(first, chunk + kStagedChunk, size);
    builder_.barrier();
  }

  void close_row(Ex chunk, Ex first, Ex c) {
    const Ex r = builder_.let("r", chunk + c);
    const Ex token = builder_.let("token", first + c);
    const Ex i = builder_.let("i", frame_.start + token + 1);
    Mixer mixer = resume(r, token, highest(r), total(r));
    const Ex base = builder_.let("chunk_from", frame_.start + first + 1);
    if (staging_.far_a) {
      const Far& inputs = far_.front();
      take_entries(mixer, inputs, i, base, next_entry(inputs, r, i, base));
    } else if (!frame_.a.plan->empty()) {
      mixer.begin_side(frame_.a);
      mixer.take(
          frame_.a, i,
          Mixer::Entry{[&](const Mixer::Use& use) { use(staged_, c * dim_); },
                       [&](const Mixer::Use& use) { use(frame_.x, frame_.token_at(token)); }});
    }
    NearEntries near(builder_, groups_, kStagedChunk, mixer.no_near());
    Var from;
    if (!solve_) from = builder_.variable("from", c);
    // Entries before the chunk were taken from other windows. With given weights the question is
    // put all the same: without it nvcc has more numbers at hand than there are registers.
    std::function<Ex(Ex)> is_near;
    if (!frame_.softmax()) is_near = [&](Ex p) { return p >= base; };
    const Mixer::Near near_entries{
        is_near, [&](Ex p, Ex value) {
          const Ex column = builder_.let("from_column", p - base);
          if (!solve_) {
            builder_.assign(from, builder_.call(Helper::kMinimum, {from, column}));
          }
          near.keep(column, value);
        }};
    const Far& outputs = far_.back();
    take_entries(mixer, outputs, i, base, next_entry(outputs, r, i, base), &near_entries);
    mixer.finish();
    mixer.write(sums_, r * dim_);
    near.each([&](Ex column, Ex value) {
      const Ex weight = mixer.normalized(mixer.near_weight(value));
      if (solve_) return solve_->leave(c, column, weight);
      builder_.store(near_weights_, c * kStagedChunk + column, weight);
    });
    if (solve_) return;
    builder_.when(equal(groups_.lane(), builder_.i64(0)),
                  [&] { builder_.store(near_from_, c, from); });
  }

  Ex output_at(Ex c, Ex d) const { return c * dim_ + far_.back().values + d; }

  void solve_in_registers(Ex chunk) {
    builder_.loop("d", frame_.thread, builder_.i64(dim_), builder_.i64(32 * frame_.warps),
                  LoopKind::kSerial, [&](Ex d) {
                    solve_->solve(
                        [&](Ex c) { return builder_.load(sums_, (chunk + c) * dim_ + d); },
                        [&](Ex c, Ex output) { builder_.store(staged_, output_at(c, d), output); });
                  });
  }
  void write(Ex first, Ex count) {
    builder_.loop("c", frame_.warp, count, builder_.i64(frame_.warps), LoopKind::kSerial,
                  [&](Ex c) {
                    const Ex y_at = builder_.let("y_at", frame_.token_at(first + c));
                    frame_.each_channel([&](Ex d, Ex) {
                      builder_.store(frame_.y, y_at + d, builder_.load(staged_, output_at(c, d)));
                    });
                  });
  }

  // Where a row may read every one before it: what is left of the registers holds no chunk.
  void solve_in_shared(Ex chunk, Ex first, Ex count) {
    builder_.loop(
        "d", frame_.thread, builder_.i64(dim_), builder_.i64(32 * frame_.warps), LoopKind::kSerial,
        [&](Ex d) {
          builder_.loop("c", builder_.i64(0), count, [&](Ex c) {
            const Var sum = builder_.variable("sum", builder_.load(sums_, (chunk + c) * dim_ + d));
            builder_.loop("near", builder_.load(near_from_, c), c, [&](Ex near) {
              builder_.assign(sum, Ex(sum) + builder_.load(near_weights_, c * kStagedChunk + near) *
                                                 builder_.load(staged_, output_at(near, d)));
            });
            builder_.store(frame_.y, frame_.token_at(first + c) + d, sum);
            builder_.store(staged_, output_at(c, d), sum);
          });
        });
  }

  Frame& frame_;
  Builder& builder_;
  const Staging& staging_;
  bool solves_;
  int dim_;
  RowGroups groups_;      // whole warps: of smaller ones it is not proved what rows are left with
  std::vector<Far> far_;  // inputs before outputs
  Ex tile_rows_, tile_;
  MemoryId staged_, sums_;
  std::int64_t queries_ = 0;  // where they begin in staged_
  MemoryId highest_, total_;  // twice a tile's rows, like Far::next
  Var parity_;
  std::int64_t window_size_ = 0;
  Ex window_at_;                       // of the window that is shown
  std::optional<ChunkSolve> solve_;    // of few distances, else
  MemoryId near_weights_, near_from_;  // the first column of a row that may have a weight
};

}  // namespace

ir::Kernel staged_tiles(const KernelSpec& spec) {
  Builder builder(spec.symbol, spec.target, 32 * spec.staging->warps);
  Frame frame(builder, spec, /*decode=*/false);
  frame.warps = spec.staging->warps;
  frame.each_block([&] { Tiles(frame).run(); });
  return builder.take();
}

}  // namespace heddle::schedule
