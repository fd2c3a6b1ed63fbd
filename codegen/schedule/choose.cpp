// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/choose.hpp"

#include <algorithm>
#include <cmath>

#include "codegen/schedule/attention_plan.hpp"
#include "codegen/schedule/diagonal_plan.hpp"
#include "codegen/schedule/lattice_plan.hpp"
#include "codegen/schedule/prefill_wait.hpp"
#include "codegen/schedule/recurrence_plan.hpp"
#include "codegen/schedule/scan_plan.hpp"
#include "codegen/schedule/states_plan.hpp"
#include "codegen/schedule/tensor_plan.hpp"

namespace heddle::schedule {
namespace {

std::string in_words(const Prediction& prediction) {
  return std::to_string(prediction.bytes) + " bytes and " + std::to_string(prediction.flops) +
         " flops";
}

// What a schedule other than the simple one would need, and what it would cost.
struct Alternative {
  const char* schedule;
  Result<Cost> cost;
  std::optional<Staging> staging = std::nullopt;
  std::optional<TensorSplit> tensor = std::nullopt;
  // Blocks wait for much less than with others, which bytes and flops do not tell.
  bool waits_less = false;
};

Alternative on_tensor_cores(const KernelSpec& spec, const Rows& rows,
                            const ChooseOptions& options) {
  const std::int64_t tokens = rows.n() - 1;
  if (spec.matrix_rows()) {
    const Result<StatesPlan> found = plan_states(spec, rows, options.limits.shared_bytes);
    if (!found) return {"tensor", found.error()};
    return {"tensor", found->cost, std::nullopt, found->split};
  }
  if (spec.weights == WeightKind::kLinear) {
    const Result<TensorPlan> found = plan_tensor(spec, tokens, options.limits.shared_bytes);
    if (!found) return {"tensor", found.error()};
    return {"tensor", found->cost, std::nullopt, found->split};
  }
  const TileLimits limits{options.architecture, options.heads, options.limits.shared_bytes,
                          options.tile_rows};
  if (spec.dense_outputs || spec.dense_sides) {
    const Result<RecurrencePlan> found = plan_recurrence(spec, tokens, limits);
    if (!found) return {"tensor", found.error()};
    return {"tensor", found->cost, std::nullopt, found->split};
  }
  if (spec.lattice_outputs) {
    const Result<LatticePlan> found = plan_lattice(spec, rows, limits);
    if (!found) return {"tensor", found.error()};
    return {"tensor", found->cost, std::nullopt, found->split, true};
  }
  if (spec.shifted_outputs) {
    const Result<DiagonalPlan> found = plan_diagonals(spec, rows, limits);
    if (!found) return {"tensor", found.error()};
    return {"tensor", found->cost, std::nullopt, found->split};
  }
  const Result<AttentionPlan> found = plan_attention(spec, tokens, limits);
  if (!found) return {"tensor", found.error()};
  return {"tensor", found->cost, std::nullopt, found->split};
}

Alternative out_of_shared_memory(const KernelSpec& spec, const Rows& rows,
                                 const StagedLimits& limits) {
  const Result<StagedPlan> found = plan_staged(spec, rows, limits);
  if (!found) return {"staged", found.error()};
  return {"staged", Cost{found->prediction}, found->staging};
}

// Linear weights have no staged schedule; what tensor cores cannot do is told where somebody asks
// for them or could expect them.
std::vector<Alternative> alternatives(const KernelSpec& spec, const Rows& rows,
                                      const ChooseOptions& options) {
  std::vector<Alternative> all;
  const bool narrow_lattice = spec.lattice_outputs && spec.dtype != ElementType::kF32;
  const bool matrices = (spec.dense_inputs || spec.dense_outputs || spec.dense_sides ||
                         spec.input_window > 0 || narrow_lattice) &&
                        spec.weights == WeightKind::kSoftmax;
  if (spec.weights == WeightKind::kLinear || matrices || options.schedule == "tensor") {
    all.push_back(on_tensor_cores(spec, rows, options));
  }
  if (spec.weights != WeightKind::kLinear) {
    all.push_back(out_of_shared_memory(spec, rows, options.limits));
  }
  return all;
}

// The schedule that was asked for where it fits, else the fastest; the simple one where none is
// faster.
Choice choose_whole(KernelSpec& spec, const Rows& rows, const ChooseOptions& options) {
  const Cost simple = simple_cost(spec, rows);
  Choice choice;
  choice.prediction = simple.prediction;
  if (options.schedule == "simple") return choice;
  const std::int64_t floor = minimum_bytes(spec, rows);
  const auto time = [&](const Cost& cost) {
    return options.architecture->microseconds(
        floor, cost.prediction.bytes, cost.prediction.flops - cost.tensor_flops, cost.tensor_flops);
  };
  const std::vector<Alternative> others = alternatives(spec, rows, options);
  const Alternative* best = nullptr;
  for (const Alternative& other : others) {
    if (!other.cost) continue;
    const bool asked_for =
        options.schedule == other.schedule || (options.schedule == "auto" && other.waits_less);
    const bool faster = best != nullptr ? options.schedule != best->schedule && !best->waits_less &&
                                              time(*other.cost) < time(*best->cost)
                                        : time(*other.cost) < time(simple);
    if (asked_for || faster) best = &other;
  }
  const auto remark = [&](const std::string& words) {
    choice.why += (choice.why.empty() ? "" : "; ") + words;
  };
  if (best != nullptr) {
    choice.schedule = best->schedule;
    choice.prediction = best->cost->prediction;
    choice.tensor_flops = best->cost->tensor_flops;
    spec.staging = best->staging;
    spec.tensor = best->tensor;
    remark("simple comes to " + in_words(simple.prediction));
  }
  for (const Alternative& other : others) {
    if (&other == best) continue;
    const std::string name = other.schedule;
    remark(other.cost ? name + " comes to " + in_words(other.cost->prediction)
                      : "the " + name + " one does not fit: " + other.cost.error().message);
  }
  return choice;
}

// Of a launch with one block for each head.
double microseconds_of(const KernelSpec& spec, const Rows& rows, const Choice& choice,
                       const ChooseOptions& options) {
  const Architecture& gpu = *options.architecture;
  const std::int64_t floor = minimum_bytes(spec, rows);
  const std::int64_t channels = (spec.head_dim + 31) / 32;
  const std::int64_t warps = spec.staging        ? spec.staging->warps
                             : spec.tensor       ? spec.tensor->warps
                             : spec.by_channel() ? std::min<std::int64_t>(channels, 4)
                                                 : 4;
  return Architecture::kLaunchMicroseconds +
         gpu.microseconds(options.heads * floor, options.heads * choice.prediction.bytes,
                          options.heads * (choice.prediction.flops - choice.tensor_flops),
                          options.heads * choice.tensor_flops) /
             gpu.share(options.heads * warps);
}

// How long its warps wait at least, of launches one behind the other.
double microseconds_of(const std::vector<Wait>& waits, const ChooseOptions& options) {
  double time = 0;
  for (const Wait& wait : waits) {
    time += Architecture::kLaunchMicroseconds +
            microseconds_of(wait, options.heads, *options.architecture);
  }
  return time;
}

// Of the schedule that `spec` has, a launch each; none where it is not known.
std::vector<Wait> waits_of(const KernelSpec& spec, const Rows& rows) {
  if (!spec.staging) return {};
  const std::optional<Wait> wait = wait_of_staged(spec, rows);
  return wait ? std::vector<Wait>{*wait} : std::vector<Wait>{};
}

void note_wait(Choice& choice, const std::vector<Wait>& waits) {
  if (waits.empty()) return;
  choice.wait = 0;
  for (const Wait& wait : waits) *choice.wait += wait.cycles;
  choice.why += (choice.why.empty() ? "" : "; ") + std::string("a block waits for ") +
                std::to_string(*choice.wait) + " cycles";
}

// How long a scan may take of the time of one launch: how much of a GPU a few heads leave idle is a
// guess, and a scan moves more.
constexpr double kWorthAScan = 0.75;

std::string in_microseconds(double time) { return std::to_string(std::llround(time)) + " us"; }

}  // namespace

Choice choose_prefill(KernelSpec& spec, const Rows& rows, const ChooseOptions& options) {
  spec.staging.reset();
  spec.tensor.reset();
  spec.scan.reset();
  const bool forced = options.schedule == "scan";
  const Result<ScanPlan> scan = plan_scan(spec, rows.n() - 1, options.heads, *options.architecture,
                                          options.limits.shared_bytes);
  assert_that(scan.ok() || !forced, "a scan was asked for where there is none");
  ChooseOptions others = options;
  if (forced) others.schedule = "auto";
  Choice choice = choose_whole(spec, rows, others);
  const std::vector<Wait> waits = waits_of(spec, rows);
  note_wait(choice, waits);
  if (!scan.ok() || (!forced && options.schedule != "auto")) return choice;
  const double whole =
      std::max(microseconds_of(spec, rows, choice, options), microseconds_of(waits, options));
  KernelSpec scanned = spec;
  scanned.staging.reset();
  scanned.tensor = scan->tensor;
  scanned.scan = scan->split;
  // Where nobody knows how long one of them waits, bytes and flops decide alone.
  const std::vector<Wait> of_scan = waits.empty() ? waits : wait_of_scan(scanned, rows.n() - 1);
  const double in_chunks = std::max(scan->microseconds, microseconds_of(of_scan, options));
  const std::string times = "for " + std::to_string(options.heads) +
                            " heads a scan is expected to "
                            "take " +
                            in_microseconds(in_chunks) + ", " + choice.schedule + " " +
                            in_microseconds(whole);
  if (!forced && kWorthAScan * whole <= in_chunks) {
    choice.why += (choice.why.empty() ? "" : "; ") + times;
    return choice;
  }
  spec.staging.reset();
  spec.tensor = scan->tensor;
  spec.scan = scan->split;
  Choice by_chunks{"scan", scan->prediction, 0, times};
  note_wait(by_chunks, of_scan);
  return by_chunks;
}

}  // namespace heddle::schedule
