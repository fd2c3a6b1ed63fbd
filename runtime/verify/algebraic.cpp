// SPDX-License-Identifier: Apache-2.0
#include "runtime/verify/algebraic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "runtime/verify/varlen_session.hpp"

namespace heddle {
namespace {

constexpr std::int64_t kManySlots = 70;  // more than a warp has lanes

// Tokens (start, tokens] of a sequence, from the definition's state after `start`.
struct Scenario {
  std::int64_t tokens = 1;
  std::int64_t start = 0;
  std::int64_t batch = 1;
  std::int64_t heads = 1;
  std::int64_t spare = 0;
};

class Planner {
 public:
  Planner(const VerifyContext& context, Ledger& ledger)
      : context_(context), ledger_(ledger), budget_(context.options.algebraic_budget) {
    // Comparisons occur where a running maximum is kept.
    if (context.weights != WeightMode::kSoftmax) ledger.not_applicable(Duty::kAnyOrder);
  }
  ~Planner() {
    if (longest_ > 0) ledger_.remark(Duty::kIdentity, confidence());
  }
  Planner(const Planner&) = delete;
  Planner& operator=(const Planner&) = delete;

  // Null where the scenario cannot be played.
  std::unique_ptr<FieldCourse> begin(const Scenario& scenario) {
    if (!reachable(scenario.tokens) || ledger_.rejected()) return nullptr;
    Sizes sizes = sizes_of(scenario);
    sizes.tokens = scenario.tokens;
    const std::uint64_t seed =
        context_.options.seed + 7919 * static_cast<std::uint64_t>(++sessions_);
    if (!context_.manifest.varlen) {
      return started(
          FieldSession::begin(context_.manifest, context_.rows, solve(sizes, seed, nullptr),
                              scenario.start, scenario.spare, seed),
          scenario);
    }
    sizes.batch = 1;
    std::vector<std::shared_ptr<const SolvedFieldProblem>> sequences;
    for (std::int64_t b = 0; b < scenario.batch; ++b) {
      const FieldProblem* const like = b == 0 ? nullptr : &sequences.front()->problem;
      sequences.push_back(solve(sizes, seed + 100 * static_cast<std::uint64_t>(b), like));
    }
    return started(VarlenFieldSession::begin(context_.manifest, context_.rows, std::move(sequences),
                                             scenario.start, scenario.spare, seed),
                   scenario);
  }

  bool advance(FieldCourse& session, const KernelUnderTest& kernel, const Scenario& scenario,
               std::int64_t count) {
    const std::int64_t work =
        launch_work(context_.rows, sizes_of(scenario), context_.weights, session.done(), count);
    longest_ = std::max(longest_, session.done() + count);
    return session.advance(kernel, count, work, ledger_);
  }

  // All tokens in one launch, where the budget allows it.
  void run(const KernelUnderTest& kernel, const Scenario& scenario) {
    if (!reachable(scenario.tokens) || ledger_.rejected()) return;
    const std::int64_t work = work_of(scenario);
    if (work > budget_) {
      ledger_.skipped(scenario.tokens);
      return;
    }
    budget_ -= work;
    if (const auto session = begin(scenario)) {
      advance(*session, kernel, scenario, scenario.tokens - scenario.start);
    }
  }
  // The longest launch, of all tokens or of the last, that a budget of its own can afford, where
  // none has come to some of the text yet.
  void run_further(const KernelUnderTest& kernel, bool last_only) {
    budget_ = 2 * context_.options.algebraic_budget;
    run_unreached(kernel, ledger_, 0, [&](std::int64_t n) {
      const Scenario scenario{.tokens = n, .start = last_only ? n - 1 : 0};
      if (!reachable(n) || work_of(scenario) > budget_) return false;
      run(kernel, scenario);
      return true;
    });
  }

  // Whatever it costs. False where it cannot be run.
  bool must_run(const KernelUnderTest& kernel, const Scenario& scenario) {
    const auto session = begin(scenario);
    return session && advance(*session, kernel, scenario, scenario.tokens - scenario.start);
  }

