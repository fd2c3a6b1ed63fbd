// SPDX-License-Identifier: Apache-2.0
#include "runtime/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "runtime/verify_backward.hpp"
#include "runtime/verify_plan.hpp"

namespace heddle {
namespace {

using Json = nlohmann::ordered_json;
using Task = std::function<void()>;

void run_parallel(const std::vector<Task>& tasks, int threads) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t t = next++; t < tasks.size(); t = next++) tasks[t]();
  };
  std::vector<std::thread> helpers;
  for (int t = 1; t < threads; ++t) helpers.emplace_back(work);
  work();
  for (std::thread& helper : helpers) helper.join();
}

// One kernel, or the hand-over between two: each has its own books, so that the report reads the
// same whatever ran first.
struct Chapter {
  explicit Chapter(std::string subject) : ledger(std::move(subject)) {}
  Ledger ledger;
  std::vector<KernelProfile> profiles;
  std::optional<KernelUnderTest> kernel;
};

class Verification {
 public:
  Verification(const VerifyContext& context, const std::map<std::string, std::string>& files)
      : context_(context), files_(files) {
    for (const KernelEntry& entry : context.manifest.kernels) {
      entries_.push_back(&entry);
      chapters_.push_back(std::make_unique<Chapter>(entry.op));
    }
    for (const KernelEntry& entry : context.manifest.sliced) {
      entries_.push_back(&entry);
      chapters_.push_back(std::make_unique<Chapter>(entry.op + " by slices"));
    }
    chapters_.push_back(std::make_unique<Chapter>("prefill then decode"));
  }

  VerifyReport run() {
    std::vector<Task> builds;
    for (std::size_t k = 0; k < entries_.size(); ++k) {
      builds.push_back([this, k] { build(*chapters_[k], *entries_[k]); });
    }
    run_parallel(builds, context_.options.threads);

    std::vector<Task> checks;
    const Chapter* prefill = nullptr;
    const Chapter* decode = nullptr;
    for (std::size_t k = 0; k < entries_.size(); ++k) {
      Chapter& chapter = *chapters_[k];
      if (!chapter.kernel) continue;
      const bool whole = k < context_.manifest.kernels.size();
      if (whole && entries_[k]->op == "prefill") prefill = &chapter;
      if (whole && entries_[k]->op == "decode") decode = &chapter;
      checks.push_back([this, &chapter] { check(chapter); });
    }
    Chapter& hand_over = *chapters_.back();
    const bool both = prefill != nullptr && decode != nullptr;
    if (both) {
      checks.push_back([&, this] {
        check_hand_over(context_, *prefill->kernel, *decode->kernel, hand_over.ledger);
        say("the hand-over from prefill to decode is done");
      });
    }
    run_parallel(checks, context_.options.threads);
    return report(both);
  }

 private:
  void say(const std::string& text) {
    if (!context_.options.progress) return;
    const std::lock_guard<std::mutex> lock(progress_);
    context_.options.progress(text);
  }

  void build(Chapter& chapter, const KernelEntry& entry) {
    if (entry.op != "prefill" && entry.op != "decode" && entry.op != "backward") {
      chapter.ledger.undecided(Duty::kBuilds, fmt::format("nothing checks '{}' kernels", entry.op));
      return;
    }
    Result<KernelUnderTest> kernel = KernelUnderTest::build(context_.manifest, entry, files_);
    if (!kernel) {
      chapter.ledger.failed(Duty::kBuilds, 0,
                            {"compile_error", kernel.error().message, entry.file});
      return;
    }
    chapter.ledger.passed(Duty::kBuilds, 0);
    chapter.kernel.emplace(*std::move(kernel));
    say(fmt::format("{} is compiled for the emulator", entry.symbol));
  }

  void check(Chapter& chapter) {
    const std::string& op = chapter.kernel->entry().op;
    const auto run = op == "prefill"  ? check_prefill
                     : op == "decode" ? check_decode
                                      : check_backward;
    run(context_, *chapter.kernel, chapter.ledger, chapter.profiles);
    say(fmt::format("{} is {}", chapter.kernel->entry().symbol,
                    chapter.ledger.rejected() ? "rejected" : "checked"));
  }

  VerifyReport report(bool handed_over) const {
    VerifyReport report;
    check_caches(context_, report.obligations, report.failures);
    const std::size_t chapters = chapters_.size() - (handed_over ? 0 : 1);
    for (std::size_t c = 0; c < chapters; ++c) {
      const Chapter& chapter = *chapters_[c];
      for (VerifyObligation& obligation : chapter.ledger.obligations()) {
        report.obligations.push_back(std::move(obligation));
      }
      const auto& failures = chapter.ledger.failures();
      report.failures.insert(report.failures.end(), failures.begin(), failures.end());
      // Slices do what the whole kernel does, and are not counted beside it.
      if (c < context_.manifest.kernels.size()) {
        report.profiles.insert(report.profiles.end(), chapter.profiles.begin(),
                               chapter.profiles.end());
      }
    }
    // Without a kernel there is nothing that could be verified.
    report.verdict =
        context_.manifest.kernels.empty() ? KernelVerdict::kUnknown : KernelVerdict::kVerified;
    for (const VerifyObligation& obligation : report.obligations) {
      report.verdict = worse_of(report.verdict, obligation.verdict);
    }
    return report;
  }

