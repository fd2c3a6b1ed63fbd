// SPDX-License-Identifier: Apache-2.0
#include "analyzer/audit/witnesses.hpp"

#include <algorithm>
#include <set>
#include <sstream>
#include <vector>

#include "patterns/ast_print.hpp"

namespace heddle::auditing {
namespace {

using Numbers = std::vector<std::int64_t>;

constexpr std::int64_t kMostTokens = 512;
// Of an output; 2^10 outputs on 2^9 paths stay far below 2^63.
constexpr std::int64_t kMostWeight = std::int64_t{1} << 40;

// Rows 1..last as lists of positions, read when they are asked for.
class Reads {
 public:
  explicit Reads(const Evaluator& evaluator) : evaluator_(evaluator) {}

  const Numbers& of(Side side, std::int64_t row) {
    const auto known = rows_.find({side, row});
    if (known != rows_.end()) return known->second;
    Numbers& list = rows_[{side, row}];
    const Result<Row> found = evaluator_.row(side, row);
    if (!found.ok() || found->violation) return list;
    for (const Interval& interval : found->positions) {
      for (std::int64_t p = interval.low; p <= interval.high; ++p) list.push_back(p);
    }
    return list;
  }
  bool has(Side side, std::int64_t row, std::int64_t position) {
    const Numbers& list = of(side, row);
    return std::find(list.begin(), list.end(), position) != list.end();
  }
  // x_input -> y_outputs[0] -> y_outputs[1] ..
  bool is_path(std::int64_t input, const Numbers& outputs) {
    if (outputs.empty() || !has(Side::kA, outputs.front(), input)) return false;
    for (std::size_t at = 1; at < outputs.size(); ++at) {
      if (!has(Side::kB, outputs[at], outputs[at - 1])) return false;
    }
    return true;
  }

