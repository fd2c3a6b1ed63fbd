// SPDX-License-Identifier: Apache-2.0
#include "runtime/verify/backward.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "runtime/reference/problem_binding.hpp"
#include "runtime/reference/problem_gradients.hpp"
#include "runtime/verify/plan.hpp"
#include "runtime/verify/varlen.hpp"

namespace heddle {
namespace {

const std::vector<ThreadOrder> kAllOrders = {ThreadOrder::kForward, ThreadOrder::kReverse,
                                             ThreadOrder::kShuffled};
const std::vector<ThreadOrder> kTwoOrders = {ThreadOrder::kReverse, ThreadOrder::kShuffled};
const std::vector<ThreadOrder> kOneOrder = {ThreadOrder::kShuffled};
constexpr std::int64_t kOrdersMatter = 100;  // as in plan.cpp, for dearer launches
constexpr std::int64_t kTypical = 63;
constexpr std::int64_t kManySlots = 70;  // as in plan.cpp

struct Scenario {
  std::int64_t tokens = 1;  // of the sequence, and of them before the launch
  std::int64_t start = 0;
  std::int64_t batch = 1;
  std::int64_t heads = 1;
  Fill fill = Fill::kNormal;
  float gamma = 0.5F;
  std::int64_t spare = 0;   // slots, and columns of coefficients, more than needed
  bool least_rows = false;  // of shared memory
  bool borders = false;     // varlen, and no start: of lengths where chunks end
};

// What one launch works on: a problem, or with varlen one for each sequence that has tokens, and
// for those without where a state passes through.
struct Work {
  std::vector<GradientProblem> problems;
  Sizes sizes;
  VarlenLayout layout;  // varlen only
};
using Results = std::vector<HostBuffers>;  // of each problem

bool is_initial(const std::string& name) {
  return name.rfind("initial_", 0) == 0 || name.rfind("dinitial_", 0) == 0;
}

// Of a sequence that begins here, in a launch of others that go on: nobody reads what it has for an
// initial state, whose gradient is none.
void begins_here(GradientProblem& solved) {
  for (auto& [name, buffer] : solved.state) {
    if (!is_initial(name)) continue;
    if (buffer.type() != ElementType::kI32) buffer.poison();
    if (name[0] != 'd') continue;
    for (auto* gradients : {&solved.expected, &solved.magnitude}) {
      (*gradients)[name].assign(static_cast<std::size_t>(buffer.count()), 0.0);
    }
  }
}

class BackwardCheck {
 public:
  BackwardCheck(const VerifyContext& context, const KernelUnderTest& kernel, Ledger& ledger)
      : context_(context), kernel_(kernel), ledger_(ledger), budget_(context.options.work_budget) {}

  // What a run costs from here on is counted anew.
  void refill() { budget_ = context_.options.work_budget / 4 * 5; }

  // Runs the scenario in as many of the wanted thread orders as the budget allows: all, one, or
  // none.
  bool run(const Scenario& scenario, const std::vector<ThreadOrder>& wanted,
           KernelProfile* profile = nullptr) {
    if (scenario.tokens >= context_.rows.n() || ledger_.saturated()) return false;
    // A cpu kernel has one thread and takes the blocks of a launch in turn.
    const bool alone = context_.manifest.target == "cpu" && scenario.batch * scenario.heads == 1;
    const std::vector<ThreadOrder> orders = afford(work_of(scenario), alone ? kOneOrder : wanted);
    return !orders.empty() && play(scenario, orders, profile);
  }
  // What nothing else shows, whatever it takes.
  bool must_run(const Scenario& scenario) {
    if (scenario.tokens >= context_.rows.n() || ledger_.saturated()) return false;
    return play(scenario, kOneOrder);
  }

 private:
  bool play(const Scenario& scenario, const std::vector<ThreadOrder>& orders,
            KernelProfile* profile = nullptr) {
    const Result<Work> prepared = prepare(scenario);
    if (!prepared) {
      ledger_.failed(Duty::kState, scenario.tokens,
                     {"cache_layout", prepared.error().message, "manifest"});
      return false;
    }
    const Work& work = *prepared;
    std::optional<Results> first;
    for (const ThreadOrder order : orders) {
      std::optional<Results> result = launch(scenario, work, order, first ? nullptr : profile);
      if (!result) return false;
      if (!first) {
        first = std::move(result);
        for (std::size_t p = 0; p < work.problems.size(); ++p) {
          check_values(scenario, work.problems[p], (*first)[p]);
        }
      } else if (same_gradients(work, *first, *result)) {
        ledger_.passed(Duty::kLaneOrders, scenario.tokens);
      } else {
        ledger_.failed(Duty::kLaneOrders, scenario.tokens,
                       {"order_dependence",
                        fmt::format("thread order {} gives other bits than {}", name_of(order),
                                    name_of(orders.front())),
                        describe(scenario)});
      }
    }
    return !ledger_.saturated();
  }

