// SPDX-License-Identifier: Apache-2.0
#include "runtime/load/cuda_driver.hpp"

#include <cstdint>
#include <type_traits>
#include <utility>

#include "runtime/load/shared_object.hpp"

namespace heddle {
namespace {

// As cuda.h declares them.
using Status = int;
using Device = int;
using Handle = void*;
using Address = std::uint64_t;
constexpr int kCapabilityMajor = 75;
constexpr int kCapabilityMinor = 76;
constexpr int kMostDynamicShared = 8;  // an attribute of functions

}  // namespace

struct CudaDriver::Library {
  SharedObject object;
  Status (*init)(unsigned) = nullptr;
  Status (*device_count)(int*) = nullptr;
  Status (*device_get)(Device*, int) = nullptr;
  Status (*device_name)(char*, int, Device) = nullptr;
  Status (*device_attribute)(int*, int, Device) = nullptr;
  Status (*retain_context)(Handle*, Device) = nullptr;
  Status (*release_context)(Device) = nullptr;
  Status (*set_context)(Handle) = nullptr;
  Status (*synchronize)() = nullptr;
  Status (*load_module)(Handle*, const void*) = nullptr;
  Status (*unload_module)(Handle) = nullptr;
  Status (*get_function)(Handle*, Handle, const char*) = nullptr;
  Status (*launch)(Handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                   Handle, void**, void**) = nullptr;
  Status (*set_attribute)(Handle, int, int) = nullptr;
  Status (*allocate)(Address*, std::size_t) = nullptr;
  Status (*free)(Address) = nullptr;
  Status (*upload)(Address, const void*, std::size_t) = nullptr;
  Status (*download)(void*, Address, std::size_t) = nullptr;
  Status (*copy)(Address, Address, std::size_t, Handle) = nullptr;
  Status (*create_event)(Handle*, unsigned) = nullptr;
  Status (*destroy_event)(Handle) = nullptr;
  Status (*record_event)(Handle, Handle) = nullptr;
  Status (*wait_event)(Handle) = nullptr;
  Status (*elapsed)(float*, Handle, Handle) = nullptr;
  Status (*error_string)(Status, const char**) = nullptr;

  Device device = 0;
  Handle context = nullptr;
  Handle events[2] = {nullptr, nullptr};
  std::string name;
  std::string architecture;

  Library() = default;
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library() {
    for (Handle event : events) {
      if (event != nullptr) destroy_event(event);
    }
    if (context != nullptr) release_context(device);
  }

  bool find_functions();
  std::optional<Error> start(int index);

  // The driver keeps its current context per OS thread.
  Status enter() const { return set_context(context); }

  std::optional<Error> check(Status status, const char* what) const {
    if (status == 0) return std::nullopt;
    const char* reason = nullptr;
    if (error_string(status, &reason) != 0 || reason == nullptr) reason = "unknown error";
    return Error{std::string("the CUDA driver cannot ") + what + ": " + reason};
  }
};

bool CudaDriver::Library::find_functions() {
  bool complete = true;
  const auto find = [&](auto& function, const char* symbol) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(object.address_of(symbol));
    complete = complete && function != nullptr;
  };
  find(init, "cuInit");
  find(device_count, "cuDeviceGetCount");
  find(device_get, "cuDeviceGet");
  find(device_name, "cuDeviceGetName");
  find(device_attribute, "cuDeviceGetAttribute");
  find(retain_context, "cuDevicePrimaryCtxRetain");
  find(release_context, "cuDevicePrimaryCtxRelease_v2");
  find(set_context, "cuCtxSetCurrent");
  find(synchronize, "cuCtxSynchronize");
  find(load_module, "cuModuleLoadData");
  find(unload_module, "cuModuleUnload");
  find(get_function, "cuModuleGetFunction");
  find(launch, "cuLaunchKernel");
  find(allocate, "cuMemAlloc_v2");
  find(free, "cuMemFree_v2");
  find(upload, "cuMemcpyHtoD_v2");
  find(download, "cuMemcpyDtoH_v2");
  find(copy, "cuMemcpyDtoDAsync_v2");
  find(create_event, "cuEventCreate");
  find(destroy_event, "cuEventDestroy_v2");
  find(record_event, "cuEventRecord");
  find(wait_event, "cuEventSynchronize");
  find(elapsed, "cuEventElapsedTime");
  find(error_string, "cuGetErrorString");
  // Asked for by launches with much shared memory only; older stand-ins lack it.
  const bool all = complete;
  find(set_attribute, "cuFuncSetAttribute");
  return all;
}

std::optional<Error> CudaDriver::Library::start(int index) {
  int count = 0;
  if (init(0) != 0 || device_count(&count) != 0 || count == 0) return Error{"no CUDA device found"};
  if (index < 0 || index >= count) {
    return Error{"there is no CUDA device " + std::to_string(index) + ", only " +
                 std::to_string(count)};
  }
  if (auto error = check(device_get(&device, index), "open the device")) return error;
  char text[256] = {};
  int major = 0, minor = 0;
  if (auto error = check(device_name(text, sizeof text - 1, device), "name the device")) {
    return error;
  }
  if (auto error = check(device_attribute(&major, kCapabilityMajor, device), "read attributes")) {
    return error;
  }
  if (auto error = check(device_attribute(&minor, kCapabilityMinor, device), "read attributes")) {
    return error;
  }
  name = text;
  architecture = "sm_" + std::to_string(major) + std::to_string(minor);
  if (auto error = check(retain_context(&context, device), "open a context")) return error;
  if (auto error = check(enter(), "enter its context")) return error;
  for (Handle& event : events) {
    if (auto error = check(create_event(&event, 0), "create an event")) return error;
  }
  return std::nullopt;
}

