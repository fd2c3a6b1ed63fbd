// SPDX-License-Identifier: Apache-2.0
#include "tests/studies/random_claims.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace heddle::study {
namespace {

constexpr std::int64_t kFar = 1'000'000'000'000'000'000;

struct Shape {
  std::string text;  // with v for the variable
  std::function<std::int64_t(std::int64_t)> value;
};

std::int64_t root(std::int64_t x) {
  auto r = static_cast<std::int64_t>(std::sqrt(static_cast<double>(x)));
  while (r * r > x) --r;
  while ((r + 1) * (r + 1) <= x) ++r;
  return r;
}
std::int64_t log_of(std::int64_t x) { return std::bit_width(static_cast<std::uint64_t>(x)) - 1; }

std::string in_words(std::string shape, const std::string& variable) {
  for (std::size_t at = 0; (at = shape.find('v', at)) != std::string::npos; at += variable.size()) {
    shape.replace(at, 1, variable);
  }
  return shape;
}

Shape random_shape(Random& random) {
  const std::int64_t c = random.number(2, 9);
  const std::string digits = std::to_string(c);
  return random.pick(std::vector<Shape>{
      {"0", [](std::int64_t) { return 0; }},
      {"v", [](std::int64_t v) { return v; }},
      {"2 * v", [](std::int64_t v) { return 2 * v; }},
      {"sqrt(v)", root},
      {"sqrt(v)", root},
      {"2 * sqrt(v)", [](std::int64_t v) { return 2 * root(v); }},
      {"log2(v)", log_of},
      {"log2(v)", log_of},
      {"2 * log2(v)", [](std::int64_t v) { return 2 * log_of(v); }},
      {"min(v, " + digits + ")", [c](std::int64_t v) { return std::min(v, c); }},
      {"floor(v / " + digits + ")", [c](std::int64_t v) { return v / c; }},
      {"ceil(v / " + digits + ")", [c](std::int64_t v) { return (v + c - 1) / c; }},
      {"max(v - " + digits + ", 0)",
       [c](std::int64_t v) { return std::max<std::int64_t>(v - c, 0); }},
      {"sqrt(v) + log2(v)", [](std::int64_t v) { return root(v) + log_of(v); }},
      {"floor(sqrt(v) / 2)", [](std::int64_t v) { return root(v) / 2; }},
      {"floor(log2(v) / 2)", [](std::int64_t v) { return log_of(v) / 2; }},
      {"sqrt(max(v - 2, 0))",
       [](std::int64_t v) { return root(std::max<std::int64_t>(v - 2, 0)); }}});
}

Shape distance_shape(Random& random) {
  if (random.number(0, 3) == 0) {
    return {"popcount(v)",
            [](std::int64_t v) { return std::popcount(static_cast<std::uint64_t>(v)); }};
  }
  return random_shape(random);
}

struct Measure {
  MeasureKind kind;
  const char* text;
  const char* variable;
};

struct Restriction {
  std::string text;  // behind the claim, with v for the variable
  std::function<bool(std::int64_t)> applies;
};

Restriction random_restriction(Random& random) {
  const std::int64_t low = random.number(2, 6), high = low + random.number(0, 90);
  const std::int64_t m = random.number(2, 4), rest = random.number(0, m - 1);
  const std::string from = std::to_string(low), to = std::to_string(high);
  const Restriction none{"", [](std::int64_t) { return true; }};
  return random.pick<Restriction>(
      {none,
       none,
       none,
       none,
       none,
       {" for v >= " + from, [=](std::int64_t v) { return v >= low; }},
       {" for " + from + " <= v and v < " + to,
        [=](std::int64_t v) { return low <= v && v < high; }},
       {" for v mod " + std::to_string(m) + " = " + std::to_string(rest),
        [=](std::int64_t v) { return v % m == rest; }},
       {" for not v = " + from + " or v > " + to,
        [=](std::int64_t v) { return v != low || v > high; }}});
}

// right(v) - shape(v) over all counted values: the least and the largest difference.
std::pair<std::int64_t, std::int64_t> differences(const Counted& counted, MeasureKind kind,
                                                  const Shape& shape,
                                                  const Restriction& restriction) {
  std::int64_t least = kInfinite, most = -kInfinite;
  const auto see = [&](const Enclosed& span, std::int64_t v) {
    if (span.high == kInfinite || !restriction.applies(v)) return;
    least = std::min(least, span.low - shape.value(v));
    most = std::max(most, span.low - shape.value(v));
  };
  for (std::int64_t i = 1; i <= counted.last(kind); ++i) {
    if (kind != MeasureKind::kHops) {
      see(counted.value(kind, i), i);
      continue;
    }
    for (std::int64_t j = 1; j < i; ++j) {
      see({counted.hops(i, j), counted.hops(i, j)}, i - j);
    }
  }
  return {least, most};
}

}  // namespace

