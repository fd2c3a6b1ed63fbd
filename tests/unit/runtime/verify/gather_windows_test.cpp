// SPDX-License-Identifier: Apache-2.0
// Backward on cuda in several launches, where rows gather out of windows in shared memory: texts
// that mistake rows, places or turns are rejected.
#include "tests/unit/runtime/verify/gather_edits.hpp"

namespace heddle {
namespace {

using test::explain;
using test::gather::Edit;
using test::gather::generated;
using test::gather::Kind;
using test::gather::reject;
using test::gather::rows_of;
using test::scan::quick;

// Which rows a window brings in, where they lie, and who waits for whom.
TEST_CASE("windows of other rows, or ones that are not there yet, are rejected") {
  const std::vector<Edit> of_both = {{"", "other % 128", "(other + 1) % 128"},
                                     {"", "token % 128", "token % 64", false},
                                     {"", "await_batches<0>();", "", false},
                                     {"", "close_batch();", "", false},
                                     {"", "__syncthreads();", "", false}};
  const std::vector<Edit> of_rows = {
      {"", "first + count - distance)", "first + count - distance - 1)"},
      {"", "reached = from", "reached = from - 1"},
      {"", "maximum(first - distance, 0)", "maximum(first - distance, 1)"},
      {"", "first + r - distance", "first + r - distance + 1", false},
      {"", "other >= 0", "other >= 1"}};
  const std::vector<Edit> of_columns = {
      {"", "first + count + distance, tokens)", "first + count + distance - 1, tokens)"},
      {"", "reached = to", "reached = to + 1"},
      {"", "maximum(reached, first + distance)", "maximum(reached, first + distance) + 1"},
      {"", "first + r + distance", "first + r + distance - 1", false},
      {"", "other < tokens", "other < tokens - 1"}};
  for (const char* step : {"rows", "columns"}) {
    std::vector<Edit> edits = of_both;
    const bool rows = std::string(step) == "rows";
    for (const Edit& each : rows ? of_rows : of_columns) edits.push_back(each);
    for (Edit& each : edits) each.step = step;
    reject({rows ? "sqrt_recurrence" : "sqrt_attention", WeightKind::kGiven}, edits);
  }
}

// The same of rows that come in while those of the last distance are summed: what is new at a
// distance, where its ring has room for it, and when it is there.
TEST_CASE("windows of two distances that mistake rows, places or turns are rejected") {
  const std::vector<Edit> of_both = {
      {"", "(place + r) % 256", "(place + r + 1) % 256"},
      {"", "(behind + r) % 256", "(behind + r) % 128", false},
      {"", "minimum(distance - found, 128)", "minimum(distance - found, 127)", false},
      {"", "found = distance", "found = distance - 1", false},
      {"", "place = next_place", "place = place", false},
      {"", "next_place = behind % 256", "next_place = behind % 128", false},
      {"", "found >= 0", "found >= 2"},
      {"", "found = -128", "found = -100"},
      {"", "await_batches<0>();", "", false},
      {"", "await_batches<0>();", "await_batches<1>();", false},
      {"", "}\n  await_batches<0>();", "}", false},
      {"", "close_batch();", "", false},
      {"", "__syncthreads();", "", false},
      {"", "await_batches<0>();\n  __syncthreads();", "await_batches<0>();", false}};
  const std::vector<Edit> of_rows = {
      {"", "256 - fresh", "255 - fresh", false},
      {"", "place + (256 - fresh)", "place", false},  // over rows that others still sum
      {"", "maximum(0, distance - first)", "maximum(1, distance - first)", false},
      {"", "minimum(fresh, count)", "minimum(fresh, count - 1)", false},
      {"", "begin = first - distance", "begin = first - distance + 1", false},
      {"", "first + r - found", "first + r - found + 1", false},
      {"", "other >= 0", "other >= 1"}};
  const std::vector<Edit> of_columns = {
      {"", "128 - fresh", "129 - fresh", false},
      {"", "place + fresh", "place + fresh + 128", false},
      {"", "minimum(128, tokens - begin)", "minimum(128, tokens - begin - 1)", false},
      {"", "begin = first + distance", "begin = first + distance - 1", false},
      {"", "thread >= from", "thread > from", false},
      {"", "(behind + thread) % 256", "(behind + thread + 1) % 256", false},
      {"", "first + r + found", "first + r + found - 1", false},
      {"", "other < tokens", "other < tokens - 1"}};
  for (const char* step : {"rows", "columns"}) {
    std::vector<Edit> edits = of_both;
    const bool rows = std::string(step) == "rows";
    for (const Edit& each : rows ? of_rows : of_columns) edits.push_back(each);
    for (Edit& each : edits) each.step = step;
    reject({"sqrt_recurrence", WeightKind::kSoftmax}, edits);
  }
}

// Reals of readers, of which lanes have eight at a time, lie in two halves, four and four.
TEST_CASE("halves of vectors that change places are rejected") {
  reject({"log_recurrence", WeightKind::kSoftmax, ElementType::kBF16, 32},
         {{"columns", "d_2 / 4 % 2 * 32", "(1 - d_2 / 4 % 2) * 32"},
          {"columns", "d_2 / 4 / 2 * 4", "(1 - d_2 / 4 / 2) * 4"},
          {"columns", "there_2 + part * 8", "there_2 + (1 - part) * 8"},
          {"columns", "lane_of_row * 4 + 32", "lane_of_row * 4", false},
          {"columns", "slot * 48", "slot * 32", false}});
}

TEST_CASE("windows whose rows groups of lanes share are verified") {
  for (const Kind& kind : {Kind{"log_recurrence", WeightKind::kSoftmax, ElementType::kF32, 32},
                           Kind{"log_recurrence", WeightKind::kGiven, ElementType::kBF16, 64},
                           Kind{"local_attention", WeightKind::kSoftmax, ElementType::kF32, 32}}) {
    const Artifact artifact = generated(kind);
    const std::string file = std::string(kind.pattern) + "_backward_rows.cu";
    CHECK(artifact.files.at(file).find("lane_of_row") != std::string::npos);
    const VerifyReport report = verify(artifact.manifest, artifact.files, rows_of(kind), quick());
    INFO(kind.pattern << ", " << name_of(kind.weights) << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

// Whose row a group has, which channels a lane, and what they leave where there is no such entry.
TEST_CASE("groups of lanes that mistake a row of a window are rejected") {
  reject({"log_recurrence", WeightKind::kSoftmax, ElementType::kF32, 32},
         {{"weights", "lane / 4", "lane / 8"},
          {"weights", "if (held)", "if (counts)"},
          {"rows", "lane % 4", "lane % 2"},
          {"rows", "warp_sum<4>(product_3 + product_4)", "warp_sum<2>(product_3 + product_4)"},
          {"rows", "warp_sum<4>(product_3 + product_4)", "warp_sum<4>(product_3)"},
          {"rows", "key_at + lane_of_row * 4", "key_at + (3 - lane_of_row) * 4"},
          {"rows", "lane_of_row == 0", "lane == 0"},
          {"rows", "counts && other >= 0", "counts", false},  // what it finds may be zeros
          {"rows", "counts = r < count", "counts = r <= count", false},
          {"columns", "counts && other < tokens", "counts && other < tokens - 1"}});
  reject({"log_recurrence", WeightKind::kGiven, ElementType::kF32, 32},
         {{"rows", "if (held)", "if (counts)"}});
}

}  // namespace
}  // namespace heddle
