// SPDX-License-Identifier: Apache-2.0
#include "runtime/verify/launch.hpp"

#include <fmt/format.h>

#include <limits>

#include "runtime/emulator/emulated_kernel.hpp"

namespace heddle {
namespace {

emulator::LaneOrder lane_order(ThreadOrder order) {
  switch (order) {
    case ThreadOrder::kForward:
      return emulator::LaneOrder::kForward;
    case ThreadOrder::kReverse:
      return emulator::LaneOrder::kReverse;
    case ThreadOrder::kShuffled:
      return emulator::LaneOrder::kShuffled;
  }
  unreachable("thread order");
}

// What is still poisoned holds nothing to read: the tail of a coefficient row, a free slot.
std::vector<emulator::ByteRange> poisoned_ranges(const HostBuffer& buffer) {
  std::vector<emulator::ByteRange> ranges;
  const std::size_t size = size_of(buffer.type());
  for (std::int64_t e = 0; e < buffer.count(); ++e) {
    if (!buffer.poisoned(e)) continue;
    const std::size_t begin = static_cast<std::size_t>(e) * size;
    if (!ranges.empty() && ranges.back().end == begin) {
      ranges.back().end = begin + size;
    } else {
      ranges.push_back({begin, begin + size});
    }
  }
  return ranges;
}

emulator::LaunchBuffer launch_buffer(const Argument& argument, HostBuffer& buffer) {
  emulator::LaunchBuffer launch;
  launch.name = argument.name;
  launch.data = buffer.data();
  launch.bytes = buffer.bytes();
  launch.access = argument.access;
  // Every element of y once and only once; a final state may leave free slots alone and may come
  // to its contents in steps, so it is only barred from reading what nobody wrote.
  if (argument.name != "y" && argument.access == Access::kWrite) {
    launch.access = Access::kReadWrite;
  }
  if (launch.access != Access::kWrite) launch.uninitialised = poisoned_ranges(buffer);
  return launch;
}

// What an array that is counted by tokens has in front of the first sequence and behind the last.
std::vector<emulator::ByteRange> outside_of_sequences(const Argument& argument,
                                                      const HostBuffer& buffer,
                                                      const HostBuffers& buffers) {
  const auto offsets = buffers.find("offsets");
  if (offsets == buffers.end() || argument.access == Access::kRead) return {};
  if (argument.shape.front() != "tokens" || buffer.shape().front() == 0) return {};
  const HostBuffer& bounds = offsets->second;
  const std::size_t token = buffer.bytes() / static_cast<std::size_t>(buffer.shape().front());
  const auto first = static_cast<std::size_t>(bounds.get(0));
  const auto behind = static_cast<std::size_t>(bounds.get(bounds.count() - 1));
  return {{0, first * token}, {behind * token, buffer.bytes()}};
}

}  // namespace

const char* name_of(ThreadOrder order) { return emulator::name_of(lane_order(order)); }

struct KernelUnderTest::State {
  KernelEntry entry;
  Manifest manifest;
  Numbers numbers = Numbers::kReal;
  bool cuda = true;
  emulator::EmulatedKernel kernel;

