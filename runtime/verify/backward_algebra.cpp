// SPDX-License-Identifier: Apache-2.0
// Backward kernels over the finite field.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <random>

#include "runtime/verify/algebraic.hpp"
#include "runtime/verify/backward.hpp"
#include "runtime/verify/field_gradient_state.hpp"
#include "runtime/verify/field_gradients.hpp"
#include "runtime/verify/varlen.hpp"

namespace heddle {
namespace {

struct Scenario {
  std::int64_t tokens = 1;  // of the sequence, and of them before the launch
  std::int64_t start = 0;
  std::int64_t batch = 1;
  std::int64_t heads = 1;
  std::int64_t spare = 0;   // slots and columns of coefficients, more than needed
  bool least_rows = false;  // of shared memory
  bool borders = false;     // varlen, and no start: of lengths where chunks end
};

// A problem with its y, a random dy, and the gradients.
struct SolvedGradients {
  FieldProblem problem;
  std::vector<FieldElement> y, dy;
  FieldGradients expected;
  FieldBuffers state;  // of a launch that goes on from one, by whole names
};

Sizes sizes_of(const VerifyContext& context, const Scenario& scenario) {
  Sizes sizes{.batch = scenario.batch,
              .tokens = scenario.tokens,
              .heads = scenario.heads,
              .head_dim = context.manifest.head_dim,
              .state_dim = context.manifest.state_dim,
              .key_gates = context.manifest.key_gates};
  set_columns(sizes, context.manifest, scenario.spare);
  if (context.rows.a.total() == 0) sizes.width_a = 0;  // no argument of the kernel
  if (context.rows.b.total() == 0) sizes.width_b = 0;
  return sizes;
}

// y as the definition gives it and a random dy, as numbers and as buffers hold them.
struct Outputs {
  std::vector<std::uint64_t> y, dy;
};
Outputs draw_outputs(const VerifyContext& context, SolvedGradients& solved, std::uint64_t seed) {
  Outputs outputs{field_output(solved.problem, context.rows), {}};
  std::mt19937_64 random(seed + 7777);
  for (const std::uint64_t value : outputs.y) {
    outputs.dy.push_back(random() % kFieldP);
    // Neither is ever an exponent.
    solved.y.push_back({value, kFieldPoison.exponent});
    solved.dy.push_back({outputs.dy.back(), kFieldPoison.exponent});
  }
  return outputs;
}

// With the scalars of `like`, where given: a launch has one of each.
FieldProblem draw_problem(const VerifyContext& context, const Sizes& sizes, std::uint64_t seed,
                          const FieldProblem* like) {
  FieldProblem problem = make_field_problem(context.weights, sizes, context.rows, seed);
  if (like == nullptr) return problem;
  problem.scale = like->scale;
  problem.gamma = like->gamma;
  return problem;
}

SolvedGradients solve(const VerifyContext& context, const Sizes& sizes, std::uint64_t seed,
                      const FieldProblem* like) {
  SolvedGradients solved;
  solved.problem = draw_problem(context, sizes, seed, like);
  const Outputs outputs = draw_outputs(context, solved, seed);
  solved.expected = field_gradients(solved.problem, context.rows, outputs.y, outputs.dy);
  return solved;
}

// What a launch between two states works on: its own tokens, those behind `start`.
Result<SolvedGradients> solve_between(const VerifyContext& context, const Sizes& sizes,
                                      std::int64_t start, const Scenario& scenario,
                                      std::uint64_t seed, const FieldProblem* like) {
  SolvedGradients solved;
  solved.problem = draw_problem(context, sizes, seed, like);
  const Sizes all = solved.problem.sizes;
  const Outputs outputs = draw_outputs(context, solved, seed);
  Result<FieldGradientState> state =
      FieldGradientState::draw(context.manifest, context.rows, solved.problem, outputs.y, start,
                               scenario.spare, scenario.tokens, seed + 5555);
  if (!state) return state.error();
  solved.expected =
      field_gradients(solved.problem, context.rows, outputs.y, outputs.dy, state->state);
  hand_back(state->sides, all, start, solved.expected);
  solved.state = std::move(state->buffers);
  solved.problem.sizes = state->launch;
  for (auto& [name, numbers] : solved.problem.inputs) {
    numbers = launched_part(numbers, all, start);
  }
  for (auto* numbers : {&solved.y, &solved.dy}) {
    *numbers = launched_part(*numbers, all, start);
  }
  return solved;
}

bool is_initial(const std::string& name) {
  return name.rfind("initial_", 0) == 0 || name.rfind("dinitial_", 0) == 0;
}

// Of a sequence that begins here, in a launch of others that go on: nobody reads what it has for an
// initial state, whose gradient is none.
void begins_here(SolvedGradients& solved) {
  for (auto& [name, buffer] : solved.state) {
    if (!is_initial(name) || buffer.integers) continue;
    std::fill(buffer.numbers.begin(), buffer.numbers.end(), kFieldPoison);
    if (name[0] == 'd') solved.expected[name].assign(buffer.count(), 0);
  }
}

// `before`: an initial state, too, where no token came before.
Result<FieldBuffers> bind(const KernelEntry& entry, const SolvedGradients& solved, bool before) {
  const Sizes sizes = solved.problem.sizes.in_chunks(entry);
  FieldBuffers buffers;
  for (const Argument& argument : entry.arguments) {
    if (argument.kind != ArgumentKind::kBuffer) continue;
    const std::string& name = argument.name;
    std::int64_t count = 1;
    for (const std::string& extent : argument.shape) {
      const Result<std::int64_t> value = sizes.extent(extent);
      if (!value) return value.error();
      count *= *value;
    }
    const auto size = static_cast<std::size_t>(count);
    const bool output = solved.expected.count(name) > 0 || name.rfind("scratch_", 0) == 0;
    FieldBuffer buffer;
    if (const auto state = solved.state.find(name); state != solved.state.end()) {
      buffer = state->second;
    } else if (const auto input = solved.problem.inputs.find(name);
               input != solved.problem.inputs.end()) {
      buffer.numbers = input->second;
    } else if (name == "y" || name == "dy") {
      buffer.numbers = name == "y" ? solved.y : solved.dy;
    } else if (output) {
      buffer.numbers.resize(size, kFieldPoison);
    }
    const auto expected = solved.expected.find(name);
    if (buffer.count() != size ||
        (expected != solved.expected.end() && expected->second.size() != size)) {
      return Error{fmt::format("buffer '{}' is unknown, or declared with another shape", name)};
    }
    if (is_initial(name) && !before) continue;  // a null pointer
    buffers.emplace(name, std::move(buffer));
  }
  return buffers;
}

// What one launch works on: a problem, or with varlen one for each sequence that has tokens, and
// for those without where a state passes through.
struct Work {
  std::vector<SolvedGradients> problems;
  Sizes sizes;
  VarlenLayout layout;  // varlen only
};
using Results = std::vector<FieldBuffers>;  // of each problem

Result<Work> prepare(const VerifyContext& context, const KernelEntry& entry,
                     const Scenario& scenario, std::uint64_t seed) {
  Work work;
  Sizes sizes = sizes_of(context, scenario);
  const bool between = takes_state(entry);
  const auto solved = [&](std::int64_t start) -> Result<SolvedGradients> {
    const FieldProblem* const like =
        work.problems.empty() ? nullptr : &work.problems.front().problem;
    if (!between) return solve(context, sizes, seed, like);
    return solve_between(context, sizes, start, scenario, seed, like);
  };
  if (!context.manifest.varlen) {
    Result<SolvedGradients> one = solved(scenario.start);
    if (!one) return one.error();
    work.sizes = one->problem.sizes;
    work.problems.push_back(*std::move(one));
    return work;
  }
  RandomSource random(seed);
  work.layout = scenario.borders ? VarlenLayout::at_borders(entry.chunk_tokens)
                                 : VarlenLayout::draw_backward(scenario.batch, scenario.start,
                                                               scenario.tokens, random);
  const std::vector<std::int64_t>& starts = work.layout.starts;
  sizes.batch = 1;
  for (std::size_t b = 0; b < starts.size(); ++b) {
    if (work.layout.counts[b] == 0 && !between) continue;
    sizes.tokens = starts[b] + work.layout.counts[b];
    seed += 100;
    Result<SolvedGradients> one = solved(starts[b]);
    if (!one) return one.error();
    if (starts[b] == 0 && scenario.start > 0) begins_here(*one);
    work.problems.push_back(*std::move(one));
    // The first one is the longest, and columns are the same for all.
    sizes.width_a = work.problems.front().problem.sizes.width_a;
    sizes.width_b = work.problems.front().problem.sizes.width_b;
  }
  work.sizes = launch_sizes(work.layout, entry, work.problems.front().problem.sizes);
  return work;
}

Result<FieldBuffers> bind(const VerifyContext& context, const KernelEntry& entry, const Work& work,
                          Results& parts) {
  const bool before = work.sizes.start > 0;
  if (!context.manifest.varlen) return bind(entry, work.problems.front(), before);
  parts.clear();
  for (const SolvedGradients& solved : work.problems) {
    Result<FieldBuffers> bound = bind(of_one_sequence(entry), solved, before);
    if (!bound) return bound;
    parts.push_back(*std::move(bound));
  }
  return join(entry, work.layout, work.sizes, parts);
}

class BackwardAlgebra {
 public:
  BackwardAlgebra(const VerifyContext& context, const KernelUnderTest& kernel, Ledger& ledger)
      : context_(context),
        kernel_(kernel),
        ledger_(ledger),
        budget_(context.options.algebraic_budget) {
    // There is no state; comparisons occur where a running maximum is kept.
    ledger.not_applicable(Duty::kFieldState);
    if (context.weights != WeightMode::kSoftmax) ledger.not_applicable(Duty::kAnyOrder);
  }
  ~BackwardAlgebra() {
    if (longest_ == 0) return;
    const bool softmax = context_.weights == WeightMode::kSoftmax;
    const std::int64_t length =
        softmax ? std::min<std::int64_t>(longest_, context_.manifest.head_dim) : longest_;
    ledger_.remark(Duty::kIdentity,
                   field_confidence(field_gradient_degree(context_.weights, length)) +
                       (length < longest_ ? fmt::format(" (up to {} tokens)", length) : ""));
  }
  BackwardAlgebra(const BackwardAlgebra&) = delete;
  BackwardAlgebra& operator=(const BackwardAlgebra&) = delete;

