// SPDX-License-Identifier: Apache-2.0
// The algebraic layer on backward kernels: its gradients against dual numbers, generated kernels
// against its gradients, and edits that no tolerance sees.
#include <random>

#include "codegen/generate.hpp"
#include "patterns/ast_print.hpp"
#include "runtime/verify/field_gradients.hpp"
#include "runtime/verify/verify.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"

namespace heddle {
namespace {

using Word = std::uint64_t;

// v + d epsilon with epsilon^2 = 0: `d` is the derivative along a direction.
struct Dual {
  Word v = 0, d = 0;
};
Word plus(Word x, Word y) { return add_modulo(x, y, kFieldP); }
Word times(Word x, Word y) { return multiply_modulo(x, y, kFieldP); }
Dual operator+(Dual x, Dual y) { return {plus(x.v, y.v), plus(x.d, y.d)}; }
Dual operator*(Dual x, Dual y) { return {times(x.v, y.v), plus(times(x.v, y.d), times(x.d, y.v))}; }
Dual inverse(Dual x) {
  const Word i = inverse_modulo(x.v, kFieldP);
  return {i, times(subtract_modulo(0, x.d, kFieldP), times(i, i))};
}

// The definition in dual numbers, where every input moves along `direction`: the change of sum(dy
// y).
class Change {
 public:
  Change(const FieldProblem& problem, const Rows& rows,
         const std::map<std::string, std::vector<Word>>& direction, const std::vector<Word>& dy)
      : problem_(problem), rows_(rows), direction_(direction), dy_(dy) {}

  Word total() {
    for (b_ = 0; b_ < problem_.sizes.batch; ++b_) {
      for (h_ = 0; h_ < problem_.sizes.heads; ++h_) {
        const auto y = problem_.weights == WeightMode::kLinear   ? linear()
                       : problem_.weights == WeightMode::kMatrix ? matrix()
                                                                 : mixer();
        for (std::int64_t t = 0; t < problem_.sizes.tokens; ++t) {
          for (std::int64_t c = 0; c < problem_.sizes.head_dim; ++c) {
            const Dual value = y[static_cast<std::size_t>(t)][static_cast<std::size_t>(c)];
            sum_ = plus(sum_, times(dy_[place(t, c, problem_.sizes.head_dim)], value.d));
          }
        }
      }
    }
    return sum_;
  }

 private:
  using Vectors = std::vector<std::vector<Dual>>;

