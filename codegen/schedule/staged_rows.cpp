// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/staged_rows.hpp"

#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/staged_copy.hpp"
#include "codegen/schedule/staged_plan.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Var;

StagedRows::StagedRows(Frame& frame, const SideFrame& side, RowGroups& groups)
    : frame_(frame),
      builder_(frame.builder),
      spec_(frame.spec),
      side_(side),
      groups_(groups),
      dim_(frame.spec.head_dim),
      chunk_rows_(frame.spec.staging->chunk_rows) {
  if (frame.softmax()) key_rows_ = builder_.size("key_rows");
  value_rows_ = builder_.size("value_rows");
  if (spec_.staging->gate_rows > 0) gate_rows_ = builder_.size("gate_rows");
  if (live()) live_rows_ = builder_.size("live_rows");
  staged = builder_.dynamic_array("staged", spec_.dtype);
}

bool StagedRows::late() const { return fetches() && fetches_late(spec_, *spec_.staging); }

void StagedRows::open() {
  builder_.comment(
      "shared memory: keys and values of the newest rows, then what rows to come read");
  const Ex keys_end = frame_.softmax() ? key_rows_ * dim_ : builder_.i64(0);
  if (frame_.value_type() == spec_.dtype) {
    values = staged;
    values_ = builder_.let("values_at", keys_end);
  } else {
    values = builder_.rest_of_dynamic_array("values", keys_end);
    values_ = builder_.i64(0);
  }
  if (frame_.softmax()) next_key_ = builder_.variable("key_base", builder_.i64(0));
  next_value_ = builder_.variable("value_base", builder_.i64(0));
  start_chunk(builder_.i64(0));
  if (late()) {
    builder_.invoke("await_batches<0>", {});
    builder_.barrier();
  }
  if (!live()) return;
  const Ex ring_end = gate_rows_ ? behind_rings() + *gate_rows_ * dim_ : behind_rings();
  live_keys_ = builder_.let("live_keys_at", ring_end);
  live_values_ =
      builder_.let("live_values_at", frame_.softmax() ? live_keys_ + live_rows_ * dim_ : ring_end);
  list_.emplace(frame_, side_, static_cast<int>(spec_.staging->live_rows), live_rows_);
  if (spec_.staging->live_terms > 0) {
    entries_.emplace(frame_, side_, static_cast<int>(spec_.staging->live_terms));
    entries_->open();
  }
  list_->open();
  builder_.barrier();
  // What the first row reads was there before the launch.
  list_->each_opened([&](Ex p, Ex row) {
    builder_.when(both(p > 0, p <= frame_.start), [&] {
      fetch_live(p, row);
      list_->note(p, row);
    });
  });
  if (!fetches() && !entries_) builder_.barrier();
}

// By a warp: what the state holds of position p to a live row.
void StagedRows::fetch_live(Ex p, Ex row) {
  const Location from = frame_.locate_in_state(side_, p);
  frame_.each_channel([&](Ex d, Ex) {
    const Ex to = row * dim_ + d;
    if (frame_.softmax()) {
      builder_.store(staged, live_keys_ + to, frame_.load(from, from.key, d));
    }
    builder_.store(staged, live_values_ + to, frame_.load(from, from.value, d));
  });
}

