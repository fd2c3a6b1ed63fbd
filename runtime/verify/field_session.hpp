// SPDX-License-Identifier: Apache-2.0
// A sequence being processed by kernels over the finite field: the counterpart of session
// where results are equal or wrong.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/verify/field_problem.hpp"
#include "runtime/verify/launch.hpp"
#include "runtime/verify/ledger.hpp"

namespace heddle {

struct SolvedFieldProblem {
  FieldProblem problem;
  std::vector<std::uint64_t> y;
};

class FieldSession {
 public:
  // The definition's state after `start` tokens, with `spare` cache slots more than needed. Fails
  // when the manifest cannot say how many that is.
  static Result<FieldSession> begin(const Manifest& manifest, const Rows& rows,
                                    std::shared_ptr<const SolvedFieldProblem> solved,
                                    std::int64_t start, std::int64_t spare, std::uint64_t seed);

  // Runs the kernel on tokens (done, done + count] twice, in two thread orders and under two orders
  // of the numbers, and enters what is found. False when the sequence cannot go on from here.
  bool advance(const KernelUnderTest& kernel, std::int64_t count, std::int64_t work,
               Ledger& ledger);

  // What one launch on the next `count` tokens does; the sequence stays where it is.
  Result<LaunchCounters> count_launch(const KernelUnderTest& kernel, std::int64_t count,
                                      std::int64_t work) const;

  std::int64_t done() const { return done_; }

 private:
  FieldSession(const Manifest& manifest, const Rows& rows,
               std::shared_ptr<const SolvedFieldProblem> solved)
      : manifest_(manifest), rows_(rows), solved_(std::move(solved)) {}

  void fill_state(std::uint64_t seed);
  Result<FieldBuffers> bind(const KernelEntry& entry, const Sizes& sizes) const;
  // What is wrong with y or the state that a launch left; empty when nothing is.
  std::string wrong_output(const FieldBuffer& y, std::int64_t count) const;
  std::string wrong_state(const FieldBuffers& buffers) const;
  std::string wrong_side(const FieldBuffers& buffers, bool outputs) const;

  const Manifest& manifest_;
  const Rows& rows_;
  std::shared_ptr<const SolvedFieldProblem> solved_;
  Sizes sizes_;
  std::int64_t done_ = 0;
  FieldBuffers state_;  // without the initial_, final_ or cache_ before the name
};

}  // namespace heddle
