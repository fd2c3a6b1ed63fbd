// SPDX-License-Identifier: Apache-2.0
// Backward through matrix states. With S_i = gate_i S_{i-1} + k_i x_i^T, y_i = S_i^T q_i and
// G_i = q_i dy_i^T + gate_{i+1} G_{i+1}, the gradient of S_i:
//   dq_i = S_i dy_i = gate_i S_{i-1} dy_i + k_i <x_i, dy_i>,  dk_i = G_i x_i,  dx_i = G_i^T k_i,
//   dgate_i = <G_i, S_{i-1}>,
// or row by row where each row of a state has a gate of its own.
// Between states, S_0 is the initial one and the gradient of the final one stands behind G_n; what
// comes before G_1 goes to the initial one.
// States cannot be run backwards, since a gate may be 0. A first pass keeps one state every
// state_dim tokens, on cpu the next multiple of a run; then the segments between them, from the
// last to the first, are run once more with their states kept, and G goes back through them: on cpu
// by runs of rows, on cuda row by row, where a thread owns a row of the states, and for dx, which
// sums over rows, a channel of G.
#include <algorithm>
#include <functional>
#include <optional>
#include <string>

#include "codegen/schedule/backward.hpp"
#include "codegen/schedule/cpu_sizes.hpp"
#include "codegen/schedule/sequences.hpp"

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

// A thread per row and per channel, in whole warps.
int threads_of(const KernelSpec& spec) {
  return (std::max(spec.state_dim, spec.head_dim) + 31) / 32 * 32;
}

class LinearGradients {
 public:
  LinearGradients(Builder& builder, const KernelSpec& spec)
      : builder_(builder), spec_(spec), states_(spec.state_dim), dim_(spec.head_dim) {
    const auto by_token = [&](std::vector<std::string> rest) {
      rest.insert(rest.begin(), {"tokens", "heads"});
      if (!spec.varlen) rest.insert(rest.begin(), "batch");
      return rest;
    };
    const std::vector<std::string> keys = by_token({std::to_string(states_)});
    const std::vector<std::string> values = by_token({std::to_string(dim_)});
    const std::vector<std::string> gates = spec.key_gates ? keys : by_token({});
    q_ = builder.buffer("q", spec.dtype, Access::kRead, keys);
    k_ = builder.buffer("k", spec.dtype, Access::kRead, keys);
    x_ = builder.buffer("x", spec.dtype, Access::kRead, values);
    gate_ = builder.buffer("gate", ElementType::kF32, Access::kRead, gates);
    dy_ = builder.buffer("dy", spec.dtype, Access::kRead, values);
    dq_ = builder.buffer("dq", spec.dtype, Access::kWrite, keys);
    dk_ = builder.buffer("dk", spec.dtype, Access::kWrite, keys);
    dx_ = builder.buffer("dx", spec.dtype, Access::kWrite, values);
    dgate_ = builder.buffer("dgate", ElementType::kF32, Access::kWrite, gates);
    const std::string dim = std::to_string(dim_);
    kept_ = builder.buffer("scratch_states", ElementType::kF32, Access::kWrite,
                           spec.varlen ? std::vector<std::string>{"tokens", "heads", dim}
                                       : std::vector<std::string>{"batch", "heads", "tokens", dim});
    segment_ = builder.buffer(
        "scratch_segment", ElementType::kF32, Access::kWrite,
        {"batch", "heads", std::to_string(states_), std::to_string(states_), std::to_string(dim_)});
    if (spec.state_gradients) {
      const std::vector<std::string> state = {"batch", "heads", std::to_string(states_), dim};
      initial_ = builder.buffer("initial_state", ElementType::kF32, Access::kRead, state);
      dfinal_ = builder.buffer("dfinal_state", ElementType::kF32, Access::kRead, state);
      dinitial_ = builder.buffer("dinitial_state", ElementType::kF32, Access::kWrite, state);
    }
    if (spec.varlen) sequences_ = declare_sequences(builder, true, spec.state_gradients);
    tokens_ = all_tokens_ = builder.size("tokens");
    heads_ = builder.size("heads");
    if (spec.state_gradients) start_ = most_before_ = builder.size("start");
    if (spec.varlen) longest_ = builder.size("longest");
  }

