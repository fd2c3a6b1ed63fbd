// SPDX-License-Identifier: Apache-2.0
// Tokens are in topological order, so one pass over rows j..j+m finds a lightest path.
#include "analyzer/measures/copy_task.hpp"

#include <algorithm>
#include <type_traits>

namespace heddle {
namespace {

constexpr std::int64_t kMaxReads = std::int64_t{1} << 24;

}  // namespace

Result<CopyTask> CopyTask::build(const Rows& rows, std::int64_t copy) {
  assert_that(copy >= 1 && rows.n() >= 2 * copy, "the rows reach the last target");
  std::int64_t reads = 0;
  for (std::int64_t i = 1; i <= 2 * copy; ++i) reads += rows.a.size(i) + rows.b.size(i);
  if (reads > kMaxReads) {
    return Error{"the copy task of " + std::to_string(copy) + " tokens has " +
                 std::to_string(reads) + " reads, more than the " + std::to_string(kMaxReads) +
                 " that are searched"};
  }
  CopyTask task;
  task.copy_ = static_cast<int>(copy);
  const int m = task.copy_;
  task.read_start_ = {0, 0};
  std::vector<std::vector<std::int32_t>> entries(static_cast<std::size_t>(m) + 1);
  for (int v = 1; v <= 2 * m; ++v) {
    for_each_position(rows.b, v, [&](std::int64_t u) {
      task.reads_.push_back(static_cast<std::int32_t>(u));
      // A search from j sees this read when u >= j and v <= j + m.
      task.work_per_sweep_ +=
          std::max<std::int64_t>(0, std::min<std::int64_t>(u, m) - std::max(1, v - m) + 1);
    });
    task.read_start_.push_back(static_cast<std::int32_t>(task.reads_.size()));
    for_each_position(rows.a, v, [&](std::int64_t j) {
      if (j > m || v > j + m) return;
      entries[static_cast<std::size_t>(j)].push_back(v);
    });
  }
  task.work_per_sweep_ += 2 * static_cast<std::int64_t>(m) * m;  // rows cost something themselves
  task.entry_start_ = {0, 0};
  for (int j = 1; j <= m; ++j) {
    const auto& own = entries[static_cast<std::size_t>(j)];
    task.entries_.insert(task.entries_.end(), own.begin(), own.end());
    task.entry_start_.push_back(static_cast<std::int32_t>(task.entries_.size()));
  }
  const auto size = static_cast<std::size_t>(2 * m) + 1;
  task.before_.resize(size);
  task.real_.resize(size);
  task.whole_.resize(size);
  return task;
}

template <typename Weight>
Weight CopyTask::lightest_path(int j, const std::vector<Weight>& weights, std::vector<int>* path) {
  constexpr Weight kNone = -1;
  std::vector<Weight>* scratch;
  if constexpr (std::is_same_v<Weight, double>) {
    scratch = &real_;
  } else {
    scratch = &whole_;
  }
  std::vector<Weight>& least = *scratch;
  const std::int32_t* entry = entries_.data() + entry_start_[j];
  const std::int32_t* const last_entry = entries_.data() + entry_start_[j + 1];
  for (int v = j; v <= j + copy_; ++v) {
    const std::int32_t* const end = reads_.data() + read_start_[v + 1];
    const std::int32_t* read = reads_.data() + read_start_[v];
    if (read != end && *read < j) read = std::lower_bound(read, end, j);
    Weight best = kNone;
    std::int32_t before = 0;
    if (entry != last_entry && *entry == v) {
      best = 0;
      ++entry;
    } else {
      for (; read != end; ++read) {
        const Weight candidate = least[*read];
        if (candidate >= 0 && (best < 0 || candidate < best)) {
          best = candidate;
          before = *read;
        }
      }
    }
    least[v] = best < 0 ? kNone : best + weights[v];
    before_[v] = before;
  }
  const int target = j + copy_;
  if (path && least[target] >= 0) {
    path->clear();
    for (int v = target; v != 0; v = before_[v]) path->push_back(v);
    std::reverse(path->begin(), path->end());
  }
  return least[target];
}

template double CopyTask::lightest_path(int, const std::vector<double>&, std::vector<int>*);
template std::int64_t CopyTask::lightest_path(int, const std::vector<std::int64_t>&,
                                              std::vector<int>*);

}  // namespace heddle
