// SPDX-License-Identifier: Apache-2.0
// Backward of first order as a scan over chunks of tokens on cuda: lambda_i = dy_i + b_{i+1}
// lambda_{i+1}, the same recurrence from the last token to the first, and then each row's gradients
// of its own: dx_i = a_i lambda_i, da_i = <lambda_i, x_i>, db_i = <lambda_i, y_{i-1}>, where gated
// weights take products by channel instead of sums. Behind the last token stands the gradient of
// the final state, and what the first one multiplies it by goes to the initial state. A thread has
// a channel.
#include "codegen/schedule/cache.hpp"
#include "codegen/schedule/coefficients.hpp"
#include "codegen/schedule/frame.hpp"
#include "codegen/schedule/gradient_frame.hpp"
#include "codegen/schedule/scan_chain.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::ReduceOperator;
using ir::Type;
using ir::Var;

namespace {

// One of the launches. Each declares the same arguments; those it does without are dropped later.
class BackwardLaunch {
 public:
  BackwardLaunch(const KernelSpec& spec, const std::string& name, bool by_chunk, Access carries,
                 Access products)
      : spec_(spec),
        warps_(by_chunk ? scan_warps(spec) : kChainWarps),
        builder_(spec.symbol + "_" + name, spec.target, 32 * warps_),
        frame_(builder_, spec),
        scratch_(builder_, spec, carries, products),
        chunk_(builder_, spec, ScanDirection::kBackward) {
    if (by_chunk) frame_.chunks = scratch_.chunks;
  }

  ir::Kernel sums() {
    each_chunk([&] {
      if (!spec_.by_channel()) decays_ = chunk_.fetch({decays()})[0];
      chunk_.sum_up(
          scratch_, [&](Ex r, Ex token, Ex d) { return decay_of(r, token, d); },
          [&](Ex, Ex token, Ex d) { return dy_of(token, d); });
    });
    return builder_.take();
  }

  ir::Kernel chain() {
    frame_.each_block([&] {
      scratch_.enter(frame_.tokens);
      ScanChain chain(builder_, spec_, scratch_, ScanDirection::kBackward);
      chain.run(frame_.block, frame_.warp, frame_.lane,
                [&](MemoryId carry) { begin_with_final_state(carry); });
    });
    return builder_.take();
  }

  ir::Kernel rows() {
    each_chunk([&] {
      if (!spec_.by_channel()) {
        const std::vector<MemoryId> fetched = chunk_.fetch(
            {decays(), {"weights", [&](Ex token) { return coefficient(frame_.a, token, {}); }}});
        decays_ = fetched[0];
        weights_ = fetched[1];
      }
      if (frame_.handed_on()) find_initial_state();
      chunk_.each_channel([&](Ex d) {
        const Var lambda = builder_.variable("lambda", chunk_.begins_with(scratch_, d));
        chunk_.each_token([&](Ex r, Ex token) {
          builder_.assign(lambda, decay_of(r, token, d) * lambda + dy_of(token, d));
          const Ex weight =
              spec_.by_channel() ? coefficient(frame_.a, token, d) : builder_.load(weights_, r);
          const Ex at = builder_.let("at", frame_.token_at(token));
          builder_.store(frame_.dx, at + d, weight * lambda);
          if (spec_.by_channel()) return gated_slopes(token, at, d, lambda);
          builder_.store(frame_.lambda, at + d, lambda);
        });
        if (frame_.handed_on()) leave_initial_state(d, lambda);
      });
      if (!spec_.by_channel()) given_slopes();
    });
    return builder_.take();
  }

