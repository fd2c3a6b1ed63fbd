// SPDX-License-Identifier: Apache-2.0
#include "runtime/reference/problem.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

namespace heddle {

// ---- randomness -------------------------------------------------------------------------------

double RandomSource::uniform() { return static_cast<double>(engine_() >> 11U) * 0x1p-53; }

double RandomSource::uniform(double low, double high) { return low + (high - low) * uniform(); }

double RandomSource::normal() {
  const double radius = std::sqrt(-2.0 * std::log1p(-uniform()));  // Box and Muller, one of the two
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

std::int64_t RandomSource::below(std::int64_t exclusive) {
  return static_cast<std::int64_t>(uniform() * static_cast<double>(exclusive));
}

// ---- instances --------------------------------------------------------------------------------

Result<WeightMode> weight_mode_of(const Manifest& manifest) {
  const std::string& name = manifest.weights;
  if (name == "softmax") return WeightMode::kSoftmax;
  if (name == "given") return WeightMode::kGiven;
  if (name == "gated") return WeightMode::kGated;
  if (name != "linear") return Error{"weights '" + name + "' have no reference"};
  const bool any_pattern =
      std::any_of(manifest.kernels.begin(), manifest.kernels.end(), [](const KernelEntry& kernel) {
        return std::any_of(kernel.arguments.begin(), kernel.arguments.end(),
                           [](const Argument& argument) { return argument.name == "coef_b"; });
      });
  return any_pattern ? WeightMode::kMatrix : WeightMode::kLinear;
}

Result<std::int64_t> Sizes::extent(std::string_view name) const {
  if (name == "batch") return batch;
  if (name == "tokens" || name == "new_tokens") return tokens;
  if (name == "heads") return heads;
  if (name == "head_dim") return head_dim;
  if (name == "state_dim") return state_dim;
  if (name == "start") return start;
  if (name == "slots_a") return slots_a;
  if (name == "slots_b") return slots_b;
  if (name == "width_a") return width_a;
  if (name == "width_b") return width_b;
  if (name == "longest") return longest;
  if (name == "chunks") return chunks;
  if (name == "live_states") return live_states_of(slots_b, tokens);
  if (name == "table_a") return table_a;
  if (name == "table_b") return table_b;
  if (name == "pool_a") return pool_a;
  if (name == "pool_b") return pool_b;
  if (name == kBoundsExtent) return batch + 1;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
  if (error == std::errc{} && end == name.data() + name.size() && value >= 0) return value;
  return Error{"'" + std::string(name) + "' is not a size"};
}

Sizes Sizes::in_chunks(const KernelEntry& kernel) const {
  Sizes sizes = *this;
  const bool own_lengths =
      std::any_of(kernel.arguments.begin(), kernel.arguments.end(),
                  [](const Argument& argument) { return argument.name == "longest"; });
  sizes.chunks = chunks_of(kernel, own_lengths ? std::min(tokens, longest) : tokens);
  return sizes;
}

const char* name_of(Fill fill) {
  switch (fill) {
    case Fill::kNormal:
      return "normal";
    case Fill::kLargeLogits:
      return "large logits";
    case Fill::kEqualLogits:
      return "equal logits";
    case Fill::kOneHuge:
      return "one huge";
    case Fill::kLasting:
      return "lasting";
  }
  unreachable("fill");
}

namespace {

std::int64_t widest_row(const RowTable& table, std::int64_t tokens) {
  std::int64_t width = 0;
  for (std::int64_t i = 1; i <= tokens; ++i) width = std::max(width, table.size(i));
  return width;
}

template <typename Value>
void fill_with(HostBuffer& buffer, Value&& value) {
  for (std::int64_t e = 0; e < buffer.count(); ++e) buffer.set(e, value(e));
}

double longest_vector(const HostBuffer& buffer) {
  const std::int64_t d = buffer.shape().back();
  double longest = 0.0;
  for (std::int64_t vector = 0; vector < buffer.count() / d; ++vector) {
    double square = 0.0;
    for (std::int64_t c = 0; c < d; ++c) square += std::pow(buffer.get(vector * d + c), 2);
    longest = std::max(longest, square);
  }
  return std::sqrt(longest);
}

constexpr double kLargeLogit =
    120.0;  // e^-120 is 0 in float: rows of such alone need their maximum
constexpr double kHugeLogit = 1e4;
// f16 ends at 65504, and gradients are sums of up to 256 products with an input.
constexpr double huge_input(ElementType type) { return type == ElementType::kF16 ? 1e2 : 1e4; }

// q and k such that scale q_i.k_j is what `fill` promises. scale is 1 / sqrt(d).
double fill_queries_and_keys(Problem& problem, Fill fill, std::int64_t huge_token,
                             RandomSource& random) {
  HostBuffer& q = problem.inputs.at("q");
  HostBuffer& k = problem.inputs.at("k");
  const std::int64_t d = q.shape().back();
  const std::int64_t vectors = q.count() / d;
  const double root = std::sqrt(static_cast<double>(d));  // 1 / scale
  // All components equal: scale q.k = sqrt(d) q_0 k_0.
  const auto constant = [&](HostBuffer& buffer, std::int64_t vector, double component) {
    for (std::int64_t c = 0; c < d; ++c) buffer.set(vector * d + c, component);
  };
  switch (fill) {
    case Fill::kNormal:
    case Fill::kLasting: {
      fill_with(q, [&](auto) { return random.normal(); });
      fill_with(k, [&](auto) { return random.normal(); });
      return longest_vector(q) * longest_vector(k) / root;  // Cauchy and Schwarz
    }
    case Fill::kLargeLogits:
      for (std::int64_t v = 0; v < vectors; ++v) {
        constant(q, v, random.sign() * std::sqrt(kLargeLogit / root));
        constant(k, v, random.sign() * std::sqrt(kLargeLogit / root));
      }
      return kLargeLogit;
    case Fill::kEqualLogits:
      for (std::int64_t v = 0; v < vectors; ++v) {
        constant(q, v, 1.0 / std::sqrt(root));
        constant(k, v, 1.0 / std::sqrt(root));
      }
      return 1.0;
    case Fill::kOneHuge: {
      for (std::int64_t v = 0; v < vectors; ++v) {
        const std::int64_t token = v / problem.sizes.heads % problem.sizes.tokens;
        constant(q, v, 1.0 / std::sqrt(root));
        constant(k, v, (token + 1 == huge_token ? kHugeLogit : 1.0) / std::sqrt(root));
      }
      // The winner's weight is exactly 1 and the others' exactly 0 in any arithmetic that subtracts
      // the maximum, so the rounding of the huge logit itself never shows.
      return 1.0;
    }
  }
  unreachable("fill");
}

// Rows of A and B together get absolute sum 1 in every channel that has coefficients of its own, so
// that no product of B's can grow. Where A has none, its share of the sum is left out.
void fill_coefficients(Problem& problem, const Rows& rows, Fill fill, RandomSource& random) {
  const auto a = problem.inputs.find("coef_a");
  HostBuffer& b = problem.inputs.at("coef_b");
  const Sizes& s = problem.sizes;
  const std::int64_t channels = coefficients_of_entry(problem.weights, s.head_dim);
  std::vector<double> drawn;
  for (std::int64_t at = 0; at < s.batch * s.tokens * s.heads * channels; ++at) {
    const std::int64_t row = at / channels, channel = at % channels;
    const std::int64_t i = row / s.heads % s.tokens + 1;
    drawn.assign(static_cast<std::size_t>(rows.a.size(i) + rows.b.size(i)), 1.0);
    double sum = 0.0;
    for (double& value : drawn) {
      // Bounded away from 0: every entry of a row must matter to the result. A huge x among signs
      // would cancel to less than its own rounding error.
      if (fill != Fill::kEqualLogits) value = random.uniform(0.5, 1.5);
      if (fill == Fill::kNormal) value *= random.sign();
    }
    if (fill == Fill::kLasting) {
      for (auto of_b = drawn.begin() + rows.a.size(i); of_b != drawn.end(); ++of_b) *of_b *= 200.0;
    }
    for (const double value : drawn) sum += std::fabs(value);
    for (std::int64_t e = 0; a != problem.inputs.end() && e < rows.a.size(i); ++e) {
      a->second.set((row * s.width_a + e) * channels + channel,
                    drawn[static_cast<std::size_t>(e)] / sum);
    }
    for (std::int64_t e = 0; e < rows.b.size(i); ++e) {
      b.set((row * s.width_b + e) * channels + channel,
            drawn[static_cast<std::size_t>(rows.a.size(i) + e)] / sum);
    }
  }
}

void add_coefficients(Problem& problem, const ProblemOptions& options, const Rows& rows,
                      RandomSource& random) {
  Sizes& s = problem.sizes;
  const auto add = [&](const char* name, const RowTable& table, std::int64_t& width) {
    width = std::max(width, widest_row(table, s.tokens));
    std::vector<std::int64_t> shape = {s.batch, s.tokens, s.heads, width};
    if (options.weights == WeightMode::kGated) shape.push_back(s.head_dim);
    problem.inputs.emplace(name, HostBuffer(options.coefficient_dtype, std::move(shape)));
  };
  if (options.weights != WeightMode::kMatrix) add("coef_a", rows.a, s.width_a);
  add("coef_b", rows.b, s.width_b);
  fill_coefficients(problem, rows, options.fill, random);
}

}  // namespace

void set_columns(Sizes& sizes, const Manifest& manifest, std::int64_t spare) {
  const auto columns = [&](const RowWidth& width, std::int64_t more) {
    const Result<std::int64_t> needed = width.columns(sizes.tokens);
    return needed ? padded_columns(*needed) + more : 0;
  };
  sizes.width_a = columns(manifest.width_a, spare);
  sizes.width_b = columns(manifest.width_b, spare_of_b(spare));
}

Problem make_problem(const ProblemOptions& options, const Rows& rows) {
  assert_that(rows.n() >= options.sizes.tokens, "rows reach the problem's last token");
  RandomSource random(options.seed);
  Problem problem;
  problem.weights = options.weights;
  problem.dtype = options.dtype;
  problem.sizes = options.sizes;
  problem.gamma = options.gamma;
  Sizes& s = problem.sizes;
  s.start = 0;

  const std::int64_t huge_token = options.huge_token > 0 ? options.huge_token : s.tokens / 2 + 1;
  const auto add = [&](const char* name, ElementType type, std::int64_t last) {
    problem.inputs.emplace(name, HostBuffer(type, {s.batch, s.tokens, s.heads, last}));
  };
  const std::int64_t query_dim = has_states(options.weights) ? s.state_dim : s.head_dim;
  problem.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(query_dim)));
  add("x", options.dtype, s.head_dim);
  HostBuffer& x = problem.inputs.at("x");
  fill_with(x, [&](auto) { return random.normal(); });