  // In one launch per entry of `counts`, each from the state that the one before left.
  void run_in_steps(const Scenario& scenario,
                    const std::vector<std::pair<const KernelUnderTest*, std::int64_t>>& steps) {
    const auto session = begin(scenario);
    for (const auto& [kernel, count] : steps) {
      if (!session || !advance(*session, *kernel, scenario, count)) return;
    }
  }

 private:
  template <typename S>
  std::unique_ptr<FieldCourse> started(Result<S> session, const Scenario& scenario) {
    if (session) return std::make_unique<S>(*std::move(session));
    ledger_.failed(Duty::kFieldState, scenario.tokens,
                   {"cache_layout", session.error().message, "manifest"});
    return nullptr;
  }
  // With the scalars of `like`, where given: a launch has one of each.
  std::shared_ptr<const SolvedFieldProblem> solve(const Sizes& sizes, std::uint64_t seed,
                                                  const FieldProblem* like) const {
    FieldProblem problem = make_field_problem(context_.weights, sizes, context_.rows, seed);
    if (like != nullptr) {
      problem.scale = like->scale;
      problem.gamma = like->gamma;
    }
    return solve_problem(std::move(problem), context_.rows);
  }
  // In two runs, with the numbers and the threads in another order each.
  std::int64_t work_of(const Scenario& scenario) const {
    return 2 * launch_work(context_.rows, sizes_of(scenario), context_.weights, scenario.start,
                           scenario.tokens - scenario.start);
  }
  bool reachable(std::int64_t tokens) const {
    const auto counted = [tokens](const CacheLayout& layout) {
      return layout.retention != CacheRetention::kNextRow || tokens <= layout.exact_to;
    };
    return tokens < context_.rows.n() && counted(context_.manifest.cache_a) &&
           counted(context_.manifest.cache_b);
  }
  Sizes sizes_of(const Scenario& scenario) const {
    return {.batch = scenario.batch,
            .heads = scenario.heads,
            .head_dim = context_.manifest.head_dim,
            .state_dim = context_.manifest.state_dim,
            .key_gates = context_.manifest.key_gates};
  }
  // How sure the identity is: see field_degree.
  std::string confidence() const {
    const bool softmax = context_.weights == WeightMode::kSoftmax;
    const std::int64_t length =
        softmax ? std::min<std::int64_t>(longest_, context_.manifest.head_dim) : longest_;
    return field_confidence(field_degree(context_.weights, length)) +
           (length < longest_ ? fmt::format(" (up to {} tokens)", length) : "");
  }

