// SPDX-License-Identifier: Apache-2.0
#include "codegen/generate.hpp"

#include <algorithm>
#include <tuple>

#include "analyzer/rules/liveness.hpp"
#include "codegen/check_options.hpp"
#include "codegen/ir/print.hpp"
#include "codegen/ir/validate.hpp"
#include "codegen/passes/drop_unused_values.hpp"
#include "codegen/prelude/prelude.hpp"
#include "codegen/rows/row_plan.hpp"
#include "codegen/rows/row_shape.hpp"
#include "codegen/rows/width.hpp"
#include "codegen/schedule/attention_back.hpp"
#include "codegen/schedule/choose.hpp"
#include "codegen/schedule/gather_backward.hpp"
#include "codegen/schedule/gradient_plan.hpp"
#include "codegen/schedule/kernel_spec.hpp"
#include "codegen/schedule/scan_plan.hpp"
#include "codegen/shared_memory.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/materialize.hpp"
#include "patterns/sha256.hpp"

namespace heddle {
namespace {

// Rows that are looked at for positions outside their range, where cache sizes need no more.
constexpr std::int64_t kInspectedRows = 1024;
// From so many entries in the last of them on, rows count as long.
constexpr std::int64_t kLongRow = 24;
// Parts that few heads are cut into on cpu.
constexpr int kSlices = 2;

const char* target_name(ir::Target target) { return ir::name_of(target); }

CacheRetention retention_of(const Pattern& pattern, Side side) {
  switch (liveness(pattern, side).retention) {
    case Retention::kNothing:
      return CacheRetention::kNone;
    case Retention::kNextRow:
      return CacheRetention::kNextRow;
    case Retention::kEverything:
    case Retention::kHorizon:  // no rule: keeping everything is always right
      return CacheRetention::kAll;
  }
  unreachable("retention");
}

// |live(n)| = |row(n+1) up to n|, and the most of it over all shorter sequences.
CacheLayout layout_of(CacheRetention keep, const RowTable& table, std::int64_t exact_to) {
  CacheLayout layout;
  layout.retention = keep;
  if (keep != CacheRetention::kNextRow) return layout;
  layout.exact_to = exact_to;
  std::int64_t most = 0;
  for (std::int64_t n = 1; n <= exact_to; ++n) {
    const std::int64_t live = table.size(n + 1) - (table.contains(n + 1, n + 1) ? 1 : 0);
    // A nested row grows by one position at most, so every number of slots has its own step.
    assert_that(live <= most + 1, "a nested row grew by more than one position");
    if (live <= most) continue;
    most = live;
    layout.steps.emplace_back(n, most);
  }
  return layout;
}

// The most entries of any row up to each length.
RowWidth counted_width(const RowTable& table, std::int64_t exact_to) {
  RowWidth width;
  width.exact_to = exact_to;
  for (std::int64_t n = 1; n <= exact_to; ++n) {
    const bool wider = width.steps.empty() || table.size(n) > width.steps.back().second;
    if (wider && table.size(n) > 0) width.steps.emplace_back(n, table.size(n));
  }
  return width;
}

Error outside(const RowViolation& violation) {
  return Error{std::string("row ") + std::to_string(violation.row) + " of " +
               (violation.side == Side::kA ? "A" : "B") + " reads position " +
               violation.position.to_string() + ", which lies outside its range"};
}

bool has_dense_inputs(const Pattern& pattern) {
  return std::holds_alternative<DenseSet>(pattern.set(Side::kA)->node) &&
         std::holds_alternative<EmptySet>(pattern.set(Side::kB)->node);
}

bool has_dense_outputs(const Pattern& pattern) {
  return std::holds_alternative<DiagonalSet>(pattern.set(Side::kA)->node) &&
         std::holds_alternative<DenseSet>(pattern.set(Side::kB)->node);
}

bool has_dense_sides(const Pattern& pattern) {
  return std::holds_alternative<DenseSet>(pattern.set(Side::kA)->node) &&
         std::holds_alternative<DenseSet>(pattern.set(Side::kB)->node);
}

// Cache slots for callers without a manifest at hand; -1 where the size was not computed.
std::string slots_function(const std::string& pattern, const std::string& side,
                           const CacheLayout& layout) {
  const std::string limit = std::to_string(layout.exact_to);
  std::string text = "\n// Slots that the state of side " + side +
                     " needs for sequences of up to `tokens` tokens; -1 beyond " + limit + ".\n" +
                     "inline std::int32_t " + pattern + "_slots_" + side +
                     "(std::int32_t tokens) {\n  if (tokens > " + limit +
                     ") return -1;\n  static const std::int32_t first_token[] = {";
  std::string line;
  const auto flush = [&] {
    text += "\n      " + line;
    line.clear();
  };
  for (const auto& [n, slots] : layout.steps) {
    const std::string item = std::to_string(n) + ",";
    if (line.size() + item.size() > 90) flush();
    line += (line.empty() ? "" : " ") + item;
  }
  flush();
  return text +
         "};\n  std::int32_t slots = 0;\n  for (const std::int32_t first : first_token) {\n" +
         "    if (tokens >= first) slots += 1;\n  }\n  return slots;\n}\n";
}

std::vector<std::string> summary_of(const Pattern& pattern, const schedule::KernelSpec& spec,
                                    const std::string& op) {
  std::vector<std::string> lines = {op + " of pattern " + pattern.name() + ": " +
                                    name_of(spec.weights) + " weights, " + name_of(spec.dtype) +
                                    ", " + std::to_string(spec.head_dim) + " channels a head"};
  const auto add = [&](const std::string& text) {
    std::size_t begin = 0;
    while (begin < text.size()) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      lines.push_back("  " + text.substr(begin, end - begin));
      begin = end + 1;
    }
  };
  for (const Parameter& parameter : pattern.syntax().parameters) {
    add(parameter.name + " = " + parameter.value.to_string());
  }
  for (const FunctionDefinition& function : pattern.syntax().functions) add(print(function));
  add("A = " + print(*pattern.set(Side::kA)));
  add("B = " + print(*pattern.set(Side::kB)));
  return lines;
}

// Without the dynamic memory, which begins at a multiple of sixteen bytes behind it.
std::int64_t shared_bytes(const ir::Kernel& kernel) {
  std::int64_t bytes = 0;
  bool dynamic = false;
  for (const ir::Array& array : kernel.arrays) {
    if (array.shared) bytes += std::int64_t{array.length} * (array.type == ir::Type::kI64 ? 8 : 4);
    dynamic = dynamic || array.dynamic;
  }
  return dynamic ? (bytes + 15) / 16 * 16 : bytes;
}

void require_valid(const ir::Kernel& kernel) {
  const std::vector<std::string> problems = ir::validate(kernel);
  assert_that(problems.empty(), problems.empty() ? "" : problems[0].c_str());
}

class Generator {
 public:
  Generator(const Pattern& pattern, const GenerateOptions& options)
      : pattern_(pattern), options_(options) {}

