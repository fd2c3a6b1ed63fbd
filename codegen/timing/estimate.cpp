// SPDX-License-Identifier: Apache-2.0
#include "codegen/timing/estimate.hpp"

#include <algorithm>

#include "codegen/timing/machine.hpp"
#include "codegen/timing/run_block.hpp"
#include "patterns/integer.hpp"

namespace heddle::timing {
namespace {

class Launch {
 public:
  Launch(const Manifest& manifest, const KernelEntry& entry, const Occasion& occasion)
      : manifest_(manifest), entry_(entry) {
    const auto registers = occasion.registers.find(entry.symbol);
    if (registers != occasion.registers.end()) registers_ = registers->second;
    const bool decodes = entry.op == "decode";
    sizes_["batch"] = sizes_["heads"] = 1;
    sizes_["tokens"] = decodes ? 1 : occasion.tokens;
    sizes_["start"] = decodes ? occasion.tokens : 0;
    sizes_["new_tokens"] = 1;
    if (entry.chunk_tokens > 0) sizes_["chunks"] = chunks_of(entry, occasion.tokens);
  }

  // What speaks against it, if anything does.
  std::string fault() {
    const std::int64_t length = of("tokens") + of("start");
    for (const auto& [name, layout] :
         {std::pair{"slots_a", &manifest_.cache_a}, std::pair{"slots_b", &manifest_.cache_b}}) {
      const Result<std::int64_t> slots = layout->slots(length);
      if (of("start") > 0 && !slots) return slots.error().message;
      sizes_[name] = of("start") > 0 ? *slots : 0;
      if (of("start") > 0 && layout->retention == CacheRetention::kNextRow) {
        return "what a cache holds is not made up here";
      }
    }
    for (const auto& [name, width] :
         {std::pair{"width_a", &manifest_.width_a}, std::pair{"width_b", &manifest_.width_b}}) {
      const Result<std::int64_t> columns = width->columns(length);
      if (!columns) return columns.error().message;
      sizes_[name] = *columns;
    }
    sizes_["live_states"] = live_states_of(of("slots_b"), of("tokens"));
    return "";
  }

  BlockLaunch block_launch() {
    BlockLaunch launch;
    const SharedLaunch shared = shared_launch(manifest_, entry_, of("tokens"), of("start"));
    for (const auto& [name, rows] : shared.rows) sizes_[name] = rows;
    launch.dynamic_bytes = shared.bytes;
    launch.sizes = sizes_;
    for (const Argument& argument : entry_.arguments) {
      if (argument.kind == ArgumentKind::kBuffer) {
        launch.lengths[argument.name] = product(argument.shape);
      }
    }
    launch.block = blocks() / 2;
    launch.side_by_side = side_by_side(shared.bytes);
    return launch;
  }
  // Of one batch and head.
  std::int64_t blocks() const { return product(entry_.grid); }
  int registers() const { return registers_; }

 private:
  std::int64_t of(const std::string& extent) const {
    const auto size = sizes_.find(extent);
    if (size != sizes_.end()) return size->second;
    return Integer::parse(extent).value_or(Integer(0)).to_int64().value_or(0);
  }
  std::int64_t product(const std::vector<std::string>& extents) const {
    std::int64_t result = 1;
    for (const std::string& extent : extents) result *= of(extent);
    return result;
  }
  int side_by_side(std::int64_t dynamic_bytes) const {
    const std::int64_t bytes = entry_.shared_bytes + dynamic_bytes + kSharedOfSystem;
    std::int64_t fit = std::min<std::int64_t>(kThreadsOfMultiprocessor / entry_.threads,
                                              kSharedOfMultiprocessor / bytes);
    if (registers_ > 0) {
      const int each = (registers_ + kRegistersAtOnce - 1) / kRegistersAtOnce * kRegistersAtOnce;
      fit = std::min<std::int64_t>(fit, kRegistersOfMultiprocessor / (each * entry_.threads));
    }
    return static_cast<int>(std::clamp<std::int64_t>(fit, 1, kBlocksOfMultiprocessor));
  }

  const Manifest& manifest_;
  const KernelEntry& entry_;
  int registers_ = 0;
  std::map<std::string, std::int64_t> sizes_;
};

Result<LaunchEstimate> estimate_launch(const std::map<std::string, std::string>& files,
                                       const Manifest& manifest, const KernelEntry& entry,
                                       const Occasion& occasion) {
  Result<verify::Lifted> lifted = verify::lift(files.at(entry.file), entry);
  if (!lifted) return lifted.error();
  Launch launch(manifest, entry, occasion);
  const std::string fault = launch.fault();
  if (!fault.empty()) return Error{fault};
  BlockLaunch one = launch.block_launch();
  LaunchEstimate estimate;
  estimate.symbol = entry.symbol;
  estimate.blocks = launch.blocks() * occasion.batch * occasion.heads;
  estimate.block = one.block;
  estimate.registers = launch.registers();
  const std::int64_t each = (estimate.blocks + kMultiprocessors - 1) / kMultiprocessors;
  one.side_by_side = static_cast<int>(std::min<std::int64_t>(one.side_by_side, each));
  estimate.side_by_side = one.side_by_side;
  Result<BlockCycles> cycles = run_block(*lifted, one);
  if (!cycles) return Error{entry.symbol + ": " + cycles.error().message};
  estimate.cycles = std::move(*cycles);
  const std::int64_t at_once = std::int64_t{kMultiprocessors} * one.side_by_side;
  const std::int64_t rounds = (estimate.blocks + at_once - 1) / at_once;
  estimate.milliseconds =
      static_cast<double>(rounds * estimate.cycles.cycles_of_all) / (kGigahertz * 1e6);
  return estimate;
}

}  // namespace

Result<std::vector<LaunchEstimate>> estimate(const std::map<std::string, std::string>& files,
                                             const Manifest& manifest, const KernelEntry& kernel,
                                             const Occasion& occasion) {
  if (manifest.varlen) return Error{"sequences with lengths of their own are not made up here"};
  std::vector<LaunchEstimate> all;
  for (const KernelEntry* const launched : launches_of(kernel)) {
    Result<LaunchEstimate> one = estimate_launch(files, manifest, *launched, occasion);
    if (!one) return one.error();
    all.push_back(std::move(*one));
  }
  return all;
}

}  // namespace heddle::timing
