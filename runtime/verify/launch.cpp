// SPDX-License-Identifier: Apache-2.0
#include "runtime/verify/launch.hpp"

#include <fmt/format.h>

#include <algorithm>
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
  // Every element of y once and only once; a final state may come to its contents in steps, so it
  // is only barred from reading what nobody wrote. That all of it is written in the end is looked
  // at when the operation is over.
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

void add(const emulator::Counters& counters, LaunchCounters& all) {
  all.global_bytes_read += counters.global_bytes_read;
  all.global_bytes_written += counters.global_bytes_written;
  all.requests += counters.global_requests;
  all.sectors += counters.global_sectors;
  all.shared_requests += counters.shared_requests;
  all.shared_bank_conflicts += counters.shared_bank_conflicts;
  all.barriers += counters.barriers;
  all.accesses += counters.accesses;
  all.steps += counters.steps;
  all.additions += counters.additions;
  all.multiplications += counters.multiplications;
  all.divisions += counters.divisions;
  all.exponentials += counters.exponentials;
}

}  // namespace

const char* name_of(ThreadOrder order) { return emulator::name_of(lane_order(order)); }

struct KernelUnderTest::State {
  // What is launched at once.
  struct Step {
    KernelEntry entry;
    emulator::EmulatedKernel kernel;
  };
  KernelEntry entry;
  Manifest manifest;
  Numbers numbers = Numbers::kReal;
  bool cuda = true;
  std::vector<Step> steps = {};

  Result<emulator::Launch> prepare(const KernelEntry& step, const Sizes& sizes,
                                   std::int64_t expected_work, bool least_rows) const;
  std::optional<Error> run(Step& step, const emulator::Launch& launch, LaunchOutcome& all) const;
  // Each step in turn, until one goes wrong: what others would make of that is nothing to tell.
  template <typename Request, typename AddBuffer>
  Result<LaunchOutcome> run_all(const Request& request, AddBuffer&& add_buffer);
};

KernelUnderTest::KernelUnderTest(std::unique_ptr<State> state) : state_(std::move(state)) {}
KernelUnderTest::KernelUnderTest(KernelUnderTest&&) noexcept = default;
KernelUnderTest::~KernelUnderTest() = default;

const KernelEntry& KernelUnderTest::entry() const { return state_->entry; }

Result<KernelUnderTest> KernelUnderTest::build(const Manifest& manifest, const KernelEntry& entry,
                                               const std::map<std::string, std::string>& files,
                                               Numbers numbers) {
  if (const std::string fault = fault_of_steps(entry); !fault.empty()) {
    return Error{fmt::format("{} {}", entry.op, fault)};
  }
  const bool cuda = manifest.target == "cuda";
  auto state = std::make_unique<State>(State{entry, manifest, numbers, cuda});
  for (const KernelEntry* const launched : launches_of(entry)) {
    const auto text = files.find(launched->file);
    if (text == files.end()) {
      return Error{fmt::format("the artifact has no file '{}'", launched->file)};
    }
    emulator::KernelText kernel;
    kernel.file = launched->file;
    kernel.text = text->second;
    kernel.symbol = launched->symbol;
    kernel.dialect = cuda ? emulator::Dialect::kCuda : emulator::Dialect::kCpu;
    kernel.scalars =
        numbers == Numbers::kReal ? emulator::Scalars::kReal : emulator::Scalars::kField;
    // What it may include, as for the loader. Each other text would be one more for which a
    // compiled one is not known again.
    for (const IncludedFile& header : manifest.includes) {
      const auto content = files.find(header.file);
      if (content == files.end()) {
        return Error{fmt::format("the artifact has no file '{}'", header.file)};
      }
      kernel.includes.insert(*content);
    }
    Result<emulator::EmulatedKernel> built = emulator::EmulatedKernel::build(kernel);
    if (!built) return built.error();
    state->steps.push_back({*launched, *std::move(built)});
  }
  return KernelUnderTest(std::move(state));
}