  Result<emulator::Launch> prepare(const Sizes& sizes, std::int64_t expected_work) const;
  Result<LaunchOutcome> run(const emulator::Launch& launch);
};

KernelUnderTest::KernelUnderTest(std::unique_ptr<State> state) : state_(std::move(state)) {}
KernelUnderTest::KernelUnderTest(KernelUnderTest&&) noexcept = default;
KernelUnderTest::~KernelUnderTest() = default;

const KernelEntry& KernelUnderTest::entry() const { return state_->entry; }

Result<KernelUnderTest> KernelUnderTest::build(const Manifest& manifest, const KernelEntry& entry,
                                               const std::map<std::string, std::string>& files,
                                               Numbers numbers) {
  const auto text = files.find(entry.file);
  if (text == files.end()) {
    return Error{fmt::format("the artifact has no file '{}'", entry.file)};
  }
  const bool cuda = manifest.target == "cuda";
  emulator::KernelText kernel;
  kernel.file = entry.file;
  kernel.text = text->second;
  kernel.symbol = entry.symbol;
  kernel.dialect = cuda ? emulator::Dialect::kCuda : emulator::Dialect::kCpu;
  kernel.scalars = numbers == Numbers::kReal ? emulator::Scalars::kReal : emulator::Scalars::kField;
  for (const auto& [name, content] : files) {
    if (name != entry.file) kernel.includes.emplace(name, content);
  }
  Result<emulator::EmulatedKernel> built = emulator::EmulatedKernel::build(kernel);
  if (!built) return built.error();
  return KernelUnderTest(
      std::make_unique<State>(State{entry, manifest, numbers, cuda, *std::move(built)}));
}

// The launch shape and the sizes; buffers and scalars are the caller's, in the order of arguments.
Result<emulator::Launch> KernelUnderTest::State::prepare(const Sizes& sizes,
                                                         std::int64_t expected_work) const {
  emulator::Launch launch;
  std::int64_t blocks = 1;
  for (const std::string& extent : entry.grid) {
    const Result<std::int64_t> value = sizes.extent(extent);
    if (!value) return value.error();
    blocks *= *value;
  }
  if (blocks < 1 || blocks > std::numeric_limits<std::int32_t>::max()) {
    return Error{"the launch would have no blocks, or too many"};
  }
  // Loops, address arithmetic and warp operations enter a few blocks per access; fifty is a hang.
  // Walks over a row cost steps without any access, most where filters drop most of its positions.
  launch.step_limit = 50 * expected_work + 200'000 * sizes.tokens * blocks + 5'000'000;
  launch.blocks = static_cast<int>(blocks);
  launch.threads = cuda ? entry.threads : 1;
  const SharedLaunch shared = manifest.varlen
                                  ? shared_launch(manifest, entry, sizes.longest, 0)
                                  : shared_launch(manifest, entry, sizes.tokens, sizes.start);
  // Products of matrices are of whole tiles, however few tokens there are.
  if (entry.schedule == "tensor") {
    const std::int64_t* const rows = shared.find("tile_rows");
    launch.step_limit += 50 * blocks * (rows == nullptr ? 0 : *rows) *
                         std::int64_t{manifest.state_dim} * manifest.head_dim;
  }
  launch.dynamic_shared_bytes = static_cast<std::size_t>(shared.bytes);
  if (numbers == Numbers::kField) {
    // Its elements are wider.
    launch.dynamic_shared_bytes *= sizeof(FieldElement) / size_of(manifest.dtype);
  }
  for (const Argument& argument : entry.arguments) {
    launch.arguments.emplace_back(emulator::NullArgument{});
    if (argument.kind == ArgumentKind::kSize) {
      const std::int64_t* const rows = shared.find(argument.name);
      const Result<std::int64_t> value = rows != nullptr ? *rows : sizes.extent(argument.name);
      if (!value) return value.error();
      launch.arguments.back() = static_cast<std::int32_t>(*value);
    } else if (argument.kind == ArgumentKind::kScalar && argument.name != "scale" &&
               argument.name != "gamma") {
      return Error{fmt::format("the manifest names an unknown scalar '{}'", argument.name)};
    }
  }
  return launch;
}

Result<LaunchOutcome> KernelUnderTest::State::run(const emulator::Launch& launch) {
  const Result<emulator::EmulationResult> result = kernel.run(launch);
  if (!result) return result.error();
  LaunchOutcome outcome;
  for (const emulator::Finding& finding : result->findings) {
    outcome.findings.push_back({emulator::name_of(finding.kind), finding.message,
                                finding.where.empty() ? entry.file : finding.where});
  }
  if (!result->completed && outcome.findings.empty()) {
    outcome.findings.push_back({"hang", "the kernel did not come to its end", entry.file});
  }
  const emulator::Counters& counters = result->counters;
  outcome.counters = {.global_bytes_read = counters.global_bytes_read,
                      .global_bytes_written = counters.global_bytes_written,
                      .requests = counters.global_requests,
                      .sectors = counters.global_sectors,
                      .shared_requests = counters.shared_requests,
                      .shared_bank_conflicts = counters.shared_bank_conflicts,
                      .barriers = counters.barriers,
                      .accesses = counters.accesses,
                      .steps = counters.steps,
                      .additions = counters.additions,
                      .multiplications = counters.multiplications,
                      .divisions = counters.divisions,
                      .exponentials = counters.exponentials};
  for (const emulator::Phase& phase : result->phases) {
    const emulator::Counters& c = phase.counters;
    outcome.phases.push_back({.from = phase.from,
                              .global_bytes_read = c.global_bytes_read,
                              .global_bytes_written = c.global_bytes_written,
                              .requests = c.global_requests,
                              .sectors = c.global_sectors,
                              .shared_bank_conflicts = c.shared_bank_conflicts,
                              .barriers = c.barriers});
  }
  return outcome;
}

Result<LaunchOutcome> KernelUnderTest::launch(const LaunchRequest& request) const {
  Result<emulator::Launch> launch = state_->prepare(request.sizes, request.expected_work);
  if (!launch) return launch.error();
  launch->order = lane_order(request.order);
  launch->seed = request.seed;
  launch->count_requests = request.count_requests;
  launch->check = request.check;
  for (std::size_t i = 0; i < state_->entry.arguments.size(); ++i) {
    const Argument& argument = state_->entry.arguments[i];
    if (argument.kind == ArgumentKind::kScalar) {
      launch->arguments[i] = argument.name == "scale" ? request.scale : request.gamma;
    } else if (argument.kind == ArgumentKind::kBuffer) {
      const auto buffer = request.buffers->find(argument.name);
      if (buffer == request.buffers->end()) continue;
      launch->arguments[i] = emulator::BufferArgument{launch->buffers.size()};
      launch->buffers.push_back(launch_buffer(argument, buffer->second));
      launch->buffers.back().out_of_reach =
          outside_of_sequences(argument, buffer->second, *request.buffers);
    }
  }
  return state_->run(*launch);
}

Result<LaunchOutcome> KernelUnderTest::launch(const FieldLaunchRequest& request) const {
  Result<emulator::Launch> launch = state_->prepare(request.sizes, request.expected_work);
  if (!launch) return launch.error();
  launch->order = lane_order(request.order);
  launch->order_seed = request.order_seed;
  launch->check = false;
  for (std::size_t i = 0; i < state_->entry.arguments.size(); ++i) {
    const Argument& argument = state_->entry.arguments[i];
    if (argument.kind == ArgumentKind::kScalar) {
      launch->arguments[i] = argument.name == "scale" ? request.scale : request.gamma;
    } else if (argument.kind == ArgumentKind::kBuffer) {
      const auto found = request.buffers->find(argument.name);
      if (found == request.buffers->end()) continue;
      FieldBuffer& buffer = found->second;
      launch->arguments[i] = emulator::BufferArgument{launch->buffers.size()};
      void* const data = buffer.integers ? static_cast<void*>(buffer.positions.data())
                                         : static_cast<void*>(buffer.numbers.data());
      const std::size_t bytes =
          buffer.count() * (buffer.integers ? sizeof(std::int32_t) : sizeof(FieldElement));
      launch->buffers.push_back({argument.name, data, bytes, argument.access});
    }
  }
  return state_->run(*launch);
}

std::vector<std::pair<int, int>> KernelUnderTest::lines_never_run() const {
  return state_->kernel.lines_never_run();
}

}  // namespace heddle
