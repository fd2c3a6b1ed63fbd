// SPDX-License-Identifier: Apache-2.0
// A benchmark's rows for scripts: null wherever there is no number.
#include <nlohmann/json.hpp>

#include "runtime/bench/bench.hpp"

namespace heddle {

std::string bench_json(const MachineFacts& machine, const std::vector<BenchRow>& rows) {
  using Json = nlohmann::ordered_json;
  Json results = Json::array();
  for (const BenchRow& row : rows) {
    Json result = {{"name", row.name},   {"op", row.op},       {"n", row.n},
                   {"batch", row.batch}, {"heads", row.heads}, {"head_dim", row.head_dim},
                   {"dtype", row.dtype}};
    const auto timed = [&](double value) { return row.timing ? Json(value) : Json(nullptr); };
    const auto rate = [&](double value) { return value > 0.0 ? timed(value) : Json(nullptr); };
    const Timing timing = row.timing.value_or(Timing{});
    result["median_ms"] = timed(timing.median_ms);
    result["p10_ms"] = timed(timing.p10_ms);
    result["p90_ms"] = timed(timing.p90_ms);
    result["gb_per_s"] = rate(row.gb_per_s);
    result["gflop_per_s"] = rate(row.gflop_per_s);
    result["max_rel_error"] = row.max_rel_error ? Json(*row.max_rel_error) : Json(nullptr);
    result["samples"] = timing.samples;
    if (!row.remark.empty()) result["reason"] = row.remark;
    results.push_back(std::move(result));
  }
  Json json = {{"machine",
                {{"cpu", machine.cpu},
                 {"logical_cores", machine.logical_cores},
                 {"compiler", machine.compiler},
                 {"flags", machine.flags},
                 {"system", machine.system}}},
               {"results", results}};
  if (!machine.device.empty()) json["machine"]["device"] = machine.device;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace heddle