  void run() {
    if (cuda()) {
      enter(builder_.let("block", builder_.where(ir::Place::kBlock)));
      return on_cuda();
    }
    builder_.loop("block", builder_.where(ir::Place::kFirstBlock),
                  builder_.where(ir::Place::kLastBlock), [&](Ex block) {
                    enter(block);
                    on_cpu();
                  });
  }

 private:
  bool cuda() const { return spec_.target == ir::Target::kCuda; }

  void enter(Ex block) {
    batch_ = builder_.let("batch", block / heads_);
    head_ = builder_.let("head", block % heads_);
    Ex before = block * tokens_;  // rows of scratch_states that belong to other blocks
    if (spec_.varlen) {
      Ex room = longest_;
      if (spec_.state_gradients) {
        start_ = own_start(builder_, sequences_, batch_, most_before_);
        room = longest_ - start_;
      }
      const OwnTokens own = own_tokens(builder_, sequences_, batch_, all_tokens_, room);
      first_token_ = own.first;
      tokens_ = own.count;
      before = first_token_ * heads_ + head_ * tokens_;
    }
    kept_at_ = builder_.let("kept_at", before * dim_);
    segment_at_ = builder_.let("segment_at", block * (states_ * states_ * dim_));
    if (spec_.state_gradients) state_at_ = builder_.let("state_at", block * (states_ * dim_));
  }

  Ex row_of(Ex token) {
    return ((spec_.varlen ? first_token_ : batch_ * tokens_) + token) * heads_ + head_;
  }

  struct Places {
    Ex key;                       // of q, k and gates of keys
    Ex value;                     // of x and dy
    std::optional<Ex> gate = {};  // of the token: its value
  };
  Places places(Ex token) {
    const Ex row = builder_.let("row", row_of(token));
    Places place{builder_.let("key_at", row * states_), builder_.let("value_at", row * dim_)};
    if (!spec_.key_gates) place.gate = builder_.let("decay", builder_.load(gate_, row));
    return place;
  }
  // Of row s of the state.
  Ex gate(const Places& place, Ex s) {
    return place.gate ? *place.gate : builder_.let("decay", builder_.load(gate_, place.key + s));
  }
  // The state before the first token of segment c >= 1.
  Ex kept(Ex c) { return kept_at_ + (c - 1) * (states_ * dim_); }
  // The state before row r of the segment at hand, on cpu before run r.
  Ex before(Ex r) { return segment_at_ + r * (states_ * dim_); }

  void each_row(const std::function<void(Ex)>& body) {
    builder_.loop("s", builder_.i64(0), builder_.i64(states_), body);
  }
  void each_channel(const std::function<void(Ex)>& body) {
    builder_.loop("c", builder_.i64(0), builder_.i64(dim_), builder_.i64(1),
                  cuda() ? LoopKind::kSerial : LoopKind::kLanes, body);
  }
  void each_token_down(Ex count, const std::function<void(Ex)>& body) {
    builder_.loop("done", builder_.i64(0), count,
                  [&](Ex done) { body(builder_.let("back", count - 1 - done)); });
  }
  void each_segment_down(const std::function<void(Ex, Ex, Ex)>& body) {
    const Ex length = builder_.i64(states_);
    const Ex count =
        builder_.let("segments", builder_.call(Helper::kCeilDivide, {tokens_, length}));
    builder_.loop("later", builder_.i64(0), count, [&](Ex later) {
      const Ex c = builder_.let("segment", count - 1 - later);
      const Ex first = builder_.let("first", c * states_);
      body(c, first,
           builder_.let("size", builder_.call(Helper::kMinimum, {length, tokens_ - first})));
    });
  }

