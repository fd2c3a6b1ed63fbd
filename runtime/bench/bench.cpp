// SPDX-License-Identifier: Apache-2.0
#include "runtime/bench/bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "runtime/bench/baselines.hpp"
#include "runtime/bench/gradient_baselines.hpp"
#include "runtime/bench/memory_pass.hpp"
#include "runtime/reference/compare.hpp"
#include "runtime/reference/problem_binding.hpp"
#include "runtime/reference/problem_gradients.hpp"
#include "runtime/reference/reference.hpp"

namespace heddle {
namespace {

// Together the inputs should not fit a large last-level cache; the oracle needs some flops per set.
constexpr double kCacheBytes = 64e6;
constexpr double kOracleFlops = 8e9;
constexpr int kMostSets = 16;
// On a device: one is short next to the clock's steps and to what its first launch costs.
constexpr int kLaunchesPerSample = 8;
const char* const kMemoryPass = "memory-pass";

ElementType coefficient_type(const KernelEntry& entry) {
  for (const Argument& argument : entry.arguments) {
    if (argument.name == "coef_a" || argument.name == "coef_b") return argument.type;
  }
  return ElementType::kF32;
}

bool is_scratch(const std::string& name) { return name.rfind("scratch_", 0) == 0; }
// It means nothing before a launch, and may be large.
HostBuffers without_scratch(const HostBuffers& buffers) {
  HostBuffers rest;
  for (const auto& [name, buffer] : buffers) {
    if (!is_scratch(name)) rest.emplace(name, buffer);
  }
  return rest;
}

// A kernel that updates its state has done so after one run: another needs a state of its own.
bool updates_in_place(const KernelEntry& entry) {
  return std::any_of(entry.arguments.begin(), entry.arguments.end(), [](const Argument& argument) {
    return argument.kind == ArgumentKind::kBuffer && argument.access == Access::kReadWrite;
  });
}

// A launch and the buffers that it works on.
struct Launch {
  HostBuffers buffers;
  PreparedLaunch prepared;
};

// One input set: the problem, its answer for the tokens that are computed, and who computes it.
struct InputSet {
  Problem problem;
  std::vector<double> expected;                   // y; empty for backward
  std::optional<GradientProblem> gradients;       // backward: the problem once more, and its answer
  HostBuffers pristine;                           // as before a launch
  std::vector<std::unique_ptr<Launch>> launches;  // one here, on a device perhaps more
  std::vector<std::unique_ptr<Baseline>> baselines;
  std::vector<std::unique_ptr<GradientBaseline>> gradient_baselines;
  std::unique_ptr<MemoryPass> pass;
};

class Bench {
 public:
  Bench(const Manifest& manifest, const KernelEntry& entry, const Rows& rows,
        const BenchOptions& options, const BenchDevice* device)
      : manifest_(manifest), entry_(entry), rows_(rows), options_(options), device_(device) {
    decode_ = entry.op == "decode";
    backward_ = entry.op == "backward";
    sizes_ = {.batch = options.batch,
              .tokens = options.tokens,
              .heads = options.heads,
              .head_dim = manifest.head_dim,
              .state_dim = manifest.state_dim,
              .key_gates = manifest.key_gates};
  }

  Result<std::vector<BenchRow>> run(const LaunchFactory& factory) {
    const Result<WeightMode> weights = weight_mode_of(manifest_);
    if (!weights) return weights.error();
    ProblemOptions problem;
    problem.weights = *weights;
    problem.dtype = manifest_.dtype;
    problem.coefficient_dtype = coefficient_type(entry_);
    problem.sizes = sizes_;
    set_columns(problem.sizes, manifest_);
    problem.gamma = options_.gamma;
    const int count = options_.input_sets > 0 ? options_.input_sets : automatic_sets(*weights);
    const int copies = device_ != nullptr && updates_in_place(entry_) ? times_for_sample(count) : 1;
    for (int s = 0; s < count; ++s) {
      problem.seed = options_.seed + static_cast<std::uint64_t>(s);
      const Result<bool> added = add_set(problem, factory, copies);
      if (!added) return added.error();
    }
    std::vector<BenchRow> rows{new_row("heddle", manifest_.dtype)};
    if (device_ != nullptr) {
      measure_on_device(rows);
    } else {
      if (options_.baselines && backward_) add_gradient_baselines(rows);
      if (options_.baselines && !backward_ && !decode_) add_baselines(rows);
      if (options_.baselines && !decode_) add_memory_pass(rows);
      measure_here(rows);
    }
    return rows;
  }

