// SPDX-License-Identifier: Apache-2.0
// Sums over the rows that read a row, where B is a lattice: rows are nested, so that what the rows
// of a chunk read of earlier ones is what its first row reads. A block owns one (batch, head) and
// takes chunks from the last one to the first: what was pushed to a chunk's rows is then complete
// but for the chunk itself. Warps leave what its rows weigh for each other and for the positions
// that its first row reads; then a thread for each channel sums up the chunk's own part, and what
// the chunk has for each of these positions, which it adds to once a chunk.
//   lambda  lambda_j = dy_j + sum over rows i that read j of w_ij lambda_i
//   keys    dk_j = sum over rows i that read j, and j itself, of slope_ij q_i
#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/gather_backward.hpp"
#include "codegen/schedule/gradient_rows.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;

namespace {

constexpr int kNestedWarps = 8;
constexpr int kChunk = kStagedChunk;  // a lane keeps the weight of a column

GradientScratch scratch_of(NestedUse use) {
  if (use == NestedUse::kKeys) return {Access::kRead, Access::kRead, Access::kRead};
  return {Access::kWrite, Access::kRead, std::nullopt};
}

class NestedRows {
 public:
  NestedRows(const KernelSpec& spec, NestedUse use)
      : spec_(spec),
        use_(use),
        dim_(spec.head_dim),
        builder_(spec.symbol + (lambda() ? "_lambda" : "_columns"), spec.target, 32 * kNestedWarps),
        frame_(builder_, spec, scratch_of(use)),
        rows_(frame_) {
    sums_ = lambda() ? frame_.lambda : frame_.dk_sum;
    window_ = builder_.size("live_rows");
  }

  ir::Kernel run() {
    frame_.each_block([&] {
      own_ = builder_.array("own", Type::kF32, kChunk * dim_, true);
      near_ = builder_.array_of_vectors("near", kChunk * kChunk);
      far_ = builder_.dynamic_array("far", ElementType::kF32);
      held_ = builder_.array("held", Type::kI64, kMostNested, true);
      if (between()) {
        places_ = builder_.array("places", Type::kI64, kMostNested, true);
        open_slots();
      }
      builder_.comment(lambda() ? "lambda starts as dy" : "what a row's own input asks of its key");
      by_warp("token", frame_.tokens, [&](Ex token) { open(token); });
      builder_.loop("done", builder_.i64(0), frame_.tokens, builder_.i64(kChunk), LoopKind::kSerial,
                    [&](Ex done) {
                      const Ex past = builder_.let("past", frame_.tokens - 1 - done);
                      chunk(builder_.let("first", past / kChunk * kChunk));
                    });
      if (lambda() || !frame_.dk_apart) return;
      by_warp("token", frame_.tokens, [&](Ex token) {
        const Ex at = builder_.let("at", frame_.token_at(token));
        rows_.write(frame_.dk, at, rows_.row_of("sum", sums_, at));
      });
    });
    return builder_.take();
  }

 private:
  bool lambda() const { return use_ == NestedUse::kLambda; }
  bool between() const { return frame_.handed_on(); }
  // Of what is summed here, where the final state has it, and where the initial one is due it.
  MemoryId handed() const {
    const StateGradients& state = frame_.b.state;
    return lambda() ? state.dfinal_val : state.dfinal_key;
  }
  MemoryId before() const {
    const StateGradients& state = frame_.b.state;
    return lambda() ? state.dinitial_val : state.dinitial_key;
  }
  void by_warp(const char* name, Ex count, const std::function<void(Ex)>& body) {
    builder_.loop(name, frame_.warp, count, builder_.i64(kNestedWarps), LoopKind::kSerial, body);
  }
  void by_thread(const char* name, Ex count, const std::function<void(Ex)>& body) {
    builder_.loop(name, frame_.thread, count, builder_.i64(32 * kNestedWarps), LoopKind::kSerial,
                  body);
  }

