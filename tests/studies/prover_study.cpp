// SPDX-License-Identifier: Apache-2.0
// heddle_prover_study --patterns N --seed S --rows R [--from NUMBER] [--forms EVERY]
// [--undecided 1] [--seconds AT_MOST] [--resources OF_THE_SOLVER] [--audits EVERY]: random patterns
// with claims that are true, false by one, or generous by one. Every verdict is compared with
// rows 1..R counted one by one, and for each EVERY-th pattern all derived bounds and classes as
// well, and classes that these exclude; hops, congestion and rank with smaller tables; of each
// EVERY-th certificate the auditor is asked, without solvers, and may not reject it. Nothing proved
// may fail anywhere, nothing refuted may hold, and no failure may come before a counterexample that
// is called the smallest. Pattern number k depends on the seed and on k alone, so ranges of seeds
// are shards. Exits 1 if anything disagreed.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>

#include "analyzer/audit/audit.hpp"
#include "analyzer/proof/certify.hpp"
#include "analyzer/proof/growth.hpp"
#include "analyzer/proof/prove.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/expression.hpp"
#include "patterns/growth_class.hpp"
#include "patterns/parser.hpp"
#include "tests/studies/random_claims.hpp"

using namespace heddle;
using namespace heddle::study;

namespace {

struct Settings {
  std::int64_t patterns = 100, seed = 1, rows = 4096, forms = 10, undecided = 0, seconds = 0,
               resources = 50'000, audits = 10, from = 0;
};

struct Tally {
  std::int64_t tried = 0, not_causal = 0, patterns = 0, all_rows = 0;
  std::int64_t claims = 0, proved = 0, checked = 0, refuted = 0, unknown = 0;
  std::int64_t forms = 0, classes = 0, values = 0, audits = 0, disagreements = 0;
};

constexpr std::int64_t kPairs = 96;
constexpr std::int64_t kCopies = 8;
constexpr std::int64_t kLongRows = 600;
constexpr int kClaims = 3;

std::optional<Pattern> pattern_of(const RandomPattern& random, const std::string& claims) {
  Diagnostics diagnostics;
  auto syntax =
      parse({"random", "pattern p" + random.parameters + " {\n" + random.body + claims + "}\n"},
            diagnostics);
  if (diagnostics.has_errors() || syntax.size() != 1) return std::nullopt;
  return resolve(std::move(syntax[0]), {}, diagnostics);
}

// Wrong answers matter here, not missing ones, so nothing gets long.
ProveOptions quick(std::int64_t resources) {
  ProveOptions options;
  options.check_up_to = 96;
  options.check_pairs_up_to = 24;
  options.farthest_search = 400;
  options.longest_far_row = 1000;
  options.resource_limit = static_cast<std::uint64_t>(resources);
  return options;
}

class Study {
 public:
  explicit Study(const Settings& settings)
      : settings_(settings), quick_(quick(settings.resources)) {}

  void run(std::int64_t number) {
    ++tally_.tried;
    Random random(static_cast<std::uint64_t>(settings_.seed) * 1'000'003U +
                  static_cast<std::uint64_t>(number));
    const RandomPattern text = random_pattern(random);
    const std::optional<Pattern> plain = pattern_of(text, "");
    if (!plain) return;
    // Rows whose length grows in proportion, listed one by one, take too long to count far out.
    const bool long_rows = text.body.find("t >= 1") != std::string::npos;
    const std::int64_t rows = long_rows ? std::min(settings_.rows, kLongRows) : settings_.rows;
    const std::optional<Counted> counted = Counted::of(*plain, rows, kPairs, kCopies);
    if (!counted) {
      ++tally_.not_causal;
      if (prove_causal(*plain, {256, quick_.resource_limit}).status ==
          CausalityVerdict::Status::kProved) {
        complain(*plain, "proved causal, but a row has no value or reads outside its range");
      }
      return;
    }
    if (const std::string wrong = counted->wrong_rule(); !wrong.empty()) complain(*plain, wrong);
    const std::vector<Statement> statements = near_truths(random, *counted, kClaims);
    std::string claims;
    for (const Statement& statement : statements) claims += "claim " + statement.text + "\n";
    const std::optional<Pattern> pattern = pattern_of(text, claims);
    if (!pattern) return complain(*plain, "claims that cannot be read: " + claims);
    const ProofReport report = prove(*pattern, quick_);
    if (report.causality.code == "E042") return;  // what a lattice asks of its function
    if (report.causality.status == CausalityVerdict::Status::kRejected) {
      return complain(*plain, "rejected: " + report.causality.message);
    }
    if (report.causality.status != CausalityVerdict::Status::kProved) return;
    ++tally_.patterns;
    if (rows == settings_.rows) ++tally_.all_rows;
    for (std::size_t at = 0; at < statements.size(); ++at) {
      check(*plain, *counted, statements[at], report.claims[at]);
    }
    if (settings_.forms > 0 && number % settings_.forms == 0) check_derived(*plain, *counted);
    if (settings_.audits > 0 && number % settings_.audits == 0) check_audit(*pattern, report);
  }

