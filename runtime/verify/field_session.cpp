// SPDX-License-Identifier: Apache-2.0
#include "runtime/verify/field_session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace heddle {
namespace {

constexpr const char* kPrefixes[] = {"initial_", "final_", "cache_"};

bool starts_with(const std::string& text, std::string_view prefix) {
  return text.rfind(prefix, 0) == 0;
}

FieldBuffer numbers(std::int64_t count) {
  return {false, std::vector<FieldElement>(static_cast<std::size_t>(count), kFieldPoison), {}};
}
FieldBuffer positions(std::int64_t count) {
  return {true, {}, std::vector<std::int32_t>(static_cast<std::size_t>(count), 0)};
}

// Tokens [first, first + count) of an input.
FieldBuffer slice(const std::vector<FieldElement>& all, const Sizes& sizes, std::int64_t tokens,
                  std::int64_t first, std::int64_t count) {
  const std::int64_t per_token = static_cast<std::int64_t>(all.size()) / (sizes.batch * tokens);
  FieldBuffer buffer;
  for (std::int64_t b = 0; b < sizes.batch; ++b) {
    const auto begin = all.begin() + (b * tokens + first) * per_token;
    buffer.numbers.insert(buffer.numbers.end(), begin, begin + count * per_token);
  }
  return buffer;
}

bool same_numbers(const FieldBuffer& a, const FieldBuffer& b) {
  // The exponents of results mean nothing.
  return a.positions == b.positions &&
         std::equal(
             a.numbers.begin(), a.numbers.end(), b.numbers.begin(), b.numbers.end(),
             [](const FieldElement& x, const FieldElement& y) { return x.value == y.value; });
}

const char* verb(std::uint64_t value) {
  return value < kFieldP ? "is another number than the definition's" : "comes from no input";
}

// What slots of B hold: a vector, or a state.
struct Outputs {
  const std::vector<std::uint64_t>& values;
  std::int64_t elements;
};
Outputs outputs_of(const SolvedFieldProblem& solved) {
  const Sizes& s = solved.problem.sizes;
  if (solved.problem.weights != WeightMode::kMatrix) return {solved.y, s.head_dim};
  return {solved.states, s.state_dim * s.head_dim};
}

}  // namespace

std::shared_ptr<const SolvedFieldProblem> solve_problem(FieldProblem problem, const Rows& rows) {
  auto solved = std::make_shared<SolvedFieldProblem>();
  solved->problem = std::move(problem);
  if (solved->problem.weights == WeightMode::kMatrix) {
    solved->states = field_states(solved->problem, rows);
    solved->y = read_states(solved->problem, solved->states);
  } else {
    solved->y = field_output(solved->problem, rows);
  }
  return solved;
}

Result<FieldSession> FieldSession::begin(const Manifest& manifest, const Rows& rows,
                                         std::shared_ptr<const SolvedFieldProblem> solved,
                                         std::int64_t start, std::int64_t spare, std::uint64_t seed,
                                         std::int64_t longest) {
  FieldSession session(manifest, rows, std::move(solved));
  session.sizes_ = session.solved_->problem.sizes;
  for (const auto& [layout, slots] : {std::pair(&manifest.cache_a, &session.sizes_.slots_a),
                                      std::pair(&manifest.cache_b, &session.sizes_.slots_b)}) {
    const Result<std::int64_t> needed = layout->slots(std::max(session.sizes_.tokens, longest));
    if (!needed) return needed.error();
    const std::int64_t more = layout == &manifest.cache_a ? spare : spare_of_b(spare);
    *slots = *needed + (layout->retention == CacheRetention::kNone ? 0 : more);
  }
  session.done_ = start;
  for (const auto& [layout, table, slots] :
       {std::tuple(&manifest.cache_a, &rows.a, session.sizes_.slots_a),
        std::tuple(&manifest.cache_b, &rows.b, session.sizes_.slots_b)}) {
    const auto live = live_positions(layout->retention, *table, start).size();
    if (static_cast<std::int64_t>(live) > slots) {
      return Error{fmt::format("{} positions live after token {}, and there are {} slots", live,
                               start, slots)};
    }
  }
  session.fill_state(seed);
  return session;
}

