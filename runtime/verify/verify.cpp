// SPDX-License-Identifier: Apache-2.0
#include "runtime/verify/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "runtime/verify/algebraic.hpp"
#include "runtime/verify/backward.hpp"
#include "runtime/verify/plan.hpp"
#include "runtime/verify/roofline.hpp"

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

// One kernel, or the hand-over between two, in one layer: each has its own books, so that the
// report reads the same whatever ran first.
struct Chapter {
  Chapter(std::string subject, Layer in_layer, bool stop_early)
      : layer(in_layer), ledger(std::move(subject), in_layer, stop_early ? 1 : 12) {}
  Layer layer;
  Ledger ledger;
  std::vector<KernelProfile> profiles;
  std::optional<KernelUnderTest> kernel;
};

class Verification {
 public:
  Verification(const VerifyContext& context, const std::map<std::string, std::string>& files)
      : context_(context), files_(files) {
    for (const KernelEntry& entry : context.manifest.kernels) entries_.push_back(&entry);
    for (const KernelEntry& entry : context.manifest.sliced) entries_.push_back(&entry);
    for (const auto& [layer, wanted] : {std::pair(Layer::kEmulated, context.options.emulated),
                                        std::pair(Layer::kAlgebraic, context.options.algebraic)}) {
      if (!wanted) continue;
      Part part{layer, {}, {}, false};
      for (std::size_t k = 0; k < entries_.size(); ++k) {
        const std::string subject = entries_[k]->op + (is_whole(k) ? "" : " by slices");
        part.kernels.push_back(
            std::make_unique<Chapter>(subject, layer, context.options.stop_early));
      }
      part.hand_over =
          std::make_unique<Chapter>("prefill then decode", layer, context.options.stop_early);
      parts_.push_back(std::move(part));
    }
  }

  VerifyReport run() {
    std::vector<Task> builds;
    for (Part& part : parts_) {
      for (std::size_t k = 0; k < entries_.size(); ++k) {
        builds.push_back(
            [this, &chapter = *part.kernels[k], &entry = *entries_[k]] { build(chapter, entry); });
      }
    }
    run_parallel(builds, context_.options.threads);

    std::vector<Task> checks;
    for (Part& part : parts_) {
      const Chapter* prefill = nullptr;
      const Chapter* decode = nullptr;
      for (std::size_t k = 0; k < entries_.size(); ++k) {
        if (!part.kernels[k]->kernel) continue;
        Chapter& chapter = *part.kernels[k];
        if (is_whole(k) && entries_[k]->op == "prefill") prefill = &chapter;
        if (is_whole(k) && entries_[k]->op == "decode") decode = &chapter;
        checks.push_back([this, &chapter] { check(chapter); });
      }
      part.handed_over = prefill != nullptr && decode != nullptr;
      if (!part.handed_over) continue;
      checks.push_back([this, prefill, decode, &chapter = *part.hand_over] {
        const auto check =
            chapter.layer == Layer::kEmulated ? check_hand_over : check_hand_over_algebra;
        check(context_, *prefill->kernel, *decode->kernel, chapter.ledger);
        say(fmt::format("the hand-over from prefill to decode is done ({})",
                        name_of(chapter.layer)));
      });
    }
    run_parallel(checks, context_.options.threads);
    if (context_.options.count_flops) count_flops();
    return report();
  }

 private:
  bool is_whole(std::size_t entry) const { return entry < context_.manifest.kernels.size(); }

  // All chapters of one layer.
  struct Part {
    Layer layer;
    std::vector<std::unique_ptr<Chapter>> kernels;  // of entries_
    std::unique_ptr<Chapter> hand_over;
    bool handed_over = false;
  };

  void say(const std::string& text) {
    if (!context_.options.progress) return;
    const std::lock_guard<std::mutex> lock(progress_);
    context_.options.progress(text);
  }