// The launch shape and the sizes; buffers and scalars are the caller's, in the order of arguments.
Result<emulator::Launch> KernelUnderTest::State::prepare(const KernelEntry& step,
                                                         const Sizes& sizes,
                                                         std::int64_t expected_work,
                                                         bool least_rows) const {
  emulator::Launch launch;
  std::int64_t blocks = 1;
  for (const std::string& extent : step.grid) {
    const Result<std::int64_t> value = sizes.extent(extent);
    if (!value) return value.error();
    blocks *= *value;
  }
  if (blocks < 1 || blocks > std::numeric_limits<std::int32_t>::max()) {
    return Error{"the launch would have no blocks, or too many"};
  }
  // Loops, address arithmetic and warp operations enter a few blocks per access; fifty is a hang.
  // Walks over a row cost steps without any access, most where filters drop most of its positions.
  launch.step_limit = 50 * expected_work + 400'000 * sizes.tokens * blocks + 5'000'000;
  launch.blocks = static_cast<int>(blocks);
  launch.threads = cuda ? step.threads : 1;
  const SharedLaunch shared = least_rows ? least_shared_launch(step)
                              : manifest.varlen
                                  ? shared_launch(manifest, step, sizes.longest, 0)
                                  : shared_launch(manifest, step, sizes.tokens, sizes.start);
  // Products of matrices are of whole tiles, however few tokens there are.
  if (step.schedule == "tensor") {
    const std::int64_t* const rows = shared.find("tile_rows");
    const std::int64_t tile = rows == nullptr ? 0 : *rows;
    const std::int64_t depth = std::max<std::int64_t>(manifest.state_dim, tile);
    launch.step_limit += 50 * blocks * tile * depth * manifest.head_dim;
  }
  // So are tiles that go distance by distance, over as many as there are positions at most.
  if (step.schedule == "staged" && step.chunk_tokens > 0) {
    const std::int64_t positions = std::max(sizes.longest, sizes.start + sizes.tokens);
    launch.step_limit += 50 * blocks * step.chunk_tokens * positions * manifest.head_dim;
  }
  launch.dynamic_shared_bytes = static_cast<std::size_t>(shared.bytes);
  if (numbers == Numbers::kField) {
    // Its elements are wider.
    launch.dynamic_shared_bytes *= sizeof(FieldElement) / size_of(manifest.dtype);
  }
  for (const Argument& argument : step.arguments) {
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

std::optional<Error> KernelUnderTest::State::run(Step& step, const emulator::Launch& launch,
                                                 LaunchOutcome& all) const {
  const Result<emulator::EmulationResult> result = step.kernel.run(launch);
  if (!result) return result.error();
  for (const emulator::Finding& finding : result->findings) {
    all.findings.push_back({emulator::name_of(finding.kind), finding.message,
                            finding.where.empty() ? step.entry.file : finding.where});
  }
  if (!result->completed && all.findings.empty()) {
    all.findings.push_back({"hang", "the kernel did not come to its end", step.entry.file});
  }
  add(result->counters, all.counters);
  for (const emulator::Phase& phase : result->phases) {
    const emulator::Counters& c = phase.counters;
    all.phases.push_back({.from = phase.from,
                          .global_bytes_read = c.global_bytes_read,
                          .global_bytes_written = c.global_bytes_written,
                          .requests = c.global_requests,
                          .sectors = c.global_sectors,
                          .shared_bank_conflicts = c.shared_bank_conflicts,
                          .barriers = c.barriers,
                          .launch = steps.size() > 1 ? step.entry.symbol : ""});
  }
  return std::nullopt;
}

template <typename Request, typename AddBuffer>
Result<LaunchOutcome> KernelUnderTest::State::run_all(const Request& request,
                                                      AddBuffer&& add_buffer) {
  LaunchOutcome outcome;
  for (Step& step : steps) {
    Result<emulator::Launch> launch = prepare(step.entry, request.sizes.in_chunks(step.entry),
                                              request.expected_work, request.least_rows);
    if (!launch) return launch.error();
    launch->order = lane_order(request.order);
    for (std::size_t i = 0; i < step.entry.arguments.size(); ++i) {
      const Argument& argument = step.entry.arguments[i];
      if (argument.kind == ArgumentKind::kScalar) {
        launch->arguments[i] = argument.name == "scale" ? request.scale : request.gamma;
      } else if (argument.kind == ArgumentKind::kBuffer) {
        const auto buffer = request.buffers->find(argument.name);
        if (buffer == request.buffers->end()) continue;
        launch->arguments[i] = emulator::BufferArgument{launch->buffers.size()};
        add_buffer(*launch, argument, buffer->second);
      }
    }
    if (const auto error = run(step, *launch, outcome)) return *error;
    if (!outcome.findings.empty()) break;
  }
  return outcome;
}

Result<LaunchOutcome> KernelUnderTest::launch(const LaunchRequest& request) const {
  return state_->run_all(request, [&](emulator::Launch& launch, const Argument& argument,
                                      HostBuffer& buffer) {
    launch.seed = request.seed;
    launch.count_requests = request.count_requests;
    launch.check = request.check;
    launch.buffers.push_back(launch_buffer(argument, buffer));
    launch.buffers.back().out_of_reach = outside_of_sequences(argument, buffer, *request.buffers);
  });
}

Result<LaunchOutcome> KernelUnderTest::launch(const FieldLaunchRequest& request) const {
  return state_->run_all(
      request, [&](emulator::Launch& launch, const Argument& argument, FieldBuffer& buffer) {
        launch.order_seed = request.order_seed;
        launch.check = false;
        void* const data = buffer.integers ? static_cast<void*>(buffer.positions.data())
                                           : static_cast<void*>(buffer.numbers.data());
        const std::size_t bytes =
            buffer.count() * (buffer.integers ? sizeof(std::int32_t) : sizeof(FieldElement));
        launch.buffers.push_back({argument.name, data, bytes, argument.access});
      });
}

std::map<std::string, std::vector<std::pair<int, int>>> KernelUnderTest::lines_never_run() const {
  std::map<std::string, std::vector<std::pair<int, int>>> lines;
  for (State::Step& step : state_->steps) lines[step.entry.file] = step.kernel.lines_never_run();
  return lines;
}

bool KernelUnderTest::ran_all_lines() const {
  const auto never = lines_never_run();
  return std::all_of(never.begin(), never.end(),
                     [](const auto& of_file) { return of_file.second.empty(); });
}

}  // namespace heddle
