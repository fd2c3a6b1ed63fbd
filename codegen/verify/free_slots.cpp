// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/free_slots.hpp"

#include <algorithm>

#include "codegen/verify/instances.hpp"
#include "codegen/verify/shapes.hpp"

namespace heddle::verify {
namespace {

bool starts_with(const std::string& text, const std::string& start) {
  return text.rfind(start, 0) == 0;
}
bool of_a_state(const std::string& buffer) {
  return starts_with(buffer, "initial_") || starts_with(buffer, "cache_");
}
bool begins(const std::vector<int>& part, const std::vector<int>& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

class FreeSlots {
 public:
  FreeSlots(const Lifted& lifted, const Launch& launch, const Contract& contract,
            const Facts& facts, Prover& prover, const Trace& trace)
      : lifted_(lifted),
        launch_(launch),
        contract_(contract),
        facts_(facts),
        prover_(prover),
        trace_(trace) {}

  CoverageResult run() {
    for (const Access& read : trace_.accesses) {
      if (read.write || read.digits.empty()) continue;
      const auto contents = contents_of_slots(name_of(lifted_, read.memory));
      if (!contents) continue;
      ++result_.looked_at;
      const CacheLayout& layout = contents->side == 'a' ? contract_.slots_a : contract_.slots_b;
      const bool taken = read.digits.size() >= 4 &&
                         (layout.retention == CacheRetention::kAll ? below_start(read)
                                                                   : holds_token(read, *contents));
      if (taken) continue;
      result_.findings.push_back(
          {"initialised", false,
           "it is not proved that this slot of " + name_of(lifted_, read.memory) + " holds a token",
           read.at});
    }
    return std::move(result_);
  }

 private:
  // Every token keeps its own slot: those of the tokens before this launch are written.
  bool below_start(const Access& read) {
    const auto start = launch_.sizes.find("start");
    if (start == launch_.sizes.end()) return false;
    const Term slot = facts_.term(read.digits[1]);
    if (launch_.sequence && launch_.sequence->before) return before_own_start(read, slot);
    const Term goal = slot < facts_.term(Polynomial::atom(start->second));
    return proves(read, goal);
  }

  // ... and those that its own sequence has had, where starts differ.
  bool before_own_start(const Access& read, const Term& slot) {
    const OwnSequence& own = *launch_.sequence;
    const Term before = facts_.term(Polynomial::atom(*own.before));
    const Term batch = facts_.term(Polynomial::atom(own.place));
    const Term goal = conjunction({slot < before, equal(facts_.term(read.digits[0]), batch)});
    std::vector<Term> known =
        granted_of_sequence(facts_, launch_, [](const std::string& name) { return name; });
    for (const Term& fact : facts_.context(read.path, {conjunction(known), goal})) {
      known.push_back(fact);
    }
    return prover_.proves(known, goal, "a slot holds a token");
  }

  bool holds_token(const Access& read, const SlotBuffer& contents) {
    return std::any_of(trace_.held.begin(), trace_.held.end(), [&](const HeldSlot& told) {
      return name_of(lifted_, told.positions) == contents.positions && counts_at(told, read) &&
             as_at_the_start(told) && proves(read, is_of(told, read, contents.side));
    });
  }

  // In the same iterations, and not later in the text.
  static bool counts_at(const HeldSlot& told, const Access& read) {
    return told.order <= read.order && begins(told.barrier_loops, read.barrier_loops) &&
           begins(told.plain_loops, read.plain_loops);
  }
  // No store to the positions may come before the load. That of another thread is ordered after it
  // by a barrier, or races with it, which is asked elsewhere.
  bool as_at_the_start(const HeldSlot& told) const {
    return std::none_of(trace_.accesses.begin(), trace_.accesses.end(), [&](const Access& write) {
      if (!write.write || !same_memory(write.memory, told.positions)) return false;
      const std::vector<int> around = loops_of(write);
      return write.order <= told.order ||
             std::any_of(told.looked_in.begin(), told.looked_in.end(), [&](int loop) {
               return std::count(around.begin(), around.end(), loop) != 0;
             });
    });
  }
  // Slots of [batch, slots, heads, ...] have their positions in [batch, heads, slots].
  Term is_of(const HeldSlot& told, const Access& read, char side) const {
    const Polynomial slots = launch_.extent(std::string("slots_") + side);
    const Polynomial row = read.digits[0] * launch_.extent("heads") + read.digits[2];
    const Polynomial place = row * slots + read.digits[1];
    std::vector<Term> goal = conditions(told.path);
    goal.push_back(told.when);
    if (!(place == told.index)) goal.push_back(equal(facts_.term(place), facts_.term(told.index)));
    return conjunction(goal);
  }
  bool proves(const Access& read, const Term& goal) {
    return prover_.proves(facts_.context(read.path, {goal}), goal, "a slot holds a token");
  }

  const Lifted& lifted_;
  const Launch& launch_;
  const Contract& contract_;
  const Facts& facts_;
  Prover& prover_;
  const Trace& trace_;
  CoverageResult result_;
};

}  // namespace

bool holds_positions(const std::string& buffer) {
  return of_a_state(buffer) && buffer.size() > 4 && buffer.substr(buffer.size() - 4) == "_pos";
}

std::optional<SlotBuffer> contents_of_slots(const std::string& buffer) {
  const std::size_t last = buffer.rfind('_');
  if (!of_a_state(buffer) || last == std::string::npos || last == 0) return std::nullopt;
  const std::string what = buffer.substr(last + 1);
  if (what != "key" && what != "val") return std::nullopt;
  return SlotBuffer{buffer.substr(0, last) + "_pos", buffer[last - 1]};
}

CoverageResult check_free_slots(const Lifted& lifted, const Launch& launch,
                                const Contract& contract, const Facts& facts, Prover& prover,
                                const Trace& trace) {
  return FreeSlots(lifted, launch, contract, facts, prover, trace).run();
}

}  // namespace heddle::verify
