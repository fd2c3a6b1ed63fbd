// SPDX-License-Identifier: Apache-2.0
// Backward of first order as a scan over chunks of tokens on cuda: lambda_i = dy_i + b_{i+1}
// lambda_{i+1}, the same recurrence from the last token to the first, and then each row's gradients
// of its own: dx_i = a_i lambda_i, da_i = <lambda_i, x_i>, db_i = <lambda_i, y_{i-1}>, where gated
// weights take products by channel instead of sums. A thread has a channel.
#include "codegen/schedule/coefficients.hpp"
#include "codegen/schedule/gradient_frame.hpp"

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

// A launch with a block for each chunk; arguments that it does without are dropped later.
class ChunkLaunch {
 public:
  ChunkLaunch(const KernelSpec& spec, const std::string& name, Access handed_on)
      : spec_(spec),
        warps_(scan_warps(spec)),
        builder_(spec.symbol + "_" + name, spec.target, 32 * warps_),
        frame_(builder_, spec) {
    std::vector<std::string> shape = {"batch", "heads", "chunks"};
    const std::string dim = std::to_string(spec.head_dim);
    if (!spec.by_channel()) product_ = real("scratch_product", handed_on, shape);
    shape.push_back(dim);
    if (spec.by_channel()) product_ = real("scratch_product", handed_on, shape);
    carry_ = real("scratch_carry", handed_on, shape);
    frame_.chunks = builder_.size("chunks");
  }

  ir::Kernel sums() {
    frame_.each_block([&] {
      enter_chunk();
      if (!spec_.by_channel()) fetch_decays();
      builder_.comment("from zero: the first lambda, and the product of what each multiplies");
      each_channel([&](Ex d) {
        const Var sum = builder_.variable("sum", builder_.f32(0));
        const Var product = builder_.variable("product", builder_.f32(1));
        each_token_down([&](Ex r, Ex token) {
          const Ex decay = builder_.let("decay", decay_of(r, token, d));
          builder_.assign(sum, decay * sum + dy_of(token, d));
          builder_.assign(product, decay * product);
        });
        builder_.store(carry_, carry_at() + d, sum);
        if (spec_.by_channel()) return builder_.store(product_, carry_at() + d, product);
        builder_.when(equal(d, builder_.i64(0)),
                      [&] { builder_.store(product_, frame_.unit, product); });
      });
    });
    return builder_.take();
  }

  ir::Kernel rows() {
    frame_.each_block([&] {
      enter_chunk();
      if (!spec_.by_channel()) {
        fetch_decays();
        fetch("weights", weights_, [&](Ex token) { return coefficient(frame_.a, token, {}); });
        builder_.barrier();
      }
      each_channel([&](Ex d) {
        const Var lambda = builder_.variable("lambda", builder_.load(carry_, carry_at() + d));
        each_token_down([&](Ex r, Ex token) {
          builder_.assign(lambda, decay_of(r, token, d) * lambda + dy_of(token, d));
          const Ex weight =
              spec_.by_channel() ? coefficient(frame_.a, token, d) : builder_.load(weights_, r);
          const Ex at = builder_.let("at", frame_.token_at(token) + d);
          builder_.store(frame_.dx, at, weight * lambda);
          if (spec_.by_channel()) return gated_slopes(token, d, lambda, at);
          builder_.store(frame_.lambda, at, lambda);
        });
      });
      if (!spec_.by_channel()) given_slopes();
    });
    return builder_.take();
  }

 private:
  MemoryId real(const char* name, Access access, const std::vector<std::string>& shape) {
    return builder_.buffer(name, ElementType::kF32, access, shape);
  }

  void enter_chunk() {
    const Ex length = builder_.i64(spec_.scan->chunk_tokens);
    first_ = builder_.let("first", frame_.chunk * length);
    size_ = builder_.let("size", builder_.call(Helper::kMinimum, {length, frame_.tokens - first_}));
  }
  // What all channels of a token have in common is asked for by one thread, for the whole block.
  void fetch(const char* name, MemoryId& memory, const std::function<Ex(Ex)>& value) {
    memory = builder_.array(name, Type::kF32, spec_.scan->chunk_tokens, true);
    builder_.loop("r", frame_.thread, size_, builder_.i64(32 * warps_), LoopKind::kSerial,
                  [&](Ex r) {
                    const Ex token = builder_.let("token", first_ + r);
                    builder_.store(memory, r, value(token));
                  });
  }
  void fetch_decays() {
    fetch("decays", decays_, [&](Ex token) { return decay_at(token, {}); });
    builder_.barrier();
  }
  void each_channel(const std::function<void(Ex)>& body) {
    const Ex d = frame_.thread;
    if (spec_.head_dim % 32 == 0) return body(d);
    builder_.when(d < spec_.head_dim, [&] { body(d); });
  }
  void each_token_down(const std::function<void(Ex, Ex)>& body) {
    builder_.loop("done", builder_.i64(0), size_, [&](Ex done) {
      const Ex r = builder_.let("r", size_ - 1 - done);
      body(r, builder_.let("token", first_ + r));
    });
  }

