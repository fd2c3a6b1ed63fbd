// SPDX-License-Identifier: Apache-2.0
#include "runtime/verify/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/verify/varlen_session.hpp"

namespace heddle {
namespace {

const std::vector<ThreadOrder> kAllOrders = {ThreadOrder::kForward, ThreadOrder::kReverse,
                                             ThreadOrder::kShuffled};
const std::vector<ThreadOrder> kTwoOrders = {ThreadOrder::kReverse, ThreadOrder::kShuffled};
const std::vector<ThreadOrder> kOneOrder = {ThreadOrder::kShuffled};
// Addresses do not depend on data, so one order shows every access and every race of a launch; that
// all orders give the same bits is settled where a launch is cheap.
constexpr std::int64_t kOrdersMatter = 300;
// Up to here a length is tried with several batches and heads and in every thread order first.
constexpr std::int64_t kShort = 100;
constexpr std::int64_t kTypical = 63;
// More than a warp has lanes: searches through a cache then take several rounds, which the live
// sets of short sequences would not make them take. Every head has its tokens in other slots, so
// that with many heads each warp has looked for something in each of them.
constexpr std::int64_t kManySlots = 70;
// Tokens before a launch of a few: live sets have grown past what a block takes up in one round,
// and a paged cache past its first page.
constexpr std::int64_t kLate = 600;
// The oracle solves the whole sequence, however few tokens a launch takes of it: beyond so many
// gates, or elements of the states that it keeps, that is slow.
constexpr std::int64_t kMostGates = std::int64_t{1} << 26;
constexpr std::int64_t kMostElements = std::int64_t{1} << 24;

// Tokens (start, tokens] of a sequence, from the oracle's state after `start`.
struct Scenario {
  std::int64_t tokens = 1;
  std::int64_t start = 0;
  std::int64_t batch = 1;
  std::int64_t heads = 1;
  Fill fill = Fill::kNormal;
  std::int64_t huge_token = 0;
  float gamma = 0.5F;
  std::int64_t spare = 0;   // cache slots, and columns of coefficients, more than needed
  bool least_rows = false;  // of shared memory
};

class Planner {
 public:
  Planner(const VerifyContext& context, Ledger& ledger)
      : context_(context), ledger_(ledger), budget_(context.options.work_budget) {}

  // What a run costs from here on is counted anew.
  void refill() { budget_ = context_.options.work_budget / 4 * 5; }

  // The rows and the counted cache sizes go that far.
  bool reachable(std::int64_t tokens) const {
    const auto counted = [tokens](const CacheLayout& layout) {
      return layout.retention != CacheRetention::kNextRow || tokens <= layout.exact_to;
    };
    return tokens < context_.rows.n() && counted(context_.manifest.cache_a) &&
           counted(context_.manifest.cache_b) && context_.manifest.width_a.columns(tokens) &&
           context_.manifest.width_b.columns(tokens);
  }
  std::int64_t longest_up_to(std::int64_t tokens) const {
    while (tokens > 1 && !reachable(tokens)) --tokens;
    return tokens;
  }

  // Null where the scenario cannot be played.
  std::unique_ptr<Course> begin(const Scenario& scenario) {
    if (!reachable(scenario.tokens) || ledger_.saturated()) return nullptr;
    ProblemOptions options;
    options.weights = context_.weights;
    options.dtype = context_.manifest.dtype;
    options.coefficient_dtype = coefficient_type();
    options.sizes = sizes(scenario);
    options.sizes.tokens = scenario.tokens;
    set_columns(options.sizes, context_.manifest, scenario.spare);
    options.gamma = scenario.gamma;
    options.fill = scenario.fill;
    options.huge_token = scenario.huge_token;
    options.seed = context_.options.seed + 1000 * static_cast<std::uint64_t>(++sessions_);
    if (context_.manifest.varlen) return begin_varlen(options, scenario);
    return started(
        Session::begin(context_.manifest, context_.rows, solve_problem(options, context_.rows),
                       scenario.start, scenario.spare, options.seed + 1),
        scenario);
  }

  // Whatever it costs. False where it cannot be run.
  bool must_run(const KernelUnderTest& kernel, const Scenario& scenario) {
    const std::unique_ptr<Course> session = begin(scenario);
    return session &&
           session->advance(kernel, scenario.tokens - scenario.start, kOneOrder, ledger_);
  }

