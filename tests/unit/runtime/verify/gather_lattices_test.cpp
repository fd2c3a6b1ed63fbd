// SPDX-License-Identifier: Apache-2.0
// Backward on cuda in several launches, where rows are lattices: what a block lists of their terms,
// and sums over nested rows. Texts that mistake rows, terms or positions are rejected.
#include "tests/unit/runtime/verify/gather_edits.hpp"

namespace heddle {
namespace {

using test::explain;
using test::gather::generated;
using test::gather::Kind;
using test::gather::reject;
using test::gather::rows_of;
using test::scan::quick;

// Rows of a lattice, whose terms a block lists and looks up: all at once, or part by part.
TEST_CASE("rows of lattices that groups of lanes share are verified") {
  for (const Kind& kind : {Kind{"log_cached", WeightKind::kSoftmax, ElementType::kBF16, 64},
                           Kind{"sqrt_cached", WeightKind::kSoftmax, ElementType::kF16, 64, true},
                           Kind{"dense_lattice", WeightKind::kSoftmax, ElementType::kF32, 32}}) {
    const Artifact artifact = generated(kind);
    const std::string file = std::string(kind.pattern) + "_backward_rows.cu";
    CHECK(artifact.files.at(file).find("lane_of_row") != std::string::npos);
    const VerifyReport report = verify(artifact.manifest, artifact.files, rows_of(kind), quick());
    INFO(kind.pattern << ", " << name_of(kind.weights) << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

// Which terms are listed, where they lead whom, and what is made of an entry.
TEST_CASE("groups of lanes that mistake what a row of a lattice reads are rejected") {
  reject({"log_cached", WeightKind::kSoftmax, ElementType::kF32, 32},
         {{"weights", "place < 32", "place < 3", false},
          {"weights", "f * 2", "f * 3"},
          {"weights", "lane / 8", "lane / 16"},
          {"weights", "begin + lane + 1", "begin + lane"},
          {"weights", "float highest = score", "float highest = 0.0f"},
          {"weights", "held ? gamma", "counts ? gamma"},
          {"weights", "(e + part) * 32", "e * 32"},
          {"weights", "__syncthreads();", "", false},
          {"rows", "begin += 32", "begin += 64"},
          {"rows", "counts = token < end", "counts = token <= end", false},
          {"rows", "warp_sum<8>(product_4)", "warp_sum<4>(product_4)"},
          {"rows", "lane_of_row == 0", "lane == 0"},
          {"rows", "scratch_mean[statistic_at] = mean", "scratch_mean[statistic_at] = 0.0f"},
          {"rows", "(change_2 - mean)", "change_2"},
          {"rows", "__expf(score_2 - highest) * inverse", "__expf(score_2 - highest)"},
          {"rows", "slope_2 * key", "slope_2 * query"},
          {"rows", "weight * lambda[part]", "lambda[part]"},
          {"rows", "y + from", "x + from"}});
  reject({"sqrt_cached", WeightKind::kSoftmax, ElementType::kF32, 32},
         {{"weights", "p < above", "p <= above"},
          {"weights", "above = held ? p : above", "above = above"},
          {"rows", "positions[number * 32 + lane] = p", "positions[number * 32 + lane] = p - 1"}});
  // More terms than are listed at once.
  reject({"dense_lattice", WeightKind::kSoftmax, ElementType::kF32, 32},
         {{"weights", "terms > 32", "terms > 400"},
          {"rows", "listed - window", "listed"},
          {"rows", "window += 32", "window += 64"}});
}

TEST_CASE("sums over nested rows that mistake rows or positions are rejected") {
  reject({"sqrt_cached", WeightKind::kGiven},
         {{"lambda", "past / 32 * 32", "past / 32 * 32 + 2"},
          {"lambda", "tokens - 1 - done", "done"},
          {"lambda", "position = first + 1 + item", "position = first + 2 + item"},
          {"lambda", "first + 1 - p <= term_f[term_at]", "first + 1 - p < term_f[term_at]"},
          {"lambda", "term_a[term_at + 1]", "term_a[term_at]"},
          {"lambda", "term_f[terms_left] >= first_row", "term_f[terms_left] > 1"},
          {"lambda", "dividing += 2", "dividing += 0"},
          {"lambda", "last_f[dividing - 1]", "last_f[0]"},
          {"lambda", "position + reach - first - 1", "position + reach - first"},
          {"lambda", "lane > c + (3 - part)", "lane >= c + (3 - part)"},
          {"lambda", "lane <= last_reader[entry + part + 32]", "lane < size"},
          {"lambda", "passed += 1", "passed += 0"},
          {"lambda", "other = c + 4", "other = c"},
          {"lambda", "weights[3 - part]", "weights[part]"},
          {"lambda", "c < reader;", "c < reader - 1;"},
          {"lambda", "reader = 31 - r", "reader = 30 - r"},
          {"lambda", "near[reader * 36 + c]", "near[c * 36 + reader]"},
          {"lambda", "* column[reader]", "* column[c]"},
          {"lambda", "reader = 31 - r", "reader = r"},
          {"lambda", "held[e + part]", "held[e]"},
          {"lambda", "is_first = window == 0", "is_first = window == 1"},
          {"lambda", "column[r] = own[r * 9 + d]", "column[r] = own[d]"},
          {"lambda", "lane % 4", "lane % 2"},
          {"lambda", "warp_sum<4>(sum)", "sum"},
          {"lambda", "= pushed[part]", "= 2.0f * pushed[part]"},
          {"lambda", "__syncthreads();", "", false}});
  reject({"sqrt_cached", WeightKind::kSoftmax},
         {{"lambda", "r < size ? q[", "r < size ? k["},
          {"lambda", "staged + (c + 32) * 12", "staged + (c + 33) * 12"},
          {"lambda", "products[part] - highest", "products[0] - highest"},
          {"lambda", "lane <= last_reader[entry + part + 32]", "lane < size"},
          {"columns", "scratch_mean[statistic_at]", "0.0f"},
          {"columns", "slope * query[part]", "slope"},
          {"columns", "p % a == 0", "p % 2 == 0"},
          {"columns", "more && f < behind", "more && f < 2"},
          {"columns", "reader < near_end", "reader < near_end - 1"},
          {"columns", "tokens - behind + reach", "tokens - behind + reach - 1"},
          {"columns", "reader = from + warp", "reader = from + 1 + warp"},
          {"columns", "other < 8", "other < 7"},
          {"columns", "warp == r", "warp == 0"}});
  // Of more positions than there are weights for, the windows after the first.
  reject({"dense_lattice", WeightKind::kGiven},
         {{"lambda", "item < 32 + live_rows", "item < 16 + live_rows"},
          {"lambda", "counted = entry + 4", "counted = entry"},
          {"lambda", "fits ? window : 0", "0"},
          {"lambda", "window += live_rows", "window += live_rows + 16"},
          {"lambda", "window < maximum(count, 1)", "window < 1"},
          {"lambda", "is_first = window == 0", "is_first = window >= 0"}});
}

// Of more terms than are kept at a time.
TEST_CASE("backward of a lattice of many terms is verified") {
  const Kind kind = {"dense_lattice", WeightKind::kGiven};
  const Artifact artifact = generated(kind);
  VerifyOptions options = quick();
  options.sizes = {300};
  options.work_budget = 10'000'000;
  const VerifyReport report = verify(artifact.manifest, artifact.files, rows_of(kind), options);
  INFO(explain(report));
  CHECK(report.verdict == KernelVerdict::kVerified);
}

}  // namespace
}  // namespace heddle
