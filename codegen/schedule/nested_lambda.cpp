// SPDX-License-Identifier: Apache-2.0
// Lambda where B is a lattice: lambda_j = dy_j + sum over rows i that read j of w_ij lambda_i. Rows
// are nested, so that what the rows of a chunk read of earlier ones is what its first row reads,
// and those of them that read one are the first ones, as many as the position's divisors say. A
// block owns one (batch, head) and takes chunks from the last one to the first: what was pushed to
// a chunk's rows is then complete but for the chunk itself. Weights go by item: the chunk's own
// positions, the last one first, and the listed ones, which its first row reads. A warp takes
// items, each of its lanes a row. Then a thread for each channel solves the chunk, and all threads
// sum up what it has for each listed position, which the chunk adds to once.
#include <algorithm>

#include "codegen/schedule/gather_backward.hpp"
#include "codegen/schedule/gradient_rows.hpp"
#include "codegen/schedule/lattice_terms.hpp"
#include "codegen/schedule/row_products.hpp"

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
constexpr int kNestedThreads = 32 * kNestedWarps;
constexpr int kChunk = kStagedChunk;       // rows, a lane each
constexpr int kTile = RowProducts::kKeys;  // items that a warp weighs at a time
constexpr int kAtOnce = 16;                // listed positions that sums are added up for at a time
constexpr int kSlices = 4;                 // lanes that share a channel
constexpr int kSlice = kChunk / kSlices;
constexpr int kNearStride = kChunk + 4;
static_assert(kTile * kNestedWarps == kChunk, "a warp has a tile of the chunk's own items");

// Reals between two rows of queries or keys in shared memory: whole vectors, so far apart that
// lanes with a row each find theirs in different banks.
int row_stride(const KernelSpec& spec) { return (spec.head_dim + 3) / 4 * 4 + 4; }
// Likewise of the chunk's lambda, where lanes that share a channel have rows kSlice apart: an odd
// number. Of few channels more than a group of lanes: two parts of a place need strides of their
// own.
int own_stride(int dim) { return std::max(dim | 1, kSlices + 1); }

class NestedLambda {
 public:
  explicit NestedLambda(const KernelSpec& spec)
      : spec_(spec),
        dim_(spec.head_dim),
        stride_(row_stride(spec)),
        own_stride_(own_stride(dim_)),
        builder_(spec.symbol + "_lambda", spec.target, kNestedThreads),
        frame_(builder_, spec, {Access::kWrite, Access::kRead, std::nullopt}),
        rows_(frame_) {
    if (frame_.softmax()) key_rows_ = builder_.size("key_rows");
    window_ = builder_.size("live_rows");
  }

  ir::Kernel run() {
    frame_.each_block([&] {
      own_ = builder_.array("own", Type::kF32, kChunk * own_stride_, true);
      near_ = builder_.array_of_vectors("near", kChunk * kNearStride);
      staged_ = builder_.dynamic_array("staged", ElementType::kF32);
      far_at_ = builder_.i64(0);
      if (frame_.softmax()) far_at_ = builder_.let("far_at", (key_rows_ + window_) * stride_);
      held_ = builder_.array("held", Type::kI64, kMostNested, true);
      last_ = builder_.array("last_reader", Type::kI64, kChunk + kMostNested, true);
      if (between()) {
        places_ = builder_.array("places", Type::kI64, kMostNested, true);
        open_slots();
      }
      terms_.emplace(builder_, spec_, frame_.thread);
      terms_->open(frame_.length);
      builder_.comment("lambda starts as dy");
      by_warp("token", frame_.tokens, [&](Ex token) { open(token); });
      clear_padding();
      builder_.barrier();
      builder_.loop("done", builder_.i64(0), frame_.tokens, builder_.i64(kChunk), LoopKind::kSerial,
                    [&](Ex done) {
                      const Ex past = builder_.let("past", frame_.tokens - 1 - done);
                      chunk(builder_.let("first", past / kChunk * kChunk));
                    });
    });
    return builder_.take();
  }

 private:
  bool between() const { return frame_.handed_on(); }
  void by_warp(const char* name, Ex count, const std::function<void(Ex)>& body) {
    builder_.loop(name, frame_.warp, count, builder_.i64(kNestedWarps), LoopKind::kSerial, body);
  }
  void by_thread(const char* name, Ex count, const std::function<void(Ex)>& body) {
    builder_.loop(name, frame_.thread, count, builder_.i64(kNestedThreads), LoopKind::kSerial,
                  body);
  }

