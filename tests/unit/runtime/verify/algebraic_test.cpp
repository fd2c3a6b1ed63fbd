// SPDX-License-Identifier: Apache-2.0
// The algebraic layer: its two arithmetics against each other, its definition against elimination
// on the whole system, and errors below every tolerance that only it can see.
#include <algorithm>
#include <cmath>
#include <random>

#include "codegen/generate.hpp"
#include "patterns/ast_print.hpp"
#include "runtime/verify/field_problem.hpp"
#include "runtime/verify/verify.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/verify_artifact.hpp"
// Last: it defines float away for the texts of kernels.
#include "runtime/emulator/device/field.hpp"
#undef float

HeddleFieldState heddle_field_state = {1, 0, 0, 0, 0};

namespace heddle {
namespace {

using heddle_field::Field;
using Word = std::uint64_t;

Field field(Word value, Word exponent) { return Field(heddle_field::Parts{value, exponent}); }

TEST_CASE("the kernels' field arithmetic is that of the integers modulo p and q") {
  std::mt19937_64 random(7);
  std::vector<Word> numbers = {0, 1, 2, kFieldQ - 1, kFieldQ / 2};
  for (int i = 0; i < 200; ++i) numbers.push_back(random() % kFieldQ);
  for (const Word x : numbers) {
    for (const Word y : numbers) {
      const Field a = field(kFieldP - 1 - x, x), b = field(y, kFieldQ - 1 - y);
      const Word u = a.parts.a, v = b.parts.a, s = a.parts.e, t = b.parts.e;
      CHECK((a + b).parts.a == add_modulo(u, v, kFieldP));
      CHECK((a - b).parts.a == subtract_modulo(u, v, kFieldP));
      CHECK((a * b).parts.a == multiply_modulo(u, v, kFieldP));
      CHECK((a + b).parts.e == add_modulo(s, t, kFieldQ));
      CHECK((a - b).parts.e == subtract_modulo(s, t, kFieldQ));
      CHECK((a * b).parts.e == multiply_modulo(s, t, kFieldQ));
    }
  }
  for (const Word x : numbers) {
    const Field e = expf(field(5, x));
    CHECK(e.parts.a == power_modulo(kFieldGenerator, x, kFieldP));
    CHECK((Field(1) / e * e).parts.a == 1);
    CHECK((expf(field(0, kFieldQ - 1)) * e).parts.a ==
          expf(field(0, kFieldQ - 1) + field(0, x)).parts.a);
  }
  CHECK(power_modulo(kFieldGenerator, kFieldQ, kFieldP) == 1);
}

TEST_CASE("literals are the rationals they stand for, and poison stays poison") {
  CHECK(Field(0.75) * Field(4) == Field(3));
  CHECK(Field(-2.5) + Field(2.5) == Field(0));
  CHECK(Field(1e-3) * Field(1000) != Field(1));  // 1e-3 is not a dyadic number
  CHECK(Field(-7) * Field(-7) == Field(49));
  const Field nothing = field(~Word{0}, ~Word{0});
  for (const Field x :
       {nothing + Field(1), Field(0) * nothing, Field(1) / nothing, expf(nothing)}) {
    CHECK(x.parts.a >= kFieldP);
  }
  CHECK((Field(1) / Field(0)).parts.a >= kFieldP);
  CHECK((expf(field(1, 1)) + expf(field(1, 1))).parts.e >= kFieldQ);  // no exponent
}

TEST_CASE("an order of the numbers is total, has a bottom and depends on its seed") {
  std::mt19937_64 random(9);
  std::vector<Field> scores;
  for (int i = 0; i < 40; ++i) scores.push_back(field(random() % kFieldP, random() % kFieldQ));
  std::vector<int> first;
  for (const unsigned seed : {1u, 2u}) {
    heddle_field_state.seed = seed;
    std::vector<Field> sorted = scores;
    std::sort(sorted.begin(), sorted.end(), [](Field a, Field b) { return a < b; });
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      for (std::size_t j = 0; j < sorted.size(); ++j) CHECK((sorted[i] < sorted[j]) == (i < j));
      CHECK(Field(-3.402823466e+38f) < sorted[i]);
      CHECK_FALSE(sorted[i] < Field(-INFINITY));
      CHECK(sorted[i] > Field(0));
      CHECK(expf(Field(-3.402823466e+38f) - sorted[i]).parts.a == 0);
    }
    if (first.empty()) {
      for (const Field& x : sorted) first.push_back(int(x.parts.e % 1000));
    } else {
      std::vector<int> second;
      for (const Field& x : sorted) second.push_back(int(x.parts.e % 1000));
      CHECK(first != second);
    }
  }
  heddle_field_state.seed = 1;
}

// Y from (I - B) Y = A X by elimination modulo p, the coefficients written out as matrices.
std::vector<Word> by_elimination(const FieldProblem& problem, const Rows& rows) {
  const std::int64_t n = problem.sizes.tokens, d = problem.sizes.head_dim;
  const auto input = [&](const char* name, std::int64_t t, std::int64_t c, std::int64_t width) {
    return problem.inputs.at(name)[static_cast<std::size_t>(t * width + c)];
  };
  std::vector<std::vector<Word>> matrix(static_cast<std::size_t>(n));
  std::vector<std::vector<Word>> right(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    std::vector<Word> a(static_cast<std::size_t>(n), 0), b = a;
    for (std::int64_t j = 0; j < n; ++j) {
      Word dot = 0;
      if (problem.weights == WeightMode::kSoftmax) {
        for (std::int64_t c = 0; c < d; ++c) {
          dot = (dot + multiply_modulo(input("q", i, c, d).exponent, input("k", j, c, d).exponent,
                                       kFieldQ)) %
                kFieldQ;
        }
        const Word w =
            power_modulo(4, multiply_modulo(dot, problem.scale.exponent, kFieldQ), kFieldP);
        if (rows.a.contains(i + 1, j + 1)) {
          a[static_cast<std::size_t>(j)] =
              multiply_modulo(w, (1 + kFieldP - problem.gamma.value) % kFieldP, kFieldP);
        }
        if (rows.b.contains(i + 1, j + 1)) {
          b[static_cast<std::size_t>(j)] = multiply_modulo(w, problem.gamma.value, kFieldP);
        }
      } else {
        const auto rank = [&](const RowTable& table) {  // entries in descending order
          std::int64_t above = 0;
          for (std::int64_t p = j + 2; p <= n; ++p) above += table.contains(i + 1, p) ? 1 : 0;
          return above;
        };
        if (rows.a.contains(i + 1, j + 1)) {
          a[static_cast<std::size_t>(j)] =
              input("coef_a", i, rank(rows.a), problem.sizes.width_a).value;
        }
        if (rows.b.contains(i + 1, j + 1)) {
          b[static_cast<std::size_t>(j)] =
              input("coef_b", i, rank(rows.b), problem.sizes.width_b).value;
        }
      }
    }
    if (problem.weights == WeightMode::kSoftmax) {
      Word total = 0;
      for (const auto* side : {&a, &b}) {
        for (const Word w : *side) total = add_modulo(total, w, kFieldP);
      }
      for (auto* side : {&a, &b}) {
        for (Word& w : *side) w = multiply_modulo(w, inverse_modulo(total, kFieldP), kFieldP);
      }
    }
    for (Word& w : b) w = subtract_modulo(0, w, kFieldP);
    b[static_cast<std::size_t>(i)] = add_modulo(b[static_cast<std::size_t>(i)], 1, kFieldP);
    matrix[static_cast<std::size_t>(i)] = b;
    for (std::int64_t c = 0; c < d; ++c) {
      Word sum = 0;
      for (std::int64_t j = 0; j < n; ++j) {
        sum = add_modulo(
            sum,
            multiply_modulo(a[static_cast<std::size_t>(j)], input("x", j, c, d).value, kFieldP),
            kFieldP);
      }
      right[static_cast<std::size_t>(i)].push_back(sum);
    }
  }
  // Columns from the last to the first, so that it is not forward substitution again: row c enters
  // as it was written, before anything was subtracted from it.
  const auto size = static_cast<std::size_t>(n);
  for (std::size_t column = size; column-- > 0;) {
    for (std::size_t row = column + 1; row < size; ++row) {
      const Word factor = matrix[row][column];
      const auto subtract = [&](std::vector<Word>& from, const std::vector<Word>& what) {
        for (std::size_t e = 0; e < from.size(); ++e) {
          from[e] = subtract_modulo(from[e], multiply_modulo(factor, what[e], kFieldP), kFieldP);
        }
      };
      subtract(matrix[row], matrix[column]);
      subtract(right[row], right[column]);
    }
  }
  std::vector<Word> y;
  for (const auto& row : right) y.insert(y.end(), row.begin(), row.end());
  return y;
}

TEST_CASE("the definition modulo p solves (I - B) Y = A X") {
  for (const WeightMode weights : {WeightMode::kSoftmax, WeightMode::kGiven}) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      Rows rows = test::random_rows(9, 2, seed);
      const FieldProblem problem =
          make_field_problem(weights, {.tokens = 9, .head_dim = 2}, rows, seed);
      CHECK(field_output(problem, rows) == by_elimination(problem, rows));
    }
  }
}