void FieldSession::fill_state(std::uint64_t seed) {
  const FieldProblem& problem = solved_->problem;
  const Sizes& s = sizes_;
  if (problem.weights == WeightMode::kLinear) {
    FieldBuffer& matrix = state_["state"];
    for (const std::uint64_t value : field_state(problem, done_)) {
      matrix.numbers.push_back({value, kFieldPoison.exponent});
    }
    return;
  }
  RandomSource random(seed);
  for (const bool outputs : {false, true}) {
    const CacheLayout& layout = outputs ? manifest_.cache_b : manifest_.cache_a;
    if (layout.retention == CacheRetention::kNone) continue;
    const std::string side = outputs ? "b_" : "a_";
    const std::int64_t slots = outputs ? s.slots_b : s.slots_a;
    const bool by_position = layout.retention == CacheRetention::kNextRow;
    const std::vector<std::int64_t> live =
        live_positions(layout.retention, outputs ? rows_.b : rows_.a, done_);
    const Outputs right = outputs_of(*solved_);
    const std::int64_t elements = outputs ? right.elements : s.head_dim;
    FieldBuffer pos = positions(s.batch * s.heads * slots);
    FieldBuffer key = numbers(s.batch * slots * s.heads * s.head_dim);
    FieldBuffer val = numbers(s.batch * slots * s.heads * elements);
    std::vector<std::int64_t> slot_of(static_cast<std::size_t>(slots));
    for (std::int64_t bh = 0; bh < s.batch * s.heads; ++bh) {
      const std::int64_t b = bh / s.heads, h = bh % s.heads;
      for (std::int64_t e = 0; e < slots; ++e) slot_of[static_cast<std::size_t>(e)] = e;
      for (std::int64_t last = slots - 1; by_position && last > 0; --last) {
        std::swap(slot_of[static_cast<std::size_t>(last)],
                  slot_of[static_cast<std::size_t>(random.below(last + 1))]);
      }
      for (std::size_t e = 0; e < live.size(); ++e) {
        const std::int64_t slot = slot_of[e];
        pos.positions[static_cast<std::size_t>(bh * slots + slot)] =
            static_cast<std::int32_t>(live[e]);
        const std::int64_t to = ((b * slots + slot) * s.heads + h) * elements;
        const std::int64_t from = ((b * s.tokens + live[e] - 1) * s.heads + h) * elements;
        for (std::int64_t c = 0; c < elements; ++c) {
          const auto at = static_cast<std::size_t>(to + c);
          const auto source = static_cast<std::size_t>(from + c);
          if (problem.weights == WeightMode::kSoftmax) {
            key.numbers[at] = problem.inputs.at("k")[source];
          }
          val.numbers[at] = outputs ? FieldElement{right.values[source], kFieldPoison.exponent}
                                    : problem.inputs.at("x")[source];
        }
      }
    }
    if (by_position) state_[side + "pos"] = std::move(pos);
    if (problem.weights == WeightMode::kSoftmax) state_[side + "key"] = std::move(key);
    state_[side + "val"] = std::move(val);
  }
}

Result<FieldBuffers> FieldSession::bind(const KernelEntry& entry, const Sizes& all_sizes,
                                        bool always) const {
  const Sizes sizes = all_sizes.in_chunks(entry);
  const FieldProblem& problem = solved_->problem;
  FieldBuffers buffers;
  for (const Argument& argument : entry.arguments) {
    if (argument.kind != ArgumentKind::kBuffer) continue;
    const std::string& name = argument.name;
    std::optional<FieldBuffer> buffer;
    if (const auto input = problem.inputs.find(name); input != problem.inputs.end()) {
      buffer = slice(input->second, sizes, sizes_.tokens, sizes.start, sizes.tokens);
    } else if (name == "y") {
      buffer = numbers(sizes.batch * sizes.tokens * sizes.heads * sizes.head_dim);
    }
    for (const char* prefix : kPrefixes) {
      if (!starts_with(name, prefix)) continue;
      const auto held = state_.find(name.substr(std::string_view(prefix).size()));
      if (held == state_.end()) continue;
      buffer = held->second;
      if (prefix == std::string_view("final_")) {
        std::fill(buffer->numbers.begin(), buffer->numbers.end(), kFieldPoison);
        std::fill(buffer->positions.begin(), buffer->positions.end(), -1);
      }
    }
    std::int64_t count = 1;
    for (const std::string& extent : argument.shape) {
      const Result<std::int64_t> value = sizes.extent(extent);
      if (!value) return value.error();
      count *= *value;
    }
    if (starts_with(name, "scratch_")) buffer = numbers(count);
    if (!buffer || static_cast<std::int64_t>(buffer->count()) != count) {
      return Error{fmt::format("buffer '{}' is unknown, or declared with another shape", name)};
    }
    if (sizes.start == 0 && starts_with(name, "initial_")) {
      if (!always) continue;  // a null pointer
      // Before the first token nobody has one to read.
      std::fill(buffer->numbers.begin(), buffer->numbers.end(), kFieldPoison);
    }
    buffers.emplace(name, *std::move(buffer));
  }
  if (buffers.count("y") == 0) return Error{"the manifest names no output 'y'"};
  return buffers;
}

Sizes FieldSession::sizes_of(std::int64_t count) const {
  Sizes sizes = sizes_;
  sizes.start = done_;
  sizes.tokens = count;
  return sizes;
}

