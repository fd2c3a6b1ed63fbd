// SPDX-License-Identifier: Apache-2.0
#include "runtime/verify/store.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "patterns/sha256.hpp"
#include "runtime/load/host_compiler.hpp"
#include "runtime/load/user_cache.hpp"

namespace heddle {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kKind = "verdicts";

std::string read_file(const char* path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return std::move(bytes).str();
}

// Whoever changes the verifier, its plans or its oracle changes the program. Read once.
const std::string& program_digest() {
  static const std::string digest = sha256_hex(read_file("/proc/self/exe"));
  return digest;
}

void append_rows(std::string& key, const RowTable& table) {
  std::string text = std::to_string(table.rows());
  for (std::int64_t i = 1; i <= table.rows(); ++i) {
    text += "\n";
    for (const Interval& interval : table.row(i)) {
      text += std::to_string(interval.low) + "-" + std::to_string(interval.high) + ",";
    }
  }
  append_field(key, text);
}

std::optional<KernelVerdict> verdict_named(const std::string& name) {
  for (const KernelVerdict verdict :
       {KernelVerdict::kVerified, KernelVerdict::kRejected, KernelVerdict::kUnknown}) {
    if (name == name_of(verdict)) return verdict;
  }
  return std::nullopt;
}

Json json_of(const VerifyReport& report) {
  Json obligations = Json::array(), failures = Json::array(), profiles = Json::array();
  for (const VerifyObligation& o : report.obligations) {
    obligations.push_back({o.name, name_of(o.verdict), o.method, o.layer});
  }
  for (const VerifyFailure& f : report.failures) {
    failures.push_back({f.kind, f.message, f.where, f.layer, f.smallest});
  }
  Json unreached = Json::array();
  for (const UnreachedText& text : report.unreached) unreached.push_back({text.file, text.lines});
  for (const KernelProfile& p : report.profiles) {
    Json phases = Json::array();
    for (const ProfilePhase& phase : p.phases) {
      phases.push_back({phase.from, phase.global_bytes_read, phase.global_bytes_written,
                        phase.requests, phase.sectors, phase.shared_bank_conflicts, phase.barriers,
                        phase.launch});
    }
    profiles.push_back({p.symbol, p.op, p.tokens, p.start, p.batch, p.heads, p.global_bytes_read,
                        p.global_bytes_written, p.minimum_bytes, p.sectors_per_request,
                        p.shared_bank_conflicts, p.barriers, p.definition_flops,
                        p.flops ? Json(*p.flops) : Json(nullptr), p.exponentials, p.sectors,
                        std::move(phases), p.cuda});
  }
  return {{"verdict", name_of(report.verdict)},
          {"obligations", std::move(obligations)},
          {"failures", std::move(failures)},
          {"profiles", std::move(profiles)},
          {"unreached", std::move(unreached)}};
}

// Throws what nlohmann throws where the shape is another one.
std::optional<VerifyReport> report_of(const Json& json) {
  VerifyReport report;
  const auto verdict = verdict_named(json.at("verdict").get<std::string>());
  if (!verdict) return std::nullopt;
  report.verdict = *verdict;
  for (const Json& o : json.at("obligations")) {
    const auto decided = verdict_named(o.at(1).get<std::string>());
    if (!decided) return std::nullopt;
    report.obligations.push_back({o.at(0).get<std::string>(), *decided, o.at(2).get<std::string>(),
                                  o.at(3).get<std::string>()});
  }
  for (const Json& f : json.at("failures")) {
    report.failures.push_back({f.at(0).get<std::string>(), f.at(1).get<std::string>(),
                               f.at(2).get<std::string>(), f.at(3).get<std::string>(),
                               f.at(4).get<std::string>()});
  }
  for (const Json& u : json.at("unreached")) {
    report.unreached.push_back(
        {u.at(0).get<std::string>(), u.at(1).get<std::vector<std::pair<int, int>>>()});
  }
  for (const Json& p : json.at("profiles")) {
    KernelProfile profile;
    profile.symbol = p.at(0).get<std::string>();
    profile.op = p.at(1).get<std::string>();
    std::size_t at = 2;
    for (std::int64_t* number :
         {&profile.tokens, &profile.start, &profile.batch, &profile.heads,
          &profile.global_bytes_read, &profile.global_bytes_written, &profile.minimum_bytes}) {
      *number = p.at(at++).get<std::int64_t>();
    }
    profile.sectors_per_request = p.at(at++).get<double>();
    for (std::int64_t* number :
         {&profile.shared_bank_conflicts, &profile.barriers, &profile.definition_flops}) {
      *number = p.at(at++).get<std::int64_t>();
    }
    if (!p.at(at).is_null()) profile.flops = p.at(at).get<std::int64_t>();
    profile.exponentials = p.at(at + 1).get<std::int64_t>();
    profile.sectors = p.at(at + 2).get<std::int64_t>();
    profile.cuda = p.at(at + 4).get<bool>();
    for (const Json& kept : p.at(at + 3)) {
      ProfilePhase phase;
      phase.from = kept.at(0).get<std::string>();
      std::size_t field = 1;
      for (std::int64_t* number :
           {&phase.global_bytes_read, &phase.global_bytes_written, &phase.requests, &phase.sectors,
            &phase.shared_bank_conflicts, &phase.barriers}) {
        *number = kept.at(field++).get<std::int64_t>();
      }
      phase.launch = kept.at(field).get<std::string>();
      profile.phases.push_back(std::move(phase));
    }
    report.profiles.push_back(std::move(profile));
  }
  report.cached = true;
  return report;
}

}  // namespace

