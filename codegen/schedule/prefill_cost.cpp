// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/prefill_cost.hpp"

#include <algorithm>
#include <cmath>

namespace heddle::schedule {
namespace {

std::int64_t bytes_of(const KernelSpec& spec) {
  return static_cast<std::int64_t>(size_of(spec.dtype));
}

// One thread a channel: each asks for every q, k and gate of the token.
Cost simple_linear_cost(const KernelSpec& spec, std::int64_t tokens) {
  const std::int64_t threads = spec.head_dim, rows = spec.state_dim, element = bytes_of(spec);
  Cost cost;
  cost.prediction.tokens = tokens;
  cost.prediction.bytes =
      threads * (tokens * (4 * spec.gates() + 2 * rows * element + 2 * element) + rows * 4);
  cost.prediction.flops = threads * tokens * rows * 5;
  return cost;
}

// A thread has channels, and asks for every q, k and coefficient of the token.
Cost simple_matrix_cost(const KernelSpec& spec, const Rows& rows) {
  const std::int64_t tokens = rows.n() - 1, entries = entries_of(rows) - tokens;
  const std::int64_t dim = spec.head_dim, depth = spec.state_dim, element = bytes_of(spec);
  constexpr std::int64_t kThreads = 128;
  Cost cost;
  cost.prediction.tokens = tokens;
  cost.prediction.bytes = tokens * (2 * kThreads * depth + (depth + 1) * dim) * element +
                          entries * kThreads * element + (tokens + entries) * 4 * depth * dim;
  cost.prediction.flops = (3 * tokens + 2 * entries) * depth * dim;
  return cost;
}

// A channel is one thread's: it asks for each entry's coefficient and value once.
Cost simple_gated_cost(const KernelSpec& spec, const Rows& rows) {
  const std::int64_t entries = entries_of(rows);
  Cost cost;
  cost.prediction.tokens = rows.n() - 1;
  cost.prediction.bytes = (cost.prediction.tokens + 2 * entries) * spec.head_dim * bytes_of(spec);
  cost.prediction.flops = 2 * entries * spec.head_dim;
  return cost;
}

}  // namespace

Reach reach_of(const RowTable& table, std::int64_t tokens, std::int64_t chunk) {
  Reach reach;
  reach.entries.resize(static_cast<std::size_t>(tokens) + 1);
  for (std::int64_t i = 1; i <= tokens; ++i) {
    const std::int64_t first = (i - 1) / chunk * chunk;
    std::int64_t nearest = i;
    for_each_position(table, i, [&](std::int64_t p) {
      ++reach.entries[static_cast<std::size_t>(std::max<std::int64_t>(first + 1 - p, 0))];
      if (p > first) nearest = std::min(nearest, p);
    });
    reach.near_steps += i - nearest;
    reach.total += table.size(i);
  }
  return reach;
}

std::int64_t entries_of(const Rows& rows) {
  return rows.a.total() - rows.a.size(rows.n()) + rows.b.total() - rows.b.size(rows.n());
}

std::int64_t minimum_bytes(const KernelSpec& spec, const Rows& rows) {
  const std::int64_t tokens = rows.n() - 1, element = bytes_of(spec);
  const std::int64_t row = spec.head_dim * element;
  if (spec.matrix_rows()) {
    return tokens * 2 * (row + spec.state_dim * element) + (entries_of(rows) - tokens) * element;
  }
  if (spec.weights == WeightKind::kLinear) {
    return tokens * (2 * row + 2 * spec.state_dim * element + 4 * spec.gates()) +
           std::int64_t{4} * spec.state_dim * spec.head_dim;
  }
  const std::int64_t values = (spec.a.empty() ? 1 : 2) * tokens * row;
  const std::int64_t coefficients = spec.by_channel() ? row : element;  // of an entry
  return spec.weights == WeightKind::kSoftmax ? values + 2 * tokens * row
                                              : values + entries_of(rows) * coefficients;
}

std::int64_t mixing_flops(const KernelSpec& spec, const Rows& rows, const Mixing& how) {
  const std::int64_t tokens = rows.n() - 1, dim = spec.head_dim;
  const std::int64_t entries = entries_of(rows);
  const std::int64_t inputs = rows.a.total() - rows.a.size(rows.n());
  const std::int64_t lanes = how.sharing;
  std::int64_t sum = 0;  // over them
  for (std::int64_t half = lanes / 2; half > 0; half /= 2) sum += lanes;
  std::int64_t total = (entries - how.near) * 2 * dim + 2 * dim * how.near_steps;
  if (spec.weights != WeightKind::kSoftmax) return total + (how.warp_asks ? entries * sum : 0);
  const bool mixed = !spec.a.empty() && !spec.b.empty();  // a factor for each side
  // The score's products, their sum and scale, its distance to the highest one, its place in the
  // total.
  total += entries * (2 * dim + sum + 3 * lanes) + (mixed ? (entries + inputs) * lanes : 0);
  // Of m scores in no order the highest rises 1 + 1/2 + ... + 1/m times: what was summed before
  // is then scaled.
  double rises = 0;
  std::vector<double> harmonic{0.0};
  for (std::int64_t i = 1; i <= tokens; ++i) {
    const auto size = static_cast<std::size_t>(rows.a.size(i) + rows.b.size(i));
    while (harmonic.size() <= size) {
      harmonic.push_back(harmonic.back() + 1.0 / static_cast<double>(harmonic.size()));
    }
    rises += harmonic[size];
  }
  total += std::llround(rises * static_cast<double>(2 * lanes + dim));
  // The sum's inverse, the row and the weights of the chunk's own entries divided by it.
  return total + tokens * (lanes + dim) + how.weighed * (mixed ? 4 : 3);
}

Cost simple_cost(const KernelSpec& spec, const Rows& rows) {
  const std::int64_t tokens = rows.n() - 1;
  if (spec.matrix_rows()) return simple_matrix_cost(spec, rows);
  if (spec.weights == WeightKind::kLinear) return simple_linear_cost(spec, tokens);
  const std::int64_t row = spec.head_dim * bytes_of(spec);
  if (spec.by_channel()) return simple_gated_cost(spec, rows);
  const bool keyed = spec.weights == WeightKind::kSoftmax;
  const Reach reach = spec.b.empty() ? Reach{{0}} : reach_of(rows.b, tokens, kSimpleChunk);
  // Phase 2 goes through the whole triangle of a chunk.
  const std::int64_t last = tokens % kSimpleChunk;
  const std::int64_t steps =
      tokens / kSimpleChunk * (kSimpleChunk * (kSimpleChunk - 1) / 2) + last * (last - 1) / 2;
  const std::int64_t entries = entries_of(rows);
  Cost cost;
  cost.prediction.tokens = tokens;
  // The query and the result, each entry's key and, where it is final, its value; a coefficient is
  // asked for by every lane.
  cost.prediction.bytes = tokens * row * (keyed ? 2 : 1) + (entries - reach.near()) * row +
                          entries * (keyed ? row : 32 * bytes_of(spec));
  Mixing how;
  how.near = how.weighed = reach.near();
  how.near_steps = spec.b.empty() ? 0 : steps;
  cost.prediction.flops = mixing_flops(spec, rows, how);
  return cost;
}

}  // namespace heddle::schedule