// ---- the layer ----------------------------------------------------------------------------------

VerifyOptions algebraic_only() {
  VerifyOptions options;
  options.sizes = {1, 2, 63};
  options.work_budget = 2'000'000;
  options.emulated = false;
  return options;
}

std::string explain(const VerifyReport& report) {
  std::string text = name_of(report.verdict);
  for (const VerifyObligation& o : report.obligations) text += "\n  " + o.name + ": " + o.method;
  for (const VerifyFailure& f : report.failures) {
    text += "\n  " + f.kind + ": " + f.message + " at " + f.where;
  }
  return text;
}

Artifact generated(const std::string& name, ir::Target target, WeightKind weights,
                   ElementType dtype, int head_dim) {
  GenerateOptions options;
  options.target = target;
  options.head_dim = head_dim;
  options.dtype = dtype;
  options.exact_to = 300;
  options.weights = weights;
  if (weights == WeightKind::kLinear) options.state_dim = 6;
  Result<Artifact> artifact = generate(test::builtin(name), options);
  INFO(name);
  REQUIRE(artifact.ok());
  return *std::move(artifact);
}

TEST_CASE("generated kernels equal the definition exactly") {
  struct Kind {
    const char* pattern;
    ir::Target target;
    WeightKind weights;
    ElementType dtype;
    int head_dim;
  };
  for (const Kind& kind : std::vector<Kind>{
           {"sqrt_cached", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kBF16, 40},
           {"log_recurrence", ir::Target::kCuda, WeightKind::kGiven, ElementType::kF32, 16},
           {"chacal", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 5},
           {"linear_attention", ir::Target::kCuda, WeightKind::kLinear, ElementType::kF32, 8},
           {"log_attention", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kBF16, 16},
           {"strided_attention", ir::Target::kCpu, WeightKind::kGiven, ElementType::kF32, 8},
           {"linear_attention", ir::Target::kCpu, WeightKind::kLinear, ElementType::kBF16, 8}}) {
    const Artifact artifact =
        generated(kind.pattern, kind.target, kind.weights, kind.dtype, kind.head_dim);
    const VerifyReport report = verify(artifact.manifest, artifact.files,
                                       test::builtin_rows(kind.pattern, 300), algebraic_only());
    INFO(kind.pattern << ", " << name_of(kind.weights) << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
    REQUIRE_FALSE(report.obligations.empty());
    for (const VerifyObligation& o : report.obligations) CHECK(o.layer == "algebraic");
  }
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string verdict_of(const std::string& text, bool emulated) {
  VerifyOptions options = algebraic_only();
  options.emulated = emulated;
  options.algebraic = !emulated;
  return name_of(verify(test::first_order_manifest(), {{"first_order.cu", text}},
                        test::builtin_rows("linear_recurrence", 300), options)
                     .verdict);
}

TEST_CASE("errors below every tolerance are seen by the algebraic layer alone") {
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"weight_a = (1.0f - gamma)", "weight_a = 1.0000001f * (1.0f - gamma)"},
           {"(weight_a + weight_b)", "(weight_a + weight_b + 1e-9f)"},
           {"/ (weight_a + weight_b);", "/ (weight_a + weight_b) + 1e-7f * x;"}}) {
    const std::string text = replaced(test::kFirstOrderText, from, to);
    INFO(from << " -> " << to);
    CHECK(verdict_of(text, true) == "verified");
    CHECK(verdict_of(text, false) == "rejected");
  }
}