  void open(Ex token) {
    const Ex at = builder_.let("at", frame_.token_at(token));
    if (lambda()) {
      const MemoryId started = rows_.row_of("started", frame_.dy, at);
      if (between()) rows_.add_handed(frame_.b, frame_.row_of(token), {{handed(), started}});
      return rows_.write(sums_, at, started);
    }
    const Row row = row_of(token, at);
    const Ex own = slope(row, frame_.a, {frame_.k, frame_.x, at});
    MemoryId due;
    if (between()) {
      due = rows_.zeros("due");
      rows_.add_handed(frame_.b, frame_.row_of(token), {{handed(), due}});
    }
    rows_.each_channel([&](Ex d, Ex index) {
      const Ex asked = own * builder_.load(row.query, index);
      builder_.store(sums_, at + d, between() ? asked + builder_.load(due, index) : asked);
    });
  }
  // What the final state has for the initial one's positions passes through.
  void open_slots() {
    const StateGradients& state = frame_.b.state;
    builder_.comment("slots of the initial state start with what the final one has for them");
    builder_.when(frame_.most_before > 0, [&] {
      by_warp("slot", state.slots, [&](Ex slot) {
        const MemoryId passed = rows_.zeros("passed");
        rows_.when_held_before(state, slot, [&](Ex p) {
          rows_.add_handed(frame_.b, p, {{handed(), passed}});
        });
        rows_.write(before(), builder_.let("at", frame_.slot_at(state, slot)), passed);
      });
    });
  }

  void chunk(Ex first) {
    first_ = first;
    final_to_ = between() ? builder_.let("final_to", frame_.start + first) : first;
    size_ = builder_.let(
        "size", builder_.call(Helper::kMinimum, {builder_.i64(kChunk), frame_.tokens - first}));
    const Var count = builder_.variable("count", builder_.i64(0));
    each_read(builder_.let("first_row", final_to_ + 1),
              [&](Ex) { builder_.assign(count, Ex(count) + 1); });
    const Ex least = builder_.call(Helper::kMaximum, {count, builder_.i64(1)});
    builder_.loop("window", builder_.i64(0), least, window_, LoopKind::kSerial, [&](Ex window) {
      listed_ =
          builder_.let("listed", builder_.call(Helper::kMinimum, {window_, Ex(count) - window}));
      list(window);
      builder_.barrier();
      if (between()) by_warp("entry", listed_, [&](Ex entry) { find_place(entry); });
      by_warp("r", size_, [&](Ex r) { weigh(r); });
      builder_.loop("r", size_ + frame_.warp, builder_.i64(kChunk), builder_.i64(kNestedWarps),
                    LoopKind::kSerial, [&](Ex r) { clear(r); });
      builder_.barrier();
      builder_.comment(
          "one thread per channel: the chunk, then what it has for "
          "earlier rows");
      const Ex is_first = equal(window, builder_.i64(0));
      by_thread("d", builder_.i64(dim_), [&](Ex d) {
        const MemoryId column = own_column(d);
        builder_.when(is_first, [&] { solve(d, column); });
        push(d, column);
      });
      builder_.barrier();
      builder_.when(is_first, [&] { by_warp("r", size_, [&](Ex r) { write(r); }); });
    });
  }

  // The entries of the first row from number `window` on, 0 where there are none, and no weights
  // for them yet.
  void list(Ex window) {
    by_thread("place", window_ * kChunk,
              [&](Ex place) { builder_.store(far_, place, builder_.f32(0)); });
    by_thread("place", window_, [&](Ex place) { builder_.store(held_, place, builder_.i64(0)); });
    builder_.barrier();
    builder_.when(equal(frame_.thread, builder_.i64(0)), [&] {
      const Var number = builder_.variable("number", builder_.i64(0));
      each_read(builder_.let("row", final_to_ + 1), [&](Ex p) {
        const Ex entry = builder_.let("listed_at", Ex(number) - window);
        builder_.when(both(entry >= 0, entry < window_), [&] { builder_.store(held_, entry, p); });
        builder_.assign(number, Ex(number) + 1);
      });
    });
  }
  void find_place(Ex entry) {
    const Ex p = builder_.let("p", builder_.load(held_, entry));
    builder_.when(p > 0, [&] {
      const Ex at = rows_.locate(frame_.b, p).at;
      rows_.on_first_lane([&] { builder_.store(places_, entry, at); });
    });
  }
  void each_read(Ex row, const std::function<void(Ex)>& body) {
    rows::emit_walk(builder_, spec_.pattern, spec_.b, row, body);
  }

  // ---- what a row weighs ------------------------------------------------------------------------

