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
