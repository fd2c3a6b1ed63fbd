// SPDX-License-Identifier: Apache-2.0
// Every pair of tests/broken_kernels: the bad twin is caught, with the right kind of finding at the
// line that is to blame, in every lane order; the good one is clean and gives bitwise the same
// result in all of them.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "codegen/prelude/prelude.hpp"
#include "runtime/emulator/emulated_kernel.hpp"
#include "tests/catch.hpp"

using namespace heddle;
using namespace heddle::emulator;

namespace {

struct Specimen {
  std::string name;
  std::string text;
  std::string expected;
  int blocks = 0;
  int threads = 0;
  int dynamic_shared = 0;
  std::set<int> guilty;  // the lines that say so
};

std::map<std::string, Specimen> specimens() {
  std::map<std::string, Specimen> found;
  for (const auto& entry : std::filesystem::directory_iterator(HEDDLE_BROKEN_KERNELS)) {
    if (entry.path().extension() != ".cu") continue;
    std::ifstream file(entry.path());
    Specimen specimen;
    specimen.name = entry.path().filename().string();
    specimen.text = {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    std::istringstream lines(specimen.text);
    std::string line, word;
    std::getline(lines, line);
    lines >> word >> word >> specimen.expected;
    lines >> word >> word >> specimen.blocks >> specimen.threads;
    std::getline(lines, line);
    std::istringstream(line) >> specimen.dynamic_shared;
    REQUIRE(specimen.threads > 0);
    for (int number = 4; std::getline(lines, line); ++number) {
      if (line.find("// here") != std::string::npos) specimen.guilty.insert(number);
    }
    found[specimen.name] = specimen;
  }
  return found;
}

struct Outcome {
  EmulationResult result;
  std::vector<float> y;
};

Outcome run(EmulatedKernel& kernel, const Specimen& specimen, LaneOrder order) {
  std::vector<float> x(64);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.25F * static_cast<float>(i % 13) - 1.0F;
  Outcome outcome;
  outcome.y.assign(64, -99.0F);
  Launch launch;
  launch.blocks = specimen.blocks;
  launch.threads = specimen.threads;
  launch.dynamic_shared_bytes = static_cast<std::size_t>(specimen.dynamic_shared);
  launch.buffers = {{"x", x.data(), 256, Access::kRead, {}},
                    {"y", outcome.y.data(), 256, Access::kWrite, {}}};
  launch.arguments = {BufferArgument{0}, BufferArgument{1}, 64};
  launch.order = order;
  launch.step_limit = 1'000'000;
  auto result = kernel.run(launch);
  if (!result) FAIL(result.error().message);
  outcome.result = std::move(*result);
  return outcome;
}

std::string shown(const EmulationResult& result) {
  std::string text;
  for (const Finding& finding : result.findings) {
    text +=
        std::string(name_of(finding.kind)) + " at " + finding.where + ": " + finding.message + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("the bad twin is caught, the good one is clean") {
  const auto all = specimens();
  REQUIRE(all.size() >= 2 * 85);
  for (const auto& [name, specimen] : all) {
    const bool good = name.find(".good.") != std::string::npos;
    const std::string twin = name.substr(0, name.find('.')) + (good ? ".bad.cu" : ".good.cu");
    INFO(name);
    REQUIRE(all.count(twin) == 1);
    REQUIRE((specimen.expected == "clean") == good);
    const std::map<std::string, std::string> includes = {
        {"device_prelude.cuh", std::string(device_prelude())},
        {"staging_prelude.cuh", std::string(staging_prelude())},
        {"tensor_prelude.cuh", std::string(tensor_prelude())}};
    auto kernel = EmulatedKernel::build({name, specimen.text, "kernel", includes, Dialect::kCuda});
    if (!kernel) FAIL(kernel.error().message);
    std::vector<float> first;
    for (const LaneOrder order : {LaneOrder::kForward, LaneOrder::kReverse, LaneOrder::kShuffled}) {
      const Outcome outcome = run(*kernel, specimen, order);
      INFO(name_of(order) << "\n" << shown(outcome.result));
      if (good) {
        CHECK(outcome.result.findings.empty());
        CHECK(outcome.result.completed);
        if (first.empty()) first = outcome.y;
        CHECK(outcome.y == first);
      } else {
        const auto& findings = outcome.result.findings;
        const auto caught = std::find_if(findings.begin(), findings.end(), [&](const Finding& f) {
          return name_of(f.kind) == specimen.expected;
        });
        REQUIRE(caught != findings.end());
        // "NAME:12", "NAME:12 (helper.cuh:3)", or nothing where no line is to blame.
        const std::size_t colon = caught->where.find(':');
        const int line = colon == std::string::npos ? 0 : std::atoi(&caught->where[colon + 1]);
        CHECK(caught->where.substr(0, colon) == (line == 0 ? "" : name));
        CHECK(specimen.guilty.count(line) == (line == 0 ? 0 : 1));
        CHECK(specimen.guilty.empty() == (line == 0));
      }
    }
  }
}
