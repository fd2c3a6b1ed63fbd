// SPDX-License-Identifier: Apache-2.0
// Quantiles against their definition, and that rounds are interleaved as promised.
#include "runtime/bench/measure.hpp"

#include <chrono>
#include <thread>

#include "tests/catch.hpp"

namespace heddle {
namespace {

TEST_CASE("a summary is the median and the tenth and ninetieth percentile") {
  const Timing eleven = summarize({11, 1, 10, 2, 9, 3, 8, 4, 7, 5, 6});
  CHECK(eleven.median_ms == 6.0);
  CHECK(eleven.p10_ms == 2.0);
  CHECK(eleven.p90_ms == 10.0);
  CHECK(eleven.samples == 11);
  const Timing two = summarize({4.0, 2.0});
  CHECK(two.median_ms == 3.0);
  CHECK(two.p10_ms == Approx(2.2));
  CHECK(two.p90_ms == Approx(3.8));
  CHECK(summarize({5.0}).median_ms == 5.0);
}

TEST_CASE("contestants take turns on the same input, in rotating order") {
  std::vector<std::pair<char, int>> log;
  std::vector<char> prepared;
  const std::vector<Contestant> contestants = {
      {"a", [&](int set) { log.emplace_back('a', set); }, [&](int) { prepared.push_back('a'); }},
      {"b", [&](int set) { log.emplace_back('b', set); }, {}},
  };
  TimingOptions options;
  options.input_sets = 3;
  options.warmup_rounds = 1;
  options.min_rounds = 4;
  options.max_rounds = 4;
  options.sample_ms = 0.0;
  const std::vector<Timing> timings = measure_interleaved(contestants, options);
  // Each sample has one before it that is not timed.
  const std::vector<std::pair<char, int>> expected = {
      {'a', 0}, {'a', 1}, {'b', 0}, {'b', 1}, {'b', 1}, {'b', 2}, {'a', 1},
      {'a', 2}, {'a', 2}, {'a', 0}, {'b', 2}, {'b', 0}, {'b', 0}, {'b', 1},
      {'a', 0}, {'a', 1}, {'a', 1}, {'a', 2}, {'b', 1}, {'b', 2}};
  CHECK(log == expected);
  CHECK(prepared.size() == 10);
  REQUIRE(timings.size() == 2);
  CHECK(timings[0].samples == 4);
  CHECK(timings[1].samples == 4);
}

TEST_CASE("a sample of short runs is several, on one input set after another") {
  using namespace std::chrono_literals;
  std::vector<int> prepared;
  std::vector<int> run;
  const std::vector<Contestant> contestants = {
      {"short", [&](int set) { run.push_back(set); }, [&](int set) { prepared.push_back(set); }},
      {"long", [](int) { std::this_thread::sleep_for(2ms); }, {}},
  };
  TimingOptions options;
  options.input_sets = 3;
  options.warmup_rounds = 1;
  options.min_rounds = 2;
  options.max_rounds = 2;
  options.sample_ms = 2.0;
  const std::vector<Timing> timings = measure_interleaved(contestants, options);
  CHECK(run == std::vector<int>{0, 1, 1, 2, 0, 0, 1, 2});
  CHECK(prepared == run);
  CHECK(timings[0].samples == 2);
  CHECK(timings[0].median_ms < 1.0);   // of one run, not of three
  CHECK(timings[1].median_ms >= 2.0);  // alone in its sample
}

TEST_CASE("only the run is timed, the budget ends the rounds, the slower one is slower") {
  using namespace std::chrono_literals;
  int rounds = 0;
  const std::vector<Contestant> contestants = {
      {"fast", [](int) {}, [](int) { std::this_thread::sleep_for(8ms); }},
      {"slow", [&](int) { ++rounds, std::this_thread::sleep_for(4ms); }, {}},
  };
  TimingOptions options;
  options.warmup_rounds = 0;
  options.min_rounds = 3;
  options.max_rounds = 1000;
  options.budget_seconds = 0.02;
  const std::vector<Timing> timings = measure_interleaved(contestants, options);
  CHECK(timings[0].median_ms < 2.0);
  CHECK(timings[1].median_ms >= 4.0);
  CHECK(rounds <= 7);
  CHECK(timings[0].samples == timings[1].samples);
}

TEST_CASE("the machine is named") {
  const MachineFacts facts = machine_facts();
  CHECK(facts.logical_cores >= 1);
  CHECK_FALSE(facts.cpu.empty());
  CHECK_FALSE(facts.compiler.empty());
  CHECK_FALSE(facts.system.empty());
}

}  // namespace
}  // namespace heddle
