// SPDX-License-Identifier: Apache-2.0
// First order, y_i = b_i y_{i-1} + a_i x_i, as a scan over chunks of tokens on cuda. With zero
// before it a chunk ends in s, and with c before it in p c + s, where p is the product of its b: so
// chunks are summed side by side (sums), what each begins with follows from these pairs alone
// (chain), and then its rows are, side by side again (rows). A thread has a channel.
#include <algorithm>

#include "codegen/schedule/cache.hpp"
#include "codegen/schedule/coefficients.hpp"
#include "codegen/schedule/frame.hpp"
#include "codegen/schedule/scan_chain.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;

namespace {

// One of the launches. Each declares the same arguments; those it does without are dropped later.
class Launch {
 public:
  Launch(const KernelSpec& spec, const std::string& name, bool by_chunk, Access carries,
         Access products)
      : spec_(spec),
        warps_(by_chunk ? scan_warps(spec) : kChainWarps),
        builder_(spec.symbol + "_" + name, spec.target, 32 * warps_),
        frame_(builder_, spec, /*decode=*/false),
        scratch_(builder_, spec, carries, products),
        chunk_(builder_, spec, ScanDirection::kForward) {
    frame_.warps = warps_;
    if (by_chunk) frame_.chunks = scratch_.chunks;
  }

  ir::Kernel sums() {
    each_chunk([&] {
      chunk_.sum_up(
          scratch_, [&](Ex r, Ex token, Ex d) { return decay_of(r, token, d); },
          [&](Ex r, Ex token, Ex d) { return input_of(r, token, d); });
    });
    return builder_.take();
  }

  ir::Kernel chain() {
    frame_.each_block([&] {
      scratch_.enter(frame_.tokens);
      ScanChain chain(builder_, spec_, scratch_, ScanDirection::kForward);
      chain.run(frame_.block, frame_.warp, frame_.lane,
                [&](MemoryId carry) { begin_with_state(carry); });
    });
    return builder_.take();
  }

  ir::Kernel rows() {
    each_chunk([&] {
      chunk_.each_channel([&](Ex d) {
        const Var sum = builder_.variable("sum", chunk_.begins_with(scratch_, d));
        chunk_.each_token([&](Ex r, Ex token) {
          builder_.assign(sum, decay_of(r, token, d) * sum + input_of(r, token, d));
          builder_.store(frame_.y, frame_.token_at(token) + d, sum);
        });
      });
      builder_.barrier();
      builder_.when(equal(frame_.chunk, scratch_.own - 1), [&] { write_final_state(frame_); });
    });
    return builder_.take();
  }

 private:
  // What channels had before the first token.
  void begin_with_state(MemoryId carry) {
    frame_.each_channel([&](Ex, Ex index) { builder_.store(carry, index, builder_.f32(0)); });
    builder_.when(frame_.start > 0, [&] {
      const Location from = frame_.locate_in_state(frame_.b, frame_.start);
      frame_.each_channel(
          [&](Ex d, Ex index) { builder_.store(carry, index, frame_.load(from, from.value, d)); });
    });
  }

  // `body` for the chunk of a block.
  void each_chunk(const std::function<void()>& body) {
    frame_.each_block([&] {
      scratch_.enter(frame_.tokens);
      scratch_.where_own(frame_.chunk, [&] {
        enter_chunk();
        body();
      });
    });
  }
  void enter_chunk() {
    chunk_.enter(frame_.unit, frame_.chunk, frame_.tokens, frame_.thread);
    if (spec_.by_channel()) return;
    const std::vector<MemoryId> fetched =
        chunk_.fetch({{"decays", [&](Ex token) { return decay_at(token, {}); }},
                      {"weights", [&](Ex token) { return coefficient(frame_.a, token, {}); }}});
    decays_ = fetched[0];
    weights_ = fetched[1];
  }

  Ex coefficient(const SideFrame& side, Ex token, Ex d) {
    const Ex at = coefficient_row(spec_, frame_.row_at(token), side.width);
    return builder_.load(side.coefficients, spec_.by_channel() ? at + d : at);
  }
  // The first row of a sequence reads no output, and has no coefficient of one.
  Ex decay_at(Ex token, Ex d) {
    return builder_.select(frame_.start + token > 0, coefficient(frame_.b, token, d),
                           builder_.f32(0));
  }
  // Of row r of the chunk.
  Ex decay_of(Ex r, Ex token, Ex d) {
    return spec_.by_channel() ? decay_at(token, d) : builder_.load(decays_, r);
  }
  Ex input_of(Ex r, Ex token, Ex d) {
    const Ex weight =
        spec_.by_channel() ? coefficient(frame_.a, token, d) : builder_.load(weights_, r);
    return weight * builder_.load(frame_.x, frame_.token_at(token) + d);
  }

  const KernelSpec& spec_;
  int warps_;
  Builder builder_;
  Frame frame_;
  ScanScratch scratch_;
  ScanChunk chunk_;
  MemoryId decays_, weights_;  // of a chunk, where all channels have the same
};

}  // namespace

std::vector<Step> scan(const KernelSpec& spec) {
  const std::vector<std::string> by_head = {"batch", "heads"};
  const std::vector<std::string> by_chunk = {"batch", "heads", "chunks"};
  std::vector<Step> steps;
  steps.push_back({Launch(spec, "sums", true, Access::kWrite, Access::kWrite).sums(), by_chunk});
  steps.push_back(
      {Launch(spec, "chain", false, Access::kReadWrite, Access::kRead).chain(), by_head});
  steps.push_back({Launch(spec, "rows", true, Access::kRead, Access::kRead).rows(), by_chunk});
  return steps;
}

}  // namespace heddle::schedule
