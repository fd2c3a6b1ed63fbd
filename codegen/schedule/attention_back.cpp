// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/attention_back.hpp"

#include <algorithm>

namespace heddle::schedule {
namespace {

constexpr std::int64_t kFlopsOfProduct = 2 * 16 * 16 * 8;
constexpr std::int64_t kRowsOfWarp = 16;      // of a warp
constexpr std::int64_t kLanesOfRow = 4;       // lanes that each do what they need of a row
constexpr std::int64_t kStatisticBytes = 12;  // bytes of a row's statistics

std::int64_t element_of(const KernelSpec& spec) {
  return static_cast<std::int64_t>(size_of(spec.dtype));
}

// Of a warp's rows and `columns` others: products of two matrices of channels, and products with
// one or two of weights.
std::int64_t products_of(const KernelSpec& spec, std::int64_t columns, std::int64_t sums) {
  const std::int64_t dim = spec.head_dim;
  return (2 * (columns / 8) * (dim / 16) + sums * (columns / 16) * (dim / 8)) * kFlopsOfProduct;
}

struct LaunchCost {
  Cost cost;
  std::int64_t heaviest = 0;  // tensor flops of the chunk with the most
};

void add(LaunchCost& all, std::int64_t products, std::int64_t others, std::int64_t bytes) {
  all.cost.tensor_flops += products;
  all.cost.prediction.flops += products + others;
  all.cost.prediction.bytes += bytes;
  all.heaviest = std::max(all.heaviest, products);
}

// How far before itself a row reads, where it has a first token to stop at.
std::int64_t reach_of(const KernelSpec& spec, std::int64_t tokens) {
  return spec.input_window > 0 ? spec.input_window - 1 : tokens;
}

LaunchCost rows_cost(const KernelSpec& spec, std::int64_t tokens) {
  const std::int64_t dim = spec.head_dim, chunk = AttentionBackLayout(spec).rows;
  const std::int64_t reach = reach_of(spec, tokens), row = dim * element_of(spec);
  const auto first_window = [&](std::int64_t token) {
    return std::max<std::int64_t>(token - reach, 0) / kTensorChunk;
  };
  // Of each score its scale, its distance to the highest one, its place in the total, the distance
  // of its change to the mean and the product of both; what was summed before shrinks.
  const std::int64_t of_window =
      5 * kRowsOfWarp * kTensorChunk + 2 * kLanesOfRow * kRowsOfWarp + kRowsOfWarp * dim;
  // Of a row its mean, the sums of its mean and total, the total's inverse and what it is scaled
  // by.
  const std::int64_t of_row = 2 * dim + 2 * 2 * kLanesOfRow + 2 * kLanesOfRow + dim;
  LaunchCost all;
  for (std::int64_t first = 0; first < tokens; first += chunk) {
    const std::int64_t end = std::min(first + chunk, tokens);
    std::int64_t windows = 0;  // of all warps
    for (std::int64_t own = first; own < end; own += kRowsOfWarp) {
      windows += own / kTensorChunk - first_window(own) + 1;
    }
    const std::int64_t read = end - first_window(first) * kTensorChunk;
    add(all, windows * products_of(spec, kTensorChunk, 1), windows * of_window + chunk * of_row,
        (4 * row + kStatisticBytes) * (end - first) + 2 * row * read);
  }
  return all;
}

LaunchCost columns_cost(const KernelSpec& spec, std::int64_t tokens) {
  const std::int64_t dim = spec.head_dim, chunk = AttentionBackLayout(spec).rows;
  const std::int64_t reach = reach_of(spec, tokens), row = dim * element_of(spec);
  const std::int64_t columns = columns_at_once(spec);
  LaunchCost all;
  for (std::int64_t first = 0; first < tokens; first += chunk) {
    const std::int64_t size = std::min(chunk, tokens - first);
    const std::int64_t end = std::min(first + size + reach, tokens);
    const std::int64_t brought =
        std::min((end - first + kTensorChunk - 1) / kTensorChunk * kTensorChunk, tokens - first);
    const std::int64_t taken = (end - first + kTensorChunk - 1) / kTensorChunk * kTensorChunk;
    std::int64_t steps = 0;  // of all warps
    for (std::int64_t own = 0; own < size; own += kRowsOfWarp) {
      for (std::int64_t column = 0; column < taken; column += columns) {
        if (own < column + columns && own + 15 + reach >= column) ++steps;
      }
    }
    // Of each score its scale, its distance to the highest one and what it is divided by, the
    // distance of its change to the mean and the product of both.
    add(all, steps * products_of(spec, columns, 2), steps * 5 * kRowsOfWarp * columns + chunk * dim,
        4 * row * size + (2 * row + kStatisticBytes) * brought);
  }
  return all;
}

// As if the multiprocessors shared the work, but no sooner than one of them is done with the
// heaviest chunk.
double microseconds_of(const KernelSpec& spec, const LaunchCost& launch, std::int64_t tokens,
                       const TileLimits& limits) {
  const Cost& cost = launch.cost;
  const std::int64_t floor = 6 * tokens * spec.head_dim * element_of(spec);
  const double alone = static_cast<double>(launch.heaviest) /
                       static_cast<double>(cost.tensor_flops) *
                       limits.architecture->multiprocessors;
  return limits.architecture->microseconds(floor, cost.prediction.bytes,
                                           cost.prediction.flops - cost.tensor_flops,
                                           cost.tensor_flops) *
         std::max(static_cast<double>(limits.heads), alone);
}

}  // namespace

AttentionBackLayout::AttentionBackLayout(const KernelSpec& spec)
    : rows(16 * spec.tensor->warps),
      stride(spec.head_dim + 8),
      seconds_at(rows * stride),
      windows_at(2 * seconds_at),
      window(kTensorChunk * stride) {
  bytes = (windows_at + 2 * kStages * window) * element_of(spec);
}

std::vector<Step> attention_backward(const KernelSpec& spec) {
  const std::vector<std::string> grid = {"batch", "heads", "chunks"};
  return {{attention_back_rows(spec), grid, "tensor", true},
          {attention_back_columns(spec), grid, "tensor", true}};
}

Result<AttentionPlan> plan_attention_back(KernelSpec spec, std::int64_t tokens,
                                          const TileLimits& limits) {
  if ((!spec.dense_inputs && spec.input_window == 0) || spec.weights != WeightKind::kSoftmax) {
    return Error{"tensor cores have the gradients of A = dense or a window with B = none"};
  }
  if (spec.dtype != ElementType::kBF16 && spec.dtype != ElementType::kF16) {
    return Error{"tensor cores sum products of bf16 and f16 only"};
  }
  if (spec.head_dim != 32 && spec.head_dim != 64 && spec.head_dim != 128) {
    return Error{"gradients of attention on tensor cores are for 32, 64 or 128 channels a head"};
  }

  std::optional<AttentionPlan> best;
  double shortest = 0;
  for (const int warps : {4, 8}) {
    const bool one_of_these = limits.rows == 64 || limits.rows == 128;
    if (one_of_these && limits.rows != 16 * warps) continue;
    spec.tensor = TensorSplit{warps};
    // Beside what is dynamic, the rows' launch has two numbers of each thread.
    const std::int64_t statistics = kStatisticBytes * 64 * warps;
    if (AttentionBackLayout(spec).bytes + statistics > limits.shared_bytes) continue;
    const LaunchCost rows = rows_cost(spec, tokens), columns = columns_cost(spec, tokens);
    const double time = microseconds_of(spec, rows, tokens, limits) +
                        microseconds_of(spec, columns, tokens, limits);
    if (best && time >= shortest) continue;
    Cost cost;
    cost.prediction.tokens = tokens;
    cost.prediction.bytes = rows.cost.prediction.bytes + columns.cost.prediction.bytes;
    cost.prediction.flops = rows.cost.prediction.flops + columns.cost.prediction.flops;
    cost.tensor_flops = rows.cost.tensor_flops + columns.cost.tensor_flops;
    best = AttentionPlan{*spec.tensor, cost};
    shortest = time;
  }
  if (best) return *best;
  return Error{"two windows of both and a chunk of rows do not fit into a block"};
}

}  // namespace heddle::schedule
