// SPDX-License-Identifier: Apache-2.0
// Prefill on cuda out of shared memory. Like the simple schedule a block owns one (batch, head) and
// goes through its rows in chunks, phase 1 summing what is final and phase 2 solving the chunk; but
// each key, input and output is asked for once, and rows find them in shared memory as far back as
// it has room.
#include "codegen/rows/emit_row.hpp"
#include "codegen/rows/row_shape.hpp"
#include "codegen/schedule/cache.hpp"
#include "codegen/schedule/chunk_solve.hpp"
#include "codegen/schedule/near_gates.hpp"
#include "codegen/schedule/row_groups.hpp"
#include "codegen/schedule/row_sums.hpp"
#include "codegen/schedule/row_vectors.hpp"
#include "codegen/schedule/staged_copy.hpp"
#include "codegen/schedule/staged_rows.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;

namespace {

class StagedPrefill {
 public:
  explicit StagedPrefill(Frame& frame)
      : frame_(frame),
        builder_(frame.builder),
        solves_(!frame.spec.b.empty()),
        far_side_(solves_ ? frame.b : frame.a),
        chunk_rows_(frame.spec.staging->chunk_rows),
        groups_(frame, lanes_of_rows(frame.spec)),
        rows_(frame, far_side_, groups_) {}

  void run() {
    groups_.open();
    if (solves_) {
      if (!gated()) solve_.emplace(frame_, chunk_rows_, groups_);
      if (!sums_in_place()) {
        sums_.emplace(builder_, groups_.cut(frame_.spec.dtype), chunk_rows_);
      }
    }
    rows_.open();
    if (frame_.spec.staging->gate_rows > 0) {
      gates_at_ = builder_.let("gates_at", rows_.gates_at());
    }
    if (solves_ && gated()) open_gates();
    if (solve_) solve_->open(groups_);
    builder_.loop("first", builder_.i64(0), frame_.tokens, builder_.i64(chunk_rows_),
                  LoopKind::kSerial, [&](Ex first) { chunk(first); });
    write_final_state(frame_);
  }

 private:
  bool gated() const { return frame_.spec.by_channel(); }
  void open_gates() {
    if (rows::shape_of(frame_.spec.b) == rows::RowShape::kLattice) {
      near_gates_.emplace(frame_, chunk_rows_, groups_, rows_.values, gates_at_);
    } else {
      solve_.emplace(frame_, chunk_rows_, rows_.values, gates_at_);
    }
  }
  std::int64_t near_rows() const {
    if (near_gates_) return near_gates_->gate_rows();
    return solves_ ? ChunkSolve::gate_rows(frame_.spec, chunk_rows_) : 0;
  }
  // Where nothing is rounded, what a row sums waits where its output will be.
  bool sums_in_place() const { return frame_.value_type() == ElementType::kF32; }
  MemoryId sums() const { return sums_ ? sums_->memory() : rows_.values; }
  Ex sum_at(Ex r, Ex place) { return sums_ ? sums_->at(r, place) : rows_.value_at(r) + place; }
  void leave_sums(Mixer& mixer, Ex r) {
    if (sums_) return sums_->store(groups_.cut(frame_.spec.dtype), r, mixer.row());
    mixer.write(rows_.values, builder_.let("sum_at", rows_.value_at(r)));
  }

  void chunk(Ex first) {
    first_ = first;
    const Ex size = builder_.let("size", builder_.call(Helper::kMinimum, {builder_.i64(chunk_rows_),
                                                                          frame_.tokens - first}));
    rows_.begin_chunk(first);
    const std::string sharing =
        groups_.several() ? std::to_string(groups_.sharing()) + " lanes a row" : "one warp per row";
    if (solves_) {
      builder_.comment("phase 1: " + sharing + " sum the entries that are final already and");
      builder_.comment("leave the weights of entries inside the chunk in near_weights");
    } else {
      builder_.comment(sharing);
    }
    each_row(size);
    if (solves_) {
      const auto clear = [&](Ex r) {
        frame_.each_channel(
            [&](Ex d, Ex) { builder_.store(sums(), sum_at(r, d), builder_.f32(0)); });
      };
      near_gates_ ? near_gates_->close(size, clear) : solve_->close(size, clear);
    }
    builder_.barrier();
    rows_.begin_solve();
    if (!solves_) {
      if (rows_.late()) rows_.close_chunk();
      return;
    }
    builder_.comment("phase 2: one thread per channel solves the chunk, row after row");
    solve();
    builder_.barrier();
    write(size);
    rows_.close_chunk();
  }

