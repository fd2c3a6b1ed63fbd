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

  // As if nothing overlapped: `floor` bytes from device memory, `bytes` in all through the second
  // cache, which moves some 2.5 times as many, and what is computed either way.
  double microseconds(std::int64_t floor, std::int64_t bytes, std::int64_t flops,
                      std::int64_t tensor_flops) const;
};

const std::vector<Architecture>& known_architectures();
// Null where there is no such architecture.
const Architecture* find_architecture(std::string_view name);

}  // namespace heddle
