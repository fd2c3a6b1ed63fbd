// SPDX-License-Identifier: Apache-2.0
#include "runtime/emulator/engine.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

namespace heddle::emulator {
namespace {

using heddle_emulated::Bridge;
using heddle_emulated::Fault;

// Deep enough for what the hooks themselves need below a kernel's frames.
constexpr std::size_t kStackReserve = 64 * 1024;

// splitmix64: small, and the same everywhere.
std::uint64_t next_random(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// The size of the pieces in which an access of `size` bytes at `offset` can be told apart.
unsigned granule_shift(std::size_t offset, std::size_t size) {
  return static_cast<unsigned>(__builtin_ctzll(offset | size));
}

bool is_blank(const Array& array, std::size_t offset, std::size_t size) {
  return array.blank != nullptr && std::find(array.blank + offset, array.blank + offset + size,
                                             1) != array.blank + offset + size;
}

}  // namespace

Engine::Engine(const Launch& launch, Dialect dialect, ModuleImage& image, Memory& memory,
               Fibers& fibers, SourceLines& lines)
    : launch_(launch),
      dialect_(dialect),
      image_(image),
      memory_(memory),
      fibers_(fibers),
      lines_(lines),
      log_(launch.max_findings),
      runner_(launch.threads, fibers,
              BlockRunner::Host{[](void* self) {
                                  auto& engine = *static_cast<Engine*>(self);
                                  engine.image_.module->entry(engine.arguments_.data());
                                },
                                [](void* self, int thread) {
                                  auto& engine = *static_cast<Engine*>(self);
                                  engine.image_.module->thread_index->x =
                                      static_cast<unsigned>(thread);
                                  Bridge& bridge = *engine.image_.module->bridge;
                                  bridge.stack_begin = engine.fibers_.stack_begin(thread);
                                  bridge.stack_limit = bridge.stack_begin + kStackReserve;
                                },
                                this},
              clock_, log_, lines, counters_) {}

// The module calls through C function pointers; each finds its engine in the first argument.
void Engine::connect() {
  Bridge& bridge = *image_.module->bridge;
  bridge.engine = this;
  bridge.touch = [](void* self, const void* address, unsigned long size, Touch kind,
                    const void* site) {
    auto& engine = *static_cast<Engine*>(self);
    engine.touch(address, size, kind, engine.image_.site_of(site));
  };
  bridge.barrier = [](void* self, const void* site) {
    auto& engine = *static_cast<Engine*>(self);
    engine.runner_.wait_at_barrier(engine.image_.site_of(site));
  };
  bridge.collective = [](void* self, Collective kind, unsigned mask, unsigned long long value,
                         int operand, int width, const void* site) -> unsigned long long {
    auto& engine = *static_cast<Engine*>(self);
    return engine.runner_.wait_for_warp(kind, mask, LaneOperand{value, operand, width},
                                        engine.image_.site_of(site));
  };
  bridge.active_mask = [](void* self) -> unsigned {
    const auto& runner = static_cast<Engine*>(self)->runner_;
    return runner.lanes_alive(runner.thread() / 32);
  };
  bridge.fault = [](void* self, Fault kind, long long detail, const char* type, const void* site) {
    auto& engine = *static_cast<Engine*>(self);
    engine.fault(kind, detail, type, engine.image_.site_of(site));
  };
  bridge.exhausted = [](void* self, const void* site) {
    auto& engine = *static_cast<Engine*>(self);
    engine.exhausted(engine.image_.site_of(site));
  };
  bridge.reserve = [](void* self, int number, unsigned long bytes) -> void* {
    return static_cast<Engine*>(self)->memory_.reserve(number, bytes);
  };
  bridge.stack_bytes = fibers_.stack_bytes();
  bridge.gaps = gaps_watched_;
  bridge.steps_left = launch_.step_limit;
  bridge.entered = image_.entered.data();
  bridge.code = reinterpret_cast<const char*>(image_.begin);
}

void Engine::prepare_arguments() {
  const auto add = [&](const auto& value) {
    static_assert(sizeof value <= sizeof(Value));
    values_.emplace_back();
    std::memcpy(values_.back().bytes, &value, sizeof value);
  };
  for (const LaunchArgument& argument : launch_.arguments) {
    match(
        argument, [&](BufferArgument buffer) { add(memory_.device_address(buffer.index)); },
        [&](NullArgument) { add(static_cast<void*>(nullptr)); },
        [&](std::int32_t value) { add(value); }, [&](float value) { add(value); },
        [&](const FieldElement& value) { add(value); });
  }
  if (dialect_ == Dialect::kCpu) {
    add(std::int32_t{0});
    add(std::int32_t{0});
  }
  for (Value& value : values_) arguments_.push_back(value.bytes);
}

std::vector<int> Engine::order_of(int count, std::uint64_t salt) const {
  std::vector<int> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  if (launch_.order == LaneOrder::kReverse) std::reverse(order.begin(), order.end());
  if (launch_.order == LaneOrder::kShuffled) {
    std::uint64_t state = launch_.seed ^ (salt * 0x2545f4914f6cdd1du);
    for (std::size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[next_random(state) % i]);
    }
  }
  return order;
}

// In a shuffled order the warps of a block take turns, too; in the others one goes on for as long
// as it can, which keeps its stacks in the cache and shows other schedules.
std::vector<BlockRunner::Group> Engine::groups_of(const std::vector<int>& order) const {
  if (launch_.order == LaneOrder::kShuffled) return {{order, 0, (launch_.threads - 1) / 32}};
  std::vector<BlockRunner::Group> groups;
  for (const int thread : order) {
    const int warp = thread / 32;
    if (groups.empty() || groups.back().first_warp != warp) groups.push_back({{}, warp, warp});
    groups.back().threads.push_back(thread);
  }
  return groups;
}

EmulationResult Engine::run() {
  connect();
  prepare_arguments();
  const auto& module = *image_.module;
  *module.block_shape = {static_cast<unsigned>(launch_.threads), 1, 1};
  *module.grid_shape = {static_cast<unsigned>(launch_.blocks), 1, 1};
  *module.thread_index = {0, 0, 0};
  *module.field = {launch_.order_seed, 0, 0, 0, 0};
  if (launch_.count_requests) {
    requests_.emplace(launch_.threads);
    runner_.count_into(*requests_);
  }
  EmulationResult result;
  result.completed = true;
  // A cpu text gets its blocks in one range when they go forward, so that its own loop over them is
  // run too, and one by one in the other orders, where blocks can be told apart.
  const bool one_range = dialect_ == Dialect::kCpu && launch_.order == LaneOrder::kForward;
  const int ranges = one_range ? std::min(launch_.blocks, 1) : launch_.blocks;
  for (const int block : order_of(ranges, 0)) {
    *module.block_index = {static_cast<unsigned>(block), 0, 0};
    if (dialect_ == Dialect::kCpu) {
      const std::int32_t range[2] = {block, one_range ? launch_.blocks : block + 1};
      std::memcpy(values_[values_.size() - 2].bytes, &range[0], sizeof range[0]);
      std::memcpy(values_[values_.size() - 1].bytes, &range[1], sizeof range[1]);
    }
    memory_.begin_block();
    module.forget_copies();
    result.completed = runner_.run(
        block, groups_of(order_of(launch_.threads, static_cast<std::uint64_t>(block) + 1)));
    if (!result.completed) break;
  }
  if (result.completed && launch_.check) memory_.note_unwritten(log_);
  counters_.steps = launch_.step_limit - std::max(image_.module->bridge->steps_left, 0LL);
  counters_.additions = module.field->additions;
  counters_.multiplications = module.field->multiplications;
  counters_.divisions = module.field->divisions;
  counters_.exponentials = module.field->exponentials;
  result.counters = counters_;
  result.phases = phases();
  result.findings = log_.findings(lines_);
  return result;
}

std::vector<Phase> Engine::phases() {
  std::vector<std::uint32_t> sites;
  for (const auto& [site, counters] : runner_.phases()) {
    if (site != 0) sites.push_back(site);
  }
  if (!sites.empty()) lines_.prepare(sites);
  std::vector<Phase> phases;
  for (const auto& [site, counters] : runner_.phases()) {
    const std::string from = site == 0 ? "" : lines_.where(site);
    // The compiler may copy a barrier.
    auto phase = std::find_if(phases.begin(), phases.end(),
                              [&](const Phase& known) { return known.from == from; });
    if (phase == phases.end()) phase = phases.insert(phases.end(), Phase{from, {}});
    for (const auto counter : kAllCounters) phase->counters.*counter += counters.*counter;
  }
  return phases;
}

void Engine::touch(const void* pointer, std::size_t size, Touch kind, std::uint32_t site) {
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  Array* array = nullptr;
  const bool shared = memory_.in_shared(address);
  if (shared) {
    array = memory_.shared_at(address);
  } else if (memory_.in_global(address)) {
    array = memory_.global_at(address);
  } else {
    touch_elsewhere(address, size, kind, site);
    return;
  }
  if (array == nullptr) {
    out_of_bounds(
        nullptr, 0, size, kind, site,
        fmt::format("thread {} touches shared memory outside every array", runner_.thread()));
  }
  const std::size_t offset = address - array->begin;
  if (offset >= array->bytes || size > array->bytes - offset) {
    out_of_bounds(array, offset, size, kind, site, "");
  }
  ++counters_.accesses;
  const auto bytes = static_cast<std::int64_t>(size);
  if (kind == Touch::kRead || kind == Touch::kAtomic) {
    (shared ? counters_.shared_bytes_read : counters_.global_bytes_read) += bytes;
  }
  if (kind != Touch::kRead && kind != Touch::kCopyStarts) {
    (shared ? counters_.shared_bytes_written : counters_.global_bytes_written) += bytes;
  }
  if (requests_ && kind != Touch::kCopyStarts)
    requests_->add(site, runner_.thread(), address, size, shared);
  if (!launch_.check) return;
  if (shared) {
    check<true>(*array, offset, size, kind, site);
  } else {
    check<false>(*array, offset, size, kind, site);
  }
}

template <bool kShared>
void Engine::check(Array& array, std::size_t offset, std::size_t size, Touch kind,
                   std::uint32_t site) {
  if (kind != Touch::kRead && !array.writable) return refuse_write(array, offset, size, site);
  const unsigned finest = granule_shift(offset, size);
  if (finest < array.shift) array.refine(finest);
  const Toucher by{site, static_cast<std::uint16_t>(runner_.thread())};
  const std::size_t last = (offset + size - 1) >> array.shift;
  const bool readable = array.readable_at_start && !is_blank(array, offset, size);
  for (std::size_t i = offset >> array.shift; i <= last; ++i) {
    Cell& cell = array.cells[i];
    Trouble trouble;
    if (kind == Touch::kRead) {
      trouble = trouble_of_read<kShared>(cell, clock_, by, readable);
    } else {
      const bool atomic = kind == Touch::kAtomic;
      const bool was_written = written<kShared>(cell, clock_);
      trouble = trouble_of_write<kShared>(cell, clock_, by, array.write_once, atomic);
      trouble.uninitialised = atomic && !readable && !was_written;
      // What is written in place of a copy under way may be overwritten by it.
      if (kShared && cell.in_flight && was_written) {
        trouble.races_with_write |= kind != Touch::kCopyArrives;
      }
    }
    if (trouble) report(array, cell, trouble, offset, size, kind, site);
    if (kind == Touch::kRead) {
      note_read<kShared>(cell, clock_, by);
    } else {
      note_write(cell, clock_, by, kind);
    }
  }
}

void Engine::refuse_write(const Array& array, std::size_t offset, std::size_t size,
                          std::uint32_t site) {
  Observation seen = observe(FindingKind::kWriteToReadonly, site);
  seen.array = &array;
  seen.offset = offset;
  seen.size = size;
  seen.is_write = true;
  log_.note(std::move(seen));
}

void Engine::report(const Array& array, const Cell& before, Trouble trouble, std::size_t offset,
                    std::size_t size, Touch kind, std::uint32_t site) {
  const auto note = [&](FindingKind finding, bool other_is_write) {
    Observation seen = observe(finding, site);
    seen.array = &array;
    seen.offset = offset;
    seen.size = size;
    seen.is_write = kind != Touch::kRead;
    seen.other_is_write = other_is_write;
    seen.other_site = other_is_write ? before.write_site : before.read_site;
    seen.other_thread = other_is_write ? before.write_lane : before.read_lane;
    seen.between_blocks = trouble.between_blocks;
    log_.note(std::move(seen));
  };
  const FindingKind race = array.shared ? FindingKind::kRaceShared : FindingKind::kRaceGlobal;
  if (trouble.races_with_write) note(race, true);
  if (trouble.races_with_read) note(race, false);
  if (trouble.uninitialised) note(FindingKind::kUninitialisedRead, false);
  if (trouble.written_before) note(FindingKind::kWriteTwice, true);
}

// One thread's own: what is asked is whether it lies inside and holds something.
void Engine::touch_working(Memory::Working& working, std::uintptr_t address, std::size_t size,
                           Touch kind, std::uint32_t site) {
  const std::size_t offset = address - working.array.begin;
  if (offset >= working.array.bytes || size > working.array.bytes - offset) {
    out_of_bounds(&working.array, offset, size, kind, site, "");
  }
  if (kind != Touch::kRead) return working.write(offset, size);
  if (!launch_.check || working.holds(offset, size)) return;
  Observation seen = observe(FindingKind::kUninitialisedRead, site);
  seen.array = &working.array;
  seen.offset = offset;
  seen.size = size;
  log_.note(std::move(seen));
}

void Engine::touch_elsewhere(std::uintptr_t address, std::size_t size, Touch kind,
                             std::uint32_t site) {
  const auto within = [&](const char* begin, std::size_t bytes) {
    return address - reinterpret_cast<std::uintptr_t>(begin) < bytes;
  };
  if (Memory::Working* working = memory_.working_at(address)) {
    return touch_working(*working, address, size, kind, site);
  }
  const char* verb = kind == Touch::kRead ? "reads" : "writes";
  std::string words;
  if (address >= image_.begin && address < image_.end) {
    if (kind == Touch::kRead) return;
    words = fmt::format("thread {} writes a variable of the module, which only the host may set",
                        runner_.thread());
  } else if (within(fibers_.stack_begin(0),
                    fibers_.stack_bytes() * static_cast<std::size_t>(launch_.threads))) {
    words = fmt::format("thread {} {} the local memory of another thread", runner_.thread(), verb);
  } else if (address < 65536) {
    words = fmt::format("thread {} {} {} bytes at byte {} of a null pointer", runner_.thread(),
                        verb, size, address);
  } else {
    words = fmt::format("thread {} {} {} bytes outside every array", runner_.thread(), verb, size);
  }
  out_of_bounds(nullptr, 0, size, kind, site, std::move(words));
}

void Engine::out_of_bounds(const Array* array, std::size_t offset, std::size_t size, Touch kind,
                           std::uint32_t site, std::string words) {
  Observation seen = observe(FindingKind::kOutOfBounds, site);
  seen.array = array;
  seen.offset = offset;
  seen.size = size;
  seen.is_write = kind != Touch::kRead;
  seen.words = std::move(words);
  log_.note(std::move(seen));
  runner_.stop();  // the access itself must not happen
}

void Engine::fault(Fault kind, long long detail, const char* type, std::uint32_t site) {
  const int thread = runner_.thread();
  Observation seen = observe(FindingKind::kArithmetic, site);
  switch (kind) {
    case Fault::kIndex:
      seen.kind = FindingKind::kOutOfBounds;
      seen.words = fmt::format("thread {} uses the index {} of type {}", thread, detail, type);
      break;
    case Fault::kAlignment:
      seen.kind = FindingKind::kMisaligned;
      seen.words =
          fmt::format("thread {} touches a {} at an address that is odd for it", thread, type);
      break;
    case Fault::kObject:
      seen.kind = FindingKind::kOutOfBounds;
      seen.words = fmt::format("thread {} touches a {} behind the end of its array", thread, type);
      break;
    case Fault::kGap:
      seen.kind = FindingKind::kOutOfBounds;
      seen.words =
          fmt::format("thread {} touches {} bytes that belong to no array of its own, or no longer",
                      thread, detail);
      break;
    case Fault::kOverflow:
      seen.words = fmt::format("thread {} computes a signed integer that overflows", thread);
      break;
    case Fault::kDivision:
      seen.words = fmt::format("thread {} divides by zero, or the smallest integer by -1", thread);
      break;
    case Fault::kShift:
      seen.words = fmt::format("thread {} shifts by more than the operand holds", thread);
      break;
    case Fault::kCopies:
      seen.kind = FindingKind::kHang;
      seen.words =
          fmt::format("thread {} has started {} copies and awaited none of them", thread, detail);
      break;
  }
  log_.note(std::move(seen));
  // The processor would trap on these or touch foreign memory; the others have a defined result;
  // copies beyond those that are remembered would never arrive.
  if (kind == Fault::kIndex || kind == Fault::kObject || kind == Fault::kGap ||
      kind == Fault::kAlignment || kind == Fault::kDivision || kind == Fault::kCopies) {
    runner_.stop();
  }
}

void Engine::exhausted(std::uint32_t site) {
  Observation seen = observe(FindingKind::kHang, site);
  seen.words =
      image_.module->bridge->steps_left < 0
          ? fmt::format("the launch takes more than {} steps", launch_.step_limit)
          : fmt::format("thread {} needs more stack than a thread may have", runner_.thread());
  log_.note(std::move(seen));
  runner_.stop();
}

Observation Engine::observe(FindingKind kind, std::uint32_t site) const {
  Observation seen;
  seen.kind = kind;
  seen.site = site;
  seen.block = runner_.block();
  seen.thread = runner_.thread();
  return seen;
}

}  // namespace heddle::emulator