 private:
  // `body` for the chunk of a block.
  void each_chunk(const std::function<void()>& body) {
    frame_.each_block([&] {
      scratch_.enter(frame_.tokens);
      scratch_.where_own(frame_.chunk, [&] {
        chunk_.enter(frame_.unit, frame_.chunk, frame_.tokens, frame_.thread);
        body();
      });
    });
  }
  ScanChunk::Value decays() {
    return {"decays", [&](Ex token) { return decay_at(token, {}); }};
  }
  void each_of_lane(const std::function<void(Ex, Ex)>& body) {
    each_channel_of_lane(builder_, spec_, frame_.lane, body);
  }
  Ex dy_of(Ex token, Ex d) { return builder_.load(frame_.dy, frame_.token_at(token) + d); }
  Ex coefficient(const GradientSide& side, Ex token, Ex d) {
    const Ex at = frame_.coefficients_at(side, token);
    return builder_.load(side.coefficients, spec_.by_channel() ? at + d : at);
  }
  // What the next token multiplies this one's output by. Behind the last one there is nothing, or a
  // state that has this output as it is.
  Ex decay_at(Ex token, Ex d) {
    return builder_.select(token + 1 < frame_.tokens, coefficient(frame_.b, token + 1, d),
                           builder_.f32(frame_.handed_on() ? 1 : 0));
  }
  Ex decay_of(Ex r, Ex token, Ex d) {
    return spec_.by_channel() ? decay_at(token, d) : builder_.load(decays_, r);
  }

  // ---- states -----------------------------------------------------------------------------------

  void begin_with_final_state(MemoryId carry) {
    each_of_lane([&](Ex, Ex index) { builder_.store(carry, index, builder_.f32(0)); });
    if (!frame_.handed_on()) return;
    const StateGradients& state = frame_.b.state;
    builder_.loop("slot", builder_.i64(0), state.slots, [&](Ex slot) {
      const Ex p = builder_.let("p", builder_.load(state.final_pos, state.pos_base + slot));
      builder_.when(both(p > 0, equal(p, frame_.length)), [&] {
        const Ex from = builder_.let("handed_at", frame_.slot_at(state, slot));
        each_of_lane([&](Ex d, Ex index) {
          builder_.store(carry, index,
                         builder_.load(carry, index) + builder_.load(state.dfinal_val, from + d));
        });
      });
    });
  }

  // One more than the slot of the position before the launch, 0 where there is none.
  void find_initial_state() {
    const StateGradients& state = frame_.b.state;
    const Var found = builder_.variable("found_before", builder_.i64(0));
    builder_.when(frame_.start > 0, [&] {
      builder_.assign(found, find_on_cuda(builder_, frame_.lane, state.pos, state.pos_base,
                                          state.slots, frame_.start));
    });
    found_ = found;
  }
  // By the block of the first chunk, whose lambda is then that of the first token. A sequence that
  // begins where others go on has found nothing, and no coefficient of what was before it.
  void leave_initial_state(Ex d, Ex lambda) {
    const StateGradients& state = frame_.b.state;
    builder_.when(frame_.most_before > 0, [&] {
      builder_.when(equal(frame_.chunk, builder_.i64(0)), [&] {
        const Ex goes_on =
            spec_.varlen ? both(frame_.tokens > 0, frame_.start > 0) : frame_.tokens > 0;
        const Ex decay = builder_.let(
            "decay",
            builder_.select(goes_on, coefficient(frame_.b, builder_.i64(0), d), builder_.f32(1)));
        builder_.loop("slot", builder_.i64(0), state.slots, [&](Ex slot) {
          builder_.store(state.dinitial_val, frame_.slot_at(state, slot) + d,
                         builder_.select(equal(slot + 1, found_), decay * lambda, builder_.f32(0)));
        });
      });
    });
  }

  // ---- gradients of coefficients ----------------------------------------------------------------

  // What the entry of a row reads: `values` from element `from` on, or zero where it is not held.
  struct Source {
    MemoryId values;
    Ex from;
    std::optional<Ex> held = {};
  };
  Ex load(const Source& source, Ex d) {
    const Ex there = builder_.load(source.values, source.from + d);
    return source.held ? builder_.select(*source.held, there, builder_.f32(0)) : there;
  }
  // Does what `body` says for the entry of a row, and returns how many there are: the first row of
  // a sequence reads no output.
  Ex each_entry(const GradientSide& side, Ex token, Ex at,
                const std::function<void(const Source&)>& body) {
    if (side.side == Side::kA) {
      body({side.value, at});
      return builder_.i64(1);
    }
    const Var entries = builder_.variable("entries", builder_.i64(0));
    const auto entry = [&](const Source& source) {
      body(source);
      builder_.assign(entries, builder_.i64(1));
    };
    if (!frame_.handed_on()) {
      builder_.when(token > 0, [&] { entry({side.value, at - frame_.token_stride}); });
      return entries;
    }
    builder_.when(frame_.start + token > 0, [&] {
      const Ex before = builder_.let("before", equal(token, builder_.i64(0)));
      const Var from = builder_.variable("from", at - frame_.token_stride);
      const Var held = builder_.variable("held", builder_.truth(true));
      builder_.when(before, [&] {
        builder_.assign(from, frame_.slot_at(side.state, found_ - 1));
        builder_.assign(held, found_ > 0);
      });
      entry({builder_.choose("values", before, side.state.val, side.value), from, held});
    });
    return entries;
  }