Result<CudaDriver> CudaDriver::open(int device) {
  auto object = SharedObject::open("libcuda.so.1");
  if (!object) return Error{"no CUDA driver found: libcuda.so.1 cannot be loaded"};
  auto library = std::make_shared<Library>();
  library->object = std::move(*object);
  if (!library->find_functions()) return Error{"the CUDA driver is too old: it lacks functions"};
  if (auto error = library->start(device)) return *error;
  return CudaDriver(std::move(library));
}

std::string CudaDriver::device_name() const { return library_->name; }
std::string CudaDriver::architecture() const { return library_->architecture; }

std::optional<Error> CudaDriver::synchronize() const {
  if (auto error = library_->check(library_->enter(), "enter its context")) return error;
  return library_->check(library_->synchronize(), "finish a kernel");
}

std::optional<Error> CudaDriver::mark(int event) const {
  if (auto error = library_->check(library_->enter(), "enter its context")) return error;
  return library_->check(library_->record_event(library_->events[event], nullptr),
                         "record an event");
}

Result<float> CudaDriver::elapsed() const {
  if (auto error = library_->check(library_->wait_event(library_->events[1]), "finish a kernel")) {
    return *error;
  }
  float milliseconds = 0;
  if (auto error = library_->check(
          library_->elapsed(&milliseconds, library_->events[0], library_->events[1]),
          "read a timing")) {
    return *error;
  }
  return milliseconds;
}

// ---- memory -----------------------------------------------------------------------------------

struct DeviceMemory::State {
  std::shared_ptr<CudaDriver::Library> library;
  Address address = 0;
  std::size_t bytes = 0;
  ~State() {
    if (address != 0 && library->enter() == 0) library->free(address);
  }
};

DeviceMemory::DeviceMemory(std::unique_ptr<State> state) : state_(std::move(state)) {}
DeviceMemory::DeviceMemory(DeviceMemory&&) noexcept = default;
DeviceMemory& DeviceMemory::operator=(DeviceMemory&&) noexcept = default;
DeviceMemory::~DeviceMemory() = default;
void* DeviceMemory::address() const { return reinterpret_cast<void*>(state_->address); }
std::size_t DeviceMemory::bytes() const { return state_->bytes; }

std::optional<Error> DeviceMemory::upload(const void* from, std::size_t bytes) {
  if (bytes > state_->bytes) return Error{"an upload exceeds its device memory"};
  const auto& library = *state_->library;
  if (auto error = library.check(library.enter(), "enter its context")) return error;
  return library.check(library.upload(state_->address, from, bytes), "copy to the device");
}

std::optional<Error> DeviceMemory::download(void* to, std::size_t bytes) const {
  if (bytes > state_->bytes) return Error{"a download exceeds its device memory"};
  const auto& library = *state_->library;
  if (auto error = library.check(library.enter(), "enter its context")) return error;
  return library.check(library.download(to, state_->address, bytes), "copy from the device");
}

Result<DeviceMemory> CudaDriver::allocate(std::size_t bytes) const {
  auto state = std::make_unique<DeviceMemory::State>();
  state->library = library_;
  state->bytes = bytes;
  if (auto error = library_->check(library_->enter(), "enter its context")) return *error;
  if (bytes > 0) {
    if (auto error =
            library_->check(library_->allocate(&state->address, bytes), "allocate memory")) {
      return *error;
    }
  }
  return DeviceMemory(std::move(state));
}

std::optional<Error> CudaDriver::copy(DeviceMemory& to, const DeviceMemory& from) const {
  if (from.bytes() > to.bytes()) return Error{"a copy exceeds its device memory"};
  if (auto error = library_->check(library_->enter(), "enter its context")) return error;
  return library_->check(
      library_->copy(to.state_->address, from.state_->address, from.bytes(), nullptr),
      "copy on the device");
}

// ---- modules ----------------------------------------------------------------------------------

struct DeviceFunction::State {
  std::shared_ptr<CudaDriver::Library> library;
  Handle module = nullptr;
  Handle function = nullptr;
  ~State() {
    if (module != nullptr && library->enter() == 0) library->unload_module(module);
  }
};

Result<DeviceFunction> CudaDriver::load(const std::string& cubin, const std::string& symbol) const {
  auto state = std::make_shared<DeviceFunction::State>();
  state->library = library_;
  if (auto error = library_->check(library_->enter(), "enter its context")) return *error;
  if (auto error =
          library_->check(library_->load_module(&state->module, cubin.data()), "load a module")) {
    return *error;
  }
  if (auto error =
          library_->check(library_->get_function(&state->function, state->module, symbol.c_str()),
                          "find a kernel in its module")) {
    return *error;
  }
  DeviceFunction function;
  function.state_ = std::move(state);
  return function;
}

std::optional<Error> DeviceFunction::launch(int blocks, int threads, void** arguments,
                                            int shared_bytes, void* stream) const {
  if (blocks == 0) return std::nullopt;  // the driver refuses an empty grid
  const auto& library = *state_->library;
  if (auto error = library.check(library.enter(), "enter its context")) return error;
  if (shared_bytes > 0) {
    // More than 48 KiB have to be asked for, and may be refused.
    if (library.set_attribute == nullptr) return Error{"the CUDA driver is too old: no attributes"};
    if (auto error =
            library.check(library.set_attribute(state_->function, kMostDynamicShared, shared_bytes),
                          "reserve shared memory")) {
      return error;
    }
  }
  return library.check(
      library.launch(state_->function, static_cast<unsigned>(blocks), 1, 1,
                     static_cast<unsigned>(threads), 1, 1, static_cast<unsigned>(shared_bytes),
                     stream, arguments, nullptr),
      "launch a kernel");
}

}  // namespace heddle
