// SPDX-License-Identifier: Apache-2.0
// A CUDA driver made of host memory and a counted clock, in place of libcuda.so.1: what a test may
// set, and what it may look at afterwards. Device addresses are no host addresses, so that touching
// device memory from the host is a crash here as it is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace heddle::fake_cuda {

enum Status : int {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kInvalidImage = 200,
  kNotFound = 500,
  kIllegalAddress = 700
};

struct LaunchedKernel {
  std::string image;  // of its module, as it was loaded
  std::string symbol;
  unsigned blocks = 0;
  unsigned threads = 0;
  void** arguments = nullptr;
  void* stream = nullptr;
};

struct Device {
  int count = 1;
  std::size_t memory_bytes = std::size_t{4} << 30;
  // Runs a kernel; without it kernels do nothing.
  std::function<Status(const LaunchedKernel&)> run = {};
  // What things cost on the clock, in milliseconds.
  double launch_ms = 0.5;
  double copy_ms_per_byte = 1e-6;
  double transfer_ms_per_byte = 1.0;  // so dear that a timing which includes one shows it

  double now_ms = 0.0;
  Status pending = kSuccess;  // of a kernel that failed: whoever waits is told
  std::map<std::uint64_t, std::vector<char>> memory;
  std::size_t used_bytes = 0;
  std::map<std::string, int> launches;  // by symbol
  int contexts = 0;
  int modules = 0;
  int events = 0;

  // The allocation that starts at a device address, or null.
  std::vector<char>* allocation(std::uint64_t address) {
    const auto found = memory.find(address);
    return found == memory.end() ? nullptr : &found->second;
  }
};

// The one device; tests reset it to Device{} between cases.
Device& device();

}  // namespace heddle::fake_cuda
