// SPDX-License-Identifier: Apache-2.0
#include "runtime/verify/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "runtime/reference/compare.hpp"

namespace heddle {
namespace {

bool starts_with(const std::string& text, std::string_view prefix) {
  return text.rfind(prefix, 0) == 0;
}

// The state buffers that a launch left behind, under their bare names.
HostBuffers state_after(const HostBuffers& buffers) {
  HostBuffers state;
  for (const auto& [name, buffer] : buffers) {
    for (const std::string_view prefix : {"final_", "cache_"}) {
      if (starts_with(name, prefix)) state.emplace(name.substr(prefix.size()), buffer);
    }
  }
  return state;
}

// A final state that a launch has not written completely, free slots included; empty where there is
// none. It was poison before.
std::string left_unwritten(const HostBuffers& buffers) {
  for (const auto& [name, buffer] : buffers) {
    if (!starts_with(name, "final_")) continue;
    std::int64_t first = -1, missing = 0;
    for (std::int64_t e = buffer.count(); e-- > 0;) {
      if (!buffer.poisoned(e)) continue;
      first = e;
      ++missing;
    }
    if (missing == 0) continue;
    return fmt::format("{} of {} elements of {} are left unwritten, the first is {}[{}]", missing,
                       buffer.count(), name, name, first);
  }
  return "";
}

constexpr std::int64_t kManyChannels = 16;

// Sums of f32 are exact enough to be judged by what is left of them.
double narrow_share(ElementType type) {
  return type == ElementType::kF32 ? 0.0 : cancelled_share(type);
}

void make_positive(HostBuffer& buffer) {
  for (std::int64_t e = 0; e < buffer.count(); ++e) {
    if (!buffer.poisoned(e)) buffer.set(e, std::fabs(buffer.get(e)));
  }
}

bool same_bits(const HostBuffer& a, std::int64_t at_a, const HostBuffer& b, std::int64_t at_b,
               std::int64_t count) {
  const std::size_t size = size_of(a.type());
  const std::byte* from = a.data() + static_cast<std::size_t>(at_a) * size;
  return std::equal(from, from + static_cast<std::size_t>(count) * size,
                    b.data() + static_cast<std::size_t>(at_b) * size);
}

}  // namespace

std::shared_ptr<const SolvedProblem> solve_problem(const ProblemOptions& options,
                                                   const Rows& rows) {
  SolvedProblem solved{make_problem(options, rows), options.fill, {}, {}, {}};
  std::vector<std::int64_t> all(static_cast<std::size_t>(options.sizes.tokens));
  std::iota(all.begin(), all.end(), 1);
  ReferenceOutput output = reference_output(solved.problem, rows, 1, all);
  solved.y = std::move(output.y);
  const bool matrix = solved.problem.weights == WeightMode::kMatrix;
  if (matrix) solved.states = std::move(output.state);
  // A row of many channels does not cancel as a whole where weights are positive, but products of
  // queries and keys have a sign for all of them.
  const bool softmax = solved.problem.weights == WeightMode::kSoftmax;
  const bool narrow = solved.problem.dtype != ElementType::kF32 &&
                      (has_states(solved.problem.weights) ||
                       (softmax && solved.problem.sizes.head_dim < kManyChannels));
  // What matrix states add up is not rounded to be read again.
  if ((has_coefficients(solved.problem.weights) && !matrix) || narrow) {
    Problem positive = solved.problem;
    for (auto& [name, buffer] : positive.inputs) {
      if (!softmax || name == "x") make_positive(buffer);
    }
    solved.magnitude = reference_output(positive, rows).y;
  }
  return std::make_shared<const SolvedProblem>(std::move(solved));
}

std::vector<double> SolvedProblem::states_after(const std::vector<std::int64_t>& tokens) const {
  const Sizes& s = problem.sizes;
  const std::int64_t token = s.heads * s.state_dim * s.head_dim;
  std::vector<double> some;
  for (std::int64_t b = 0; b < s.batch; ++b) {
    for (const std::int64_t i : tokens) {
      const auto first = states.begin() + (b * s.tokens + i - 1) * token;
      some.insert(some.end(), first, first + token);
    }
  }
  return some;
}

std::int64_t launch_work(const Rows& rows, const Sizes& sizes, WeightMode weights,
                         std::int64_t start, std::int64_t count) {
  std::int64_t entries = 0;
  for (std::int64_t i = start + 1; i <= start + count; ++i) {
    entries += rows.a.size(i) + rows.b.size(i);
  }
  const std::int64_t state = sizes.state_dim * sizes.head_dim;
  if (weights == WeightMode::kMatrix) {
    return sizes.batch * sizes.heads * 2 * state * (entries + 2 * count + sizes.slots_b);
  }
  const std::int64_t per_token = weights == WeightMode::kLinear ? 4 * state : 16 * sizes.head_dim;
  return sizes.batch * sizes.heads * (2 * sizes.head_dim * entries + per_token * count);
}

Result<Session> Session::begin(const Manifest& manifest, const Rows& rows,
                               std::shared_ptr<const SolvedProblem> solved, std::int64_t start,
                               std::int64_t spare, std::uint64_t seed) {
  Session session(manifest, rows, std::move(solved));
  const Problem& problem = session.solved_->problem;
  session.sizes_ = problem.sizes;
  const auto slots = [&](const CacheLayout& layout, std::int64_t more) -> Result<std::int64_t> {
    const Result<std::int64_t> needed = layout.slots(problem.sizes.tokens);
    if (!needed || layout.retention == CacheRetention::kNone) return needed;
    return *needed + more;
  };
  const Result<std::int64_t> slots_a = slots(manifest.cache_a, spare);
  if (!slots_a) return slots_a.error();
  const Result<std::int64_t> slots_b = slots(manifest.cache_b, spare_of_b(spare));
  if (!slots_b) return slots_b.error();
  session.sizes_.slots_a = *slots_a;
  session.sizes_.slots_b = *slots_b;

  session.done_ = start;
  std::vector<double> matrices;
  if (problem.weights == WeightMode::kLinear) matrices = reference_state(problem, start);
  if (problem.weights == WeightMode::kMatrix) {
    matrices =
        session.solved_->states_after(live_positions(manifest.cache_b.retention, rows.b, start));
  }
  const StateSource source{problem, rows, manifest.cache_a, manifest.cache_b, session.solved_->y,
                           matrices};
  Result<HostBuffers> state = make_state(source, start, *slots_a, *slots_b, seed);
  if (!state) return state.error();
  session.state_ = *std::move(state);
  session.y_ = HostBuffer(problem.dtype, {problem.sizes.batch, problem.sizes.tokens,
                                          problem.sizes.heads, problem.sizes.head_dim});
  const std::int64_t token = problem.sizes.heads * problem.sizes.head_dim;
  for (std::int64_t b = 0; b < problem.sizes.batch; ++b) {
    for (std::int64_t e = 0; e < start * token; ++e) {
      const std::int64_t at = b * problem.sizes.tokens * token + e;
      session.y_.set(at, session.solved_->y[static_cast<std::size_t>(at)]);
    }
  }
  return session;
}

void Session::keep_outputs(const HostBuffers& buffers, std::int64_t count) {
  const HostBuffer& y = buffers.at("y");
  const std::int64_t token = sizes_.heads * sizes_.head_dim;
  for (std::int64_t b = 0; b < sizes_.batch; ++b) {
    const std::size_t size = size_of(y.type());
    const auto bytes = static_cast<std::size_t>(count * token) * size;
    const std::byte* from = y.data() + static_cast<std::size_t>(b) * bytes;
    const auto to = static_cast<std::size_t>((b * sizes_.tokens + done_) * token) * size;
    std::copy(from, from + bytes, y_.data() + to);
  }
}

Sizes Session::sizes_of(std::int64_t count) const {
  Sizes sizes = sizes_;
  sizes.start = done_;
  sizes.tokens = count;
  return sizes;
}

Result<HostBuffers> Session::bind(const KernelEntry& entry, std::int64_t count, bool always) const {
  Result<HostBuffers> bound = bind_buffers(entry, solved_->problem, sizes_of(count), state_);
  if (!bound || !always) return bound;
  for (const Argument& argument : entry.arguments) {
    if (!starts_with(argument.name, "initial_")) continue;
    const std::string held = argument.name.substr(std::string("initial_").size());
    HostBuffer& initial = bound->emplace(argument.name, state_.at(held)).first->second;
    // Before the first token nobody has one to read.
    if (done_ == 0 && initial.type() != ElementType::kI32) initial.poison();
  }
  return bound;
}

void Session::settle(const HostBuffers& buffers, std::int64_t count, const std::string& where,
                     Ledger& ledger) {
  if (count > 0) check_values(buffers, count, where, ledger);
  if (const std::string left = left_unwritten(buffers); !left.empty()) {
    ledger.failed(Duty::kState, done_ + count, {"unwritten", left, where});
  }
  keep_outputs(buffers, count);
  done_ += count;
  const HostBuffers after = state_after(buffers);
  check_state(after, where, ledger);
  for (const auto& [name, buffer] : after) state_.insert_or_assign(name, buffer);
}

std::optional<HostBuffers> launch_in_orders(const OrderedLaunch& launch,
                                            const std::vector<ThreadOrder>& orders, Ledger& ledger,
                                            KernelProfile* profile) {
  const KernelUnderTest& kernel = launch.kernel;
  const Sizes& sizes = launch.request.sizes;
  std::optional<HostBuffers> first;
  for (const ThreadOrder order : orders) {
    Result<HostBuffers> bound = launch.bind();
    if (!bound) {
      ledger.failed(Duty::kMemory, launch.length,
                    {"manifest", bound.error().message, kernel.entry().op});
      return std::nullopt;
    }
    LaunchRequest request = launch.request;
    request.buffers = &*bound;
    request.order = order;
    request.seed = static_cast<std::uint64_t>(launch.length);
    request.count_requests = profile != nullptr && !first;
    const Result<LaunchOutcome> outcome = kernel.launch(request);
    if (!outcome) {
      for (const Duty duty : {Duty::kMemory, Duty::kOrdering, Duty::kOutputs, Duty::kValues}) {
        ledger.undecided(duty, outcome.error().message);
      }
      return std::nullopt;
    }
    for (const Duty duty : {Duty::kMemory, Duty::kOrdering, Duty::kOutputs}) {
      ledger.passed(duty, launch.length);
    }
    for (const VerifyFailure& finding : outcome->findings) {
      ledger.failed(
          duty_of_finding(finding.kind), launch.length,
          {finding.kind, fmt::format("{} ({})", finding.message, launch.where), finding.where});
    }
    if (first) {
      if (*bound == *first) {
        ledger.passed(Duty::kLaneOrders, launch.length);
      } else {
        ledger.failed(Duty::kLaneOrders, launch.length,
                      {"order_dependence",
                       fmt::format("thread order {} gives other bits than {}", name_of(order),
                                   name_of(orders.front())),
                       launch.where});
      }
      continue;
    }
    first = *std::move(bound);
    if (profile == nullptr) continue;
    *profile = {.symbol = kernel.entry().symbol,
                .op = kernel.entry().op,
                .tokens = sizes.tokens,
                .start = sizes.start,
                .batch = sizes.batch,
                .heads = sizes.heads,
                .global_bytes_read = outcome->counters.global_bytes_read,
                .global_bytes_written = outcome->counters.global_bytes_written,
                .shared_bank_conflicts = outcome->counters.shared_bank_conflicts,
                .barriers = outcome->counters.barriers,
                .sectors = outcome->counters.sectors,
                .phases = outcome->phases};
    if (outcome->counters.requests > 0) {
      profile->sectors_per_request = static_cast<double>(outcome->counters.sectors) /
                                     static_cast<double>(outcome->counters.requests);
    }
  }
  return first;
}

bool Session::advance(const KernelUnderTest& kernel, std::int64_t count,
                      const std::vector<ThreadOrder>& orders, Ledger& ledger,
                      KernelProfile* profile) {
  const Problem& problem = solved_->problem;
  const Sizes sizes = sizes_of(count);
  const std::string where = fmt::format(
      "{}: {} tokens after {}, batch {}, heads {}, gamma {}, {} inputs{}", kernel.entry().op, count,
      done_, sizes.batch, sizes.heads, problem.gamma, name_of(solved_->fill),
      least_rows_ ? ", as few rows of shared memory as may be" : "");
  const std::optional<HostBuffers> first =
      launch_in_orders({kernel,
                        {.sizes = sizes,
                         .scale = problem.scale,
                         .gamma = problem.gamma,
                         .expected_work = launch_work(rows_, sizes, problem.weights, done_, count),
                         .least_rows = least_rows_},
                        [&] { return bind(kernel.entry(), count); },
                        done_ + count,
                        where},
                       orders, ledger, profile);
  if (!first) return false;
  if (profile != nullptr) {
    const DefinitionWork work =
        definition_work(problem, rows_, sizes, kernel.entry().op == "decode");
    profile->minimum_bytes = work.bytes;
    profile->definition_flops = work.flops;
  }
  settle(*first, count, where, ledger);
  return !ledger.saturated();
}

void Session::check_values(const HostBuffers& buffers, std::int64_t count, const std::string& where,
                           Ledger& ledger) const {
  const Problem& problem = solved_->problem;
  const std::int64_t token = sizes_.heads * sizes_.head_dim;
  const auto launched = [&](const std::vector<double>& all) {
    std::vector<double> part;
    if (all.empty()) return part;
    for (std::int64_t b = 0; b < sizes_.batch; ++b) {
      const auto first = all.begin() + (b * sizes_.tokens + done_) * token;
      part.insert(part.end(), first, first + count * token);
    }
    return part;
  };
  const Agreement agreement =
      compare(buffers.at("y"), launched(solved_->y), sizes_.head_dim, launched(solved_->magnitude),
              narrow_share(buffers.at("y").type()));
  const Duty duty = solved_->fill != Fill::kNormal ? Duty::kExtremes
                    : done_ > 0                    ? Duty::kContinues
                                                   : Duty::kValues;
  const std::int64_t length = done_ + count;
  if (agreement.within(tolerance_for(problem.dtype, problem.largest_logit))) {
    ledger.passed(duty, length);
    if (duty == Duty::kContinues) ledger.passed(Duty::kValues, length);
    return;
  }
  const char* kind = agreement.unwritten > 0 ? "unwritten" : "wrong_result";
  ledger.failed(duty, length, {kind, "y: " + agreement.describe(sizes_.head_dim), where});
}

void Session::check_state(const HostBuffers& state, const std::string& where,
                          Ledger& ledger) const {
  const Problem& problem = solved_->problem;
  if (problem.weights == WeightMode::kLinear) {
    const auto matrix = state.find("state");
    if (matrix == state.end()) {
      ledger.failed(Duty::kState, done_, {"wrong_state", "no state is written", where});
      return;
    }
    const Agreement agreement =
        compare(matrix->second, reference_state(problem, done_), sizes_.head_dim);
    if (agreement.within(tolerance_for(ElementType::kF32))) {
      ledger.passed(Duty::kState, done_);
    } else {
      ledger.failed(Duty::kState, done_,
                    {"wrong_state", "state: " + agreement.describe(sizes_.head_dim), where});
    }
    return;
  }
  const auto keeps = [](const CacheLayout& cache) {
    return cache.retention != CacheRetention::kNone;
  };
  // Of rows that read nothing before themselves there is no state.
  if (!keeps(manifest_.cache_a) && !keeps(manifest_.cache_b)) {
    return ledger.passed(Duty::kState, done_);
  }
  check_side(state, manifest_.cache_a, rows_.a, "a", problem.inputs.at("x"), where, ledger);
  check_side(state, manifest_.cache_b, rows_.b, "b", y_, where, ledger);
}

// All at once, since a single state may be small by cancellation.
std::string Session::wrong_states(const HostBuffer& val, const std::vector<HeldState>& held) const {
  const std::int64_t elements = sizes_.state_dim * sizes_.head_dim;
  const auto count = static_cast<std::int64_t>(held.size());
  HostBuffer found(ElementType::kF32, {count, sizes_.state_dim, sizes_.head_dim});
  std::vector<double> expected;
  for (std::int64_t e = 0; e < count; ++e) {
    const auto [at, from] = held[static_cast<std::size_t>(e)];
    const std::byte* const place =
        val.data() + static_cast<std::size_t>(at * elements) * sizeof(float);
    const auto bytes = static_cast<std::size_t>(elements) * sizeof(float);
    std::copy_n(place, bytes, found.data() + static_cast<std::size_t>(e) * bytes);
    const auto first = solved_->states.begin() + from * elements;
    expected.insert(expected.end(), first, first + elements);
  }
  const Agreement agreement = compare(found, expected, sizes_.head_dim);
  if (agreement.within(tolerance_for(ElementType::kF32))) return "";
  const auto worst = static_cast<std::size_t>(agreement.worst_element / elements);
  return fmt::format("the state of token {} in it: {}",
                     held[worst].second / sizes_.heads % sizes_.tokens + 1,
                     agreement.describe(sizes_.head_dim));
}

// The slots hold exactly the live positions, each once, with the bits of their key and value, or
// with a state that is the definition's but for rounding.
void Session::check_side(const HostBuffers& state, const CacheLayout& layout, const RowTable& table,
                         const std::string& side, const HostBuffer& values,
                         const std::string& where, Ledger& ledger) const {
  if (layout.retention == CacheRetention::kNone) return;
  const std::int64_t slots = side == "a" ? sizes_.slots_a : sizes_.slots_b;
  const std::vector<std::int64_t> live = live_positions(layout.retention, table, done_);
  const auto reject = [&](const std::string& message) {
    ledger.failed(Duty::kState, done_, {"wrong_state", message, where});
  };
  const auto find = [&](const std::string& name) -> const HostBuffer* {
    const auto found = state.find(side + "_" + name);
    return found == state.end() ? nullptr : &found->second;
  };
  const bool keyed = solved_->problem.weights == WeightMode::kSoftmax;
  const bool matrices = side == "b" && solved_->problem.weights == WeightMode::kMatrix;
  std::vector<HeldState> states;
  const HostBuffer* pos = find("pos");
  const HostBuffer* key = find("key");
  const HostBuffer* val = find("val");
  const bool by_position = layout.retention == CacheRetention::kNextRow;
  if (val == nullptr || (keyed && key == nullptr) || (by_position && pos == nullptr)) {
    return reject(fmt::format("cache {} is not written", side));
  }
  for (std::int64_t b = 0; b < sizes_.batch; ++b) {
    for (std::int64_t h = 0; h < sizes_.heads; ++h) {
      std::vector<std::int64_t> held;
      for (std::int64_t slot = 0; slot < slots; ++slot) {
        const std::int64_t p =
            by_position ? static_cast<std::int64_t>(pos->get((b * sizes_.heads + h) * slots + slot))
                        : (slot < done_ ? slot + 1 : 0);
        if (p == 0) continue;
        held.push_back(p);
        if (!std::binary_search(live.begin(), live.end(), p)) continue;  // reported below
        const std::int64_t place = (b * slots + slot) * sizes_.heads + h;
        const std::int64_t source = (b * sizes_.tokens + p - 1) * sizes_.heads + h;
        if (matrices) {
          states.emplace_back(place, source);
          continue;
        }
        const std::int64_t at = place * sizes_.head_dim;
        const std::int64_t from = source * sizes_.head_dim;
        if (!same_bits(*val, at, values, from, sizes_.head_dim)) {
          return reject(
              fmt::format("cache {}: slot {} does not hold the value of token {}", side, slot, p));
        }
        if (keyed && !same_bits(*key, at, solved_->problem.inputs.at("k"), from, sizes_.head_dim)) {
          return reject(
              fmt::format("cache {}: slot {} does not hold the key of token {}", side, slot, p));
        }
      }
      std::sort(held.begin(), held.end());
      if (held != live) {
        return reject(
            fmt::format("cache {} holds {} positions after token {}, the live set has {}"
                        " or other ones",
                        side, held.size(), done_, live.size()));
      }
    }
  }
  const std::string wrong = matrices ? wrong_states(*val, states) : "";
  if (!wrong.empty()) return reject(fmt::format("cache {}: {}", side, wrong));
  ledger.passed(Duty::kState, done_);
}

}  // namespace heddle
