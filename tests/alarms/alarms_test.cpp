// SPDX-License-Identifier: Apache-2.0
// A sample of heddle_alarms, and that its ear is not deaf.
#include <set>

#include "tests/alarms/random_kernel.hpp"
#include "tests/catch.hpp"

namespace heddle::alarms {
namespace {

TEST_CASE("kernels of random patterns raise no alarm") {
  std::set<std::string> shapes;
  for (std::uint64_t number = 5000; number < 5005; ++number) {
    const RandomKernel kernel = random_kernel(number);
    shapes.insert(kernel.describe());
    INFO(number << ": " << kernel.describe() << "\n" << kernel.source);
    CHECK(complaint(kernel) == "");
  }
  CHECK(shapes.size() == 5);
}

TEST_CASE("a random kernel under the rows of another pattern does raise one") {
  // Matrix states do not depend on rows.
  std::uint64_t number = 5000;
  RandomKernel kernel = random_kernel(number);
  while (kernel.artifact.manifest.weights == "linear") kernel = random_kernel(++number);
  RandomKernel other = random_kernel(++number);
  while (other.rows.b.total() == kernel.rows.b.total()) other = random_kernel(++number);
  kernel.rows = other.rows;
  CHECK(complaint(kernel) != "");
}

}  // namespace
}  // namespace heddle::alarms
