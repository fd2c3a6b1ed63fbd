// SPDX-License-Identifier: Apache-2.0
// Staged prefill of lattices: which row of shared memory is kept for which position is noted with
// the row, so that no list can lead two warps to one row or anyone to a row that was not filled.
#include "analyzer/smt/plain_solver.hpp"
#include "tests/unit/codegen/verify/static_support.hpp"

namespace heddle::test {
namespace {

GenerateOptions staged(WeightKind weights) {
  GenerateOptions options = cuda("prefill");
  options.weights = weights;
  options.schedule = "staged";
  options.exact_to = 1024;
  return options;
}

// Who fills a row, and who reads it.
const std::vector<Break>& breaks_of_rows() {
  static const std::vector<Break> all = {
      {"row >= 0 && taken_for[row] == entry", "row >= 0"},
      {"entry < opened; entry += 9", "entry < opened; entry += 4"},
      {"    if (row >= 0 && taken_for",
       "    taken_for[row] = entry;\n    if (row >= 0 && taken_for"},
      {"candidate < live_rows && holds[candidate] == p", "candidate < live_rows"},
      {"candidate < live_rows && holds[candidate] == p",
       "candidate < live_rows && taken_for[candidate] < p"},
      {"candidate >= 0 && candidate < live_rows", "candidate < live_rows"},
      {"candidate >= 0 && candidate < live_rows", "candidate >= 0"},
      {"    holds[slot] = 0;\n", ""},
      {"holds[slot] = 0;", "holds[slot] = slot;"},
      {"          holds[row] = p;", "          holds[0] = p;"},
      {"      if (p > 0 && p <= start) {\n",
       "      if (lane == 0) {\n        holds[row] = p;\n      }\n      if (p > 0 && p <= start) "
       "{\n"},
      {"staged[live_values_at + (row * 64 + d)] =", "staged[live_values_at + (row * 64 + lane)] ="},
      {"staged[live_values_at + (row * 64 + d)] =",
       "if (found > 0) staged[live_values_at + (row * 64 + d)] ="},
      {"part < 16; part += 32", "part < 15; part += 32"},
      {"live_keys_at = values_at + value_rows * 64", "live_keys_at = values_at"},
      {"if (p > 0 && p <= start)", "if (p <= start)"},
      {"r >= 0 && r < 32", "r < 32"}};
  return all;
}

// Lists, and who is at them.
const std::vector<Break>& breaks_of_lists() {
  static const std::vector<Break> all = {
      {"left >= 0 && free < live_rows", "left >= 0"},
      {"if (used < live_rows)", "if (used <= live_rows)"},
      {"if (free > 0) {\n            free -= 1;\n            row = free_rows[free];\n            "
       "taken_for[row] = fresh",
       "if (free >= 0) {\n            free -= 1;\n            row = free_rows[free];\n            "
       "taken_for[row] = fresh"},
      {"entries + 8 <= listed", "entries + 7 <= listed"},
      {"entries + 1 <= listed", "entries <= listed"},
      {"if (entries > 0)", "if (entries >= 0)"},
      {"held_in[slot] = -1", "held_in[slot] = live_rows"},
      {"if (thread == 0) {\n    Index free", "if (lane == 0) {\n    Index free"},
      {"if (thread == 256) {", "if (lane == 0) {"},
      {"  __syncthreads();\n  if (thread == 0) {", "  if (thread == 0) {"},
      {"  __syncthreads();\n  const Index opened", "  const Index opened"},
      {"    await_batches<1>();\n    __syncthreads();\n", "    await_batches<1>();\n"},
      {"      parity = 1 - parity;\n    }\n    __syncthreads();\n",
       "      parity = 1 - parity;\n    }\n"},
      {"parity = 1 - parity;", "parity = 2 - parity;"}};
  return all;
}

// What is looked up before a chunk.
const std::vector<Break>& breaks_of_tables() {
  static const std::vector<Break> all = {
      {"thread == 0 && count < 31", "thread == 0 && count <= 31"},
      {"thread == 0 && count < 31", "count < 31"},
      {"minimum(counted, 31)", "counted"},
      {"r < 33; r += 36", "r < 34; r += 36"},
      {"r < 33; r += 36", "r < 32; r += 36"},
      {"r < 33; r += 36", "r < 33; r += 32"},
      {"number < terms; number += 8", "number <= terms; number += 8"},
      {"number < terms; number += 8", "number < terms; number += 7"},
      {"number < terms; number += 8", "number < terms; number += 16"},
      {"maximum(1, term_a[number])", "term_a[number]"},
      {"cells[r * 31 + number] =", "cells[r * 30 + number] ="},
      {"while (number < terms && more)", "while (number <= terms && more)"},
      {"cells[992 + number]", "cells[993 + number]"},
      {"number += 1;", "number -= 1;"}};
  return all;
}

}  // namespace

TEST_CASE("no kernel is verified whose kept rows are filled twice, or read and not filled") {
  std::vector<Break> breaks = breaks_of_rows();
  breaks.insert(breaks.end(), breaks_of_lists().begin(), breaks_of_lists().end());
  breaks.insert(breaks.end(), breaks_of_tables().begin(), breaks_of_tables().end());
  none_is_verified(artifact_of(builtin("log_cached"), staged(WeightKind::kSoftmax)), breaks,
                   proofs_only(800'000));
}

// Whether rows hold the right values is asked by the layers that run the text: they reject some of
// these (verify_generated_test), and the others change nothing but what is asked of global memory.
TEST_CASE("lists and notes that are wrong are no danger to memory") {
  const Artifact artifact = artifact_of(builtin("log_cached"), staged(WeightKind::kSoftmax));
  std::map<std::string, smt::Answer> answered;
  StaticOptions options = proofs_only();
  options.answered = &answered;
  for (const Break& each : std::vector<Break>{
           {"holds[candidate] == p", "holds[candidate] > 0"},
           {"staged + (key_from + r)", "staged + (key_from + 0)"},
           {"staged + values_at + (value_from + r)", "staged + values_at + (value_from + 31 - r)"},
           {"          holds[row] = p;", "          holds[row] = p - 1;"},
           {"free_rows[free] = left", "free_rows[free] = 0"},
           {" + old] == p)", " + old] <= p)"},
           {"(entries + 7)] >= p", "(entries + 7)] <= p"},
           {"Index candidate = -1", "Index candidate = 0"},
           {"f_2 < i ?", "f_2 <= i ?"}}) {
    const StaticReport report = report_of(artifact, broken(artifact, each), options);
    INFO(each.old << " -> " << each.fresh << "\n" << told(report));
    CHECK(report.verdict == StaticVerdict::kVerified);
  }
}

// The rows of a chunk and the warps that have a row's channels then go by one stride.
TEST_CASE("rows of as many channels as a chunk has rows are proved") {
  GenerateOptions options = staged(WeightKind::kSoftmax);
  options.dtype = ElementType::kBF16;
  options.head_dim = 32;
  const Artifact artifact = artifact_of(builtin("log_cached"), options);
  const StaticReport report =
      report_of(artifact, artifact.files.at(artifact.manifest.kernels[0].file), proofs_only());
  INFO(told(report));
  CHECK(report.verdict == StaticVerdict::kVerified);
}

TEST_CASE("what proofs about noted rows start from is not contradictory") {
  StaticOptions options = proofs_only();
  options.keep_scripts = true;
  const Artifact artifact = artifact_of(builtin("log_cached"), staged(WeightKind::kGiven));
  const StaticReport report =
      report_of(artifact, artifact.files.at(artifact.manifest.kernels[0].file), options);
  INFO(told(report));
  CHECK(report.verdict == StaticVerdict::kVerified);
  smt::PlainSolver solver;
  int asked = 0;
  for (const ReplayableScript& each : report.scripts) {
    if (each.statement != "a row that is noted is filled") continue;
    const std::size_t goal = each.script.find("; the goal, negated");
    REQUIRE(goal != std::string::npos);
    INFO(each.script);
    CHECK(solver.solve(each.script.substr(0, goal), 1'000'000, false).answer == smt::Answer::kSat);
    ++asked;
  }
  CHECK(asked >= 2);
}

}  // namespace heddle::test