  Result<Artifact> run() {
    if (const auto error = check_options(options_)) return *error;
    Result<rows::RowPlan> a = rows::plan_row(pattern_, Side::kA);
    if (!a) return a.error();
    Result<rows::RowPlan> b = rows::plan_row(pattern_, Side::kB);
    if (!b) return b.error();
    schedule::KernelSpec spec{pattern_, *a, *b};
    spec.weights = options_.weights.value_or(pattern_.weights().kind);
    spec.target = options_.target;
    spec.dtype = options_.dtype;
    spec.head_dim = options_.head_dim;
    spec.varlen = options_.varlen;
    spec.page_rows = options_.page_rows;
    spec.state_gradients = options_.state_gradients;
    spec.several_tokens = options_.several_tokens;
    spec.key_gates = options_.key_gates;
    spec.first_order = rows::is_first_order(pattern_, *a, *b);
    spec.dense_inputs = has_dense_inputs(pattern_);
    spec.dense_outputs = has_dense_outputs(pattern_);
    spec.dense_sides = has_dense_sides(pattern_);
    spec.shifted_outputs = !spec.dense_outputs && rows::shape_of(*a) == rows::RowShape::kItself &&
                           rows::shape_of(*b) == rows::RowShape::kShifted;
    if (b->empty()) spec.input_window = rows::window_of(pattern_, *a).value_or(0);
    if (spec.weights != WeightKind::kLinear) spec.keep_a = retention_of(pattern_, Side::kA);
    if (spec.weights != WeightKind::kLinear || spec.matrix_rows()) {
      spec.keep_b = retention_of(pattern_, Side::kB);
    }
    if (const auto error = fill_manifest(spec)) return *error;
    for (const std::string& op : options_.ops) {
      if (const auto error = add_kernel(spec, op)) return *error;
      // Softmax scores need all channels of a head.
      if (op == "prefill" && spec.target == ir::Target::kCpu &&
          spec.weights == WeightKind::kGiven && schedule::can_slice(spec.head_dim, kSlices)) {
        spec.slices = kSlices;
        if (const auto error = add_kernel(spec, op)) return *error;
        spec.slices = 1;
      }
    }
    add_support_files();
    return std::move(artifact_);
  }