 private:
  int automatic_sets(WeightMode weights) const {
    const double heads = static_cast<double>(sizes_.batch * sizes_.heads);
    const double channels = heads * static_cast<double>(sizes_.head_dim);
    const double tokens = static_cast<double>(sizes_.tokens);
    double entries = 0.0;
    for (std::int64_t i = 1; i <= sizes_.tokens; ++i) {
      entries += static_cast<double>(rows_.a.size(i) + rows_.b.size(i));
    }
    // x and y beside q and k, or beside coefficients.
    const double given = weights == WeightMode::kGiven ? entries * heads : 0.0;
    const double arrays = weights == WeightMode::kGiven ? 2.0 : 4.0;
    double bytes =
        (arrays * channels * tokens + given) * static_cast<double>(size_of(manifest_.dtype));
    if (weights == WeightMode::kMatrix) {  // a state for every token beside them
      entries = static_cast<double>(sizes_.state_dim) * (entries + tokens);
      bytes += 4.0 * channels * static_cast<double>(sizes_.state_dim) * tokens;
    }
    if (weights == WeightMode::kLinear) entries = static_cast<double>(sizes_.state_dim) * tokens;
    // A gradient takes five multiply-adds an entry and channel, and is made with its magnitude.
    const double flops = (backward_ ? 32.0 : 4.0) * channels * entries;
    const double wanted = std::min(kCacheBytes / bytes, kOracleFlops / flops);
    return std::clamp(static_cast<int>(wanted) + 1, 1, kMostSets);
  }

  // How often `launches` must be repeated to make a sample of a device's time.
  static int times_for_sample(int launches) {
    return (kLaunchesPerSample + launches - 1) / launches;
  }

  Result<bool> add_set(const ProblemOptions& options, const LaunchFactory& factory, int copies) {
    if (backward_) return add_backward_set(options, factory);
    auto set = std::make_unique<InputSet>();
    set->problem = make_problem(options, rows_);
    const Problem& problem = set->problem;
    Sizes sizes = problem.sizes;
    sizes.start = decode_ ? sizes.tokens - 1 : 0;
    sizes.tokens = decode_ ? 1 : sizes.tokens;
    ReferenceOutput output =
        reference_output(problem, rows_, options_.threads,
                         live_positions(manifest_.cache_b.retention, rows_.b, sizes.start));
    const std::vector<double>& y = output.y;
    const Result<std::int64_t> slots_a = manifest_.cache_a.slots(options_.tokens);
    if (!slots_a) return slots_a.error();
    const Result<std::int64_t> slots_b = manifest_.cache_b.slots(options_.tokens);
    if (!slots_b) return slots_b.error();
    // Where everything stays, the final state of a whole sequence is its inputs and outputs over
    // again: whoever has no use for the copy asks for none, and no baseline makes one.
    const auto wanted = [&](const CacheLayout& layout, std::int64_t slots) {
      return !decode_ && layout.retention == CacheRetention::kAll ? 0 : slots;
    };
    sizes.slots_a = wanted(manifest_.cache_a, *slots_a);
    sizes.slots_b = wanted(manifest_.cache_b, *slots_b);
    if (problem.weights == WeightMode::kLinear) {
      output.state = reference_state(problem, sizes.start);
    }
    const StateSource source{problem, rows_, manifest_.cache_a, manifest_.cache_b, y, output.state};
    const Result<HostBuffers> state =
        make_state(source, sizes.start, sizes.slots_a, sizes.slots_b, options.seed);
    if (!state) return state.error();
    Result<HostBuffers> bound = bind_buffers(entry_, problem, sizes, *state);
    if (!bound) return bound.error();
    set->pristine = without_scratch(*bound);
    for (int c = 1; c <= copies; ++c) {
      auto launch = std::make_unique<Launch>();
      launch->buffers = c < copies ? *bound : *std::move(bound);
      Result<PreparedLaunch> prepared =
          factory({entry_, sizes, problem.scale, problem.gamma, launch->buffers});
      if (!prepared) return prepared.error();
      launch->prepared = *std::move(prepared);
      set->launches.push_back(std::move(launch));
    }

    const std::int64_t token = sizes.heads * sizes.head_dim;
    for (std::int64_t b = 0; b < sizes.batch; ++b) {
      const auto first = y.begin() + (b * problem.sizes.tokens + sizes.start) * token;
      set->expected.insert(set->expected.end(), first, first + sizes.tokens * token);
    }
    work_ = definition_work(problem, rows_, sizes, decode_);
    sets_.push_back(std::move(set));
    return true;
  }