  // Runs one row of the states, which lies in `row` from `at` on, over one token.
  void step(MemoryId row, Ex at, Ex s, const Places& place) {
    const Ex key = builder_.let("key", builder_.load(k_, place.key + s));
    const Ex decay = gate(place, s);
    each_channel([&](Ex d) {
      builder_.store(row, at + d,
                     decay * builder_.load(row, at + d) + key * builder_.load(x_, place.value + d));
    });
  }
  // The first pass leaves the state before every segment but the first.
  void keep(MemoryId row, Ex at, Ex s, Ex c) {
    const Ex to = builder_.let("to", kept(c) + s * dim_);
    each_channel([&](Ex d) { builder_.store(kept_, to + d, builder_.load(row, at + d)); });
  }
  void start_segment(MemoryId row, Ex at, Ex s, Ex c) {
    builder_.when(
        c > 0, [&] { take(kept_, kept(c), row, at, s); }, [&] { begin_state(row, at, s); });
  }
  void clear(MemoryId row, Ex at) {
    if (!cuda()) return builder_.perform(ir::Procedure::kZeroRow, dim_, {builder_.at(row, at)});
    each_channel([&](Ex d) { builder_.store(row, at + d, builder_.f32(0)); });
  }
  // Row s of the state before the first token, and of the gradient of the one behind the last.
  void begin_state(MemoryId row, Ex at, Ex s) {
    if (!spec_.state_gradients) return clear(row, at);
    builder_.when(
        start_ > 0, [&] { take(initial_, state_at_, row, at, s); }, [&] { clear(row, at); });
  }
  void begin_slope(MemoryId row, Ex at, Ex s) {
    spec_.state_gradients ? take(dfinal_, state_at_, row, at, s) : clear(row, at);
  }
  void take(MemoryId states, Ex state_at, MemoryId row, Ex at, Ex s) {
    const Ex from = builder_.let("from", state_at + s * dim_);
    if (!cuda()) {
      return builder_.perform(ir::Procedure::kKeepRow, dim_,
                              {builder_.at(row, at), builder_.at(states, from)});
    }
    each_channel([&](Ex d) { builder_.store(row, at + d, builder_.load(states, from + d)); });
  }
  // What is left of the gradient in front of the first token: none where no token came before.
  void leave_slope(MemoryId row, Ex at, Ex s) {
    if (!spec_.state_gradients) return;
    builder_.when(most_before_ > 0, [&] {
      const Ex to = builder_.let("to", state_at_ + s * dim_);
      const auto leave = [&](const std::function<Ex(Ex)>& value) {
        each_channel([&](Ex d) { builder_.store(dinitial_, to + d, value(d)); });
      };
      const auto slope = [&] { leave([&](Ex d) { return builder_.load(row, at + d); }); };
      if (!spec_.varlen) return slope();
      builder_.when(start_ > 0, slope, [&] { leave([&](Ex) { return builder_.f32(0); }); });
    });
  }
  void leave(MemoryId row, Ex at, Ex s, Ex r) {
    const Ex to = builder_.let("to", before(r) + s * dim_);
    each_channel([&](Ex d) { builder_.store(segment_, to + d, builder_.load(row, at + d)); });
  }

