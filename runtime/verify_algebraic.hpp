// SPDX-License-Identifier: Apache-2.0
// The algebraic layer: the very text of a kernel with its scalar type replaced by numbers of a
// finite field, run under the emulator on random numbers, must equal the definition exactly. No
// tolerance hides an error; what the layer cannot see is rounding.
#pragma once

#include "runtime/verify_launch.hpp"
#include "runtime/verify_ledger.hpp"
#include "runtime/verify_plan.hpp"

namespace heddle {

// Other operations are not covered: of those the layer says nothing.
bool algebra_covers(const KernelEntry& kernel);

// The kernels are built with Numbers::kField, the ledgers are of Layer::kAlgebraic. Lengths
// cross the edges of chunks and warps; several batches and heads; from earlier states and from
// their own.
void check_prefill_algebra(const VerifyContext& context, const KernelUnderTest& prefill,
                           Ledger& ledger);
void check_decode_algebra(const VerifyContext& context, const KernelUnderTest& decode,
                          Ledger& ledger);
// Prefill n tokens, then decode m.
void check_hand_over_algebra(const VerifyContext& context, const KernelUnderTest& prefill,
                             const KernelUnderTest& decode, Ledger& ledger);

// Counts the floating-point operations of the launch that `profile` describes.
void count_operations(const VerifyContext& context, const KernelUnderTest& kernel,
                      KernelProfile& profile);

}  // namespace heddle