  // Groups of a warp take their rows' entries together where all reach the same distances back.
  bool together() const {
    return groups_.several() && rows::shape_of(*far_side_.plan) == rows::RowShape::kShifted;
  }

  // There an entry has the same number in each of them. In the transposed system its coefficient
  // is in the row that reads.
  bool asks_ahead() const {
    return together() && frame_.spec.weights == WeightKind::kGiven && !frame_.transposed();
  }

  bool gates_ahead() const { return together() && gated() && !frame_.transposed(); }
  // A lattice's where groups have its rows, each of which has slots of its own.
  bool gates_as_found() const {
    return groups_.several() && near_gates_ && rows_.looked_up() && !frame_.transposed();
  }
  Ex slots_of(Ex r) {
    return gates_at_ + (r * RowGates::kSlots + near_rows()) * frame_.spec.head_dim;
  }
  // Of this group of lanes, where its row's gates come in.
  Ex slots_at() {
    return slots_of(builder_.let("slots_of", frame_.warp * groups_.of_warp() + groups_.group()));
  }

  Ex entries_of(Ex row) {
    const ir::Var entries = builder_.variable("entries", builder_.i64(0));
    rows::emit_walk(builder_, frame_.spec.pattern, *far_side_.plan, row,
                    [&](Ex) { builder_.assign(entries, Ex(entries) + 1); });
    return entries;
  }

  void each_row(Ex size) {
    if (!together()) {
      return groups_.each_row("r", builder_.i64(0), size, [&](Ex r) { row(r, r); });
    }
    groups_.each_turn("first_of_warp", size, [&](Ex first) {
      const Ex r = builder_.let("r", first + groups_.group());
      const auto within = [&](const char* name, Ex number) {
        return builder_.let(name, builder_.call(Helper::kMinimum, {number, size - 1}));
      };
      last_shown_ = within("last_shown", first + (groups_.of_warp() - 1));
      // A group that has no row takes the last one once more, and leaves nothing.
      counts_ = r < size;
      row(r, within("shown", r));
    });
    counts_.reset();
  }

  // Row r of the chunk, by what is read of row `shown`, the same where that is one.
  void row(Ex r, Ex shown) {
    const Ex token = builder_.let("token", first_ + shown);
    const Ex row = builder_.let("i", frame_.start + token + 1);
    final_to_ = builder_.let("before_chunk", frame_.start + first_);
    Mixer mixer(frame_, token, groups_.cut(frame_.spec.dtype), groups_.cut(frame_.value_type()));
    if (!gated() && (!frame_.softmax() || !groups_.several())) mixer.ask_once();
    if (together()) mixer.come_together();
    if (asks_ahead()) mixer.ask_ahead(far_side_, entries_of(row));
    if (gates_ahead()) mixer.ask_ahead(far_side_, entries_of(row), rows_.staged, slots_at());
    if (!solves_) {
      take_far_side(mixer, row, shown, nullptr);
      mixer.finish();
      return where_it_counts(
          [&] { mixer.write(frame_.y, builder_.let("y_at", frame_.token_at(token))); });
    }
    take_side(mixer, frame_.a, [&] {
      walk(frame_.a, row, [&](Ex p) { mixer.take(frame_.a, p, rows_.own(shown, token)); });
    });
    if (gated()) return row_of_gates(mixer, r, row, shown);
    NearEntries near(builder_, groups_, solve_->places(), mixer.no_near(), solve_->distances());
    const Mixer::Near near_entries{[&](Ex p) { return p > final_to_; },
                                   [&](Ex p, Ex value) {
                                     const Ex column = builder_.let("from", p - final_to_ - 1);
                                     near.keep(solve_->number(shown, column), value);
                                   }};
    take_far_side(mixer, row, shown, &near_entries);
    mixer.finish();
    where_it_counts([&] {
      leave_sums(mixer, r);
      near.each([&](Ex place, Ex value) {
        solve_->leave(r, place, mixer.normalized(mixer.near_weight(value)));
      });
    });
  }

