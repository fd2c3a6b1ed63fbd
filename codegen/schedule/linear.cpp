// SPDX-License-Identifier: Apache-2.0
// Matrix states with gates: S_i = gate_i S_{i-1} + k_i x_i^T and y_i = q_i^T S_i, where gate_i is a
// number, or one for each row of the state. On cuda one thread owns a channel, that is a column of
// the state; on cpu prefill takes rows by runs, and decode has the channels vectorised.
#include "codegen/schedule/cpu_sizes.hpp"
#include "codegen/schedule/linear_frame.hpp"
#include "codegen/schedule/matrix_scan.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;
using ir::VectorPlace;

namespace {

class Linear {
 public:
  explicit Linear(LinearFrame& frame)
      : frame_(frame), builder_(frame.builder), spec_(frame.spec), decode_(frame.decode) {}

  void run() {
    if (spec_.target == ir::Target::kCpu) {
      builder_.loop("block", builder_.where(ir::Place::kFirstBlock),
                    builder_.where(ir::Place::kLastBlock), [&](Ex block) {
                      frame_.enter(block);
                      decode_ ? cpu_token() : cpu_runs();
                    });
      return;
    }
    frame_.enter(builder_.let("block", builder_.where(ir::Place::kBlock)));
    const Ex d = builder_.let("d", builder_.where(ir::Place::kThread));
    builder_.when(d < spec_.head_dim, [&] { column(d); });
  }

 private:
  // One channel with its column of the state in registers.
  void column(Ex d) {
    const MemoryId column = builder_.array("column", Type::kF32, spec_.state_dim);
    each_row([&](Ex s) { builder_.store(column, s, initial(s, d)); });
    builder_.loop("token", builder_.i64(0), frame_.tokens, [&](Ex token) {
      const Places at = places(token);
      const Ex value = builder_.let("value", builder_.load(frame_.x, at.x + d));
      const Var sum = builder_.variable("sum", builder_.f32(0));
      each_row([&](Ex s) {
        const Ex next = builder_.let("next", gate(at, s) * builder_.load(column, s) +
                                                 builder_.load(frame_.k, at.key + s) * value);
        builder_.store(column, s, next);
        builder_.assign(sum, Ex(sum) + builder_.load(frame_.q, at.key + s) * next);
      });
      builder_.store(frame_.y, at.x + d, sum);
    });
    each_row(
        [&](Ex s) { builder_.store(frame_.after, frame_.state(s, d), builder_.load(column, s)); });
  }

  // A run of rows at a time, with the state on the stack.
  void cpu_runs() {
    const int dim = spec_.head_dim, width = ir::padded_channels(dim);
    const MemoryId states = builder_.array("states", Type::kF32, spec_.state_dim * width);
    const auto row_of_state = [&](Ex s) { return builder_.at(states, s * width); };
    each_row([&](Ex s) {
      builder_.when(
          frame_.start > 0,
          [&] {
            builder_.perform(
                ir::Procedure::kKeepRow, dim,
                {row_of_state(s), builder_.at(frame_.before, frame_.state(s, builder_.i64(0)))});
          },
          [&] { builder_.perform(ir::Procedure::kZeroRow, dim, {row_of_state(s)}); });
    });
    builder_.loop(
        "first", builder_.i64(0), frame_.tokens, builder_.i64(kMatrixRows), LoopKind::kSerial,
        [&](Ex first) {
          const Ex rows = builder_.let(
              "rows", builder_.call(ir::Helper::kMinimum,
                                    {builder_.i64(kMatrixRows), frame_.tokens - first}));
          const Ex row = builder_.let("row", frame_.row_of(first));
          const Ex key_at = builder_.let("key_at", row * spec_.state_dim);
          const Ex x_at = builder_.let("x_at", row * dim);
          if (spec_.key_gates) {
            builder_.invoke(
                "matrix_rows_by_key<" + std::to_string(dim) + ">",
                {VectorPlace{frame_.y, x_at, true}, VectorPlace{frame_.x, x_at},
                 VectorPlace{frame_.q, key_at}, VectorPlace{frame_.k, key_at},
                 VectorPlace{frame_.gate, key_at}, frame_.heads,
                 VectorPlace{states, builder_.i64(0), true}, builder_.i64(spec_.state_dim), rows});
            return;
          }
          builder_.perform(ir::Procedure::kMatrixRows, dim,
                           {builder_.at(frame_.y, x_at), builder_.at(frame_.x, x_at),
                            builder_.at(frame_.q, key_at), builder_.at(frame_.k, key_at),
                            builder_.at(frame_.gate, row), frame_.heads.id(), builder_.at(states),
                            builder_.i64(spec_.state_dim).id(), rows.id()});
        });
    each_row([&](Ex s) {
      each_channel([&](Ex d) {
        builder_.store(frame_.after, frame_.state(s, d), builder_.load(states, s * width + d));
      });
    });
  }