TEST_CASE("a result that depends on a comparison or on nothing written is rejected") {
  CHECK(verdict_of(replaced(test::kFirstOrderText, "return (weight_a",
                            "if (s_a > s_b) return x;\n  return (weight_a"),
                   false) == "rejected");
  CHECK(verdict_of(replaced(test::kFirstOrderText, "float key_before = 0.0f;", "float key_before;"),
                   false) == "verified");  // only multiplied where there is a key before
  CHECK(verdict_of(replaced(test::kFirstOrderText, "float y_before = 0.0f;",
                            "float y_before;\n  if (start == 0) y_before *= 0.0f;"),
                   false) == "verified");
  CHECK(verdict_of(replaced(test::kFirstOrderText, "if (first) return x;",
                            "if (first) return x + 0.0f * before;"),
                   false) == "verified");
  std::string text = replaced(test::kFirstOrderText, "float y_before = 0.0f;", "float y_before;");
  text = replaced(text, "if (first) return x;", "if (first) return x + 0.0f * before;");
  CHECK(verdict_of(text, false) == "rejected");
}

TEST_CASE("a text that no finite field can run is unknown, not verified") {
  const std::string text =
      replaced(test::kFirstOrderText, "return (weight_a", "return sqrtf(1.0f) * (weight_a");
  CHECK(verdict_of(text, false) == "unknown");
  CHECK(verdict_of(text, true) == "verified");
}

}  // namespace
}  // namespace heddle
