// SPDX-License-Identifier: Apache-2.0
// The CUDA driver, found at run time: one device, its memory, modules, launches and timings. A
// machine without a driver or a device gets an Error. No CUDA header is needed to build this.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "patterns/result.hpp"

namespace heddle {

class CudaDriver;

// Device memory, freed with the object.
class DeviceMemory {
 public:
  DeviceMemory(DeviceMemory&&) noexcept;
  DeviceMemory& operator=(DeviceMemory&&) noexcept;
  ~DeviceMemory();
  void* address() const;  // on the device
  std::size_t bytes() const;
  std::optional<Error> upload(const void* from, std::size_t bytes);
  std::optional<Error> download(void* to, std::size_t bytes) const;

 private:
  friend class CudaDriver;
  struct State;
  explicit DeviceMemory(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A kernel of a loaded module; the module stays loaded while any of its functions lives.
class DeviceFunction {
 public:
  // Starts blocks x threads; `arguments` points to the values in order. Does not wait. `stream` is
  // a CUstream, or null for the device's default one.
  std::optional<Error> launch(int blocks, int threads, void** arguments, int shared_bytes = 0,
                              void* stream = nullptr) const;

 private:
  friend class CudaDriver;
  struct State;
  std::shared_ptr<State> state_;
};

class CudaDriver {
 public:
  static Result<CudaDriver> open(int device = 0);

  std::string device_name() const;
  std::string architecture() const;  // "sm_90"
  Result<DeviceMemory> allocate(std::size_t bytes) const;
  // Starts copying all of `from` on the device; does not wait.
  std::optional<Error> copy(DeviceMemory& to, const DeviceMemory& from) const;
  Result<DeviceFunction> load(const std::string& cubin, const std::string& symbol) const;
  std::optional<Error> synchronize() const;
  // Milliseconds on the device between two moments of its stream: what `work` starts is timed.
  template <typename Work>
  Result<float> time(Work&& work) const {
    if (auto error = mark(0)) return *error;
    if (std::optional<Error> error = work()) return *error;
    if (auto error = mark(1)) return *error;
    return elapsed();
  }

  struct Library;

 private:
  explicit CudaDriver(std::shared_ptr<Library> library) : library_(std::move(library)) {}
  std::optional<Error> mark(int event) const;
  Result<float> elapsed() const;
  std::shared_ptr<Library> library_;
};

}  // namespace heddle