  void build(Chapter& chapter, const KernelEntry& entry) {
    const bool real = chapter.layer == Layer::kEmulated;
    const Duty duty = real ? Duty::kBuilds : Duty::kFieldBuilds;
    if (entry.op != "prefill" && entry.op != "decode" && entry.op != "backward") {
      chapter.ledger.undecided(duty, fmt::format("nothing checks '{}' kernels", entry.op));
      return;
    }
    if (entry.op == "backward" && context_.weights == WeightMode::kMatrix && takes_state(entry)) {
      chapter.ledger.undecided(duty, "nothing checks gradients between matrix states");
      return;
    }
    Result<KernelUnderTest> kernel = KernelUnderTest::build(
        context_.manifest, entry, files_, real ? Numbers::kReal : Numbers::kField);
    if (!kernel && real && !kernel.error().of_the_machine) {
      chapter.ledger.failed(duty, 0, {"compile_error", kernel.error().message, entry.file});
      return;
    }
    if (!kernel) {  // no compiler, or a call of functions that only real numbers have
      chapter.ledger.undecided(duty, kernel.error().message);
      return;
    }
    chapter.ledger.passed(duty, 0);
    chapter.kernel.emplace(*std::move(kernel));
    say(fmt::format("{} is compiled for the emulator ({})", entry.symbol, name_of(chapter.layer)));
  }

  void check(Chapter& chapter) {
    const KernelUnderTest& kernel = *chapter.kernel;
    const std::string& op = kernel.entry().op;
    if (chapter.layer == Layer::kEmulated) {
      const auto run = op == "prefill"  ? check_prefill
                       : op == "decode" ? check_decode
                                        : check_backward;
      run(context_, kernel, chapter.ledger, chapter.profiles);
    } else {
      const auto run = op == "prefill"  ? check_prefill_algebra
                       : op == "decode" ? check_decode_algebra
                                        : check_backward_algebra;
      run(context_, kernel, chapter.ledger);
    }
    if (chapter.ledger.rejected() && !context_.options.stop_early) {
      const auto smallest = chapter.layer == Layer::kAlgebraic ? smallest_algebraic_failure
                            : op == "backward"                 ? smallest_backward_failure
                                                               : smallest_failure;
      chapter.ledger.note_smallest(smallest(context_, kernel));
    }
    say(fmt::format("{} is {} ({})", kernel.entry().symbol,
                    chapter.ledger.rejected() ? "rejected" : "checked", name_of(chapter.layer)));
  }

  // The profiled launches again, over the field.
  void count_flops() {
    for (Part& real : parts_) {
      for (Part& field : parts_) {
        if (real.layer != Layer::kEmulated || field.layer != Layer::kAlgebraic) continue;
        for (std::size_t k = 0; k < real.kernels.size(); ++k) {
          if (!field.kernels[k]->kernel) continue;
          for (KernelProfile& profile : real.kernels[k]->profiles) {
            count_operations(context_, *field.kernels[k]->kernel, profile);
          }
        }
      }
    }
  }

  VerifyReport report() const {
    VerifyReport report;
    if (context_.options.emulated) {
      check_caches(context_, report.obligations, report.failures);
    }
    for (const Part& part : parts_) {
      for (std::size_t k = 0; k < part.kernels.size(); ++k) {
        add(*part.kernels[k], report);
        // Slices do what the whole kernel does, and are not counted beside it.
        if (is_whole(k)) add_profiles(*part.kernels[k], report);
      }
      if (part.handed_over) add(*part.hand_over, report);
      if (part.layer == Layer::kEmulated) add_unreached(part, report);
    }
    // Without a kernel there is nothing that could be verified.
    report.verdict = context_.manifest.kernels.empty() || parts_.empty() ? KernelVerdict::kUnknown
                                                                         : KernelVerdict::kVerified;
    for (const VerifyObligation& obligation : report.obligations) {
      report.verdict = worse_of(report.verdict, obligation.verdict);
    }
    return report;
  }

