// SPDX-License-Identifier: Apache-2.0
// One pass over memory: a probe that reads each input of a kernel once and writes each output once,
// around the caches, with all threads. Beside it a kernel's time can be judged on a machine whose
// memory others use as well. It is no bound: a kernel that asks for its lines at better times has
// been faster.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "codegen/manifest.hpp"
#include "runtime/load/worker_pool.hpp"
#include "runtime/reference/problem.hpp"

namespace heddle {

class MemoryPass {
 public:
  // Reads `buffers`, which must outlive it, and writes outputs of its own. Scratch is neither.
  MemoryPass(const KernelEntry& entry, const HostBuffers& buffers,
             std::shared_ptr<WorkerPool> pool);

  void run();
  std::int64_t bytes() const;  // read and written by one run
  // Whether the last run read all inputs and wrote all outputs.
  bool complete() const;

 private:
  void run_share(int share);

  std::shared_ptr<WorkerPool> pool_;
  std::vector<const HostBuffer*> sources_;
  std::vector<HostBuffer> targets_;
  std::vector<std::uint64_t> sums_;  // by thread, of the words that it read
};

}  // namespace heddle