RandomPattern random_pattern(Random& random) {
  const std::string c = random.digits(1, 3), t = random.digits(1, 6);
  const std::string f = random.pick<std::string>({"f(k) = k^2 + 1",
                                                  "f(k) = 2^k",
                                                  "f(k) = 3^k",
                                                  "f(k) = k^3 + 1",
                                                  "f(k) = 2^k + k",
                                                  "f(k) = " + t + " * k^2 + " + c + " * k + 1",
                                                  "f(k) = " + t + " * k + 1",
                                                  "f(k) = " + t + " * k + " + c,
                                                  "f(k) = p * k + 1",
                                                  "f(k) = p^2 * k^2 + 1",
                                                  "f(k) = 1000003 * k + 1",
                                                  "f(k) = 10000000000000000000 * k^2 + k + 1",
                                                  "f(k) = k^2 - " + c + " * k + " + t,
                                                  "f(k) = floor(k * (k + 1) / 2) + 1",
                                                  "f(k) = (k + 1) * 2^k",
                                                  "f(k) = max(k, " + t + ") + k - " + t + " + 1",
                                                  "f(0) = 1\nf(k+1) = 2 * f(k) + " + c,
                                                  "f(0) = 1\nf(k+1) = 3 * f(k) - 1",
                                                  "f(0) = 1\nf(1) = 2\nf(k+2) = f(k+1) + f(k)",
                                                  "f(0) = 1\nf(1) = 2\nf(k+2) = 2 * f(k+1) + f(k)",
                                                  "f(0) = 1\nf(1) = 2\nf(2) = 4\n"
                                                  "f(k+3) = f(k+2) + f(k+1) + f(k)",
                                                  "f(0) = 1\nf(k+1) = f(k) + k + " + c,
                                                  "f(0) = 1\nf(k+1) = f(k) + " + t,
                                                  "f(0) = " + c + "\nf(k+1) = f(k) + 2 * k + 1"});
  const auto set = [&]() -> std::string {
    const std::string s = random.digits(1, 5), d = random.digits(1, 9), q = random.digits(2, 6);
    return random.pick<std::string>(
        {"window(" + d + ")",
         "window(p)",
         "offsets(f)",
         "offsets(f)",
         "lattice(f)",
         "lattice(f)",
         "none",
         "dense",
         "{ i - " + s + "*t : t >= 1, " + s + "*t < i }",
         "{ i - " + s + "*t : t >= 1, " + q + "*t < i }",
         "{ i - p*t : t >= 1, p*t < i }",
         "{ i - t^2 : t in 1.." + s + ", t^2 < i }",
         "{ i + " + d + " - t : t in " + d + " + 1.." + d + " + " + s + ", t - " + d + " < i }",
         "{ i - 2^t : t >= 0, 2^t < i }",
         "{ " + s + "*t : t >= 1, " + s + "*t < i }",
         "{ i - " + d + " : " + d + " < i }",
         "{ i - 4611686018427387904 : i > 4611686018427387904 }",
         "{ i - 99999999999999999999 * t : t >= 1, "
         "99999999999999999999 * t < i }",
         "{ i - t : t >= 1, t < i, t mod " + q + " = 1 }",
         "{ i - t : t >= 1, t < i, (i + t) mod " + q + " = 0 }",
         "{ i - t : t >= 1, t < i, not t mod " + q + " = 0 }",
         "{ max(1, i - " + d + ")..i - 1 }",
         "{ max(1, i - p - " + d + ")..max(0, i - p) }",
         "{ 1..min(" + s + ", i - 1) }",
         "{ " + s + "..i - " + q + " }",
         "{ max(1, i - sqrt(i))..i - 1 }",
         "{ i - popcount(i) : popcount(i) < i }",
         "{ floor(i / " + q + ") : i >= " + q + " }",
         "{ i - lowbit(i) : lowbit(i) < i }",
         "{ i - s*t - r : s in 1..3, t >= 1, r in 0..1, s*t + 1 < i }",
         "{ i - f(k) + 1 : k >= 1, f(k) - 1 < i }",
         "{ t^2 + 1 : t >= 0, t^2 + 1 < i }",
         "{ i - 1 : i > 1, i mod " + q + " != 0 }"});
  };
  std::string b = set();
  for (std::int64_t more = random.number(0, 3) / 2 + random.number(0, 1); more > 0; --more) {
    const std::string next = set();
    b = random.number(0, 3) == 0
            ? next + random.pick<std::string>({" | ", " & ", " - "}) + "(" + b + ")"
            : b + random.pick<std::string>({" | ", " | ", " & ", " - "}) + next;
  }
  const std::string a = random.pick<std::string>(
      {"diagonal", "diagonal", "diagonal", "window(" + random.digits(1, 5) + ")", "dense",
       "diagonal | offsets(f)", "diagonal | lattice(f)", "none", "window(4) - diagonal"});
  // Functions that nothing reads only take time.
  const bool reads = (a + b).find("(f)") != std::string::npos || b.find("f(") != std::string::npos;
  return {"(p = " + random.digits(1, 9) + ")",
          (reads ? f : "") + "\nA = " + a + "\nB = " + b + "\n"};
}