  std::vector<ThreadOrder> afford(std::int64_t work, const std::vector<ThreadOrder>& wanted) {
    for (const std::vector<ThreadOrder>& orders : {wanted, kOneOrder}) {
      const std::int64_t cost = work * static_cast<std::int64_t>(orders.size());
      if (cost > budget_) continue;
      budget_ -= cost;
      return orders;
    }
    return {};
  }

  // Memory accesses: eight per entry and channel, and what every token costs whatever its row.
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

  ProblemOptions options_of(const Scenario& scenario) {
    ProblemOptions options;
    options.weights = context_.weights;
    options.dtype = context_.manifest.dtype;
    for (const Argument& argument : kernel_.entry().arguments) {
      if (argument.name == "coef_a" || argument.name == "coef_b") {
        options.coefficient_dtype = argument.type;
      }
    }
    options.sizes = {.batch = scenario.batch,
                     .tokens = scenario.tokens,
                     .heads = scenario.heads,
                     .head_dim = context_.manifest.head_dim,
                     .state_dim = context_.manifest.state_dim,
                     .key_gates = context_.manifest.key_gates};
    set_columns(options.sizes, context_.manifest, scenario.spare);
    options.gamma = scenario.gamma;
    options.fill = scenario.fill;
    options.seed = context_.options.seed + 1000 * static_cast<std::uint64_t>(++problems_);
    return options;
  }

  std::string describe(const Scenario& scenario) const {
    const std::string after = scenario.start > 0 ? fmt::format(" after {}", scenario.start) : "";
    return fmt::format("{}: {} tokens{}, batch {}, heads {}, gamma {}, {} inputs",
                       kernel_.entry().op, scenario.tokens - scenario.start, after, scenario.batch,
                       scenario.heads, scenario.gamma, name_of(scenario.fill));
  }

  Result<Work> prepare(const Scenario& scenario) {
    ProblemOptions options = options_of(scenario);
    Work work;
    if (!context_.manifest.varlen) {
      Result<GradientProblem> solved = solve(options, scenario, scenario.start);
      if (!solved) return solved.error();
      work.sizes = solved->launch;
      work.problems.push_back(*std::move(solved));
      return work;
    }
    RandomSource random(options.seed + 1);
    work.layout = scenario.borders ? VarlenLayout::at_borders(kernel_.entry().chunk_tokens)
                                   : VarlenLayout::draw_backward(scenario.batch, scenario.start,
                                                                 scenario.tokens, random);
    const std::vector<std::int64_t>& starts = work.layout.starts;
    options.sizes.batch = 1;
    for (std::size_t b = 0; b < starts.size(); ++b) {
      options.seed += 100;
      options.sizes.tokens = starts[b] + work.layout.counts[b];
      if (work.layout.counts[b] == 0 && !takes_state(kernel_.entry())) continue;
      Result<GradientProblem> solved = solve(options, scenario, starts[b]);
      if (!solved) return solved.error();
      if (starts[b] == 0 && scenario.start > 0) begins_here(*solved);
      work.problems.push_back(*std::move(solved));
    }
    work.sizes = launch_sizes(work.layout, kernel_.entry(), work.problems.front().launch);
    return work;
  }
  Result<GradientProblem> solve(const ProblemOptions& options, const Scenario& scenario,
                                std::int64_t start) const {
    if (!takes_state(kernel_.entry())) return solve_gradients(options, context_.rows);
    return solve_gradients(options, context_.rows,
                           StateLayouts{context_.manifest.cache_a, context_.manifest.cache_b, start,
                                        scenario.spare, scenario.tokens});
  }

  Result<HostBuffers> bind(const Work& work, Results& parts) const {
    const KernelEntry& entry = kernel_.entry();
    if (!context_.manifest.varlen) {
      const GradientProblem& solved = work.problems.front();
      return bind_buffers(entry, solved.problem, work.sizes, solved.state);
    }
    parts.clear();
    for (const GradientProblem& solved : work.problems) {
      Result<HostBuffers> bound =
          bind_buffers(of_one_sequence(entry), solved.problem, solved.launch, solved.state);
      if (!bound) return bound;
      for (const auto& [name, buffer] : solved.state) {
        if (is_initial(name) && work.sizes.start > 0) bound->emplace(name, buffer);
      }
      parts.push_back(*std::move(bound));
    }
    return join(entry, work.layout, work.sizes, parts);
  }