  if (has_coefficients(options.weights)) {
    add_coefficients(problem, options, rows, random);
    if (options.fill == Fill::kOneHuge) {
      for (std::int64_t row = 0; row < s.batch * s.tokens * s.heads; ++row) {
        if (row / s.heads % s.tokens + 1 != huge_token) continue;
        // All channels alike, since errors are judged by the scale of their row.
        for (std::int64_t e = row * s.head_dim; e < (row + 1) * s.head_dim; ++e) {
          x.set(e, huge_input(options.dtype) * x.get(e));
        }
      }
    }
    if (options.weights != WeightMode::kMatrix) return problem;
  }
  add("q", options.dtype, query_dim);
  add("k", options.dtype, query_dim);
  if (options.weights == WeightMode::kSoftmax) {
    problem.largest_logit = fill_queries_and_keys(problem, options.fill, huge_token, random);
    return problem;
  }
  fill_with(problem.inputs.at("q"), [&](auto) { return random.normal(); });
  fill_with(problem.inputs.at("k"), [&](auto) { return random.normal() * problem.scale; });
  if (options.weights == WeightMode::kMatrix) return problem;
  std::vector<std::int64_t> gates = {s.batch, s.tokens, s.heads};
  if (s.key_gates) gates.push_back(s.state_dim);
  problem.inputs.emplace("gate", HostBuffer(ElementType::kF32, std::move(gates)));
  // Slow and fast decay side by side; 1 keeps everything, 0 forgets everything.
  fill_with(problem.inputs.at("gate"), [&](auto) {
    const std::int64_t kind = random.below(8);
    if (options.fill == Fill::kLasting) return random.uniform(0.98, 1.0);
    return kind == 0 ? 1.0 : kind == 1 ? 0.0 : random.uniform(0.5, 1.0);
  });
  return problem;
}

}  // namespace heddle