  const Tally& tally() const { return tally_; }

 private:
  void complain(const Pattern& pattern, const std::string& what) {
    ++tally_.disagreements;
    std::cout << "DISAGREEMENT: " << what << "\n" << pattern.canonical_text() << std::endl;
  }

  void check_audit(const Pattern& pattern, const ProofReport& report) {
    ++tally_.audits;
    AuditOptions no_solvers;
    no_solvers.solvers = {};
    const Certificate certificate = certify(pattern, report);
    const AuditReport audited = audit(to_json_text(certificate), no_solvers);
    for (const std::string& problem : audited.problems) {
      if (settings_.undecided != 0 || audited.verdict == AuditReport::Verdict::kRejected) {
        std::cout << "audit: " << problem << "\n";
      }
    }
    if (audited.verdict != AuditReport::Verdict::kRejected) return;
    complain(pattern, "the auditor rejects its certificate");
    for (const CertifiedClaim& claim : certificate.derived) {
      std::cout << "  derived: " << claim.text << " (" << claim.scope << ")\n";
    }
    for (const CertifiedClaim& claim : certificate.claims) {
      std::cout << "  " << claim.text << " is " << claim.verdict << " (" << claim.scope << ")\n";
    }
  }

  void check(const Pattern& pattern, const Counted& counted, const Statement& statement,
             const ClaimVerdict& judged) {
    ++tally_.claims;
    const std::optional<Failure> failure = first_failure(counted, statement);
    const auto* open = std::get_if<Unknown>(&judged.verdict);
    const auto* tried = std::get_if<Checked>(&judged.verdict);
    if (settings_.undecided != 0 && (open != nullptr || tried != nullptr)) {
      std::cout << (failure ? "false, " : "true so far, ") << name_of(judged.verdict) << ": "
                << judged.text << ": " << (open ? open->reason : tried->reason) << "\n"
                << pattern.canonical_text();
    }
    tally_.values += counted.last(statement.measure);
    const std::string text =
        judged.text + " is " + name_of(judged.verdict) + " (" + judged.scope + ")";
    const std::string fails = failure
                                  ? " but fails at " + std::to_string(failure->i) +
                                        (failure->j > 0 ? ", " + std::to_string(failure->j) : "")
                                  : "";
    if (std::holds_alternative<Proved>(judged.verdict)) {
      ++tally_.proved;
      if (failure) complain(pattern, text + fails);
    } else if (const auto* checked = std::get_if<Checked>(&judged.verdict)) {
      ++tally_.checked;
      if (failure && failure->i <= checked->n) complain(pattern, text + fails);
    } else if (const auto* refuted = std::get_if<Refuted>(&judged.verdict)) {
      ++tally_.refuted;
      const auto& at = refuted->counterexample.variables;
      const std::int64_t i = at.at(0).second.to_int64().value_or(INT64_MAX);
      const std::int64_t j = at.size() > 1 ? at[1].second.to_int64().value_or(0) : 0;
      if (holds_at(counted, statement, i, j) == true) complain(pattern, text + " but holds there");
      if (failure && refuted->smallest && failure->i < i) complain(pattern, text + fails);
    } else {
      ++tally_.unknown;
    }
  }