  std::optional<Results> launch(const Scenario& scenario, const Work& work, ThreadOrder order,
                                KernelProfile* profile) {
    const Problem& problem = work.problems.front().problem;
    Results parts;
    Result<HostBuffers> bound = bind(work, parts);
    if (!bound) {
      ledger_.failed(Duty::kMemory, scenario.tokens,
                     {"manifest", bound.error().message, kernel_.entry().op});
      return std::nullopt;
    }
    const Result<LaunchOutcome> outcome =
        kernel_.launch({.sizes = work.sizes,
                        .scale = problem.scale,
                        .gamma = problem.gamma,
                        .buffers = &*bound,
                        .order = order,
                        .seed = static_cast<std::uint64_t>(scenario.tokens),
                        .expected_work = work_of(scenario),
                        .least_rows = scenario.least_rows,
                        .count_requests = profile != nullptr});
    if (!outcome) {
      for (const Duty duty : {Duty::kMemory, Duty::kOrdering, Duty::kValues}) {
        ledger_.undecided(duty, outcome.error().message);
      }
      return std::nullopt;
    }
    for (const Duty duty : {Duty::kMemory, Duty::kOrdering}) {
      ledger_.passed(duty, scenario.tokens);
    }
    for (const VerifyFailure& finding : outcome->findings) {
      ledger_.failed(duty_of_finding(finding.kind), scenario.tokens,
                     {finding.kind, fmt::format("{} ({})", finding.message, describe(scenario)),
                      finding.where});
    }
    if (profile != nullptr) fill(*profile, work, *outcome);
    if (!context_.manifest.varlen) return Results{*std::move(bound)};
    const std::string stray = split(kernel_.entry(), work.layout, work.sizes, *bound, parts);
    if (!stray.empty()) {
      ledger_.failed(Duty::kMemory, scenario.tokens,
                     {"out_of_bounds", stray, describe(scenario) + ", " + work.layout.describe()});
    }
    return parts;
  }

  void fill(KernelProfile& profile, const Work& work, const LaunchOutcome& outcome) const {
    const LaunchCounters& counters = outcome.counters;
    profile = {.symbol = kernel_.entry().symbol,
               .op = kernel_.entry().op,
               .tokens = work.sizes.tokens,
               .start = work.sizes.start,
               .batch = work.sizes.batch,
               .heads = work.sizes.heads,
               .global_bytes_read = counters.global_bytes_read,
               .global_bytes_written = counters.global_bytes_written,
               .shared_bank_conflicts = counters.shared_bank_conflicts,
               .barriers = counters.barriers,
               .sectors = counters.sectors,
               .phases = outcome.phases};
    if (counters.requests > 0) {
      profile.sectors_per_request =
          static_cast<double>(counters.sectors) / static_cast<double>(counters.requests);
    }
    for (const GradientProblem& solved : work.problems) {
      const DefinitionWork least = backward_work(solved.problem, context_.rows, solved.launch);
      profile.minimum_bytes += least.bytes;
      profile.definition_flops += least.flops;
    }
  }

  // Scratch means nothing afterwards.
  static bool same_gradients(const Work& work, const Results& first, const Results& second) {
    for (std::size_t p = 0; p < work.problems.size(); ++p) {
      const auto& expected = work.problems[p].expected;
      for (const auto& [name, buffer] : first[p]) {
        if (expected.count(name) > 0 && !(buffer == second[p].at(name))) return false;
      }
    }
    return true;
  }

  void check_values(const Scenario& scenario, const GradientProblem& solved,
                    const HostBuffers& buffers) {
    const bool extreme = scenario.fill != Fill::kNormal && scenario.fill != Fill::kLasting;
    const Duty duty = extreme              ? Duty::kExtremes
                      : scenario.start > 0 ? Duty::kContinues
                                           : Duty::kValues;
    const Tolerance tolerance =
        gradient_tolerance(solved.problem.dtype, solved.problem.largest_logit);
    int gradients = 0;
    for (const auto& [name, expected] : solved.expected) {
      const auto buffer = buffers.find(name);
      if (buffer == buffers.end()) continue;
      ++gradients;
      const Agreement agreement = compare_gradient(solved, name, buffer->second);
      if (agreement.within(tolerance)) continue;
      const std::int64_t row = std::max<std::int64_t>(buffer->second.shape().back(), 1);
      ledger_.failed(duty, scenario.tokens,
                     {agreement.unwritten > 0 ? "unwritten" : "wrong_result",
                      name + ": " + agreement.describe(row), describe(scenario) + ", " + name});
    }
    // A row of coefficients that the pattern never has is no argument, everything else must be.
    const int wanted = static_cast<int>(solved.expected.size()) - empty_sides();
    if (gradients < wanted) {
      ledger_.failed(duty, scenario.tokens,
                     {"manifest", fmt::format("{} of {} gradients are written", gradients, wanted),
                      kernel_.entry().op});
    }
    ledger_.passed(duty, scenario.tokens);
    if (duty == Duty::kContinues) ledger_.passed(Duty::kValues, scenario.tokens);
  }
  int empty_sides() const {
    if (!has_coefficients(context_.weights)) return 0;
    return (context_.rows.a.total() == 0 ? 1 : 0) + (context_.rows.b.total() == 0 ? 1 : 0);
  }