void StagedRows::begin_chunk(Ex first) {
  first_ = first;
  final_to_ = builder_.let("final_to", frame_.start + first);
  // The rows of the next chunk are under way to where the oldest ones of a ring lay, unless the
  // ring has room for all there are.
  const auto reach = [&](const char* name, Ex rows, bool fetched) {
    Ex held = rows - chunk_rows_;
    if (fetched) {
      held = builder_.select(rows < frame_.tokens, rows - 2 * chunk_rows_, held);
    }
    return builder_.let(name, builder_.call(Helper::kMinimum, {held, first}));
  };
  if (frame_.softmax()) {
    key_base_ = builder_.let("key_from", next_key_);
    if (!live()) key_reach_ = reach("key_reach", key_rows_, !late());
  }
  value_base_ = builder_.let("value_from", next_value_);
  if (!live()) value_reach_ = reach("value_reach", value_rows_, fetches_values() && !late());
  move_on();
  const bool awaits = fetches() && !late();
  if (awaits) {
    builder_.comment("the next chunk's rows come in while this one is worked on");
    start_chunk(first + chunk_rows_);
  }
  if (entries_) {
    list_->begin_chunk();
    entries_->look_up(groups_, final_to_, [&](Ex p) { return list_->candidate_for(p); });
  }
  if (awaits) builder_.invoke("await_batches<1>", {});
  // What else the rows read was there before the barrier that ends the last chunk.
  if (awaits || entries_) builder_.barrier();
  if (live()) look_ahead();
}

void StagedRows::look_ahead() {
  next_ = builder_.let("next_first", first_ + chunk_rows_);
  builder_.when(next_ < frame_.tokens, [&] {
    builder_.comment("which live rows the next chunk reads");
    const Ex row = builder_.let("behind_chunk", final_to_ + (chunk_rows_ + 1));
    list_->advance(final_to_, [&](const LiveList::Visit& visit) {
      const auto walk = [&] { rows::emit_walk(builder_, spec_.pattern, *side_.plan, row, visit); };
      if (!entries_) return walk();
      entries_->each(
          builder_.i64(chunk_rows_), row, [&](Ex p, Ex) { visit(p); }, walk);
    });
  });
}

void StagedRows::begin_solve() {
  if (!late()) return;
  builder_.comment("the next chunk's rows come in to where the oldest ones lay");
  start_chunk(first_ + chunk_rows_);
}

// Starts on the rows from token `first` on, as far as there are any: always one batch.
void StagedRows::start_chunk(Ex first) {
  if (!fetches()) return;
  builder_.when(first < frame_.tokens, [&] {
    const Ex size = builder_.let(
        "coming",
        builder_.call(Helper::kMinimum, {builder_.i64(chunk_rows_), frame_.tokens - first}));
    if (frame_.softmax()) start_rows(frame_, frame_.k, first, staged, next_key_ * dim_, size);
    if (fetches_values()) {
      start_rows(frame_, frame_.x, first, staged, values_ + next_value_ * dim_, size);
    }
  });
  builder_.invoke("close_batch", {});
}

// Rings hold whole chunks, as many as fit.
void StagedRows::move_on() {
  const auto advance = [&](Var base, Ex rows) {
    builder_.assign(base, Ex(base) + chunk_rows_);
    builder_.when(rows < Ex(base) + chunk_rows_, [&] { builder_.assign(base, builder_.i64(0)); });
  };
  if (frame_.softmax()) advance(next_key_, key_rows_);
  advance(next_value_, value_rows_);
}

// By a warp: row r of this chunk to a live row.
void StagedRows::copy_live(Ex r, Ex row) {
  const int vector = vector_of(spec_);
  builder_.loop("part", frame_.lane, builder_.i64(dim_ / vector), builder_.i64(32),
                LoopKind::kSerial, [&](Ex part) {
                  const Ex d = builder_.let("d", part * vector);
                  if (frame_.softmax()) {
                    copy_vector(frame_, staged, live_keys_ + row * dim_ + d, staged,
                                (key_base_ + r) * dim_ + d);
                  }
                  copy_vector(frame_, staged, live_values_ + row * dim_ + d, staged,
                              value_at(r) + d);
                });
}

void StagedRows::close_chunk() {
  if (late()) builder_.invoke("await_batches<0>", {});
  if (!live()) return builder_.barrier();
  builder_.when(next_ < frame_.tokens, [&] {
    builder_.comment("what the next chunk reads of this one moves to the live rows");
    list_->each_added([&](Ex p, Ex row) {
      const Ex r = builder_.let("r", p - final_to_ - 1);
      builder_.when(both(r >= 0, r < chunk_rows_), [&] {
        copy_live(r, row);
        list_->note(p, row);
      });
    });
    list_->swap();
  });
  builder_.barrier();
}

