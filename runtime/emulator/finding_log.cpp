// SPDX-License-Identifier: Apache-2.0
#include "runtime/emulator/finding_log.hpp"

#include <fmt/core.h>

#include <utility>

namespace heddle::emulator {
namespace {

std::int64_t element_of(const Observation& seen) {
  return seen.size == 0 ? -1 : static_cast<std::int64_t>(seen.offset / seen.size);
}

std::string element_name(const Observation& seen) {
  return fmt::format("{}[{}]", seen.array->name, element_of(seen));
}

std::string describe_race(const Observation& seen, const std::string& other_where) {
  const std::string place = other_where.empty() ? "" : " at " + other_where;
  const char* verb = seen.is_write ? "writes" : "reads";
  if (seen.between_blocks) {
    return fmt::format("block {} {} {}, which another block {}{}: blocks have no order", seen.block,
                       verb, element_name(seen), seen.other_is_write ? "writes" : "reads", place);
  }
  return fmt::format("thread {} {} {}, which thread {} {}{} with no barrier between", seen.thread,
                     verb, element_name(seen), seen.other_thread,
                     seen.other_is_write ? "writes" : "reads", place);
}

std::string describe(const Observation& seen, SourceLines& lines) {
  if (!seen.words.empty()) return seen.words;
  const char* verb = seen.is_write ? "writes" : "reads";
  switch (seen.kind) {
    case FindingKind::kOutOfBounds:
      return fmt::format("thread {} {} {} bytes at byte {} of {}, which has {}", seen.thread, verb,
                         seen.size, static_cast<std::ptrdiff_t>(seen.offset), seen.array->name,
                         seen.array->bytes);
    case FindingKind::kUninitialisedRead:
      return fmt::format("thread {} reads {}, which nobody has written", seen.thread,
                         element_name(seen));
    case FindingKind::kRaceShared:
    case FindingKind::kRaceGlobal:
      return describe_race(seen, lines.where(seen.other_site));
    case FindingKind::kWriteTwice:
      return fmt::format("block {} thread {} writes {} a second time", seen.block, seen.thread,
                         element_name(seen));
    case FindingKind::kWriteToReadonly:
      return fmt::format("thread {} writes {}, which is read only", seen.thread,
                         element_name(seen));
    case FindingKind::kMisaligned:
      return fmt::format("thread {} {} {} bytes at byte {} of {}", seen.thread, verb, seen.size,
                         seen.offset, seen.array->name);
    case FindingKind::kUnwritten:
    case FindingKind::kBarrierDivergence:
    case FindingKind::kCollectiveMismatch:
    case FindingKind::kArithmetic:
    case FindingKind::kHang:
      break;
  }
  unreachable("an observation of this kind comes with its words");
}

}  // namespace

const char* name_of(FindingKind kind) {
  switch (kind) {
    case FindingKind::kOutOfBounds:
      return "out_of_bounds";
    case FindingKind::kUninitialisedRead:
      return "uninitialised_read";
    case FindingKind::kRaceShared:
      return "race_shared";
    case FindingKind::kRaceGlobal:
      return "race_global";
    case FindingKind::kWriteTwice:
      return "write_twice";
    case FindingKind::kUnwritten:
      return "unwritten";
    case FindingKind::kWriteToReadonly:
      return "write_to_readonly";
    case FindingKind::kBarrierDivergence:
      return "barrier_divergence";
    case FindingKind::kCollectiveMismatch:
      return "collective_mismatch";
    case FindingKind::kMisaligned:
      return "misaligned";
    case FindingKind::kArithmetic:
      return "arithmetic";
    case FindingKind::kHang:
      return "hang";
  }
  unreachable("a finding of no kind");
}

void FindingLog::note(Observation observation) {
  for (Entry& entry : entries_) {
    if (entry.observation.kind == observation.kind && entry.observation.site == observation.site &&
        entry.observation.array == observation.array) {
      ++entry.count;
      return;
    }
  }
  if (entries_.size() < limit_) entries_.push_back({std::move(observation), 1});
}

std::vector<Finding> FindingLog::findings(SourceLines& lines) const {
  std::vector<std::uint32_t> sites;
  for (const Entry& entry : entries_) {
    sites.push_back(entry.observation.site);
    sites.push_back(entry.observation.other_site);
  }
  lines.prepare(sites);
  std::vector<Finding> findings;
  for (const Entry& entry : entries_) {
    const Observation& seen = entry.observation;
    Finding finding;
    finding.kind = seen.kind;
    finding.message = describe(seen, lines);
    if (seen.site != 0) finding.where = lines.where(seen.site);
    if (seen.array != nullptr) {
      finding.array = seen.array->name;
      finding.element = element_of(seen);
    }
    finding.block = seen.block;
    finding.thread = seen.thread;
    finding.other_thread = seen.other_thread;
    finding.count = entry.count;
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace heddle::emulator