  Result<bool> add_backward_set(const ProblemOptions& options, const LaunchFactory& factory) {
    auto set = std::make_unique<InputSet>();
    set->gradients = solve_gradients(options, rows_, options_.threads);
    set->problem = set->gradients->problem;
    const Problem& problem = set->problem;
    Result<HostBuffers> bound = bind_buffers(entry_, problem, problem.sizes, {});
    if (!bound) return bound.error();
    set->pristine = without_scratch(*bound);
    auto launch = std::make_unique<Launch>();
    launch->buffers = *std::move(bound);
    Result<PreparedLaunch> prepared =
        factory({entry_, problem.sizes, problem.scale, problem.gamma, launch->buffers});
    if (!prepared) return prepared.error();
    launch->prepared = *std::move(prepared);
    set->launches.push_back(std::move(launch));
    work_ = backward_work(problem, rows_, problem.sizes);
    sets_.push_back(std::move(set));
    return true;
  }

  void add_gradient_baselines(std::vector<BenchRow>& rows) {
    rows.push_back(new_row("eigen-sparse", ElementType::kF32));
    std::vector<std::unique_ptr<GradientBaseline>> made;
    for (const std::unique_ptr<InputSet>& set : sets_) {
      auto baseline = make_eigen_sparse_backward(set->problem, rows_);
      if (!baseline) {
        rows.back().remark = baseline.error().message;
        return;
      }
      made.push_back(*std::move(baseline));
    }
    for (std::size_t s = 0; s < sets_.size(); ++s) {
      sets_[s]->gradient_baselines.push_back(std::move(made[s]));
    }
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

  void add_memory_pass(std::vector<BenchRow>& rows) {
    rows.push_back(new_row(kMemoryPass, manifest_.dtype));
    const auto pool = std::make_shared<WorkerPool>(options_.threads);
    for (const std::unique_ptr<InputSet>& set : sets_) {
      set->pass = std::make_unique<MemoryPass>(entry_, set->pristine, pool);
    }
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

  // Keeps the first failure of `name`'s work; after it there is nothing more to try.
  void attempt(const std::string& name, const Work& work) {
    if (!work || failures_.count(name) != 0) return;
    if (std::optional<Error> error = work()) failures_.emplace(name, error->message);
  }

  TimingOptions timing_options(int input_sets) const {
    TimingOptions timing;
    timing.input_sets = input_sets;
    // Every set is run at least once, by everybody, so that every output is there to be checked.
    timing.warmup_rounds = 2;
    timing.min_rounds = std::max(5, input_sets);
    timing.budget_seconds = options_.budget_seconds;
    return timing;
  }

  void measure_here(std::vector<BenchRow>& rows) {
    std::vector<Contestant> contestants;
    std::vector<BenchRow*> timed;
    const auto set_at = [this](int s) -> InputSet& { return *sets_[static_cast<std::size_t>(s)]; };
    contestants.push_back(
        {"heddle",
         [=, this](int s) { attempt("heddle", set_at(s).launches.front()->prepared.run); },
         [=](int s) { restore(set_at(s)); }});
    timed.push_back(&rows.front());
    std::size_t index = 0;
    for (BenchRow& row : rows) {
      if (&row == &rows.front() || !row.remark.empty()) continue;
      timed.push_back(&row);
      if (row.name == kMemoryPass) {
        contestants.push_back({row.name, [=](int s) { set_at(s).pass->run(); }, {}});
        continue;
      }
      contestants.push_back({row.name, [=, this](int s) { run_baseline(set_at(s), index); }, {}});
      ++index;
    }
    const std::vector<Timing> timings =
        measure_interleaved(contestants, timing_options(static_cast<int>(sets_.size())));

    for (std::size_t c = 0; c < timed.size(); ++c) {
      BenchRow& row = *timed[c];
      if (row.name == kMemoryPass) {
        accept_pass(row, timings[c]);
        continue;
      }
      if (c == 0) {
        check_launches(row);
      } else {
        for (const std::unique_ptr<InputSet>& set : sets_) check_baseline(row, *set, c - 1);
      }
      accept(row, timings[c], work_.bytes, work_.flops);
    }
  }

  // A sample is one pass, or several, over all launches of all input sets: inputs rotate, and each
  // launch that updates a state finds its own.
  void measure_on_device(std::vector<BenchRow>& rows) {
    int launches = 0;
    for (const std::unique_ptr<InputSet>& set : sets_) {
      launches += static_cast<int>(set->launches.size());
    }
    const int passes = updates_in_place(entry_) ? 1 : times_for_sample(launches);
    const Work pass = [this]() -> std::optional<Error> {
      for (const std::unique_ptr<InputSet>& set : sets_) {
        for (const std::unique_ptr<Launch>& launch : set->launches) {
          if (auto error = launch->prepared.run()) return error;
        }
      }
      return std::nullopt;
    };
    std::vector<Contestant> contestants;
    contestants.push_back(
        {"heddle",
         {},
         [this](int) { restore_on_device(); },
         [=, this](int) { return time_on_device("heddle", pass, passes) / launches; }});
    for (const DeviceReference& reference : device_->references) {
      rows.push_back(new_row(reference.name, manifest_.dtype));
      contestants.push_back({reference.name, {}, {}, [&reference, this](int) {
                               return time_on_device(reference.name, reference.start,
                                                     kLaunchesPerSample);
                             }});
    }
    const std::vector<Timing> timings = measure_interleaved(contestants, timing_options(1));

    for (const std::unique_ptr<InputSet>& set : sets_) {
      for (const std::unique_ptr<Launch>& launch : set->launches) {
        attempt("heddle", launch->prepared.download);
      }
    }
    check_launches(rows.front());
    accept(rows.front(), timings.front(), work_.bytes, work_.flops);
    for (std::size_t r = 0; r < device_->references.size(); ++r) {
      BenchRow& row = rows[r + 1];
      fail_if_it_did(row);
      accept(row, timings[r + 1], device_->references[r].bytes, 0);
    }
  }

  // Milliseconds of one time of the work; whatever it is worth when the work fails.
  double time_on_device(const std::string& name, const Work& work, int times) {
    double milliseconds = 0.0;
    attempt(name, [&]() -> std::optional<Error> {
      const Result<double> time = device_->time([&]() -> std::optional<Error> {
        for (int t = 0; t < times; ++t) {
          if (auto error = work()) return error;
        }
        return std::nullopt;
      });
      if (!time) return time.error();
      milliseconds = *time / times;
      return std::nullopt;
    });
    return milliseconds;
  }

  void restore_on_device() {
    for (const std::unique_ptr<InputSet>& set : sets_) {
      restore(*set);
      for (const std::unique_ptr<Launch>& launch : set->launches) {
        attempt("heddle", launch->prepared.upload);
      }
    }
  }

  // ---- checks ---------------------------------------------------------------------------------

  void fail_if_it_did(BenchRow& row) const {
    const auto failure = failures_.find(row.name);
    if (failure != failures_.end()) row.remark = failure->second;
  }

  void check_launches(BenchRow& row) const {
    fail_if_it_did(row);
    if (!row.remark.empty()) return;
    for (const std::unique_ptr<InputSet>& set : sets_) {
      for (const std::unique_ptr<Launch>& launch : set->launches) {
        if (backward_) {
          check_gradients(row, *set, launch->buffers, manifest_.dtype);
        } else {
          check(row, *set, launch->buffers.at("y"));
        }
      }
    }
  }

  void check(BenchRow& row, const InputSet& set, const HostBuffer& y) const {
    const Agreement agreement = compare(y, set.expected, sizes_.head_dim);
    row.max_rel_error = std::max(row.max_rel_error.value_or(0.0), agreement.relative_error);
    if (!agreement.within(tolerance_for(y.type(), set.problem.largest_logit))) {
      row.remark = "wrong result: " + agreement.describe(sizes_.head_dim);
    }
  }

  void run_baseline(InputSet& set, std::size_t index) const {
    if (backward_) return set.gradient_baselines[index]->run(options_.threads);
    set.baselines[index]->run(options_.threads);
  }

  void check_baseline(BenchRow& row, const InputSet& set, std::size_t index) const {
    if (!backward_) return check(row, set, set.baselines[index]->result());
    check_gradients(row, set, set.gradient_baselines[index]->result(), ElementType::kF32);
  }

  void check_gradients(BenchRow& row, const InputSet& set, const HostBuffers& results,
                       ElementType type) const {
    const Tolerance tolerance = gradient_tolerance(type, set.problem.largest_logit);
    for (const auto& [name, expected] : set.gradients->expected) {
      const auto result = results.find(name);
      if (result == results.end()) continue;  // coefficients of a side without entries
      const Agreement agreement = compare_gradient(*set.gradients, name, result->second);
      row.max_rel_error = std::max(row.max_rel_error.value_or(0.0), agreement.relative_error);
      if (!agreement.within(tolerance)) {
        row.remark = "wrong " + name + ": " + agreement.describe(result->second.shape().back());
      }
    }
  }

  void accept_pass(BenchRow& row, const Timing& timing) const {
    for (const std::unique_ptr<InputSet>& set : sets_) {
      if (!set->pass->complete()) row.remark = "not all of the memory was read and written";
    }
    accept(row, timing, sets_.front()->pass->bytes(), 0);
  }

  static void accept(BenchRow& row, const Timing& timing, std::int64_t bytes, std::int64_t flops) {
    if (!row.remark.empty()) return;
    row.timing = timing;
    if (timing.median_ms <= 0.0) return;
    row.gb_per_s = static_cast<double>(bytes) / (1e6 * timing.median_ms);
    row.gflop_per_s = static_cast<double>(flops) / (1e6 * timing.median_ms);
  }

  // The state of a decode step moves on with each run: put it back. Outputs are poisoned again.
  static void restore(InputSet& set) {
    for (const std::unique_ptr<Launch>& launch : set.launches) {
      for (auto& [name, buffer] : launch->buffers) {
        if (is_scratch(name)) {
          buffer.poison();
          continue;
        }
        const HostBuffer& before = set.pristine.at(name);
        const bool gradient = name[0] == 'd' && name != "dy";
        if (gradient || name == "y" || name.rfind("final_", 0) == 0 ||
            name.rfind("cache_", 0) == 0) {
          std::copy(before.data(), before.data() + before.bytes(), buffer.data());
        }
      }
    }
  }

  const Manifest& manifest_;
  const KernelEntry& entry_;
  const Rows& rows_;
  const BenchOptions& options_;
  const BenchDevice* device_;
  bool decode_ = false;
  bool backward_ = false;
  Sizes sizes_;
  DefinitionWork work_;
  std::vector<std::unique_ptr<InputSet>> sets_;  // launches keep pointers into them
  std::map<std::string, std::string> failures_;  // by contestant
};

}  // namespace

Result<std::vector<BenchRow>> bench(const Manifest& manifest, const KernelEntry& entry,
                                    const Rows& rows, const BenchOptions& options,
                                    const LaunchFactory& factory, const BenchDevice* device) {
  if (entry.op != "prefill" && entry.op != "decode" && entry.op != "backward") {
    return Error{fmt::format("nothing times '{}' kernels", entry.op)};
  }
  if (options.tokens < 1 || options.batch < 1 || options.heads < 1) {
    return Error{"a benchmark needs at least one token, batch and head"};
  }
  if (rows.n() < options.tokens) {
    return Error{fmt::format("rows are known up to {} only", rows.n())};
  }
  return Bench(manifest, entry, rows, options, device).run(factory);
}

}  // namespace heddle