std::optional<FieldBuffers> launch_in_orders(const FieldLaunch& launch, Ledger& ledger) {
  std::optional<FieldBuffers> first;
  for (const ThreadOrder order : {ThreadOrder::kForward, ThreadOrder::kReverse}) {
    Result<FieldBuffers> bound = launch.bind();
    if (!bound) {
      ledger.failed(Duty::kFieldRuns, launch.length,
                    {"manifest", bound.error().message, launch.kernel.entry().op});
      return std::nullopt;
    }
    FieldLaunchRequest request = launch.request;
    request.buffers = &*bound;
    request.order = order;
    request.order_seed = first ? 2U : 1U;
    const Result<LaunchOutcome> outcome = launch.kernel.launch(request);
    if (!outcome) {
      ledger.undecided(Duty::kFieldRuns, outcome.error().message);
      return std::nullopt;
    }
    ledger.passed(Duty::kFieldRuns, launch.length);
    for (const VerifyFailure& finding : outcome->findings) {
      ledger.failed(
          Duty::kFieldRuns, launch.length,
          {finding.kind, fmt::format("{} ({})", finding.message, launch.where), finding.where});
    }
    if (!outcome->findings.empty()) return std::nullopt;
    if (!first) {
      first = *std::move(bound);
      continue;
    }
    const bool same = std::equal(first->begin(), first->end(), bound->begin(), bound->end(),
                                 [](const auto& a, const auto& b) {
                                   return a.first == b.first && same_numbers(a.second, b.second);
                                 });
    if (same) {
      ledger.passed(Duty::kAnyOrder, launch.length);
    } else {
      ledger.failed(
          Duty::kAnyOrder, launch.length,
          {"order_dependence",
           "another order of the numbers and of the threads gives other results", launch.where});
    }
  }
  return first;
}

bool FieldSession::advance(const KernelUnderTest& kernel, std::int64_t count, std::int64_t work,
                           Ledger& ledger) {
  const Sizes sizes = sizes_of(count);
  const bool matrices = solved_->problem.weights == WeightMode::kMatrix;
  const std::int64_t slots = sizes.slots_b * sizes.state_dim * sizes.head_dim;
  if (matrices) work += 2 * sizes.batch * sizes.heads * slots;
  const std::string where = fmt::format("{}: {} tokens after {}, batch {}, heads {}",
                                        kernel.entry().op, count, done_, sizes.batch, sizes.heads);
  std::optional<FieldBuffers> first = launch_in_orders({kernel,
                                                        {.sizes = sizes,
                                                         .scale = solved_->problem.scale,
                                                         .gamma = solved_->problem.gamma,
                                                         .expected_work = work},
                                                        [&] { return bind(kernel.entry(), sizes); },
                                                        done_ + count,
                                                        where},
                                                       ledger);
  return first && settle(*std::move(first), count, where, ledger);
}

bool FieldSession::settle(FieldBuffers buffers, std::int64_t count, const std::string& where,
                          Ledger& ledger) {
  const std::int64_t length = done_ + count;
  const std::string output = count == 0 ? "" : wrong_output(buffers.at("y"), count);
  if (!output.empty()) {
    ledger.failed(Duty::kIdentity, length, {"wrong_identity", output, where});
  } else if (count > 0) {
    ledger.passed(Duty::kIdentity, length);
  }
  done_ = length;
  const std::string state = wrong_state(buffers);
  if (state.empty()) {
    ledger.passed(Duty::kFieldState, length);
  } else {
    ledger.failed(Duty::kFieldState, length, {"wrong_state", state, where});
  }
  for (auto& [name, buffer] : buffers) {
    for (const char* prefix : {"final_", "cache_"}) {
      if (starts_with(name, prefix)) {
        state_.insert_or_assign(name.substr(std::string_view(prefix).size()), std::move(buffer));
      }
    }
  }
  return output.empty() && state.empty();
}

Result<LaunchCounters> FieldSession::count_launch(const KernelUnderTest& kernel, std::int64_t count,
                                                  std::int64_t work) const {
  Sizes sizes = sizes_;
  sizes.start = done_;
  sizes.tokens = count;
  Result<FieldBuffers> bound = bind(kernel.entry(), sizes);
  if (!bound) return bound.error();
  const Result<LaunchOutcome> outcome =
      kernel.launch(FieldLaunchRequest{.sizes = sizes,
                                       .scale = solved_->problem.scale,
                                       .gamma = solved_->problem.gamma,
                                       .buffers = &*bound,
                                       .expected_work = work});
  if (!outcome) return outcome.error();
  if (!outcome->findings.empty()) return Error{outcome->findings.front().message};
  return outcome->counters;
}

