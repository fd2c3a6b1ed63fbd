// SPDX-License-Identifier: Apache-2.0
#include "tests/counters/counters.hpp"

#include <algorithm>

#include "patterns/builtin_patterns.hpp"
#include "patterns/parser.hpp"
#include "patterns/pattern.hpp"
#include "runtime/reference/problem_binding.hpp"
#include "runtime/verify/session.hpp"

namespace heddle::counting {
namespace {

WeightMode mode_of(const Manifest& manifest) {
  const Result<WeightMode> mode = weight_mode_of(manifest);
  assert_that(mode.ok(), "an artifact of heddle's");
  return *mode;
}

// Any numbers do: what is counted does not depend on them, but for how often a maximum rises.
FieldBuffers field_buffers(const HostBuffers& buffers) {
  RandomSource random(7);
  FieldBuffers result;
  for (const auto& [name, buffer] : buffers) {
    FieldBuffer& one = result[name];
    one.integers = buffer.type() == ElementType::kI32;
    const auto count = static_cast<std::size_t>(buffer.count());
    if (one.integers) {
      one.positions.assign(count, 0);
      continue;
    }
    for (std::size_t e = 0; e < count; ++e) {
      one.numbers.push_back({static_cast<std::uint64_t>(random.below(1 << 30)) + 1,
                             static_cast<std::uint64_t>(random.below(1 << 30)) + 1});
    }
  }
  return result;
}

}  // namespace

Result<Pattern> builtin(std::string_view name) {
  const BuiltinPattern* const found = find_builtin(name);
  if (found == nullptr) return Error{"there is no such pattern"};
  Diagnostics diagnostics;
  std::vector<PatternSyntax> patterns = parse(source_of(*found), diagnostics);
  if (patterns.size() != 1) return Error{"a built-in pattern does not parse"};
  std::optional<Pattern> pattern = resolve(std::move(patterns.front()), {}, diagnostics);
  if (!pattern) return Error{"a built-in pattern does not resolve"};
  return *std::move(pattern);
}

Result<Prepared> prepare(const Pattern& pattern, const GenerateOptions& options,
                         std::int64_t tokens) {
  Result<Artifact> artifact = generate(pattern, options);
  if (!artifact) return artifact.error();
  const Manifest& manifest = artifact->manifest;
  MaterializeResult table = materialize(pattern, tokens + 1);
  if (!std::holds_alternative<Rows>(table)) return Error{"the rows have no values"};
  const Rows& rows = std::get<Rows>(table);

  ProblemOptions problem_options;
  problem_options.weights = mode_of(manifest);
  problem_options.dtype = problem_options.coefficient_dtype = options.dtype;
  problem_options.sizes = {.tokens = tokens,
                           .head_dim = manifest.head_dim,
                           .state_dim = manifest.state_dim,
                           .key_gates = manifest.key_gates};
  set_columns(problem_options.sizes, manifest);
  Problem problem = make_problem(problem_options, rows);
  const StateSource source{problem, rows, manifest.cache_a, manifest.cache_b, {}, {}};
  HostBuffers state;
  if (problem.weights != WeightMode::kLinear) {
    Result<HostBuffers> made = make_state(source, 0, 0, 0, 1);
    if (!made) return made.error();
    state = *std::move(made);
  } else {
    state.emplace("state",
                  HostBuffer(ElementType::kF32, {1, 1, manifest.state_dim, manifest.head_dim}));
  }
  if (manifest.kernels.front().op == "backward") {
    for (const char* given : {"y", "dy"}) problem.inputs.emplace(given, problem.inputs.at("x"));
  }
  Result<HostBuffers> buffers =
      bind_buffers(manifest.kernels.front(), problem, problem.sizes, state);
  if (!buffers) return buffers.error();
  const std::int64_t expected =
      launch_work(rows, problem.sizes, problem.weights, 0, tokens) * 4 + 100'000'000;
  return Prepared{*std::move(artifact), std::get<Rows>(std::move(table)), std::move(problem),
                  *std::move(buffers), expected};
}

Result<Count> count(const Pattern& pattern, const GenerateOptions& options, std::int64_t tokens,
                    bool flops) {
  Result<Prepared> prepared = prepare(pattern, options, tokens);
  if (!prepared) return prepared.error();
  const Manifest& manifest = prepared->artifact.manifest;
  const Problem& problem = prepared->problem;
  Count result;
  result.kernel = prepared->kernel();
  const DefinitionWork work = result.kernel.op == "backward"
                                  ? backward_work(problem, prepared->rows, problem.sizes)
                                  : definition_work(problem, prepared->rows, problem.sizes, false);
  result.minimum_bytes = work.bytes;
  result.definition_flops = work.flops;
  if (flops) {
    const auto kernel =
        KernelUnderTest::build(manifest, result.kernel, prepared->artifact.files, Numbers::kField);
    if (!kernel) return kernel.error();
    FieldBuffers numbers = field_buffers(prepared->buffers);
    const auto outcome =
        kernel->launch(FieldLaunchRequest{.sizes = problem.sizes,
                                          .scale = {3, 3},
                                          .gamma = {5, 5},
                                          .buffers = &numbers,
                                          .expected_work = prepared->expected_work});
    if (!outcome) return outcome.error();
    result.flops = outcome->counters.additions + outcome->counters.multiplications +
                   outcome->counters.divisions;
  }
  const auto kernel = KernelUnderTest::build(manifest, result.kernel, prepared->artifact.files);
  if (!kernel) return kernel.error();
  const auto outcome = kernel->launch(LaunchRequest{.sizes = problem.sizes,
                                                    .scale = problem.scale,
                                                    .buffers = &prepared->buffers,
                                                    .expected_work = prepared->expected_work,
                                                    .count_requests = true});
  if (!outcome) return outcome.error();
  result.counters = outcome->counters;
  result.findings = outcome->findings;
  return result;
}

}  // namespace heddle::counting