  // One row of G takes in token `place`: dk, dq and this row's part of dgate.
  Ex row_back(MemoryId row, Ex at, Ex s, Ex r, const Places& place, Ex decay, Ex value_dot_dy) {
    const Ex query = builder_.let("query", builder_.load(q_, place.key + s));
    each_channel([&](Ex d) {
      builder_.store(row, at + d,
                     builder_.load(row, at + d) + query * builder_.load(dy_, place.value + d));
    });
    const Ex from = builder_.let("from", before(r) + s * dim_);
    const Ex slope = product("dk_value", row, at, x_, place.value);
    builder_.store(dk_, place.key + s, slope);
    const Ex read = product("read", segment_, from, dy_, place.value);
    builder_.store(dq_, place.key + s,
                   decay * read + builder_.load(k_, place.key + s) * value_dot_dy);
    return product("overlap", row, at, segment_, from);
  }
  void decay_row(MemoryId row, Ex at, Ex decay) {
    each_channel([&](Ex d) { builder_.store(row, at + d, decay * builder_.load(row, at + d)); });
  }
  // <a, b> over the channels, in this thread.
  Ex product(const std::string& name, MemoryId a, Ex a_at, MemoryId b, Ex b_at) {
    const Var sum = builder_.variable(name, builder_.f32(0));
    each_channel([&](Ex d) {
      builder_.assign(sum, Ex(sum) + builder_.load(a, a_at + d) * builder_.load(b, b_at + d));
    });
    return sum;
  }

  // ---- cpu ------------------------------------------------------------------------------------

  void on_cpu() {
    const MemoryId state = padded_state("state");
    const MemoryId slope = padded_state("slope");  // G
    const Ex length = builder_.i64(segment_runs() * kMatrixRows);
    const Ex count =
        builder_.let("segments", builder_.call(Helper::kCeilDivide, {tokens_, length}));
    builder_.comment("keep the state before every segment");
    each_row([&](Ex s) { begin_state(state, row_at(s), s); });
    builder_.loop("c", builder_.i64(1), count, [&](Ex c) {
      const Ex first = builder_.let("first", (c - 1) * length);
      each_run(builder_.i64(segment_runs()), [&](Ex run) { advance(state, first, run); });
      each_row([&](Ex s) { keep(state, row_at(s), s, c); });
    });
    each_row([&](Ex s) { begin_slope(slope, row_at(s), s); });
    builder_.comment("segment by segment: its states once more, then its gradients");
    builder_.loop("later", builder_.i64(0), count, [&](Ex later) {
      segment_back(state, slope, builder_.let("segment", count - 1 - later), length);
    });
    if (!spec_.state_gradients) return;
    each_row([&](Ex s) { leave_slope(slope, row_at(s), s); });
  }

  void segment_back(MemoryId state, MemoryId slope, Ex c, Ex length) {
    const Ex first = builder_.let("first", c * length);
    const Ex size =
        builder_.let("size", builder_.call(Helper::kMinimum, {length, tokens_ - first}));
    each_row([&](Ex s) { start_segment(state, row_at(s), s, c); });
    if (segment_runs() == 1) {
      return run_back(state, slope, builder_.let("row", row_of(first)), size);
    }
    const Ex rows = builder_.i64(kMatrixRows);
    const Ex runs = builder_.let("runs", builder_.call(Helper::kCeilDivide, {size, rows}));
    each_run(runs - 1, [&](Ex run) {
      each_row([&](Ex s) { leave(state, row_at(s), s, run); });
      advance(state, first, run);
    });
    each_run(runs, [&](Ex done) {
      const Ex run = builder_.let("back", runs - 1 - done);
      builder_.when(done > 0, [&] {
        each_row([&](Ex s) { take(segment_, before(run), state, row_at(s), s); });
      });
      const Ex left = size - run * kMatrixRows;
      run_back(state, slope, builder_.let("row", row_of(first + run * kMatrixRows)),
               builder_.call(Helper::kMinimum, {rows, left}));
    });
  }

  void each_run(Ex count, const std::function<void(Ex)>& body) {
    builder_.loop("run", builder_.i64(0), count, body);
  }
  // Segments of whole runs, of at least as many rows as a state has.
  int segment_runs() const { return (states_ + kMatrixRows - 1) / kMatrixRows; }