 private:
  std::int64_t shared_limit() const {
    return options_.shared_limit > 0 ? options_.shared_limit
                                     : find_architecture(options_.architecture)->shared_limit;
  }

  bool asked_for(const std::string& op) const { return heddle::asked_for(options_, op); }

  std::optional<Error> fill_manifest(schedule::KernelSpec& spec) {
    const bool next_row =
        spec.keep_a == CacheRetention::kNextRow || spec.keep_b == CacheRetention::kNextRow;
    const std::int64_t exact_to = options_.exact_to;
    const bool given =
        spec.weights == WeightKind::kGiven || spec.by_channel() || spec.matrix_rows();
    const auto counts_a = rows::entry_counts(pattern_, spec.a);
    const auto counts_b = rows::entry_counts(pattern_, spec.b);
    const bool to_the_end = next_row || (given && !(counts_a && counts_b));
    const MaterializeResult table =
        materialize(pattern_, (to_the_end ? exact_to : std::min(exact_to, kInspectedRows)) + 1);
    if (const RowViolation* violation = std::get_if<RowViolation>(&table)) {
      return outside(*violation);
    }
    if (const Error* error = std::get_if<Error>(&table)) return *error;
    const Rows& rows = std::get<Rows>(table);
    if (const auto error = check_weights(spec)) return error;
    spec.long_rows = rows.b.size(std::min(rows.n(), kInspectedRows)) >= kLongRow;
    Manifest& manifest = artifact_.manifest;
    manifest.pattern = pattern_.name();
    manifest.source_sha256 = pattern_.sha256();
    manifest.causality = options_.causality;
    manifest.causality_rows = options_.causality_rows;
    manifest.target = target_name(spec.target);
    manifest.weights = name_of(spec.weights);
    manifest.dtype = spec.dtype;
    manifest.head_dim = spec.head_dim;
    manifest.state_dim = spec.state_dim;
    manifest.key_gates = spec.key_gates;
    manifest.varlen = spec.varlen;
    if (spec.varlen) manifest.format = 2;
    manifest.cache_a = layout_of(spec.keep_a, rows.a, exact_to);
    manifest.cache_b = layout_of(spec.keep_b, rows.b, exact_to);
    if (given) {
      manifest.width_a = counts_a ? RowWidth{*counts_a} : counted_width(rows.a, exact_to);
      manifest.width_b = counts_b ? RowWidth{*counts_b} : counted_width(rows.b, exact_to);
    }
    return std::nullopt;
  }

  std::optional<Error> check_weights(schedule::KernelSpec& spec) const {
    if (spec.by_channel() && (options_.schedule == "staged" || options_.schedule == "tensor")) {
      return Error{
          "gated weights have the simple schedule and for first order a scan: each channel has "
          "coefficients of its own, which no two rows or channels share"};
    }
    if (spec.key_gates && (spec.weights != WeightKind::kLinear || spec.matrix_rows())) {
      return Error{
          "gates for each key are those of linear weights of first order, with A = diagonal and "
          "B = { i - 1 : i >= 2 }"};
    }
    if (spec.weights == WeightKind::kLinear) {
      if (const auto error = check_matrix_state(spec)) return error;
    }
    if (options_.schedule == "scan" && spec.target == ir::Target::kCuda && asked_for("prefill")) {
      const auto plan = schedule::plan_scan(spec, 1, 1, *find_architecture(options_.architecture),
                                            shared_limit());
      if (!plan) return plan.error();
    }
    return std::nullopt;
  }