  // All channels of one token, or of several in turn, row of the state by row.
  void cpu_token() {
    const MemoryId states = builder_.array("states", Type::kF32, spec_.state_dim * spec_.head_dim);
    const auto private_at = [&](Ex s, Ex d) { return s * spec_.head_dim + d; };
    each_row([&](Ex s) {
      each_channel([&](Ex d) { builder_.store(states, private_at(s, d), initial(s, d)); });
    });
    builder_.loop("token", builder_.i64(0), frame_.tokens, [&](Ex token) {
      const Places at = places(token);
      const MemoryId sums = builder_.array("sums", Type::kF32, spec_.head_dim);
      each_channel([&](Ex d) { builder_.store(sums, d, builder_.f32(0)); });
      each_row([&](Ex s) {
        const Ex key = builder_.let("key", builder_.load(frame_.k, at.key + s));
        const Ex query = builder_.let("query", builder_.load(frame_.q, at.key + s));
        const Ex decay = gate(at, s);
        each_channel([&](Ex d) {
          const Ex next = builder_.let("next", decay * builder_.load(states, private_at(s, d)) +
                                                   key * builder_.load(frame_.x, at.x + d));
          builder_.store(states, private_at(s, d), next);
          builder_.store(sums, d, builder_.load(sums, d) + query * next);
        });
      });
      each_channel([&](Ex d) { builder_.store(frame_.y, at.x + d, builder_.load(sums, d)); });
    });
    each_row([&](Ex s) {
      each_channel([&](Ex d) {
        builder_.store(frame_.after, frame_.state(s, d), builder_.load(states, private_at(s, d)));
      });
    });
  }

  struct Places {
    Ex key;                       // of q, k and gates of keys
    Ex x;                         // of x and y
    std::optional<Ex> gate = {};  // of the token: its value
  };
  Places places(Ex token) {
    const Ex row = builder_.let("row", frame_.row_of(token));
    Places at{builder_.let("key_at", row * spec_.state_dim),
              builder_.let("x_at", row * spec_.head_dim)};
    if (!spec_.key_gates) at.gate = builder_.let("decay", builder_.load(frame_.gate, row));
    return at;
  }
  Ex gate(const Places& at, Ex s) {
    return at.gate ? *at.gate : builder_.let("decay", builder_.load(frame_.gate, at.key + s));
  }

  // The state before token start+1: zero for a sequence that starts here.
  Ex initial(Ex s, Ex d) {
    const Ex held = builder_.load(frame_.before, frame_.state(s, d));
    return decode_ ? held : builder_.select(frame_.start > 0, held, builder_.f32(0));
  }
  void each_row(const std::function<void(Ex)>& body) {
    builder_.loop("s", builder_.i64(0), builder_.i64(spec_.state_dim), body);
  }
  void each_channel(const std::function<void(Ex)>& body) {
    builder_.loop("d", builder_.i64(0), builder_.i64(spec_.head_dim), builder_.i64(1),
                  LoopKind::kLanes, body);
  }

  LinearFrame& frame_;
  Builder& builder_;
  const KernelSpec& spec_;
  bool decode_;
};

}  // namespace

ir::Kernel linear(const KernelSpec& spec, bool decode) {
  if (spec.tensor && !decode) return spec.key_gates ? tensor_keys(spec) : tensor_linear(spec);
  // Threads in whole warps; the last ones may own no channel.
  const int threads = spec.target == ir::Target::kCuda ? (spec.head_dim + 31) / 32 * 32 : 1;
  Builder builder(spec.symbol, spec.target, threads);
  LinearFrame frame(builder, spec, decode ? LinearUse::kDecode : LinearUse::kPrefill);
  Linear(frame).run();
  return builder.take();
}

}  // namespace heddle::schedule
