// SPDX-License-Identifier: Apache-2.0
// Lambda where B is a lattice with gated weights, and the gradients of B's gates: lambda_j = dy_j +
// sum over rows i that read j of gate_ij * lambda_i and dgate_ij = lambda_i * y_j, channel by
// channel. A block owns one (batch, head) and takes chunks of rows from the last one to the first,
// as NestedLambda does: what earlier rows are due of a chunk goes by the positions that its first
// row reads. Gates are most of what is asked for, and each is asked for once: those within the
// chunk wait in shared memory for the threads that solve it, a channel each; for each position
// before the chunk a group of lanes goes through the rows that read it, sums what it is due and
// writes the gradients on the way.
#include <algorithm>
#include <optional>
#include <vector>

#include "codegen/schedule/gated_chunk.hpp"
#include "codegen/schedule/gather_backward.hpp"
#include "codegen/schedule/gradient_rows.hpp"
#include "codegen/schedule/lattice_terms.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;

namespace {

constexpr int kGatedLambdaWarps = 8;
constexpr int kGatedLambdaThreads = RowLanes::kWarp * kGatedLambdaWarps;
constexpr int kGatedListed = 32;     // positions before the chunk at a time
constexpr int kGatesAtOnce = 8;      // rows of gates that a group asks for together
constexpr int kListedAtOnce = 8;     // entries that a lane looks at
constexpr int kNobody = kGatedRows;  // the column of an entry that a row does not have

class GatedLambda {
 public:
  explicit GatedLambda(const KernelSpec& spec)
      : spec_(spec),
        dim_(spec.head_dim),
        stride_(gated_stride(dim_)),
        sharing_(RowLanes::sharing_for(spec.head_dim, spec.dtype)),
        groups_(kGatedLambdaThreads / sharing_),
        near_(*NearGates::entries_of(spec, kGatedRows)),
        builder_(spec.symbol + "_lambda", spec.target, kGatedLambdaThreads),
        frame_(builder_, spec, {Access::kWrite, Access::kRead, std::nullopt}),
        rows_(frame_) {
    builder_.size("gate_rows");
  }

  ir::Kernel run() {
    frame_.each_block([&] {
      share_lanes();
      const auto list = [&](const char* name, int length) {
        return builder_.array(name, Type::kI64, length, true);
      };
      own_ = builder_.array_of_vectors("own", (kGatedRows + 1) * stride_);
      staged_ = builder_.dynamic_array("staged", spec_.dtype);
      held_ = list("held", kGatedListed);
      last_ = list("last_reader", kGatedRows + kGatedListed);
      columns_ = list("columns", near_.most * kGatedRows);
      numbers_ = list("numbers", kGatedListed * kGatedRows);
      ends_ = list("ends", kGatedRows);
      terms_.emplace(builder_, spec_, frame_.thread);
      terms_->open(frame_.length);
      open();
      builder_.barrier();
      builder_.loop("done", builder_.i64(0), frame_.tokens, builder_.i64(kGatedRows),
                    LoopKind::kSerial, [&](Ex done) {
                      const Ex past = builder_.let("past", frame_.tokens - 1 - done);
                      chunk(builder_.let("first", past / kGatedRows * kGatedRows));
                    });
    });
    return builder_.take();
  }

 private:
  void share_lanes() {
    group_ = frame_.warp;
    lanes_.emplace(builder_, frame_.lane, dim_);
    if (sharing_ == RowLanes::kWarp) return;
    group_ =
        builder_.let("group", frame_.warp * (RowLanes::kWarp / sharing_) + frame_.lane / sharing_);
    const Ex lane = builder_.let("lane_of_row", frame_.lane % sharing_);
    lanes_.emplace(builder_, lane, dim_, sharing_, spec_.dtype);
    rows_.share(*lanes_, /*together=*/false);
  }
  void by_group(const char* name, Ex count, const std::function<void(Ex)>& body) {
    builder_.loop(name, group_, count, builder_.i64(groups_), LoopKind::kSerial, body);
  }
  void by_thread(const char* name, Ex count, const std::function<void(Ex)>& body) {
    builder_.loop(name, frame_.thread, count, builder_.i64(kGatedLambdaThreads), LoopKind::kSerial,
                  body);
  }
  MemoryId row_where(Ex held, const char* name, MemoryId memory, Ex at) {
    const MemoryId made = rows_.zeros(name);
    builder_.when(held, [&] { rows_.load(made, memory, at); });
    return made;
  }
  Ex gates_of(Ex row) { return frame_.coefficients_at(frame_.b, first_ + row); }
  Ex entry_at(Ex gates, Ex number) { return gates + coefficient_entry(spec_, number); }
  Ex lambda_at(Ex row) { return row * stride_; }
  // Lambda of the chunk's rows, as reals. A lane that has two vectors of them side by side takes
  // the second one first where others have their first one in its banks.
  Ex turned() { return RowLanes::turn_of(builder_, frame_.lane); }
  MemoryId own_row(const RowLanes& lanes, Ex r) {
    const MemoryId row = lanes.array("lambda_of_row");
    lanes.has_halves() ? lanes.load_turned(row, own_, lambda_at(r), turned())
                       : lanes.load(row, own_, lambda_at(r));
    return row;
  }
  void leave_own(Ex r, MemoryId row) {
    lanes_->has_halves() ? lanes_->store_turned(own_, lambda_at(r), row, turned())
                         : rows_.write(own_, lambda_at(r), row);
  }
  Ex near_at(Ex number, Ex row) { return number * kGatedRows + row; }