  std::optional<Error> check_matrix_state(schedule::KernelSpec& spec) const {
    if (spec.page_rows > 0) return Error{"a matrix state is not kept in pages"};
    if (spec.matrix_rows()) {
      if (const auto error = check_matrix_rows(spec)) return error;
    }
    spec.state_dim = options_.state_dim;
    if (spec.state_dim == 0 && pattern_.weights().state != nullptr) {
      const Result<Integer> state = Evaluator(pattern_).evaluate(*pattern_.weights().state, {});
      if (!state) return state.error();
      spec.state_dim = static_cast<int>(state->to_int64().value_or(0));
    }
    if (spec.state_dim < 1 || spec.state_dim > 256) {
      return Error{
          "linear weights need a state of 1..256 rows: the pattern says how many, or --state-dim"};
    }
    return std::nullopt;
  }

  // Of other patterns than first order.
  std::optional<Error> check_matrix_rows(const schedule::KernelSpec& spec) const {
    if (rows::shape_of(spec.a) != rows::RowShape::kItself || spec.b.empty()) {
      return Error{
          "linear weights need A = diagonal and a B with entries: a matrix state takes in its own "
          "token and earlier states"};
    }
    if (spec.varlen || spec.state_gradients) {
      return Error{
          "matrix states of other patterns than B = { i - 1 : i >= 2 } have sequences of one "
          "length, "
          "and backward of whole ones"};
    }
    return std::nullopt;
  }

  // Entries of either side in the last row that sizes are known for, as far as a list should go.
  void limit_lists(schedule::StagedLimits& limits) const {
    constexpr std::int64_t kMost = 1024;
    const MaterializeResult table = materialize(pattern_, options_.exact_to);
    const Rows* const rows = std::get_if<Rows>(&table);
    const auto entries = [&](const RowTable& side) {
      return std::clamp<std::int64_t>(side.size(rows->n()), 1, kMost);
    };
    limits.offsets_a = rows == nullptr ? 1 : entries(rows->a);
    limits.offsets_b = rows == nullptr ? 1 : entries(rows->b);
    limits.listed_rows = rows == nullptr ? 0 : std::min(options_.exact_to, kMost);
  }

