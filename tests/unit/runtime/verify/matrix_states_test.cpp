// SPDX-License-Identifier: Apache-2.0
// Matrix states of any pattern, S_i = k_i x_i^T + sum of b_ij S_j and y_i = q_i^T S_i: both oracles
// and the states that sequences begin with, against M = (I - B)^-1 written out.
#include <algorithm>
#include <cmath>

#include "codegen/generate.hpp"
#include "runtime/reference/reference.hpp"
#include "runtime/verify/field_problem.hpp"
#include "runtime/verify/field_session.hpp"
#include "runtime/verify/session.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/explain_report.hpp"
#include "tests/unit/runtime/verify/reject_edits.hpp"

namespace heddle {
namespace {

constexpr Sizes kSmall{.batch = 2, .tokens = 30, .heads = 3, .head_dim = 5, .state_dim = 4};

// Any B on A = diagonal.
Rows random_outputs(std::int64_t n, std::uint64_t seed) {
  Rows rows = test::random_rows(n, 3, seed);
  rows.a = test::rows_of(n, test::diagonal, test::all_before).a;
  return rows;
}

std::vector<Rows> patterns(std::int64_t n) {
  return {test::builtin_rows("log_recurrence", n), test::builtin_rows("sqrt_cached", n),
          random_outputs(n, 3), random_outputs(n, 4)};
}

Problem matrix_problem(const Rows& rows, const Sizes& sizes, std::uint64_t seed) {
  ProblemOptions options;
  options.weights = WeightMode::kMatrix;
  options.sizes = sizes;
  options.seed = seed;
  return make_problem(options, rows);
}

std::int64_t at(const Sizes& s, std::int64_t b, std::int64_t i, std::int64_t h, std::int64_t c,
                std::int64_t width) {
  return ((b * s.tokens + i - 1) * s.heads + h) * width + c;
}

// M of one head, [n + 1][n + 1] from 1 on: M_ii = 1, M_ij = sum of b_il M_lj. `number` is of a
// ring, `coefficient` one of its elements by row and entry.
template <typename Number, typename Coefficient>
std::vector<std::vector<Number>> inverse(const RowTable& table, std::int64_t n,
                                         Coefficient&& coefficient) {
  const auto size = static_cast<std::size_t>(n + 1);
  std::vector<std::vector<Number>> m(size, std::vector<Number>(size));
  for (std::size_t j = 1; j < size; ++j) {
    m[j][j] = Number(1);
    for (std::size_t i = j + 1; i < size; ++i) {
      const auto row = static_cast<std::int64_t>(i);
      std::int64_t entry = 0;  // descending positions, one array entry each
      for (std::size_t l = i - 1; l >= 1; --l) {
        if (!table.contains(row, static_cast<std::int64_t>(l))) continue;
        m[i][j] = m[i][j] + coefficient(row, entry++) * m[l][j];
      }
    }
  }
  return m;
}

// A number modulo p.
struct Modulo {
  std::uint64_t value = 0;
  Modulo() = default;
  explicit Modulo(std::uint64_t number) : value(number) {}
  friend Modulo operator+(Modulo x, Modulo y) {
    return Modulo(add_modulo(x.value, y.value, kFieldP));
  }
  friend Modulo operator*(Modulo x, Modulo y) {
    return Modulo(multiply_modulo(x.value, y.value, kFieldP));
  }
};

// y and the states after every token, where input(name, b, i, h, c) is a number.
template <typename Number, typename Input>
std::pair<std::vector<Number>, std::vector<Number>> written_out(const Sizes& s, const Rows& rows,
                                                                Input&& input) {
  std::vector<Number> y(static_cast<std::size_t>(s.batch * s.tokens * s.heads * s.head_dim));
  std::vector<Number> states(y.size() * static_cast<std::size_t>(s.state_dim));
  for (std::int64_t bh = 0; bh < s.batch * s.heads; ++bh) {
    const std::int64_t b = bh / s.heads, h = bh % s.heads;
    const auto m = inverse<Number>(rows.b, s.tokens, [&](std::int64_t i, std::int64_t entry) {
      return input("coef_b", b, i, h, entry);
    });
    for (std::int64_t i = 1; i <= s.tokens; ++i) {
      for (std::int64_t j = 1; j <= i; ++j) {
        const Number weight = m[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
        Number score(0);
        for (std::int64_t r = 0; r < s.state_dim; ++r) {
          score = score + input("q", b, i, h, r) * input("k", b, j, h, r);
        }
        for (std::int64_t c = 0; c < s.head_dim; ++c) {
          const Number x = input("x", b, j, h, c);
          Number& sum = y[static_cast<std::size_t>(at(s, b, i, h, c, s.head_dim))];
          sum = sum + weight * score * x;
          for (std::int64_t r = 0; r < s.state_dim; ++r) {
            Number& element = states[static_cast<std::size_t>(
                at(s, b, i, h, r * s.head_dim + c, s.state_dim * s.head_dim))];
            element = element + weight * input("k", b, j, h, r) * x;
          }
        }
      }
    }
  }
  return {y, states};
}

std::int64_t width_of(const Sizes& s, const std::string& name) {
  return name == "x" ? s.head_dim : name == "coef_b" ? s.width_b : s.state_dim;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0.0;
  for (std::size_t e = 0; e < a.size(); ++e) largest = std::max(largest, std::fabs(a[e] - b[e]));
  return largest;
}

TEST_CASE("matrix states are sums of all earlier products, weighed by (I - B)^-1") {
  std::uint64_t seed = 0;
  for (const Rows& rows : patterns(kSmall.tokens)) {
    const Problem problem = matrix_problem(rows, kSmall, ++seed);
    const Sizes& s = problem.sizes;
    CHECK(problem.inputs.count("coef_a") == 0);
    CHECK(problem.inputs.count("gate") == 0);
    const auto [y, states] = written_out<double>(
        s, rows,
        [&](const std::string& name, std::int64_t b, std::int64_t i, std::int64_t h,
            std::int64_t c) {
          return problem.inputs.at(name).get(at(s, b, i, h, c, width_of(s, name)));
        });
    std::vector<std::int64_t> all;
    for (std::int64_t i = 1; i <= s.tokens; ++i) all.push_back(i);
    const ReferenceOutput output = reference_output(problem, rows, 2, all);
    CHECK(largest_difference(output.y, y) < 1e-12);
    CHECK(largest_difference(output.state, states) < 1e-12);
    // Some of them.
    const std::vector<double> two = reference_output(problem, rows, 1, {7, 30}).state;
    const std::int64_t token = s.heads * s.state_dim * s.head_dim;
    REQUIRE(static_cast<std::int64_t>(two.size()) == s.batch * 2 * token);
    for (std::int64_t e = 0; e < s.batch * 2 * token; ++e) {
      const std::int64_t i = e / token % 2 == 0 ? 7 : 30;
      const std::int64_t from = (e / token / 2 * s.tokens + i - 1) * token + e % token;
      CHECK(two[static_cast<std::size_t>(e)] == output.state[static_cast<std::size_t>(from)]);
    }
  }
}

TEST_CASE("what is too large to be solved at once is solved by columns of the state") {
  const Sizes sizes{.tokens = 3000, .head_dim = 24, .state_dim = 64};
  const Rows rows = test::builtin_rows("log_recurrence", sizes.tokens);
  const HeadInputs in = head_inputs(matrix_problem(rows, sizes, 5), 0, 0);
  const std::vector<double> states = reference_head(by_state(in, rows), rows);
  std::vector<double> kept;
  const std::vector<double> y = reference_head(in, rows, &kept, {1, 2999});
  std::vector<double> expected(y.size(), 0.0);
  for (std::size_t e = 0; e < states.size(); ++e) {
    const std::size_t row = e / 24;  // of all states
    expected[row / 64 * 24 + e % 24] += in.q[row] * states[e];
  }
  CHECK(largest_difference(y, expected) < 1e-10);
  const std::size_t state = 64 * 24;
  REQUIRE(kept.size() == 2 * state);
  std::vector<double> ends(states.begin(), states.begin() + state);
  ends.insert(ends.end(), states.begin() + 2998 * state, states.begin() + 2999 * state);
  CHECK(largest_difference(kept, ends) < 1e-12);
}

TEST_CASE("matrix states modulo p are the same sums") {
  std::uint64_t seed = 0;
  Sizes small = kSmall;
  small.tokens = 20;
  for (const Rows& rows : patterns(small.tokens)) {
    const FieldProblem problem = make_field_problem(WeightMode::kMatrix, small, rows, ++seed);
    const Sizes& s = problem.sizes;
    const auto [y, states] = written_out<Modulo>(
        s, rows,
        [&](const std::string& name, std::int64_t b, std::int64_t i, std::int64_t h,
            std::int64_t c) {
          const auto place = static_cast<std::size_t>(at(s, b, i, h, c, width_of(s, name)));
          return Modulo(problem.inputs.at(name)[place].value);
        });
    const auto solved = solve_problem(problem, rows);
    const auto same = [](const std::vector<std::uint64_t>& a, const std::vector<Modulo>& b) {
      return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                        [](std::uint64_t x, Modulo z) { return x == z.value; });
    };
    CHECK(same(solved->y, y));
    CHECK(same(solved->states, states));
    CHECK(field_output(problem, rows) == solved->y);
  }
}

TEST_CASE("coefficients of matrix states keep sums below their row, with poison behind it") {
  const Rows rows = random_outputs(20, 5);
  Sizes sizes = kSmall;
  sizes.tokens = 20;
  const Problem problem = matrix_problem(rows, sizes, 3);
  const HostBuffer& b = problem.inputs.at("coef_b");
  const std::int64_t width = problem.sizes.width_b;
  for (std::int64_t row = 0; row < b.count() / width; ++row) {
    const std::int64_t i = row / sizes.heads % sizes.tokens + 1;
    double sum = 0.0;
    for (std::int64_t e = 0; e < width; ++e) {
      CHECK(b.poisoned(row * width + e) == (e >= rows.b.size(i)));
      if (e < rows.b.size(i)) sum += std::fabs(b.get(row * width + e));
    }
    CHECK(sum < 1.0);
    CHECK((sum > 0.2) == (rows.b.size(i) > 0));
  }
}

TEST_CASE("slots of matrix states hold those of the live set, in f32") {
  const Rows rows = test::builtin_rows("sqrt_cached", kSmall.tokens);
  ProblemOptions options;
  options.weights = WeightMode::kMatrix;
  options.dtype = ElementType::kBF16;
  options.sizes = kSmall;
  const auto solved = solve_problem(options, rows);
  const Sizes& s = solved->problem.sizes;
  const std::int64_t tokens = 20, slots = rows.b.size(tokens + 1) + 2;
  const std::vector<std::int64_t> live = live_positions(CacheRetention::kNextRow, rows.b, tokens);
  const CacheLayout none;
  const CacheLayout next{.retention = CacheRetention::kNextRow};
  const std::vector<double> kept = solved->states_after(live);
  const StateSource source{solved->problem, rows, none, next, solved->y, kept};
  CHECK_FALSE(make_state(source, tokens, 0, slots - 3, 3).ok());
  const auto made = make_state(source, tokens, 0, slots, 3);
  REQUIRE(made.ok());
  CHECK(made->size() == 2);
  const HostBuffer& val = made->at("b_val");
  CHECK(val.type() == ElementType::kF32);
  CHECK(val.shape() == std::vector<std::int64_t>{s.batch, slots, s.heads, s.state_dim, s.head_dim});
  const std::int64_t elements = s.state_dim * s.head_dim;
  std::vector<std::int64_t> held;
  for (std::int64_t slot = 0; slot < slots; ++slot) {
    const std::int64_t b = 1, h = 2;
    const auto p =
        static_cast<std::int64_t>(made->at("b_pos").get((b * s.heads + h) * slots + slot));
    if (p > 0) held.push_back(p);
    for (std::int64_t e = 0; e < elements; ++e) {
      const std::int64_t place = ((b * slots + slot) * s.heads + h) * elements + e;
      CHECK(val.poisoned(place) == (p == 0));
      if (p == 0) continue;
      const double state = solved->states[static_cast<std::size_t>(at(s, b, p, h, e, elements))];
      CHECK(val.get(place) == static_cast<double>(static_cast<float>(state)));
    }
  }
  std::sort(held.begin(), held.end());
  CHECK(held == live);
}

// ---- kernels ------------------------------------------------------------------------------------

constexpr std::int64_t kRows = 300;

Pattern pattern_named(const std::string& name) {
  if (name != "near_and_strides") return test::builtin(name);
  return test::pattern_of({name,
                           "pattern near_and_strides {\n  A = diagonal\n"
                           "  B = window(3) | { i - 7*t : t >= 1, 7*t < i }\n}\n"});
}

Rows rows_named(const std::string& name) {
  MaterializeResult rows = materialize(pattern_named(name), kRows);
  REQUIRE(std::holds_alternative<Rows>(rows));
  return std::get<Rows>(std::move(rows));
}

Artifact generated(const std::string& name, ir::Target target, std::vector<std::string> ops,
                   ElementType dtype = ElementType::kF32) {
  GenerateOptions options;
  options.ops = std::move(ops);
  options.target = target;
  options.dtype = dtype;
  options.weights = WeightKind::kLinear;
  options.head_dim = 8;
  options.state_dim = 6;
  options.exact_to = kRows;
  Result<Artifact> artifact = generate(pattern_named(name), options);
  INFO(name << ": " << (artifact ? "" : artifact.error().message));
  REQUIRE(artifact.ok());
  return *std::move(artifact);
}

VerifyOptions quick() {
  VerifyOptions options;
  options.sizes = {1, 2, 63, 257};
  options.work_budget = 4'000'000;
  return options;
}

TEST_CASE("generated kernels that mix matrix states are verified") {
  using ir::Target;
  for (const auto& [name, target, dtype] :
       {std::tuple{"sqrt_cached", Target::kCuda, ElementType::kF32},
        std::tuple{"log_recurrence", Target::kCuda, ElementType::kBF16},
        std::tuple{"near_and_strides", Target::kCuda, ElementType::kF16},
        std::tuple{"sqrt_cached", Target::kCpu, ElementType::kBF16},
        std::tuple{"log_recurrence", Target::kCpu, ElementType::kF16},
        std::tuple{"near_and_strides", Target::kCpu, ElementType::kF32}}) {
    const Artifact artifact = generated(name, target, {"prefill", "decode", "backward"}, dtype);
    CHECK(weight_mode_of(artifact.manifest).value() == WeightMode::kMatrix);
    const VerifyReport report =
        verify(artifact.manifest, artifact.files, rows_named(name), quick());
    INFO(name << ": " << test::explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
    CHECK(report.profiles.size() == 3);
  }
}

// Each must die in either layer alone.
void reject(const std::string& name, ir::Target target, const char* op,
            const std::vector<test::TextEdit>& edits) {
  const Artifact artifact = generated(name, target, {op});
  for (const Layer layer : {Layer::kEmulated, Layer::kAlgebraic}) {
    test::reject_edits(artifact, rows_named(name), quick(), layer, edits);
  }
}

TEST_CASE("edits of prefill that mixes matrix states are rejected") {
  reject("sqrt_cached", ir::Target::kCuda, "prefill",
         {{"key * x[", "x["},
          {"= k[key_at + s]", "= q[key_at + s]"},
          {"= q[key_at + s]", "= k[key_at + s]"},
          {"weight * scratch_states[", "scratch_states["},
          {"weight * initial_b_val[", "initial_b_val["},
          {"entry += 1;", ""},
          {"while (f < i) {", "while (f + 1 < i) {"},
          {"if (p <= start) {", "if (p < start) {"},
          {"candidate] == p", "candidate] == p - 1"},
          {"= candidate + 1;", "= candidate;"},
          {"states_at = block * tokens * 48", "states_at = 0"},
          {"heads + head) * width_b", "heads) * width_b"},
          {"= state[s + part];", "= state[part];"},
          {"held ? states[at + (s * 8 + d)] : 0.0f;", "0.0f;"},
          {"cached ? initial_b_val : scratch_states", "scratch_states"},
          {"final_b_pos[pos_base_b + used] = static_cast<int>(p)",
           "final_b_pos[pos_base_b + used] = static_cast<int>(p + 1)"},
          {"final_b_pos[pos_base_b + slot] = 0;", "final_b_pos[pos_base_b + slot] = 1;"},
          {"used += 1;", ""}});
}

TEST_CASE("edits of prefill that keeps every state are rejected") {
  reject("log_recurrence", ir::Target::kCpu, "prefill",
         {{"key * x[", "x["},
          {"weight * scratch_states[", "scratch_states["},
          {"(p - start - 1) * 48", "(p - start) * 48"},
          {"(p - 1) * slot_stride", "p * slot_stride"},
          {"= states[at + (s * 8 + d)];", "= 0.0f;"},
          {"cached ? initial_b_val : scratch_states", "initial_b_val"},
          {"slot_base_b + slot * slot_stride", "slot_base_b"},
          {"while (f < i) {", "while (f < i && entry < 3) {"}});
}

TEST_CASE("edits of decode that mixes matrix states are rejected") {
  for (const ir::Target target : {ir::Target::kCuda, ir::Target::kCpu}) {
    reject("sqrt_cached", target, "decode",
           {{"key * x[", "x["},
            {"= k[key_at + s]", "= q[key_at + s]"},
            {"= q[key_at + s]", "= k[key_at + s]"},
            {"weight * cache_b_val[", "cache_b_val["},
            {"entry += 1;", ""},
            {"while (f < i) {", "while (f + 1 < i) {"},
            {"ceil_div(i - f, a)", "((i - f) / a)"},
            {"next_row = start + 2", "next_row = start + 1"},
            {"static_cast<int>(token)", "static_cast<int>(token + 1)"},
            {"token = start + 1", "token = start"},
            {"if (!keep) {", "if (slot == 0) {"},
            {"slots_b - room_b;", "0;"},
            {"cache_b_val[to + s * 8 + d] =", "cache_b_val[to + d] ="}});
  }
  reject("log_recurrence", ir::Target::kCuda, "decode",
         {{"(p - 1) * slot_stride", "p * slot_stride"}, {"while (f < i) {", "while (f < 5) {"}});
}

TEST_CASE("edits of backward through matrix states of any pattern are rejected") {
  for (const ir::Target target : {ir::Target::kCuda, ir::Target::kCpu}) {
    reject("log_recurrence", target, "backward",
           {{"weight * scratch_states[", "scratch_states["},
            {"weight * scratch_lambda[", "scratch_lambda["},
            {"key * x[", "x["},
            {"query * dy[", "dy["},
            {"key * scratch_lambda[", "key * scratch_states["},
            {"entry += 1;", ""},
            {"while (f < i) {", "while (f + 1 < i) {"},
            {"matrices_at + (p - 1) * 48", "matrices_at + p * 48"},
            {"token = tokens - 1 - back", "token = back"}});
  }
}

// Far below what f32 can tell.
TEST_CASE("small errors of matrix states are seen over the field") {
  const Artifact artifact = generated("sqrt_cached", ir::Target::kCpu, {"prefill"});
  test::reject_edits(artifact, rows_named("sqrt_cached"), quick(), Layer::kAlgebraic,
                     {{"query * state[s * 8 + d]", "query * state[s * 8 + d] * 1.0000001f"},
                      {"= states[at + (s * 8 + d)]", "= states[at + (s * 8 + d)] + 1e-7f"}});
}

// What a state is off by shows in later tokens only, unless the state itself is looked at.
TEST_CASE("states that are a thousandth off are rejected in every type") {
  for (const ElementType dtype : {ElementType::kF32, ElementType::kBF16, ElementType::kF16}) {
    const Artifact artifact = generated("sqrt_cached", ir::Target::kCpu, {"prefill"}, dtype);
    test::reject_edits(artifact, rows_named("sqrt_cached"), quick(), Layer::kEmulated,
                       {{"= states[at + (s * 8 + d)]", "= 1.001f * states[at + (s * 8 + d)]"}});
  }
}

TEST_CASE("linear weights are of any pattern where a kernel takes coefficients") {
  Manifest manifest;
  manifest.weights = "linear";
  manifest.kernels.resize(2);
  CHECK(weight_mode_of(manifest).value() == WeightMode::kLinear);
  manifest.kernels[1].arguments = {{"x"}, {"coef_b"}};
  CHECK(weight_mode_of(manifest).value() == WeightMode::kMatrix);
  manifest.weights = "given";
  CHECK(weight_mode_of(manifest).value() == WeightMode::kGiven);
  manifest.weights = "none";
  CHECK_FALSE(weight_mode_of(manifest).ok());
}

}  // namespace
}  // namespace heddle