  void open() {
    builder_.comment("lambda starts as dy");
    const int step = groups_ * kGatesAtOnce;
    builder_.loop("token", group_, frame_.tokens, builder_.i64(step), LoopKind::kSerial,
                  [&](Ex token) {
                    std::vector<MemoryId> started;
                    const auto mine = [&](int part) { return token + part * groups_; };
                    for (int part = 0; part < kGatesAtOnce; ++part) {
                      started.push_back(row_where(mine(part) < frame_.tokens, "started", frame_.dy,
                                                  frame_.token_at(mine(part))));
                    }
                    for (int part = 0; part < kGatesAtOnce; ++part) {
                      builder_.when(mine(part) < frame_.tokens, [&] {
                        rows_.write(frame_.lambda, frame_.token_at(mine(part)),
                                    started[static_cast<std::size_t>(part)]);
                      });
                    }
                  });
    builder_.comment("what no row has is 0 times lambda");
    by_thread("d", builder_.i64(dim_), [&](Ex d) {
      builder_.store(own_, lambda_at(builder_.i64(kNobody)) + d, builder_.f32(0));
    });
  }

  void chunk(Ex first) {
    first_ = first;
    size_ = builder_.let(
        "size", builder_.call(Helper::kMinimum, {builder_.i64(kGatedRows), frame_.tokens - first}));
    const Ex count = terms_->count_for(builder_.let("first_row", first_ + 1));
    builder_.comment("what the chunk's rows are due of later ones");
    std::optional<MemoryId> due;  // on its way while items are listed
    if (groups_ >= kGatedRows) {
      due = due_of(group_);
    } else {
      by_group("r", builder_.i64(kGatedRows), [&](Ex r) { leave_own(r, due_of(r)); });
    }
    const Var passed = builder_.variable("passed", builder_.i64(0));
    const Ex least = builder_.call(Helper::kMaximum, {count, builder_.i64(1)});
    builder_.loop("window", builder_.i64(0), least, builder_.i64(kGatedListed), LoopKind::kSerial,
                  [&](Ex window) {
                    listed_ = builder_.let(
                        "listed", builder_.call(Helper::kMinimum,
                                                {builder_.i64(kGatedListed), count - window}));
                    const Ex is_first = builder_.let("is_first", equal(window, builder_.i64(0)));
                    terms_->show(window);
                    list(window);
                    if (due) builder_.when(is_first, [&] { leave_own(group_, *due); });
                    builder_.barrier();
                    count_entries(is_first, passed);
                    builder_.barrier();
                    builder_.when(is_first, [&] { solve_chunk(); });
                    builder_.loop("entry", frame_.warp, listed_, builder_.i64(kGatedLambdaWarps),
                                  LoopKind::kSerial, [&](Ex entry) { take_listed(entry); });
                    builder_.barrier();
                  });
    builder_.comment("columns behind a row's own entries");
    const MemoryId nothing = rows_.zeros("nothing");
    by_group("r", size_, [&](Ex r) {
      const Ex gates = builder_.let("gates_at", gates_of(r));
      builder_.loop("rest", builder_.load(ends_, r), frame_.b.width, [&](Ex rest) {
        rows_.write(frame_.b.dcoefficients, entry_at(gates, rest), nothing);
      });
    });
  }