  // Decides the schedule of a prefill on cuda; why is part of a remark.
  std::optional<schedule::Choice> choose(schedule::KernelSpec& spec, const std::string& op) {
    spec.staging.reset();
    spec.tensor.reset();
    spec.scan.reset();
    spec.gather.reset();
    if (spec.matrix_rows() && (op != "prefill" || spec.target != ir::Target::kCuda)) {
      if (options_.schedule != "auto" && options_.schedule != "simple") {
        artifact_.remarks.push_back(op +
                                    " has the simple schedule: matrix states have others for "
                                    "first order, and for prefill on cuda only");
      }
      return std::nullopt;
    }
    const bool backward = op == "backward" && spec.target == ir::Target::kCuda;
    if (op != "prefill" && !(backward && has_scan_backward(spec))) {
      if (backward && spec.weights == WeightKind::kLinear) {
        choose_gradients(spec);
      } else if (const auto tiles = backward ? choose_tiles(spec) : std::nullopt) {
        return tiles;
      } else if (backward && schedule::gathers(spec)) {
        choose_gather(spec);
      } else if (backward && options_.schedule == "scan") {
        artifact_.remarks.push_back("backward has the simple schedule: there is no scan of it");
      }
      return std::nullopt;
    }
    if (spec.target != ir::Target::kCuda) {
      if (options_.schedule != "auto" && options_.schedule != "simple") {
        artifact_.remarks.push_back(op + " has the simple schedule: only cuda has another one");
      }
      return std::nullopt;
    }
    const MaterializeResult table = materialize(pattern_, options_.plan_tokens + 1);
    const Rows* const rows = std::get_if<Rows>(&table);
    if (rows == nullptr) {
      artifact_.remarks.push_back(
          op + " has the simple schedule: the rows have no values up to the length planned for");
      return std::nullopt;
    }
    const auto& steps = artifact_.manifest.cache_b.steps;
    schedule::ChooseOptions how;
    how.schedule = options_.schedule;
    how.architecture = find_architecture(options_.architecture);
    how.heads = options_.plan_heads;
    how.tile_rows = options_.tile_rows;
    how.limits.slots = steps.empty() ? 0 : steps.back().second;
    if (options_.schedule != "simple") limit_lists(how.limits);
    how.limits.shared_bytes = shared_limit();
    schedule::Choice choice = schedule::choose_prefill(spec, *rows, how);
    if (op == "prefill") return choice;
    // Backward goes over chunks where prefill does; else there is but one schedule of it.
    spec.staging.reset();
    spec.tensor.reset();
    if (spec.scan) {
      artifact_.remarks.push_back("backward has the scan schedule; " + choice.why);
    } else if (schedule::gathers(spec)) {
      choose_gather(spec);
    }
    return std::nullopt;
  }
  // Of softmax over dense inputs or a window of them: tensor cores wherever they can, however few
  // tokens a row reads.
  std::optional<schedule::Choice> choose_tiles(schedule::KernelSpec& spec) {
    const bool asked_for = options_.schedule == "tensor";
    if ((!asked_for && options_.schedule != "auto") || spec.state_gradients) return std::nullopt;
    const Architecture* const gpu = find_architecture(options_.architecture);
    const std::int64_t tokens = options_.plan_tokens;
    const Result<schedule::AttentionPlan> plan = schedule::plan_attention_back(
        spec, tokens, {gpu, options_.plan_heads, shared_limit(), options_.tile_rows});
    if (!plan) {
      if (asked_for) {
        artifact_.remarks.push_back("backward has no tensor schedule: " + plan.error().message);
      }
      return std::nullopt;
    }
    spec.tensor = plan->split;
    spec.gather = schedule::GatherSplit{16 * plan->split.warps};
    return schedule::Choice{"gather", plan->cost.prediction, plan->cost.tensor_flops,
                            "on tensor cores"};
  }
  // Of rows that reach the same distances back: side by side, wherever shared memory has room for
  // the launch that cannot be.
  void choose_gather(schedule::KernelSpec& spec) {
    if (options_.schedule == "simple") return;
    if (rows::shape_of(spec.b) == rows::RowShape::kShifted) {
      const MaterializeResult table = materialize(pattern_, options_.plan_tokens + 1);
      const Rows* const rows = std::get_if<Rows>(&table);
      schedule::StagedLimits limits;
      limits.shared_bytes = shared_limit();
      const Result<schedule::Staging> staging =
          rows == nullptr ? Error{"the rows have no values up to the length planned for"}
                          : schedule::plan_transposed(spec, *rows, limits);
      if (!staging) {
        artifact_.remarks.push_back("backward has the simple schedule: " + staging.error().message);
        return;
      }
      spec.staging = *staging;
    }
    spec.gather = schedule::GatherSplit{};
    if (schedule::has_windows(spec, shared_limit())) {
      spec.gather = schedule::GatherSplit{schedule::window_tokens(spec), true};
    }
    artifact_.remarks.push_back("backward has the gather schedule: blocks of " +
                                std::to_string(spec.gather->chunk_tokens) +
                                " tokens side by side, but for lambda");
  }
  // Of matrix states: over chunks on tensor cores wherever that is possible.
  void choose_gradients(schedule::KernelSpec& spec) {
    if (options_.schedule == "simple") return;
    const Result<schedule::TensorSplit> split = schedule::plan_gradients(spec, shared_limit());
    if (split) {
      spec.tensor = *split;
      spec.scan = schedule::ScanSplit{schedule::kTensorChunk};
    } else {
      artifact_.remarks.push_back("backward has the simple schedule: " + split.error().message);
    }
  }
  static bool has_scan_backward(const schedule::KernelSpec& spec) {
    const bool by_coefficients =
        spec.weights == WeightKind::kGiven || spec.weights == WeightKind::kGated;
    return spec.first_order && by_coefficients;
  }

