// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/lattice_plan.hpp"

#include <algorithm>

#include "codegen/schedule/tensor_solve.hpp"
#include "patterns/expression.hpp"

namespace heddle::schedule {
namespace {

// Beside the chunk's own rows, so that each thread that lists has two columns.
constexpr std::int64_t kMostListed = 3 * kTensorChunk;

// As many as there are of few; of more, with wide heads, one for each thread that lists, which has
// no registers for two.
std::int64_t listed_at_once(const KernelSpec& spec) {
  const int columns = std::max(spec.tensor->columns, spec.tensor->kept);
  const bool one_each = columns < kTensorChunk || (spec.head_dim > 64 && columns == kTensorChunk);
  return one_each ? kTensorChunk : kMostListed;
}

// Of the last row, positions that several terms lead to counted as often.
std::int64_t terms_of(const KernelSpec& spec, std::int64_t tokens) {
  const auto& lattice = std::get<rows::LatticeLeaf>(spec.b.leaves.front());
  const Evaluator evaluator(spec.pattern);
  for (std::int64_t terms = 0;; ++terms) {
    const Result<Integer> next = evaluator.call(lattice.function, terms);
    if (!next || *next >= Integer(tokens)) return terms;
  }
}

// Of chunks of whole rows, of which the last ones need not exist.
Cost lattice_cost(const KernelSpec& spec, std::int64_t tokens) {
  const LatticeLayout layout(spec);
  const std::int64_t dim = spec.head_dim, rows = layout.rows, columns = layout.columns;
  const auto element = static_cast<std::int64_t>(size_of(spec.dtype));
  constexpr std::int64_t kProduct = 2 * 16 * 16 * 8;
  constexpr std::int64_t kTogether = 16;
  // Lanes that share a row each do what they need of it.
  constexpr std::int64_t kShared = 4;
  const std::int64_t warps = rows / kTogether;
  const auto score = [&](std::int64_t width) {
    return warps * (width / 8) * (dim / 16) * kProduct;
  };
  const std::int64_t add = dim / 8 * kProduct;  // sixteen rows by sixteen
  // Of each score its scale, its distance to the highest one and its place in the total; what was
  // summed before shrinks.
  const auto weigh = [&](std::int64_t width) {
    return 3 * rows * width + 2 * kShared * rows + rows * dim;
  };
  // The rows' own scores besides: both factors, the rows' totals, and what is divided by them.
  const std::int64_t own = weigh(rows) + 2 * rows * rows + 8 * kShared * rows + 2 * rows * dim;
  const std::int64_t solve = warps * dim * (2 * kTogether + kTogether * (kTogether - 1));
  const std::int64_t terms = std::max<std::int64_t>(terms_of(spec, tokens), 1);
  const std::int64_t windows = (terms + columns - 1) / columns;
  const std::int64_t brought = std::max<std::int64_t>(windows - layout.kept / columns, 0);
  const std::int64_t chunks = (tokens + rows - 1) / rows;
  Cost cost;
  cost.prediction.tokens = tokens;
  cost.tensor_flops = chunks * (score(rows) + warps * (warps - 1) / 2 * add +
                                windows * (score(columns) + warps * columns / kTogether * add));
  cost.prediction.flops = cost.tensor_flops + chunks * (own + solve + windows * weigh(columns));
  cost.prediction.bytes = (4 * tokens + chunks * brought * 2 * columns) * dim * element;
  return cost;
}

}  // namespace

LatticeLayout::LatticeLayout(const KernelSpec& spec)
    : rows(kTensorChunk),
      columns(spec.tensor->columns),
      kept(spec.tensor->kept),
      listed(listed_at_once(spec)),
      stride(spec.head_dim + 8),
      own(3 * rows * stride),
      window(columns * stride),
      side(kept * stride),
      keys_at(rows * stride),
      values_at(2 * keys_at),
      window_keys_at(2 * own),
      window_values_at(window_keys_at + kStages * window),
      kept_at(window_values_at + kStages * window) {
  const std::int64_t lists = 8 * (rows + 2 * listed + 3 * kept);
  bytes = (kept_at + 4 * side) * static_cast<std::int64_t>(size_of(spec.dtype)) + lists +
          TensorSolve::bytes_of(spec.head_dim);
}

Result<LatticePlan> plan_lattice(KernelSpec spec, const Rows& rows, const TileLimits& limits) {
  if (!spec.lattice_outputs || spec.weights != WeightKind::kSoftmax) {
    return Error{"tensor cores take A = diagonal, B = lattice(f) and softmax weights"};
  }
  if (spec.dtype != ElementType::kBF16 && spec.dtype != ElementType::kF16) {
    return Error{"tensor cores sum products of bf16 and f16 only"};
  }
  if (spec.head_dim != 64 && spec.head_dim != 128) {
    return Error{"lattices on tensor cores are for 64 or 128 channels a head"};
  }
  if (limits.rows != 0 && limits.rows != kTensorChunk) {
    return Error{"a chunk of a lattice on tensor cores has 64 rows"};
  }
  const std::int64_t tokens = rows.n() - 1;
  const std::int64_t terms = terms_of(spec, tokens);
  spec.tensor = TensorSplit{kTensorChunk / 16};
  const int wide = terms <= 16 ? 16 : terms <= 32 ? 32 : kTensorChunk;
  const auto wanted = static_cast<int>(std::clamp<std::int64_t>(terms, 1, kMostListed));
  // All columns are kept, or of narrower ones as many as there is room for.
  for (int columns = wide; columns >= 16; columns /= 2) {
    spec.tensor->columns = columns;
    const int all = (wanted + columns - 1) / columns * columns;
    for (int kept = all; kept > 0; kept -= columns) {
      spec.tensor->kept = kept;
      if (LatticeLayout(spec).bytes <= limits.shared_bytes) {
        return LatticePlan{*spec.tensor, lattice_cost(spec, tokens)};
      }
      if (columns > 32) break;
    }
  }
  return Error{"two chunks, two windows and one that is kept do not fit into a block"};
}

}  // namespace heddle::schedule