  MemoryId due_of(Ex r) {
    return row_where(r < size_, "due", frame_.lambda, frame_.token_at(first_ + r));
  }

  // ---- what rows read ---------------------------------------------------------------------------

  // The last row of the chunk that reads an item, -1 where none does: the chunk's own positions,
  // then those that its first row reads.
  void list(Ex window) {
    by_thread("item", builder_.i64(kGatedRows + kGatedListed), [&](Ex item) {
      const Var p = builder_.variable("position", builder_.i64(0));
      builder_.when(
          item < kGatedRows,
          [&] { builder_.when(item < size_, [&] { builder_.assign(p, first_ + 1 + item); }); },
          [&] {
            const Ex entry = builder_.let("entry", item - kGatedRows);
            builder_.when(entry < listed_, [&] {
              builder_.assign(p, terms_->position(first_ + 1, window + entry, entry));
            });
            builder_.store(held_, entry, p);
          });
      const Ex reach = terms_->reach(p);
      const Ex last = builder_.call(Helper::kMinimum, {size_ - 1, p + reach - first_ - 1});
      builder_.store(last_, item, builder_.select(Ex(p) > 0, last, builder_.i64(-1)));
    });
  }

  // The entries of a row, a lane each, the nearest first: one warp lists those within the chunk,
  // another one counts on to those before it.
  void count_entries(Ex is_first, Var passed) {
    const Ex r = frame_.lane;
    builder_.when(both(is_first, equal(frame_.warp, builder_.i64(0))), [&] {
      const Var number = builder_.variable("number", builder_.i64(0));
      each_within([&](Ex c, Ex last) {
        builder_.when(both(both(r > c, r <= last), Ex(number) < builder_.i64(near_.most)), [&] {
          builder_.store(columns_, near_at(number, r), c);
          builder_.assign(number, Ex(number) + 1);
        });
      });
      builder_.loop("rest", number, builder_.i64(near_.most), [&](Ex rest) {
        builder_.store(columns_, near_at(rest, r), builder_.i64(kNobody));
      });
    });
    builder_.when(equal(frame_.warp, builder_.i64(1)), [&] {
      const auto pass = [&](Ex whether) {
        const Ex one = builder_.select(whether, builder_.i64(1), builder_.i64(0));
        builder_.assign(passed,
                        builder_.call(Helper::kMinimum, {frame_.b.width, Ex(passed) + one}));
      };
      builder_.when(is_first,
                    [&] { each_within([&](Ex c, Ex last) { pass(both(r > c, r <= last)); }); });
      builder_.loop("entry", builder_.i64(0), listed_, [&](Ex entry) {
        builder_.store(numbers_, entry * kGatedRows + r, passed);
        pass(r <= builder_.load(last_, entry + kGatedRows));
      });
      builder_.store(ends_, r, passed);
    });
  }
  // body(c, last) of the chunk's rows from the last one on, and which row reads each last; some of
  // them are asked for together.
  void each_within(const std::function<void(Ex, Ex)>& body) {
    builder_.loop(
        "behind", builder_.i64(0), builder_.i64(kGatedRows), builder_.i64(kListedAtOnce),
        LoopKind::kSerial, [&](Ex behind) {
          const MemoryId last = builder_.array("last_of", Type::kI64, kListedAtOnce);
          const auto row = [&](Ex part) { return builder_.i64(kGatedRows - 1) - behind - part; };
          each_of(kListedAtOnce, "part",
                  [&](Ex part) { builder_.store(last, part, builder_.load(last_, row(part))); });
          each_of(kListedAtOnce, "part",
                  [&](Ex part) { body(builder_.let("c", row(part)), builder_.load(last, part)); });
        });
  }

  // ---- the chunk itself -------------------------------------------------------------------------