std::string FieldSession::wrong_output(const FieldBuffer& y, std::int64_t count) const {
  const Sizes& s = sizes_;
  const std::int64_t d = s.head_dim;
  for (std::int64_t e = 0; e < static_cast<std::int64_t>(y.numbers.size()); ++e) {
    const std::int64_t channel = e % d, head = e / d % s.heads;
    const std::int64_t token = e / (d * s.heads) % count, batch = e / (d * s.heads * count);
    const std::int64_t from = ((batch * s.tokens + done_ + token) * s.heads + head) * d + channel;
    const std::uint64_t value = y.numbers[static_cast<std::size_t>(e)].value;
    if (value == solved_->y[static_cast<std::size_t>(from)]) continue;
    return fmt::format("y of token {}, batch {}, head {}, channel {} {}", done_ + token + 1, batch,
                       head, channel, verb(value));
  }
  return "";
}

std::string FieldSession::wrong_state(const FieldBuffers& buffers) const {
  const FieldProblem& problem = solved_->problem;
  if (problem.weights != WeightMode::kLinear) {
    const std::string wrong = wrong_side(buffers, false);
    return wrong.empty() ? wrong_side(buffers, true) : wrong;
  }
  for (const char* name : {"final_state", "cache_state"}) {
    const auto found = buffers.find(name);
    if (found == buffers.end()) continue;
    const std::vector<std::uint64_t> right = field_state(problem, done_);
    for (std::size_t e = 0; e < right.size(); ++e) {
      const std::uint64_t value = found->second.numbers[e].value;
      if (value != right[e]) return fmt::format("element {} of the state {}", e, verb(value));
    }
    return "";
  }
  return "no state is written";
}

// The slots hold exactly the live positions, each once, with their numbers.
std::string FieldSession::wrong_side(const FieldBuffers& buffers, bool outputs) const {
  const CacheLayout& layout = outputs ? manifest_.cache_b : manifest_.cache_a;
  if (layout.retention == CacheRetention::kNone) return "";
  const FieldProblem& problem = solved_->problem;
  const Sizes& s = sizes_;
  const char side = outputs ? 'b' : 'a';
  const std::int64_t slots = outputs ? s.slots_b : s.slots_a;
  const bool keyed = problem.weights == WeightMode::kSoftmax;
  const Outputs right = outputs_of(*solved_);
  const std::int64_t elements = outputs ? right.elements : s.head_dim;
  const bool by_position = layout.retention == CacheRetention::kNextRow;
  const auto find = [&](const char* name) -> const FieldBuffer* {
    for (const char* prefix : {"final_", "cache_"}) {
      const auto found = buffers.find(fmt::format("{}{}_{}", prefix, side, name));
      if (found != buffers.end()) return &found->second;
    }
    return nullptr;
  };
  const FieldBuffer* pos = find("pos");
  const FieldBuffer* key = find("key");
  const FieldBuffer* val = find("val");
  if (val == nullptr || (keyed && key == nullptr) || (by_position && pos == nullptr)) {
    return fmt::format("cache {} is not written", side);
  }
  const std::vector<std::int64_t> live =
      live_positions(layout.retention, outputs ? rows_.b : rows_.a, done_);
  for (std::int64_t bh = 0; bh < s.batch * s.heads; ++bh) {
    const std::int64_t b = bh / s.heads, h = bh % s.heads;
    std::vector<std::int64_t> held;
    for (std::int64_t slot = 0; slot < slots; ++slot) {
      const std::int64_t p = by_position
                                 ? pos->positions[static_cast<std::size_t>(bh * slots + slot)]
                                 : (slot < done_ ? slot + 1 : 0);
      if (p == 0) continue;
      held.push_back(p);
      if (!std::binary_search(live.begin(), live.end(), p)) continue;  // reported below
      for (std::int64_t c = 0; c < elements; ++c) {
        const auto at = static_cast<std::size_t>(((b * slots + slot) * s.heads + h) * elements + c);
        const auto from =
            static_cast<std::size_t>(((b * s.tokens + p - 1) * s.heads + h) * elements + c);
        const std::uint64_t value =
            outputs ? right.values[from] : problem.inputs.at("x")[from].value;
        if (val->numbers[at].value != value) {
          return fmt::format("cache {}: slot {} does not hold the value of token {}", side, slot,
                             p);
        }
        if (keyed && key->numbers[at] != problem.inputs.at("k")[from]) {
          return fmt::format("cache {}: slot {} does not hold the key of token {}", side, slot, p);
        }
      }
    }
    std::sort(held.begin(), held.end());
    if (held != live) {
      return fmt::format("cache {} holds {} positions after token {}, where {} live, or other ones",
                         side, held.size(), done_, live.size());
    }
  }
  return "";
}

}  // namespace heddle
