// SPDX-License-Identifier: Apache-2.0
// Staged prefill solves a chunk with its outputs in registers. What the generator writes is
// verified, whichever columns a row may read; a text in which a row takes another output, or with
// another row's weight, is not.
#include "patterns/ast_print.hpp"
#include "tests/unit/runtime/verify/staged_texts.hpp"

namespace heddle {
namespace {

using Kind = test::StagedKind;

const test::StagedTexts kTexts{200, {1, 2, 33, 63, 100}, 1'000'000, 8, WeightKind::kGiven};

Kind softmax(Kind kind) {
  kind.weights = WeightKind::kSoftmax;
  return kind;
}

}  // namespace

TEST_CASE("prefill that solves chunks in registers is verified") {
  const std::vector<Kind> kinds = {{"log_recurrence"},
                                   softmax({"order_k_recurrence"}),
                                   softmax({"log_recurrence", ElementType::kBF16, 40}),
                                   {"linear_recurrence", ElementType::kF16, 5, "prefill", true},
                                   {"sqrt_recurrence"},
                                   softmax({"sqrt_recurrence", ElementType::kBF16, 40}),
                                   {"sqrt_cached"},
                                   softmax({"fibonacci_cached", ElementType::kBF16, 40}),
                                   {"log_cached", ElementType::kF32, 8, "prefill", true}};
  for (const Kind& kind : kinds) {
    CHECK(kTexts.generated(kind).manifest.kernels[0].schedule == "staged");
  }
  kTexts.verify(kinds);
}

TEST_CASE("only the distances that rows read are solved for, and none of the others") {
  const auto text = [](const char* pattern) { return kTexts.text_of({pattern}); };
  const std::string strides = text("log_recurrence"), lattice = text("log_cached");
  for (const char* distance :
       {"solved[r - 1]", "solved[r - 2]", "solved[r - 8]", "solved[r - 16]"}) {
    CHECK(strides.find(distance) != std::string::npos);
  }
  CHECK(strides.find("solved[r - 3]") == std::string::npos);
  CHECK(strides.find("solved[c]") == std::string::npos);
  CHECK(lattice.find("solved[c]") != std::string::npos);
}

TEST_CASE("a row that takes another output, or weighs it otherwise, is rejected") {
  kTexts.reject(
      {"log_recurrence"},
      {{"* solved[r - 1]", "* solved[r]"},
       {"* solved[r - 4]", "* solved[r - 3]"},
       {"near_weights[36 + r] * solved", "near_weights[r] * solved"},
       {"near_weights[108 + r] * solved", "near_weights[108 + (r - 1)] * solved"},
       {"lane == 2 ? 4", "lane == 2 ? 5"},
       {"distances[part] == r - from", "distances[part] == r - from + 1"},
       {"r >= 16", "r >= 17"},
       {"Index r = 1; r < 32", "Index r = 2; r < 32"},
       {"Index r = 1; r < 32", "Index r = 1; r < 31"},
       {"from = p - before_chunk - 1", "from = p - before_chunk"},
       {"(value_from + r) * 8 + d] = solved[r]", "(value_from + r) * 8 + d] = solved[0]"}},
      true);
  kTexts.reject({"sqrt_cached"},
                {{"c < r;", "c < r - 1;"},
                 {"* solved[c]", "* solved[r]"},
                 {"near_weights[r * 40 + c]", "near_weights[c * 40 + r]"},
                 {"solved[r] = staged[values_at + (value_from + r)",
                  "solved[r] = staged[values_at + (value_from + 0)"}},
                true);
}

TEST_CASE("a row of a tile that takes another output, or weighs it otherwise, is rejected") {
  const Kind tiles{"sqrt_recurrence", ElementType::kF32, 72};
  REQUIRE(kTexts.generated(tiles).manifest.kernels[0].shared_rows.back().size == "tile_rows");
  kTexts.reject(tiles,
                {{"* solved[r - 1]", "* solved[r]"},
                 {"* solved[r - 5]", "* solved[r - 4]"},
                 {"near_weights[r * 40 + (r - 2)]", "near_weights[(r - 1) * 40 + (r - 2)]"},
                 {"column == from_column", "column == from_column + 1"},
                 {"solved[r] = sums[(chunk + r)", "solved[r] = sums[(chunk + 0)"}},
                true);
  kTexts.reject(tiles,
                {{"Index r = count_2 + warp", "Index r = count_2 + 1 + warp"},
                 {"near_weights[r * 40 + lane] = 0.0f;", ""}},
                false);
}

TEST_CASE("rows that the last chunk lacks are neither left open nor written") {
  kTexts.reject({"log_recurrence"},
                {{"Index r = size + warp", "Index r = size + 1 + warp"},
                 {"piece < size *", "piece < 32 *"},
                 {"near_weights[lane * 36 + r] = 0.0f;", ""}},
                false);
}

}  // namespace heddle
