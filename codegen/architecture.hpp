// SPDX-License-Identifier: Apache-2.0
// What the cost models know of a GPU: figures of data sheets, of the largest memory of each
// generation. They choose between schedules that are all right; none is a measurement.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace heddle {

struct Architecture {
  std::string name;             // as nvcc's -arch has it
  std::int64_t shared_limit;    // bytes of shared memory that a block may have
  double gigabytes_per_second;  // of device memory
  double teraflops;             // f32, multiply-adds counted twice
  double tensor_teraflops;      // of f16 and bf16 products summed in f32
  int multiprocessors;

  // As if nothing overlapped: `floor` bytes from device memory, `bytes` in all through the second
  // cache, which moves some 2.5 times as many, and what is computed either way.
  double microseconds(std::int64_t floor, std::int64_t bytes, std::int64_t flops,
                      std::int64_t tensor_flops) const;
  // The part of the machine that a launch of so many warps has to itself, as if each multiprocessor
  // were busy with eight of them: at most 1.
  double share(std::int64_t warps) const;
  // From the end of one launch to the first block of the next: a guess for all of them.
  static constexpr double kLaunchMicroseconds = 2.0;
};

const std::vector<Architecture>& known_architectures();
// Null where there is no such architecture.
const Architecture* find_architecture(std::string_view name);

}  // namespace heddle
