// SPDX-License-Identifier: Apache-2.0
// The artifacts that are open behind numbers. Numbers are never given twice, so that a closed one
// is told apart; in a child of fork() those of the parent are not there, because their threads are
// not.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "patterns/result.hpp"
#include "runtime/load/kernel.hpp"

namespace heddle::c_api {

// What the C interface gives pointers into.
struct OpenArtifact {
  explicit OpenArtifact(KernelArtifact loaded);

  struct Array {
    const Argument* argument;
    std::vector<const char*> extents;
  };
  // Null where there is no such kernel.
  const KernelEntry* kernel(const std::string& op) const;
  // The arrays of a kernel of `artifact`, in its order.
  const std::vector<Array>& arrays(const KernelEntry& kernel) const;

  KernelArtifact artifact;
  std::string json;

 private:
  std::vector<std::vector<Array>> arrays_;  // by the index of the kernel
};

std::uint64_t keep(std::shared_ptr<const OpenArtifact> artifact);
Result<std::shared_ptr<const OpenArtifact>> find(std::uint64_t number);
// Whoever uses it at the moment keeps it alive until done.
std::optional<Error> forget(std::uint64_t number);

}  // namespace heddle::c_api
