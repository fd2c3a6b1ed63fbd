// SPDX-License-Identifier: Apache-2.0
#include "runtime/bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "runtime/baselines.hpp"
#include "runtime/compare.hpp"
#include "runtime/problem_binding.hpp"
#include "runtime/reference.hpp"

namespace heddle {
namespace {

// Together the inputs should not fit a large last-level cache; the oracle needs some flops per set.
constexpr double kCacheBytes = 64e6;
constexpr double kOracleFlops = 8e9;
constexpr int kMostSets = 8;

ElementType coefficient_type(const KernelEntry& entry) {
  for (const Argument& argument : entry.arguments) {
    if (argument.name == "coef_a" || argument.name == "coef_b") return argument.type;
  }
  return ElementType::kF32;
}

// One input set: the problem, its answer for the tokens that are computed, the launch's buffers.
struct InputSet {
  Problem problem;
  std::vector<double> expected;
  HostBuffers pristine;  // as before the launch
  HostBuffers buffers;
  PreparedLaunch launch;
  std::vector<std::unique_ptr<Baseline>> baselines;
};

class Bench {
 public:
  Bench(const Manifest& manifest, const KernelEntry& entry, const Rows& rows,
        const BenchOptions& options)
      : manifest_(manifest), entry_(entry), rows_(rows), options_(options) {
    decode_ = entry.op == "decode";
    sizes_ = {.batch = options.batch,
              .tokens = options.tokens,
              .heads = options.heads,
              .head_dim = manifest.head_dim,
              .state_dim = manifest.state_dim};
  }

  Result<std::vector<BenchRow>> run(const LaunchFactory& factory) {
    const Result<WeightMode> weights = parse_weight_mode(manifest_.weights);
    if (!weights) return weights.error();
    ProblemOptions problem;
    problem.weights = *weights;
    problem.dtype = manifest_.dtype;
    problem.coefficient_dtype = coefficient_type(entry_);
    problem.sizes = sizes_;
    problem.gamma = options_.gamma;
    const int count = options_.input_sets > 0 ? options_.input_sets : automatic_sets(*weights);
    for (int s = 0; s < count; ++s) {
      problem.seed = options_.seed + static_cast<std::uint64_t>(s);
      const Result<bool> added = add_set(problem, factory);
      if (!added) return added.error();
    }
    std::vector<BenchRow> rows{new_row("heddle", manifest_.dtype)};
    if (options_.baselines && !decode_) add_baselines(rows);
    measure_and_check(rows);
    return rows;
  }

 private:
  int automatic_sets(WeightMode weights) const {
    const double channels = static_cast<double>(sizes_.batch * sizes_.heads * sizes_.head_dim);
    const double tokens = static_cast<double>(sizes_.tokens);
    const double bytes = 4.0 * channels * tokens * static_cast<double>(size_of(manifest_.dtype));
    double entries = 0.0;
    for (std::int64_t i = 1; i <= sizes_.tokens; ++i) {
      entries += static_cast<double>(rows_.a.size(i) + rows_.b.size(i));
    }
    if (weights == WeightMode::kLinear) entries = static_cast<double>(sizes_.state_dim) * tokens;
    const double wanted = std::min(kCacheBytes / bytes, kOracleFlops / (4.0 * channels * entries));
    return std::clamp(static_cast<int>(wanted) + 1, 1, kMostSets);
  }

