// SPDX-License-Identifier: Apache-2.0
// A seeded sample of the study: every mutant is killed, or is shown to be none.
#include <algorithm>
#include <set>

#include "tests/catch.hpp"
#include "tests/mutants/study.hpp"

namespace heddle::mutants {
namespace {

const std::vector<Subject>& all() {
  static const std::vector<Subject> subjects = mutants::subjects();
  return subjects;
}

// Of rules that hardly ever make an equivalent text, so that a survivor means something; the study
// looks at all of them.
TEST_CASE("a sample of mutants is killed or shown to be equivalent") {
  const std::set<std::string> telling = {"add_to_subtract",    "drop_barrier",     "drop_factor",
                                         "guard_negated",      "index_off_by_one", "product_to_sum",
                                         "ir_barrier_dropped", "ir_lost_operand",  "ir_wrong_place",
                                         "misread_sign"};
  int judged = 0;
  for (const Case& drawn : draw_cases(all(), 70, 20)) {
    if (telling.count(drawn.mutant.rule) == 0) continue;
    ++judged;
    const Judgement judgement = judge(all()[drawn.subject], drawn.mutant);
    INFO(all()[drawn.subject].name << ":" << drawn.mutant.line << " " << drawn.mutant.rule << "\n"
                                   << drawn.mutant.before << "\n==> " << drawn.mutant.after);
    CHECK(judgement.fate != Fate::kSurvived);
    CHECK(judgement.fate != Fate::kCrashed);
  }
  CHECK(judged >= 10);
}

// Each of them was verified once.
TEST_CASE(
    "mutants that few heads, moderate scores or columns that just fit do not show are killed") {
  struct Edit {
    const char* kernel;
    const char* before;
    const char* after;
  };
  for (const Edit& edit : {
           Edit{"sqrt_cached decode cuda softmax f32", "const Index lane = threadIdx.x % 32;",
                "const Index lane = threadIdx.x % 33;"},  // one slot is looked at by no lane
           Edit{"strided_attention decode cuda softmax f16", "float highest_of_all = kLowestScore;",
                "float highest_of_all = 0.0f;"},
           // A state of more rows than a block has warps, heads that lie side by side, an array
           // that only a helper touches.
           Edit{"sqrt_cached prefill cuda given f32 staged",
                "for (Index entry = warp; entry < opened; entry += 9) {",
                "for (Index entry = warp; entry < opened; entry = 9) {"},
           Edit{"linear_attention backward cpu linear f32", "kept_at = block * tokens * 40;",
                "kept_at = block * tokens * 9;"},
           Edit{"fibonacci_cached decode cpu gated f32", "float mixed[40];", "float mixed[39];"},
           Edit{"log_cached backward cpu given f32", "dcoef_a[coef_at_2 + rest] = 0.0f;",
                "dcoef_a[coef_at_2 + rest + 1] = 0.0f;"},
       }) {
    INFO(edit.kernel << ": " << edit.after);
    const auto subject = std::find_if(all().begin(), all().end(),
                                      [&](const Subject& s) { return s.name == edit.kernel; });
    REQUIRE(subject != all().end());
    Mutant mutant;
    mutant.rule = "by hand";
    mutant.before = edit.before;
    mutant.after = edit.after;
    mutant.text = subject->text();
    const std::size_t at = mutant.text.find(edit.before);
    REQUIRE(at != std::string::npos);
    mutant.text.replace(at, mutant.before.size(), edit.after);
    CHECK(judge(*subject, mutant).fate == Fate::kKilled);
  }
}

// Survivors of the study that compute the same, next to others that do not.
TEST_CASE("arguments are for the mutants that they speak of, and not for their neighbours") {
  struct Shown {
    const char* kernel;
    const char* rule;
    const char* before;
    const char* after;
    bool equivalent;
  };
  const std::string scan =
      "linear_attention prefill cuda linear bf16 scan linear_attention_prefill_";
  const std::string sums = scan + "sums", rows = scan + "rows";
  const char* const rounds = "for (Index first = 0; first < chunk_tokens; first += 64) {";
  const char* const one_more = "for (Index first = 0; first <= chunk_tokens; first += 64) {";
  const char* const chain =
      "linear_recurrence backward cuda given f32 scan linear_recurrence_backward_chain";
  const char* const first_chain =
      "linear_recurrence prefill cuda given f32 scan linear_recurrence_prefill_chain";
  const char* const held = "carry[part] = found > 0 ? initial_b_val[at + d] : 0.0f;";
  const char* const strided = "strided_attention decode cuda softmax f16";
  const char* const near = "const Index low = maximum(1, i - 63);";
  const char* const tile = "if (last + 16 > 0 && warp * 16 < size) {";
  const char* const attention = "attention prefill cuda softmax bf16 tensor";
  for (const Shown& shown : {
           Shown{sums.c_str(), "less_to_less_equal", rounds, one_more, true},
           Shown{rows.c_str(), "less_to_less_equal", rounds, one_more, false},
           Shown{chain, "wrong_real_constant", "carry[part] = 0.0f;", "carry[part] = 1.0f;", true},
           Shown{first_chain, "wrong_real_constant", "carry[part] = 0.0f;", "carry[part] = 1.0f;",
                 false},
           Shown{first_chain, "wrong_real_constant", held,
                 "carry[part] = found > 0 ? initial_b_val[at + d] : 1.0f;", true},
           Shown{strided, "ir_wrong_integer", near, "const Index low = maximum(1, i - 64);", true},
           Shown{strided, "ir_wrong_integer", near, "const Index low = maximum(1, i - 65);", false},
           Shown{attention, "loosened_comparison", tile,
                 "if (last + 16 >= 0 && warp * 16 < size) {", true},
           Shown{attention, "less_to_less_equal", tile, "if (last + 16 > 0 && warp * 16 <= size) {",
                 false},
           Shown{"sqrt_cached prefill cuda linear f32", "ir_statements_swapped", "entry += 1;",
                 "if (p <= start) {", true},
           Shown{"sqrt_cached prefill cuda linear f32", "ir_statements_swapped", "above = p;",
                 "const float weight = coef_b[coef_at + entry];", false},
           Shown{rows.c_str(), "wrong_modulus", "const Index d = unit % 2 * 8;",
                 "const Index d = unit % 3 * 8;", true},
           Shown{rows.c_str(), "wrong_modulus", "const Index d = piece % 2 * 8;",
                 "const Index d = piece % 3 * 8;", false},
       }) {
    INFO(shown.kernel << ": " << shown.before << " ==> " << shown.after);
    const auto subject = std::find_if(all().begin(), all().end(),
                                      [&](const Subject& s) { return s.name == shown.kernel; });
    REQUIRE(subject != all().end());
    int found = 0, argued = 0;
    for (const Mutant& mutant : all_mutants(*subject)) {
      if (mutant.rule != shown.rule || mutant.before != shown.before ||
          mutant.after != shown.after) {
        continue;
      }
      ++found;
      if (!equivalence_argument(*subject, mutant).empty()) ++argued;
    }
    CHECK(argued == (shown.equivalent ? found : 0));
    if (shown.equivalent) CHECK(found >= 1);
  }
}

TEST_CASE("a mutant differs from its text in one place, and the draw repeats") {
  const std::string& text = all().front().text();
  const std::vector<Mutant> mutants = mutants_of(text);
  CHECK(mutants.size() > 300);
  for (const Mutant& mutant : mutants) {
    CHECK(mutant.text != text);
    CHECK(mutant.before != mutant.after);
  }
  const auto first = draw_cases(all(), 40, 3), second = draw_cases(all(), 40, 3);
  REQUIRE(first.size() == second.size());
  for (std::size_t c = 0; c < first.size(); ++c)
    CHECK(first[c].mutant.text == second[c].mutant.text);
}

// Of the text, of the IR and of the pattern: what a broken generator prints is among the cases.
TEST_CASE("every subject is broken in its text, in its IR and in its pattern") {
  for (const char* op : {"prefill", "decode", "backward"}) {
    const auto subject = std::find_if(all().begin(), all().end(), [&](const Subject& s) {
      return s.kernel().op == op && s.manifest.target == "cuda";
    });
    REQUIRE(subject != all().end());
    int text = 0, ir = 0, pattern = 0;
    for (const Mutant& mutant : all_mutants(*subject)) {
      const bool of_ir = mutant.rule.rfind("ir_", 0) == 0;
      const bool of_pattern = mutant.rule.rfind("misread_", 0) == 0;
      ++(of_ir ? ir : of_pattern ? pattern : text);
      CHECK(mutant.text != subject->text());
    }
    INFO(subject->name << ": " << text << " " << ir << " " << pattern);
    CHECK(text > 200);
    CHECK(ir > 200);
    CHECK(pattern >= 3);
  }
}

// What calls a mutant dead must not call the original so.
TEST_CASE("the original is no mutant: nothing is found in it") {
  Mutant none;
  none.text = all().front().text();
  const Judgement judgement = judge(all().front(), none);
  CHECK(judgement.fate == Fate::kEquivalent);
  CHECK(judgement.emulated.empty());
  CHECK(judgement.algebraic.empty());
}

}  // namespace
}  // namespace heddle::mutants
