// SPDX-License-Identifier: Apache-2.0
#include "cli/verification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <sstream>

#include "cli/console.hpp"
#include "cli/rows.hpp"
#include "cli/static_layer.hpp"
#include "runtime/load/nvrtc.hpp"
#include "runtime/verify/plan.hpp"
#include "runtime/verify/roofline.hpp"
#include "runtime/verify/store.hpp"

namespace heddle {
namespace {

// Besides n the oracle needs the rows of the tokens that are decoded after it.
constexpr std::int64_t kRowsBeyond = 64;
constexpr const char* kProfiledArchitecture = "sm_90";

// Far enough that rows of strided patterns, too, overflow what a kernel keeps of them.
constexpr std::int64_t kFarRows = 20'480;
constexpr double kMostEntries = 8e6;

// Rows 1..kFarRows, unless they would have too many entries, going by how those of 1..n grow.
std::optional<Rows> far_rows(const Pattern& pattern, const Rows& rows) {
  const auto entries = [&](std::int64_t last) {
    double sum = 0;
    for (std::int64_t i = 1; i <= last; ++i) {
      sum += static_cast<double>(rows.a.size(i) + rows.b.size(i));
    }
    return sum;
  };
  const auto n = static_cast<double>(rows.n());
  const double all = entries(rows.n());
  const double growth = std::log2(all / std::max(entries(rows.n() / 2), 1.0));
  if (all * std::pow(kFarRows / n, growth) > kMostEntries) return std::nullopt;
  MaterializeResult found = materialize(pattern, kFarRows);
  auto* far = std::get_if<Rows>(&found);
  return far != nullptr ? std::optional(std::move(*far)) : std::nullopt;
}

VerifyReport not_run(std::string why) {
  VerifyReport report;
  report.failures.push_back({"not_run", std::move(why), ""});
  return report;
}

// A kernel is right only where its pattern is causal; what is not proved of the pattern is not
// verified of its kernels.
VerifyObligation causality_of(const Manifest& manifest) {
  VerifyObligation obligation{"every row reads earlier tokens only", KernelVerdict::kUnknown,
                              "not decided", "pattern"};
  if (manifest.causality == Causality::kProved) {
    obligation.verdict = KernelVerdict::kVerified;
    obligation.method = "proved for every row";
  } else if (manifest.causality == Causality::kChecked) {
    obligation.method = fmt::format("not proved; checked for rows 1..{}", manifest.causality_rows);
  }
  return obligation;
}

// What a kernel takes of a multiprocessor: of several launches the most that any of them does.
std::optional<KernelResources> most_of(const Artifact& artifact, const KernelEntry& entry,
                                       const Nvrtc& compiler) {
  std::optional<KernelResources> most;
  for (const KernelEntry* const launched : launches_of(entry)) {
    const std::optional<KernelResources> found = resources_of(artifact, *launched, compiler);
    if (!found) return std::nullopt;
    if (!most) most = found;
    most->registers = std::max(most->registers, found->registers);
    most->shared_bytes = std::max(most->shared_bytes, found->shared_bytes);
    most->spill_stores = std::max(most->spill_stores, found->spill_stores);
    most->spill_loads = std::max(most->spill_loads, found->spill_loads);
  }
  return most;
}

// Words of `text` in lines of at most `width`, each behind `indent` blanks.
std::string wrapped(const std::string& text, std::size_t indent, std::size_t width) {
  std::istringstream words(text);
  std::string lines, line;
  for (std::string word; words >> word;) {
    if (!line.empty() && indent + line.size() + 1 + word.size() > width) {
      lines += std::string(indent, ' ') + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return line.empty() ? lines : lines + std::string(indent, ' ') + line + "\n";
}

}  // namespace

VerifyReport verify_artifact(const Pattern& pattern, Artifact& artifact, std::int64_t n,
                             const std::string& label, const HowToVerify& how) {
  VerifyOptions options;
  if (n > 0) {
    std::erase_if(options.sizes, [&](std::int64_t size) { return size >= n; });
    options.sizes.push_back(n);
  }
  std::int64_t furthest = options.sizes.back();
  for (const KernelEntry& entry : artifact.manifest.kernels) {
    for (const ChunkedLength& length : chunked_lengths(entry)) {
      furthest = std::max(furthest, length.start + length.tokens);
    }
  }
  const RowsOrCode rows = rows_of(pattern, furthest + kRowsBeyond);
  if (!rows.rows) return not_run("the pattern's rows have no values");
  options.more_rows = [&] { return far_rows(pattern, *rows.rows); };
  options.threads = threads_of_machine();
  Progress progress(true);
  options.progress = [&](const std::string& text) { progress.show(label + ": " + text); };
  options.count_flops = how.count_flops;
  StaticLayer static_layer(artifact);
  const auto check = how.again ? verify : verify_once;
  VerifyReport report = check(artifact.manifest, artifact.files, *rows.rows, options);
  report.obligations.insert(report.obligations.begin(), causality_of(artifact.manifest));
  report.verdict = worse_of(report.verdict, report.obligations.front().verdict);
  progress.show(label + ": static proofs");
  const std::string proved = static_layer.add_to(report);
  artifact.manifest.verdict = name_of(report.verdict);
  artifact.manifest.layers = layers_of(report);
  for (VerificationLayer& layer : artifact.manifest.layers) {
    if (layer.name == "static") layer.detail += " on the text of " + proved + ", for every launch";
  }
  refresh_manifest(artifact);
  return report;
}

std::optional<KernelResources> resources_of(const Artifact& artifact, const KernelEntry& launched,
                                            const Nvrtc& compiler) {
  std::map<std::string, std::string> includes = artifact.files;
  includes.erase(launched.file);
  const auto code = compiler.compile(launched.file, artifact.files.at(launched.file), includes,
                                     kProfiledArchitecture);
  if (!code) {
    print_remark(code.error().message);
    return std::nullopt;
  }
  const auto found = code->resources.find(launched.symbol);
  return found == code->resources.end() ? std::nullopt : std::optional(found->second);
}

void add_resources(const Artifact& artifact, VerifyReport& report) {
  if (artifact.manifest.target != "cuda") return;
  const Result<Nvrtc> compiler = Nvrtc::open();
  if (!compiler) return;
  for (const KernelEntry& entry : artifact.manifest.kernels) {
    const std::optional<KernelResources> resources = most_of(artifact, entry, *compiler);
    for (KernelProfile& profile : report.profiles) {
      if (profile.symbol == entry.symbol) profile.resources = resources;
    }
  }
}

ExitCode exit_code_of(KernelVerdict verdict) {
  switch (verdict) {
    case KernelVerdict::kVerified:
      return kDone;
    case KernelVerdict::kRejected:
      return kRefuted;
    case KernelVerdict::kUnknown:
      return kUndecided;
  }
  return kInternalError;
}

void append(VerifyReport& all, const std::string& label, VerifyReport more) {
  for (VerifyObligation& obligation : more.obligations)
    obligation.name = label + ": " + obligation.name;
  const bool first = all.obligations.empty() && all.failures.empty() && all.profiles.empty();
  all.verdict = first ? more.verdict : worse_of(all.verdict, more.verdict);
  all.cached = more.cached && (first || all.cached);
  const auto move_all = [](auto& from, auto& to) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  move_all(more.obligations, all.obligations);
  move_all(more.failures, all.failures);
  move_all(more.profiles, all.profiles);
  move_all(more.unreached, all.unreached);
}

std::string obligations_text(const VerifyReport& report, bool detail, bool colour) {
  std::vector<std::string> layers;
  for (const VerifyObligation& obligation : report.obligations) {
    if (std::find(layers.begin(), layers.end(), obligation.layer) == layers.end()) {
      layers.push_back(obligation.layer);
    }
  }
  std::string text;
  for (const std::string& layer : layers) {
    std::size_t all = 0, met = 0;
    std::string lines;
    for (const VerifyObligation& obligation : report.obligations) {
      if (obligation.layer != layer) continue;
      const bool verified = obligation.verdict == KernelVerdict::kVerified;
      ++all;
      met += verified ? 1 : 0;
      const Tone tone = verified                                         ? Tone::kGood
                        : obligation.verdict == KernelVerdict::kRejected ? Tone::kBad
                                                                         : Tone::kCaution;
      lines += "    " + toned(fmt::format("{:8}", name_of(obligation.verdict)), tone, colour) +
               "  " + obligation.name + "\n";
      if (detail || !verified) lines += wrapped(obligation.method, 14, 80);
    }
    text += "  " + toned(layer, Tone::kStrong, colour) +
            fmt::format(": {} of {} obligations met\n", met, all) + lines;
  }
  return text;
}

TextTable profiles_table(const VerifyReport& report) {
  TextTable table{{{"kernel"},
                   {"tokens", Align::kRight},
                   {"bytes read", Align::kRight},
                   {"written", Align::kRight},
                   {"of the floor", Align::kRight},
                   {"of the predicted", Align::kRight},
                   {"sectors/request", Align::kRight},
                   {"bank conflicts", Align::kRight},
                   {"barriers", Align::kRight},
                   {"flops", Align::kRight},
                   {"of the definition's", Align::kRight},
                   {"exp", Align::kRight},
                   {std::string("registers ") + kProfiledArchitecture, Align::kRight},
                   {"shared", Align::kRight},
                   {"spilled", Align::kRight}},
                  {}};
  for (const KernelProfile& profile : report.profiles) {
    const auto resource = [&](std::int64_t value) {
      return profile.resources ? grouped(value) : std::string("-");
    };
    const KernelResources resources = profile.resources.value_or(KernelResources{});
    const double bytes =
        static_cast<double>(profile.global_bytes_read + profile.global_bytes_written);
    table.rows.push_back(
        {profile.symbol, grouped(profile.tokens), grouped(profile.global_bytes_read),
         grouped(profile.global_bytes_written),
         profile.minimum_bytes > 0
             ? fmt::format("{:.2f} x", bytes / static_cast<double>(profile.minimum_bytes))
             : "-",
         profile.predicted_bytes && *profile.predicted_bytes > 0
             ? fmt::format("{:.2f} x", bytes / static_cast<double>(*profile.predicted_bytes))
             : "-",
         fmt::format("{:.2f}", profile.sectors_per_request), grouped(profile.shared_bank_conflicts),
         grouped(profile.barriers), profile.flops ? grouped(*profile.flops) : "-",
         profile.flops && profile.definition_flops > 0
             ? fmt::format("{:.2f} x", static_cast<double>(*profile.flops) /
                                           static_cast<double>(profile.definition_flops))
             : "-",
         profile.flops ? grouped(profile.exponentials) : "-", resource(resources.registers),
         resource(resources.shared_bytes), resource(spilled_bytes(resources))});
  }
  return table;
}

TextTable phases_table(const VerifyReport& report) {
  TextTable table{{{"kernel"},
                   {"phase, from"},
                   {"bytes read", Align::kRight},
                   {"written", Align::kRight},
                   {"requests", Align::kRight},
                   {"sectors", Align::kRight},
                   {"bank conflicts", Align::kRight},
                   {"barriers", Align::kRight}},
                  {}};
  for (const KernelProfile& profile : report.profiles) {
    if (profile.phases.size() < 2) continue;
    for (const ProfilePhase& phase : profile.phases) {
      table.rows.push_back({phase.launch.empty() ? profile.op : phase.launch,
                            phase.from.empty() ? "the start" : "the barrier at " + phase.from,
                            grouped(phase.global_bytes_read), grouped(phase.global_bytes_written),
                            grouped(phase.requests), grouped(phase.sectors),
                            grouped(phase.shared_bank_conflicts), grouped(phase.barriers)});
    }
  }
  return table;
}

TextTable rooflines_table(const VerifyReport& report) {
  TextTable table{{{"kernel"},
                   {"us per batch and head"},
                   {"of the definition", Align::kRight},
                   {"bound by"},
                   {"of this kernel", Align::kRight}},
                  {}};
  for (const KernelProfile& profile : report.profiles) {
    for (const Roofline& line : rooflines(profile)) {
      table.rows.push_back({profile.op, line.gpu, fmt::format("{:.3g}", line.floor_us),
                            line.floor_by_memory ? "memory" : "arithmetic",
                            profile.flops ? fmt::format("{:.3g}", line.counted_us) : "-"});
    }
  }
  return table;
}

}  // namespace heddle