  // What a row weighs the chunk's own rows with goes where the chunk is solved.
  void row_of_gates(Mixer& mixer, Ex r, Ex row, Ex shown) {
    const RowLanes lanes = groups_.cut(frame_.value_type());
    if (near_gates_) return row_of_lattice(mixer, lanes, r, row);
    where_it_counts([&] { solve_->open_gates(lanes, r); });
    Mixer::Near near{[&](Ex p) { return p > final_to_; }, {}};
    near.take_gates = [&](Ex p, Ex, MemoryId gates) {
      where_it_counts([&] { solve_->leave_gates(lanes, r, row - p, gates); });
    };
    take_far_side(mixer, row, shown, &near);
    mixer.finish();
    where_it_counts([&] { leave_sums(mixer, r); });
  }

  void row_of_lattice(Mixer& mixer, const RowLanes& lanes, Ex r, Ex row) {
    near_gates_->open_row(lanes, r);
    Mixer::Near near{[&](Ex p) { return p > final_to_; }, {}};
    near.take_gates = [&](Ex p, Ex number, MemoryId gates) {
      near_gates_->leave(lanes, r, number, builder_.let("from", p - final_to_ - 1), gates);
    };
    const auto take = [&](Ex p, const Mixer::Entry& entry) {
      const auto take_it = [&] { mixer.take(far_side_, p, entry, &near); };
      rows_.looked_up() ? builder_.when(mixer.has_column(far_side_), take_it) : take_it();
    };
    take_side(mixer, far_side_, [&] {
      if (!gates_as_found()) return rows_.each_entry(r, row, take);
      mixer.ask_as_found(far_side_, rows_.staged, slots_of(r));
      const ChunkEntries::Ahead ahead{
          RowGates::kAhead,
          [&](int number, Ex whether) { mixer.ask_first_gates(far_side_, number, whether); },
          [&](Ex number, Ex whether) { mixer.ask_gates(far_side_, number, whether); }};
      rows_.each_entry_ahead(ahead, r, row, take, [&] { mixer.ask_no_more(); });
    });
    mixer.finish();
    leave_sums(mixer, r);
    near_gates_->close_row(r);
  }

  void where_it_counts(const std::function<void()>& body) {
    if (counts_) return builder_.when(*counts_, body);
    body();
  }

  void take_far_side(Mixer& mixer, Ex row, Ex shown, const Mixer::Near* near) {
    if (!together()) {
      return take_side(mixer, far_side_, [&] {
        rows_.each_entry(shown, row, [&](Ex p, const Mixer::Entry& entry) {
          const auto take = [&] { mixer.take(far_side_, p, entry, near); };
          if (!rows_.looked_up() || frame_.softmax()) return take();
          builder_.when(mixer.has_column(far_side_), take);
        });
      });
    }
    // Of the warp's last row: an entry of it lies as far behind the same entry of this one.
    const Ex behind = builder_.let("before_last", last_shown_ - shown);
    const Ex last = builder_.let("last_row", frame_.start + first_ + last_shown_ + 1);
    take_side(mixer, far_side_, [&] {
      rows_.begin_row();
      walk(far_side_, last, [&](Ex p_of_last) {
        const Ex p = builder_.let("p", p_of_last - behind);
        mixer.take_where(p > 0, far_side_, p, rows_.entry(p), near);
      });
    });
  }

  void take_side(Mixer& mixer, const SideFrame& side, const std::function<void()>& walk_it) {
    if (side.plan->empty()) return;
    builder_.comment(side.side == Side::kA ? "inputs that this row reads"
                     : frame_.transposed() ? "rows that read this one, the nearest first"
                                           : "earlier outputs that this row reads");
    mixer.begin_side(side);
    walk_it();
  }

