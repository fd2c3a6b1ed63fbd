// SPDX-License-Identifier: Apache-2.0
// Which launches verify one kernel, or two that hand a state over: awkward lengths, several heads,
// earlier states, extreme inputs, thread orders. Cheap and telling ones come first; long sequences
// get what is left of the work budget, and what did not fit is named.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/verify/launch.hpp"
#include "runtime/verify/ledger.hpp"
#include "runtime/verify/session.hpp"

namespace heddle {

struct VerifyContext {
  const Manifest& manifest;
  const Rows& rows;
  const VerifyOptions& options;
  WeightMode weights = WeightMode::kSoftmax;
};

// Whether rows 1..tokens all read an input. With gamma = 0 outputs weigh nothing, and a row of
// nothing else has no mean.
bool inputs_alone_do(const Rows& rows, std::int64_t tokens);

// Whether a decode takes as many tokens as a launch says.
bool takes_several(const KernelEntry& entry);

// Whether what a launch does depends on how much shared memory it has.
bool has_rings(const KernelEntry& entry);

// Sequences, from the first token on or after a few, in which an operation that cuts tokens into
// chunks has one, two, some and very many of them, the last one whole or not. What crosses chunks
// is seen only there, so nothing is decided where one of them cannot be run; none for other
// kernels.
struct ChunkedLength {
  std::int64_t start = 0;
  std::int64_t tokens = 1;  // of the launch
  std::int64_t batch = 1;   // several with lengths of their own, most of which end in other chunks
};
std::vector<ChunkedLength> chunked_lengths(const KernelEntry& entry);

void check_prefill(const VerifyContext& context, const KernelUnderTest& prefill, Ledger& ledger,
                   std::vector<KernelProfile>& profiles);
void check_decode(const VerifyContext& context, const KernelUnderTest& decode, Ledger& ledger,
                  std::vector<KernelProfile>& profiles);
// Prefill n tokens, then decode m: the same as prefill n + m.
void check_hand_over(const VerifyContext& context, const KernelUnderTest& prefill,
                     const KernelUnderTest& decode, Ledger& ledger);

// The longest sequence that `run` can afford, where no run of the kernel has come to some of its
// text yet: lists fill up, there are tiles behind the first. Nothing up to `ran` tokens, which was
// run to no avail.
void run_unreached(const KernelUnderTest& kernel, const Ledger& ledger, std::int64_t ran,
                   const std::function<bool(std::int64_t n)>& run);

// The smallest launch that a prefill or a decode gets wrong, in words: the shortest sequence of one
// batch and one head, and where none up to a hundred tokens fails, of two. Empty when none does.
std::string smallest_failure(const VerifyContext& context, const KernelUnderTest& kernel);
// The same for any way to run `n` tokens, `batch` and `heads`.
std::string smallest_launch(
    const std::string& op,
    const std::function<bool(std::int64_t n, std::int64_t batch, std::int64_t heads)>& fails);

// What can be counted from the rows alone, for every length they reach: that each cache keeps all
// that later rows read, and that one slot fewer could not.
void check_caches(const VerifyContext& context, std::vector<VerifyObligation>& obligations,
                  std::vector<VerifyFailure>& failures);

}  // namespace heddle
