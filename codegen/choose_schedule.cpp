// SPDX-License-Identifier: Apache-2.0
#include "codegen/choose_schedule.hpp"

#include <algorithm>

#include "codegen/check_options.hpp"
#include "codegen/rows/row_shape.hpp"
#include "codegen/schedule/attention_back.hpp"
#include "codegen/schedule/gather_backward.hpp"
#include "codegen/schedule/gradient_plan.hpp"
#include "codegen/schedule/lattice_back.hpp"
#include "patterns/materialize.hpp"

namespace heddle {
namespace {

using schedule::Choice;
using schedule::KernelSpec;

bool has_scan_backward(const KernelSpec& spec) {
  const bool by_coefficients =
      spec.weights == WeightKind::kGiven || spec.weights == WeightKind::kGated;
  return spec.first_order && by_coefficients;
}

class Chooser {
 public:
  Chooser(KernelSpec& spec, const std::string& op, const GenerateOptions& options,
          std::int64_t slots, std::vector<std::string>& remarks)
      : spec_(spec), op_(op), options_(options), slots_(slots), remarks_(remarks) {}

  std::optional<Choice> run() {
    if (spec_.target != ir::Target::kCuda) {
      if (op_ == "prefill") only_simple("only cuda has another one");
      return std::nullopt;
    }
    if (op_ == "prefill") return by_cost();
    if (op_ == "backward") return backward();
    return std::nullopt;
  }

 private:
  void remark(const std::string& text) { remarks_.push_back(op_ + " has " + text); }

  // Said only where something else was asked for.
  void only_simple(const std::string& why) {
    if (options_.schedule == "auto" || options_.schedule == "simple") return;
    remark("the simple schedule: " + why);
  }

  std::optional<Choice> backward() {
    if (spec_.matrix_rows()) {
      only_simple("matrix states have others for first order, and for prefill on cuda only");
      return std::nullopt;
    }
    if (has_scan_backward(spec_)) {
      scan_or_gather();
      return std::nullopt;
    }
    if (spec_.weights == WeightKind::kLinear) {
      gradients_of_states();
      return std::nullopt;
    }
    if (const auto tiles = on_tensor_cores()) return tiles;
    if (schedule::gathers(spec_)) {
      gather();
    } else if (options_.schedule == "scan") {
      remark("the simple schedule: there is no scan of it");
    }
    return std::nullopt;
  }

  std::optional<Choice> by_cost() {
    const MaterializeResult table = materialize(spec_.pattern, options_.plan_tokens + 1);
    const Rows* const rows = std::get_if<Rows>(&table);
    if (rows == nullptr) {
      remark("the simple schedule: the rows have no values up to the length planned for");
      return std::nullopt;
    }
    schedule::ChooseOptions how;
    how.schedule = options_.schedule;
    how.architecture = find_architecture(options_.architecture);
    how.heads = options_.plan_heads;
    how.tile_rows = options_.tile_rows;
    how.limits.slots = slots_;
    if (options_.schedule != "simple") limit_lists(how.limits);
    how.limits.shared_bytes = shared_limit(options_);
    return schedule::choose_prefill(spec_, *rows, how);
  }

  // Entries of either side in the last row that sizes are known for, as far as a list should go.
  void limit_lists(schedule::StagedLimits& limits) const {
    constexpr std::int64_t kMost = 1024;
    const MaterializeResult table = materialize(spec_.pattern, options_.exact_to);
    const Rows* const rows = std::get_if<Rows>(&table);
    const auto entries = [&](const RowTable& side) {
      return std::clamp<std::int64_t>(side.size(rows->n()), 1, kMost);
    };
    limits.offsets_a = rows == nullptr ? 1 : entries(rows->a);
    limits.offsets_b = rows == nullptr ? 1 : entries(rows->b);
    limits.listed_rows = rows == nullptr ? 0 : std::min(options_.exact_to, kMost);
  }

  // Over chunks where prefill goes over them.
  void scan_or_gather() {
    const std::optional<Choice> of_prefill = by_cost();
    if (!of_prefill) return;
    spec_.staging.reset();
    spec_.tensor.reset();
    if (spec_.scan) {
      remark("the scan schedule; " + of_prefill->why);
    } else if (schedule::gathers(spec_)) {
      gather();
    }
  }