  void advance(MemoryId state, Ex first, Ex run) {
    const Ex row = builder_.let("row", row_of(first + run * kMatrixRows));
    builder_.invoke(by_runs("matrix_advance"),
                    {whole(state), VectorPlace{x_, row * dim_}, VectorPlace{k_, row * states_},
                     gates(row), heads_});
  }
  void run_back(MemoryId state, MemoryId slope, Ex row, Ex rows) {
    const Ex key_at = builder_.let("key_at", row * states_);
    const Ex value_at = builder_.let("value_at", row * dim_);
    builder_.invoke(by_runs("matrix_back"),
                    {VectorPlace{dq_, key_at, true}, VectorPlace{dk_, key_at, true},
                     VectorPlace{dx_, value_at, true}, VectorPlace{dgate_, gates(row).at, true},
                     VectorPlace{q_, key_at}, VectorPlace{k_, key_at}, VectorPlace{x_, value_at},
                     VectorPlace{dy_, value_at}, gates(row), heads_,
                     VectorPlace{state, builder_.i64(0)}, whole(slope), rows});
  }
  std::string by_runs(const char* function) const {
    return std::string(function) + (spec_.key_gates ? "_by_key<" : "<") + std::to_string(dim_) +
           ", " + std::to_string(states_) + ">";
  }
  // Of a row, and of those behind it.
  VectorPlace gates(Ex row) const { return {gate_, spec_.key_gates ? row * states_ : row}; }

  // A state of whole vectors of rows and channels: those behind the last stay zero.
  MemoryId padded_state(const std::string& name) {
    const int rows = ir::padded_channels(states_);
    const MemoryId state = builder_.array(name, Type::kF32, rows * ir::padded_channels(dim_));
    if (states_ < rows) {
      builder_.loop("s", builder_.i64(states_), builder_.i64(rows),
                    [&](Ex s) { clear(state, row_at(s)); });
    }
    return state;
  }
  Ex row_at(Ex s) { return s * ir::padded_channels(dim_); }
  VectorPlace whole(MemoryId memory) { return {memory, builder_.i64(0), true}; }

  // ---- cuda -----------------------------------------------------------------------------------

  void on_cuda() {
    thread_ = builder_.let("thread", builder_.where(ir::Place::kThread));
    builder_.when(thread_ < dim_, [&] { channel_back(); });
    const Ex warp = builder_.let("warp", builder_.where(ir::Place::kWarp));
    const Ex lane = builder_.let("lane", builder_.where(ir::Place::kLane));
    const Ex zero = builder_.i64(0);
    const Ex owns = builder_.let("owns", thread_ < states_);
    const MemoryId state = builder_.array("state", Type::kF32, dim_);
    const MemoryId slope = builder_.array("slope", Type::kF32, dim_);  // G
    const int warps = threads_of(spec_) / 32;  // those without a row add nothing
    MemoryId overlaps;
    if (!spec_.key_gates) {
      overlaps = builder_.array("overlaps", Type::kF32, states_ * warps, true);
    }
    builder_.comment("one thread per row: keep the state before every segment");
    builder_.when(owns, [&] {
      begin_state(state, zero, thread_);
      begin_slope(slope, zero, thread_);
      const Ex length = builder_.i64(states_);
      builder_.loop("begin", zero, tokens_, length, LoopKind::kSerial, [&](Ex begin) {
        builder_.when(begin > 0, [&] { keep(state, zero, thread_, begin / length); });
        const Ex count =
            builder_.let("count", builder_.call(Helper::kMinimum, {length, tokens_ - begin}));
        builder_.loop("r", zero, count,
                      [&](Ex r) { step(state, zero, thread_, places(begin + r)); });
      });
    });
    builder_.comment("segment by segment: its states once more, then its gradients");
    each_segment_down([&](Ex c, Ex first, Ex size) {
      builder_.when(owns, [&] {
        start_segment(state, zero, thread_, c);
        builder_.loop("r", zero, size, [&](Ex r) {
          const Places place = places(first + r);
          leave(state, zero, thread_, r);
          step(state, zero, thread_, place);
        });
      });
      // What is left of each row of G in front of row r, once its part of the gate is taken.
      const auto back = [&](Ex r, const std::function<void(const Places&, Ex)>& take_part) {
        const Places place = places(first + r);
        const Ex decay = gate(place, thread_);
        const Ex value_dot_dy = product("value_dot_dy", x_, place.value, dy_, place.value);
        take_part(place, row_back(slope, zero, thread_, r, place, decay, value_dot_dy));
        decay_row(slope, zero, decay);
      };
      if (spec_.key_gates) {
        builder_.when(owns, [&] {
          each_token_down(size, [&](Ex r) {
            back(r, [&](const Places& place, Ex part) {
              builder_.store(dgate_, place.key + thread_, part);
            });
          });
        });
        return;
      }
      each_token_down(size, [&](Ex r) {
        const Var part = builder_.variable("part", builder_.f32(0));
        builder_.when(owns, [&] {
          back(r, [&](const Places&, Ex overlap) { builder_.assign(part, overlap); });
        });
        const Ex sum = builder_.let("sum", builder_.reduce(ir::ReduceOperator::kSum, part));
        builder_.when(equal(lane, zero), [&] { builder_.store(overlaps, r * warps + warp, sum); });
      });
      builder_.barrier();
      builder_.when(thread_ < size, [&] {
        const Var sum = builder_.variable("dgate_value", builder_.f32(0));
        builder_.loop("w", zero, builder_.i64(warps), [&](Ex w) {
          builder_.assign(sum, Ex(sum) + builder_.load(overlaps, thread_ * warps + w));
        });
        builder_.store(dgate_, row_of(first + thread_), sum);
      });
      builder_.barrier();
    });
    if (!spec_.state_gradients) return;
    builder_.when(owns, [&] { leave_slope(slope, zero, thread_); });
  }