  // In as many of the wanted thread orders as the budget, which is spent at once, allows: all, one,
  // or none.
  std::vector<ThreadOrder> plan(const Scenario& scenario, const std::vector<ThreadOrder>& wanted) {
    if (!reachable(scenario.tokens) || gates(scenario) > kMostGates) return {};
    if (elements(scenario) > kMostElements) return {};
    // A cpu kernel has one thread and takes the blocks of a launch in turn.
    const bool alone = context_.manifest.target == "cpu" && scenario.batch * scenario.heads == 1;
    return afford(launch_work(context_.rows, sizes(scenario), context_.weights, scenario.start,
                              scenario.tokens - scenario.start),
                  alone ? kOneOrder : wanted);
  }
  // Runs `kernel` on the scenario's tokens in each of the orders. False where it cannot.
  bool play(const KernelUnderTest& kernel, const Scenario& scenario,
            const std::vector<ThreadOrder>& orders, KernelProfile* profile = nullptr) {
    if (orders.empty()) return false;
    const std::unique_ptr<Course> session = begin(scenario);
    if (session && scenario.least_rows) session->take_least_rows();
    return session &&
           session->advance(kernel, scenario.tokens - scenario.start, orders, ledger_, profile);
  }
  bool run(const KernelUnderTest& kernel, const Scenario& scenario,
           const std::vector<ThreadOrder>& wanted) {
    return play(kernel, scenario, plan(scenario, wanted));
  }

