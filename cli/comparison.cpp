// SPDX-License-Identifier: Apache-2.0
#include "cli/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "analyzer/draw/trade_off_picture.hpp"
#include "analyzer/proof/prove.hpp"
#include "cli/analysis.hpp"
#include "runtime/load/user_cache.hpp"

namespace heddle {
namespace {

using Json = nlohmann::ordered_json;

// ---- one cell as JSON ---------------------------------------------------------------------------

Json number_json(const std::optional<std::int64_t>& value) {
  if (!value) return nullptr;
  return *value == ComparedPattern::kInfinite ? Json("inf") : Json(*value);
}

Json cell_json(const ComparedPattern& cell) {
  Json json = {{"pattern", cell.pattern},
               {"source_sha256", cell.sha256},
               {"n", cell.n},
               {"time", cell.time},
               {"time_class", cell.time_class},
               {"cache", number_json(cell.cache)},
               {"cache_class", cell.cache_class},
               {"depth", cell.depth},
               {"hops", number_json(cell.hops)},
               {"mean_hops", cell.mean_hops ? Json(*cell.mean_hops) : Json(nullptr)},
               {"copy", cell.copy},
               {"congestion_lower", number_json(cell.congestion_lower)},
               {"congestion_upper", number_json(cell.congestion_upper)},
               {"cut", cell.cut},
               {"rank", number_json(cell.rank)}};
  if (!cell.reasons.empty()) json["reasons"] = cell.reasons;
  return json;
}

std::optional<std::int64_t> number_of(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return json.is_string() ? ComparedPattern::kInfinite : json.get<std::int64_t>();
}

// What cell_json wrote; nothing for anything else.
std::optional<ComparedPattern> cell_of(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    ComparedPattern cell;
    cell.pattern = json.at("pattern");
    cell.sha256 = json.at("source_sha256");
    cell.n = json.at("n");
    cell.time = json.at("time");
    cell.time_class = json.at("time_class");
    cell.cache = number_of(json.at("cache"));
    cell.cache_class = json.at("cache_class");
    cell.depth = json.at("depth");
    cell.hops = number_of(json.at("hops"));
    if (!json.at("mean_hops").is_null()) cell.mean_hops = json.at("mean_hops").get<double>();
    cell.copy = json.at("copy");
    cell.congestion_lower = number_of(json.at("congestion_lower"));
    cell.congestion_upper = number_of(json.at("congestion_upper"));
    cell.cut = json.at("cut");
    cell.rank = number_of(json.at("rank"));
    if (json.contains("reasons")) cell.reasons = json.at("reasons");
    return cell;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

// ---- the cache ----------------------------------------------------------------------------------

// Names the running program, so that a rebuilt one computes again.
std::string program_identity() {
  std::error_code error;
  const auto size = std::filesystem::file_size("/proc/self/exe", error);
  const auto written = std::filesystem::last_write_time("/proc/self/exe", error);
  return fmt::format("{} {} {}", HEDDLE_VERSION, size, written.time_since_epoch().count());
}

constexpr const char* kKind = "measures";

std::string key_of(const ComparisonTask& task, const Pattern& pattern, std::int64_t n) {
  return fmt::format("{}\n{}\n{} {} {} {}", program_identity(), pattern.sha256(), n,
                     task.measures.cut.value_or(-1), task.measures.copy.value_or(-1),
                     task.measures.congestion.work);
}

std::optional<ComparedPattern> read_cached(const std::string& key, const Pattern& pattern,
                                           std::int64_t n) {
  const std::optional<std::string> kept = kept_bytes(kKind, key);
  if (!kept) return std::nullopt;
  std::optional<ComparedPattern> cell = cell_of(*kept);
  if (!cell || cell->sha256 != pattern.sha256() || cell->n != n) return std::nullopt;
  return cell;
}

// ---- computing ----------------------------------------------------------------------------------

Result<ComparedPattern> compute(const ComparisonTask& task, const Pattern& pattern,
                                std::int64_t n) {
  const std::string key = key_of(task, pattern, n);
  if (task.use_cache) {
    if (std::optional<ComparedPattern> cell = read_cached(key, pattern, n)) return *cell;
  }
  const MaterializeResult rows = materialize(pattern, n);
  if (!std::holds_alternative<Rows>(rows)) {
    return Error{fmt::format("{}: its rows 1..{} cannot be listed", pattern.name(), n)};
  }
  ComparedPattern cell = compared(pattern, measure(pattern, std::get<Rows>(rows), task.measures));
  const DerivedBounds bounds = derive(pattern);
  cell.time_class = class_text(bounds.time);
  cell.cache_class = class_text(bounds.cache);
  // A cell that cannot be kept is computed again next time; nobody has to know.
  if (task.use_cache) keep_bytes(kKind, key, cell_json(cell).dump());
  return cell;
}

std::string number_text(const std::optional<std::int64_t>& value) {
  if (!value) return "-";
  return *value == ComparedPattern::kInfinite ? "inf" : grouped(*value);
}

std::string congestion_text(const ComparedPattern& cell) {
  if (cell.congestion_lower == cell.congestion_upper) return number_text(cell.congestion_lower);
  return number_text(cell.congestion_lower) + ".." + number_text(cell.congestion_upper);
}

}  // namespace

Result<std::vector<ComparedPattern>> compare(const ComparisonTask& task) {
  const std::size_t lengths = task.lengths.size();
  const std::size_t count = task.patterns.size() * lengths;
  std::vector<Result<ComparedPattern>> cells(count, Error{"not computed"});
  std::atomic<std::size_t> next = 0;
  std::size_t done = 0;
  std::mutex mutex;
  const auto work = [&] {
    for (std::size_t k = next++; k < count; k = next++) {
      // The longest first: the last one to finish should be a short one.
      const std::size_t cell =
          (k % task.patterns.size()) * lengths + (lengths - 1 - k / task.patterns.size());
      const LabelledPattern& pattern = task.patterns[cell / lengths];
      cells[cell] = compute(task, pattern.pattern, task.lengths[cell % lengths]);
      if (cells[cell]) cells[cell]->pattern = pattern.label;
      const std::lock_guard lock(mutex);
      ++done;
      if (task.progress) {
        task.progress(fmt::format("{} of {}: {} at n = {}", done, count, pattern.label,
                                  grouped(task.lengths[cell % lengths])));
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
    for (std::size_t k = 1; k < std::min(cores, count); ++k) threads.emplace_back(work);
    work();
  }
  std::vector<ComparedPattern> result;
  for (Result<ComparedPattern>& cell : cells) {
    if (!cell) return cell.error();
    result.push_back(std::move(*cell));
  }
  return result;
}

std::string comparison_json(const std::vector<ComparedPattern>& cells) {
  const std::vector<bool> front = pareto_front(cells);
  Json json = {{"cells", Json::array()}};
  for (std::size_t k = 0; k < cells.size(); ++k) {
    Json cell = cell_json(cells[k]);
    cell["on_front"] = static_cast<bool>(front[k]);
    json["cells"].push_back(std::move(cell));
  }
  return json.dump(2);
}

std::string comparison_csv(const std::vector<ComparedPattern>& cells) {
  const std::vector<bool> front = pareto_front(cells);
  const auto field = [](const std::optional<std::int64_t>& value) {
    if (!value) return std::string();
    return *value == ComparedPattern::kInfinite ? "inf" : std::to_string(*value);
  };
  const auto quoted = [](const std::string& label) {
    return label.find_first_of(",\"") == std::string::npos ? label : '"' + label + '"';
  };
  std::string csv =
      "pattern,n,time,time_class,cache,cache_class,depth,hops,mean_hops,copy,congestion_lower,"
      "congestion_upper,cut,rank,on_front\r\n";
  for (std::size_t k = 0; k < cells.size(); ++k) {
    const ComparedPattern& cell = cells[k];
    csv += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n", quoted(cell.pattern),
                       cell.n, cell.time, cell.time_class, field(cell.cache), cell.cache_class,
                       cell.depth, field(cell.hops),
                       cell.mean_hops ? fmt::format("{:.6g}", *cell.mean_hops) : "", cell.copy,
                       field(cell.congestion_lower), field(cell.congestion_upper), cell.cut,
                       field(cell.rank), front[k] ? 1 : 0);
  }
  return csv;
}

TextTable comparison_table(const std::vector<ComparedPattern>& cells) {
  const std::vector<bool> front = pareto_front(cells);
  TextTable table{{{"pattern"},
                   {"n", Align::kRight},
                   {"time", Align::kRight},
                   {"every n"},
                   {"cache", Align::kRight},
                   {"every n"},
                   {"depth", Align::kRight},
                   {"hops", Align::kRight},
                   {"mean", Align::kRight},
                   {"congestion", Align::kRight},
                   {"rank", Align::kRight},
                   {""}},
                  {}};
  for (std::size_t k = 0; k < cells.size(); ++k) {
    const ComparedPattern& cell = cells[k];
    table.rows.push_back({{cell.pattern, front[k] ? Tone::kStrong : Tone::kPlain},
                          grouped(cell.n),
                          grouped(cell.time),
                          {cell.time_class, Tone::kMuted},
                          number_text(cell.cache),
                          {cell.cache_class, Tone::kMuted},
                          grouped(cell.depth),
                          number_text(cell.hops),
                          cell.mean_hops ? fmt::format("{:.2f}", *cell.mean_hops) : "-",
                          congestion_text(cell),
                          number_text(cell.rank),
                          front[k] ? "*" : ""});
  }
  return table;
}

std::string comparison_svg(const std::vector<ComparedPattern>& cells) {
  const std::vector<bool> front = pareto_front(cells);
  const ComparedPattern& longest = *std::max_element(
      cells.begin(), cells.end(),
      [](const ComparedPattern& a, const ComparedPattern& b) { return a.n < b.n; });
  std::vector<TradeOff> points;
  std::int64_t copy = 0;
  for (std::size_t k = 0; k < cells.size(); ++k) {
    const ComparedPattern& cell = cells[k];
    if (cell.n != longest.n || !cell.cache) continue;
    copy = std::max(copy, cell.copy);
    TradeOff point{cell.pattern, static_cast<double>(cell.time), static_cast<double>(*cell.cache),
                   std::nullopt, front[k]};
    if (cell.congestion_upper && *cell.congestion_upper != ComparedPattern::kInfinite) {
      point.congestion = static_cast<double>(*cell.congestion_upper);
    }
    points.push_back(std::move(point));
  }
  return trade_off_svg(
      "what each pattern buys",
      fmt::format("n = {}; congestion of copying {} tokens", grouped(longest.n), grouped(copy)),
      points);
}

}  // namespace heddle
