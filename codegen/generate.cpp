// SPDX-License-Identifier: Apache-2.0
#include "codegen/generate.hpp"

#include <algorithm>

#include "codegen/cache_layout.hpp"
#include "codegen/check_options.hpp"
#include "codegen/choose_schedule.hpp"
#include "codegen/ir/print.hpp"
#include "codegen/ir/validate.hpp"
#include "codegen/make_spec.hpp"
#include "codegen/passes/drop_unused_values.hpp"
#include "codegen/prelude/prelude.hpp"
#include "codegen/rows/row_plan.hpp"
#include "codegen/rows/width.hpp"
#include "codegen/schedule/gather_backward.hpp"
#include "codegen/schedule/kernel_spec.hpp"
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

Error outside(const RowViolation& violation) {
  return Error{std::string("row ") + std::to_string(violation.row) + " of " +
               (violation.side == Side::kA ? "A" : "B") + " reads position " +
               violation.position.to_string() + ", which lies outside its range"};
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

// What a kernel for cuda includes, by its schedule.
const char* cuda_prelude(const std::string& schedule, const schedule::KernelSpec& spec) {
  if (schedule == "staged") return "staging_prelude.cuh";
  if (schedule != "tensor") return "device_prelude.cuh";
  return spec.weights == WeightKind::kSoftmax ? "softmax_prelude.cuh" : "tensor_prelude.cuh";
}

const char* prelude_of(const schedule::KernelSpec& spec, const std::string& op) {
  if (spec.target == ir::Target::kCuda) {
    return cuda_prelude(spec.tensor ? "tensor" : spec.staging ? "staged" : "simple", spec);
  }
  return op == "backward" ? "cpu_gradients.hpp" : "cpu_prelude.hpp";
}

ir::Kernel kernel_of(const schedule::KernelSpec& spec, const std::string& op) {
  const bool decode = op == "decode";
  if (op == "backward") return schedule::backward(spec);
  if (spec.matrix_rows()) return schedule::matrix_rows(spec, decode);
  if (spec.weights == WeightKind::kLinear) return schedule::linear(spec, decode);
  return decode ? schedule::decode(spec) : schedule::prefill(spec);
}

std::vector<schedule::Step> steps_of(const schedule::KernelSpec& spec, const std::string& op) {
  if (spec.gather) return schedule::gather_backward(spec);
  if (op == "backward") {
    return spec.tensor ? schedule::matrix_scan_backward(spec) : schedule::scan_backward(spec);
  }
  return spec.tensor ? schedule::matrix_scan(spec) : schedule::scan(spec);
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
    Result<schedule::KernelSpec> made = make_spec(pattern_, *a, *b, options_);
    if (!made) return made.error();
    schedule::KernelSpec spec = *made;
    if (const auto error = fill_manifest(spec)) return *error;
    for (const std::string& op : options_.ops) {
      add_kernel(spec, op);
      // Softmax scores need all channels of a head.
      if (op == "prefill" && spec.target == ir::Target::kCpu &&
          spec.weights == WeightKind::kGiven && schedule::can_slice(spec.head_dim, kSlices)) {
        spec.slices = kSlices;
        add_kernel(spec, op);
        spec.slices = 1;
      }
    }
    add_support_files();
    return std::move(artifact_);
  }

 private:
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
    spec.long_rows = rows.b.size(std::min(rows.n(), kInspectedRows)) >= kLongRow;
    Manifest& manifest = artifact_.manifest;
    manifest.pattern = pattern_.name();
    manifest.source_sha256 = pattern_.sha256();
    manifest.causality = options_.causality;
    manifest.causality_rows = options_.causality_rows;
    manifest.target = ir::name_of(spec.target);
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

  void add_kernel(schedule::KernelSpec& spec, const std::string& op) {
    spec.symbol = pattern_.name() + "_" + op + (spec.slices > 1 ? "_slices" : "");
    const auto& steps = artifact_.manifest.cache_b.steps;
    const std::int64_t slots = steps.empty() ? 0 : steps.back().second;
    const std::optional<schedule::Choice> choice =
        choose_schedule(spec, op, options_, slots, artifact_.remarks);
    KernelEntry entry = spec.scan || spec.gather ? several_launches(spec, op) : whole(spec, op);
    if (choice) describe(spec, *choice, entry);
    auto& kernels = spec.slices > 1 ? artifact_.manifest.sliced : artifact_.manifest.kernels;
    kernels.push_back(std::move(entry));
  }

  // One launch with a block for each head, or for each slice of one.
  KernelEntry whole(const schedule::KernelSpec& spec, const std::string& op) {
    KernelEntry entry = one_launch(kernel_of(spec, op), spec, op, prelude_of(spec, op));
    entry.grid = {"batch", "heads"};
    const int slices = spec.tensor ? spec.tensor->slices : spec.slices;
    if (slices > 1) entry.grid.push_back(std::to_string(slices));
    return entry;
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
    for (schedule::Step& step : steps_of(spec, op)) {
      all.steps.push_back(
          one_launch(std::move(step.kernel), spec, op, cuda_prelude(step.schedule, spec), true));
      KernelEntry& entry = all.steps.back();
      entry.grid = std::move(step.grid);
      entry.schedule = step.schedule.empty() ? all.schedule : step.schedule;
      entry.chunk_tokens = all.chunk_tokens;
      if (step.alignment > 0) {
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
      if (asked_for(options_, "backward")) add_include("cpu_gradients.hpp", cpu_gradients());
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