  // dx of one channel, with its column of G.
  void channel_back() {
    builder_.comment("one thread per channel: dx, with a column of the gradient of the states");
    const MemoryId column = builder_.array("column", Type::kF32, states_);
    each_row([&](Ex s) {
      builder_.store(column, s,
                     spec_.state_gradients ? builder_.load(dfinal_, state_at_ + s * dim_ + thread_)
                                           : builder_.f32(0));
    });
    each_token_down(tokens_, [&](Ex token) {
      const Places place = places(token);
      const Ex change = builder_.let("change", builder_.load(dy_, place.value + thread_));
      const Var sum = builder_.variable("sum", builder_.f32(0));
      each_row([&](Ex s) {
        const Ex next = builder_.let(
            "next", builder_.load(column, s) + builder_.load(q_, place.key + s) * change);
        builder_.assign(sum, Ex(sum) + builder_.load(k_, place.key + s) * next);
        builder_.store(column, s, gate(place, s) * next);
      });
      builder_.store(dx_, place.value + thread_, sum);
    });
  }

  Builder& builder_;
  const KernelSpec& spec_;
  int states_;
  int dim_;
  MemoryId q_, k_, x_, gate_, dy_, dq_, dk_, dx_, dgate_;
  MemoryId kept_, segment_;   // scratch
  SequenceArrays sequences_;  // with varlen
  Ex all_tokens_, longest_;   // of the launch
  Ex tokens_, heads_;  // of the launch; with varlen, once a block is entered, of its sequence
  MemoryId initial_, dfinal_, dinitial_;  // between states
  Ex start_, most_before_, state_at_;     // likewise; of `tokens_` and of the launch
  Ex batch_, head_, first_token_, kept_at_, segment_at_;
  Ex thread_;  // cuda only
};

}  // namespace

ir::Kernel backward_linear(const KernelSpec& spec) {
  const bool cuda = spec.target == ir::Target::kCuda;
  Builder builder(spec.symbol, spec.target, cuda ? threads_of(spec) : 1);
  LinearGradients(builder, spec).run();
  return builder.take();
}

}  // namespace heddle::schedule