std::vector<Statement> near_truths(Random& random, const Counted& counted, int count) {
  static const std::vector<Measure> kMeasures = {{MeasureKind::kTime, "time(i)", "i"},
                                                 {MeasureKind::kTime, "time(i)", "i"},
                                                 {MeasureKind::kTime, "time(i)", "i"},
                                                 {MeasureKind::kCache, "cache(i)", "i"},
                                                 {MeasureKind::kCache, "cache(i)", "i"},
                                                 {MeasureKind::kCache, "cache(i)", "i"},
                                                 {MeasureKind::kHops, "hops(i, j)", "(i - j)"},
                                                 {MeasureKind::kHops, "hops(i, j)", "(i - j)"},
                                                 {MeasureKind::kDepth, "depth(n)", "n"},
                                                 {MeasureKind::kRank, "rank(m)", "m"},
                                                 {MeasureKind::kCongestion, "congestion(n)", "n"}};
  std::vector<Statement> statements;
  while (static_cast<int>(statements.size()) < count) {
    const Measure& measure = random.pick(kMeasures);
    const Shape shape =
        measure.kind == MeasureKind::kHops ? distance_shape(random) : random_shape(random);
    const Restriction restriction = random_restriction(random);
    const auto [least, most] = differences(counted, measure.kind, shape, restriction);
    if (least > most) continue;  // nothing is known of it
    const Relation relation = random.pick<Relation>(
        {Relation::kAtMost, Relation::kAtMost, Relation::kAtLeast, Relation::kAtLeast,
         least == most ? Relation::kEqual : Relation::kAtMost});
    const std::int64_t sharp = relation == Relation::kAtLeast ? least : most;
    const std::int64_t far = random.number(0, 40) == 0 ? kFar : 0;
    const std::int64_t c =
        sharp + (far != 0 ? random.pick<std::int64_t>({-far, far}) : random.number(-1, 1));
    const std::string sign = relation == Relation::kAtMost    ? " <= "
                             : relation == Relation::kAtLeast ? " >= "
                                                              : " = ";
    std::string text = measure.text + sign + in_words(shape.text, measure.variable) +
                       (c < 0 ? " - " : " + ") + std::to_string(std::abs(c));
    text += in_words(restriction.text, measure.variable);
    const auto value = shape.value;
    statements.push_back({text, measure.kind, relation,
                          [value, c](std::int64_t v) { return value(v) + c; },
                          restriction.applies});
  }
  return statements;
}

std::optional<bool> holds_at(const Counted& counted, const Statement& statement, std::int64_t i,
                             std::int64_t j) {
  const bool hops = statement.measure == MeasureKind::kHops;
  if (i < 1 || i > counted.last(statement.measure)) return std::nullopt;
  if (hops && (j < 1 || j >= i)) return std::nullopt;
  const std::int64_t v = hops ? i - j : i;
  if (!statement.applies(v)) return true;
  const Enclosed left =
      hops ? Enclosed{counted.hops(i, j), counted.hops(i, j)} : counted.value(statement.measure, i);
  const std::int64_t right = statement.right(v);
  const auto known = [](bool surely, bool perhaps) {
    return surely ? std::optional(true) : perhaps ? std::nullopt : std::optional(false);
  };
  switch (statement.relation) {
    case Relation::kAtMost:
      return known(left.high <= right, left.low <= right);
    case Relation::kAtLeast:
      return known(left.low >= right, left.high >= right);
    case Relation::kEqual:
      return known(left.exact() && left.low == right, left.low <= right && right <= left.high);
  }
  return std::nullopt;
}

std::optional<Failure> first_failure(const Counted& counted, const Statement& statement) {
  const bool hops = statement.measure == MeasureKind::kHops;
  for (std::int64_t i = 1; i <= counted.last(statement.measure); ++i) {
    for (std::int64_t j = 1; j <= (hops ? i - 1 : 1); ++j) {
      if (holds_at(counted, statement, i, j) == false) return Failure{i, hops ? j : 0};
    }
  }
  return std::nullopt;
}

}  // namespace heddle::study