  void describe(const schedule::KernelSpec& spec, const schedule::Choice& choice,
                KernelEntry& entry) {
    entry.schedule = choice.schedule;
    // What is predicted is a launch of one sequence that begins with its first token.
    if (!spec.varlen) entry.prediction = choice.prediction;
    if (entry.steps.empty()) describe_shared_memory(spec, entry);
    if (entry.chunk_tokens > 0) artifact_.manifest.format = 3;
    if (options_.schedule == "simple") return;
    std::string remark = entry.op + " has the " + choice.schedule + " schedule";
    const char* separator = " of ";
    for (const SharedRows& rows : entry.shared_rows) {
      remark += separator + std::to_string(rows.most) + " " + rows.size;
      separator = ", ";
    }
    remark += ": for " + std::to_string(choice.prediction.tokens) + " tokens of one head " +
              std::to_string(choice.prediction.bytes) + " bytes and " +
              std::to_string(choice.prediction.flops) + " flops are predicted";
    artifact_.remarks.push_back(remark + (choice.why.empty() ? "" : "; " + choice.why));
  }

  std::optional<Error> add_kernel(schedule::KernelSpec& spec, const std::string& op) {
    const bool cuda = spec.target == ir::Target::kCuda;
    const bool decode = op == "decode";
    spec.symbol = pattern_.name() + "_" + op + (spec.slices > 1 ? "_slices" : "");
    const std::optional<schedule::Choice> choice = choose(spec, op);
    const bool staged = spec.staging || spec.tensor;
    KernelEntry entry;
    if (spec.scan || spec.gather) {
      entry = several_launches(spec, op);
    } else {
      const bool softmax = spec.weights == WeightKind::kSoftmax;
      const char* prelude = spec.tensor && softmax ? "softmax_prelude.cuh"
                            : spec.tensor          ? "tensor_prelude.cuh"
                            : staged               ? "staging_prelude.cuh"
                            : cuda                 ? "device_prelude.cuh"
                            : op == "backward"     ? "cpu_gradients.hpp"
                                                   : "cpu_prelude.hpp";
      entry = one_launch(op == "backward"                      ? schedule::backward(spec)
                         : spec.matrix_rows()                  ? schedule::matrix_rows(spec, decode)
                         : spec.weights == WeightKind::kLinear ? schedule::linear(spec, decode)
                         : decode                              ? schedule::decode(spec)
                                                               : schedule::prefill(spec),
                         spec, op, prelude);
      entry.grid = {"batch", "heads"};
      const int slices = spec.tensor ? spec.tensor->slices : spec.slices;
      if (slices > 1) entry.grid.push_back(std::to_string(slices));
    }
    if (choice) describe(spec, *choice, entry);
    auto& kernels = spec.slices > 1 ? artifact_.manifest.sliced : artifact_.manifest.kernels;
    kernels.push_back(std::move(entry));
    return std::nullopt;
  }

  // The kernel's text into a file of its own, and what the manifest says of it, the grid apart.
  KernelEntry one_launch(ir::Kernel kernel, const schedule::KernelSpec& spec, const std::string& op,
                         const char* prelude, bool own_arguments = false) {
    kernel.summary = summary_of(pattern_, spec, op);
    require_valid(kernel);
    passes::drop_unused_values(kernel);
    if (own_arguments) passes::drop_unused_arguments(kernel);
    require_valid(kernel);
    const std::string file = kernel.symbol + (spec.target == ir::Target::kCuda ? ".cu" : ".cpp");
    std::string text = "// Generated by heddle; pattern " + pattern_.sha256() + ".\n";
    text += std::string("#include \"") + prelude + "\"\n\n";
    text += "using namespace heddle;\n\n" + ir::print(kernel);
    KernelEntry entry;
    entry.op = op;
    entry.symbol = kernel.symbol;
    entry.file = file;
    entry.sha256 = sha256_hex(text);
    entry.threads = kernel.threads;
    entry.shared_bytes = shared_bytes(kernel);
    entry.arguments = kernel.arguments;
    artifact_.files[file] = std::move(text);
    declarations_ += "\n" + ir::print_declaration(kernel);
    return entry;
  }

