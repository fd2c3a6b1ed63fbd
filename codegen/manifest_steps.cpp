// SPDX-License-Identifier: Apache-2.0
// What must hold of an operation that is several launches, so that each may be looked at by itself:
// what one step leaves to others it leaves completely, and nothing else is handed on.
#include <algorithm>
#include <map>
#include <set>

#include "codegen/manifest.hpp"

namespace heddle {
namespace {

bool is_scratch(const std::string& name) { return name.rfind("scratch_", 0) == 0; }

bool names_chunks(const KernelEntry& kernel) {
  const auto is_chunks = [](const std::string& extent) { return extent == "chunks"; };
  return std::any_of(kernel.grid.begin(), kernel.grid.end(), is_chunks) ||
         std::any_of(kernel.arguments.begin(), kernel.arguments.end(), [&](const Argument& each) {
           return is_chunks(each.name) ||
                  std::any_of(each.shape.begin(), each.shape.end(), is_chunks);
         });
}

bool same(const Argument& a, const Argument& b) {
  return a.name == b.name && a.kind == b.kind && a.type == b.type && a.shape == b.shape;
}

// How the steps use one buffer, in order.
std::string fault_of_uses(const std::string& name, const std::vector<Access>& uses) {
  const auto reads = [](Access access) { return access == Access::kRead; };
  if (is_scratch(name)) {
    if (uses.front() != Access::kWrite) return "is read before any step has written it";
    const bool again = std::count(uses.begin(), uses.end(), Access::kWrite) > 1;
    return again ? "is begun anew by a later step" : "";
  }
  if (std::all_of(uses.begin(), uses.end(), reads)) return "";
  if (uses.size() > 1) return "is written by one step and taken by another";
  return uses.front() == Access::kWrite ? "" : "is changed by a step";
}

}  // namespace

std::string fault_of_steps(const KernelEntry& kernel) {
  const bool several = kernel.schedule == "scan" || kernel.schedule == "gather";
  if (several == kernel.steps.empty()) {
    return kernel.steps.empty() ? "is several launches and has no steps"
                                : "has steps and is one launch";
  }
  if (kernel.steps.empty()) {
    if (kernel.chunk_tokens == 0 && names_chunks(kernel)) return "has chunks of no length";
    if (kernel.chunk_tokens > 0 && !names_chunks(kernel)) return "has a length of chunks and none";
    return "";
  }
  if (kernel.op == "decode") return "has steps and is a decode";
  if (kernel.steps.size() < 2 || kernel.steps.size() > 8) return "has no such number of steps";
  if (kernel.chunk_tokens < 1) return "has chunks of no length";
  std::map<std::string, std::vector<Access>> uses;
  std::set<std::string> taken;
  for (const KernelEntry& step : kernel.steps) {
    if (!step.steps.empty()) return "has a step that has steps";
    if (step.op != kernel.op || step.chunk_tokens != kernel.chunk_tokens) {
      return "has a step of another operation";
    }
    for (const Argument& argument : step.arguments) {
      const auto whole = std::find_if(kernel.arguments.begin(), kernel.arguments.end(),
                                      [&](const Argument& each) { return same(each, argument); });
      if (whole == kernel.arguments.end()) {
        return "has a step whose " + argument.name + " is none of its arguments";
      }
      taken.insert(argument.name);
      if (argument.kind == ArgumentKind::kBuffer) uses[argument.name].push_back(argument.access);
    }
  }
  for (const auto& [name, accesses] : uses) {
    if (const std::string fault = fault_of_uses(name, accesses); !fault.empty()) {
      return "has the buffer " + name + ", which " + fault;
    }
  }
  for (const Argument& argument : kernel.arguments) {
    if (taken.count(argument.name) == 0) return "has " + argument.name + ", which no step takes";
    const auto found = uses.find(argument.name);
    if (found != uses.end() && found->second.front() != argument.access) {
      return "says of " + argument.name + " what its steps do not";
    }
  }
  return "";
}

}  // namespace heddle
