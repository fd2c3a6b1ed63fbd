// SPDX-License-Identifier: Apache-2.0
#include "runtime/emulator/emulated_kernel.hpp"

#include <algorithm>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/emulator/engine.hpp"
#include "runtime/emulator/gap_notes.hpp"
#include "runtime/emulator/watched_module.hpp"
#include "runtime/load/host_compiler.hpp"

namespace heddle::emulator {
namespace {

namespace fs = std::filesystem;

// A CUDA thread has at most 512 KiB of local memory; the pages of a stack exist once touched.
constexpr std::size_t kCudaStack = std::size_t{1} << 20;
constexpr std::size_t kCpuStack = std::size_t{64} << 20;

// The helpers of cpu texts may be compiled apart; over the reals, as they are shipped.
bool has_gaps_watched(const KernelText& kernel) {
  return kernel.dialect == Dialect::kCpu && kernel.scalars == Scalars::kReal;
}

const char* kind_of(char letter) {
  switch (letter) {
    case 'p':
      return "a pointer";
    case 'c':
      return "a pointer to constants";
    case 'i':
      return "a 32-bit integer";
    case 'f':
      return "a float";
    default:
      return "of another type";
  }
}

bool accepts(char letter, Scalars scalars, const LaunchArgument& argument) {
  const bool real = scalars == Scalars::kReal;
  return match(
      argument, [&](BufferArgument) { return letter == 'p' || letter == 'c'; },
      [&](NullArgument) { return letter == 'p' || letter == 'c'; },
      [&](std::int32_t) { return letter == 'i'; }, [&](float) { return real && letter == 'f'; },
      [&](FieldElement) { return !real && letter == 'f'; });
}

}  // namespace

const char* name_of(LaneOrder order) {
  switch (order) {
    case LaneOrder::kForward:
      return "forward";
    case LaneOrder::kReverse:
      return "reverse";
    case LaneOrder::kShuffled:
      return "shuffled";
  }
  unreachable("a lane order of no kind");
}

struct EmulatedKernel::Loaded {
  std::mutex turn;
  std::string symbol;
  Dialect dialect;
  Scalars scalars;
  ModuleImage image;
  SourceLines lines;
  std::string parameters;  // letters, see device/bridge.hpp
  std::optional<ModuleImage> gaps;
  std::optional<SourceLines> lines_of_gaps;