  KernelEntry several_launches(const schedule::KernelSpec& spec, const std::string& op) {
    KernelEntry all;
    all.op = op;
    all.symbol = spec.symbol;
    all.schedule = spec.gather ? "gather" : "scan";
    all.chunk_tokens = spec.gather ? spec.gather->chunk_tokens : spec.scan->chunk_tokens;
    const bool softmax = spec.weights == WeightKind::kSoftmax;
    for (schedule::Step& step : spec.gather ? schedule::gather_backward(spec)
                                : op == "backward" && spec.tensor
                                    ? schedule::matrix_scan_backward(spec)
                                : op == "backward" ? schedule::scan_backward(spec)
                                : spec.tensor      ? schedule::matrix_scan(spec)
                                                   : schedule::scan(spec)) {
      const char* const prelude = step.schedule == "tensor" && softmax ? "softmax_prelude.cuh"
                                  : step.schedule == "tensor"          ? "tensor_prelude.cuh"
                                  : step.schedule == "staged"          ? "staging_prelude.cuh"
                                                                       : "device_prelude.cuh";
      all.steps.push_back(one_launch(std::move(step.kernel), spec, op, prelude, true));
      KernelEntry& entry = all.steps.back();
      entry.grid = std::move(step.grid);
      entry.schedule = step.schedule.empty() ? all.schedule : step.schedule;
      entry.chunk_tokens = all.chunk_tokens;
      if (!step.shared_rows.empty()) {
        entry.shared_rows = step.shared_rows;
        entry.alignment = step.alignment;
      } else if (!step.schedule.empty()) {
        describe_shared_memory(spec, entry, step.gradients);
      }
      for (const Argument& argument : entry.arguments) {
        const bool known =
            std::any_of(all.arguments.begin(), all.arguments.end(),
                        [&](const Argument& each) { return each.name == argument.name; });
        if (!known) all.arguments.push_back(argument);
      }
    }
    artifact_.manifest.format = 3;
    const std::string fault = fault_of_steps(all);
    assert_that(fault.empty(), fault.c_str());
    return all;
  }

  void add_include(const std::string& file, std::string_view text) {
    artifact_.files[file] = text;
    artifact_.manifest.includes.push_back({file, sha256_hex(text)});
  }

  void add_support_files() {
    if (options_.target == ir::Target::kCuda) {
      add_include("device_prelude.cuh", device_prelude());
      const auto any = [&](const char* schedule) {
        const auto& kernels = artifact_.manifest.kernels;
        return std::any_of(kernels.begin(), kernels.end(), [&](const KernelEntry& entry) {
          const auto launches = launches_of(entry);
          return std::any_of(
              launches.begin(), launches.end(),
              [&](const KernelEntry* const launch) { return launch->schedule == schedule; });
        });
      };
      if (any("staged") || any("tensor")) add_include("staging_prelude.cuh", staging_prelude());
      if (any("tensor")) add_include("tensor_prelude.cuh", tensor_prelude());
      if (any("tensor") && artifact_.manifest.weights == "softmax") {
        add_include("softmax_prelude.cuh", softmax_prelude());
      }
    } else {
      add_include("cpu_prelude.hpp", cpu_prelude());
      if (asked_for("backward")) add_include("cpu_gradients.hpp", cpu_gradients());
      artifact_.files[pattern_.name() + ".hpp"] =
          "// Generated by heddle; pattern " + pattern_.sha256() +
          ".\n// Blocks first_block .. last_block - 1 of batch * heads run in the calling "
          "thread; " +
          "of " + std::to_string(kSlices) +
          " *\n// batch * heads where a kernel works on slices.\n"
          "#pragma once\n\n#include \"cpu_prelude.hpp\"\n\nusing heddle::" +
          (options_.dtype == ElementType::kF16 ? "f16" : "bf16") + ";\n" + declarations_;
      for (const auto& [side, layout] : {std::pair{"a", &artifact_.manifest.cache_a},
                                         std::pair{"b", &artifact_.manifest.cache_b}}) {
        if (layout->retention != CacheRetention::kNextRow) continue;
        artifact_.files[pattern_.name() + ".hpp"] += slots_function(pattern_.name(), side, *layout);
      }
    }
    refresh_manifest(artifact_);
  }

  const Pattern& pattern_;
  const GenerateOptions& options_;
  Artifact artifact_;
  std::string declarations_;
};

}  // namespace

Result<Artifact> generate(const Pattern& pattern, const GenerateOptions& options) {
  return Generator(pattern, options).run();
}

void refresh_manifest(Artifact& artifact) {
  artifact.files["manifest.json"] = to_json(artifact.manifest);
}

}  // namespace heddle