  // Of softmax over dense inputs or a window of them: tensor cores wherever they can, however few
  // tokens a row reads.
  std::optional<Choice> on_tensor_cores() {
    const bool asked_for = options_.schedule == "tensor";
    if ((!asked_for && options_.schedule != "auto") || spec_.state_gradients) return std::nullopt;
    // See lattice_on_tensor_cores().
    if (rows::shape_of(spec_.b) == rows::RowShape::kLattice) return std::nullopt;
    const Architecture* const gpu = find_architecture(options_.architecture);
    const Result<schedule::AttentionPlan> plan = schedule::plan_attention_back(
        spec_, options_.plan_tokens,
        {gpu, options_.plan_heads, shared_limit(options_), options_.tile_rows});
    if (!plan) {
      if (asked_for) remark("no tensor schedule: " + plan.error().message);
      return std::nullopt;
    }
    spec_.tensor = plan->split;
    spec_.gather = schedule::GatherSplit{16 * plan->split.warps};
    return Choice{"gather", plan->cost.prediction, plan->cost.tensor_flops, "on tensor cores"};
  }

  // Of rows that reach the same distances back: side by side, wherever shared memory has room for
  // the launch that cannot be.
  void gather() {
    if (options_.schedule == "simple") return;
    if (rows::shape_of(spec_.b) == rows::RowShape::kShifted) {
      const Result<schedule::Staging> staging = staging_of_lambda();
      if (!staging) {
        remark("the simple schedule: " + staging.error().message);
        return;
      }
      spec_.staging = *staging;
    } else if (spec_.by_channel() && rows::shape_of(spec_.b) == rows::RowShape::kLattice &&
               !schedule::has_gated_lambda(spec_, shared_limit(options_))) {
      remark("the simple schedule: a chunk of the lattice has more gates than there is room for");
      return;
    }
    spec_.gather = schedule::GatherSplit{};
    if (schedule::has_windows(spec_, shared_limit(options_))) {
      spec_.gather =
          schedule::GatherSplit{schedule::window_tokens(spec_), true,
                                schedule::has_windows_ahead(spec_, shared_limit(options_)),
                                schedule::has_window_pairs(spec_, shared_limit(options_))};
    } else if (lattice_on_tensor_cores()) {
      spec_.gather = schedule::GatherSplit{schedule::kLatticeBackTokens};
    } else if (schedule::shares_lattice(spec_)) {
      spec_.gather = schedule::GatherSplit{schedule::kLatticeTokens};
    }
    remark("the gather schedule: blocks of " + std::to_string(spec_.gather->chunk_tokens) +
           " tokens side by side, but for lambda" + (spec_.tensor ? ", on tensor cores" : ""));
  }

  bool lattice_on_tensor_cores() {
    if (options_.schedule != "tensor") return false;
    if (rows::shape_of(spec_.b) != rows::RowShape::kLattice) return false;
    const MaterializeResult table = materialize(spec_.pattern, options_.plan_tokens + 1);
    const Rows* const rows = std::get_if<Rows>(&table);
    if (rows == nullptr) return false;
    const auto split =
        schedule::plan_lattice_back(spec_, *rows,
                                    {find_architecture(options_.architecture), options_.plan_heads,
                                     shared_limit(options_), options_.tile_rows});
    if (split) {
      spec_.tensor = *split;
    } else {
      remark("no tensor schedule: " + split.error().message);
    }
    return split.ok();
  }

  Result<schedule::Staging> staging_of_lambda() const {
    const MaterializeResult table = materialize(spec_.pattern, options_.plan_tokens + 1);
    const Rows* const rows = std::get_if<Rows>(&table);
    if (rows == nullptr) return Error{"the rows have no values up to the length planned for"};
    schedule::StagedLimits limits;
    limits.shared_bytes = shared_limit(options_);
    return schedule::plan_transposed(spec_, *rows, limits);
  }

  // Of matrix states: over chunks on tensor cores wherever that is possible.
  void gradients_of_states() {
    if (options_.schedule == "simple") return;
    const Result<schedule::TensorSplit> split =
        schedule::plan_gradients(spec_, shared_limit(options_));
    if (!split) {
      remark("the simple schedule: " + split.error().message);
      return;
    }
    spec_.tensor = *split;
    spec_.scan = schedule::ScanSplit{schedule::kTensorChunk};
  }

  KernelSpec& spec_;
  const std::string& op_;
  const GenerateOptions& options_;
  const std::int64_t slots_;
  std::vector<std::string>& remarks_;
};

}  // namespace

std::optional<Choice> choose_schedule(KernelSpec& spec, const std::string& op,
                                      const GenerateOptions& options, std::int64_t slots,
                                      std::vector<std::string>& remarks) {
  spec.staging.reset();
  spec.tensor.reset();
  spec.scan.reset();
  spec.gather.reset();
  return Chooser(spec, op, options, slots, remarks).run();
}

}  // namespace heddle
