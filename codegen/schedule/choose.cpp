// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/choose.hpp"

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

Choice choose_prefill(KernelSpec& spec, const Rows& rows, const ChooseOptions& options) {
  spec.staging.reset();
  spec.tensor.reset();
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

}  // namespace heddle::schedule