  Result<bool> add_set(const ProblemOptions& options, const LaunchFactory& factory) {
    auto set = std::make_unique<InputSet>();
    set->problem = make_problem(options, rows_);
    const Problem& problem = set->problem;
    std::vector<double> y = reference_output(problem, rows_, options_.threads).y;

    Sizes sizes = problem.sizes;
    sizes.start = decode_ ? sizes.tokens - 1 : 0;
    sizes.tokens = decode_ ? 1 : sizes.tokens;
    const Result<std::int64_t> slots_a = manifest_.cache_a.slots(options_.tokens);
    if (!slots_a) return slots_a.error();
    const Result<std::int64_t> slots_b = manifest_.cache_b.slots(options_.tokens);
    if (!slots_b) return slots_b.error();
    sizes.slots_a = *slots_a;
    sizes.slots_b = *slots_b;
    std::vector<double> matrices;
    if (problem.weights == WeightMode::kLinear) matrices = reference_state(problem, sizes.start);
    const StateSource source{problem, rows_, manifest_.cache_a, manifest_.cache_b, y, matrices};
    const Result<HostBuffers> state =
        make_state(source, sizes.start, sizes.slots_a, sizes.slots_b, options.seed);
    if (!state) return state.error();
    Result<HostBuffers> bound = bind_buffers(entry_, problem, sizes, *state);
    if (!bound) return bound.error();
    set->pristine = *std::move(bound);
    set->buffers = set->pristine;
    Result<PreparedLaunch> launch =
        factory({entry_, sizes, problem.scale, problem.gamma, set->buffers});
    if (!launch) return launch.error();
    set->launch = *std::move(launch);

    const std::int64_t token = sizes.heads * sizes.head_dim;
    for (std::int64_t b = 0; b < sizes.batch; ++b) {
      const auto first = y.begin() + (b * problem.sizes.tokens + sizes.start) * token;
      set->expected.insert(set->expected.end(), first, first + sizes.tokens * token);
    }
    work_ = definition_work(problem, rows_, sizes, decode_);
    sets_.push_back(std::move(set));
    return true;
  }

  void add_baselines(std::vector<BenchRow>& rows) {
    const auto add = [&](const char* name, auto make) {
      rows.push_back(new_row(name, ElementType::kF32));
      std::vector<std::unique_ptr<Baseline>> made;
      for (const std::unique_ptr<InputSet>& set : sets_) {
        auto baseline = make(set->problem);
        if (!baseline) {
          rows.back().remark = baseline.error().message;
          return;
        }
        made.push_back(*std::move(baseline));
      }
      for (std::size_t s = 0; s < sets_.size(); ++s) {
        sets_[s]->baselines.push_back(std::move(made[s]));
      }
    };
    add("eigen-sparse", [&](const Problem& p) { return make_eigen_sparse(p, rows_); });
    const std::int64_t memory = (std::int64_t{2} << 30) / static_cast<std::int64_t>(sets_.size());
    add("eigen-dense", [&](const Problem& p) { return make_eigen_dense(p, rows_, memory); });
  }

  BenchRow new_row(std::string name, ElementType dtype) const {
    BenchRow row;
    row.name = std::move(name);
    row.op = entry_.op;
    row.n = options_.tokens;
    row.batch = sizes_.batch;
    row.heads = sizes_.heads;
    row.head_dim = sizes_.head_dim;
    row.dtype = name_of(dtype);
    return row;
  }

  void measure_and_check(std::vector<BenchRow>& rows) {
    std::vector<Contestant> contestants;
    std::vector<BenchRow*> timed;
    const auto set_at = [this](int s) -> InputSet& { return *sets_[static_cast<std::size_t>(s)]; };
    contestants.push_back(
        {"heddle", [=](int s) { set_at(s).launch(); }, [=](int s) { restore(set_at(s)); }});
    timed.push_back(&rows.front());
    std::size_t index = 0;
    for (BenchRow& row : rows) {
      if (&row == &rows.front() || !row.remark.empty()) continue;
      contestants.push_back(
          {row.name, [=, this](int s) { set_at(s).baselines[index]->run(options_.threads); }, {}});
      timed.push_back(&row);
      ++index;
    }
    TimingOptions timing;
    timing.input_sets = static_cast<int>(sets_.size());
    // Every set is run at least once, by everybody, so that every output is there to be checked.
    timing.warmup_rounds = 2;
    timing.min_rounds = std::max(5, timing.input_sets);
    timing.budget_seconds = options_.budget_seconds;
    const std::vector<Timing> timings = measure_interleaved(contestants, timing);

    for (std::size_t c = 0; c < timed.size(); ++c) {
      BenchRow& row = *timed[c];
      double worst = 0.0;
      for (const std::unique_ptr<InputSet>& set : sets_) {
        const HostBuffer y = c == 0 ? set->buffers.at("y") : set->baselines[c - 1]->result();
        const Agreement agreement = compare(y, set->expected, sizes_.head_dim);
        worst = std::max(worst, agreement.relative_error);
        if (!agreement.within(tolerance_for(y.type(), set->problem.largest_logit))) {
          row.remark = "wrong result: " + agreement.describe(sizes_.head_dim);
        }
      }
      row.max_rel_error = worst;
      if (!row.remark.empty()) continue;
      row.timing = timings[c];
      row.gb_per_s = static_cast<double>(work_.bytes) / (1e6 * row.timing->median_ms);
      row.gflop_per_s = static_cast<double>(work_.flops) / (1e6 * row.timing->median_ms);
    }
  }