 private:
  template <typename S>
  std::unique_ptr<Course> started(Result<S> session, const Scenario& scenario) {
    if (session) return std::make_unique<S>(*std::move(session));
    ledger_.failed(Duty::kState, scenario.tokens,
                   {"cache_layout", session.error().message, "manifest"});
    return nullptr;
  }
  std::unique_ptr<Course> begin_varlen(ProblemOptions options, const Scenario& scenario) {
    options.sizes.batch = 1;
    std::vector<std::shared_ptr<const SolvedProblem>> sequences;
    for (std::int64_t b = 0; b < scenario.batch; ++b) {
      options.seed += 100;
      sequences.push_back(solve_problem(options, context_.rows));
    }
    return started(VarlenSession::begin(context_.manifest, context_.rows, std::move(sequences),
                                        scenario.start, scenario.spare, options.seed + 1),
                   scenario);
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
  // Of a scenario that can be reached.
  std::int64_t gates(const Scenario& scenario) const {
    if (context_.weights != WeightMode::kGated) return 0;
    const auto columns = [&](const RowWidth& width) {
      return width.columns(scenario.tokens).value();
    };
    return scenario.batch * scenario.heads * scenario.tokens * context_.manifest.head_dim *
           (columns(context_.manifest.width_a) + columns(context_.manifest.width_b));
  }
  std::int64_t elements(const Scenario& scenario) const {
    if (context_.weights != WeightMode::kMatrix) return 0;
    const Manifest& manifest = context_.manifest;
    return scenario.batch * scenario.heads * scenario.tokens * manifest.state_dim *
           manifest.head_dim;
  }
  Sizes sizes(const Scenario& scenario) const {
    return {.batch = scenario.batch,
            .heads = scenario.heads,
            .head_dim = context_.manifest.head_dim,
            .state_dim = context_.manifest.state_dim,
            .key_gates = context_.manifest.key_gates};
  }
  ElementType coefficient_type() const {
    for (const KernelEntry& kernel : context_.manifest.kernels) {
      for (const Argument& argument : kernel.arguments) {
        if (argument.name == "coef_a" || argument.name == "coef_b") return argument.type;
      }
    }
    return ElementType::kF32;
  }

  const VerifyContext& context_;
  Ledger& ledger_;
  std::int64_t budget_;
  std::int64_t sessions_ = 0;
};

std::vector<Fill> extremes(WeightMode weights) {
  switch (weights) {
    case WeightMode::kSoftmax:
      return {Fill::kLargeLogits, Fill::kEqualLogits, Fill::kOneHuge};
    case WeightMode::kGiven:
    case WeightMode::kGated:
      return {Fill::kEqualLogits, Fill::kOneHuge};
    case WeightMode::kLinear:
    case WeightMode::kMatrix:
      return {};
  }
  unreachable("weights");
}

// The last `count` tokens of a long sequence, from the oracle's state, where no run has come to
// some of the text yet: rows of more entries than a list has room for.
void run_far(const VerifyContext& context, const KernelUnderTest& kernel, Ledger& ledger,
             std::int64_t count) {
  if (!context.options.more_rows || ledger.rejected() || kernel.ran_all_lines()) return;
  const std::optional<Rows> rows = context.options.more_rows();
  if (!rows) return;
  const VerifyContext far{context.manifest, *rows, context.options, context.weights};
  Planner planner(far, ledger);
  const std::int64_t tokens = planner.longest_up_to(rows->n() - 1);
  if (tokens < context.rows.n()) return;
  planner.run(kernel, {.tokens = tokens, .start = tokens - count}, kOneOrder);
}

// Lengths beyond kShort, ascending, as far as the budget goes, as `scenario_of` and `orders_of`
// say. The longest is profiled; the answer is how long it is.
template <typename ScenarioOf, typename OrdersOf>
std::int64_t run_long_lengths(const VerifyContext& context, const KernelUnderTest& kernel,
                              Planner& planner, Ledger& ledger,
                              std::vector<KernelProfile>& profiles, ScenarioOf&& scenario_of,
                              OrdersOf&& orders_of) {
  struct Planned {
    std::int64_t tokens;
    std::vector<ThreadOrder> orders;
  };
  std::vector<Planned> long_ones;
  std::int64_t short_one = 1;
  for (const std::int64_t n : context.options.sizes) {
    if (n <= kShort) {
      if (planner.reachable(n)) short_one = n;
      continue;
    }
    Planned planned{n, planner.plan(scenario_of(n), orders_of(n))};
    if (!planned.orders.empty()) {
      long_ones.push_back(std::move(planned));
    } else if (!ledger.rejected()) {
      ledger.skipped(n);
    }
  }
  std::int64_t ran = 0;
  for (const Planned& planned : long_ones) {
    if (ledger.saturated()) return ran;
    const bool last = planned.tokens == long_ones.back().tokens;
    KernelProfile profile;
    if (!planner.play(kernel, scenario_of(planned.tokens), planned.orders,
                      last ? &profile : nullptr)) {
      continue;
    }
    ran = planned.tokens;
    if (last) profiles.push_back(std::move(profile));
  }
  if (!profiles.empty() || ledger.saturated()) return ran;
  KernelProfile profile;
  const Scenario scenario = scenario_of(short_one);
  if (planner.play(kernel, scenario, planner.plan(scenario, orders_of(short_one)), &profile)) {
    profiles.push_back(std::move(profile));
  }
  return ran;
}

// Up to twelve positions that row i reads, from both ends: all warps have some of them.
std::vector<std::int64_t> telling_positions(const Rows& rows, std::int64_t i) {
  std::vector<std::int64_t> positions;
  for (const RowTable* table : {&rows.a, &rows.b}) {
    for_each_position(*table, i, [&](std::int64_t p) { positions.push_back(p); });
  }
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
  if (positions.size() > 12) positions.erase(positions.begin() + 6, positions.end() - 6);
  return positions;
}

// Tokens of a chunk, whether blocks share chunks or one takes them in turn; 0 if there are none.
std::int64_t chunk_of(const KernelEntry& entry) {
  if (entry.chunk_tokens > 0) return entry.chunk_tokens;
  if (entry.schedule != "tensor") return 0;
  for (const SharedRows& rows : entry.shared_rows) {
    if (rows.size == "tile_rows") return rows.most;
  }
  return 0;
}

}  // namespace

void run_unreached(const KernelUnderTest& kernel, const Ledger& ledger, std::int64_t ran,
                   const std::function<bool(std::int64_t)>& run) {
  if (ledger.rejected() || kernel.ran_all_lines()) return;
  for (const std::int64_t n : {2000, 1280, 830, 620, 330}) {
    if (n <= ran || run(n)) return;
  }
}

bool inputs_alone_do(const Rows& rows, std::int64_t tokens) {
  for (std::int64_t i = 1; i <= std::min(tokens, rows.n()); ++i) {
    if (rows.a.size(i) == 0) return false;
  }
  return true;
}

bool takes_several(const KernelEntry& entry) {
  return std::any_of(entry.arguments.begin(), entry.arguments.end(),
                     [](const Argument& argument) { return argument.name == "new_tokens"; });
}

bool has_rings(const KernelEntry& entry) {
  const auto launches = launches_of(entry);
  return std::any_of(launches.begin(), launches.end(),
                     [](const KernelEntry* launch) { return launch->schedule == "staged"; });
}

std::vector<ChunkedLength> chunked_lengths(const KernelEntry& entry) {
  const std::int64_t chunk = chunk_of(entry);
  if (chunk < 1) return {};
  // Tiles of sixteen rows end before, at and behind each end of tiles of keys: starts of 14, 15, 0
  // and 1 beyond sixteens are among these and the others of a plan.
  std::vector<ChunkedLength> lengths = {{0, 2 * chunk + 7}, {0, 2 * chunk}, {14, 2 * chunk + 1},
                                        {1, chunk + 1},     {0, chunk},     {3, 3 * chunk},
                                        {chunk + 2, chunk}};
  // A step may go over so many chunks at a time: then there is what it hands on to the next ones.
  const bool matrices =
      std::any_of(entry.steps.begin(), entry.steps.end(),
                  [](const KernelEntry& step) { return step.schedule == "tensor"; });
  const std::int64_t at_a_time = matrices ? 8 : 64;
  const bool goes_over = !entry.steps.empty() && entry.schedule != "gather";
  if (goes_over) lengths.push_back({0, (at_a_time + 1) * chunk + 7});
  const bool own_lengths =
      std::any_of(entry.arguments.begin(), entry.arguments.end(),
                  [](const Argument& argument) { return argument.name == "longest"; });
  for (ChunkedLength& length : lengths) length.batch = own_lengths ? 3 : 1;
  return lengths;
}

void check_prefill(const VerifyContext& context, const KernelUnderTest& prefill, Ledger& ledger,
                   std::vector<KernelProfile>& profiles) {
  Planner planner(context, ledger);
  for (const std::int64_t n : context.options.sizes) {
    if (n > kShort) break;
    const bool several = n <= 2;
    planner.run(prefill, {.tokens = n, .batch = several ? 2 : 1, .heads = several ? 3 : 1},
                kAllOrders);
  }
  planner.run(prefill, {.tokens = 21, .batch = 2, .heads = 3}, kAllOrders);
  for (const ChunkedLength& length : chunked_lengths(prefill.entry())) {
    const Scenario scenario{
        .tokens = length.start + length.tokens,
        .start = length.start,
        .batch = std::max<std::int64_t>(length.batch, length.start == 0 ? 1 : 2),
        .heads = length.tokens <= 4 * chunk_of(prefill.entry()) ? 2 : 1,
        .fill = Fill::kLasting,
        .spare = length.start % 2};
    const bool alone = prefill.entry().chunk_tokens == 0;  // nothing crosses blocks
    if (planner.must_run(prefill, scenario) || alone || ledger.saturated()) continue;
    ledger.undecided(Duty::kValues,
                     fmt::format("{} tokens in chunks could not be run", scenario.tokens));
  }
  if (context.weights == WeightMode::kSoftmax) {
    if (inputs_alone_do(context.rows, 20)) {
      planner.run(prefill, {.tokens = 20, .gamma = 0.0F}, kOneOrder);
    }
    planner.run(prefill, {.tokens = 40, .gamma = 0.2F}, kOneOrder);
    planner.run(prefill, {.tokens = 40, .heads = 2, .gamma = 0.9F}, kOneOrder);
  }
  const std::vector<Fill> fills = extremes(context.weights);
  const std::int64_t typical = planner.longest_up_to(kTypical);
  for (const Fill fill : fills) {
    planner.run(prefill, {.tokens = typical, .fill = fill}, kOneOrder);
    planner.run(prefill, {.tokens = 1, .heads = 12, .fill = fill}, kOneOrder);
  }
  if (fills.empty()) ledger.not_applicable(Duty::kExtremes);

  // From the oracle's state: one token, up to and across the next chunk, with slots to spare.
  planner.run(prefill, {.tokens = 2, .start = 1}, kAllOrders);
  planner.run(prefill, {.tokens = kTypical, .start = 2}, kOneOrder);
  planner.run(prefill, {.tokens = 50, .start = 37, .batch = 2, .heads = 3, .spare = 2}, kAllOrders);
  planner.run(prefill, {.tokens = 120, .start = kTypical}, kOneOrder);
  planner.run(prefill, {.tokens = 41, .start = 38, .batch = 2, .heads = 6, .spare = kManySlots},
              kOneOrder);
  // With little shared memory, most of a row is looked for elsewhere.
  if (!prefill.entry().shared_rows.empty()) {
    planner.run(prefill, {.tokens = 120, .start = 21, .least_rows = true}, kOneOrder);
    planner.run(prefill, {.tokens = 100, .least_rows = true}, kOneOrder);
  }
  // So late that a state holds more than the warps of a block have rows in hand at once.
  planner.run(prefill, {.tokens = kLate + 16, .start = kLate}, kOneOrder);
  if (!prefill.entry().shared_rows.empty()) {
    planner.run(prefill, {.tokens = kLate + 9, .start = kLate, .least_rows = true}, kOneOrder);
  }
  // No token at all: the state stays.
  planner.run(prefill, {.tokens = 37, .start = 37, .heads = 2, .spare = 1}, kOneOrder);
  // From its own: prefill a, then prefill b, is prefill a + b.
  if (context.manifest.varlen) {
    planner.run(prefill, {.tokens = 100, .batch = 5}, kAllOrders);
    planner.run(prefill, {.tokens = 70, .start = 37, .batch = 4, .heads = 2, .spare = 1},
                kOneOrder);
    planner.run(prefill, {.tokens = 40, .start = 39, .batch = 4}, kAllOrders);
  }
  const std::int64_t batch = context.manifest.varlen ? 3 : 1;
  if (const auto session = planner.begin({.tokens = 60, .batch = batch, .heads = 2, .spare = 1})) {
    for (const std::int64_t count : {37, 1, 22}) {
      if (!session->advance(prefill, count, kOneOrder, ledger)) break;
    }
  }
  const std::int64_t ran = run_long_lengths(
      context, prefill, planner, ledger, profiles,
      [](std::int64_t n) { return Scenario{.tokens = n}; },
      [](std::int64_t n) { return n <= kOrdersMatter ? kTwoOrders : kOneOrder; });
  planner.refill();
  run_unreached(prefill, ledger, ran,
                [&](std::int64_t n) { return planner.run(prefill, {.tokens = n}, kOneOrder); });
  run_far(context, prefill, ledger, 40);
}

void check_decode(const VerifyContext& context, const KernelUnderTest& decode, Ledger& ledger,
                  std::vector<KernelProfile>& profiles) {
  Planner planner(context, ledger);
  const std::int64_t first_tokens = planner.longest_up_to(24);
  if (const auto session = planner.begin({.tokens = first_tokens, .batch = 2, .heads = 3})) {
    for (std::int64_t token = 1; token <= first_tokens; ++token) {
      if (!session->advance(decode, 1, token % 6 == 0 ? kAllOrders : kOneOrder, ledger)) break;
    }
  }
  if (context.weights == WeightMode::kSoftmax) {
    if (inputs_alone_do(context.rows, 20)) {
      planner.run(decode, {.tokens = 20, .start = 19, .gamma = 0.0F}, kOneOrder);
    }
    planner.run(decode, {.tokens = 40, .start = 39, .gamma = 0.2F}, kOneOrder);
    planner.run(decode, {.tokens = 41, .start = 40, .heads = 2, .gamma = 0.9F}, kOneOrder);
  }
  const std::vector<Fill> fills = extremes(context.weights);
  const std::int64_t typical = planner.longest_up_to(kTypical);
  for (const Fill fill : fills) {
    Scenario scenario{.tokens = typical, .start = typical - 1, .fill = fill};
    if (fill != Fill::kOneHuge) {
      planner.run(decode, scenario, kOneOrder);
      // Rows so short that all their scores may be far below zero.
      planner.run(decode, {.tokens = 1, .heads = 12, .fill = fill}, kOneOrder);
      continue;
    }
    for (const std::int64_t position : telling_positions(context.rows, typical)) {
      scenario.huge_token = position;
      planner.run(decode, scenario, kOneOrder);
    }
  }
  if (fills.empty()) ledger.not_applicable(Duty::kExtremes);
  // A run of tokens with slots to spare, taken in another order by every head.
  if (const auto session =
          planner.begin({.tokens = 72, .start = 60, .batch = 2, .heads = 3, .spare = 2})) {
    while (session->done() < 72 && session->advance(decode, 1, kOneOrder, ledger)) continue;
  }
  if (context.manifest.varlen) {
    planner.run(decode, {.tokens = kLate + 1, .start = kLate, .batch = 3, .heads = 3}, kOneOrder);
    const auto session = planner.begin({.tokens = 40, .start = 12, .batch = 4, .heads = 2});
    while (session && session->done() < 40 &&
           session->advance(decode, 1, session->done() % 6 == 0 ? kAllOrders : kOneOrder, ledger)) {
      continue;
    }
  }
  planner.run(decode, {.tokens = 41, .start = 40, .batch = 2, .heads = 12, .spare = kManySlots},
              kOneOrder);
  if (takes_several(decode.entry())) {
    // Launches of several tokens among launches of one, from the first token on and later.
    for (const std::int64_t start : {0, 38}) {
      const auto session =
          planner.begin({.tokens = start + 29, .start = start, .batch = 3, .heads = 2, .spare = 1});
      for (const std::int64_t count : {5, 1, 16, 2, 5}) {
        const auto& orders = count == 16 ? kAllOrders : kOneOrder;
        if (!session || !session->advance(decode, count, orders, ledger)) break;
      }
    }
    if (context.weights == WeightMode::kSoftmax) {
      planner.run(decode, {.tokens = 30, .start = 21, .gamma = 0.8F}, kOneOrder);
    }
  }
  for (const std::int64_t n : context.options.sizes) {
    if (n >= 2 && n <= kShort) planner.run(decode, {.tokens = n, .start = n - 1}, kAllOrders);
  }
  const std::int64_t ran = run_long_lengths(
      context, decode, planner, ledger, profiles,
      [](std::int64_t n) { return Scenario{.tokens = n, .start = n - 1}; },
      [](std::int64_t) { return kAllOrders; });
  planner.refill();
  run_unreached(decode, ledger, ran, [&](std::int64_t n) {
    return planner.run(decode, {.tokens = n, .start = n - 1}, kOneOrder);
  });
  run_far(context, decode, ledger, 1);
}

void check_hand_over(const VerifyContext& context, const KernelUnderTest& prefill,
                     const KernelUnderTest& decode, Ledger& ledger) {
  for (const Duty duty : {Duty::kBuilds, Duty::kLaneOrders, Duty::kExtremes}) {
    ledger.not_applicable(duty);
  }
  Planner planner(context, ledger);
  for (const auto& [first, total] : {std::pair<std::int64_t, std::int64_t>{1, 4}, {50, 66}}) {
    const auto session = planner.begin({.tokens = total, .batch = 2, .heads = 2, .spare = 1});
    if (!session || !session->advance(prefill, first, kOneOrder, ledger)) return;
    while (session->done() < total && session->advance(decode, 1, kOneOrder, ledger)) continue;
  }
  if (!takes_several(decode.entry())) return;
  if (const auto session = planner.begin({.tokens = 60, .batch = 2, .heads = 2, .spare = 1})) {
    if (session->advance(prefill, 44, kOneOrder, ledger)) {
      session->advance(decode, 16, kOneOrder, ledger);
    }
  }
}

std::string smallest_failure(const VerifyContext& context, const KernelUnderTest& kernel) {
  const bool decode = kernel.entry().op == "decode";
  return smallest_launch(kernel.entry().op, [&](std::int64_t n, std::int64_t batch,
                                                std::int64_t heads) {
    Ledger ledger(kernel.entry().op);
    Planner planner(context, ledger);
    if (decode && takes_several(kernel.entry()) && n > 1) {
      planner.run(kernel, {.tokens = n, .start = n / 2, .batch = batch, .heads = heads},
                  kAllOrders);
    }
    planner.run(kernel, {.tokens = n, .start = decode ? n - 1 : 0, .batch = batch, .heads = heads},
                kAllOrders);
    return ledger.rejected();
  });
}

std::string smallest_launch(
    const std::string& op,
    const std::function<bool(std::int64_t, std::int64_t, std::int64_t)>& fails) {
  // Most failures need one head only; wrong strides need two.
  for (const auto& [batch, heads] : {std::pair{1, 1}, std::pair{1, 2}, std::pair{2, 1}}) {
    const std::int64_t longest = batch * heads == 1 ? kShort : kShort / 4;
    for (std::int64_t n = 1; n <= longest; ++n) {
      if (!fails(n, batch, heads)) continue;
      const std::string launch =
          batch * heads == 1 ? "" : fmt::format(", batch {}, heads {}", batch, heads);
      return op == "decode" ? fmt::format("decode of token {}{}", n, launch)
                            : fmt::format("{} of {} token{}{}", op, n, n == 1 ? "" : "s", launch);
    }
  }
  return "";
}

}  // namespace heddle