  void open(Ex token) {
    const Ex at = builder_.let("at", frame_.token_at(token));
    const MemoryId started = rows_.row_of("started", frame_.dy, at);
    if (between()) {
      rows_.add_handed(frame_.b, frame_.row_of(token), {{frame_.b.state.dfinal_val, started}});
    }
    rows_.write(frame_.lambda, at, started);
  }
  // What the final state has for the initial one's positions passes through.
  void open_slots() {
    const StateGradients& state = frame_.b.state;
    builder_.comment("slots of the initial state start with what the final one has for them");
    builder_.when(frame_.most_before > 0, [&] {
      by_warp("slot", state.slots, [&](Ex slot) {
        const MemoryId passed = rows_.zeros("passed");
        rows_.when_held_before(state, slot, [&](Ex p) {
          rows_.add_handed(frame_.b, p, {{state.dfinal_val, passed}});
        });
        rows_.write(state.dinitial_val, builder_.let("at", frame_.slot_at(state, slot)), passed);
      });
    });
  }

  void chunk(Ex first) {
    first_ = first;
    final_to_ = between() ? builder_.let("final_to", frame_.start + first) : first;
    size_ = builder_.let(
        "size", builder_.call(Helper::kMinimum, {builder_.i64(kChunk), frame_.tokens - first}));
    const Ex count = terms_->count_for(builder_.let("first_row", final_to_ + 1));
    stage_chunk();
    const Var passed = builder_.variable("passed", builder_.i64(0));
    const Ex least = builder_.call(Helper::kMaximum, {count, builder_.i64(1)});
    builder_.loop("window", builder_.i64(0), least, window_, LoopKind::kSerial, [&](Ex window) {
      listed_ = builder_.let("listed", builder_.call(Helper::kMinimum, {window_, count - window}));
      const Ex is_first = builder_.let("is_first", equal(window, builder_.i64(0)));
      terms_->show(window);
      list(window);
      builder_.barrier();
      if (between()) {
        by_warp("entry", listed_, [&](Ex entry) { find_place(entry); });
        builder_.barrier();
      }
      if (frame_.softmax()) {
        stage_listed();
        builder_.barrier();
        weigh_by_scores(is_first);
      } else {
        weigh_by_coefficients(is_first, passed);
      }
      builder_.barrier();
      builder_.when(is_first, [&] {
        builder_.comment("one thread per channel solves the chunk");
        by_thread("d", builder_.i64(dim_), [&](Ex d) { solve(d); });
      });
      builder_.barrier();
      push();
      builder_.barrier();
    });
  }

  // ---- what rows read ---------------------------------------------------------------------------

  // The last row of the chunk that reads an item, -1 where none does; positions of the listed ones.
  void list(Ex window) {
    by_thread("item", builder_.i64(kChunk) + window_, [&](Ex item) {
      const Var p = builder_.variable("position", builder_.i64(0));
      builder_.when(
          item < kChunk,
          [&] { builder_.when(item < size_, [&] { builder_.assign(p, final_to_ + 1 + item); }); },
          [&] {
            const Ex entry = builder_.let("entry", item - kChunk);
            builder_.assign(p, terms_->position(final_to_ + 1, window + entry, entry));
            builder_.store(held_, entry, p);
          });
      const Ex reach = terms_->reach(p);
      const Ex last = builder_.call(Helper::kMinimum, {size_ - 1, p + reach - final_to_ - 1});
      builder_.store(last_, item, builder_.select(Ex(p) > 0, last, builder_.i64(-1)));
    });
  }
  void find_place(Ex entry) {
    const Ex p = builder_.let("p", builder_.load(held_, entry));
    builder_.when(p > 0, [&] {
      const Ex at = rows_.locate(frame_.b, p).at;
      rows_.on_first_lane([&] { builder_.store(places_, entry, at); });
    });
  }
  // Whether row r of the chunk reads its row c, or a listed position.
  Ex reads_own(Ex r, Ex c) { return both(r > c, r <= builder_.load(last_, c)); }
  Ex reads_listed(Ex r, Ex entry) { return r <= builder_.load(last_, entry + kChunk); }

  // ---- rows in shared memory --------------------------------------------------------------------