  // The form as a claim, evaluated at every value up to 256 and at a few further out.
  void check_form(const Pattern& pattern, const Counted& counted, MeasureKind kind,
                  const std::string& measure, Relation relation, const std::string& form) {
    if (form.empty() || form.find('#') != std::string::npos) return;
    ++tally_.forms;
    const std::string& whole = pattern.canonical_text();
    const std::string text = measure + " = " + form;
    Diagnostics diagnostics;
    const auto parsed = parse(
        {"form", whole.substr(0, whole.rfind('}')) + "\n  claim " + text + "\n}\n"}, diagnostics);
    if (diagnostics.has_errors()) return complain(pattern, text + " cannot be read");
    const Claim& claim = parsed.at(0).claims.back();
    const ExpressionPtr& right = std::get<BoundClaim>(claim.node).right;
    const Evaluator evaluator(pattern);
    const std::string name(1, measure[measure.find('(') + 1]);
    for (std::int64_t i = 1; i <= counted.last(kind); i += i < 256 ? 1 : 1 + i / 16) {
      for (std::int64_t j = 1; j <= (kind == MeasureKind::kHops ? i - 1 : 1); ++j) {
        Bindings bindings{{name, i}};
        if (kind == MeasureKind::kHops) bindings.emplace_back("j", j);
        if (claim.where && !*evaluator.holds(*claim.where, bindings)) continue;
        const Result<Integer> value = evaluator.evaluate(*right, bindings);
        ++tally_.values;
        const std::string where = " at " + std::to_string(i);
        if (!value.ok()) return complain(pattern, text + " has no value" + where);
        const Statement statement{text, kind, relation,
                                  [&](std::int64_t) { return *value->to_int64(); },
                                  [](std::int64_t) { return true; }};
        if (holds_at(counted, statement, i, j) == false) {
          return complain(pattern, text + ", which is derived, is wrong" + where);
        }
      }
    }
  }

  // measure <= c g(i) from i0 on, g(i) <= c measure; of both sides the second has d and j0.
  void check_class(const Pattern& pattern, const Counted& counted, MeasureKind kind,
                   const GrowthClaim& claim, const Proved& proof) {
    ++tally_.classes;
    std::map<std::string, std::int64_t> given;
    for (const auto& [name, value] : proof.parameters) given[name] = std::atoll(value.c_str());
    const bool both = claim.bound == GrowthBound::kBoth;
    for (const bool upper : {true, false}) {
      if (!both && upper != (claim.bound == GrowthBound::kAtMost)) continue;
      const std::int64_t c = given.at(both && !upper ? "d" : "c");
      for (std::int64_t i = given.at(both && !upper ? "j0" : "i0"); i <= counted.last(kind);
           i += i < 1024 ? 1 : 7) {
        const Enclosed value = counted.value(kind, i);
        const std::int64_t g = *growth_value(claim.growth, i).to_int64();
        ++tally_.values;
        if (upper ? value.low > c * g : value.high < kInfinite && c * value.high < g) {
          return complain(pattern, std::string(name_of(kind)) + (upper ? " <= " : " >= ") +
                                       "a constant times " + to_string(claim.growth) +
                                       " fails at " + std::to_string(i));
        }
      }
    }
  }

  // What is proved of a class leaves no room for others, whichever side they are said of.
  void check_false_classes(const Pattern& pattern, const std::vector<Claim>& proved) {
    std::string claims;
    for (const Claim& claim : proved) {
      const auto* growth = std::get_if<GrowthClaim>(&claim.node);
      if (growth == nullptr) continue;
      for (const GrowthClass& other : proof::growth_ladder()) {
        const auto state = [&](GrowthBound bound) {
          claims += "  claim " + print(*growth->measure) + " in " + to_string(other, bound) + "\n";
        };
        if (growth->bound != GrowthBound::kAtLeast && grows_faster(other, growth->growth)) {
          state(GrowthBound::kAtLeast);
        }
        if (growth->bound != GrowthBound::kAtMost && grows_faster(growth->growth, other)) {
          state(GrowthBound::kAtMost);
        }
      }
    }
    const std::string& whole = pattern.canonical_text();
    Diagnostics diagnostics;
    auto syntax =
        parse({"classes", whole.substr(0, whole.rfind('}')) + claims + "}\n"}, diagnostics);
    const auto stated =
        syntax.empty() ? std::nullopt : resolve(std::move(syntax[0]), {}, diagnostics);
    if (!stated) return complain(pattern, "classes cannot be read: " + claims);
    const ProofReport report = prove(*stated, quick_);
    for (const ClaimVerdict& judged : report.claims) {
      ++tally_.classes;
      if (!std::holds_alternative<Proved>(judged.verdict)) continue;
      complain(pattern, judged.text + " is proved, and so is what excludes it");
    }
    check_audit(*stated, report);
  }

