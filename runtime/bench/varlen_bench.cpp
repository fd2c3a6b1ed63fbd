// SPDX-License-Identifier: Apache-2.0
#include "runtime/bench/varlen_bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>

#include "runtime/reference/compare.hpp"
#include "runtime/reference/problem_binding.hpp"
#include "runtime/reference/reference.hpp"

namespace heddle {
namespace {

// Inputs of the sets together should not fit a large last-level cache.
constexpr double kRotatedBytes = 64e6;
constexpr int kMostBatches = 4;

struct BoundLaunch {
  HostBuffers buffers;
  PreparedLaunch prepared;
};
struct BatchSet {
  Problem problem;               // of the padded batch
  std::vector<double> expected;  // y of all its tokens: a sequence's do not depend on its padding
  BoundLaunch varlen, padded;
};

// The first lengths[b] tokens of each sequence of a [batch, tokens, ...] buffer, one sequence
// behind the other.
HostBuffer packed(const HostBuffer& padded, const std::vector<std::int64_t>& lengths) {
  const std::vector<std::int64_t>& shape = padded.shape();
  std::vector<std::int64_t> flat(shape.begin() + 1, shape.end());
  flat[0] = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
  HostBuffer result(padded.type(), flat);
  const std::size_t token =
      padded.bytes() / static_cast<std::size_t>(std::max<std::int64_t>(shape[0] * shape[1], 1));
  std::byte* to = result.data();
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    const std::byte* from = padded.data() + b * static_cast<std::size_t>(shape[1]) * token;
    to = std::copy_n(from, static_cast<std::size_t>(lengths[b]) * token, to);
  }
  return result;
}

class VarlenBench {
 public:
  VarlenBench(const BenchedKernel& varlen, const BenchedKernel& padded, const Rows& rows,
              const BenchOptions& options)
      : varlen_(varlen),
        padded_(padded),
        rows_(rows),
        options_(options),
        lengths_(bench_lengths(options)) {}

  Result<std::vector<BenchRow>> run() {
    const Result<WeightMode> weights = weight_mode_of(varlen_.manifest);
    if (!weights) return weights.error();
    if (*weights == WeightMode::kMatrix) return Error{"matrix states have one length for all"};
    ProblemOptions problem;
    problem.weights = *weights;
    problem.dtype = problem.coefficient_dtype = varlen_.manifest.dtype;
    for (const Argument& argument : varlen_.entry.arguments) {
      if (argument.name == "coef_a" || argument.name == "coef_b") {
        problem.coefficient_dtype = argument.type;
      }
    }
    problem.sizes = {.batch = options_.batch,
                     .tokens = options_.tokens,
                     .heads = options_.heads,
                     .head_dim = varlen_.manifest.head_dim,
                     .state_dim = varlen_.manifest.state_dim,
                     .key_gates = varlen_.manifest.key_gates};
    set_columns(problem.sizes, varlen_.manifest);
    problem.gamma = options_.gamma;
    const double bytes = 4.0 * static_cast<double>(size_of(problem.dtype)) *
                         static_cast<double>(options_.batch * options_.tokens * options_.heads *
                                             varlen_.manifest.head_dim);
    const int sets = options_.input_sets > 0
                         ? options_.input_sets
                         : std::clamp(static_cast<int>(kRotatedBytes / bytes) + 1, 1, kMostBatches);
    for (int s = 0; s < sets; ++s) {
      problem.seed = options_.seed + static_cast<std::uint64_t>(s);
      if (auto error = add_set(problem)) return *error;
    }
    return measure();
  }

 private:
  // With slots where a state is small; where everything stays, nobody wants a copy of it.
  std::optional<Error> prepare(const BenchedKernel& kernel, const BatchSet& set, Sizes sizes,
                               BoundLaunch& launch) {
    for (const auto& [layout, slots] : {std::pair(&kernel.manifest.cache_a, &sizes.slots_a),
                                        std::pair(&kernel.manifest.cache_b, &sizes.slots_b)}) {
      if (layout->retention != CacheRetention::kNextRow) continue;
      const Result<std::int64_t> needed = layout->slots(options_.tokens);
      if (!needed) return needed.error();
      *slots = *needed;
    }
    const bool behind_each_other = kernel.manifest.varlen;
    for (const Argument& argument : kernel.entry.arguments) {
      const std::string& name = argument.name;
      // Before the first token there is no state and no start.
      const bool missing = name.rfind("initial_", 0) == 0 || name == "starts";
      if (argument.kind != ArgumentKind::kBuffer || missing) continue;
      std::vector<std::int64_t> shape;
      for (const std::string& extent : argument.shape) {
        const Result<std::int64_t> value = sizes.extent(extent);
        if (!value) return value.error();
        shape.push_back(*value);
      }
      const auto input = set.problem.inputs.find(name);
      if (name == "offsets") {
        HostBuffer offsets(ElementType::kI32, shape);
        std::int64_t at = 0;
        for (std::size_t b = 0; b <= lengths_.size(); ++b) {
          offsets.set(static_cast<std::int64_t>(b), static_cast<double>(at));
          if (b < lengths_.size()) at += lengths_[b];
        }
        launch.buffers.emplace(name, std::move(offsets));
      } else if (input != set.problem.inputs.end()) {
        launch.buffers.emplace(name,
                               behind_each_other ? packed(input->second, lengths_) : input->second);
      } else {
        launch.buffers.emplace(name, HostBuffer(argument.type, shape));
      }
      if (launch.buffers.at(name).shape() != shape) {
        return Error{fmt::format("buffer '{}' is declared with another shape", name)};
      }
    }
    Result<PreparedLaunch> prepared =
        kernel.factory({kernel.entry, sizes, set.problem.scale, set.problem.gamma, launch.buffers});
    if (!prepared) return prepared.error();
    launch.prepared = *std::move(prepared);
    return std::nullopt;
  }