  std::size_t place(std::int64_t t, std::int64_t c, std::int64_t width) const {
    return static_cast<std::size_t>(
        ((b_ * problem_.sizes.tokens + t) * problem_.sizes.heads + h_) * width + c);
  }
  Dual at(const char* name, std::int64_t t, std::int64_t c, std::int64_t width) const {
    const std::size_t e = place(t, c, width);
    return {problem_.inputs.at(name)[e].value, direction_.at(name)[e]};
  }
  Dual weight(std::int64_t i, std::int64_t j, bool outputs) const {
    const std::int64_t d = problem_.sizes.head_dim;
    Dual logit;  // as a value
    Word exponent = 0;
    for (std::int64_t c = 0; c < d; ++c) {
      logit = logit + at("q", i, c, d) * at("k", j, c, d);
      exponent =
          add_modulo(exponent,
                     multiply_modulo(problem_.inputs.at("q")[place(i, c, d)].exponent,
                                     problem_.inputs.at("k")[place(j, c, d)].exponent, kFieldQ),
                     kFieldQ);
    }
    logit = logit * Dual{problem_.scale.value, 0};
    const Word e =
        power_modulo(4, multiply_modulo(exponent, problem_.scale.exponent, kFieldQ), kFieldP);
    const Word share =
        outputs ? problem_.gamma.value : subtract_modulo(1, problem_.gamma.value, kFieldP);
    return Dual{e, times(e, logit.d)} * Dual{share, 0};
  }
  Vectors mixer() const {
    const Sizes& s = problem_.sizes;
    Vectors y;
    for (std::int64_t i = 0; i < s.tokens; ++i) {
      std::vector<Dual> mixed(static_cast<std::size_t>(s.head_dim));
      Dual total;
      for (const bool outputs : {false, true}) {
        const RowTable& table = outputs ? rows_.b : rows_.a;
        std::int64_t entry = 0;
        for (std::int64_t j = s.tokens - 1; j >= 0; --j) {
          if (!table.contains(i + 1, j + 1)) continue;
          const bool softmax = problem_.weights == WeightMode::kSoftmax;
          const std::int64_t gates = problem_.weights == WeightMode::kGated ? s.head_dim : 1;
          Dual w;
          if (softmax) total = total + (w = weight(i, j, outputs));
          for (std::int64_t c = 0; c < s.head_dim; ++c) {
            if (!softmax) {
              w = at(outputs ? "coef_b" : "coef_a", i, entry * gates + c % gates,
                     (outputs ? s.width_b : s.width_a) * gates);
            }
            const auto channel = static_cast<std::size_t>(c);
            const Dual value =
                outputs ? y[static_cast<std::size_t>(j)][channel] : at("x", j, c, s.head_dim);
            mixed[channel] = mixed[channel] + w * value;
          }
          ++entry;
        }
      }
      if (problem_.weights == WeightMode::kSoftmax) {
        for (Dual& value : mixed) value = value * inverse(total);
      }
      y.push_back(std::move(mixed));
    }
    return y;
  }
  Vectors linear() const {
    const Sizes& s = problem_.sizes;
    std::vector<Dual> state(static_cast<std::size_t>(s.state_dim * s.head_dim));
    Vectors y;
    for (std::int64_t t = 0; t < s.tokens; ++t) {
      y.emplace_back(static_cast<std::size_t>(s.head_dim));
      for (std::int64_t r = 0; r < s.state_dim; ++r) {
        for (std::int64_t c = 0; c < s.head_dim; ++c) {
          Dual& cell = state[static_cast<std::size_t>(r * s.head_dim + c)];
          const Dual gate = s.key_gates ? at("gate", t, r, s.state_dim) : at("gate", t, 0, 1);
          cell = gate * cell + at("k", t, r, s.state_dim) * at("x", t, c, s.head_dim);
          Dual& out = y.back()[static_cast<std::size_t>(c)];
          out = out + at("q", t, r, s.state_dim) * cell;
        }
      }
    }
    return y;
  }
  Vectors matrix() const {
    const Sizes& s = problem_.sizes;
    Vectors states, y;
    for (std::int64_t t = 0; t < s.tokens; ++t) {
      states.emplace_back(static_cast<std::size_t>(s.state_dim * s.head_dim));
      y.emplace_back(static_cast<std::size_t>(s.head_dim));
      for (std::int64_t r = 0; r < s.state_dim; ++r) {
        for (std::int64_t c = 0; c < s.head_dim; ++c) {
          const auto cell = static_cast<std::size_t>(r * s.head_dim + c);
          Dual& sum = states.back()[cell];
          std::int64_t entry = 0;
          for (std::int64_t j = s.tokens - 1; j >= 0; --j) {
            if (rows_.a.contains(t + 1, j + 1)) {
              sum = sum + at("k", j, r, s.state_dim) * at("x", j, c, s.head_dim);
            }
            if (!rows_.b.contains(t + 1, j + 1)) continue;
            sum = sum +
                  at("coef_b", t, entry++, s.width_b) * states[static_cast<std::size_t>(j)][cell];
          }
          Dual& out = y.back()[static_cast<std::size_t>(c)];
          out = out + at("q", t, r, s.state_dim) * sum;
        }
      }
    }
    return y;
  }

  const FieldProblem& problem_;
  const Rows& rows_;
  const std::map<std::string, std::vector<Word>>& direction_;
  const std::vector<Word>& dy_;
  std::int64_t b_ = 0, h_ = 0;
  Word sum_ = 0;
};

TEST_CASE("gradients modulo p are what dual numbers give along a random direction") {
  for (const auto& [weights, key_gates] : {std::pair{WeightMode::kSoftmax, false},
                                           {WeightMode::kGiven, false},
                                           {WeightMode::kGated, false},
                                           {WeightMode::kLinear, false},
                                           {WeightMode::kLinear, true},
                                           {WeightMode::kMatrix, false}}) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      const Rows rows = test::random_rows(9, 2, seed);
      const FieldProblem problem = make_field_problem(weights,
                                                      {.batch = 2,
                                                       .tokens = 9,
                                                       .heads = 2,
                                                       .head_dim = 3,
                                                       .state_dim = 2,
                                                       .key_gates = key_gates},
                                                      rows, seed);
      const std::vector<Word> y = field_output(problem, rows);
      std::mt19937_64 random(seed);
      std::vector<Word> dy(y.size());
      for (Word& value : dy) value = random() % kFieldP;
      const FieldGradients gradients = field_gradients(problem, rows, y, dy);
      std::map<std::string, std::vector<Word>> direction;
      Word expected = 0;
      for (const auto& [name, numbers] : problem.inputs) {
        for (std::size_t e = 0; e < numbers.size(); ++e) {
          // Nothing lies beyond the end of a row of coefficients.
          direction[name].push_back(numbers[e].value < kFieldP ? random() % kFieldP : 0);
          expected = plus(expected, times(gradients.at("d" + name)[e], direction[name][e]));
        }
      }
      INFO(int(weights) << " " << key_gates << " " << seed);
      CHECK(Change(problem, rows, direction, dy).total() == expected);
      CHECK(expected != 0);
    }
  }
}

// ---- kernels ------------------------------------------------------------------------------------

struct Kind {
  const char* pattern;
  ir::Target target;
  WeightKind weights;
  ElementType dtype;
  int head_dim;
};