  void solve_chunk() {
    builder_.comment("gates within the chunk");
    by_group("r", builder_.i64(kGatedRows), [&](Ex r) { stage_gates(r); });
    builder_.barrier();
    builder_.comment("one thread per channel solves the chunk");
    by_thread("d", builder_.i64(dim_), [&](Ex d) { solve(d); });
    builder_.barrier();
    builder_.comment("what is due of gates within the chunk");
    by_group("r", size_, [&](Ex r) { slopes_within(r); });
  }
  // body(first, count) of runs of a row's entries within the chunk.
  void each_run(const std::function<void(int, int)>& body) {
    for (int first = 0; first < near_.most; first += kGatesAtOnce) {
      body(first, std::min(kGatesAtOnce, near_.most - first));
    }
  }
  Ex column_of(int number, Ex r) {
    return builder_.let("c", builder_.load(columns_, near_at(builder_.i64(number), r)));
  }
  // Rows that the last chunk lacks have no entries.
  void stage_gates(Ex r) {
    const Ex gates =
        builder_.let("gates_at", gates_of(builder_.call(Helper::kMinimum, {r, size_ - 1})));
    each_run([&](int first, int count) {
      std::vector<MemoryId> asked;
      for (int number = first; number < first + count; ++number) {
        asked.push_back(row_where(column_of(number, r) < kGatedRows, "gate", frame_.b.coefficients,
                                  entry_at(gates, builder_.i64(number))));
      }
      for (int number = first; number < first + count; ++number) {
        rows_.write(staged_, near_at(builder_.i64(number), r) * dim_,
                    asked[static_cast<std::size_t>(number - first)]);
      }
    });
  }

  void solve(Ex d) {
    solve_gated_chunk({builder_, frame_, near_, own_, staged_, columns_, first_, size_}, d);
  }
  void each_of(int count, const char* name, const std::function<void(Ex)>& body) {
    builder_.loop(name, builder_.i64(0), builder_.i64(count), builder_.i64(1), LoopKind::kUnrolled,
                  body);
  }
  void slopes_within(Ex r) {
    const Ex gates = builder_.let("gates_at", gates_of(r));
    const MemoryId lambda = own_row(*lanes_, r);
    each_run([&](int first, int count) {
      std::vector<MemoryId> values;
      std::vector<Ex> columns;
      for (int number = first; number < first + count; ++number) {
        columns.push_back(column_of(number, r));
        values.push_back(row_where(columns.back() < kGatedRows, "value", frame_.y,
                                   frame_.token_at(first_ + columns.back())));
      }
      for (int number = first; number < first + count; ++number) {
        const auto place = static_cast<std::size_t>(number - first);
        builder_.when(columns[place] < kGatedRows, [&] {
          write_slope(*lanes_, entry_at(gates, builder_.i64(number)), lambda, values[place]);
        });
      }
    });
  }
  void write_slope(const RowLanes& lanes, Ex at, MemoryId lambda, MemoryId value) {
    const MemoryId slope = lanes.array("slope");
    lanes.each_channel([&](Ex, Ex index) {
      builder_.store(slope, index, builder_.load(lambda, index) * builder_.load(value, index));
    });
    lanes.store(frame_.b.dcoefficients, at, slope);
  }

  // ---- positions before the chunk ---------------------------------------------------------------