  Ex carry_at() const { return frame_.unit * spec_.head_dim; }
  Ex dy_of(Ex token, Ex d) { return builder_.load(frame_.dy, frame_.token_at(token) + d); }
  Ex coefficient(const GradientSide& side, Ex token, Ex d) {
    const Ex at = frame_.coefficients_at(side, token);
    return builder_.load(side.coefficients, spec_.by_channel() ? at + d : at);
  }
  // What the next token multiplies this one's output by; behind the last one there is none.
  Ex decay_at(Ex token, Ex d) {
    return builder_.select(token + 1 < frame_.tokens, coefficient(frame_.b, token + 1, d),
                           builder_.f32(0));
  }
  Ex decay_of(Ex r, Ex token, Ex d) {
    return spec_.by_channel() ? decay_at(token, d) : builder_.load(decays_, r);
  }
  // Does for the entry of a row what `body` says, and returns how many it has; only the first row
  // reads no output.
  Ex each_entry(const GradientSide& side, Ex token, const std::function<void()>& body) {
    if (side.side == Side::kA) {
      body();
      return builder_.i64(1);
    }
    const Var entries = builder_.variable("entries", builder_.i64(0));
    builder_.when(token > 0, [&] {
      body();
      builder_.assign(entries, builder_.i64(1));
    });
    return entries;
  }

  // Of channel d, which lies at `at` in the token's row.
  void gated_slopes(Ex token, Ex d, Ex lambda, Ex at) {
    for (const GradientSide* side : {&frame_.a, &frame_.b}) {
      const Ex first = builder_.let("coef_at", frame_.coefficients_at(*side, token));
      const auto store = [&](Ex entry, Ex value) {
        builder_.store(side->dcoefficients, first + coefficient_entry(spec_, entry) + d, value);
      };
      const Ex from = side->side == Side::kA ? at : at - frame_.token_stride;
      const Ex entries = each_entry(
          *side, token, [&] { store(builder_.i64(0), lambda * builder_.load(side->value, from)); });
      builder_.loop("rest", entries, side->width, [&](Ex rest) { store(rest, builder_.f32(0)); });
    }
  }

  // A warp takes a row of the chunk at a time, all channels of it.
  void given_slopes() {
    builder_.barrier();
    builder_.comment("a warp per row: the gradients of its coefficients");
    builder_.loop("r", frame_.warp, size_, builder_.i64(warps_), LoopKind::kSerial, [&](Ex r) {
      const Ex token = builder_.let("token", first_ + r);
      const Ex at = builder_.let("at", frame_.token_at(token));
      const MemoryId own = builder_.array("own", Type::kF32, lane_parts());
      each_of_lane([&](Ex d, Ex index) {
        builder_.store(own, index, builder_.load(frame_.lambda, at + d));
      });
      for (const GradientSide* side : {&frame_.a, &frame_.b}) {
        const Ex first = builder_.let("coef_at", frame_.coefficients_at(*side, token));
        const Ex from = side->side == Side::kA ? at : at - frame_.token_stride;
        const Ex entries = each_entry(*side, token, [&] {
          const Ex slope = dot(own, side->value, from);
          builder_.when(equal(frame_.lane, builder_.i64(0)),
                        [&] { builder_.store(side->dcoefficients, first, slope); });
        });
        builder_.loop(
            "rest", entries + frame_.lane, side->width, builder_.i64(32), LoopKind::kSerial,
            [&](Ex rest) { builder_.store(side->dcoefficients, first + rest, builder_.f32(0)); });
      }
    });
  }
  // body(channel, index) for the channels of this lane, every warp having all of them.
  void each_of_lane(const std::function<void(Ex, Ex)>& body) {
    builder_.loop("part", builder_.i64(0), builder_.i64(lane_parts()), builder_.i64(1),
                  LoopKind::kUnrolled, [&](Ex part) {
                    const Ex d = builder_.let("d", frame_.lane + part * 32);
                    if (spec_.head_dim % 32 == 0) return body(d, part);
                    builder_.when(d < spec_.head_dim, [&] { body(d, part); });
                  });
  }
  int lane_parts() const { return (spec_.head_dim + 31) / 32; }
  // <own, values from `from` on>, in every lane of the warp.
  Ex dot(MemoryId own, MemoryId values, Ex from) {
    const Var product = builder_.variable("product", builder_.f32(0));
    each_of_lane([&](Ex d, Ex index) {
      builder_.assign(product,
                      Ex(product) + builder_.load(own, index) * builder_.load(values, from + d));
    });
    return builder_.let("slope", builder_.reduce(ReduceOperator::kSum, product));
  }

  const KernelSpec& spec_;
  int warps_;
  Builder builder_;
  GradientFrame frame_;
  MemoryId carry_, product_;
  MemoryId decays_, weights_;  // of a chunk, where all channels have the same
  Ex first_, size_;
};

}  // namespace

std::vector<Step> scan_backward(const KernelSpec& spec) {
  const std::vector<std::string> by_head = {"batch", "heads"};
  const std::vector<std::string> by_chunk = {"batch", "heads", "chunks"};
  std::vector<Step> steps;
  steps.push_back({ChunkLaunch(spec, "sums", Access::kWrite).sums(), by_chunk});
  steps.push_back({scan_chain(spec, true), by_head});
  steps.push_back({ChunkLaunch(spec, "rows", Access::kRead).rows(), by_chunk});
  return steps;
}

}  // namespace heddle::schedule
