// SPDX-License-Identifier: Apache-2.0
// The capacity law at every token: the paths of tokens j <= p < j + m that have entered by p pass
// an output up to p that a later row reads, so some such output is on their number, divided by that
// of these outputs. The cut after m has the most paths, the cuts before it may have fewer outputs.
#include <algorithm>

#include "analyzer/measures/congestion_search.hpp"

namespace heddle {

CutBound cut_bound(const CopyTask& task) {
  const int m = task.copy();
  const int last = task.outputs();
  // Changes of the number of crossing paths, and of that of outputs that are read later.
  std::vector<std::int64_t> crossing(static_cast<std::size_t>(last) + 2, 0);
  std::vector<std::int64_t> read(crossing.size(), 0);
  for (int j = 1; j <= m; ++j) {
    const auto entries = task.entries_of(j);
    if (entries.empty()) continue;
    ++crossing[static_cast<std::size_t>(entries.back())];
    --crossing[static_cast<std::size_t>(j + m)];
  }
  std::vector<int> reader(crossing.size(), 0);  // the last one
  for (int v = 1; v <= last; ++v) {
    for (const std::int32_t u : task.reads_of(v)) reader[static_cast<std::size_t>(u)] = v;
  }
  for (int u = 1; u <= last; ++u) {
    if (reader[static_cast<std::size_t>(u)] == 0) continue;
    ++read[static_cast<std::size_t>(u)];
    --read[static_cast<std::size_t>(reader[static_cast<std::size_t>(u)])];
  }
  CutBound best;
  std::int64_t paths = 0, outputs = 0, most = 0;
  for (int p = 1; p < last; ++p) {
    paths += crossing[static_cast<std::size_t>(p)];
    outputs += read[static_cast<std::size_t>(p)];
    const std::int64_t load = outputs == 0 ? 0 : (paths + outputs - 1) / outputs;
    if (load <= most) continue;
    most = load;
    best.cut = p;
  }
  if (best.cut == 0) return best;
  best.weights.assign(static_cast<std::size_t>(last), 0);
  for (int u = 1; u <= best.cut; ++u) {
    if (reader[static_cast<std::size_t>(u)] > best.cut)
      best.weights[static_cast<std::size_t>(u - 1)] = 1;
  }
  best.lower = most;
  return best;
}

}  // namespace heddle