  // The longest sequence that a budget of its own can afford, where no run has come to some of the
  // text yet.
  void run_further() {
    budget_ = 2 * context_.options.algebraic_budget;
    run_unreached(kernel_, ledger_, 0, [&](std::int64_t n) {
      const Scenario scenario{.tokens = n};
      if (n >= context_.rows.n() || work_of(scenario) > budget_) return false;
      run(scenario);
      return true;
    });
  }

  // In two orders, or in one where the budget has no room for two.
  void run(const Scenario& scenario) {
    if (scenario.tokens >= context_.rows.n() || ledger_.rejected()) return;
    const std::int64_t work = work_of(scenario);
    const int orders = 2 * work <= budget_ ? 2 : 1;
    if (orders * work > budget_) return ledger_.skipped(scenario.tokens);
    budget_ -= orders * work;
    play(scenario, orders);
  }
  // What nothing else shows, whatever it takes; false where it cannot be.
  bool must_run(const Scenario& scenario) {
    if (scenario.tokens >= context_.rows.n() || ledger_.rejected()) return false;
    play(scenario, 1);
    return true;
  }

  void play(const Scenario& scenario, int orders) {
    const Result<Work> made =
        prepare(context_, kernel_.entry(), scenario,
                context_.options.seed + 7919 * static_cast<std::uint64_t>(++problems_));
    if (!made) {
      return ledger_.failed(Duty::kFieldRuns, scenario.tokens,
                            {"cache_layout", made.error().message, "manifest"});
    }
    const Work& prepared = *made;
    longest_ = std::max(longest_, scenario.tokens);
    const std::optional<Results> first = launch(scenario, prepared, 0);
    if (!first) return;
    for (std::size_t p = 0; p < prepared.problems.size(); ++p) {
      check_values(scenario, prepared.problems[p], (*first)[p]);
    }
    if (orders < 2) return;
    const std::optional<Results> second = launch(scenario, prepared, 1);
    if (!second) return;
    bool same = true;
    for (std::size_t p = 0; p < prepared.problems.size(); ++p) {
      same = same && same_gradients(prepared.problems[p], (*first)[p], (*second)[p]);
    }
    if (same) {
      ledger_.passed(Duty::kAnyOrder, scenario.tokens);
    } else {
      ledger_.failed(Duty::kAnyOrder, scenario.tokens,
                     {"order_dependence",
                      "another order of the numbers and of the threads gives other results",
                      describe(scenario)});
    }
  }