  std::optional<Error> add_set(const ProblemOptions& options) {
    auto set = std::make_unique<BatchSet>();
    set->problem = make_problem(options, rows_);
    set->expected = reference_output(set->problem, rows_, options_.threads).y;
    Sizes sizes = set->problem.sizes;
    if (auto error = prepare(padded_, *set, sizes, set->padded)) return error;
    sizes.tokens = std::accumulate(lengths_.begin(), lengths_.end(), std::int64_t{0});
    sizes.longest = options_.tokens;
    if (auto error = prepare(varlen_, *set, sizes, set->varlen)) return error;
    sets_.push_back(std::move(set));
    return std::nullopt;
  }

  BenchRow new_row(const char* name) const {
    BenchRow row;
    row.name = name;
    row.op = varlen_.entry.op;
    row.n = options_.tokens;
    row.batch = options_.batch;
    row.heads = options_.heads;
    row.head_dim = varlen_.manifest.head_dim;
    row.dtype = name_of(varlen_.manifest.dtype);
    return row;
  }

  std::vector<BenchRow> measure() {
    std::vector<BenchRow> rows = {new_row("heddle"), new_row("heddle, padded")};
    const auto contestant = [&](BenchRow& row, BoundLaunch BatchSet::*which) {
      return Contestant{row.name,
                        [this, &row, which](int s) {
                          if (!row.remark.empty()) return;
                          const auto error =
                              ((*sets_[static_cast<std::size_t>(s)]).*which).prepared.run();
                          if (error) row.remark = error->message;
                        },
                        {}};
    };
    TimingOptions timing;
    timing.input_sets = static_cast<int>(sets_.size());
    timing.min_rounds = std::max(5, timing.input_sets);
    timing.budget_seconds = options_.budget_seconds;
    const std::vector<Timing> timings = measure_interleaved(
        {contestant(rows[0], &BatchSet::varlen), contestant(rows[1], &BatchSet::padded)}, timing);
    DefinitionWork work;
    for (const std::int64_t length : lengths_) {
      Sizes one = sets_.front()->problem.sizes;
      one.batch = 1;
      one.tokens = length;
      const DefinitionWork of_one =
          definition_work(sets_.front()->problem, rows_, one, /*decode=*/false);
      work.bytes += of_one.bytes;
      work.flops += of_one.flops;
    }
    for (const std::unique_ptr<BatchSet>& set : sets_) {
      check(rows[0], *set, set->varlen.buffers.at("y"), in_sequences(*set));
      check(rows[1], *set, set->padded.buffers.at("y"), set->expected);
    }
    for (std::size_t r = 0; r < rows.size(); ++r) {
      if (!rows[r].remark.empty()) continue;
      rows[r].timing = timings[r];
      if (timings[r].median_ms <= 0.0) continue;
      rows[r].gb_per_s = static_cast<double>(work.bytes) / (1e6 * timings[r].median_ms);
      rows[r].gflop_per_s = static_cast<double>(work.flops) / (1e6 * timings[r].median_ms);
    }
    return rows;
  }

  std::vector<double> in_sequences(const BatchSet& set) const {
    const std::int64_t token = options_.heads * varlen_.manifest.head_dim;
    std::vector<double> expected;
    for (std::size_t b = 0; b < lengths_.size(); ++b) {
      const auto first =
          set.expected.begin() + static_cast<std::int64_t>(b) * options_.tokens * token;
      expected.insert(expected.end(), first, first + lengths_[b] * token);
    }
    return expected;
  }

  void check(BenchRow& row, const BatchSet& set, const HostBuffer& y,
             const std::vector<double>& expected) const {
    if (!row.remark.empty()) return;
    const std::int64_t channels = varlen_.manifest.head_dim;
    const Agreement agreement = compare(y, expected, channels);
    row.max_rel_error = std::max(row.max_rel_error.value_or(0.0), agreement.relative_error);
    if (!agreement.within(tolerance_for(y.type(), set.problem.largest_logit))) {
      row.remark = "wrong result: " + agreement.describe(channels);
    }
  }

  const BenchedKernel& varlen_;
  const BenchedKernel& padded_;
  const Rows& rows_;
  const BenchOptions& options_;
  std::vector<std::int64_t> lengths_;
  std::vector<std::unique_ptr<BatchSet>> sets_;  // launches keep pointers into them
};

}  // namespace

std::vector<std::int64_t> bench_lengths(const BenchOptions& options) {
  std::vector<std::int64_t> lengths;
  const std::int64_t steps = std::max<std::int64_t>(options.batch - 1, 1);
  for (std::int64_t b = 0; b < options.batch; ++b) {
    lengths.push_back(
        std::max<std::int64_t>(options.tokens - 7 * options.tokens * b / (8 * steps), 1));
  }
  return lengths;
}

Result<std::vector<BenchRow>> bench_varlen(const BenchedKernel& varlen, const BenchedKernel& padded,
                                           const Rows& rows, const BenchOptions& options) {
  if (varlen.entry.op != "prefill" || padded.entry.op != "prefill") {
    return Error{fmt::format("sequences of different lengths are timed in prefill, not in {}",
                             varlen.entry.op)};
  }
  if (!varlen.manifest.varlen || padded.manifest.varlen) {
    return Error{"one of the kernels must be for sequences of different lengths, the other not"};
  }
  if (options.tokens < 1 || options.batch < 1 || options.heads < 1 || rows.n() < options.tokens) {
    return Error{"a benchmark needs a token, batch and head, and rows for its length"};
  }
  return VarlenBench(varlen, padded, rows, options).run();
}

}  // namespace heddle
