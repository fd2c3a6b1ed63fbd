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
  explicit Chain(const KernelSpec& spec)
      : spec_(spec),
        builder_(spec.symbol + "_chain", spec.target, (spec.head_dim + 31) / 32 * 32),
        frame_(builder_, spec, /*decode=*/false),
        scratch_(builder_, spec, Access::kReadWrite, Access::kRead) {}

  ir::Kernel run() {
    const Ex block = builder_.let("block", builder_.where(ir::Place::kBlock));
    const Ex d = builder_.let("d", builder_.where(ir::Place::kThread));
    head_ = builder_.let("whole_block", block / spec_.state_dim);
    frame_.enter(head_);
    const Ex s = builder_.let("s", block % spec_.state_dim);
    if (spec_.head_dim % 32 == 0) {
      number(s, d);
    } else {
      builder_.when(d < spec_.head_dim, [&] { number(s, d); });
    }
    return builder_.take();
  }

 private:
  // Over all chunks.
  void number(Ex s, Ex d) {
    const Var state = builder_.variable("state", builder_.f32(0));
    builder_.when(frame_.start > 0, [&] {
      builder_.assign(state, builder_.load(frame_.before, frame_.state(s, d)));
    });
    const MemoryId ends = builder_.array("ends", Type::kF32, kAhead);
    const MemoryId products = builder_.array("products", Type::kF32, kAhead);
    const auto carried = [&](Ex unit) {
      return unit * (spec_.state_dim * spec_.head_dim) + s * spec_.head_dim + d;
    };
    builder_.loop(
        "first", builder_.i64(0), scratch_.chunks, builder_.i64(kAhead), LoopKind::kSerial,
        [&](Ex first) {
          each(first, [&](Ex e, Ex unit) {
            builder_.store(ends, e, builder_.load(scratch_.carry, carried(unit)));
            builder_.store(products, e, builder_.load(scratch_.product, unit));
          });
          builder_.comment("each chunk's state gives way to the one that the chunk begins with");
          each(first, [&](Ex e, Ex unit) {
            builder_.store(scratch_.carry, carried(unit), state);
            builder_.assign(state, builder_.load(products, e) * state + builder_.load(ends, e));
          });
        });
    builder_.store(frame_.after, frame_.state(s, d), state);
  }

  // body(e, unit) for chunk e of those from `first` on that are taken together.
  void each(Ex first, const std::function<void(Ex, Ex)>& body) {
    builder_.loop("e", builder_.i64(0), builder_.i64(kAhead), builder_.i64(1), LoopKind::kUnrolled,
                  [&](Ex e) {
                    builder_.when(first + e < scratch_.chunks, [&] {
                      body(e, builder_.let("unit", head_ * scratch_.chunks + (first + e)));
                    });
                  });
  }

  const KernelSpec& spec_;
  Builder builder_;
  LinearFrame frame_;
  MatrixScratch scratch_;
  Ex head_;
};

}  // namespace

MatrixScratch::MatrixScratch(Builder& builder, const KernelSpec& spec, Access carries,
                             Access products) {
  const std::string rows = std::to_string(spec.state_dim), dim = std::to_string(spec.head_dim);
  product =
      builder.buffer("scratch_product", ElementType::kF32, products, {"batch", "heads", "chunks"});
  carry = builder.buffer("scratch_carry", ElementType::kF32, carries,
                         {"batch", "heads", "chunks", rows, dim});
  chunks = builder.size("chunks");
}

std::vector<Step> matrix_scan(const KernelSpec& spec) {
  const std::vector<std::string> by_chunk = {"batch", "heads", "chunks"};
  std::vector<Step> steps;
  steps.push_back({tensor_linear_part(spec, LinearPart::kSums), by_chunk});
  steps.push_back({Chain(spec).run(), {"batch", "heads", std::to_string(spec.state_dim)}});
  steps.push_back({tensor_linear_part(spec, LinearPart::kRows), by_chunk});
  return steps;
}

}  // namespace heddle::schedule
