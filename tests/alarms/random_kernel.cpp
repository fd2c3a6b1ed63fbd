// SPDX-License-Identifier: Apache-2.0
#include "tests/alarms/random_kernel.hpp"

#include <algorithm>
#include <iterator>
#include <random>

#include "patterns/materialize.hpp"
#include "patterns/parser.hpp"
#include "runtime/verify/plan.hpp"

namespace heddle::alarms {
namespace {

constexpr std::int64_t kRows = 150;

const char* const kFunctions =
    "  sq(k) = k^2 + 1\n  two(k) = 2^k\n  three(k) = 3^k\n  lin(k) = 5*k + 1\n"
    "  fib(0) = 1\n  fib(1) = 2\n  fib(k+2) = fib(k+1) + fib(k)\n"
    "  pell(0) = 1\n  pell(1) = 2\n  pell(k+2) = 2*pell(k+1) + pell(k)\n"
    "  sum(0) = 1\n  sum(k+1) = sum(k) + sq(k+2)\n"
    "  root(k) = sqrt(k*k*k) + 2*k + 1\n";

class Draw {
 public:
  explicit Draw(std::uint64_t number) : random_(0x9e3779b97f4a7c15ULL ^ number) {}

  std::int64_t below(std::int64_t exclusive) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(exclusive));
  }
  template <typename T>
  T one_of(std::initializer_list<T> all) {
    return *std::next(all.begin(), below(static_cast<std::int64_t>(all.size())));
  }
  std::string number(std::int64_t low, std::int64_t high) {
    return std::to_string(low + below(high - low + 1));
  }

  std::string function() {
    return one_of({"sq", "two", "three", "lin", "fib", "pell", "sum", "root"});
  }

  // Below i, and so causal on either side.
  std::string set() {
    switch (below(14)) {
      case 0:
        return "dense";
      case 1:
        return "window(" + number(1, 40) + ")";
      case 2:
      case 3:
        return "offsets(" + function() + ")";
      case 4:
      case 5:
        return "lattice(" + std::string(one_of({"sq", "two", "lin", "fib", "pell", "sum"})) + ")";
      case 6: {
        const std::string d = number(1, 20);
        return "{ i - " + d + " : i > " + d + " }";
      }
      case 7: {
        const std::string stride = number(2, 12);
        return "{ i - " + stride + "*t : t >= 1, " + stride + "*t < i }";
      }
      case 8:
        return "{ i - k^2 : k >= 1, k^2 < i, k mod 2 = " + number(0, 1) + " }";
      case 9:
        return "{ max(1, i - " + number(3, 30) + ")..i - " + number(1, 3) + " }";
      case 10:
        return "{ i - fib(k) : k >= 2, fib(k) < i, popcount(k) != " + number(1, 2) + " }";
      case 11:
        return "{ " + number(2, 6) + "*k : k in 1..floor((i - 1) / 7) }";
      case 12:
        return "{ i - lowbit(i) : i > lowbit(i) }";
      default:
        return "{ floor((i + 1) / " + number(2, 5) + ") : i >= 2 }";
    }
  }
  std::string expression() {
    std::string all = set();
    for (std::int64_t part = below(3); part > 0; --part) {
      const std::string op = one_of({" | ", " | ", " & ", " - "});
      all = below(2) == 0 ? "(" + all + ")" + op + set() : set() + op + "(" + all + ")";
    }
    return all;
  }

 private:
  std::mt19937_64 random_;
};

// Lengths, states and tokens of a launch in one of their forms; half of all kernels have the plain
// one. In words.
std::string draw_form(Draw& draw, GenerateOptions& options) {
  if (draw.below(2) == 0) return "";
  if (options.ops[0] == "decode" && draw.below(2) == 0) {
    options.several_tokens = true;
    return ", several tokens";
  }
  if (options.ops[0] == "backward" && draw.below(2) == 0) {
    options.state_gradients = true;
    return ", with states";
  }
  options.varlen = true;
  if (options.ops[0] == "backward" && draw.below(2) == 0) {
    options.state_gradients = true;
    return ", varlen, with states";
  }
  if (options.ops[0] != "decode") return ", varlen";
  options.page_rows = draw.one_of({0, 1, 4, 16});
  return ", varlen, pages of " + std::to_string(options.page_rows);
}

// Rows that a schedule of their own is for: dense ones and matrix states on tensor cores, first
// order over chunks side by side.
void draw_special(Draw& draw, GenerateOptions& options, std::string& a, std::string& b) {
  if (options.weights == WeightKind::kGiven || options.weights == WeightKind::kGated) {
    options.schedule = "scan";
    options.exact_to = 10'000;  // its launch over chunks has many of them at a time
    return;
  }
  options.schedule = "tensor";
  if (options.weights == WeightKind::kLinear && draw.below(2) == 0) {
    options.schedule = "scan";
    options.plan_heads = 1;
  }
  options.dtype = draw.one_of({ElementType::kBF16, ElementType::kF16});
  options.head_dim = static_cast<int>(16 * (1 + draw.below(8)));
  if (options.weights == WeightKind::kLinear) {
    options.state_dim = static_cast<int>(16 * (1 + draw.below(4)));
    return;
  }
  const bool outputs = draw.below(2) == 0;
  a = outputs ? "diagonal" : "dense";
  b = outputs ? "dense" : "none";
}

}  // namespace