VerdictStore::VerdictStore(const Manifest& manifest,
                           const std::map<std::string, std::string>& files, const Rows& rows,
                           const VerifyOptions& options) {
  const auto compiler = HostCompiler::find();
  if (!compiler || program_digest() == sha256_hex("")) return;
  std::string key = "heddle verdict 3\n";
  append_field(key, program_digest());
  append_field(key, compiler->version());
  Manifest undecided = manifest;  // what earlier runs said of it does not matter
  undecided.verdict = "unverified";
  undecided.layers.clear();
  append_field(key, to_json(undecided));
  for (const auto& [name, text] : files) {
    if (name == "manifest.json") continue;
    append_field(key, name);
    append_field(key, text);
  }
  append_rows(key, rows.a);
  append_rows(key, rows.b);
  std::string chosen;
  for (const std::int64_t size : options.sizes) chosen += std::to_string(size) + ",";
  for (const std::int64_t number :
       {options.work_budget, options.algebraic_budget, static_cast<std::int64_t>(options.seed),
        std::int64_t{options.more_rows != nullptr}, std::int64_t{options.emulated},
        std::int64_t{options.algebraic}, std::int64_t{options.stop_early},
        std::int64_t{options.count_flops}}) {
    chosen += ";" + std::to_string(number);
  }
  append_field(key, chosen);
  key_ = std::move(key);
}

std::optional<VerifyReport> VerdictStore::find() const {
  const auto kept = key_.empty() ? std::nullopt : kept_bytes(kKind, key_);
  if (!kept) return std::nullopt;
  try {
    return report_of(Json::parse(*kept));
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

void VerdictStore::keep(const VerifyReport& report) const {
  if (key_.empty() || report.verdict == KernelVerdict::kUnknown) return;
  keep_bytes(kKind, key_, json_of(report).dump(-1, ' ', false, Json::error_handler_t::replace));
}

VerifyReport verify_once(const Manifest& manifest, const std::map<std::string, std::string>& files,
                         const Rows& rows, const VerifyOptions& options) {
  const VerdictStore store(manifest, files, rows, options);
  if (std::optional<VerifyReport> kept = store.find()) return *std::move(kept);
  VerifyReport report = verify(manifest, files, rows, options);
  store.keep(report);
  return report;
}

}  // namespace heddle