  Result<LaunchOutcome> launch_once(const Scenario& scenario, const Work& work,
                                    FieldBuffers& buffers, unsigned order) const {
    const FieldProblem& problem = work.problems.front().problem;
    return kernel_.launch(
        FieldLaunchRequest{.sizes = work.sizes,
                           .scale = problem.scale,
                           .gamma = problem.gamma,
                           .buffers = &buffers,
                           .order = order == 0 ? ThreadOrder::kForward : ThreadOrder::kReverse,
                           .order_seed = order + 1,
                           .expected_work = work_of(scenario),
                           .least_rows = scenario.least_rows});
  }

 private:
  // As for the emulated layer: eight accesses per entry and channel, and what every token costs.
  std::int64_t work_of(const Scenario& scenario) const {
    std::int64_t entries = 0;
    for (std::int64_t i = scenario.start + 1; i <= scenario.tokens; ++i) {
      entries += context_.rows.a.size(i) + context_.rows.b.size(i);
    }
    const bool matrices = context_.weights == WeightMode::kMatrix;
    const std::int64_t d =
        context_.manifest.head_dim * (matrices ? context_.manifest.state_dim : 1);
    const std::int64_t per_token =
        context_.weights == WeightMode::kLinear ? 16 * context_.manifest.state_dim * d : 24 * d;
    return scenario.batch * scenario.heads * (8 * d * entries + per_token * scenario.tokens);
  }
  std::string describe(const Scenario& scenario) const {
    const std::string after = scenario.start > 0 ? fmt::format(" after {}", scenario.start) : "";
    return fmt::format("{}: {} tokens{}, batch {}, heads {}", kernel_.entry().op,
                       scenario.tokens - scenario.start, after, scenario.batch, scenario.heads);
  }

