// SPDX-License-Identifier: Apache-2.0
#include "runtime/c_api/registry.hpp"

#include <pthread.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

namespace heddle::c_api {
namespace {

struct Registry {
  std::mutex guard;  // not one that tells readers from writers: those know the process's threads
  std::uint64_t last = 0;
  std::uint64_t inherited = 0;  // numbers up to here are of a process that this one was forked from
  std::map<std::uint64_t, std::shared_ptr<const OpenArtifact>> open;
};

// Never destroyed: threads of an artifact may run until the process ends.
Registry& registry() {
  static Registry* const the_registry = [] {
    pthread_atfork([] { registry().guard.lock(); }, [] { registry().guard.unlock(); },
                   [] {
                     Registry& mine = registry();
                     mine.inherited = mine.last;
                     // To destroy them would mean to wait for threads that are not here.
                     new auto(std::move(mine.open));
                     mine.open.clear();
                     mine.guard.unlock();
                   });
    return new Registry;
  }();
  return *the_registry;
}

Error not_open(const Registry& all, std::uint64_t number) {
  if (number == 0 || number > all.last) return Error{"there is no artifact with this handle"};
  if (number <= all.inherited) {
    return Error{"the artifact was opened before this process was forked: open it again"};
  }
  return Error{"the artifact is closed"};
}

}  // namespace

OpenArtifact::OpenArtifact(KernelArtifact loaded)
    : artifact(std::move(loaded)), json(to_json(artifact.manifest())) {
  for (const KernelEntry& entry : artifact.manifest().kernels) {
    std::vector<Array>& arrays = arrays_.emplace_back();
    for (const Argument& argument : entry.arguments) {
      if (argument.kind != ArgumentKind::kBuffer) continue;
      Array array{&argument, {}};
      for (const std::string& extent : argument.shape) array.extents.push_back(extent.c_str());
      arrays.push_back(std::move(array));
    }
  }
}

const KernelEntry* OpenArtifact::kernel(const std::string& op) const {
  const auto& kernels = artifact.manifest().kernels;
  const auto entry = std::find_if(kernels.begin(), kernels.end(),
                                  [&](const KernelEntry& kernel) { return kernel.op == op; });
  return entry != kernels.end() ? &*entry : nullptr;
}

const std::vector<OpenArtifact::Array>& OpenArtifact::arrays(const KernelEntry& kernel) const {
  return arrays_[static_cast<std::size_t>(&kernel - artifact.manifest().kernels.data())];
}

std::uint64_t keep(std::shared_ptr<const OpenArtifact> artifact) {
  Registry& all = registry();
  const std::lock_guard lock(all.guard);
  all.open.emplace(all.last + 1, std::move(artifact));
  return ++all.last;
}

Result<std::shared_ptr<const OpenArtifact>> find(std::uint64_t number) {
  Registry& all = registry();
  const std::lock_guard lock(all.guard);
  const auto found = all.open.find(number);
  if (found == all.open.end()) return not_open(all, number);
  return found->second;
}

std::optional<Error> forget(std::uint64_t number) {
  Registry& all = registry();
  std::shared_ptr<const OpenArtifact> closed;  // goes outside of the lock
  const std::lock_guard lock(all.guard);
  const auto found = all.open.find(number);
  if (found == all.open.end()) return not_open(all, number);
  closed = std::move(found->second);
  all.open.erase(found);
  return std::nullopt;
}

}  // namespace heddle::c_api
