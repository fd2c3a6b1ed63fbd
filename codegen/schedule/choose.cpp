// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/choose.hpp"

#include <algorithm>
#include <cmath>

#include "codegen/schedule/scan_plan.hpp"
#include "codegen/schedule/tensor_plan.hpp"

namespace heddle::schedule {
namespace {

std::string in_words(const Prediction& prediction) {
  return std::to_string(prediction.bytes) + " bytes and " + std::to_string(prediction.flops) +
         " flops";
}

// The alternatives to the simple schedule, of which a kind of weights has one.
struct Alternative {
  const char* schedule;
  Result<Cost> cost;
};

Alternative plan(KernelSpec& spec, const Rows& rows, const StagedLimits& limits) {
  if (spec.weights == WeightKind::kLinear) {
    const Result<TensorPlan> found = plan_tensor(spec, rows.n() - 1, limits.shared_bytes);
    if (!found) return {"tensor", found.error()};
    spec.tensor = found->split;
    return {"tensor", found->cost};
  }
  const Result<StagedPlan> found = plan_staged(spec, rows, limits);
  if (!found) return {"staged", found.error()};
  spec.staging = found->staging;
  return {"staged", Cost{found->prediction}};
}

}  // namespace

bool has_simple_prefill(const KernelSpec& spec) {
  return spec.dtype != ElementType::kF16 || spec.weights == WeightKind::kLinear ||
         spec.by_channel();
}

namespace {

// One block a head, whatever it does.
Choice choose_whole(KernelSpec& spec, const Rows& rows, const ChooseOptions& options) {
  const Cost simple = simple_cost(spec, rows);
  Choice choice;
  choice.prediction = simple.prediction;
  if (options.schedule == "simple") return choice;
  if (spec.by_channel()) {
    choice.why = "no coefficient is asked for twice";
    return choice;
  }
  const Alternative other = plan(spec, rows, options.limits);
  if (!other.cost) {
    choice.why =
        std::string("the ") + other.schedule + " one does not fit: " + other.cost.error().message;
    return choice;
  }
  const std::int64_t floor = minimum_bytes(spec, rows);
  const auto time = [&](const Cost& cost) {
    return options.architecture->microseconds(
        floor, cost.prediction.bytes, cost.prediction.flops - cost.tensor_flops, cost.tensor_flops);
  };
  const bool forced = options.schedule == other.schedule || !has_simple_prefill(spec);
  if (!forced && time(simple) <= time(*other.cost)) {
    spec.staging.reset();
    spec.tensor.reset();
    choice.why = std::string(other.schedule) + " comes to " + in_words(other.cost->prediction);
    return choice;
  }
  choice.schedule = other.schedule;
  choice.prediction = other.cost->prediction;
  if (has_simple_prefill(spec)) choice.why = "simple comes to " + in_words(simple.prediction);
  return choice;
}

// Of a launch with one block for each head.
double microseconds_of(const KernelSpec& spec, const Rows& rows, const Choice& choice,
                       const ChooseOptions& options) {
  const Architecture& gpu = *options.architecture;
  const std::int64_t floor = minimum_bytes(spec, rows);
  const std::int64_t channels = (spec.head_dim + 31) / 32;
  const std::int64_t warps = spec.staging        ? spec.staging->warps
                             : spec.by_channel() ? std::min<std::int64_t>(channels, 4)
                                                 : 4;
  return Architecture::kLaunchMicroseconds +
         gpu.microseconds(options.heads * floor, options.heads * choice.prediction.bytes,
                          options.heads * choice.prediction.flops, 0) /
             gpu.share(options.heads * warps);
}

std::string in_microseconds(double time) { return std::to_string(std::llround(time)) + " us"; }

}  // namespace

Choice choose_prefill(KernelSpec& spec, const Rows& rows, const ChooseOptions& options) {
  spec.staging.reset();
  spec.tensor.reset();
  spec.scan.reset();
  const bool forced = options.schedule == "scan";
  const Result<ScanPlan> scan = plan_scan(spec, rows.n() - 1, options.heads, *options.architecture);
  assert_that(scan.ok() || !forced, "a scan was asked for where there is none");
  ChooseOptions others = options;
  if (forced) others.schedule = "auto";
  Choice choice = choose_whole(spec, rows, others);
  if (!scan.ok() || (!forced && options.schedule != "auto")) return choice;
  const double whole = microseconds_of(spec, rows, choice, options);
  const std::string times = "for " + std::to_string(options.heads) +
                            " heads a scan is expected to "
                            "take " +
                            in_microseconds(scan->microseconds) + ", " + choice.schedule + " " +
                            in_microseconds(whole);
  if (!forced && whole <= scan->microseconds) {
    choice.why += (choice.why.empty() ? "" : "; ") + times;
    return choice;
  }
  spec.staging.reset();
  spec.scan = scan->split;
  return {"scan", scan->prediction, times};
}

}  // namespace heddle::schedule