  struct Row {
    MemoryId query, lambda;  // softmax
    GradientRows::Statistic statistic;
    Ex mean;   // keys
    Ex first;  // given: of its coefficients
  };
  Row row_of(Ex token, Ex at) {
    Row row;
    if (!frame_.softmax()) {
      row.first = builder_.let("coef_at", frame_.coefficients_at(frame_.b, token));
      return row;
    }
    row.query = rows_.row_of("query", frame_.q, at);
    const Ex statistic_at = builder_.let("statistic_at", frame_.row_at(token));
    row.statistic = rows_.statistic(statistic_at);
    if (lambda()) return row;
    row.lambda = rows_.row_of("lambda", frame_.lambda, at);
    row.mean = builder_.let("mean", builder_.load(frame_.mean, statistic_at));
    return row;
  }
  Ex softmax_weight(const Row& row, const GradientSide& side, const GradientRows::Spot& from) {
    return rows_.weight_of(side, row.statistic, row.query, rows_.row_of("key", from.key, from.at));
  }
  Ex slope(const Row& row, const GradientSide& side, const GradientRows::Spot& from) {
    const Ex weight = softmax_weight(row, side, from);
    const Ex change = rows_.dot("change", row.lambda, rows_.row_of("value", from.value, from.at));
    return builder_.let("slope", frame_.scale * weight * (change - row.mean));
  }
  Ex weight(const Row& row, Ex entry, Ex p) {
    if (!frame_.softmax()) {
      return builder_.let("weight", builder_.load(frame_.b.coefficients, row.first + entry));
    }
    const GradientRows::Spot from = rows_.locate(frame_.b, p);
    return lambda() ? softmax_weight(row, frame_.b, from) : slope(row, frame_.b, from);
  }

  // By a warp: row r of the chunk.
  void weigh(Ex r) {
    const Ex token = builder_.let("token", first_ + r);
    const Ex at = builder_.let("at", frame_.token_at(token));
    rows_.each_channel([&](Ex d, Ex) {
      builder_.store(own_, r * dim_ + d, builder_.load(lambda() ? sums_ : frame_.q, at + d));
    });
    const Row row = row_of(token, at);
    // Lane c keeps what belongs to column c of the chunk.
    const Var near = builder_.variable("near_weight", builder_.f32(0));
    const Var entry = builder_.variable("entry", builder_.i64(0));
    const Var cursor = builder_.variable("cursor", builder_.i64(0));
    each_read(builder_.let("i", frame_.row_of(token)), [&](Ex p) {
      const Ex value = weight(row, entry, p);
      builder_.assign(entry, Ex(entry) + 1);
      builder_.when(
          p > final_to_,
          [&] {
            builder_.when(equal(frame_.lane, p - final_to_ - 1),
                          [&] { builder_.assign(near, value); });
          },
          [&] {
            builder_.repeat_while(both(Ex(cursor) < listed_, builder_.load(held_, cursor) > p),
                                  [&] { builder_.assign(cursor, Ex(cursor) + 1); });
            builder_.when(Ex(cursor) < listed_, [&] {
              builder_.when(
                  both(equal(builder_.load(held_, cursor), p), equal(frame_.lane, builder_.i64(0))),
                  [&] { builder_.store(far_, Ex(cursor) * kChunk + r, value); });
            });
          });
    });
    builder_.store(near_, r * kChunk + frame_.lane, near);
  }

  // A row that the last chunk lacks weighs nothing.
  void clear(Ex r) {
    rows_.each_channel([&](Ex d, Ex) { builder_.store(own_, r * dim_ + d, builder_.f32(0)); });
    builder_.store(near_, r * kChunk + frame_.lane, builder_.f32(0));
  }

  // ---- sums, by the thread of channel d ---------------------------------------------------------

  void each_row(const std::function<void(Ex)>& body) {
    builder_.loop("r", builder_.i64(0), builder_.i64(kChunk), builder_.i64(1), LoopKind::kUnrolled,
                  body);
  }
  // What the chunk's rows have, in registers.
  MemoryId own_column(Ex d) {
    const MemoryId column = builder_.array("column", Type::kF32, kChunk);
    each_row([&](Ex r) { builder_.store(column, r, builder_.load(own_, r * dim_ + d)); });
    return column;
  }