 private:
  const Evaluator& evaluator_;
  std::map<std::pair<Side, std::int64_t>, Numbers> rows_;
};

// All lines of one measure and argument.
struct Lines {
  std::vector<Numbers> paths;
  std::vector<Numbers> weights;
};

std::optional<Integer> largest_load(std::int64_t m, const std::vector<Numbers>& paths,
                                    Reads& reads) {
  if (static_cast<std::int64_t>(paths.size()) != m) return std::nullopt;
  std::map<std::int64_t, std::int64_t> load;
  std::int64_t largest = 0;
  for (std::int64_t j = 1; j <= m; ++j) {
    const Numbers& path = paths[static_cast<std::size_t>(j - 1)];
    if (!reads.is_path(j, path) || path.back() != j + m) return std::nullopt;
    for (const std::int64_t output : path) largest = std::max(largest, ++load[output]);
  }
  return Integer(largest);
}

// The least weight of a path from token j to token j + m; nothing without a path.
std::optional<std::int64_t> lightest(std::int64_t j, std::int64_t m, const Numbers& weights,
                                     Reads& reads) {
  std::map<std::int64_t, std::int64_t> least;  // of a path that ends in this output
  for (std::int64_t v = j; v <= j + m; ++v) {
    std::optional<std::int64_t> best;
    if (reads.has(Side::kA, v, j)) best = 0;
    for (const std::int64_t p : reads.of(Side::kB, v)) {
      const auto before = least.find(p);
      if (before != least.end() && (!best || before->second < *best)) best = before->second;
    }
    if (best) least[v] = *best + weights[static_cast<std::size_t>(v - 1)];
  }
  const auto end = least.find(j + m);
  return end == least.end() ? std::nullopt : std::optional(end->second);
}

std::optional<Integer> least_load(std::int64_t m, const Numbers& weights, Reads& reads) {
  if (static_cast<std::int64_t>(weights.size()) != 2 * m) return std::nullopt;
  std::int64_t all = 0, needed = 0;
  for (const std::int64_t weight : weights) {
    if (weight < 0 || weight > kMostWeight) return std::nullopt;
    all += weight;
  }
  if (all == 0) return std::nullopt;
  for (std::int64_t j = 1; j <= m; ++j) {
    const std::optional<std::int64_t> least = lightest(j, m, weights, reads);
    if (!least) return std::nullopt;
    needed += *least;
  }
  return Integer((needed + all - 1) / all);
}

std::optional<Integer> disjoint_paths(std::int64_t m, const std::vector<Numbers>& paths,
                                      Reads& reads) {
  std::set<std::int64_t> inputs, outputs;
  for (const Numbers& path : paths) {
    const Numbers rest(path.begin() + std::min<std::ptrdiff_t>(1, std::ssize(path)), path.end());
    if (rest.empty() || path[0] > m || rest.back() <= m || !reads.is_path(path[0], rest) ||
        !inputs.insert(path[0]).second) {
      return std::nullopt;
    }
    for (const std::int64_t output : rest) {
      if (!outputs.insert(output).second) return std::nullopt;
    }
  }
  return Integer(static_cast<std::int64_t>(paths.size()));
}

std::optional<Enclosure> enclosed(MeasureKind measure, std::int64_t m, const Lines& lines,
                                  Reads& reads) {
  Enclosure shown;
  if (measure == MeasureKind::kRank) {
    shown.low = disjoint_paths(m, lines.paths, reads);
    if (!shown.low || !lines.weights.empty()) return std::nullopt;
    shown.high = Integer(m);  // columns
    return shown;
  }
  if (!lines.paths.empty()) {
    shown.high = largest_load(m, lines.paths, reads);
    if (!shown.high) return std::nullopt;
  }
  for (const Numbers& weights : lines.weights) {
    const std::optional<Integer> load = least_load(m, weights, reads);
    if (!load) return std::nullopt;
    if (!shown.low || *shown.low < *load) shown.low = load;
  }
  return shown;
}

}  // namespace

Result<Enclosures> read_witnesses(const std::string& evidence, const Evaluator& rows) {
  std::map<std::pair<MeasureKind, std::int64_t>, Lines> given;
  std::istringstream text(evidence);
  for (std::string line; std::getline(text, line);) {
    const Error wrong{"its evidence `" + line.substr(0, 60) + "` cannot be read"};
    std::istringstream words(line);
    std::string subject, kind;
    words >> subject >> kind;
    Numbers numbers;
    for (std::string word; words >> word;) {
      const std::optional<Integer> number = Integer::parse(word);
      if (!number || !number->to_int64()) return wrong;
      numbers.push_back(*number->to_int64());
    }
    const std::size_t open = subject.find('(');
    if (open == std::string::npos || subject.back() != ')') return wrong;
    const auto m = Integer::parse(subject.substr(open + 1, subject.size() - open - 2));
    const std::string name = subject.substr(0, open);
    const bool rank = name == name_of(MeasureKind::kRank);
    if ((!rank && name != name_of(MeasureKind::kCongestion)) || !m || *m < Integer(1) ||
        Integer(kMostTokens) < *m) {
      return wrong;
    }
    Lines& lines = given[{rank ? MeasureKind::kRank : MeasureKind::kCongestion, *m->to_int64()}];
    if (kind == "weights") {
      lines.weights.push_back(std::move(numbers));
    } else if (kind == "path" && std::all_of(numbers.begin(), numbers.end(), [](auto token) {
                 return token >= 1 && token <= 8 * kMostTokens;
               })) {
      lines.paths.push_back(std::move(numbers));
    } else {
      return wrong;
    }
  }
  Enclosures enclosures;
  Reads reads(rows);
  for (const auto& [subject, lines] : given) {
    const auto shown = enclosed(subject.first, subject.second, lines, reads);
    if (!shown) {
      return Error{std::string("its evidence for ") + name_of(subject.first) + "(" +
                   std::to_string(subject.second) + ") shows nothing"};
    }
    enclosures[subject] = *shown;
  }
  return enclosures;
}

}  // namespace heddle::auditing
