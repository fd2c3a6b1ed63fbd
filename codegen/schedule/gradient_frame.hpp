// SPDX-License-Identifier: Apache-2.0
// What every backward kernel but those of linear weights has in common: its arguments, where the
// rows of one (batch, head) lie in them, and where gradients are summed while rows still add to
// them. The whole sequence is one launch, or what follows on a state; rows are taken from the last
// to the first, so that row i finds lambda_i = dy_i + sum over later rows of B_ki lambda_k
// complete.
#pragma once

#include <functional>
#include <optional>

#include "codegen/ir/builder.hpp"
#include "codegen/schedule/coefficients.hpp"
#include "codegen/schedule/kernel_spec.hpp"
#include "codegen/schedule/sequences.hpp"
#include "codegen/schedule/state_gradients.hpp"

namespace heddle::schedule {

struct GradientSide {
  Side side = Side::kA;
  const rows::RowPlan* plan = nullptr;
  ir::MemoryId value;          // x or y
  ir::MemoryId sum;            // f32, where the gradients of the values are added up
  ir::MemoryId coefficients;   // not of softmax
  ir::MemoryId dcoefficients;  // likewise
  ir::Ex width;
  StateGradients state;
};

// How a launch uses what is handed on within an operation of several.
struct GradientScratch {
  Access lambda = Access::kWrite;
  Access weights = Access::kWrite;  // highest, inverse
  std::optional<Access> mean = {};  // of each row, <lambda, y>
};

class GradientFrame {
 public:
  GradientFrame(ir::Builder& builder, const KernelSpec& spec, GradientScratch scratch = {});

  // As in a forward kernel: the block of a cuda launch, or each block of a cpu launch's range.
  void each_block(const std::function<void()>& body);
  // On cpu: `prepare` makes lists and memory for one length, which all sequences have in common or,
  // with varlen, each for itself; `sequence` is one of them, which has tokens or a state. Stores
  // are settled at the end.
  void each_sequence(const std::function<void()>& prepare, const std::function<void()>& sequence);
  // Element offset of channel 0 of this head at token 0, 1, ...
  ir::Ex token_at(ir::Ex token) const { return token_base + token * token_stride; }
  // The row of a token in arrays without channels, counted over batch, tokens and heads.
  ir::Ex row_at(ir::Ex token) const;
  // The row of a token, and the token of a position that is not before the launch.
  ir::Ex row_of(ir::Ex token) const { return handed_on() ? start + token + 1 : token + 1; }
  ir::Ex token_of(ir::Ex p) const { return handed_on() ? p - start - 1 : p - 1; }
  ir::Ex slot_at(const StateGradients& state, ir::Ex slot) const {
    return state.slot_base + slot * token_stride;
  }
  // Element offset of entry 0 of a token's coefficients.
  ir::Ex coefficients_at(const GradientSide& side, ir::Ex token) const {
    return coefficient_row(spec, row_at(token), side.width);
  }
  // (1 - gamma) or gamma; 1 where only one side has entries.
  ir::Ex factor(const GradientSide& side);
  ir::Ex times_factor(const GradientSide& side, ir::Ex value) {
    return gamma ? factor(side) * value : value;
  }

  bool cuda() const { return spec.target == ir::Target::kCuda; }
  bool softmax() const { return spec.weights == WeightKind::kSoftmax; }
  bool handed_on() const { return spec.state_gradients; }
  // A = { i }: nothing is ever added to dx but by its own row, which writes it at once.
  bool own_input_only() const { return own_input_only_; }
  // On cpu, where every row reads its own input and the same distances back, all channels with the
  // same weights.
  bool by_windows() const { return by_windows_; }
  // ... rows of few outputs.
  bool by_short_rows() const { return by_windows_ && !spec.long_rows; }

  ir::Builder& builder;
  const KernelSpec& spec;
  ir::MemoryId q, k, x, y, dy;
  ir::MemoryId dq, dk, dx;
  ir::MemoryId lambda;            // scratch of cuda, f32
  ir::MemoryId highest, inverse;  // scratch of cuda softmax, f32, by row: the highest score and one
                                  // over the sum of weights
  ir::MemoryId mean;              // by row, where asked for
  ir::MemoryId dk_sum, dx_sum;    // of cuda, f32: dk and dx, or scratch beside narrower ones
  bool dk_apart = false;          // dk_sum is scratch
  bool dx_apart = false;          // dx_sum is scratch
  GradientSide a, b;
  ir::Ex tokens;  // of the launch; with varlen, within each_block, of the block's sequence
  ir::Ex heads, scale;
  // Positions before the launch, and with those in it; start is 0 but where states are handed on,
  // and within each_block that of the block's sequence. Where `most_before`, the launch's, is 0,
  // there is no initial state.
  ir::Ex start, length, most_before;
  std::optional<ir::Ex> gamma;
  ir::Ex token_base, token_stride;
  ir::Ex block, head, batch;
  ir::Ex warp, lane, thread;     // cuda only
  std::optional<ir::Ex> chunks;  // of a head's tokens, where a block has one of them
  ir::Ex unit, chunk;            // then: which of all, and which of its head

 private:
  void enter(ir::Ex the_unit);
  void declare_side(GradientSide& side);

  SequenceArrays sequences_;  // with varlen
  ir::Ex all_tokens_, longest_;
  ir::Ex first_token_;  // of this block's sequence
  bool own_input_only_;
  bool by_windows_;
};

}  // namespace heddle::schedule
