// SPDX-License-Identifier: Apache-2.0
// The functions of the CUDA driver that heddle calls, as cuda.h declares them.
#include "tests/unit/runtime/bench/fake_cuda.hpp"

#include <cstring>

namespace heddle::fake_cuda {
namespace {

struct Module {
  std::string image;
};
struct Function {
  std::string image;
  std::string symbol;
};
struct Event {
  double at_ms = 0.0;
};

// Where device memory seems to be: nothing of a process lies there.
constexpr std::uint64_t kFirstAddress = std::uint64_t{1} << 52;
constexpr std::uint64_t kAlignment = 256;

// The `bytes` at an address, or null when they are not all of one allocation.
char* bytes_at(std::uint64_t address, std::size_t bytes) {
  auto& memory = device().memory;
  auto next = memory.upper_bound(address);
  if (next == memory.begin()) return nullptr;
  auto& [begin, contents] = *std::prev(next);
  const std::uint64_t offset = address - begin;
  if (offset > contents.size() || bytes > contents.size() - offset) return nullptr;
  return contents.data() + offset;
}

void pass_time(double milliseconds) { device().now_ms += milliseconds; }

}  // namespace

Device& device() {
  static Device the_device;
  return the_device;
}

extern "C" {

int cuInit(unsigned) { return kSuccess; }

int cuDeviceGetCount(int* count) {
  *count = device().count;
  return kSuccess;
}

int cuDeviceGet(int* handle, int index) {
  *handle = index;
  return kSuccess;
}

int cuDeviceGetName(char* name, int length, int) {
  std::strncpy(name, "Fake Device", static_cast<std::size_t>(length));
  return kSuccess;
}

int cuDeviceGetAttribute(int* value, int attribute, int) {
  if (attribute != 75 && attribute != 76) return kInvalidValue;
  *value = attribute == 75 ? 9 : 0;  // sm_90
  return kSuccess;
}

int cuDevicePrimaryCtxRetain(void** context, int) {
  *context = &device();
  ++device().contexts;
  return kSuccess;
}

int cuDevicePrimaryCtxRelease_v2(int) {
  --device().contexts;
  return kSuccess;
}

int cuCtxSetCurrent(void* context) { return context == &device() ? kSuccess : kInvalidValue; }

int cuCtxSynchronize() { return device().pending; }

int cuModuleLoadData(void** handle, const void* image) {
  auto* loaded = new Module{static_cast<const char*>(image)};
  if (loaded->image.empty()) {
    delete loaded;
    return kInvalidImage;
  }
  *handle = loaded;
  ++device().modules;
  return kSuccess;
}

int cuModuleUnload(void* handle) {
  delete static_cast<Module*>(handle);
  --device().modules;
  return kSuccess;
}

int cuModuleGetFunction(void** function, void* handle, const char* symbol) {
  const auto* loaded = static_cast<Module*>(handle);
  if (loaded->image.find(std::string(symbol) + "(") == std::string::npos) return kNotFound;
  // Functions are of their module in the real driver; here the few that tests load stay.
  static std::map<std::string, Function> functions;
  *function = &functions.insert_or_assign(symbol, Function{loaded->image, symbol}).first->second;
  return kSuccess;
}

int cuLaunchKernel(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                   unsigned block_x, unsigned block_y, unsigned block_z, unsigned, void* stream,
                   void** arguments, void**) {
  if (grid_x * grid_y * grid_z == 0 || block_x * block_y * block_z == 0 || block_x > 1024) {
    return kInvalidValue;
  }
  const auto* kernel = static_cast<Function*>(function);
  ++device().launches[kernel->symbol];
  pass_time(device().launch_ms);
  if (device().run && device().pending == kSuccess) {
    device().pending = device().run({kernel->image, kernel->symbol, grid_x, block_x, arguments, stream});
  }
  return kSuccess;  // a kernel fails after it was started
}

int cuMemAlloc_v2(std::uint64_t* address, std::size_t bytes) {
  Device& it = device();
  if (bytes == 0) return kInvalidValue;
  if (bytes > it.memory_bytes - it.used_bytes) return kOutOfMemory;
  std::uint64_t first = kFirstAddress;
  if (!it.memory.empty()) {
    const auto& [begin, contents] = *it.memory.rbegin();
    first = (begin + contents.size() + kAlignment) / kAlignment * kAlignment;
  }
  it.memory[first].resize(bytes);
  it.used_bytes += bytes;
  *address = first;
  return kSuccess;
}

int cuMemFree_v2(std::uint64_t address) {
  Device& it = device();
  const std::vector<char>* allocation = it.allocation(address);
  if (allocation == nullptr) return kInvalidValue;
  it.used_bytes -= allocation->size();
  it.memory.erase(address);
  return kSuccess;
}

int cuMemcpyHtoD_v2(std::uint64_t to, const void* from, std::size_t bytes) {
  char* target = bytes_at(to, bytes);
  if (target == nullptr) return kInvalidValue;
  std::memcpy(target, from, bytes);
  pass_time(device().transfer_ms_per_byte * static_cast<double>(bytes));
  return device().pending;
}

int cuMemcpyDtoH_v2(void* to, std::uint64_t from, std::size_t bytes) {
  const char* source = bytes_at(from, bytes);
  if (source == nullptr) return kInvalidValue;
  std::memcpy(to, source, bytes);
  pass_time(device().transfer_ms_per_byte * static_cast<double>(bytes));
  return device().pending;
}

int cuMemcpyDtoDAsync_v2(std::uint64_t to, std::uint64_t from, std::size_t bytes, void*) {
  char* target = bytes_at(to, bytes);
  const char* source = bytes_at(from, bytes);
  if (target == nullptr || source == nullptr) return kInvalidValue;
  std::memmove(target, source, bytes);
  pass_time(device().copy_ms_per_byte * static_cast<double>(bytes));
  return kSuccess;
}

int cuEventCreate(void** event, unsigned) {
  *event = new Event;
  ++device().events;
  return kSuccess;
}

int cuEventDestroy_v2(void* event) {
  delete static_cast<Event*>(event);
  --device().events;
  return kSuccess;
}

int cuEventRecord(void* event, void*) {
  static_cast<Event*>(event)->at_ms = device().now_ms;
  return kSuccess;
}

int cuEventSynchronize(void*) { return device().pending; }

int cuEventElapsedTime(float* milliseconds, void* begin, void* end) {
  *milliseconds =
      static_cast<float>(static_cast<Event*>(end)->at_ms - static_cast<Event*>(begin)->at_ms);
  return kSuccess;
}

int cuGetErrorString(int status, const char** words) {
  switch (status) {
    case kInvalidValue:
      *words = "invalid argument";
      return kSuccess;
    case kOutOfMemory:
      *words = "out of memory";
      return kSuccess;
    case kInvalidImage:
      *words = "device kernel image is invalid";
      return kSuccess;
    case kNotFound:
      *words = "named symbol not found";
      return kSuccess;
    case kIllegalAddress:
      *words = "an illegal memory access was encountered";
      return kSuccess;
    default:
      return kInvalidValue;
  }
}

}  // extern "C"

}  // namespace heddle::fake_cuda
