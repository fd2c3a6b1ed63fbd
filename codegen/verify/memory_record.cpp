// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/memory_record.hpp"

#include <utility>

namespace heddle::verify {

std::string told(const Visit& visit) {
  return "thread " + std::to_string(visit.thread) + " of block " + std::to_string(visit.block) +
         " in line " + std::to_string(visit.at.line);
}

MemoryRecord::MemoryRecord(Options options) : options_(std::move(options)) { forget(); }

void MemoryRecord::forget() {
  const auto length = static_cast<std::size_t>(options_.length);
  trails_.assign(length, {});
  whole.assign(length, 0);
  real.assign(length, 0.0f);
  blank_.clear();
}

std::string MemoryRecord::place(std::int64_t index) const {
  return options_.name + "[" + std::to_string(index) + "]";
}

std::optional<Violation> MemoryRecord::bounds(std::int64_t index, const Visit& visit) const {
  if (options_.missing) {
    return Violation{
        "bounds", told(visit) + " touches " + place(index) + ", which need not be given", visit.at};
  }
  if (0 <= index && index < options_.length) return std::nullopt;
  return Violation{"bounds",
                   told(visit) + " touches " + place(index) + " of " +
                       std::to_string(options_.length) + " elements",
                   visit.at};
}

// Whether nothing orders the two: another thread in the same phase, or another block.
bool MemoryRecord::apart(const Visit& before, const Visit& now) const {
  if (before.block != now.block) return options_.global;
  return before.thread != now.thread && before.phase == now.phase;
}

std::optional<Violation> MemoryRecord::read(std::int64_t index, const Visit& visit) {
  if (auto outside = bounds(index, visit)) return outside;
  Trail& trail = trails_[static_cast<std::size_t>(index)];
  if (!trail.writer && (!options_.written || blank(index))) {
    return Violation{
        "initialised",
        told(visit) + " reads " + place(index) +
            (blank(index) ? ", of a slot that holds no token" : ", which nobody has written"),
        visit.at};
  }
  if (trail.writer && apart(*trail.writer, visit)) {
    return Violation{"races",
                     told(visit) + " reads " + place(index) + ", which " + told(*trail.writer) +
                         " writes with no barrier between",
                     visit.at};
  }
  std::optional<Visit>& first = trail.readers[0];
  std::optional<Visit>& second = trail.readers[1];
  const auto same = [](const Visit& a, const Visit& b) {
    return a.block == b.block && a.thread == b.thread;
  };
  if (first && (first->block != visit.block || first->phase != visit.phase)) {
    // Of an older phase one is enough, for other blocks to meet.
    second = options_.global && first->block != visit.block ? first : std::nullopt;
    first = visit;
  } else if (!first || same(*first, visit)) {
    first = visit;
  } else {
    second = visit;
  }
  return std::nullopt;
}

std::optional<Violation> MemoryRecord::write(std::int64_t index, const Visit& visit) {
  if (auto outside = bounds(index, visit)) return outside;
  Trail& trail = trails_[static_cast<std::size_t>(index)];
  if (trail.writer && apart(*trail.writer, visit)) {
    return Violation{"races",
                     told(visit) + " writes " + place(index) + ", which " + told(*trail.writer) +
                         " writes with no barrier between",
                     visit.at};
  }
  for (const std::optional<Visit>& reader : trail.readers) {
    if (!reader || !apart(*reader, visit)) continue;
    return Violation{"races",
                     told(visit) + " writes " + place(index) + ", which " + told(*reader) +
                         " reads with no barrier between",
                     visit.at};
  }
  if (trail.writer && options_.written_once) {
    return Violation{"outputs",
                     told(visit) + " writes " + place(index) + ", which " + told(*trail.writer) +
                         " has written already",
                     visit.at};
  }
  trail.writer = visit;
  return std::nullopt;
}

std::optional<std::int64_t> MemoryRecord::unwritten() const {
  for (std::size_t index = 0; index < trails_.size(); ++index) {
    if (!trails_[index].writer) return static_cast<std::int64_t>(index);
  }
  return std::nullopt;
}

}  // namespace heddle::verify