  // From the last row to the first, each of which leaves its part with all rows before it. Of keys,
  // rows have their queries for each other as they are, and leave what is to be added.
  void solve(Ex d, MemoryId column) {
    MemoryId solved = column;
    if (!lambda()) {
      solved = builder_.array("solved", Type::kF32, kChunk);
      each_row([&](Ex r) { builder_.store(solved, r, builder_.f32(0)); });
    }
    each_row([&](Ex done) {
      const Ex reader = builder_.let("reader", builder_.i64(kChunk - 1) - done);
      builder_.loop("c", builder_.i64(0), reader, builder_.i64(1), LoopKind::kUnrolled, [&](Ex c) {
        builder_.store(solved, c,
                       builder_.load(solved, c) + builder_.load(near_, reader * kChunk + c) *
                                                      builder_.load(column, reader));
      });
    });
    each_row([&](Ex r) { builder_.store(own_, r * dim_ + d, builder_.load(solved, r)); });
  }
  // By a warp: row r of the chunk, once it is solved.
  void write(Ex r) {
    const Ex at = builder_.let("sum_at", frame_.token_at(first_ + r));
    rows_.each_channel([&](Ex d, Ex) {
      const Ex solved = builder_.load(own_, r * dim_ + d);
      builder_.store(sums_, at + d, lambda() ? solved : builder_.load(sums_, at + d) + solved);
    });
  }

  // What the chunk has for the listed positions, several of them at a time: what there is already
  // of them is on its way together.
  void push(Ex d, MemoryId column) {
    builder_.loop("e", builder_.i64(0), listed_, builder_.i64(kLeastNested), LoopKind::kSerial,
                  [&](Ex e) { push_to_several(e, d, column); });
  }
  void push_to_several(Ex e, Ex d, MemoryId column) {
    const MemoryId sums = builder_.array("pushed", Type::kF32, kLeastNested);
    const auto each = [&](const std::function<void(Ex)>& body) {
      builder_.loop("part", builder_.i64(0), builder_.i64(kLeastNested), builder_.i64(1),
                    LoopKind::kUnrolled, body);
    };
    each([&](Ex part) {
      const Ex p = builder_.let("p", builder_.load(held_, e + part));
      builder_.store(sums, part,
                     builder_.select(p > 0, pushed_before(p, e + part, d), builder_.f32(0)));
    });
    each_row([&](Ex r) {
      each([&](Ex part) {
        builder_.store(sums, part,
                       builder_.load(sums, part) +
                           builder_.load(far_, (e + part) * kChunk + r) * builder_.load(column, r));
      });
    });
    each([&](Ex part) {
      const Ex p = builder_.let("p", builder_.load(held_, e + part));
      builder_.when(p > 0, [&] { keep_pushed(p, e + part, d, builder_.load(sums, part)); });
    });
  }
  Ex pushed_before(Ex p, Ex entry, Ex d) {
    if (!between()) return builder_.load(sums_, frame_.token_at(p - 1) + d);
    const Ex at = builder_.load(places_, entry) + d;
    return builder_.select(p <= frame_.start, builder_.load(before(), at),
                           builder_.load(sums_, at));
  }
  void keep_pushed(Ex p, Ex entry, Ex d, Ex sum) {
    if (!between()) return builder_.store(sums_, frame_.token_at(p - 1) + d, sum);
    const Ex at = builder_.let("to", builder_.load(places_, entry) + d);
    builder_.when(
        p <= frame_.start, [&] { builder_.store(before(), at, sum); },
        [&] { builder_.store(sums_, at, sum); });
  }

  const KernelSpec& spec_;
  NestedUse use_;
  int dim_;
  Ex window_;  // positions whose weights there is room for at a time
  Builder builder_;
  GradientFrame frame_;
  GradientRows rows_;
  MemoryId sums_;  // by token, f32
  MemoryId own_;   // lambda, or queries, of the chunk's rows
  MemoryId near_, far_, held_;
  MemoryId places_;  // between states: of channel 0 of the listed positions
  Ex first_, final_to_, size_, listed_;
};

}  // namespace

ir::Kernel nested_rows(const KernelSpec& spec, NestedUse use) {
  return NestedRows(spec, use).run();
}

}  // namespace heddle::schedule