  void walk(const SideFrame& side, Ex row, const std::function<void(Ex)>& body) {
    rows::emit_walk(builder_, frame_.spec.pattern, *side.plan, row, body);
  }

  void solve() {
    const bool halves = sums_ && sums_->in_halves();
    builder_.loop(halves ? "place" : "d", frame_.thread, builder_.i64(frame_.spec.head_dim),
                  builder_.i64(32 * frame_.warps), LoopKind::kSerial, [&](Ex place) {
                    const Ex d = halves ? builder_.let("d", sums_->channel_of(place)) : place;
                    if (near_gates_) return solve_gates(place, d);
                    solve_->solve([&](Ex r) { return builder_.load(sums(), sum_at(r, place)); },
                                  [&](Ex r, Ex output) {
                                    builder_.store(rows_.values, rows_.value_at(r) + d, output);
                                  },
                                  d);
                  });
  }

  void solve_gates(Ex place, Ex d) {
    near_gates_->solve({sums(), [&](Ex r) { return sum_at(r, place); }}, d, [&](Ex r, Ex output) {
      if (sums_) builder_.store(rows_.values, rows_.value_at(r) + d, output);
    });
  }

  // By all threads, vector by vector.
  void write(Ex size) {
    const int dim = frame_.spec.head_dim;
    const int bytes = vector_of(frame_.spec) * static_cast<int>(size_of(frame_.spec.dtype));
    const int vector = bytes / static_cast<int>(size_of(frame_.value_type()));
    if (vector == 0) return write_by_channel(size);
    each_vector(
        builder_, frame_.thread, 32 * frame_.warps, size, {dim, vector, bytes}, [&](Ex row, Ex d) {
          builder_.invoke("copy_elements<" + std::to_string(vector) + ">",
                          {ir::VectorPlace{frame_.y, frame_.token_at(first_ + row) + d, true},
                           ir::VectorPlace{rows_.values, rows_.value_at(row) + d}});
        });
  }
  // Of reals for narrower rows of an odd number of channels.
  void write_by_channel(Ex size) {
    builder_.loop("r", frame_.warp, size, builder_.i64(frame_.warps), LoopKind::kSerial, [&](Ex r) {
      const Ex y_at = builder_.let("y_at", frame_.token_at(first_ + r));
      frame_.each_channel([&](Ex d, Ex) {
        builder_.store(frame_.y, y_at + d, builder_.load(rows_.values, rows_.value_at(r) + d));
      });
    });
  }

  Frame& frame_;
  Builder& builder_;
  bool solves_;
  const SideFrame& far_side_;
  const int chunk_rows_;
  RowGroups groups_;
  StagedRows rows_;
  Ex last_shown_;             // of the rows of a warp
  std::optional<Ex> counts_;  // whether there is one that this row is
  std::optional<ChunkSolve> solve_;
  std::optional<NearGates> near_gates_;  // instead, with gated weights of a lattice
  std::optional<RowSums> sums_;
  Ex gates_at_;  // gated: where gates begin in shared memory
  Ex first_, final_to_;
};

}  // namespace

int lanes_of_rows(const KernelSpec& spec) {
  return RowLanes::sharing_for(spec.head_dim, spec.dtype);
}

ir::Kernel transposed_rows(const KernelSpec& spec) {
  if (spec.staging->by_distance) return transposed_distances(spec);
  Builder builder(spec.symbol + "_lambda", spec.target, 32 * spec.staging->warps);
  Frame frame(builder, spec, Frame::Transposed{});
  frame.warps = spec.staging->warps;
  frame.each_block([&] { StagedPrefill(frame).run(); });
  return builder.take();
}

ir::Kernel staged_prefill(const KernelSpec& spec) {
  Builder builder(spec.symbol, spec.target, 32 * spec.staging->warps);
  Frame frame(builder, spec, /*decode=*/false);
  frame.warps = spec.staging->warps;
  frame.each_block([&] { StagedPrefill(frame).run(); });
  return builder.take();
}

}  // namespace heddle::schedule