  const VerifyContext& context_;
  const KernelUnderTest& kernel_;
  Ledger& ledger_;
  std::int64_t budget_;
  std::int64_t problems_ = 0;
};

}  // namespace

bool takes_state(const KernelEntry& entry) {
  return std::any_of(entry.arguments.begin(), entry.arguments.end(),
                     [](const Argument& argument) { return argument.name == "start"; });
}

std::int64_t kept_stretch(const Manifest& manifest) {
  constexpr std::int64_t kRun = 16;
  const std::int64_t rows = std::max(manifest.state_dim, 1);
  return manifest.target == "cpu" ? (rows + kRun - 1) / kRun * kRun : rows;
}

void check_backward(const VerifyContext& context, const KernelUnderTest& backward, Ledger& ledger,
                    std::vector<KernelProfile>& profiles) {
  // Sums are written more than once; that all gradients are there is part of their values.
  for (const Duty duty : {Duty::kOutputs, Duty::kState}) ledger.not_applicable(duty);
  if (!takes_state(backward.entry())) ledger.not_applicable(Duty::kContinues);
  BackwardCheck check(context, backward, ledger);
  // Every obligation is met once before the budget goes into lengths.
  for (const std::int64_t n : context.options.sizes) {
    if (n <= 2) check.run({.tokens = n, .batch = 2, .heads = 3}, kAllOrders);
  }
  const std::int64_t typical = std::min(kTypical, context.rows.n() - 1);
  // What is kept of several heads for many tokens lies side by side.
  if (has_states(context.weights)) ledger.not_applicable(Duty::kExtremes);
  if (context.weights == WeightMode::kLinear) {
    // One beyond whole stretches of tokens, before each of which a state is kept, and more rows of
    // them than a head has channels: one head's states would lie in the next one's if they were
    // closer.
    const std::int64_t stretch = kept_stretch(context.manifest);
    const std::int64_t state_dim = std::max(context.manifest.state_dim, 1);
    const std::int64_t whole = (context.manifest.head_dim + state_dim - 1) / state_dim * stretch;
    check.run({.tokens = std::min(whole + 1, context.rows.n() - 1), .heads = 2}, kOneOrder);
    // The states that are kept come from the initial one, and with varlen from none.
    const Scenario kept{.tokens = stretch + 2,
                        .start = 1,
                        .batch = context.manifest.varlen ? 2 : 1,
                        .fill = Fill::kLasting};
    if (takes_state(backward.entry()) && !check.must_run(kept) && !ledger.saturated()) {
      ledger.undecided(Duty::kContinues, "no launch keeps a state that comes from another one");
    }
  } else if (context.weights != WeightMode::kMatrix) {
    if (context.weights == WeightMode::kSoftmax) {
      check.run({.tokens = typical, .fill = Fill::kLargeLogits}, kOneOrder);
    }
    check.run({.tokens = typical, .fill = Fill::kEqualLogits}, kOneOrder);
    check.run({.tokens = typical, .fill = Fill::kOneHuge}, kOneOrder);
  }
  // Of large states the budget has room for very few tokens.
  if (context.weights == WeightMode::kMatrix &&
      !check.must_run({.tokens = std::min<std::int64_t>(40, typical), .heads = 2}) &&
      !ledger.saturated()) {
    ledger.undecided(Duty::kValues, "no launch mixes the states of several tokens");
  }
  check.run({.tokens = 21, .batch = 2, .heads = 3, .spare = 1}, kAllOrders);
  for (const ChunkedLength& length : chunked_lengths(backward.entry())) {
    if (length.start > 0 && !takes_state(backward.entry())) continue;
    const bool many = length.tokens > 4 * backward.entry().chunk_tokens;
    const Scenario scenario{.tokens = length.start + length.tokens,
                            .start = length.start,
                            .batch = length.batch,
                            .heads = many ? 1 : 2,
                            .fill = Fill::kLasting,
                            .spare = length.start % 2};
    if (check.must_run(scenario) || ledger.saturated()) continue;
    ledger.undecided(Duty::kValues,
                     fmt::format("{} tokens in chunks could not be run", length.tokens));
  }
  const std::int64_t chunk = backward.entry().chunk_tokens;
  const Scenario borders{.tokens = 2 * chunk + 1, .fill = Fill::kLasting, .borders = true};
  if (context.manifest.varlen && chunk > 0 && !check.must_run(borders) && !ledger.saturated()) {
    ledger.undecided(Duty::kValues, "sequences that end where chunks do could not be run");
  }
  // With little shared memory, most of a row is looked for elsewhere.
  const Scenario little{
      .tokens = std::min<std::int64_t>(100, context.rows.n() - 1), .heads = 2, .least_rows = true};
  if (has_rings(backward.entry()) && !check.must_run(little) && !ledger.saturated()) {
    ledger.undecided(Duty::kValues, "no launch has little shared memory");
  }
  check.run({.tokens = 9, .heads = 2, .spare = kManySlots}, kOneOrder);
  if (context.weights != WeightMode::kLinear) {
    check.run({.tokens = 90, .batch = 2, .heads = 2}, kOneOrder);
  }
  if (takes_state(backward.entry())) {
    // One token, one before it, and states on both sides with slots to spare.
    check.run({.tokens = 2, .start = 1, .batch = 2, .heads = 2}, kAllOrders);
    check.run({.tokens = 50, .start = 37, .batch = 2, .heads = 3, .spare = 2}, kAllOrders);
    check.run({.tokens = 64, .start = 63, .heads = 2}, kTwoOrders);
    check.run({.tokens = 41, .start = 38, .batch = 2, .heads = 12, .spare = kManySlots}, kOneOrder);
    check.run({.tokens = 90, .start = 21, .gamma = 0.8F}, kOneOrder);
    check.run({.tokens = 316, .start = 300}, kOneOrder);  // of many rows
    if (context.weights != WeightMode::kLinear) {
      check.run({.tokens = 38, .start = 37, .batch = 2, .fill = Fill::kOneHuge}, kOneOrder);
    }
  }
  if (context.manifest.varlen) {
    check.run({.tokens = 100, .batch = 4}, kTwoOrders);
    check.run({.tokens = 40, .batch = 5, .heads = 2}, kOneOrder);
  }
  if (context.manifest.varlen && takes_state(backward.entry())) {
    check.run({.tokens = 30, .start = 17, .batch = 5, .heads = 2, .spare = 1}, kTwoOrders);
    check.run({.tokens = 60, .start = 12, .batch = 4}, kOneOrder);
  }
  if (context.weights == WeightMode::kSoftmax) {
    if (inputs_alone_do(context.rows, 20)) check.run({.tokens = 20, .gamma = 0.0F}, kOneOrder);
    check.run({.tokens = 40, .gamma = 0.2F}, kOneOrder);
    check.run({.tokens = 40, .heads = 2, .gamma = 0.9F}, kOneOrder);
  }
  // Lengths ascending, as far as the budget goes. The longest that ran is profiled.
  std::optional<KernelProfile> longest;
  std::int64_t ran = 0;
  for (const std::int64_t n : context.options.sizes) {
    if (ledger.saturated()) break;
    KernelProfile profile;
    if (n > 2 && check.run({.tokens = n}, n <= kOrdersMatter ? kTwoOrders : kOneOrder, &profile)) {
      longest = profile;
      ran = std::max(ran, n);
    } else if (n > 2 && !ledger.rejected()) {
      ledger.skipped(n);
    }
  }
  check.refill();
  run_unreached(backward, ledger, ran,
                [&](std::int64_t n) { return check.run({.tokens = n}, kOneOrder); });
  KernelProfile profile;
  if (!longest && check.run({.tokens = 1}, kOneOrder, &profile)) longest = profile;
  if (longest) profiles.push_back(*std::move(longest));
}

std::string smallest_backward_failure(const VerifyContext& context,
                                      const KernelUnderTest& backward) {
  const bool state = takes_state(backward.entry());
  return smallest_launch("backward", [&](std::int64_t n, std::int64_t batch, std::int64_t heads) {
    Ledger ledger("backward");
    BackwardCheck check(context, backward, ledger);
    check.run({.tokens = n, .batch = batch, .heads = heads}, kAllOrders);
    if (state && n > 1) {
      check.run({.tokens = n, .start = n / 2, .batch = batch, .heads = heads}, kAllOrders);
    }
    return ledger.rejected();
  });
}

}  // namespace heddle