  // Channels behind the last one are 0.
  void clear_padding() {
    if (!frame_.softmax() || stride_ - 4 == dim_) return;
    builder_.comment("channels that fill up vectors");
    by_thread("row", key_rows_ + window_, [&](Ex row) {
      for (int d = dim_; d < stride_ - 4; ++d) {
        builder_.store(staged_, row * stride_ + d, builder_.f32(0));
      }
    });
  }
  // Rows that the last chunk lacks are 0.
  void stage_chunk() {
    builder_.comment("the chunk's rows, with queries and keys");
    by_warp("r", builder_.i64(kChunk), [&](Ex r) {
      const Ex at = builder_.let("at", frame_.token_at(first_ + r));
      rows_.each_channel([&](Ex d, Ex) {
        const auto kept = [&](MemoryId rows) {
          return builder_.select(r < size_, builder_.load(rows, at + d), builder_.f32(0));
        };
        if (frame_.softmax()) {
          builder_.store(staged_, r * stride_ + d, kept(frame_.q));
          builder_.store(staged_, (r + kChunk) * stride_ + d, kept(frame_.k));
        }
        builder_.store(own_, r * own_stride_ + d, kept(frame_.lambda));
      });
    });
  }
  Ex whole_tiles() { return (listed_ + (kAtOnce - 1)) / kAtOnce * kAtOnce; }
  void stage_listed() {
    builder_.comment("keys of the listed positions");
    by_warp("entry", whole_tiles(), [&](Ex entry) {
      const Ex p = builder_.let("p", builder_.load(held_, entry));
      rows_.each_channel([&](Ex d, Ex) {
        builder_.store(staged_, (key_rows_ + entry) * stride_ + d,
                       builder_.select(p > 0, key_of(p, entry, d), builder_.f32(0)));
      });
    });
  }
  Ex key_of(Ex p, Ex entry, Ex d) {
    if (!between()) return builder_.load(frame_.k, frame_.token_at(p - 1) + d);
    const Ex at = builder_.load(places_, entry) + d;
    return builder_.select(p <= frame_.start, builder_.load(frame_.b.state.key, at),
                           builder_.load(frame_.k, at));
  }

  // ---- weights ----------------------------------------------------------------------------------

  // A vector of each lane's row: what eight lanes keep at once lies in different banks.
  void keep_near(Ex r, Ex c, MemoryId weights) {
    builder_.store_vector(near_, r * kNearStride + c, weights, 0, kTile);
  }
  Ex far_at(Ex r, Ex entry) { return far_at_ + entry * kChunk + r; }

  void each(int count, const char* name, const std::function<void(Ex)>& body) {
    builder_.loop(name, builder_.i64(0), builder_.i64(count), builder_.i64(1), LoopKind::kUnrolled,
                  body);
  }
  void each_part(const std::function<void(Ex)>& body) { each(kTile, "part", body); }
  void each_tile(const char* name, Ex count, const std::function<void(Ex)>& body) {
    builder_.loop(name, frame_.warp * kTile, count, builder_.i64(kTile * kNestedWarps),
                  LoopKind::kSerial, body);
  }

  void weigh_by_scores(Ex is_first) {
    const Ex r = frame_.lane;
    builder_.comment("weights, a lane a row, by products of queries and keys");
    const Var highest = builder_.variable("highest", builder_.f32(0));
    const Var inverse = builder_.variable("inverse", builder_.f32(0));
    builder_.when(r < size_, [&] {
      const Ex at = builder_.let("statistic_at", frame_.row_at(first_ + r));
      builder_.assign(highest, builder_.load(frame_.highest, at));
      builder_.assign(inverse, builder_.load(frame_.inverse, at));
    });
    const GradientRows::Statistic statistic{highest, inverse};
    const auto weight = [&](MemoryId products, Ex part, Ex whether) {
      const Ex score = frame_.scale * builder_.load(products, part);
      return builder_.select(whether, rows_.weight_of(frame_.b, statistic, score), builder_.f32(0));
    };
    builder_.when(is_first, [&] {
      each_tile("c", builder_.i64(kChunk), [&](Ex c) {
        const MemoryId products = multiply(r, c + kChunk);
        const MemoryId weights = builder_.array("weights", Type::kF32, kTile);
        each_part([&](Ex part) {
          builder_.store(weights, part, weight(products, part, reads_own(r, c + part)));
        });
        keep_near(r, c, weights);
      });
    });
    each_tile("entry", whole_tiles(), [&](Ex entry) {
      const MemoryId products = multiply(r, key_rows_ + entry);
      each_part([&](Ex part) {
        builder_.store(staged_, far_at(r, entry + part),
                       weight(products, part, reads_listed(r, entry + part)));
      });
    });
  }
  // The query of row r times the keys of a tile, from row `key` on, in the order of who has scored
  // this row for its weights.
  MemoryId multiply(Ex r, Ex key) {
    const RowLanes::Order order =
        shares_lattice(spec_) ? RowLanes::order_for(dim_, spec_.dtype) : RowLanes::Order{};
    return RowProducts(builder_, staged_, stride_, dim_, order).of(r, key);
  }

