// SPDX-License-Identifier: Apache-2.0
// Backward on cuda in several launches, where rows gather. What the generator writes is verified;
// texts that solve another system, gather from other rows, or mistake weights are not.
#include "tests/unit/runtime/verify/gather_edits.hpp"

namespace heddle {
namespace {

using test::explain;
using test::gather::generated;
using test::gather::Kind;
using test::gather::reject;
using test::gather::rows_of;
using test::gather::steps_of;
using test::scan::quick;

TEST_CASE("backward in which rows gather is verified") {
  for (const Kind& kind :
       {Kind{"log_recurrence", WeightKind::kGiven}, Kind{"log_recurrence", WeightKind::kSoftmax},
        Kind{"sqrt_recurrence", WeightKind::kSoftmax, ElementType::kBF16, 5},
        Kind{"order_k_recurrence", WeightKind::kGiven, ElementType::kF16, 40},
        Kind{"sqrt_attention", WeightKind::kSoftmax, ElementType::kF16, 40},
        Kind{"local_attention", WeightKind::kGiven, ElementType::kBF16},
        Kind{"chacal", WeightKind::kSoftmax}, Kind{"chacal", WeightKind::kGiven},
        Kind{"log_cached", WeightKind::kGiven, ElementType::kF16, 40},
        Kind{"sqrt_cached", WeightKind::kSoftmax},
        Kind{"fibonacci_cached", WeightKind::kSoftmax, ElementType::kBF16, 5},
        Kind{"dense_lattice", WeightKind::kGiven}}) {
    const Artifact artifact = generated(kind);
    CHECK(artifact.manifest.kernels[0].schedule == "gather");
    const VerifyReport report = verify(artifact.manifest, artifact.files, rows_of(kind), quick());
    INFO(kind.pattern << ", " << name_of(kind.weights) << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

TEST_CASE("backward of sequences of different lengths in which rows gather is verified") {
  for (const Kind& kind :
       {Kind{"log_recurrence", WeightKind::kGiven, ElementType::kBF16, 40, true},
        Kind{"sqrt_recurrence", WeightKind::kSoftmax, ElementType::kF32, 8, true},
        Kind{"log_attention", WeightKind::kSoftmax, ElementType::kF16, 5, true},
        Kind{"local_attention", WeightKind::kGiven, ElementType::kF32, 8, true},
        Kind{"chacal", WeightKind::kSoftmax, ElementType::kF32, 8, true},
        Kind{"log_cached", WeightKind::kGiven, ElementType::kF32, 8, true},
        Kind{"sqrt_cached", WeightKind::kSoftmax, ElementType::kBF16, 5, true}}) {
    const Artifact artifact = generated(kind);
    CHECK(artifact.manifest.kernels[0].schedule == "gather");
    CHECK(artifact.manifest.varlen);
    const VerifyReport report = verify(artifact.manifest, artifact.files, rows_of(kind), quick());
    INFO(kind.pattern << ", " << name_of(kind.weights) << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

TEST_CASE("backward between states in which rows gather is verified") {
  for (const Kind& kind :
       {Kind{"log_recurrence", WeightKind::kSoftmax, ElementType::kBF16, 40, false, true},
        Kind{"sqrt_recurrence", WeightKind::kGiven, ElementType::kF32, 8, true, true},
        Kind{"order_k_recurrence", WeightKind::kSoftmax, ElementType::kF32, 8, true, true},
        Kind{"local_attention", WeightKind::kGiven, ElementType::kF16, 5, false, true},
        Kind{"chacal", WeightKind::kGiven, ElementType::kF32, 8, false, true},
        Kind{"sqrt_cached", WeightKind::kSoftmax, ElementType::kBF16, 5, false, true},
        Kind{"log_cached", WeightKind::kGiven, ElementType::kF32, 8, true, true}}) {
    const Artifact artifact = generated(kind);
    CHECK(artifact.manifest.kernels[0].schedule == "gather");
    const VerifyReport report = verify(artifact.manifest, artifact.files, rows_of(kind), quick());
    INFO(kind.pattern << ", " << name_of(kind.weights) << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

TEST_CASE("backward has the launches that its rows need") {
  using Names = std::vector<std::string>;
  CHECK(steps_of(generated({"log_recurrence", WeightKind::kGiven})) == Names{"lambda", "rows"});
  CHECK(steps_of(generated({"log_recurrence", WeightKind::kSoftmax})) ==
        Names{"weights", "lambda", "rows", "columns"});
  CHECK(steps_of(generated({"attention", WeightKind::kGiven})) == Names{"rows", "columns"});
  CHECK(steps_of(generated({"attention", WeightKind::kSoftmax})) ==
        Names{"weights", "rows", "columns"});
  CHECK(steps_of(generated({"chacal", WeightKind::kGiven})) == Names{"lambda", "rows", "columns"});
  CHECK(steps_of(generated({"sqrt_cached", WeightKind::kGiven})) == Names{"lambda", "rows"});
  CHECK(steps_of(generated({"sqrt_cached", WeightKind::kSoftmax})) ==
        Names{"weights", "lambda", "rows", "columns"});
  Kind between{"log_recurrence", WeightKind::kSoftmax};
  between.states = true;
  CHECK(steps_of(generated(between)) ==
        Names{"weights", "due", "lambda", "rows", "columns", "before"});
  between = {"attention", WeightKind::kGiven};
  between.states = true;
  CHECK(steps_of(generated(between)) == Names{"rows", "columns", "before"});
  between = {"sqrt_cached", WeightKind::kGiven};
  between.states = true;
  CHECK(steps_of(generated(between)) == Names{"lambda", "rows"});
  CHECK(steps_of(generated({"log_recurrence", WeightKind::kGated})) == Names{"lambda", "rows"});
  CHECK(steps_of(generated({"attention", WeightKind::kGated})) == Names{"rows", "columns"});
  CHECK(steps_of(generated({"log_cached", WeightKind::kGated})) == Names{"lambda", "rows"});
  // Rows that reach other distances, or many within a chunk whose gates have no room there; gates
  // of a lattice between states; and who asks for one launch.
  CHECK(steps_of(generated({"first_and_own", WeightKind::kGiven})).empty());
  between = {"log_cached", WeightKind::kGated};
  between.states = true;
  CHECK(steps_of(generated(between)).empty());
  CHECK(steps_of(generated({"chacal", WeightKind::kGated})).empty());
  CHECK(steps_of(generated({"log_recurrence", WeightKind::kGiven}, "simple")).empty());
}

TEST_CASE("another system than the transposed one is rejected") {
  reject({"log_recurrence", WeightKind::kGiven},
         {{"lambda", "(batch + 1) * tokens - 1", "batch * tokens + 0", false},
          {"lambda", "heads * -8", "heads * 8", false},
          {"lambda", "tokens - 1 - (p - 1)", "tokens - 1 - token"},
          {"lambda", "tokens - 1 - (p - 1)", "p - 1"},
          {"lambda", "* width_b + entry", "* width_b + 0"},
          {"lambda", "entry += 1", "entry += 0"},
          {"lambda", "p > before_chunk", "p > before_chunk + 1", false},
          {"lambda", "mixed[part] = dy[begins_at + d]", "mixed[part] = 0.0f"},
          {"lambda", "from = p - before_chunk - 1", "from = p - before_chunk"},
          {"lambda", "behind <= value_reach", "behind <= value_reach + 1", false},
          {"lambda", "f * 2", "f * 3"},
          {"lambda", "* solved[r - 1]", "* solved[r]"},
          {"lambda", "near_weights[36 + r] * solved", "near_weights[r] * solved"},
          {"lambda", "__syncthreads();", "", false}});
  reject(
      {"log_recurrence", WeightKind::kSoftmax},
      {{"lambda", "query[part] = k[query_at + d]", "query[part] = q[query_at + d]"},
       {"lambda", "scratch_highest[reader]", "scratch_highest[(batch * tokens) * heads + head]"},
       {"lambda", "* scratch_inverse[reader]", "* 1.0f"},
       {"lambda", "gamma * (__expf", "(1.0f - gamma) * (__expf"},
       {"lambda", "product += query[part] * q[at + d]", "product += query[part] * q[at]", false}});
}

TEST_CASE("what is gathered from other rows, or weighed otherwise, is rejected") {
  reject({"log_recurrence", WeightKind::kGiven},
         {{"rows", "lambda[part] * value", "lambda[part] + value"},
          {"rows", "* width_a] = slope", "* width_a] = 2.0f * slope"},
          {"rows", "* width_b + entry] = slope", "* width_b] = slope"},
          {"rows", "y + token_base", "x + token_base"},
          {"rows", "warp + turn * 16", "warp + turn * 15"},
          {"rows", "chunk * 128", "chunk * 127", false},
          {"rows", "weight * lambda[part]", "lambda[part]"},
          {"rows", "Index rest = entry + lane", "Index rest = lane", false}});
  reject({"log_recurrence", WeightKind::kSoftmax},
         {{"weights", "          const float above = fmaxf(highest_so_far, score)",
           "          const float above = score", false},
          {"weights", "__expf(highest_so_far - above) + gamma", "1.0f + gamma"},
          {"weights", "total_of > 0.0f ? 1.0f / total_of", "total_of > 0.0f ? total_of"},
          {"rows", "(change - mean[turn])", "change"},
          {"rows", "scratch_mean[statistic_at] = mean_of", "scratch_mean[statistic_at] = 0.0f"},
          {"rows", "slope * key[part]", "slope * query[part]"},
          {"columns", "mean_of[slot])", "mean_of[0])"},
          {"columns", "slope * query[part]", "slope * own_key[part]"},
          {"columns", "own_dx[turn + part] + weight * lambda[part]", "own_dx[turn + part]"},
          {"columns", "own_values[turn + part] = y", "own_values[turn + part] = x"}});
  reject({"sqrt_attention", WeightKind::kGiven},
         {{"columns", "* width_a + entry]", "* width_a]"},
          {"columns", "entry += 1", "entry += 0"},
          {"columns", "weight_of[r]", "weight_of[0]"},
          {"columns", "weight_of[r] * lambda[part]", "lambda[part]"}});
}

TEST_CASE("what is gathered of another sequence, or past the end of one, is rejected") {
  reject({"log_recurrence", WeightKind::kGiven, ElementType::kF32, 8, true},
         {{"lambda", "offsets[batch + 1]", "(offsets[batch + 1] - 1)"},
          {"lambda", "offsets[batch + 1]", "offsets[batch]"},
          {"lambda", "first_token + own_tokens - 1", "first_token + own_tokens"},
          {"lambda", "own_tokens - 1 - (p - 1)", "own_tokens - (p - 1)"},
          {"lambda", "first < own_tokens", "first < own_tokens - 1"},
          {"lambda", "minimum(32, own_tokens - first)", "minimum(32, longest - first)", false},
          {"rows", "offsets[batch]", "offsets[0]"},
          {"rows", "chunk * 32", "batch * 32"},
          {"rows", "(first_token + token)", "(batch * own_tokens + token)"},
          {"rows", "f < i_2", "f < i_2 + first_token"}});
  reject({"log_recurrence", WeightKind::kSoftmax, ElementType::kF32, 8, true},
         {{"weights", "(first_token + token)", "(batch * own_tokens + token)"},
          {"lambda", "scratch_highest[reader]", "scratch_highest[reader - token]"},
          {"columns", "Index from_the_end = own_tokens - token",
           "Index from_the_end = tokens - first_token - token"},
          {"columns", "(first_token + (own_tokens - p))", "(first_token + (tokens - p))"},
          {"columns", "minimum(first + 32, own_tokens)", "minimum(first + 32, own_tokens - 1)"},
          {"columns", "offsets[batch + 1]", "(offsets[batch + 1] + 1)"}});
  reject({"sqrt_cached", WeightKind::kGiven, ElementType::kF32, 8, true},
         {{"lambda", "own_tokens - 1 - done", "tokens - 1 - done"},
          {"lambda", "offsets[batch + 1]", "(offsets[batch + 1] - 1)"},
          {"lambda", "minimum(32, own_tokens - first)", "minimum(32, longest - first)"},
          {"lambda", "(first_token + (first + lane))", "(batch * own_tokens + (first + lane))"}});
}

TEST_CASE("a gather that loses a gradient of a state is rejected") {
  reject({"log_recurrence", WeightKind::kSoftmax, ElementType::kF32, 8, false, true},
         {{"weights", "p <= start", "p < start"},
          {"due", "due[part] + dfinal_b_val[handed_at + d]", "due[part]"},
          {"due", "start + token + 1 : 0", "token + 1 : 0"},
          {"due", "(handed - 1)", "(handed - 2)"},
          {"rows", "slot_base_b + (p - 1)", "slot_base_b + p"},
          {"rows", "before ? initial_b_key", "before ? initial_b_val"},
          {"columns", "own_dk[part] + dfinal_b_key[handed_at + d]", "own_dk[part]"},
          {"before", "own_dvalue[part] + dfinal_b_val[handed_at + d]", "own_dvalue[part]"},
          {"before", "own_dkey[part] + dfinal_b_key[handed_at + d]", "own_dkey[part]"},
          {"before", "held_p <= start", "held_p < start"},
          {"before", "tokens - p >= 0", "tokens - p >= 1"},
          {"before", "tokens - (held_p - start - 1)", "tokens - (held_p - start)"},
          {"before", "slot += chunks * 8", "slot += chunks * 9", false}});
  reject({"chacal", WeightKind::kGiven, ElementType::kF32, 8, true, true},
         {{"lambda", "longest - own_start", "longest - start"},
          {"rows", "own_start + token + 1", "start + token + 1"},
          {"columns", "own_dx[part] + dfinal_a_val[handed_at + d]", "own_dx[part]"},
          {"before", "entry += 1", "entry += 0"},
          {"before", "starts[batch]", "starts[0]"},
          {"before", "if (start > 0) {\n    for", "if (own_start > 0) {\n    for"}});
  reject({"sqrt_cached", WeightKind::kSoftmax, ElementType::kF32, 8, false, true},
         {{"lambda", "started[part] + dfinal_b_val[handed_at + d]", "started[part]"},
          {"lambda", "passed[part] + dfinal_b_val[handed_at + d]", "passed[part]"},
          {"lambda", "dinitial_b_val[to] = pushed", "dinitial_b_val[to] = 2.0f * pushed"},
          {"lambda", "places[entry] = from", "places[entry] = token_base"},
          {"lambda", "position = final_to + 1 + item", "position = first + 1 + item"},
          {"lambda", "position + reach - final_to", "position + reach - first"},
          {"lambda", "p <= start ? initial_b_key", "p < start ? initial_b_key"},
          {"rows", "p <= start", "p < start"},
          {"columns", "own_dk[part] + dfinal_b_key[handed_at + d]", "own_dk[part]"},
          {"columns", "held_p <= start", "held_p < start"},
          {"columns", "reader = warp; reader < last", "reader = warp + 1; reader < last"},
          {"columns", "slot += chunks", "slot += chunks + 1", false},
          {"columns", "dinitial_b_key[at + d] = own", "dinitial_b_key[at + d] = 2.0f * own"}});
}

}  // namespace
}  // namespace heddle
