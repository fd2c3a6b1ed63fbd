// SPDX-License-Identifier: Apache-2.0
// Which launches verify one kernel, or two that hand a state over: awkward lengths, several heads,
// earlier states, extreme inputs, thread orders. Cheap and telling ones come first; long sequences
// get what is left of the work budget, and what did not fit is named.
#pragma once

#include <memory>
#include <vector>

#include "runtime/verify_launch.hpp"
#include "runtime/verify_ledger.hpp"
#include "runtime/verify_session.hpp"

namespace heddle {

struct VerifyContext {
  const Manifest& manifest;
  const Rows& rows;
  const VerifyOptions& options;
  WeightMode weights = WeightMode::kSoftmax;
};

void check_prefill(const VerifyContext& context, const KernelUnderTest& prefill, Ledger& ledger,
                   std::vector<KernelProfile>& profiles);
void check_decode(const VerifyContext& context, const KernelUnderTest& decode, Ledger& ledger,
                  std::vector<KernelProfile>& profiles);
// Prefill n tokens, then decode m: the same as prefill n + m.
void check_hand_over(const VerifyContext& context, const KernelUnderTest& prefill,
                     const KernelUnderTest& decode, Ledger& ledger);

// The shortest sequence, of one batch and one head, whose last token or tokens this kernel gets
// wrong; empty when none of the first hundred.
std::string smallest_failure(const VerifyContext& context, const KernelUnderTest& kernel);

// What can be counted from the rows alone, for every length they reach: that each cache keeps all
// that later rows read, and that one slot fewer could not.
void check_caches(const VerifyContext& context, std::vector<VerifyObligation>& obligations,
                  std::vector<VerifyFailure>& failures);

}  // namespace heddle