void StagedRows::begin_row() {
  if (live()) list_->begin_row();
}

void StagedRows::each_entry(Ex r, Ex row, const TakeEntry& take) {
  const auto walk = [&] {
    begin_row();
    rows::emit_walk(builder_, spec_.pattern, *side_.plan, row, [&](Ex p) { take(p, entry(p)); });
  };
  if (!entries_) return walk();
  entries_->each(
      r, row,
      [&](Ex p, Ex candidate) {
        take(p, live_entry(p, builder_.let("live_row", list_->checked(candidate, p))));
      },
      walk);
}

void StagedRows::each_entry_ahead(const ChunkEntries::Ahead& ahead, Ex r, Ex row,
                                  const TakeEntry& take, const std::function<void()>& walks) {
  entries_->each_ahead(
      ahead, r, row,
      [&](Ex p, Ex candidate) {
        take(p, live_entry(p, builder_.let("live_row", list_->checked(candidate, p))));
      },
      [&] {
        walks();
        begin_row();
        rows::emit_walk(builder_, spec_.pattern, *side_.plan, row,
                        [&](Ex p) { take(p, entry(p)); });
      });
}

// The row that lies `behind` rows before the chunk's first one.
void StagedRows::in_ring(MemoryId ring, Ex base, Ex rows, Ex origin, Ex behind,
                         const Mixer::Use& use) {
  const Ex slot = builder_.let("slot", base - behind);
  const Ex back = builder_.select(slot < 0, rows, builder_.i64(0));
  use(ring, builder_.let("staged_at", origin + (slot + back) * dim_));
}

Mixer::Entry StagedRows::entry(Ex p) {
  if (live()) return live_entry(p, builder_.let("live_row", list_->find(p)));
  const Ex behind = builder_.let("behind", final_to_ + 1 - p);
  return {[=, this](const Mixer::Use& use) {
            builder_.when(
                behind <= key_reach_,
                [&] { in_ring(staged, key_base_, key_rows_, builder_.i64(0), behind, use); },
                [&] { elsewhere(p, true, use); });
          },
          [=, this](const Mixer::Use& use) {
            builder_.when(
                behind <= value_reach_,
                [&] { in_ring(values, value_base_, value_rows_, values_, behind, use); },
                [&] { elsewhere(p, false, use); });
          }};
}

// Inside the chunk the ring has it, and the value is not asked for.
Mixer::Entry StagedRows::live_entry(Ex p, Ex row) {
  const Ex behind = builder_.let("behind", final_to_ + 1 - p);
  return {[=, this](const Mixer::Use& use) {
            builder_.when(
                behind < 1, [&] { use(staged, (key_base_ - behind) * dim_); },
                [&] {
                  builder_.when(
                      row >= 0, [&] { use(staged, live_keys_ + row * dim_); },
                      [&] { elsewhere(p, true, use); });
                });
          },
          [=, this](const Mixer::Use& use) {
            builder_.when(
                row >= 0, [&] { use(staged, live_values_ + row * dim_); },
                [&] { elsewhere(p, false, use); });
          }};
}

void StagedRows::elsewhere(Ex p, bool key, const Mixer::Use& use) {
  const Location location = frame_.locate(side_, p);
  frame_.where_held(location, [&] { use(key ? location.key : location.value, location.at); });
}

Mixer::Entry StagedRows::own(Ex r, Ex token) const {
  return {[=, this](const Mixer::Use& use) { use(staged, (key_base_ + r) * dim_); },
          [=, this](const Mixer::Use& use) { use(frame_.x, frame_.token_at(token)); }};
}

}  // namespace heddle::schedule