  std::optional<Results> launch(const Scenario& scenario, const Work& work, unsigned order) {
    Results parts;
    Result<FieldBuffers> bound = bind(context_, kernel_.entry(), work, parts);
    if (!bound) {
      ledger_.failed(Duty::kFieldRuns, scenario.tokens,
                     {"manifest", bound.error().message, kernel_.entry().op});
      return std::nullopt;
    }
    const Result<LaunchOutcome> outcome = launch_once(scenario, work, *bound, order);
    if (!outcome) {
      ledger_.undecided(Duty::kFieldRuns, outcome.error().message);
      return std::nullopt;
    }
    ledger_.passed(Duty::kFieldRuns, scenario.tokens);
    for (const VerifyFailure& finding : outcome->findings) {
      ledger_.failed(Duty::kFieldRuns, scenario.tokens,
                     {finding.kind, fmt::format("{} ({})", finding.message, describe(scenario)),
                      finding.where});
    }
    if (!outcome->findings.empty()) return std::nullopt;
    if (!context_.manifest.varlen) return Results{*std::move(bound)};
    const std::string stray = split(kernel_.entry(), work.layout, work.sizes, *bound, parts);
    if (!stray.empty()) {
      ledger_.failed(Duty::kIdentity, scenario.tokens,
                     {"out_of_bounds", stray, describe(scenario) + ", " + work.layout.describe()});
    }
    return parts;
  }