  static void add(const Chapter& chapter, VerifyReport& report) {
    for (VerifyObligation& obligation : chapter.ledger.obligations()) {
      report.obligations.push_back(std::move(obligation));
    }
    const auto& failures = chapter.ledger.failures();
    report.failures.insert(report.failures.end(), failures.begin(), failures.end());
  }
  // A text may hold several kernels, each of which runs its own part.
  void add_unreached(const Part& part, VerifyReport& report) const {
    std::map<std::string, std::vector<std::pair<int, int>>> unreached;
    for (const std::unique_ptr<Chapter>& chapter : part.kernels) {
      if (!chapter->kernel || chapter->ledger.rejected()) return;
      for (const auto& [file, lines] : chapter->kernel->lines_never_run()) {
        const auto [known, first] = unreached.emplace(file, lines);
        if (first) continue;
        std::vector<std::pair<int, int>> common;
        for (const auto& [a, b] : known->second) {
          for (const auto& [c, d] : lines) {
            if (std::max(a, c) <= std::min(b, d)) {
              common.emplace_back(std::max(a, c), std::min(b, d));
            }
          }
        }
        known->second = std::move(common);
      }
    }
    for (auto& [file, lines] : unreached) {
      if (!lines.empty()) report.unreached.push_back({file, std::move(lines)});
    }
  }
  void add_profiles(const Chapter& chapter, VerifyReport& report) const {
    for (KernelProfile profile : chapter.profiles) {
      profile.cuda = context_.manifest.target == "cuda";
      report.profiles.push_back(std::move(profile));
    }
  }

  const VerifyContext& context_;
  const std::map<std::string, std::string>& files_;
  std::vector<const KernelEntry*> entries_;  // of the manifest: whole kernels, then sliced ones
  std::vector<Part> parts_;
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
  const Result<WeightMode> weights = weight_mode_of(manifest);
  if (!weights || rows.n() < 2 || manifest.head_dim < 1) {
    const std::string why = !weights ? weights.error().message : "there are too few rows to run on";
    return {KernelVerdict::kUnknown,
            {{"the artifact can be run", KernelVerdict::kUnknown, why}},
            {},
            {}};
  }
  if (*weights == WeightMode::kMatrix && manifest.varlen) {
    const char* const why =
        "matrix states of sequences with lengths of their own have no reference";
    return {KernelVerdict::kUnknown,
            {{"the artifact can be run", KernelVerdict::kUnknown, why}},
            {},
            {}};
  }
  const VerifyContext context{manifest, rows, options, *weights};
  return Verification(context, files).run();
}