  // A row's coefficients lie in the order of what it reads, the nearest first. Each warp counts all
  // of it, of the windows before as well, and asks for a tile's side by side. No row has more of
  // them than the width.
  void weigh_by_coefficients(Ex is_first, Var passed) {
    const Ex r = frame_.lane, width = frame_.b.width;
    builder_.comment("weights, a lane a row, which counts what it reads before");
    const Var first = builder_.variable("coef_at", builder_.i64(0));
    builder_.when(r < size_,
                  [&] { builder_.assign(first, frame_.coefficients_at(frame_.b, first_ + r)); });
    const auto count = [&](Ex from, Ex to, const std::function<Ex(Ex)>& whether) {
      builder_.loop("other", from, to, [&](Ex other) {
        const Ex one = builder_.select(whether(other), builder_.i64(1), builder_.i64(0));
        builder_.assign(passed, builder_.call(Helper::kMinimum, {width, Ex(passed) + one}));
      });
    };
    const auto ask = [&](const std::function<Ex(Ex)>& whether) {
      const MemoryId weights = builder_.array("weights", Type::kF32, kTile);
      each_part([&](Ex part) {
        builder_.store(weights, part, builder_.f32(0));
        builder_.when(both(whether(part), Ex(passed) < width), [&] {
          const Ex weight = builder_.load(frame_.b.coefficients, Ex(first) + passed);
          builder_.store(weights, part, weight);
          builder_.assign(passed, Ex(passed) + 1);
        });
      });
      return weights;
    };
    builder_.when(is_first, [&] {
      const auto own = [&](Ex c) { return reads_own(r, c); };
      const Ex c = builder_.let("c", frame_.warp * kTile);
      const auto backwards = [&](Ex part) { return c + (builder_.i64(kTile - 1) - part); };
      count(c + kTile, builder_.i64(kChunk), own);
      const MemoryId weights = ask([&](Ex part) { return own(backwards(part)); });
      const MemoryId forwards = builder_.array("forwards", Type::kF32, kTile);
      each_part([&](Ex part) {
        builder_.store(forwards, part, builder_.load(weights, builder_.i64(kTile - 1) - part));
      });
      keep_near(r, c, forwards);
      count(builder_.i64(0), c, own);
    });
    const auto far = [&](Ex entry) { return reads_listed(r, entry); };
    const Ex whole = builder_.let("whole", whole_tiles());
    const Var counted = builder_.variable("counted", builder_.i64(0));
    each_tile("entry", whole, [&](Ex entry) {
      count(counted, entry, far);
      const MemoryId weights = ask([&](Ex part) { return far(entry + part); });
      each_part([&](Ex part) {
        builder_.store(staged_, far_at(r, entry + part), builder_.load(weights, part));
      });
      builder_.assign(counted, entry + kTile);
    });
    count(counted, whole, far);
  }

  // ---- sums -------------------------------------------------------------------------------------

  void each_row(const std::function<void(Ex)>& body) { each(kChunk, "r", body); }
  // From the last row to the first, each of which leaves its part with all rows before it.
  void solve(Ex d) {
    const MemoryId column = builder_.array("column", Type::kF32, kChunk);
    each_row([&](Ex r) { builder_.store(column, r, builder_.load(own_, r * own_stride_ + d)); });
    each_row([&](Ex done) {
      const Ex reader = builder_.let("reader", builder_.i64(kChunk - 1) - done);
      builder_.loop("c", builder_.i64(0), reader, builder_.i64(1), LoopKind::kUnrolled, [&](Ex c) {
        builder_.store(column, c,
                       builder_.load(column, c) + builder_.load(near_, reader * kNearStride + c) *
                                                      builder_.load(column, reader));
      });
    });
    const Ex at = builder_.let("solved_at", frame_.token_at(first_) + d);
    each_row([&](Ex r) {
      const Ex solved = builder_.load(column, r);
      builder_.store(own_, r * own_stride_ + d, solved);
      builder_.when(r < size_,
                    [&] { builder_.store(frame_.lambda, at + r * frame_.token_stride, solved); });
    });
  }