  // The state of a decode step moves on with each run: put it back. Outputs are poisoned again.
  static void restore(InputSet& set) {
    for (auto& [name, buffer] : set.buffers) {
      const HostBuffer& before = set.pristine.at(name);
      if (name == "y" || name.rfind("final_", 0) == 0 || name.rfind("cache_", 0) == 0) {
        std::copy(before.data(), before.data() + before.bytes(), buffer.data());
      }
    }
  }

  const Manifest& manifest_;
  const KernelEntry& entry_;
  const Rows& rows_;
  const BenchOptions& options_;
  bool decode_ = false;
  Sizes sizes_;
  DefinitionWork work_;
  std::vector<std::unique_ptr<InputSet>> sets_;  // launches keep pointers into them
};

}  // namespace

Result<std::vector<BenchRow>> bench(const Manifest& manifest, const KernelEntry& entry,
                                    const Rows& rows, const BenchOptions& options,
                                    const LaunchFactory& factory) {
  if (entry.op != "prefill" && entry.op != "decode") {
    return Error{fmt::format("nothing times '{}' kernels", entry.op)};
  }
  if (options.tokens < 1 || options.batch < 1 || options.heads < 1) {
    return Error{"a benchmark needs at least one token, batch and head"};
  }
  if (rows.n() < options.tokens) {
    return Error{fmt::format("rows are known up to {} only", rows.n())};
  }
  return Bench(manifest, entry, rows, options).run(factory);
}

std::string bench_json(const MachineFacts& machine, const std::vector<BenchRow>& rows) {
  using Json = nlohmann::ordered_json;
  Json results = Json::array();
  for (const BenchRow& row : rows) {
    Json result = {{"name", row.name},   {"op", row.op},       {"n", row.n},
                   {"batch", row.batch}, {"heads", row.heads}, {"head_dim", row.head_dim},
                   {"dtype", row.dtype}};
    const auto timed = [&](double value) { return row.timing ? Json(value) : Json(nullptr); };
    const Timing timing = row.timing.value_or(Timing{});
    result["median_ms"] = timed(timing.median_ms);
    result["p10_ms"] = timed(timing.p10_ms);
    result["p90_ms"] = timed(timing.p90_ms);
    result["gb_per_s"] = timed(row.gb_per_s);
    result["gflop_per_s"] = timed(row.gflop_per_s);
    result["max_rel_error"] = row.max_rel_error ? Json(*row.max_rel_error) : Json(nullptr);
    result["runs"] = timing.runs;
    if (!row.remark.empty()) result["reason"] = row.remark;
    results.push_back(std::move(result));
  }
  const Json json = {{"machine",
                      {{"cpu", machine.cpu},
                       {"logical_cores", machine.logical_cores},
                       {"compiler", machine.compiler},
                       {"flags", machine.flags},
                       {"system", machine.system}}},
                     {"results", results}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace heddle