Artifact generated(const Kind& kind) {
  GenerateOptions options;
  options.ops = {"backward"};
  options.target = kind.target;
  options.head_dim = kind.head_dim;
  options.dtype = kind.dtype;
  options.exact_to = 200;
  options.weights = kind.weights;
  if (kind.weights == WeightKind::kLinear) options.state_dim = 6;
  Result<Artifact> artifact = generate(test::builtin(kind.pattern), options);
  INFO(kind.pattern);
  REQUIRE(artifact.ok());
  return *std::move(artifact);
}

VerifyReport verified(const Kind& kind, const Artifact& artifact, bool algebraic) {
  VerifyOptions options;
  options.sizes = {1, 2, 40};
  options.work_budget = 2'000'000;
  options.emulated = !algebraic;
  options.algebraic = algebraic;
  return verify(artifact.manifest, artifact.files, test::builtin_rows(kind.pattern, 200), options);
}

std::string explain(const VerifyReport& report) {
  std::string text = name_of(report.verdict);
  for (const VerifyObligation& o : report.obligations) text += "\n  " + o.name + ": " + o.method;
  for (const VerifyFailure& f : report.failures) text += "\n  " + f.kind + ": " + f.message;
  return text;
}

TEST_CASE("generated backward kernels equal the gradients of the definition exactly") {
  // One entry and many (more than are held at once), both sides, sums apart and in place.
  for (const Kind& kind : std::vector<Kind>{
           {"sqrt_cached", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kBF16, 40},
           {"chacal", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 5},
           {"linear_attention", ir::Target::kCuda, WeightKind::kLinear, ElementType::kF32, 8},
           {"attention", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kF32, 8},
           {"strided_attention", ir::Target::kCpu, WeightKind::kGiven, ElementType::kBF16, 8},
           {"log_cached", ir::Target::kCpu, WeightKind::kGated, ElementType::kBF16, 8},
           {"linear_recurrence", ir::Target::kCuda, WeightKind::kGated, ElementType::kF32, 5},
           {"linear_attention", ir::Target::kCpu, WeightKind::kLinear, ElementType::kBF16, 8}}) {
    const VerifyReport report = verified(kind, generated(kind), true);
    INFO(kind.pattern << ", " << name_of(kind.weights) << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
    REQUIRE_FALSE(report.obligations.empty());
    for (const VerifyObligation& o : report.obligations) CHECK(o.layer == "algebraic");
  }
}

TEST_CASE("errors of gradients below every tolerance are seen by the algebraic layer alone") {
  struct Edit {
    Kind kind;
    const char* from;
    const char* to;
  };
  const Kind softmax = {"chacal", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF32, 4};
  const Kind given = {"sqrt_cached", ir::Target::kCpu, WeightKind::kGiven, ElementType::kF32, 8};
  const Kind gated = {"linear_recurrence", ir::Target::kCuda, WeightKind::kGated, ElementType::kF32,
                      4};
  const Kind linear = {"linear_attention", ir::Target::kCuda, WeightKind::kLinear,
                       ElementType::kF32, 4};
  for (const Edit& edit : std::vector<Edit>{
           {softmax, "(change - mean)", "(change - 1.0000001f * mean)"},
           {softmax, "dq[at + d] = own_dq[part];", "dq[at + d] = own_dq[part] + 1e-8f;"},
           {given, "] = slope;", "] = slope + 1e-9f;"},
           {gated, "own[part] * y[", "1.0000001f * own[part] * y["},
           {linear, "dgate[", "dgate_value *= 1.0000001f; dgate["}}) {
    Artifact artifact = generated(edit.kind);
    std::string& text = artifact.files.at(artifact.manifest.kernels[0].file);
    const std::size_t at = text.find(edit.from, text.find(") {\n"));
    INFO(edit.from << " in\n" << text);
    REQUIRE(at != std::string::npos);
    text.replace(at, std::string_view(edit.from).size(), edit.to);
    if (edit.kind.target == ir::Target::kCuda) {
      CHECK(verified(edit.kind, artifact, false).verdict == KernelVerdict::kVerified);
    }
    const VerifyReport report = verified(edit.kind, artifact, true);
    CHECK(report.verdict == KernelVerdict::kRejected);
    REQUIRE_FALSE(report.failures.empty());
    CHECK(report.failures.front().kind == "wrong_identity");
  }
}

TEST_CASE("a backward kernel whose gradient is not written is rejected by the algebraic layer") {
  const Kind kind = {"log_cached", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kF32, 8};
  Artifact artifact = generated(kind);
  std::string& text = artifact.files.at(artifact.manifest.kernels[0].file);
  const std::string finish = "send_row<8>(dq + at, dquery, around);";
  REQUIRE(text.find(finish) != std::string::npos);
  text.replace(text.find(finish), finish.size(), ";");
  const VerifyReport report = verified(kind, artifact, true);
  CHECK(report.verdict == KernelVerdict::kRejected);
}

}  // namespace
}  // namespace heddle
