// SPDX-License-Identifier: Apache-2.0
// Several launches of backward score the same rows. With logits so large that a score's last bit is
// some units of it, a row has all its weight at one entry, as long as all of them find the same
// bits: then the gradient of an input is the sum of what is due of the rows that lead to it. A
// launch that sums in another order than the weights' is off by factors.
#include <cmath>

#include "codegen/generate.hpp"
#include "patterns/materialize.hpp"
#include "runtime/verify/launch.hpp"
#include "tests/catch.hpp"
#include "tests/counters/counters.hpp"

namespace heddle::counting {
namespace {

// More than a tile of backward by distance has rows.
constexpr std::int64_t kTokens = 350;

struct Kind {
  const char* pattern;
  ElementType dtype;
  int head_dim;
};

Prepared backward_of(const Kind& kind) {
  GenerateOptions options;
  options.ops = {"backward"};
  options.target = ir::Target::kCuda;
  options.schedule = "auto";
  options.weights = WeightKind::kSoftmax;
  options.dtype = kind.dtype;
  options.head_dim = kind.head_dim;
  options.exact_to = kTokens;
  const Result<Pattern> pattern = builtin(kind.pattern);
  REQUIRE(pattern);
  Result<Prepared> prepared = prepare(*pattern, options, kTokens);
  if (!prepared) FAIL(kind.pattern << ": " << prepared.error().message);
  return *std::move(prepared);
}

// The rows in their own order: which entry scores highest, A's positions counted from 0 on and B's
// from tokens on.
std::vector<std::int64_t> leaders(const Prepared& prepared, int dim) {
  const HostBuffer& q = prepared.buffers.at("q");
  const HostBuffer& k = prepared.buffers.at("k");
  std::vector<std::int64_t> result;
  for (std::int64_t i = 1; i <= kTokens; ++i) {
    double highest = -INFINITY, next = -INFINITY;
    std::int64_t leads = -1;
    const auto score = [&](std::int64_t p, std::int64_t number) {
      double sum = 0;
      for (int d = 0; d < dim; ++d) sum += q.get((i - 1) * dim + d) * k.get((p - 1) * dim + d);
      next = std::max(next, std::min(sum, highest));
      if (sum > highest) leads = number;
      highest = std::max(highest, sum);
    };
    for_each_position(prepared.rows.a, i, [&](std::int64_t p) { score(p, p - 1); });
    for_each_position(prepared.rows.b, i, [&](std::int64_t p) { score(p, kTokens + p - 1); });
    CHECK(highest - next > 1000);
    result.push_back(leads);
  }
  return result;
}

// dx where row i has weight 1 at the entry that leads: lambda = dy + B^T lambda, dx = A^T lambda.
std::vector<double> expected(const Prepared& prepared, int dim) {
  const std::vector<std::int64_t> leads = leaders(prepared, dim);
  std::vector<double> lambda, dx(kTokens * dim, 0.0);
  for (std::int64_t at = 0; at < kTokens * dim; ++at) {
    lambda.push_back(prepared.buffers.at("dy").get(at));
  }
  for (std::int64_t token = kTokens; token-- > 0;) {
    const std::int64_t from = leads[static_cast<std::size_t>(token)];
    std::vector<double>& into = from < kTokens ? dx : lambda;
    for (int d = 0; d < dim; ++d) {
      into[static_cast<std::size_t>(from % kTokens * dim + d)] +=
          lambda[static_cast<std::size_t>(token * dim + d)];
    }
  }
  return dx;
}

void fill(Prepared& prepared) {
  RandomSource random(5);
  for (const char* name : {"q", "k", "dy"}) {
    HostBuffer& buffer = prepared.buffers.at(name);
    const double reach = std::string(name) == "dy" ? 1.0 : 6000.0;
    for (std::int64_t at = 0; at < buffer.count(); ++at) {
      buffer.set(at, (static_cast<double>(random.below(1 << 20)) / (1 << 19) - 1.0) * reach);
    }
  }
}

// How far dx is off, in units of the type.
double off(Prepared prepared, const Kind& kind) {
  fill(prepared);
  const auto kernel = KernelUnderTest::build(prepared.artifact.manifest, prepared.kernel(),
                                             prepared.artifact.files);
  REQUIRE(kernel);
  const auto outcome = kernel->launch(LaunchRequest{.sizes = prepared.problem.sizes,
                                                    .buffers = &prepared.buffers,
                                                    .expected_work = prepared.expected_work});
  REQUIRE(outcome);
  CHECK(outcome->findings.empty());
  const std::vector<double> right = expected(prepared, kind.head_dim);
  const double unit = kind.dtype == ElementType::kF32   ? 1e-5
                      : kind.dtype == ElementType::kF16 ? 1e-3
                                                        : 8e-3;
  double worst = 0;
  for (std::size_t at = 0; at < right.size(); ++at) {
    const double found = prepared.buffers.at("dx").get(static_cast<std::int64_t>(at));
    const double here = std::abs(found - right[at]) / (1 + std::abs(right[at]));
    worst = std::isfinite(found) ? std::max(worst, here) : INFINITY;
  }
  return worst / unit;
}

void check(const Kind& kind) {
  INFO(kind.pattern << ", " << name_of(kind.dtype) << ", " << kind.head_dim);
  Prepared prepared = backward_of(kind);
  CHECK(prepared.kernel().steps.size() > 2);
  CHECK(off(std::move(prepared), kind) < 1);
}

// The same sums in another order, at one place after the other.
void check_edited(const Kind& kind, const std::string& step, const std::string& from,
                  const std::string& to) {
  const Prepared prepared = backward_of(kind);
  const std::string file = prepared.kernel().symbol + "_" + step + ".cu";
  const std::string& text = prepared.artifact.files.at(file);
  std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  for (; at != std::string::npos; at = text.find(from, at + 1)) {
    INFO(kind.pattern << ", " << step << " at " << at << ": " << from << " -> " << to);
    Prepared edited = prepared;
    edited.artifact.files.at(file).replace(at, from.size(), to);
    CHECK(off(std::move(edited), kind) > 100);
  }
}

TEST_CASE("launches of backward of lattices find the same scores bit by bit") {
  for (const Kind& kind :
       {Kind{"sqrt_cached", ElementType::kF32, 64}, Kind{"sqrt_cached", ElementType::kBF16, 64},
        Kind{"fibonacci_cached", ElementType::kF16, 128},
        Kind{"log_cached", ElementType::kF32, 40}}) {
    check(kind);
  }
}

TEST_CASE("launches of backward by distance find the same scores bit by bit") {
  for (const Kind& kind : {Kind{"sqrt_recurrence", ElementType::kF32, 64},
                           Kind{"sqrt_recurrence", ElementType::kBF16, 64},
                           Kind{"log_recurrence", ElementType::kBF16, 8},
                           Kind{"sqrt_attention", ElementType::kF32, 64}}) {
    check(kind);
  }
}

TEST_CASE("launches that sum a score in another order are told") {
  check_edited({"sqrt_cached", ElementType::kF32, 64}, "lambda",
               "+ query_2[0] * key[0] + query_2[1] * key[1]",
               "+ (query_2[0] * key[0] + query_2[1] * key[1])");
  check_edited({"sqrt_recurrence", ElementType::kF32, 64}, "lambda",
               "queries[turn * 8 + part] * key[part]",
               "queries[turn * 8 + 3 - part] * key[3 - part]");
}

}  // namespace
}  // namespace heddle::counting