  const VerifyContext& context_;
  const std::map<std::string, std::string>& files_;
  std::vector<const KernelEntry*> entries_;
  std::vector<std::unique_ptr<Chapter>> chapters_;  // of the entries, and the hand-over
  std::mutex progress_;
};

}  // namespace

const char* name_of(KernelVerdict verdict) {
  switch (verdict) {
    case KernelVerdict::kVerified:
      return "verified";
    case KernelVerdict::kRejected:
      return "rejected";
    case KernelVerdict::kUnknown:
      return "unknown";
  }
  unreachable("verdict");
}

KernelVerdict worse_of(KernelVerdict a, KernelVerdict b) {
  for (const KernelVerdict verdict : {KernelVerdict::kRejected, KernelVerdict::kUnknown}) {
    if (a == verdict || b == verdict) return verdict;
  }
  return KernelVerdict::kVerified;
}

VerifyReport verify(const Manifest& manifest, const std::map<std::string, std::string>& files,
                    const Rows& rows, const VerifyOptions& options) {
  const Result<WeightMode> weights = parse_weight_mode(manifest.weights);
  if (!weights || rows.n() < 2 || manifest.head_dim < 1) {
    const std::string why = !weights ? weights.error().message : "there are too few rows to run on";
    return {KernelVerdict::kUnknown,
            {{"the artifact can be run", KernelVerdict::kUnknown, why}},
            {},
            {}};
  }
  const VerifyContext context{manifest, rows, options, *weights};
  return Verification(context, files).run();
}

std::vector<VerificationLayer> layers_of(const VerifyReport& report) {
  struct Sum {
    std::string name;
    KernelVerdict verdict = KernelVerdict::kVerified;
    int obligations = 0;
  };
  std::vector<Sum> sums;
  for (const VerifyObligation& obligation : report.obligations) {
    auto sum = std::find_if(sums.begin(), sums.end(),
                            [&](const Sum& s) { return s.name == obligation.layer; });
    if (sum == sums.end()) sum = sums.insert(sums.end(), Sum{obligation.layer});
    sum->verdict = worse_of(sum->verdict, obligation.verdict);
    ++sum->obligations;
  }
  std::vector<VerificationLayer> layers;
  for (const Sum& sum : sums) {
    layers.push_back(
        {sum.name, name_of(sum.verdict), fmt::format("{} obligations", sum.obligations)});
  }
  return layers;
}

std::string verify_json(const VerifyReport& report) {
  Json obligations = Json::array();
  for (const VerifyObligation& o : report.obligations) {
    obligations.push_back({{"name", o.name},
                           {"verdict", name_of(o.verdict)},
                           {"method", o.method},
                           {"layer", o.layer}});
  }
  Json failures = Json::array();
  for (const VerifyFailure& f : report.failures) {
    failures.push_back(
        {{"kind", f.kind}, {"message", f.message}, {"where", f.where}, {"layer", f.layer}});
  }
  const Json json = {
      {"verdict", name_of(report.verdict)}, {"obligations", obligations}, {"failures", failures}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string profile_json(const VerifyReport& report) {
  Json kernels = Json::array();
  for (const KernelProfile& p : report.profiles) {
    const auto resource = [&](std::int64_t value) {
      return p.resources ? Json(value) : Json(nullptr);
    };
    const KernelResources resources = p.resources.value_or(KernelResources{});
    kernels.push_back({{"symbol", p.symbol},
                       {"op", p.op},
                       {"n", p.tokens},
                       {"start", p.start},
                       {"batch", p.batch},
                       {"heads", p.heads},
                       {"global_bytes_read", p.global_bytes_read},
                       {"global_bytes_written", p.global_bytes_written},
                       {"minimum_bytes", p.minimum_bytes},
                       {"sectors_per_request", p.sectors_per_request},
                       {"shared_bank_conflicts", p.shared_bank_conflicts},
                       {"barriers", p.barriers},
                       {"flops", p.flops},
                       {"registers", resource(resources.registers)},
                       {"shared_bytes", resource(resources.shared_bytes)},
                       {"spilled_bytes", resource(spilled_bytes(resources))}});
  }
  const Json json = {{"verdict", name_of(report.verdict)}, {"kernels", kernels}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace heddle
