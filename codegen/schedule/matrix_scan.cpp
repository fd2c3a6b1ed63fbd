// SPDX-License-Identifier: Apache-2.0
// Linear prefill of first order as a scan over chunks of tokens on cuda. With zero before it a
// chunk ends in the state s, and with S before it in p S + s, where p is the product of its gates:
// so chunks are summed side by side (sums), the states that they begin with follow from these pairs
// alone (chain), and then their rows do, side by side again (rows). In the chain a block has a row
// of the state, and a thread a number of it.
#include "codegen/schedule/matrix_scan.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;

namespace {

constexpr int kAhead = 8;  // chunks that are asked for before they are needed

class Chain {
 public:
  Chain(const KernelSpec& spec, LinearUse use)
      : spec_(spec),
        use_(use),
        builder_(spec.symbol + "_chain", spec.target, (spec.head_dim + 31) / 32 * 32),
        frame_(builder_, spec, use),
        scratch_(builder_, spec, use, Access::kReadWrite, Access::kRead) {}

  ir::Kernel run() {
    const Ex block = builder_.let("block", builder_.where(ir::Place::kBlock));
    const Ex d = builder_.let("d", builder_.where(ir::Place::kThread));
    head_ = builder_.let("whole_block", block / spec_.state_dim);
    frame_.enter(head_);
    own_ = spec_.varlen ? frame_.own_chunks : scratch_.chunks;
    const Ex s = builder_.let("s", block % spec_.state_dim);
    const auto number = [&] {
      forward(s, d);
      if (use_ == LinearUse::kBackward) backward(s, d);
    };
    if (spec_.head_dim % 32 == 0) {
      number();
    } else {
      builder_.when(d < spec_.head_dim, number);
    }
    return builder_.take();
  }

 private:
  void forward(Ex s, Ex d) {
    const Var state = builder_.variable("state", builder_.f32(0));
    if (frame_.goes_on) {
      builder_.when(frame_.start > 0, [&] {
        builder_.assign(state, builder_.load(frame_.before, frame_.state(s, d)));
      });
    }
    builder_.comment("each chunk's state gives way to the one that the chunk begins with");
    go_over(scratch_.carry, state, s, d, [](Ex taken) { return taken; });
    if (use_ == LinearUse::kPrefill) builder_.store(frame_.after, frame_.state(s, d), state);
  }

  void backward(Ex s, Ex d) {
    const Var slope = builder_.variable("slope", builder_.f32(0));
    if (frame_.goes_on) builder_.assign(slope, builder_.load(frame_.dafter, frame_.state(s, d)));
    builder_.comment("what a chunk adds gives way to the gradient of the state behind it");
    go_over(scratch_.slope, slope, s, d, [&](Ex taken) { return own_ - 1 - taken; });
    if (!frame_.goes_on) return;
    builder_.when(frame_.most_before > 0, [&] {
      builder_.store(frame_.dbefore, frame_.state(s, d), of_initial_state(slope));
    });
  }

  // A sequence that begins where others go on has none.
  Ex of_initial_state(Ex slope) {
    if (!spec_.varlen) return slope;
    return builder_.select(frame_.start > 0, slope, builder_.f32(0));
  }

  // value := product of the chunk * value + what stands there, where the old value goes; of all
  // chunks, in the order that `chunk_of` says.
  void go_over(MemoryId scratch, Var value, Ex s, Ex d, const std::function<Ex(Ex)>& chunk_of) {
    const MemoryId ends = builder_.array("ends", Type::kF32, kAhead);
    const MemoryId products = builder_.array("products", Type::kF32, kAhead);
    const auto at = [&](Ex unit) {
      return unit * (spec_.state_dim * spec_.head_dim) + s * spec_.head_dim + d;
    };
    builder_.loop(
        "first", builder_.i64(0), own_, builder_.i64(kAhead), LoopKind::kSerial, [&](Ex first) {
          const auto each = [&](const std::function<void(Ex, Ex)>& body) {
            builder_.loop(
                "e", builder_.i64(0), builder_.i64(kAhead), builder_.i64(1), LoopKind::kUnrolled,
                [&](Ex e) {
                  builder_.when(first + e < own_, [&] {
                    body(e, builder_.let("unit", head_ * scratch_.chunks + chunk_of(first + e)));
                  });
                });
          };
          each([&](Ex e, Ex unit) {
            builder_.store(ends, e, builder_.load(scratch, at(unit)));
            const Ex of_unit = spec_.key_gates ? unit * spec_.state_dim + s : unit;
            builder_.store(products, e, builder_.load(scratch_.product, of_unit));
          });
          each([&](Ex e, Ex unit) {
            builder_.store(scratch, at(unit), value);
            builder_.assign(value, builder_.load(products, e) * value + builder_.load(ends, e));
          });
        });
  }