  // Scratch means nothing afterwards, and no result has an exponent.
  static bool same_gradients(const SolvedGradients& solved, const FieldBuffers& first,
                             const FieldBuffers& second) {
    return std::all_of(first.begin(), first.end(), [&](const auto& item) {
      const auto& [name, buffer] = item;
      const std::vector<FieldElement>& other = second.at(name).numbers;
      return solved.expected.count(name) == 0 ||
             std::equal(
                 buffer.numbers.begin(), buffer.numbers.end(), other.begin(), other.end(),
                 [](const FieldElement& x, const FieldElement& y) { return x.value == y.value; });
    });
  }

  void check_values(const Scenario& scenario, const SolvedGradients& solved,
                    const FieldBuffers& buffers) {
    const auto wrong = [](std::uint64_t value) {
      return value < kFieldP ? "is another number than the definition's" : "comes from no input";
    };
    const auto reject = [&](const std::string& what) {
      ledger_.failed(Duty::kIdentity, scenario.tokens,
                     {"wrong_identity", what, describe(scenario)});
    };
    ledger_.passed(Duty::kIdentity, scenario.tokens);
    for (const auto& [name, expected] : solved.expected) {
      const auto found = buffers.find(name);
      if (found == buffers.end()) {
        // A row of coefficients that the pattern never has is no argument, everything else must be.
        if (!expected.empty()) reject(name + " is not written");
        continue;
      }
      const std::vector<FieldElement>& numbers = found->second.numbers;
      for (std::size_t e = 0; e < expected.size(); ++e) {
        if (numbers[e].value == expected[e]) continue;
        const Sizes& s = solved.problem.sizes;
        if (name.rfind("dinitial_", 0) == 0) {
          reject(fmt::format("element {} of {} {}", e, name, wrong(numbers[e].value)));
          break;
        }
        const std::size_t width =
            expected.size() / static_cast<std::size_t>(s.batch * s.tokens * s.heads);
        const auto row = static_cast<std::int64_t>(e / width);
        reject(fmt::format("{} of token {}, batch {}, head {}, element {} {}", name,
                           row / s.heads % s.tokens + 1, row / (s.heads * s.tokens), row % s.heads,
                           e % width, wrong(numbers[e].value)));
        break;
      }
    }
  }