  // Of channel d of a token whose row begins at `at`.
  void gated_slopes(Ex token, Ex at, Ex d, Ex lambda) {
    for (const GradientSide* side : {&frame_.a, &frame_.b}) {
      const Ex first = builder_.let("coef_at", frame_.coefficients_at(*side, token));
      const auto store = [&](Ex entry, Ex value) {
        builder_.store(side->dcoefficients, first + coefficient_entry(spec_, entry) + d, value);
      };
      const Ex entries = each_entry(*side, token, at, [&](const Source& source) {
        store(builder_.i64(0), lambda * load(source, d));
      });
      builder_.loop("rest", entries, side->width, [&](Ex rest) { store(rest, builder_.f32(0)); });
    }
  }

  // A warp takes a row of the chunk at a time, all channels of it.
  void given_slopes() {
    builder_.barrier();
    builder_.comment("a warp per row: the gradients of its coefficients");
    builder_.loop(
        "r", frame_.warp, chunk_.size(), builder_.i64(warps_), LoopKind::kSerial, [&](Ex r) {
          const Ex token = builder_.let("token", chunk_.first() + r);
          const Ex at = builder_.let("at", frame_.token_at(token));
          const MemoryId own = builder_.array("own", Type::kF32, channels_of_lane(spec_));
          each_of_lane([&](Ex d, Ex index) {
            builder_.store(own, index, builder_.load(frame_.lambda, at + d));
          });
          for (const GradientSide* side : {&frame_.a, &frame_.b}) {
            const Ex first = builder_.let("coef_at", frame_.coefficients_at(*side, token));
            const Ex entries = each_entry(*side, token, at, [&](const Source& source) {
              const Ex slope = dot(own, source);
              builder_.when(equal(frame_.lane, builder_.i64(0)),
                            [&] { builder_.store(side->dcoefficients, first, slope); });
            });
            builder_.loop("rest", entries + frame_.lane, side->width, builder_.i64(32),
                          LoopKind::kSerial, [&](Ex rest) {
                            builder_.store(side->dcoefficients, first + rest, builder_.f32(0));
                          });
          }
        });
  }
  // <own, what is read>, in every lane of the warp.
  Ex dot(MemoryId own, const Source& source) {
    const Var product = builder_.variable("product", builder_.f32(0));
    each_of_lane([&](Ex d, Ex index) {
      builder_.assign(product, Ex(product) + builder_.load(own, index) * load(source, d));
    });
    return builder_.let("slope", builder_.reduce(ReduceOperator::kSum, product));
  }

  const KernelSpec& spec_;
  int warps_;
  Builder builder_;
  GradientFrame frame_;
  ScanScratch scratch_;
  ScanChunk chunk_;
  MemoryId decays_, weights_;  // of a chunk, where all channels have the same
  Ex found_;                   // with states
};

}  // namespace

std::vector<Step> scan_backward(const KernelSpec& spec) {
  const std::vector<std::string> by_head = {"batch", "heads"};
  const std::vector<std::string> by_chunk = {"batch", "heads", "chunks"};
  std::vector<Step> steps;
  steps.push_back(
      {BackwardLaunch(spec, "sums", true, Access::kWrite, Access::kWrite).sums(), by_chunk});
  steps.push_back(
      {BackwardLaunch(spec, "chain", false, Access::kReadWrite, Access::kRead).chain(), by_head});
  steps.push_back(
      {BackwardLaunch(spec, "rows", true, Access::kRead, Access::kRead).rows(), by_chunk});
  return steps;
}

}  // namespace heddle::schedule
