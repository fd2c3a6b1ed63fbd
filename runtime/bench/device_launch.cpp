// SPDX-License-Identifier: Apache-2.0
#include "runtime/bench/device_launch.hpp"

#include <utility>
#include <vector>

#include "runtime/bench/launch.hpp"
#include "runtime/load/cuda_driver.hpp"
#include "runtime/load/nvrtc.hpp"

namespace heddle {
namespace {

// An argument of the kernel that lives on the host and on the device.
struct Mirror {
  DeviceMemory memory;
  HostBuffer* host = nullptr;
  bool changes = false;

  std::optional<Error> upload() { return memory.upload(host->data(), host->bytes()); }
  std::optional<Error> download() const { return memory.download(host->data(), host->bytes()); }
};

// Everything a launch needs, in the order in which it may go.
struct DeviceLaunch {
  std::shared_ptr<const KernelArtifact> artifact;
  std::map<std::string, Mirror> mirrors;
  std::optional<BoundKernel> kernel;

  std::optional<Error> add_mirror(const Argument& argument, HostBuffer& host) {
    Result<DeviceMemory> memory = artifact->device()->allocate(host.bytes());
    if (!memory) return memory.error();
    Mirror mirror{*std::move(memory), &host, argument.access != Access::kRead};
    if (auto error = mirror.upload()) return error;
    mirrors.emplace(argument.name, std::move(mirror));
    return std::nullopt;
  }

  std::optional<Error> for_changes(std::optional<Error> (*transfer)(Mirror&)) {
    for (auto& [name, mirror] : mirrors) {
      if (!mirror.changes) continue;
      if (auto error = transfer(mirror)) return error;
    }
    return std::nullopt;
  }
};

constexpr const char* kEmptyKernel = "extern \"C\" __global__ void heddle_empty() {}\n";

Result<Work> empty_launch(const CudaDriver& driver) {
  const Result<Nvrtc> compiler = Nvrtc::open();
  if (!compiler) return compiler.error();
  const auto code = compiler->compile("empty.cu", kEmptyKernel, {}, driver.architecture());
  if (!code) return code.error();
  const Result<DeviceFunction> function = driver.load(code->cubin, "heddle_empty");
  if (!function) return function.error();
  return Work([kernel = *function] { return kernel.launch(1, 32, nullptr); });
}

Result<Work> device_copy(std::shared_ptr<const KernelArtifact> artifact, std::size_t bytes) {
  const CudaDriver& driver = *artifact->device();
  Result<DeviceMemory> from = driver.allocate(bytes);
  if (!from) return from.error();
  Result<DeviceMemory> to = driver.allocate(bytes);
  if (!to) return to.error();
  // Memory that nobody has written may cost less to read.
  if (auto error = from->upload(std::vector<char>(bytes, 1).data(), bytes)) return *error;
  const auto pair =
      std::make_shared<std::pair<DeviceMemory, DeviceMemory>>(*std::move(from), *std::move(to));
  return Work([artifact = std::move(artifact), pair] {
    return artifact->device()->copy(pair->second, pair->first);
  });
}

}  // namespace

LaunchFactory device_launches_of(std::shared_ptr<const KernelArtifact> artifact) {
  return [artifact = std::move(artifact)](const LaunchRecipe& recipe) -> Result<PreparedLaunch> {
    if (artifact->device() == nullptr) return Error{"only cuda kernels run on a device"};
    const auto launch = std::make_shared<DeviceLaunch>();
    launch->artifact = artifact;
    for (const Argument& argument : recipe.entry.arguments) {
      const auto host = recipe.buffers.find(argument.name);
      if (argument.kind != ArgumentKind::kBuffer || host == recipe.buffers.end()) continue;
      if (auto error = launch->add_mirror(argument, host->second)) return *error;
    }
    LaunchValues values = launch_values(recipe);
    for (auto& [name, mirror] : launch->mirrors) {
      values.buffers[name].data = mirror.memory.address();
    }
    Result<BoundKernel> bound = artifact->bind(recipe.entry.op, values);
    if (!bound) return bound.error();
    launch->kernel = *std::move(bound);
    PreparedLaunch prepared;
    prepared.run = [launch] { return launch->kernel->start(); };
    prepared.upload = [launch] {
      return launch->for_changes([](Mirror& mirror) { return mirror.upload(); });
    };
    prepared.download = [launch] {
      return launch->for_changes([](Mirror& mirror) { return mirror.download(); });
    };
    return prepared;
  };
}

Result<BenchDevice> bench_device_of(std::shared_ptr<const KernelArtifact> artifact,
                                    std::size_t copy_bytes) {
  if (artifact->device() == nullptr) return Error{"only cuda kernels run on a device"};
  Result<Work> empty = empty_launch(*artifact->device());
  if (!empty) return empty.error();
  Result<Work> copy = device_copy(artifact, copy_bytes);
  if (!copy) return copy.error();
  BenchDevice device;
  device.references = {
      {"empty-launch", *std::move(empty), 0},
      {"device-copy", *std::move(copy), static_cast<std::int64_t>(2 * copy_bytes)}};
  device.time = [artifact = std::move(artifact)](const Work& work) -> Result<double> {
    const Result<float> milliseconds = artifact->device()->time(work);
    if (!milliseconds) return milliseconds.error();
    return static_cast<double>(*milliseconds);
  };
  return device;
}

}  // namespace heddle