std::string RandomKernel::describe() const {
  const Manifest& manifest = artifact.manifest;
  std::string text = manifest.kernels.front().op + " " + manifest.target + " " + manifest.weights +
                     " " + name_of(manifest.dtype) + ", " + std::to_string(manifest.head_dim) +
                     " channels, " + manifest.kernels.front().schedule + ", lengths";
  for (const std::int64_t size : options.sizes) text += " " + std::to_string(size);
  return text + form;
}

RandomKernel random_kernel(std::uint64_t number) {
  Draw draw(number);
  for (;;) {
    RandomKernel kernel;
    GenerateOptions options;
    options.ops = {draw.one_of({"prefill", "decode", "backward"})};
    options.target = draw.one_of({ir::Target::kCuda, ir::Target::kCpu});
    options.dtype = draw.one_of({ElementType::kF32, ElementType::kBF16, ElementType::kF16});
    options.head_dim = static_cast<int>(1 + draw.below(draw.below(4) == 0 ? 80 : 24));
    options.exact_to = kRows;
    const std::int64_t kind = draw.below(12);
    options.weights = kind < 2    ? WeightKind::kLinear
                      : kind < 6  ? WeightKind::kSoftmax
                      : kind < 10 ? WeightKind::kGiven
                                  : WeightKind::kGated;
    std::string a = "diagonal", b = "{ i - 1 : i >= 2 }";
    kernel.form = draw_form(draw, options);
    const bool prefill_on_cuda = options.target == ir::Target::kCuda && options.ops[0] == "prefill";
    if (prefill_on_cuda && kind % 2 == 0) options.schedule = draw.one_of({"staged", "auto"});
    // Of backward that is a scan.
    const bool by_coefficients =
        options.weights == WeightKind::kGiven || options.weights == WeightKind::kGated;
    const bool scans = options.target == ir::Target::kCuda && options.ops[0] == "backward" &&
                       by_coefficients && draw.below(3) == 0;
    if (scans || (prefill_on_cuda && draw.below(3) == 0)) {
      draw_special(draw, options, a, b);
    } else if (kind < 2) {
      options.state_dim = static_cast<int>(1 + draw.below(40));
      if (draw.below(2) == 0) b = draw.expression();
    } else {
      const std::int64_t sides = draw.below(4);
      if (sides == 0) a = draw.expression();
      if (sides == 1) a = "diagonal | " + draw.expression();
      b = sides == 3 ? "none" : draw.expression();
      if (sides == 3) a = draw.expression() + " | { i }";
    }
    kernel.source =
        "pattern p {\n" + std::string(kFunctions) + "  A = " + a + "\n  B = " + b + "\n}\n";
    Diagnostics diagnostics;
    std::vector<PatternSyntax> parsed = parse({"random.heddle", kernel.source}, diagnostics);
    if (parsed.size() != 1 || diagnostics.has_errors()) continue;
    const auto pattern = resolve(std::move(parsed.front()), {}, diagnostics);
    if (!pattern) continue;
    Result<Artifact> artifact = generate(*pattern, options);
    if (!artifact) continue;
    std::int64_t last = kRows;
    for (const ChunkedLength& length : chunked_lengths(artifact->manifest.kernels.front())) {
      last = std::max(last, length.start + length.tokens + 1);
    }
    MaterializeResult rows = materialize(*pattern, last);
    if (!std::holds_alternative<Rows>(rows)) continue;
    kernel.artifact = *std::move(artifact);
    kernel.rows = std::get<Rows>(std::move(rows));
    kernel.options.sizes = {1, 2, 3 + draw.below(30), 33 + draw.below(100)};
    kernel.options.work_budget = 4'000'000;
    kernel.options.algebraic_budget = 1'000'000;
    kernel.options.threads = 1;
    kernel.options.seed = number + 1;
    return kernel;
  }
}

std::string complaint(const RandomKernel& kernel) {
  const VerifyReport report =
      verify(kernel.artifact.manifest, kernel.artifact.files, kernel.rows, kernel.options);
  if (report.verdict == KernelVerdict::kVerified) return "";
  std::string text = name_of(report.verdict);
  for (const VerifyFailure& failure : report.failures) {
    text += "\n  " + failure.layer + " " + failure.kind + ": " + failure.message + " at " +
            failure.where;
  }
  for (const VerifyObligation& obligation : report.obligations) {
    if (obligation.verdict == KernelVerdict::kUnknown) {
      text += "\n  unknown: " + obligation.name + ": " + obligation.method;
    }
  }
  return text;
}

}  // namespace heddle::alarms