  const VerifyContext& context_;
  Ledger& ledger_;
  std::int64_t budget_;
  std::int64_t longest_ = 0;
  std::int64_t sessions_ = 0;
};

}  // namespace

std::string field_confidence(std::int64_t degree) {
  const double bits =
      std::log2(static_cast<double>(kFieldQ)) - std::log2(static_cast<double>(degree));
  return fmt::format(
      "modulo 2^61 - 2373, a false identity of degree {} passes with probability below 2^-{}",
      degree, static_cast<int>(std::floor(bits)));
}

void check_prefill_algebra(const VerifyContext& context, const KernelUnderTest& prefill,
                           Ledger& ledger) {
  Planner planner(context, ledger);
  for (const Scenario& scenario : std::initializer_list<Scenario>{
           {.tokens = 1, .batch = 2, .heads = 2},
           {.tokens = 2, .heads = 3},
           {.tokens = 17, .batch = 2, .heads = 2},
           {.tokens = 2, .start = 1},
           {.tokens = 40, .start = 23, .batch = 2, .heads = 2, .spare = 2},
           {.tokens = 34},
           {.tokens = 30, .start = 27, .spare = kManySlots},
           {.tokens = 64},
           {.tokens = 66, .start = 2},
           {.tokens = 308, .start = 300},
           {.tokens = 130}}) {
    planner.run(prefill, scenario);
  }
  for (const ChunkedLength& length : chunked_lengths(prefill.entry())) {
    const Scenario scenario{.tokens = length.start + length.tokens,
                            .start = length.start,
                            .batch = length.batch,
                            .heads = length.start == 0 ? 1 : 2,
                            .spare = length.start % 2};
    const bool alone = prefill.entry().chunk_tokens == 0;  // nothing crosses blocks
    if (planner.must_run(prefill, scenario) || alone || ledger.rejected()) continue;
    ledger.undecided(Duty::kIdentity,
                     fmt::format("{} tokens in chunks could not be run", scenario.tokens));
  }
  const std::int64_t batch = context.manifest.varlen ? 3 : 1;
  planner.run_in_steps({.tokens = 37, .batch = batch, .heads = 2, .spare = 1},
                       {{&prefill, 19}, {&prefill, 1}, {&prefill, 17}});
  planner.run_further(prefill, false);
}

void check_decode_algebra(const VerifyContext& context, const KernelUnderTest& decode,
                          Ledger& ledger) {
  Planner planner(context, ledger);
  const auto tokens = [&](std::int64_t count) {
    return std::vector<std::pair<const KernelUnderTest*, std::int64_t>>(
        static_cast<std::size_t>(count), {&decode, 1});
  };
  planner.run_in_steps({.tokens = 19, .batch = 2, .heads = 2}, tokens(19));
  planner.run_in_steps({.tokens = 69, .start = 60, .batch = 2, .heads = 2, .spare = 2}, tokens(9));
  planner.run(decode, {.tokens = 30, .start = 29, .spare = kManySlots});
  if (takes_several(decode.entry())) {
    planner.run_in_steps({.tokens = 24, .batch = 2, .heads = 2},
                         {{&decode, 5}, {&decode, 1}, {&decode, 16}, {&decode, 2}});
    planner.run(decode, {.tokens = 44, .start = 37, .heads = 2, .spare = 2});
  }
  for (const std::int64_t n : {33, 130, 257}) {
    planner.run(decode, {.tokens = n, .start = n - 1});
  }
  if (context.manifest.varlen) {  // more slots than a page has
    planner.run(decode, {.tokens = 301, .start = 300, .batch = 3, .heads = 2});
  }
  planner.run_further(decode, true);
}

void check_hand_over_algebra(const VerifyContext& context, const KernelUnderTest& prefill,
                             const KernelUnderTest& decode, Ledger& ledger) {
  ledger.not_applicable(Duty::kFieldBuilds);
  Planner planner(context, ledger);
  planner.run_in_steps({.tokens = 24, .batch = 2, .heads = 2, .spare = 1},
                       {{&prefill, 18}, {&decode, 1}, {&decode, 1}, {&decode, 1}, {&prefill, 3}});
}

std::string smallest_algebraic_failure(const VerifyContext& context,
                                       const KernelUnderTest& kernel) {
  const std::string& op = kernel.entry().op;
  return smallest_launch(op, [&](std::int64_t n, std::int64_t batch, std::int64_t heads) {
    if (op == "backward") return fails_backward_algebra(context, kernel, n, batch, heads);
    Ledger ledger(op, Layer::kAlgebraic);
    Planner planner(context, ledger);
    if (takes_several(kernel.entry()) && n > 1) {
      planner.run(kernel, {.tokens = n, .start = n / 2, .batch = batch, .heads = heads});
    }
    planner.run(kernel,
                {.tokens = n, .start = op == "decode" ? n - 1 : 0, .batch = batch, .heads = heads});
    return ledger.rejected();
  });
}

void count_operations(const VerifyContext& context, const KernelUnderTest& kernel,
                      KernelProfile& profile) {
  if (kernel.entry().op == "backward") return count_backward_operations(context, kernel, profile);
  Sizes sizes{.batch = profile.batch,
              .tokens = profile.start + profile.tokens,
              .heads = profile.heads,
              .head_dim = context.manifest.head_dim,
              .state_dim = context.manifest.state_dim,
              .key_gates = context.manifest.key_gates};
  // With its outputs, since a decode reads earlier ones.
  auto solved = solve_problem(
      make_field_problem(context.weights, sizes, context.rows, context.options.seed), context.rows);
  const Result<FieldSession> session = FieldSession::begin(
      context.manifest, context.rows, std::move(solved), profile.start, 0, context.options.seed);
  if (!session) return;
  const std::int64_t work =
      launch_work(context.rows, sizes, context.weights, profile.start, profile.tokens);
  const Result<LaunchCounters> counters = session->count_launch(kernel, profile.tokens, work);
  if (!counters) return;
  profile.flops = counters->additions + counters->multiplications + counters->divisions;
  profile.exponentials = counters->exponentials;
}

}  // namespace heddle