  void check_derived(const Pattern& pattern, const Counted& counted) {
    const DerivedBounds bounds = derive(pattern, quick_);
    const std::tuple<MeasureKind, std::string, const DerivedMeasure*> measures[] = {
        {MeasureKind::kTime, "time(i)", &bounds.time},
        {MeasureKind::kCache, "cache(i)", &bounds.cache},
        {MeasureKind::kDepth, "depth(n)", &bounds.depth},
        {MeasureKind::kHops, "hops(i, j)", &bounds.hops},
        {MeasureKind::kRank, "rank(m)", &bounds.rank},
        {MeasureKind::kCongestion, "congestion(n)", &bounds.congestion}};
    for (const auto& [kind, text, derived] : measures) {
      check_form(pattern, counted, kind, text, Relation::kEqual, derived->closed_form);
      check_form(pattern, counted, kind, text, Relation::kAtMost, derived->upper_form);
      check_form(pattern, counted, kind, text, Relation::kAtLeast, derived->lower_form);
    }
    std::vector<Claim> proved;
    for (const ClaimVerdict& judged : bounds.claims) {
      const std::optional<Claim> claim = claim_about(pattern, judged.text);
      if (!claim || print(*claim) != judged.text) {
        complain(pattern, "what is derived cannot be read: " + judged.text);
        continue;
      }
      proved.push_back(*claim);
      const auto* growth = std::get_if<GrowthClaim>(&claim->node);
      if (growth == nullptr) continue;
      const MeasureKind kind = std::get<MeasureTerm>(growth->measure->node).measure;
      check_class(pattern, counted, kind, *growth, std::get<Proved>(judged.verdict));
    }
    ProofReport report = prove(pattern, quick_);
    report.derived = bounds.claims;
    check_audit(pattern, report);
    check_false_classes(pattern, proved);
  }

  Settings settings_;
  ProveOptions quick_;
  Tally tally_;
};

std::optional<Settings> settings_of(int argc, char** argv) {
  Settings settings;
  for (int at = 1; at + 1 < argc; at += 2) {
    const std::string flag = argv[at];
    const std::int64_t value = std::atoll(argv[at + 1]);
    if (flag == "--patterns") {
      settings.patterns = value;
    } else if (flag == "--seed") {
      settings.seed = value;
    } else if (flag == "--rows" && value >= 2) {
      settings.rows = value;
    } else if (flag == "--forms") {
      settings.forms = value;
    } else if (flag == "--undecided") {
      settings.undecided = value;
    } else if (flag == "--seconds") {
      settings.seconds = value;
    } else if (flag == "--from" && value >= 0) {
      settings.from = value;
    } else if (flag == "--audits") {
      settings.audits = value;
    } else if (flag == "--resources" && value > 0) {
      settings.resources = value;
    } else {
      return std::nullopt;
    }
  }
  return argc % 2 == 1 ? std::optional(settings) : std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<Settings> settings = settings_of(argc, argv);
  if (!settings) {
    std::cerr << "usage: heddle_prover_study [--patterns N] [--seed S] [--rows R] [--forms K]"
                 " [--undecided 1] [--seconds S] [--resources L] [--audits K] [--from K]\n";
    return 2;
  }
  const auto begin = std::chrono::steady_clock::now();
  Study study(*settings);
  const auto passed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  for (std::int64_t number = settings->from; number < settings->patterns; ++number) {
    if (settings->seconds > 0 && passed() > static_cast<double>(settings->seconds)) break;
    study.run(number);
  }
  const Tally& tally = study.tally();
  const double seconds = passed();
  std::printf(
      "patterns %lld (of %lld; %lld not causal), seed %lld; rows 1..%lld of %lld, 1..%lld of "
      "others\n"
      "claims %lld: proved %lld, refuted %lld, checked %lld, unknown %lld\n"
      "derived forms %lld, classes %lld; values compared %lld; certificates audited %lld\n"
      "disagreements %lld; %.0f s\n",
      static_cast<long long>(tally.patterns), static_cast<long long>(tally.tried),
      static_cast<long long>(tally.not_causal), static_cast<long long>(settings->seed),
      static_cast<long long>(settings->rows), static_cast<long long>(tally.all_rows),
      static_cast<long long>(std::min(settings->rows, kLongRows)),
      static_cast<long long>(tally.claims), static_cast<long long>(tally.proved),
      static_cast<long long>(tally.refuted), static_cast<long long>(tally.checked),
      static_cast<long long>(tally.unknown), static_cast<long long>(tally.forms),
      static_cast<long long>(tally.classes), static_cast<long long>(tally.values),
      static_cast<long long>(tally.audits), static_cast<long long>(tally.disagreements), seconds);
  return tally.disagreements == 0 && tally.proved > 0 && tally.refuted > 0 ? 0 : 1;
}
