// SPDX-License-Identifier: Apache-2.0
#include "cli/run_report.hpp"

#include <fmt/format.h>

#include "cli/benchmark.hpp"
#include "cli/claims.hpp"
#include "cli/verification.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/sha256.hpp"

namespace heddle {
namespace {

std::string summary_of(const Pattern& pattern) {
  return fmt::format("A = {}, B = {}", print(*pattern.set(Side::kA)),
                     print(*pattern.set(Side::kB)));
}

std::vector<ReportClaim> claims_of(const ProofReport& proofs) {
  std::vector<ReportClaim> claims;
  for (const ClaimVerdict& claim : proofs.claims) {
    ReportClaim shown{claim.text, name_of(claim.verdict), claim.scope, "", "", {}};
    if (const auto* proved = std::get_if<Proved>(&claim.verdict)) {
      shown.rule = proved->rule;
      shown.assumes = proved->assumes;
    } else {
      shown.explanation = how_decided(claim);
    }
    claims.push_back(std::move(shown));
  }
  return claims;
}

std::vector<ReportMeasure> measures_of(const Analysis& analysis) {
  const Measures& m = analysis.measures;
  std::vector<ReportMeasure> list;
  list.push_back(
      {"time", grouped(m.time_at_n()), class_text(analysis.proofs.bounds.time) + " for every n"});
  if (m.cache) {
    list.push_back({"cache", grouped(m.cache->size.back()),
                    class_text(analysis.proofs.bounds.cache) + " for every n"});
  }
  if (m.hops && m.hops->reachable_pairs > 0) {
    list.push_back(
        {"hops", grouped(m.hops->max), fmt::format("at most; {:.2f} on average", m.hops->mean)});
  }
  if (m.congestion) {
    const Congestion& c = *m.congestion;
    list.push_back({"congestion",
                    c.exact() ? grouped(c.lower) : fmt::format("{}..{}", c.lower, c.upper),
                    fmt::format("copying {} tokens", c.copy)});
  }
  if (m.rank)
    list.push_back(
        {"rank", grouped(m.rank->value), fmt::format("across the cut after {}", m.rank->cut)});
  return list;
}

TextTable kernels_of(const RunReport& run) {
  TextTable table{{{"kernel"},
                   {"target"},
                   {"verdict"},
                   {"weights"},
                   {"type"},
                   {"head dim", Align::kRight},
                   {"shared bytes", Align::kRight},
                   {"file"}},
                  {}};
  for (const auto& [target, artifact] : run.artifacts) {
    const Manifest& m = artifact.manifest;
    for (const KernelEntry& kernel : m.kernels) {
      for (const KernelEntry* const launched : launches_of(kernel)) {
        table.rows.push_back({kernel.op, target, m.verdict, m.weights, name_of(m.dtype),
                              std::to_string(m.head_dim), grouped(launched->shared_bytes),
                              "kernels/" + target + "/" + launched->file});
      }
    }
  }
  return table;
}

ReportTiming timing_of(const BenchRow& row) {
  ReportTiming shown;
  shown.name = row.name;
  shown.ours = row.name == "heddle";
  shown.problem = row.remark;
  shown.max_rel_error = row.max_rel_error;
  if (row.timing) {
    shown.median_ms = row.timing->median_ms;
    shown.p10_ms = row.timing->p10_ms;
    shown.p90_ms = row.timing->p90_ms;
    shown.gb_per_s = row.gb_per_s;
    shown.gflop_per_s = row.gflop_per_s;
  }
  return shown;
}

// Consecutive rows of one operation and size belong together.
std::vector<ReportTimingGroup> timings_of(const std::vector<BenchRow>& rows) {
  std::vector<ReportTimingGroup> groups;
  for (const BenchRow& row : rows) {
    const std::string title =
        fmt::format("{}, n = {}, {} x {} heads, d = {}, {}", row.op, grouped(row.n), row.batch,
                    row.heads, row.head_dim, row.dtype);
    if (groups.empty() || groups.back().title != title) groups.push_back({title, {}});
    groups.back().timings.push_back(timing_of(row));
  }
  return groups;
}

}  // namespace

ReportData report_of(const RunReport& run) {
  const Pattern& pattern = *run.pattern;
  ReportData data;
  data.pattern = pattern.name();
  data.summary = summary_of(pattern);
  data.source = pattern.canonical_text();
  data.source_sha256 = pattern.sha256();
  data.claims = claims_of(run.analysis.proofs);
  data.measures = measures_of(run.analysis);
  data.measure_table = measures_table(pattern, run.analysis);
  for (const Picture& picture : run.pictures)
    data.figures.push_back({picture.svg, picture.caption});
  data.kernels = kernels_of(run);
  if (!run.verification.obligations.empty())
    data.verification_verdict = name_of(run.verification.verdict);
  for (const VerifyObligation& obligation : run.verification.obligations) {
    data.obligations.push_back(
        {obligation.name, name_of(obligation.verdict), obligation.method, ""});
  }
  for (const VerifyFailure& failure : run.verification.failures) {
    data.failures.push_back({failure.kind, failure.message, failure.where});
  }
  data.counters = profiles_table(run.verification);
  data.timings = timings_of(run.timings);
  data.certificate = ReportCertificate{run.certificate_file, sha256_hex(run.certificate),
                                       "every step of every proof as an SMT-LIB script",
                                       "heddle audit " + run.certificate_file};
  const MachineFacts machine = machine_facts();
  data.machine = {{"processor", machine.cpu},
                  {"cores", std::to_string(machine.logical_cores)},
                  {"system", machine.system}};
  data.versions = {
      {"heddle", HEDDLE_VERSION}, {"built with", machine.compiler}, {"flags", machine.flags}};
  data.notes.verification =
      "Emulated: the kernel text itself, run on the CPU with every access checked, against "
      "float64.";
  data.notes.counters = "Exact counters of an emulated run, not times.";
  data.notes.kernels = run.kernel_note;
  data.notes.timings = run.timing_note;
  return data;
}

}  // namespace heddle
