// SPDX-License-Identifier: Apache-2.0
#include "codegen/make_spec.hpp"

#include "codegen/cache_layout.hpp"
#include "codegen/check_options.hpp"
#include "codegen/rows/row_shape.hpp"
#include "codegen/schedule/scan_plan.hpp"

namespace heddle {
namespace {

bool is_dense(const Pattern& pattern, Side side) {
  return std::holds_alternative<DenseSet>(pattern.set(side)->node);
}

bool is_empty(const Pattern& pattern, Side side) {
  return std::holds_alternative<EmptySet>(pattern.set(side)->node);
}

bool is_diagonal(const Pattern& pattern, Side side) {
  return std::holds_alternative<DiagonalSet>(pattern.set(side)->node);
}

// What schedules ask of the pattern.
void add_shape(schedule::KernelSpec& spec) {
  const Pattern& pattern = spec.pattern;
  spec.first_order = rows::is_first_order(pattern, spec.a, spec.b);
  spec.dense_inputs = is_dense(pattern, Side::kA) && is_empty(pattern, Side::kB);
  spec.dense_outputs = is_diagonal(pattern, Side::kA) && is_dense(pattern, Side::kB);
  spec.dense_sides = is_dense(pattern, Side::kA) && is_dense(pattern, Side::kB);
  spec.shifted_outputs = !spec.dense_outputs && rows::shape_of(spec.a) == rows::RowShape::kItself &&
                         rows::shape_of(spec.b) == rows::RowShape::kShifted;
  spec.lattice_outputs = rows::shape_of(spec.a) == rows::RowShape::kItself &&
                         rows::shape_of(spec.b) == rows::RowShape::kLattice;
  if (spec.b.empty()) spec.input_window = rows::window_of(pattern, spec.a).value_or(0);
}

void add_caches(schedule::KernelSpec& spec) {
  const bool linear = spec.weights == WeightKind::kLinear;
  if (!linear) spec.keep_a = retention_of(spec.pattern, Side::kA);
  if (!linear || spec.matrix_rows()) spec.keep_b = retention_of(spec.pattern, Side::kB);
}

// Of other patterns than first order.
std::optional<Error> check_matrix_rows(const schedule::KernelSpec& spec) {
  if (rows::shape_of(spec.a) != rows::RowShape::kItself || spec.b.empty()) {
    return Error{
        "linear weights need A = diagonal and a B with entries: a matrix state takes in its own "
        "token and earlier states"};
  }
  if (spec.varlen || spec.state_gradients) {
    return Error{
        "matrix states of other patterns than B = { i - 1 : i >= 2 } have sequences of one "
        "length, and backward of whole ones"};
  }
  return std::nullopt;
}

// Rows of a matrix state: the options' or, where they have none, the pattern's.
Result<int> state_rows(const Pattern& pattern, const GenerateOptions& options) {
  std::int64_t rows = options.state_dim;
  if (rows == 0 && pattern.weights().state != nullptr) {
    const Result<Integer> state = Evaluator(pattern).evaluate(*pattern.weights().state, {});
    if (!state) return state.error();
    rows = state->to_int64().value_or(0);
  }
  if (rows < 1 || rows > 256) {
    return Error{
        "linear weights need a state of 1..256 rows: the pattern says how many, or --state-dim"};
  }
  return static_cast<int>(rows);
}

std::optional<Error> check_weights(const schedule::KernelSpec& spec,
                                   const GenerateOptions& options) {
  if (spec.by_channel() && options.schedule == "tensor") {
    return Error{
        "gated weights have no schedule on tensor cores: each channel has coefficients of its own, "
        "which no two rows or channels share"};
  }
  const bool linear = spec.weights == WeightKind::kLinear;
  if (spec.key_gates && (!linear || spec.matrix_rows())) {
    return Error{
        "gates for each key are those of linear weights of first order, with A = diagonal and "
        "B = { i - 1 : i >= 2 }"};
  }
  if (linear && spec.page_rows > 0) return Error{"a matrix state is not kept in pages"};
  return spec.matrix_rows() ? check_matrix_rows(spec) : std::nullopt;
}

std::optional<Error> check_scan(const schedule::KernelSpec& spec, const GenerateOptions& options) {
  if (options.schedule != "scan" || spec.target != ir::Target::kCuda) return std::nullopt;
  if (!asked_for(options, "prefill")) return std::nullopt;
  const auto plan = schedule::plan_scan(spec, 1, 1, *find_architecture(options.architecture),
                                        shared_limit(options));
  if (!plan) return plan.error();
  return std::nullopt;
}

}  // namespace

Result<schedule::KernelSpec> make_spec(const Pattern& pattern, const rows::RowPlan& a,
                                       const rows::RowPlan& b, const GenerateOptions& options) {
  schedule::KernelSpec spec{pattern, a, b};
  spec.weights = options.weights.value_or(pattern.weights().kind);
  spec.target = options.target;
  spec.dtype = options.dtype;
  spec.head_dim = options.head_dim;
  spec.varlen = options.varlen;
  spec.page_rows = options.page_rows;
  spec.state_gradients = options.state_gradients;
  spec.several_tokens = options.several_tokens;
  spec.key_gates = options.key_gates;
  add_shape(spec);
  add_caches(spec);
  if (const auto error = check_weights(spec, options)) return *error;
  if (spec.weights == WeightKind::kLinear) {
    const Result<int> rows = state_rows(pattern, options);
    if (!rows) return rows.error();
    spec.state_dim = *rows;
  }
  if (const auto error = check_scan(spec, options)) return *error;
  return spec;
}

}  // namespace heddle
