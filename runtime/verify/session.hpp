// SPDX-License-Identifier: Apache-2.0
// A sequence being processed by kernels: the state after some tokens, and a step that runs a
// kernel on the next ones in several thread orders and checks everything there is to check. A
// prefill, a decode, and any mixture of both are the same step.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/reference/problem.hpp"
#include "runtime/reference/problem_binding.hpp"
#include "runtime/reference/reference.hpp"
#include "runtime/verify/launch.hpp"
#include "runtime/verify/ledger.hpp"

namespace heddle {

// A problem with its oracle's answer, shared by the sessions that start from it.
struct SolvedProblem {
  Problem problem;
  Fill fill = Fill::kNormal;
  std::vector<double> y;
  // y if all coefficients and inputs were positive, the size of what cancelled on the way and so of
  // the rounding errors it left behind. Empty for softmax of many channels, and for softmax and
  // linear weights of f32.
  std::vector<double> magnitude;
  // Of matrix states: after each token, [batch, tokens, heads, state_dim, head_dim].
  std::vector<double> states;

  // After each of these tokens, [batch, after, heads, state_dim, head_dim].
  std::vector<double> states_after(const std::vector<std::int64_t>& tokens) const;
};
std::shared_ptr<const SolvedProblem> solve_problem(const ProblemOptions& options, const Rows& rows);

// Estimated memory accesses of one launch on tokens (start, start + count]: two per entry and
// channel, and what every token costs whatever its row; of matrix states, two per element of each,
// and of each slot of `sizes`.
std::int64_t launch_work(const Rows& rows, const Sizes& sizes, WeightMode weights,
                         std::int64_t start, std::int64_t count);

// What kernels can be run on, token after token.
class Course {
 public:
  virtual ~Course() = default;
  // Runs the kernel on tokens (done, done + count] once per order and enters what is found under
  // the kernel's duties. False when the sequence cannot go on from here.
  virtual bool advance(const KernelUnderTest& kernel, std::int64_t count,
                       const std::vector<ThreadOrder>& orders, Ledger& ledger,
                       KernelProfile* profile = nullptr) = 0;
  virtual std::int64_t done() const = 0;
  // With as few rows of shared memory from here on as a kernel must be right for.
  void take_least_rows() { least_rows_ = true; }

 protected:
  bool least_rows_ = false;
};

class Session : public Course {
 public:
  // The oracle's state after `start` tokens of a sequence that will have as many tokens as the
  // problem, with `spare` cache slots more than needed. Fails when the manifest cannot say how
  // many that is.
  static Result<Session> begin(const Manifest& manifest, const Rows& rows,
                               std::shared_ptr<const SolvedProblem> solved, std::int64_t start,
                               std::int64_t spare, std::uint64_t seed);

  bool advance(const KernelUnderTest& kernel, std::int64_t count,
               const std::vector<ThreadOrder>& orders, Ledger& ledger,
               KernelProfile* profile = nullptr) override;
  std::int64_t done() const override { return done_; }

  // The two halves of a step around its launch: what the kernel gets for the next `count` tokens,
  // with `always` even an initial state of no tokens; and what there is to say of the buffers that
  // it left.
  Result<HostBuffers> bind(const KernelEntry& entry, std::int64_t count, bool always = false) const;
  void settle(const HostBuffers& buffers, std::int64_t count, const std::string& where,
              Ledger& ledger);
  const SolvedProblem& solved() const { return *solved_; }
  Sizes sizes_of(std::int64_t count) const;  // of the launch

 private:
  Session(const Manifest& manifest, const Rows& rows, std::shared_ptr<const SolvedProblem> solved)
      : manifest_(manifest), rows_(rows), solved_(std::move(solved)) {}

  void check_values(const HostBuffers& buffers, std::int64_t count, const std::string& where,
                    Ledger& ledger) const;
  void check_state(const HostBuffers& state, const std::string& where, Ledger& ledger) const;
  void check_side(const HostBuffers& state, const CacheLayout& layout, const RowTable& table,
                  const std::string& side, const HostBuffer& values, const std::string& where,
                  Ledger& ledger) const;
  // A place in b_val, counted in states, and one in the definition's that it should hold.
  using HeldState = std::pair<std::int64_t, std::int64_t>;
  // What is wrong with these; empty where nothing is.
  std::string wrong_states(const HostBuffer& val, const std::vector<HeldState>& held) const;
  void keep_outputs(const HostBuffers& buffers, std::int64_t count);

  const Manifest& manifest_;
  const Rows& rows_;
  std::shared_ptr<const SolvedProblem> solved_;
  Sizes sizes_;
  std::int64_t done_ = 0;
  HostBuffer y_;       // as stored so far: the oracle's up to the start, then the kernels' own
  HostBuffers state_;  // without the initial_, final_ or cache_ before the name
};

// A launch that every thread order must give the same results.
struct OrderedLaunch {
  const KernelUnderTest& kernel;
  LaunchRequest request;  // without buffers and order
  std::function<Result<HostBuffers>()> bind;
  std::int64_t length;
  std::string where;
};
// The buffers after the launch in the first order, with everything but their contents judged;
// counters go into *profile. Nothing when the launch cannot be made.
std::optional<HostBuffers> launch_in_orders(const OrderedLaunch& launch,
                                            const std::vector<ThreadOrder>& orders, Ledger& ledger,
                                            KernelProfile* profile);

}  // namespace heddle
