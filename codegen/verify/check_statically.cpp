// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/check_statically.hpp"

#include <algorithm>

#include "codegen/prelude/prelude.hpp"
#include "codegen/verify/bounds.hpp"
#include "codegen/verify/coverage.hpp"
#include "codegen/verify/execute.hpp"
#include "codegen/verify/free_slots.hpp"
#include "codegen/verify/lift.hpp"
#include "codegen/verify/races.hpp"
#include "codegen/verify/refute.hpp"

namespace heddle {

using verify::Finding;

namespace {

class Layer {
 public:
  Layer(const Manifest& manifest, const KernelEntry& entry, const StaticOptions& options)
      : manifest_(manifest),
        entry_(entry),
        options_(options),
        prover_({options.resource_limit, options.keep_scripts, options.answered}) {}

  StaticReport run(const std::string& text, const std::map<std::string, std::string>& files) {
    if (manifest_.target != "cuda") return refuse("the static layer reads cuda kernels only");
    const auto is_ours = [&](const char* name, std::string_view ours) {
      const auto file = files.find(name);
      return file != files.end() && file->second == ours;
    };
    if (!is_ours("device_prelude.cuh", device_prelude())) {
      return refuse("device_prelude.cuh is not the prelude that the helpers' rules were made for");
    }
    if (entry_.threads < 32 || entry_.threads > 1024 || entry_.threads % 32 != 0) {
      return refuse("a block does not consist of whole warps");
    }
    if (!rows_are_their_own()) return refuse("rows of shared memory are counted by another size");
    Result<verify::Lifted> lifted = verify::lift(text, entry_);
    if (!lifted) return refuse(lifted.error().message);
    for (const auto& [prelude, ours] : {std::pair{verify::Prelude::kStaging, staging_prelude()},
                                        std::pair{verify::Prelude::kTensor, tensor_prelude()},
                                        std::pair{verify::Prelude::kSoftmax, softmax_prelude()}}) {
      const std::string name = file_of(prelude);
      if (lifted->prelude < prelude || is_ours(name.c_str(), ours)) continue;
      return refuse(name + " is not the prelude that the helpers' rules were made for");
    }
    conclude("reading", {}, "the text is read back; every proof below is about what was read");
    check(*lifted);
    report_.questions = prover_.questions();
    for (const verify::KeptScript& kept : prover_.scripts()) {
      report_.scripts.push_back({kept.statement, kept.script});
    }
    return std::move(report_);
  }

 private:
  StaticReport refuse(const std::string& why) {
    report_.obligations.push_back({"reading", StaticVerdict::kUnknown, why});
    report_.failures.push_back({"reading", why, entry_.file});
    return std::move(report_);
  }

  // What is granted of rows of shared memory is what a launch passes only where nothing else goes
  // by their name.
  bool rows_are_their_own() const {
    std::vector<std::string> taken = entry_.grid;
    for (const Argument& argument : entry_.arguments) {
      taken.insert(taken.end(), argument.shape.begin(), argument.shape.end());
    }
    return std::all_of(
        entry_.shared_rows.begin(), entry_.shared_rows.end(), [&](const SharedRows& rows) {
          const bool other = std::find(taken.begin(), taken.end(), rows.size) != taken.end();
          taken.push_back(rows.size);
          return !other;
        });
  }

  void conclude(const std::string& name, const std::vector<Finding>& findings,
                const std::string& method) {
    StaticVerdict verdict = StaticVerdict::kVerified;
    for (const Finding& finding : findings) {
      if (finding.refuted) verdict = StaticVerdict::kRejected;
      if (!finding.refuted && verdict == StaticVerdict::kVerified)
        verdict = StaticVerdict::kUnknown;
      report_.failures.push_back({name, finding.sentence,
                                  entry_.file + ":" + std::to_string(finding.at.line) + ":" +
                                      std::to_string(finding.at.column)});
    }
    const std::string shown =
        verdict == StaticVerdict::kVerified ? method : findings.front().sentence;
    report_.obligations.push_back({name, verdict, shown});
    const bool first = report_.obligations.size() == 1;
    const auto worse = [](StaticVerdict a, StaticVerdict b) {
      if (a == StaticVerdict::kRejected || b == StaticVerdict::kRejected) {
        return StaticVerdict::kRejected;
      }
      return a == StaticVerdict::kUnknown ? a : b;
    };
    report_.verdict = first ? verdict : worse(report_.verdict, verdict);
  }