  const VerifyContext& context_;
  const KernelUnderTest& kernel_;
  Ledger& ledger_;
  std::int64_t budget_;
  std::int64_t longest_ = 0;
  std::int64_t problems_ = 0;
};

}  // namespace

void check_backward_algebra(const VerifyContext& context, const KernelUnderTest& backward,
                            Ledger& ledger) {
  BackwardAlgebra check(context, backward, ledger);
  // First of all, as two sequences may be one and an empty one.
  if (context.manifest.varlen) check.run({.tokens = 21, .batch = 4, .heads = 2});
  // 129 crosses every group of entries that a row is gathered in; short ones are cheap and telling.
  for (const Scenario& scenario :
       std::initializer_list<Scenario>{{.tokens = 1, .batch = 2, .heads = 2},
                                       {.tokens = 2, .heads = 3},
                                       {.tokens = 17, .batch = 2, .heads = 2, .spare = 2},
                                       {.tokens = 34},
                                       {.tokens = 130},
                                       {.tokens = 66}}) {
    check.run(scenario);
  }
  // Of large states the budget has room for very few tokens.
  const std::int64_t several = std::min<std::int64_t>(37, context.rows.n() - 1);
  if (context.weights == WeightMode::kMatrix && !check.must_run({.tokens = several, .heads = 2}) &&
      !ledger.rejected()) {
    ledger.undecided(Duty::kIdentity, "no launch mixes the states of several tokens");
  }
  const Scenario little{.tokens = std::min<std::int64_t>(75, context.rows.n() - 1),
                        .least_rows = true};
  if (has_rings(backward.entry()) && !check.must_run(little) && !ledger.rejected()) {
    ledger.undecided(Duty::kIdentity, "no launch has little shared memory");
  }
  for (const ChunkedLength& length : chunked_lengths(backward.entry())) {
    if (length.start > 0 && !takes_state(backward.entry())) continue;
    const Scenario scenario{.tokens = length.start + length.tokens,
                            .start = length.start,
                            .batch = length.batch,
                            .spare = length.start % 2};
    if (check.must_run(scenario) || ledger.rejected()) continue;
    ledger.undecided(Duty::kIdentity,
                     fmt::format("{} tokens in chunks could not be run", length.tokens));
  }
  const std::int64_t chunk = backward.entry().chunk_tokens;
  const Scenario borders{.tokens = 2 * chunk + 1, .borders = true};
  if (context.manifest.varlen && chunk > 0 && !check.must_run(borders) && !ledger.rejected()) {
    ledger.undecided(Duty::kIdentity, "sequences that end where chunks do could not be run");
  }
  if (context.manifest.varlen) {
    check.run({.tokens = 50, .batch = 4, .heads = 2});
    if (takes_state(backward.entry())) {
      check.run({.tokens = 25, .start = 14, .batch = 5, .heads = 2, .spare = 1});
    }
  }
  if (takes_state(backward.entry())) {
    // The states that are kept come from the initial one, and with varlen from none.
    const bool matrix = context.weights == WeightMode::kLinear;
    const Scenario kept{.tokens = kept_stretch(context.manifest) + 2,
                        .start = 1,
                        .batch = context.manifest.varlen ? 2 : 1};
    if (matrix && !check.must_run(kept) && !ledger.rejected()) {
      ledger.undecided(Duty::kIdentity, "no launch keeps a state that comes from another one");
    }
    for (const Scenario& scenario : std::initializer_list<Scenario>{
             {.tokens = 2, .start = 1, .batch = 2, .heads = 2},
             {.tokens = 20, .start = 9, .batch = 2, .heads = 2, .spare = 1},
             {.tokens = 38, .start = 36, .spare = 70},
             {.tokens = 70, .start = 33, .heads = 2},
             {.tokens = 308, .start = 300}}) {
      check.run(scenario);
    }
  }
  check.run_further();
}

bool fails_backward_algebra(const VerifyContext& context, const KernelUnderTest& backward,
                            std::int64_t tokens, std::int64_t batch, std::int64_t heads) {
  Ledger ledger("backward", Layer::kAlgebraic);
  const std::int64_t start = takes_state(backward.entry()) ? tokens / 2 : 0;
  BackwardAlgebra check(context, backward, ledger);
  check.run({.tokens = tokens, .batch = batch, .heads = heads});
  if (start > 0) check.run({.tokens = tokens, .start = start, .batch = batch, .heads = heads});
  return ledger.rejected();
}

void count_backward_operations(const VerifyContext& context, const KernelUnderTest& backward,
                               KernelProfile& profile) {
  Ledger nobody(backward.entry().op, Layer::kAlgebraic);
  const Scenario scenario = {.tokens = profile.start + profile.tokens,
                             .start = profile.start,
                             .batch = profile.batch,
                             .heads = profile.heads};
  const Result<Work> made = prepare(context, backward.entry(), scenario, context.options.seed);
  if (!made) return;
  const Work& work = *made;
  Results parts;
  Result<FieldBuffers> bound = bind(context, backward.entry(), work, parts);
  if (!bound) return;
  const Result<LaunchOutcome> outcome =
      BackwardAlgebra(context, backward, nobody).launch_once(scenario, work, *bound, 0);
  if (!outcome || !outcome->findings.empty()) return;
  const LaunchCounters& counters = outcome->counters;
  profile.flops = counters.additions + counters.multiplications + counters.divisions;
  profile.exponentials = counters.exponentials;
}

}  // namespace heddle