  // What the chunk has for the listed positions, several of them at a time: what there is already
  // of them is on its way together. Some lanes share a channel, each with some of the chunk's rows,
  // and the first of them keeps the sums: no two threads are at one place, whatever the list says.
  void push() {
    builder_.comment("what the chunk has for listed positions, lanes with a few rows each");
    const Ex slice = builder_.let("slice", frame_.lane % kSlices);
    const int channels = kNestedThreads / kSlices;
    const Ex own = builder_.let("own_channel",
                                frame_.warp * (RowLanes::kWarp / kSlices) + frame_.lane / kSlices);
    builder_.loop(
        "channel", builder_.i64(0), builder_.i64(dim_), builder_.i64(channels), LoopKind::kSerial,
        [&](Ex channel) {
          const Ex d = builder_.let("d", channel + own);
          const Ex inside = builder_.let("inside", d < dim_);
          const MemoryId column = builder_.array("part_of_column", Type::kF32, kSlice);
          each(kSlice, "r", [&](Ex r) {
            const Ex at = (slice * kSlice + r) * own_stride_ + d;
            builder_.store(column, r,
                           builder_.select(inside, builder_.load(own_, at), builder_.f32(0)));
          });
          const Ex keeps = builder_.let("keeps", both(inside, equal(slice, builder_.i64(0))));
          builder_.loop("e", builder_.i64(0), listed_, builder_.i64(kAtOnce), LoopKind::kSerial,
                        [&](Ex e) { push_to_several(e, d, slice, keeps, column); });
        });
  }
  void push_to_several(Ex e, Ex d, Ex slice, Ex keeps, MemoryId column) {
    const MemoryId sums = builder_.array("pushed", Type::kF32, kAtOnce);
    const auto each_entry = [&](const std::function<void(Ex)>& body) {
      each(kAtOnce, "part", body);
    };
    const auto position = [&](Ex part) {
      return builder_.let("p", builder_.load(held_, e + part));
    };
    each_entry([&](Ex part) {
      const Ex p = position(part);
      builder_.store(
          sums, part,
          builder_.select(both(keeps, p > 0), pushed_before(p, e + part, d), builder_.f32(0)));
    });
    each_entry([&](Ex part) {
      const MemoryId weights = builder_.array("weights", Type::kF32, kSlice);
      builder_.load_vector(weights, 0, staged_, far_at(slice * kSlice, e + part), kSlice);
      const Var sum = builder_.variable("sum", builder_.load(sums, part));
      each(kSlice, "r", [&](Ex r) {
        builder_.assign(sum, Ex(sum) + builder_.load(weights, r) * builder_.load(column, r));
      });
      builder_.store(sums, part, builder_.reduce_together(ir::ReduceOperator::kSum, sum, kSlices));
    });
    each_entry([&](Ex part) {
      const Ex p = position(part);
      builder_.when(both(keeps, p > 0),
                    [&] { keep_pushed(p, e + part, d, builder_.load(sums, part)); });
    });
  }
  Ex pushed_before(Ex p, Ex entry, Ex d) {
    if (!between()) return builder_.load(frame_.lambda, frame_.token_at(p - 1) + d);
    const Ex at = builder_.load(places_, entry) + d;
    return builder_.select(p <= frame_.start, builder_.load(frame_.b.state.dinitial_val, at),
                           builder_.load(frame_.lambda, at));
  }
  void keep_pushed(Ex p, Ex entry, Ex d, Ex sum) {
    if (!between()) return builder_.store(frame_.lambda, frame_.token_at(p - 1) + d, sum);
    const Ex at = builder_.let("to", builder_.load(places_, entry) + d);
    builder_.when(
        p <= frame_.start, [&] { builder_.store(frame_.b.state.dinitial_val, at, sum); },
        [&] { builder_.store(frame_.lambda, at, sum); });
  }

  const KernelSpec& spec_;
  int dim_;
  int stride_;
  int own_stride_;
  Ex key_rows_;  // softmax: queries and keys of a chunk
  Ex window_;    // positions whose weights there is room for at a time
  Builder builder_;
  GradientFrame frame_;
  GradientRows rows_;
  std::optional<LatticeTerms> terms_;
  MemoryId own_;     // lambda of the chunk's rows
  MemoryId near_;    // what row r of the chunk weighs its rows with, from r * kNearStride on
  MemoryId staged_;  // rows of queries and keys, then what rows weigh listed positions with
  MemoryId held_, last_;
  MemoryId places_;  // between states: of channel 0 of the listed positions
  Ex far_at_;
  Ex first_, final_to_, size_, listed_;
};

}  // namespace

std::vector<SharedRows> lambda_rows(const KernelSpec& spec) {
  const std::int64_t weights = std::int64_t{4} * kChunk;
  if (spec.weights != WeightKind::kSoftmax) {
    return {{"live_rows", kMostNested, kAtOnce, weights}};
  }
  const std::int64_t row = std::int64_t{4} * row_stride(spec);
  return {{"key_rows", 2 * kChunk, 2 * kChunk, row},
          {"live_rows", kMostNested, kAtOnce, row + weights}};
}

ir::Kernel nested_lambda(const KernelSpec& spec) { return NestedLambda(spec).run(); }

}  // namespace heddle::schedule
