// SPDX-License-Identifier: Apache-2.0
// Sequences of one batch that have lengths and starts of their own, in one launch after the other:
// each is a Session of a batch of one, and only launches are made together. How many tokens a
// sequence takes in a launch is drawn, now and then none; the first one goes ahead of all others.
#pragma once

#include <memory>
#include <vector>

#include "runtime/verify/field_session.hpp"
#include "runtime/verify/session.hpp"

namespace heddle {

class VarlenSession : public Course {
 public:
  // Problems of one sequence each, alike but for their numbers. The first sequence begins after
  // `start` tokens, the others after as many or fewer.
  static Result<VarlenSession> begin(const Manifest& manifest, const Rows& rows,
                                     std::vector<std::shared_ptr<const SolvedProblem>> sequences,
                                     std::int64_t start, std::int64_t spare, std::uint64_t seed);
  bool advance(const KernelUnderTest& kernel, std::int64_t count,
               const std::vector<ThreadOrder>& orders, Ledger& ledger,
               KernelProfile* profile = nullptr) override;
  std::int64_t done() const override { return sequences_.front().done(); }

 private:
  VarlenSession(const Rows& rows, std::uint64_t seed) : rows_(rows), random_(seed) {}

  const Rows& rows_;
  RandomSource random_;
  std::vector<Session> sequences_;
};

class VarlenFieldSession : public FieldCourse {
 public:
  // All problems have one scale and one gamma.
  static Result<VarlenFieldSession> begin(
      const Manifest& manifest, const Rows& rows,
      std::vector<std::shared_ptr<const SolvedFieldProblem>> sequences, std::int64_t start,
      std::int64_t spare, std::uint64_t seed);
  bool advance(const KernelUnderTest& kernel, std::int64_t count, std::int64_t work,
               Ledger& ledger) override;
  std::int64_t done() const override { return sequences_.front().done(); }

 private:
  explicit VarlenFieldSession(std::uint64_t seed) : random_(seed) {}

  RandomSource random_;
  std::vector<FieldSession> sequences_;
};

}  // namespace heddle