  // The rows that read one are the chunk's first ones. A warp shares them out among as many groups
  // as it has, here of lanes that lie apart: neighbours have the same channels of different rows.
  void take_listed(Ex entry) {
    const int groups = RowLanes::kWarp / sharing_;
    const Ex group =
        groups > 1 ? builder_.let("group_of_warp", frame_.lane % groups) : builder_.i64(0);
    const RowLanes lanes =
        groups > 1 ? RowLanes(builder_, builder_.let("lane_of_group", frame_.lane / groups), dim_,
                              sharing_, spec_.dtype)
                   : RowLanes(builder_, frame_.lane, dim_);
    const Ex last = builder_.let("last", builder_.load(last_, entry + kGatedRows));
    builder_.when(last >= 0, [&] {
      const Ex at =
          builder_.let("at", frame_.token_at(frame_.token_of(builder_.load(held_, entry))));
      const Listed listed{entry, last, lanes.array("value"), lanes.array("pushed"), lanes};
      lanes.each_channel(
          [&](Ex, Ex index) { builder_.store(listed.pushed, index, builder_.f32(0)); });
      const Ex is_first = equal(group, builder_.i64(0));
      const auto open = [&] {
        lanes.load(listed.value, frame_.y, at);
        if (groups == 1) return lanes.load(listed.pushed, frame_.lambda, at);
        builder_.when(is_first, [&] { lanes.load(listed.pushed, frame_.lambda, at); });
      };
      const int together = kGatesAtOnce * groups;
      if (together >= kGatedRows) {
        take_readers(listed, group, groups, open);
      } else {
        open();
        builder_.loop("r", builder_.i64(0), last + 1, builder_.i64(together), LoopKind::kSerial,
                      [&](Ex r) { take_readers(listed, r + group, groups, [] {}); });
      }
      if (groups == 1) return lanes.store(frame_.lambda, at, listed.pushed);
      lanes.each_channel([&](Ex, Ex index) {
        builder_.store(listed.pushed, index,
                       builder_.reduce_together(ir::ReduceOperator::kSum,
                                                builder_.load(listed.pushed, index), groups));
      });
      builder_.when(is_first, [&] { lanes.store(frame_.lambda, at, listed.pushed); });
    });
  }
  struct Listed {
    Ex entry, last;
    MemoryId value, pushed;
    RowLanes lanes;
  };
  // `asked` is called when gates are on their way.
  void take_readers(const Listed& listed, Ex first, int groups,
                    const std::function<void()>& asked) {
    struct Reader {
      Ex counts, row, at;
      MemoryId gate;
    };
    const RowLanes& lanes = listed.lanes;
    std::vector<Reader> readers;
    for (int part = 0; part < kGatesAtOnce; ++part) {
      Reader reader;
      const Ex own = builder_.let("own_row", first + part * groups);
      reader.row = builder_.let("row", builder_.call(Helper::kMinimum, {own, listed.last}));
      const Ex number =
          builder_.let("number", builder_.load(numbers_, listed.entry * kGatedRows + reader.row));
      reader.counts = builder_.let("counts", both(own <= listed.last, number < frame_.b.width));
      reader.at = builder_.let("gate_at", entry_at(gates_of(reader.row), number));
      reader.gate = lanes.array("gate");
      lanes.each_channel(
          [&](Ex, Ex index) { builder_.store(reader.gate, index, builder_.f32(0)); });
      builder_.when(reader.counts,
                    [&] { lanes.load(reader.gate, frame_.b.coefficients, reader.at); });
      readers.push_back(reader);
    }
    asked();
    for (const Reader& reader : readers) {
      builder_.when(reader.counts, [&] {
        const MemoryId lambda = own_row(lanes, reader.row);
        lanes.each_channel([&](Ex, Ex index) {
          builder_.store(listed.pushed, index,
                         builder_.load(listed.pushed, index) +
                             builder_.load(reader.gate, index) * builder_.load(lambda, index));
        });
        write_slope(lanes, reader.at, lambda, listed.value);
      });
    }
  }

  const KernelSpec& spec_;
  int dim_;
  int stride_;
  int sharing_;  // lanes of a row
  int groups_;   // of the block
  NearGates::Entries near_;
  Builder builder_;
  GradientFrame frame_;
  GradientRows rows_;
  std::optional<LatticeTerms> terms_;
  std::optional<RowLanes> lanes_;
  Ex group_;
  MemoryId own_;      // lambda of the chunk's rows
  MemoryId staged_;   // gates within the chunk, by number and row
  MemoryId held_;     // positions before the chunk
  MemoryId last_;     // which row reads an item last
  MemoryId columns_;  // of entries within the chunk, by number and row
  MemoryId numbers_;  // of a listed position among a row's entries
  MemoryId ends_;     // of a row's entries
  Ex first_, size_, listed_;
};

}  // namespace

bool has_gated_lambda(const KernelSpec& spec, std::int64_t shared_bytes) {
  constexpr std::int64_t kDeclared = std::int64_t{48} << 10;  // bytes of arrays that are declared
  constexpr std::int64_t kTerms = 5 << 10;
  const auto near = NearGates::entries_of(spec, kGatedRows);
  if (!near) return false;
  const std::int64_t lists =
      8 * (kGatedListed * 2 + kGatedRows * 2 + kGatedRows * (near->most + kGatedListed));
  const std::int64_t fixed = lists + kTerms + 4 * (kGatedRows + 1) * gated_stride(spec.head_dim);
  const std::int64_t staged = NearGates::gate_rows(*near, kGatedRows) * spec.head_dim *
                              static_cast<std::int64_t>(size_of(spec.dtype));
  return fixed <= kDeclared && fixed + staged <= shared_bytes;
}

std::vector<SharedRows> gated_lambda_rows(const KernelSpec& spec) {
  const std::int64_t rows =
      NearGates::gate_rows(*NearGates::entries_of(spec, kGatedRows), kGatedRows);
  return {
      {"gate_rows", rows, rows, spec.head_dim * static_cast<std::int64_t>(size_of(spec.dtype))}};
}

ir::Kernel gated_lambda(const KernelSpec& spec) { return GatedLambda(spec).run(); }

}  // namespace heddle::schedule
