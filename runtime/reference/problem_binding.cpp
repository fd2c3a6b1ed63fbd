// SPDX-License-Identifier: Apache-2.0
#include "runtime/reference/problem_binding.hpp"

#include <fmt/format.h>

#include <optional>

namespace heddle {
namespace {

// A gradient is like what it is the gradient of, and yet to be written.
std::optional<HostBuffer> backward_buffer(const std::string& name, const Problem& problem,
                                          const Sizes& sizes) {
  if (name.empty() || name[0] != 'd') return std::nullopt;
  const auto input = problem.inputs.find(name.substr(1));
  if (input == problem.inputs.end()) return std::nullopt;
  HostBuffer buffer = slice_tokens(input->second, sizes.start, sizes.tokens);
  buffer.poison();
  return buffer;
}

std::optional<HostBuffer> buffer_for(const std::string& name, const Problem& problem,
                                     const Sizes& sizes, const HostBuffers& state) {
  if (const auto whole = state.find(name); whole != state.end()) return whole->second;
  if (const auto input = problem.inputs.find(name); input != problem.inputs.end()) {
    return slice_tokens(input->second, sizes.start, sizes.tokens);
  }
  if (name == "y") {
    return HostBuffer(problem.dtype, {sizes.batch, sizes.tokens, sizes.heads, sizes.head_dim});
  }
  for (const std::string_view prefix : {"initial_", "final_", "cache_"}) {
    if (name.rfind(prefix, 0) != 0) continue;
    const auto held = state.find(name.substr(prefix.size()));
    if (held == state.end()) continue;
    HostBuffer buffer = held->second;
    if (prefix == "final_") buffer.poison();
    return buffer;
  }
  return backward_buffer(name, problem, sizes);
}

// Of an entry.
std::int64_t coefficient_bytes(const Problem& problem) {
  return static_cast<std::int64_t>(size_of(problem.inputs.at("coef_b").type())) *
         coefficients_of_entry(problem.weights, problem.sizes.head_dim);
}

}  // namespace

Result<HostBuffers> bind_buffers(const KernelEntry& entry, const Problem& problem,
                                 const Sizes& all_sizes, const HostBuffers& state) {
  const Sizes sizes = all_sizes.in_chunks(entry);
  HostBuffers buffers;
  for (const Argument& argument : entry.arguments) {
    if (argument.kind != ArgumentKind::kBuffer) continue;
    const std::string& name = argument.name;
    std::vector<std::int64_t> shape;
    for (const std::string& extent : argument.shape) {
      const Result<std::int64_t> value = sizes.extent(extent);
      if (!value) return value.error();
      shape.push_back(*value);
    }
    if (name.rfind("scratch_", 0) == 0) {  // what the manifest says, nobody else looks at it
      buffers.emplace(name, HostBuffer(argument.type, std::move(shape)));
      continue;
    }
    std::optional<HostBuffer> buffer = buffer_for(name, problem, sizes, state);
    if (!buffer) return Error{fmt::format("the manifest names an unknown buffer '{}'", name)};
    if (buffer->type() != argument.type) {
      return Error{fmt::format("buffer '{}' is declared {}, where the pattern has {}", name,
                               name_of(argument.type), name_of(buffer->type()))};
    }
    if (shape != buffer->shape()) {
      return Error{fmt::format("buffer '{}' is declared with another shape", name)};
    }
    // Nothing came before the first token: the initial state is a null pointer, and its gradient.
    const bool initial = name.rfind("initial_", 0) == 0 || name.rfind("dinitial_", 0) == 0;
    if (sizes.start == 0 && initial) continue;
    buffers.emplace(name, *std::move(buffer));
  }
  const char* output = entry.op == "backward" ? "dx" : "y";
  if (buffers.count(output) == 0) return Error{fmt::format("the manifest names no '{}'", output)};
  return buffers;
}

DefinitionWork definition_work(const Problem& problem, const Rows& rows, const Sizes& sizes,
                               bool decode) {
  std::int64_t entries = 0, outputs = 0;
  for (std::int64_t i = sizes.start + 1; i <= sizes.start + sizes.tokens; ++i) {
    outputs += rows.b.size(i);
    entries += rows.a.size(i) + rows.b.size(i);
  }
  const auto s = static_cast<std::int64_t>(size_of(problem.dtype));
  const std::int64_t d = sizes.head_dim;
  const std::int64_t n = sizes.tokens;
  const std::int64_t heads = sizes.batch * sizes.heads;
  switch (problem.weights) {
    case WeightMode::kSoftmax:
      return {heads * d * s * (decode ? 2 * entries + 4 : 4 * n), heads * 4 * d * entries};
    case WeightMode::kGiven:
    case WeightMode::kGated: {
      const std::int64_t coefficient = coefficient_bytes(problem);
      const std::int64_t vectors = decode ? entries + 2 : 2 * n;
      return {heads * (vectors * d * s + entries * coefficient), heads * 2 * d * entries};
    }
    case WeightMode::kLinear: {
      const std::int64_t state = 4 * sizes.state_dim * d;
      const std::int64_t tokens = n * (2 * (sizes.state_dim + d) * s + 4 * sizes.gates());
      return {heads * (tokens + (decode ? 2 : 1) * state), heads * n * 5 * sizes.state_dim * d};
    }
    case WeightMode::kMatrix: {
      const std::int64_t state = sizes.state_dim * d;
      const std::int64_t tokens = n * 2 * (sizes.state_dim + d) * s;
      const std::int64_t held = decode ? (outputs + n) * 4 * state : 0;
      return {heads * (tokens + outputs * coefficient_bytes(problem) + held),
              heads * 2 * state * (outputs + 2 * n)};
    }
  }
  unreachable("weights");
}

DefinitionWork backward_work(const Problem& problem, const Rows& rows, const Sizes& sizes) {
  std::int64_t entries = 0, outputs = 0;
  for (std::int64_t i = sizes.start + 1; i <= sizes.start + sizes.tokens; ++i) {
    outputs += rows.b.size(i);
    entries += rows.a.size(i) + rows.b.size(i);
  }
  const auto s = static_cast<std::int64_t>(size_of(problem.dtype));
  const std::int64_t d = sizes.head_dim;
  const std::int64_t n = sizes.tokens;
  const std::int64_t heads = sizes.batch * sizes.heads;
  switch (problem.weights) {
    case WeightMode::kSoftmax:
      return {heads * 8 * n * d * s, heads * 10 * d * entries};
    case WeightMode::kGiven:
    case WeightMode::kGated: {
      const std::int64_t coefficient = coefficient_bytes(problem);
      return {heads * (4 * n * d * s + 2 * entries * coefficient), heads * 4 * d * entries};
    }
    case WeightMode::kLinear: {
      const std::int64_t tokens = n * ((4 * sizes.state_dim + 3 * d) * s + 8 * sizes.gates());
      return {heads * tokens, heads * n * 14 * sizes.state_dim * d};
    }
    case WeightMode::kMatrix: {
      const std::int64_t coefficients = 2 * outputs * coefficient_bytes(problem);
      return {heads * (n * (4 * sizes.state_dim + 3 * d) * s + coefficients),
              heads * 2 * sizes.state_dim * d * (3 * outputs + 5 * n)};
    }
  }
  unreachable("weights");
}

}  // namespace heddle
