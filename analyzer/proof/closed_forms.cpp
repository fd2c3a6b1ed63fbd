// SPDX-License-Identifier: Apache-2.0
// Shapes g are tried as g + c; the values say which c, and the prover whether it holds beyond them.
#include "analyzer/proof/closed_forms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "analyzer/proof/growth.hpp"
#include "patterns/growth_class.hpp"
#include "patterns/integer.hpp"

namespace heddle::proof {
namespace {

constexpr int kMostAttempts = 3;          // proofs of one kind that are tried
constexpr int kMostParts = 3;             // with parts of a shape
constexpr std::int64_t kLatestStart = 3;  // of an exact form
constexpr std::pair<std::int64_t, std::int64_t> kParts[] = {{3, 4}, {2, 3}, {1, 2}, {1, 3}, {1, 4}};

struct Shape {
  std::string text;  // of g
  GrowthClass growth;
  std::function<std::int64_t(std::int64_t)> value;
  std::int64_t first = 1;  // g has a value from here on
};

constexpr GrowthClass kConstant{}, kLogarithm{0, 1, 1}, kRoot{1, 2, 0}, kLine{1, 1, 0};

std::int64_t root(std::int64_t x) { return *integer_sqrt(x).to_int64(); }
std::int64_t log_of(std::int64_t x) { return *integer_log2(x).to_int64(); }

std::string plus(const std::string& text, std::int64_t c) {
  if (text == "0") return std::to_string(c);
  if (c == 0) return text;
  return fmt::format("{} {} {}", text, c > 0 ? "+" : "-", std::abs(c));
}

std::vector<Shape> shapes(const std::string& v, const std::vector<std::int64_t>& values) {
  const auto size = static_cast<std::int64_t>(values.size());
  std::vector<Shape> result{{"0", kConstant, [](std::int64_t) { return 0; }, 1},
                            {v, kLine, [](std::int64_t i) { return i; }, 1},
                            {"2 * " + v, kLine, [](std::int64_t i) { return 2 * i; }, 1}};
  const std::int64_t most = *std::max_element(values.begin(), values.end());
  if (most < size / 2) {
    for (const std::int64_t c : {most, most - 1}) {
      if (c < 1) continue;
      result.push_back({fmt::format("min({}, {})", v, c), kConstant,
                        [c](std::int64_t i) { return std::min(i, c); }, 1});
    }
  }
  for (const std::int64_t shift : {0, 1, 2}) {
    const std::string x = shift == 0 ? v : fmt::format("{} - {}", v, shift);
    result.push_back({fmt::format("log2({})", x), kLogarithm,
                      [=](std::int64_t i) { return log_of(i - shift); }, shift + 1});
    result.push_back({fmt::format("sqrt({})", x), kRoot,
                      [=](std::int64_t i) { return root(i - shift); },
                      std::max<std::int64_t>(shift, 1)});
  }
  // The root of a part or of a multiple: the square of the value is about a / b times i.
  const std::int64_t squared = std::max<std::int64_t>(values.back() * values.back(), 1);
  const auto add_roots = [&](std::int64_t about, bool part) {
    for (std::int64_t by = std::max<std::int64_t>(about - 1, 2); by <= about + 2; ++by) {
      for (const std::int64_t shift : {0, 1, 2}) {
        const std::string x = shift == 0 ? v : fmt::format("({} - {})", v, shift);
        result.push_back(
            {part ? fmt::format("sqrt(floor({} / {}))", x, by)
                  : fmt::format("sqrt({} * {})", by, x),
             kRoot,
             [=](std::int64_t i) { return root(part ? (i - shift) / by : by * (i - shift)); },
             std::max<std::int64_t>(shift, 1)});
      }
    }
  };
  if (squared < size) add_roots(size / squared, true);
  if (squared > size && squared < size * 8) add_roots(squared / size, false);
  // The slope of a straight line, if it is one over an integer.
  const std::int64_t rise = values.back() - values[values.size() / 2];
  if (rise > 0) {
    const std::int64_t m = (size - size / 2 + rise / 2) / rise;
    for (const std::int64_t slope : {m - 1, m, m + 1}) {
      for (const std::int64_t shift : {0, 1}) {
        if (slope < 2 || slope > size / 8) continue;
        const std::string x = shift == 0 ? v : fmt::format("({} - 1)", v);
        result.push_back({fmt::format("floor({} / {})", x, slope), kLine,
                          [=](std::int64_t i) { return (i - shift) / slope; }, 1});
      }
    }
  }
  return result;
}

// Shapes that leave room below a bound: parts of those above.
std::vector<Shape> parts_of(const std::vector<Shape>& whole) {
  std::vector<Shape> result = whole;
  for (const Shape& shape : whole) {
    if (shape.text.rfind("log2", 0) != 0 && shape.text.rfind("sqrt", 0) != 0) continue;
    for (const auto& [above, below] : kParts) {
      const std::string text = above == 1
                                   ? fmt::format("floor({} / {})", shape.text, below)
                                   : fmt::format("floor({} * {} / {})", above, shape.text, below);
      const std::int64_t factor = above, divisor = below;
      const auto value = shape.value;
      result.push_back({text, shape.growth,
                        [=](std::int64_t i) { return value(i) * factor / divisor; }, shape.first});
    }
  }
  return result;
}

}  // namespace

ClosedForms find_closed_forms(const std::string& variable, const std::vector<std::int64_t>& values,
                              const KnownClasses& classes,
                              const std::function<bool(FormKind, const std::string&)>& proves) {
  ClosedForms forms;
  if (values.size() < 16) return forms;
  const auto size = static_cast<std::int64_t>(values.size());
  const auto at = [&](std::int64_t i) { return values[static_cast<std::size_t>(i - 1)]; };
  const std::vector<Shape> whole = shapes(variable, values);
  int attempts = 0;
  for (std::int64_t start = 1; start <= kLatestStart; ++start) {
    for (const Shape& shape : whole) {
      if (shape.first > start) continue;
      const std::int64_t c = at(size) - shape.value(size);
      bool fits = true;
      for (std::int64_t i = start; i <= size && fits; ++i) fits = at(i) == shape.value(i) + c;
      if (!fits || ++attempts > kMostAttempts) continue;
      const std::string where = start == 1 ? "" : fmt::format(" for {} >= {}", variable, start);
      const std::string form = plus(shape.text, c) + where;
      if (!proves(FormKind::kExact, form)) continue;
      forms.exact = form;
      return forms;
    }
  }

  struct Candidate {
    std::string text;
    std::int64_t slack;  // over all values
    bool part;
  };
  const std::vector<Shape> parts = parts_of(whole);  // whole shapes first
  // With `spare` more than the values ask for; `late` forms hold from their first value on.
  const auto best = [&](bool upper, int spare, bool late) -> std::string {
    std::vector<Candidate> candidates;
    const std::size_t last = spare == 0 && !late ? parts.size() : whole.size();
    for (std::size_t index = 0; index < last; ++index) {
      const Shape& shape = parts[index];
      if ((shape.first > 1) != late) continue;
      if (upper ? classes.upper && grows_faster(shape.growth, *classes.upper)
                : classes.lower && grows_faster(*classes.lower, shape.growth)) {
        continue;
      }
      std::int64_t c = at(shape.first) - shape.value(shape.first);
      for (std::int64_t i = shape.first; i <= size; ++i) {
        const std::int64_t here = at(i) - shape.value(i);
        c = upper ? std::max(c, here) : std::min(c, here);
      }
      std::int64_t slack = 0;
      for (std::int64_t i = shape.first; i <= size; ++i) {
        slack += std::abs(shape.value(i) + c - at(i));
      }
      const std::string where = late ? fmt::format(" for {} >= {}", variable, shape.first) : "";
      candidates.push_back(
          {plus(shape.text, upper ? c + spare : c - spare) + where, slack, index >= whole.size()});
    }
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& x, const Candidate& y) { return x.slack < y.slack; });
    // Proofs that fail take longest, so only a few of the bold candidates are tried.
    int bold = 0, modest = 0;
    const auto too_many = [&](const Candidate& candidate) {
      return candidate.part ? upper || ++bold > kMostParts : ++modest > kMostAttempts;
    };
    candidates.erase(std::remove_if(candidates.begin(), candidates.end(), too_many),
                     candidates.end());
    for (const Candidate& candidate : candidates) {
      if (proves(upper ? FormKind::kUpper : FormKind::kLower, candidate.text)) {
        return candidate.text;
      }
    }
    return "";
  };
  for (const bool upper : {true, false}) {
    std::string& form = upper ? forms.upper : forms.lower;
    form = best(upper, 0, false);
    if (form.empty()) form = best(upper, 1, false);
    if (form.empty()) form = best(upper, 0, true);
  }
  return forms;
}

}  // namespace heddle::proof
