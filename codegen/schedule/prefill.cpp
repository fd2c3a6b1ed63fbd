// SPDX-License-Identifier: Apache-2.0
// Prefill on cuda. A block owns one (batch, head). Where all channels of a row have the same
// weights it goes through its rows in chunks: in phase 1 the warps sum, for the rows of a chunk in
// parallel, everything that is final already; what a row reads from its own chunk is left as a
// small triangular system, which phase 2 solves by forward substitution, one thread per channel.
// Where each channel has weights of its own there would be a system for each: instead a thread
// takes a channel through all rows by itself.
#include <algorithm>

#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/cache.hpp"
#include "codegen/schedule/mixer.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;

namespace {

void take_side(Frame& frame, Mixer& mixer, const SideFrame& side, Ex row,
               const Mixer::Near* near = nullptr) {
  if (side.plan->empty()) return;
  frame.builder.comment(side.side == Side::kA ? "inputs that this row reads"
                                              : "earlier outputs that this row reads");
  mixer.begin_side(side);
  rows::emit_walk(frame.builder, frame.spec.pattern, *side.plan, row,
                  [&](Ex p) { mixer.take(side, p, near); });
}

// A row whose earlier outputs, if it reads any, were all written by the threads that read them.
void whole_row(Frame& frame, Ex token) {
  Builder& builder = frame.builder;
  const Ex row = builder.let("i", frame.start + token + 1);
  Mixer mixer(frame, token);
  take_side(frame, mixer, frame.a, row);
  take_side(frame, mixer, frame.b, row);
  mixer.finish();
  mixer.write(frame.y, builder.let("y_at", frame.token_at(token)));
}

// The rows of one chunk on cuda.
class Chunk {
 public:
  Chunk(Frame& frame, MemoryId near_weights, MemoryId rows, Ex first)
      : frame_(frame),
        builder_(frame.builder),
        near_weights_(near_weights),
        rows_(rows),
        first_(first) {}

  void sum_final_entries(Ex size) {
    builder_.loop("r", frame_.warp, size, builder_.i64(kWarps), LoopKind::kSerial,
                  [&](Ex r) { phase_one(r); });
  }

  void substitute(Ex size) {
    const int dim = frame_.spec.head_dim;
    builder_.loop("d", frame_.thread, builder_.i64(dim), builder_.i64(kThreads), LoopKind::kSerial,
                  [&](Ex d) {
                    builder_.loop("r", builder_.i64(0), size, [&](Ex r) {
                      const Var sum = builder_.variable("sum", builder_.load(rows_, r * dim + d));
                      builder_.loop("c", builder_.i64(0), r, [&](Ex c) {
                        builder_.assign(
                            sum, Ex(sum) + builder_.load(near_weights_, r * kSimpleChunk + c) *
                                               builder_.load(rows_, c * dim + d));
                      });
                      builder_.store(frame_.y, frame_.token_at(first_ + r) + d, sum);
                      // Later rows must read what they would read from memory.
                      builder_.store(rows_, r * dim + d, frame_.rounded(sum));
                    });
                  });
  }

 private:
  void phase_one(Ex r) {
    const Ex token = builder_.let("token", first_ + r);
    const Ex row = builder_.let("i", frame_.start + token + 1);
    const Ex final_to = builder_.let("final_to", frame_.start + first_);
    Mixer mixer(frame_, token);
    take_side(frame_, mixer, frame_.a, row);
    // Lane c keeps what belongs to column c of the chunk.
    const Var near = builder_.variable("near", builder_.f32(0));
    const Var has_near = builder_.variable("has_near", builder_.truth(false));
    const Mixer::Near near_entries{[&](Ex p) { return p > final_to; },
                                   [&](Ex p, Ex value) {
                                     builder_.when(equal(frame_.lane, p - final_to - 1), [&] {
                                       builder_.assign(near, value);
                                       builder_.assign(has_near, builder_.truth(true));
                                     });
                                   }};
    take_side(frame_, mixer, frame_.b, row, &near_entries);
    mixer.finish();
    const int dim = frame_.spec.head_dim;
    frame_.each_channel([&](Ex d, Ex index) {
      builder_.store(rows_, r * dim + d, mixer.normalized(builder_.load(mixer.mixed, index)));
    });
    builder_.when(frame_.lane < kSimpleChunk, [&] {
      const Ex weight =
          builder_.select(has_near, mixer.normalized(mixer.near_weight(near)), builder_.f32(0));
      builder_.store(near_weights_, r * kSimpleChunk + frame_.lane, weight);
    });
  }

