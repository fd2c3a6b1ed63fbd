// SPDX-License-Identifier: Apache-2.0
// Generated CPU kernels against float64, for every built-in pattern: prefill alone, prefill in two
// pieces, prefill then decode, and decode from nothing must all give the reference, and the cache
// must hold exactly what the next row reads.
#include "tests/catch.hpp"
#include "tests/unit/codegen/kernel_harness.hpp"

namespace heddle::test {
namespace {

const std::vector<std::string> kSoftmaxPatterns = {"attention",
                                                   "local_attention",
                                                   "linear_recurrence",
                                                   "order_k_recurrence",
                                                   "dense_recurrence",
                                                   "chacal",
                                                   "log_attention",
                                                   "log_recurrence",
                                                   "log_cached",
                                                   "sqrt_attention",
                                                   "sqrt_recurrence",
                                                   "sqrt_cached",
                                                   "fibonacci_recurrence",
                                                   "fibonacci_cached",
                                                   "strided_attention"};

struct Case {
  Pattern pattern;
  Artifact artifact;
};

std::vector<Case> cases_of(const std::vector<std::string>& names, GenerateOptions options) {
  options.exact_to = 512;
  std::vector<Case> cases;
  for (const std::string& name : names) {
    Pattern pattern = builtin(name);
    Artifact artifact = artifact_of(pattern, options);
    cases.push_back({std::move(pattern), std::move(artifact)});
  }
  return cases;
}

HostLibrary library_of(const std::vector<Case>& cases) {
  std::vector<Artifact> artifacts;
  for (const Case& entry : cases) artifacts.push_back(entry.artifact);
  return HostLibrary(artifacts);
}

// Every way of feeding the tokens gives the reference.
void check_all_ways(const std::vector<Case>& cases, const std::vector<Shape>& shapes, float gamma,
                    double tolerance) {
  const HostLibrary library = library_of(cases);
  for (const Case& entry : cases) {
    for (const Shape& shape : shapes) {
      const int half = shape.tokens / 2;
      std::vector<std::vector<std::pair<const char*, int>>> ways = {
          {{"prefill", shape.tokens}},
          {{"prefill", half}, {"prefill", shape.tokens - half}},
          {{"prefill", half}, {"decode", shape.tokens - half}},
          {{"decode", shape.tokens}}};
      if (!entry.artifact.manifest.sliced.empty()) {
        ways.push_back({{"prefill by slices", half}, {"prefill by slices", shape.tokens - half}});
      }
      for (std::size_t way = 0; way < ways.size(); ++way) {
        Session session(entry.pattern, entry.artifact, library, shape, gamma, 7 + shape.tokens);
        for (const auto& [op, count] : ways[way]) {
          if (count > 0) session.run(op, count);
          INFO(entry.pattern.name()
               << ", " << shape.tokens << " tokens, way " << way << ", after " << session.done());
          CHECK(session.error() < tolerance);
          CHECK(session.cache_problem() == "");
        }
      }
    }
  }
}

const std::vector<Shape> kShapes = {{1, 1, 1}, {1, 2, 2}, {2, 3, 63}, {1, 1, 100}, {1, 1, 257}};

}  // namespace

TEST_CASE("softmax kernels agree with float64 on every built-in pattern") {
  GenerateOptions options;
  options.head_dim = 20;
  options.weights = WeightKind::kSoftmax;
  const std::vector<Case> cases = cases_of(kSoftmaxPatterns, options);
  check_all_ways(cases, kShapes, 0.5f, 2e-5);
}

TEST_CASE("softmax kernels in bf16 and f16, with an uneven split between inputs and outputs") {
  GenerateOptions options;
  options.head_dim = 33;
  options.weights = WeightKind::kSoftmax;
  for (const auto& [dtype, tolerance] :
       {std::pair(ElementType::kBF16, 3e-2), std::pair(ElementType::kF16, 4e-3)}) {
    options.dtype = dtype;
    const std::vector<Case> cases =
        cases_of({"chacal", "local_attention", "log_cached", "sqrt_recurrence"}, options);
    check_all_ways(cases, {{1, 2, 2}, {2, 2, 63}}, 0.9f, tolerance);
  }
}

TEST_CASE("given-weight kernels agree with float64 on every built-in pattern") {
  GenerateOptions options;
  options.head_dim = 5;
  options.weights = WeightKind::kGiven;
  const std::vector<Case> cases = cases_of(kSoftmaxPatterns, options);
  check_all_ways(cases, {{1, 1, 1}, {2, 3, 63}, {1, 1, 100}}, 0.5f, 1e-4);
}

TEST_CASE("gated kernels agree with float64 on every built-in pattern") {
  GenerateOptions options;
  options.weights = WeightKind::kGated;
  options.head_dim = 5;
  check_all_ways(cases_of(kSoftmaxPatterns, options), {{1, 1, 1}, {2, 3, 63}, {1, 1, 100}}, 0.5f,
                 1e-4);
  options.head_dim = 24;
  options.dtype = ElementType::kBF16;
  check_all_ways(cases_of({"linear_recurrence", "chacal", "log_cached"}, options), {{2, 2, 63}},
                 0.5f, 3e-2);
  options.dtype = ElementType::kF16;
  check_all_ways(cases_of({"linear_recurrence", "chacal", "log_cached"}, options), {{2, 2, 63}},
                 0.5f, 4e-3);
}

TEST_CASE("given-weight kernels of whole lanes work on slices as well") {
  GenerateOptions options;
  options.head_dim = 96;
  options.weights = WeightKind::kGiven;
  const std::vector<Case> cases =
      cases_of({"chacal", "linear_recurrence", "log_cached", "sqrt_recurrence"}, options);
  for (const Case& entry : cases) CHECK(entry.artifact.manifest.sliced.size() == 1);
  check_all_ways(cases, {{1, 1, 1}, {2, 3, 63}}, 0.5f, 1e-4);
  // Long enough for windows of far outputs in more than one tile of rows.
  options.head_dim = 32;
  check_all_ways(cases_of({"dense_recurrence", "sqrt_recurrence"}, options), {{1, 1, 900}}, 0.5f,
                 1e-4);
  options.head_dim = 72;
  CHECK(cases_of({"log_cached"}, options)[0].artifact.manifest.sliced.empty());
}

// The ring of outputs comes round more than once, and holds what the caller's rounding left.
TEST_CASE("short rows of given weights in bf16, and of more channels than fit registers") {
  const std::vector<std::string> names = {"log_recurrence", "order_k_recurrence"};
  GenerateOptions options;
  options.weights = WeightKind::kGiven;
  options.head_dim = 136;
  check_all_ways(cases_of(names, options), {{1, 2, 70}}, 0.5f, 1e-4);
  options.dtype = ElementType::kBF16;
  for (const int head_dim : {33, 64}) {
    options.head_dim = head_dim;
    const std::vector<Case> cases = cases_of(names, options);
    for (const Case& entry : cases) {
      CHECK(entry.artifact.files.at(entry.pattern.name() + "_prefill.cpp").find("short_rows<") !=
            std::string::npos);
    }
    check_all_ways(cases, {{1, 2, 2}, {2, 2, 63}, {1, 1, 150}}, 0.5f, 3e-2);
  }
}

TEST_CASE("linear kernels agree with float64") {
  GenerateOptions options;
  options.head_dim = 17;
  options.state_dim = 6;
  const std::vector<Case> cases = cases_of({"linear_attention"}, options);
  check_all_ways(cases, kShapes, 0.5f, 1e-5);
}

}  // namespace heddle::test