  void check(const verify::Lifted& lifted) {
    // A launch that goes wrong needs no proofs beside it.
    if (const auto found = verify::refute(lifted, manifest_, entry_, options_.replay_work)) {
      return conclude(found->obligation, {{found->obligation, true, found->sentence, found->at}},
                      "");
    }
    const verify::Uniformity uniformity = verify::spread_of(lifted);
    verify::Facts facts;
    const verify::Contract contract{manifest_.cache_a, manifest_.cache_b, manifest_.width_a,
                                    manifest_.width_b};
    const verify::Launch launch =
        verify::make_launch(facts, entry_, contract, verify::cuts_of(lifted, uniformity));
    verify::Execution execution(lifted, uniformity, launch, facts, prover_);
    execution.run();

    std::vector<Family> families;
    const auto count = [](int n, const std::string& one, const std::string& many) {
      return std::to_string(n) + " " + (n == 1 ? one : many);
    };
    families.push_back(
        {"barriers",
         {},
         count(uniformity.barriers, "barrier", "barriers") + " where the block arrives together, " +
             count(uniformity.reductions, "warp reduction", "warp reductions") +
             " where the warp does" +
             (uniformity.groups == 0 ? ""
                                     : ", " + count(uniformity.groups, "meeting", "meetings") +
                                           " of a group where the group does")});
    families.push_back(
        {"arithmetic",
         {},
         count(execution.arithmetic, "operation", "operations") +
             ": 64 bits suffice, divisors are positive, helpers stay in their domains"});
    families.push_back({"loops",
                        {},
                        count(execution.while_loops, "while loop", "while loops") +
                            ": in each a bounded variable moves one way"});
    for (const verify::Divergence& divergence : uniformity.divergences) {
      families[0].findings.push_back({"barriers", false, divergence.sentence, divergence.at});
    }
    for (const char* name : {"bounds", "races", "initialised", "outputs"}) {
      families.push_back({name, {}, ""});
      families.back().asked = false;
    }
    for (const Finding& finding : execution.findings) {
      family(families, finding.obligation).findings.push_back(finding);
    }
    const auto take = [&](const std::string& name, std::vector<Finding> findings,
                          std::string method) {
      Family& taken = family(families, name);
      taken.asked = true;
      taken.method = std::move(method);
      taken.findings.insert(taken.findings.begin(), findings.begin(), findings.end());
    };
    const auto ends = [&] {
      return options_.until_a_failure &&
             std::any_of(families.begin(), families.end(),
                         [](const Family& each) { return !each.findings.empty(); });
    };
    if (!ends()) {
      verify::BoundsResult bounds =
          verify::check_bounds(lifted, entry_, launch, facts, prover_, execution.trace);
      take("bounds", std::move(bounds.findings),
           count(bounds.accesses, "access", "accesses") +
               " in the shapes of the manifest, axis by axis");
    }
    if (!ends()) {
      verify::RacesResult races =
          verify::check_races(lifted, launch, facts, prover_, execution.trace);
      take("races", std::move(races.findings),
           count(races.pairs, "pair", "pairs") + " of accesses that no barrier separates" +
               of_sequences(launch));
    }
    if (!ends()) {
      verify::CoverageResult initialised =
          verify::check_initialised(lifted, launch, facts, prover_, execution.trace);
      verify::CoverageResult slots =
          verify::check_free_slots(lifted, launch, contract, facts, prover_, execution.trace);
      take("initialised", std::move(initialised.findings),
           count(initialised.looked_at, "read", "reads") + " of what a write has filled before, " +
               std::to_string(slots.looked_at) + " of slots that hold a token");
      take("initialised", std::move(slots.findings), family(families, "initialised").method);
    }
    if (!ends()) {
      verify::CoverageResult outputs =
          verify::check_outputs(lifted, entry_, launch, facts, prover_, execution.trace);
      take("outputs", std::move(outputs.findings),
           count(outputs.looked_at, "buffer", "buffers") +
               " with every element written once: writes never meet, and each has a witness" +
               of_sequences(launch));
    }
    for (const Family& each : families) {
      if (each.asked || !each.findings.empty()) conclude(each.name, each.findings, each.method);
    }
  }

  // Blocks keep to their own sequences as far as these lie one behind the other.
  static std::string of_sequences(const verify::Launch& launch) {
    const bool told = launch.sequence && launch.sequence->first;
    return told ? ", for offsets that ascend within the tokens, and lengths up to `longest`" : "";
  }

  // What is asked of a text under one name.
  struct Family {
    std::string name;
    std::vector<Finding> findings;
    std::string method;
    bool asked = true;
  };
  static Family& family(std::vector<Family>& families, const std::string& name) {
    const auto found = std::find_if(families.begin(), families.end(),
                                    [&](const Family& each) { return each.name == name; });
    assert_that(found != families.end(), "an obligation has a family");
    return *found;
  }

  const Manifest& manifest_;
  const KernelEntry& entry_;
  const StaticOptions& options_;
  verify::Prover prover_;
  StaticReport report_;
};

}  // namespace

const char* name_of(StaticVerdict verdict) {
  switch (verdict) {
    case StaticVerdict::kVerified:
      return "verified";
    case StaticVerdict::kRejected:
      return "rejected";
    case StaticVerdict::kUnknown:
      return "unknown";
  }
  return "unknown";
}

StaticReport check_statically(const std::string& text,
                              const std::map<std::string, std::string>& files,
                              const Manifest& manifest, const KernelEntry& entry,
                              const StaticOptions& options) {
  return Layer(manifest, entry, options).run(text, files);
}

}  // namespace heddle
