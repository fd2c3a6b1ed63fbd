// SPDX-License-Identifier: Apache-2.0
// The algebraic layer: the very text of a kernel with its scalar type replaced by numbers of a
// finite field, run under the emulator on random numbers, must equal the definition exactly. No
// tolerance hides an error; what the layer cannot see is rounding.
#pragma once

#include "runtime/verify/launch.hpp"
#include "runtime/verify/ledger.hpp"
#include "runtime/verify/plan.hpp"

namespace heddle {

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

// All gradients, in two thread orders and under two orders of the numbers, likewise.
void check_backward_algebra(const VerifyContext& context, const KernelUnderTest& backward,
                            Ledger& ledger);

// As smallest_failure of plan.hpp, of any operation over the field.
std::string smallest_algebraic_failure(const VerifyContext& context, const KernelUnderTest& kernel);

// Counts the floating-point operations of the launch that `profile` describes.
void count_operations(const VerifyContext& context, const KernelUnderTest& kernel,
                      KernelProfile& profile);
void count_backward_operations(const VerifyContext& context, const KernelUnderTest& backward,
                               KernelProfile& profile);
// Whether the gradients of one launch are wrong.
bool fails_backward_algebra(const VerifyContext& context, const KernelUnderTest& backward,
                            std::int64_t tokens, std::int64_t batch, std::int64_t heads);

// How sure an identity of this degree is.
std::string field_confidence(std::int64_t degree);

}  // namespace heddle
