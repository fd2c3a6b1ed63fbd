// SPDX-License-Identifier: Apache-2.0
// A sequence being processed by kernels over the finite field: the counterpart of session
// where results are equal or wrong.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/verify/field_problem.hpp"
#include "runtime/verify/launch.hpp"
#include "runtime/verify/ledger.hpp"

namespace heddle {

struct SolvedFieldProblem {
  FieldProblem problem;
  std::vector<std::uint64_t> y;
  std::vector<std::uint64_t> states = {};  // of matrix states, as field_states has them
};
std::shared_ptr<const SolvedFieldProblem> solve_problem(FieldProblem problem, const Rows& rows);

// As Course in session.hpp.
class FieldCourse {
 public:
  virtual ~FieldCourse() = default;
  // Runs the kernel on tokens (done, done + count] twice, in two thread orders and under two orders
  // of the numbers, and enters what is found. False when the sequence cannot go on from here.
  virtual bool advance(const KernelUnderTest& kernel, std::int64_t count, std::int64_t work,
                       Ledger& ledger) = 0;
  virtual std::int64_t done() const = 0;
};

class FieldSession : public FieldCourse {
 public:
  // The definition's state after `start` tokens, with `spare` cache slots more than needed, for
  // `longest` tokens where the problem has fewer. Fails when the manifest cannot say how many that
  // is.
  static Result<FieldSession> begin(const Manifest& manifest, const Rows& rows,
                                    std::shared_ptr<const SolvedFieldProblem> solved,
                                    std::int64_t start, std::int64_t spare, std::uint64_t seed,
                                    std::int64_t longest = 0);

  bool advance(const KernelUnderTest& kernel, std::int64_t count, std::int64_t work,
               Ledger& ledger) override;

  // What one launch on the next `count` tokens does; the sequence stays where it is.
  Result<LaunchCounters> count_launch(const KernelUnderTest& kernel, std::int64_t count,
                                      std::int64_t work) const;

  std::int64_t done() const override { return done_; }

  // The two halves of a step around its launch, as in Session.
  Result<FieldBuffers> bind(const KernelEntry& entry, const Sizes& sizes,
                            bool always = false) const;
  bool settle(FieldBuffers buffers, std::int64_t count, const std::string& where, Ledger& ledger);
  const FieldProblem& problem() const { return solved_->problem; }
  Sizes sizes_of(std::int64_t count) const;
  // By bare names: "a_pos", "b_key", ...
  const FieldBuffers& state() const { return state_; }

 private:
  FieldSession(const Manifest& manifest, const Rows& rows,
               std::shared_ptr<const SolvedFieldProblem> solved)
      : manifest_(manifest), rows_(rows), solved_(std::move(solved)) {}

  void fill_state(std::uint64_t seed);
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

// A launch whose results must not depend on the order of threads or of numbers.
struct FieldLaunch {
  const KernelUnderTest& kernel;
  FieldLaunchRequest request;  // without buffers and orders
  std::function<Result<FieldBuffers>()> bind;
  std::int64_t length;
  std::string where;
};
// The buffers after it; nothing when it cannot be made or something is found.
std::optional<FieldBuffers> launch_in_orders(const FieldLaunch& launch, Ledger& ledger);

}  // namespace heddle