  const KernelSpec& spec_;
  LinearUse use_;
  Builder builder_;
  LinearFrame frame_;
  MatrixScratch scratch_;
  Ex head_, own_;  // the chunks of its sequence
};

ir::Kernel part_of(const KernelSpec& spec, LinearPart part, LinearUse use) {
  return spec.key_gates ? tensor_keys_part(spec, part, use) : tensor_linear_part(spec, part, use);
}

std::vector<std::string> by_row_of_state(const KernelSpec& spec) {
  return {"batch", "heads", std::to_string(spec.state_dim)};
}

}  // namespace

MatrixScratch::MatrixScratch(Builder& builder, const KernelSpec& spec, LinearUse use,
                             Access carries, Access products) {
  const std::vector<std::string> by_chunk = {"batch", "heads", "chunks"};
  std::vector<std::string> shape = by_chunk;
  for (const int extent : {spec.state_dim, spec.head_dim}) shape.push_back(std::to_string(extent));
  std::vector<std::string> by_gate = by_chunk;
  if (spec.key_gates) by_gate.push_back(std::to_string(spec.state_dim));
  product = builder.buffer("scratch_product", ElementType::kF32, products, by_gate);
  carry = builder.buffer("scratch_carry", ElementType::kF32, carries, shape);
  if (use == LinearUse::kBackward) {
    slope = builder.buffer("scratch_slope", ElementType::kF32, carries, shape);
  }
  chunks = builder.size("chunks");
}

ir::Kernel part_of_scan(const KernelSpec& spec, LinearPart part, LinearUse use,
                        const std::function<void(LinearFrame&, const MatrixScratch&)>& write) {
  const bool rows = part == LinearPart::kRows;
  const char* const name = rows ? "_rows" : part == LinearPart::kSums ? "_sums" : "_slopes";
  Builder builder(spec.symbol + name, spec.target, 32 * spec.tensor->warps);
  LinearFrame frame(builder, spec, use);
  const Access access = rows ? Access::kRead : Access::kWrite;
  const MatrixScratch scratch(builder, spec, use, access, access);
  frame.chunks = scratch.chunks;
  write(frame, scratch);
  return builder.take();
}

std::vector<Step> matrix_scan(const KernelSpec& spec) {
  constexpr LinearUse kUse = LinearUse::kPrefill;
  const std::vector<std::string> by_chunk = {"batch", "heads", "chunks"};
  std::vector<Step> steps;
  steps.push_back({part_of(spec, LinearPart::kSums, kUse), by_chunk, "tensor"});
  steps.push_back({Chain(spec, kUse).run(), by_row_of_state(spec)});
  steps.push_back({part_of(spec, LinearPart::kRows, kUse), by_chunk, "tensor"});
  return steps;
}

std::vector<Step> matrix_scan_backward(const KernelSpec& spec) {
  constexpr LinearUse kUse = LinearUse::kBackward;
  const std::vector<std::string> by_chunk = {"batch", "heads", "chunks"};
  std::vector<Step> steps;
  steps.push_back({part_of(spec, LinearPart::kSums, kUse), by_chunk, "tensor"});
  steps.push_back({part_of(spec, LinearPart::kSlopes, kUse), by_chunk, "tensor"});
  steps.push_back({Chain(spec, kUse).run(), by_row_of_state(spec)});
  steps.push_back({spec.key_gates ? tensor_key_gradients(spec) : tensor_gradients(spec), by_chunk,
                   "tensor", /*gradients=*/true});
  return steps;
}

}  // namespace heddle::schedule