  std::optional<Error> misfit(const Launch& launch) const;
  Result<std::vector<Finding>> overruns(const Launch& launch);
};

EmulatedKernel::EmulatedKernel(std::unique_ptr<Loaded> loaded) : loaded_(std::move(loaded)) {}
EmulatedKernel::EmulatedKernel(EmulatedKernel&&) noexcept = default;
EmulatedKernel& EmulatedKernel::operator=(EmulatedKernel&&) noexcept = default;
EmulatedKernel::~EmulatedKernel() = default;

Result<EmulatedKernel> EmulatedKernel::build(const KernelText& kernel) {
  const auto compiler = HostCompiler::find();
  if (!compiler) return compiler.error();
  if (!compiler->is_gcc()) {
    return machine_error("the emulator needs g++, and CXX names " + compiler->version());
  }
  std::future<Result<fs::path>> gaps_module;
  if (has_gaps_watched(kernel)) {
    gaps_module = std::async(std::launch::async,
                             [&] { return watched_module(*compiler, kernel, Watch::kGaps); });
  }
  const auto path = watched_module(*compiler, kernel, Watch::kAccesses);
  const auto gaps_path = gaps_module.valid() ? gaps_module.get() : path;
  if (!path) return path.error();
  if (!gaps_path) return gaps_path.error();
  auto image = load_module(*path);
  if (!image) return image.error();
  const std::string parameters = *image->module->signature;
  const std::size_t unknown = parameters.find('?');
  if (unknown != std::string::npos) {
    return Error{"parameter " + std::to_string(unknown + 1) + " of " + kernel.symbol +
                 " is neither a pointer nor a 32-bit integer nor a float"};
  }
  if (kernel.dialect == Dialect::kCpu &&
      (parameters.size() < 2 || parameters.substr(parameters.size() - 2) != "ii")) {
    return Error{kernel.symbol + " does not end in two 32-bit integers, its range of blocks"};
  }
  auto loaded = std::unique_ptr<Loaded>(new Loaded{{},
                                                   kernel.symbol,
                                                   kernel.dialect,
                                                   kernel.scalars,
                                                   std::move(*image),
                                                   SourceLines(*path, kernel.file),
                                                   parameters,
                                                   std::nullopt,
                                                   std::nullopt});
  if (has_gaps_watched(kernel)) {
    auto gaps = load_module(*gaps_path);
    if (!gaps) return gaps.error();
    loaded->gaps = std::move(*gaps);
    loaded->lines_of_gaps.emplace(*gaps_path, kernel.file);
  }
  return EmulatedKernel(std::move(loaded));
}

std::optional<Error> EmulatedKernel::Loaded::misfit(const Launch& launch) const {
  const std::size_t own = parameters.size() - (dialect == Dialect::kCpu ? 2 : 0);
  if (launch.arguments.size() != own) {
    return Error{symbol + " takes " + std::to_string(own) + " arguments, the launch gives " +
                 std::to_string(launch.arguments.size())};
  }
  for (std::size_t i = 0; i < own; ++i) {
    if (!accepts(parameters[i], scalars, launch.arguments[i])) {
      return Error{"argument " + std::to_string(i + 1) + " of " + symbol + " is " +
                   kind_of(parameters[i])};
    }
    const auto* buffer = std::get_if<BufferArgument>(&launch.arguments[i]);
    if (buffer != nullptr && buffer->index >= launch.buffers.size()) {
      return Error{"argument " + std::to_string(i + 1) + " of " + symbol +
                   " names a buffer that the launch does not have"};
    }
  }
  const int most = dialect == Dialect::kCpu ? 1 : 1024;
  const std::size_t most_shared = scalars == Scalars::kField
                                      ? heddle_emulated::kMostDynamicSharedOfField
                                      : heddle_emulated::kMostDynamicShared;
  if (launch.dynamic_shared_bytes > most_shared) {
    return Error{"a block has at most " + std::to_string(most_shared) +
                 " bytes of dynamic shared memory"};
  }
  if (launch.blocks < 0 || launch.threads < 1 || launch.threads > most) {
    return Error{"a launch has at least one thread a block and at most " + std::to_string(most)};
  }
  return std::nullopt;
}

// What the launch does beyond a thread's own arrays.
Result<std::vector<Finding>> EmulatedKernel::Loaded::overruns(const Launch& launch) {
  Launch again = launch;
  again.check = again.count_requests = false;
  auto memory = Memory::create(again, *gaps);
  if (!memory) return memory.error();
  auto fibers = Fibers::create(again.threads, kCpuStack);
  if (!fibers) return fibers.error();
  const auto notes = GapNotes::of(*fibers);
  if (!notes) return notes.error();
  Engine engine(again, dialect, *gaps, *memory, *fibers, *lines_of_gaps);
  engine.watch_gaps();
  return engine.run().findings;
}

Result<EmulationResult> EmulatedKernel::run(const Launch& launch) {
  const std::lock_guard lock(loaded_->turn);
  if (const auto misfit = loaded_->misfit(launch)) return *misfit;
  auto& kernel = *loaded_;
  auto memory = Memory::create(launch, loaded_->image);
  if (!memory) return memory.error();
  auto fibers =
      Fibers::create(launch.threads, kernel.dialect == Dialect::kCuda ? kCudaStack : kCpuStack);
  if (!fibers) return fibers.error();
  Engine engine(launch, kernel.dialect, kernel.image, *memory, *fibers, kernel.lines);
  EmulationResult result = engine.run();
  if (kernel.gaps && launch.check && result.completed && result.findings.empty()) {
    auto findings = kernel.overruns(launch);
    if (!findings) return findings.error();
    result.findings = std::move(*findings);
  }
  memory->copy_back(launch);
  return result;
}

std::vector<std::pair<int, int>> EmulatedKernel::lines_never_run() {
  const std::lock_guard lock(loaded_->turn);
  const ModuleImage& image = loaded_->image;
  const auto ran = [&](std::uint32_t site) { return image.ran(site); };
  if (std::all_of(image.blocks.begin(), image.blocks.end(), ran)) return {};
  loaded_->lines.prepare(image.blocks);
  std::map<int, bool> entered;  // by line: any of its blocks
  for (const std::uint32_t block : image.blocks) {
    const int line = loaded_->lines.own_line(block);
    if (line > 0) entered[line] = entered[line] || ran(block);
  }
  std::vector<std::pair<int, int>> never;
  bool open = false;
  for (const auto& [line, any] : entered) {
    if (any) {
      open = false;
    } else if (open) {
      never.back().second = line;
    } else {
      never.emplace_back(line, line);
      open = true;
    }
  }
  return never;
}

}  // namespace heddle::emulator