std::string describe(const UnreachedText& text) {
  std::string words =
      text.lines.size() == 1 && text.lines[0].first == text.lines[0].second ? "line" : "lines";
  for (std::size_t at = 0; at < text.lines.size(); ++at) {
    const auto& [first, last] = text.lines[at];
    words += at == 0 ? " " : at + 1 == text.lines.size() ? " and " : ", ";
    words += first == last ? std::to_string(first) : fmt::format("{}-{}", first, last);
  }
  return words + " of " + text.file;
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
    if (sum.name != "emulated") continue;
    for (const UnreachedText& text : report.unreached) {
      layers.back().detail += "; did not come to " + describe(text);
    }
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
    failures.push_back({{"kind", f.kind},
                        {"message", f.message},
                        {"where", f.where},
                        {"smallest", f.smallest},
                        {"layer", f.layer}});
  }
  Json unreached = Json::array();
  for (const UnreachedText& text : report.unreached) {
    unreached.push_back({{"file", text.file}, {"lines", text.lines}});
  }
  const Json json = {{"verdict", name_of(report.verdict)},
                     {"cached", report.cached},
                     {"obligations", obligations},
                     {"failures", failures},
                     {"unreached", unreached}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

namespace {

// What a prefill of one batch and head from the first token on moves of the state that it hands
// over: each slot's key and value, read and written, and the position it holds.
std::int64_t state_bytes(const Manifest& manifest, std::int64_t tokens) {
  const std::int64_t type = static_cast<std::int64_t>(
      size_of(manifest.state_dim > 0 ? ElementType::kF32 : manifest.dtype));
  const std::int64_t row = std::max(manifest.state_dim, 1) * manifest.head_dim * type;
  std::int64_t bytes = 0;
  for (const CacheLayout* layout : {&manifest.cache_a, &manifest.cache_b}) {
    const Result<std::int64_t> slots = layout->slots(tokens);
    if (!slots) continue;
    bytes += *slots * 2 * row * (manifest.weights == "softmax" ? 2 : 1);
    if (layout->retention == CacheRetention::kNextRow) bytes += *slots * 4;
  }
  return bytes;
}

}  // namespace

void add_predictions(const Manifest& manifest, VerifyReport& report) {
  for (const KernelEntry& entry : manifest.kernels) {
    for (KernelProfile& profile : report.profiles) {
      if (profile.symbol != entry.symbol) continue;
      profile.schedule = entry.schedule;
      if (entry.prediction.tokens != profile.tokens || profile.start != 0) continue;
      const std::int64_t bytes = entry.prediction.bytes + state_bytes(manifest, profile.tokens);
      profile.predicted_bytes = bytes * profile.batch * profile.heads;
      profile.predicted_flops = entry.prediction.flops * profile.batch * profile.heads;
    }
  }
}

std::string profile_json(const VerifyReport& report) {
  Json kernels = Json::array();
  for (const KernelProfile& p : report.profiles) {
    const auto resource = [&](std::int64_t value) {
      return p.resources ? Json(value) : Json(nullptr);
    };
    const KernelResources resources = p.resources.value_or(KernelResources{});
    Json phases = Json::array(), estimates = Json::array();
    for (const ProfilePhase& phase : p.phases) {
      phases.push_back({{"launch", phase.launch},
                        {"from", phase.from},
                        {"global_bytes_read", phase.global_bytes_read},
                        {"global_bytes_written", phase.global_bytes_written},
                        {"requests", phase.requests},
                        {"sectors", phase.sectors},
                        {"shared_bank_conflicts", phase.shared_bank_conflicts},
                        {"barriers", phase.barriers}});
    }
    for (const Roofline& line : rooflines(p)) {
      estimates.push_back({{"gpu", line.gpu},
                           {"floor_us", line.floor_us},
                           {"counted_us", p.flops ? Json(line.counted_us) : Json(nullptr)},
                           {"bound", line.floor_by_memory ? "memory" : "arithmetic"}});
    }
    kernels.push_back(
        {{"symbol", p.symbol},
         {"op", p.op},
         {"n", p.tokens},
         {"start", p.start},
         {"batch", p.batch},
         {"heads", p.heads},
         {"schedule", p.schedule},
         {"predicted_bytes", p.predicted_bytes ? Json(*p.predicted_bytes) : Json(nullptr)},
         {"predicted_flops", p.predicted_flops ? Json(*p.predicted_flops) : Json(nullptr)},
         {"global_bytes_read", p.global_bytes_read},
         {"global_bytes_written", p.global_bytes_written},
         {"minimum_bytes", p.minimum_bytes},
         {"sectors_per_request", p.sectors_per_request},
         {"shared_bank_conflicts", p.shared_bank_conflicts},
         {"barriers", p.barriers},
         {"flops", p.flops ? Json(*p.flops) : Json(nullptr)},
         {"exponentials", p.flops ? Json(p.exponentials) : Json(nullptr)},
         {"definition_flops", p.definition_flops},
         {"registers", resource(resources.registers)},
         {"shared_bytes", resource(resources.shared_bytes)},
         {"spilled_bytes", resource(spilled_bytes(resources))},
         {"phases", std::move(phases)},
         {"roofline_estimate", std::move(estimates)}});
  }
  const Json json = {{"verdict", name_of(report.verdict)}, {"kernels", kernels}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace heddle
