// SPDX-License-Identifier: Apache-2.0
#include "codegen/timing/names.hpp"

namespace heddle::timing {
namespace {

// Names of iterations that are over never come back: what is kept is forgotten now and then.
constexpr std::size_t kMostKnown = 1 << 15;

}  // namespace

std::size_t Names::Hash::operator()(const Operation& operation) const {
  std::uint64_t hash = 0;
  for (const std::int64_t part : operation) {
    hash = (hash ^ static_cast<std::uint64_t>(part)) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
  }
  return static_cast<std::size_t>(hash);
}

const Names::Result* Names::find(const Operation& operation) const {
  const auto found = known_.find(operation);
  return found == known_.end() ? nullptr : &found->second;
}

Names::Result Names::add(const Operation& operation, Cycle ready) {
  if (known_.size() >= kMostKnown) known_.clear();
  return known_.insert_or_assign(operation, Result{fresh(), ready}).first->second;
}

}  // namespace heddle::timing
