// SPDX-License-Identifier: Apache-2.0
// Each baseline computes what the oracle defines; one that does not must not be timed.
#include "runtime/bench/baselines.hpp"

#include "runtime/reference/compare.hpp"
#include "runtime/reference/reference.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"

namespace heddle {
namespace {

void check_both(const ProblemOptions& options, const Rows& rows) {
  const Problem problem = make_problem(options, rows);
  const std::vector<double> expected = reference_output(problem, rows).y;
  for (const auto make : {+[](const Problem&p, const Rows&r) { return make_eigen_sparse(p, r); },
                          +[](const Problem&p, const Rows&r) { return make_eigen_dense(p, r); }}) {
    auto baseline = make(problem, rows);
    REQUIRE(baseline.ok());
    const Tolerance tolerance = tolerance_for(ElementType::kF32, problem.largest_logit);
    CHECK_FALSE(compare((*baseline)->result(), expected, 7).within(tolerance));  // not run yet
    for (const int threads : {1, 3, 1}) {
      (*baseline)->run(threads);
      const Agreement agreement = compare((*baseline)->result(), expected, 7);
      INFO((*baseline)->name() << ": " << agreement.describe(7));
      CHECK(agreement.within(tolerance));
    }
  }
}

TEST_CASE("the baselines agree with the oracle") {
  const std::int64_t n = 70;
  for (const char* name : {"chacal", "log_recurrence", "sqrt_cached", "attention",
                           "local_attention", "order_k_recurrence", "dense_recurrence"}) {
    const Rows rows = test::builtin_rows(name, n);
    for (const WeightMode mode : {WeightMode::kSoftmax, WeightMode::kGiven, WeightMode::kGated}) {
      for (const ElementType dtype : {ElementType::kF32, ElementType::kBF16}) {
        INFO(name);
        check_both({.weights = mode,
                    .dtype = dtype,
                    .coefficient_dtype = dtype,
                    .sizes = {.batch = 2, .tokens = n, .heads = 2, .head_dim = 7},
                    .gamma = 0.3F},
                   rows);
      }
    }
  }
}

TEST_CASE("rows without entries are zero in the baselines too") {
  const std::int64_t n = 30;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    check_both({.sizes = {.tokens = n, .head_dim = 7}, .seed = seed},
               test::random_rows(n, 8, seed));
  }
}

TEST_CASE("what a baseline cannot do is refused with a reason") {
  const Rows rows = test::builtin_rows("linear_attention", 4);
  for (const WeightMode weights : {WeightMode::kLinear, WeightMode::kMatrix}) {
    const Problem problem = make_problem(
        {.weights = weights, .sizes = {.tokens = 4, .head_dim = 4, .state_dim = 2}}, rows);
    CHECK_FALSE(make_eigen_sparse(problem, rows).ok());
    CHECK_FALSE(make_eigen_dense(problem, rows).ok());
  }
  const Problem softmax = make_problem({.sizes = {.tokens = 4, .head_dim = 4}}, rows);
  const auto refused = make_eigen_dense(softmax, rows, 100);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message == "dense matrices for 4 tokens would take 0.0 GB");
}

}  // namespace
}  // namespace heddle