  Frame& frame_;
  Builder& builder_;
  MemoryId near_weights_;
  MemoryId rows_;
  Ex first_;
};

void cuda_chunks(Frame& frame) {
  Builder& builder = frame.builder;
  const MemoryId near_weights =
      builder.array("near_weights", Type::kF32, kSimpleChunk * kSimpleChunk, true);
  const MemoryId rows = builder.array("rows", Type::kF32, kSimpleChunk * frame.spec.head_dim, true);
  builder.loop(
      "first", builder.i64(0), frame.tokens, builder.i64(kSimpleChunk), LoopKind::kSerial,
      [&](Ex first) {
        const Ex size = builder.let(
            "size",
            builder.call(Helper::kMinimum, {builder.i64(kSimpleChunk), frame.tokens - first}));
        Chunk chunk(frame, near_weights, rows, first);
        builder.comment("phase 1: one warp per row sums the entries that are final already and");
        builder.comment("leaves the weights of entries inside the chunk in near_weights");
        chunk.sum_final_entries(size);
        builder.barrier();
        builder.comment("phase 2: one thread per channel solves the chunk, row after row");
        chunk.substitute(size);
        builder.barrier();
      });
}

// Outputs go through memory, where a thread finds its own, rounded as they are stored.
void rows_by_channel(Frame& frame) {
  Builder& builder = frame.builder;
  frame.warps_share = true;
  builder.comment("a thread takes its channels from row to row and reads no outputs but its own");
  builder.loop("token", builder.i64(0), frame.tokens, [&](Ex token) { whole_row(frame, token); });
  frame.warps_share = false;
  if (frame.b.cached()) builder.barrier();
}

// With as many warps as there are channels for.
int warps_for(const KernelSpec& spec) {
  if (!spec.by_channel() || spec.b.empty()) return kWarps;
  return std::min((spec.head_dim + 31) / 32, kWarps);
}

}  // namespace

ir::Kernel prefill(const KernelSpec& spec) {
  if (spec.target == ir::Target::kCpu) return cpu_prefill(spec);
  if (spec.staging) {
    if (spec.staging->by_distance) {
      return spec.b.empty() ? staged_inputs(spec) : staged_distances(spec);
    }
    return spec.staging->tile_rows > 0 ? staged_tiles(spec) : staged_prefill(spec);
  }
  if (spec.tensor) {
    return spec.dense_inputs       ? tensor_attention(spec)
           : spec.input_window > 0 ? tensor_window(spec)
           : spec.shifted_outputs  ? tensor_diagonals(spec)
           : spec.lattice_outputs  ? tensor_lattice(spec)
                                   : tensor_recurrence(spec);
  }
  const int warps = warps_for(spec);
  Builder builder(spec.symbol, spec.target, 32 * warps);
  Frame frame(builder, spec, /*decode=*/false);
  frame.warps = warps;
  frame.each_block([&] {
    if (!spec.b.empty() && spec.by_channel()) {
      rows_by_channel(frame);
    } else if (!spec.b.empty()) {
      cuda_chunks(frame);
    } else {
      builder.loop("token", frame.warp, frame.tokens, builder.i64(kWarps), LoopKind::kSerial,
                   [&](Ex token) { whole_row(frame, token); });
    }
    write_final_state(frame);
  });
  return builder.take();
}

}  // namespace heddle::schedule
