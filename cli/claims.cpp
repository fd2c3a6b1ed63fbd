// SPDX-License-Identifier: Apache-2.0
#include "cli/claims.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace heddle {
namespace {

using Json = nlohmann::ordered_json;

// Numbers beyond 53 bits would be rounded by most readers of JSON, so they become strings.
Json json_of(const Integer& value) {
  const auto small = value.to_int64();
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  if (small && *small <= kExact && *small >= -kExact) return *small;
  return value.to_string();
}

}  // namespace

std::string claim_json(const ClaimVerdict& claim) {
  Json json = {{"text", claim.text}, {"verdict", name_of(claim.verdict)}};
  json["scope"] = claim.scope.empty() ? Json(nullptr) : Json(claim.scope);
  match(
      claim.verdict,
      [&](const Proved& proved) {
        json["rule"] = proved.rule;
        Json parameters = Json::object();
        for (const auto& [name, value] : proved.parameters) parameters[name] = value;
        json["parameters"] = parameters;
        json["obligations"] = proved.obligations.size();
        json["assumes"] = proved.assumes;
      },
      [&](const Checked& checked) {
        json["checked_up_to"] = checked.n;
        json["reason"] = checked.reason;
      },
      [&](const Refuted& refuted) {
        Json counterexample = Json::object();
        for (const auto& [name, value] : refuted.counterexample.variables) {
          counterexample[name] = json_of(value);
        }
        // Null where infinite; the explanation says why.
        const Counterexample& found = refuted.counterexample;
        counterexample["value"] = found.value_infinite != 0 ? Json(nullptr) : json_of(found.value);
        counterexample["bound"] = found.bound_infinite != 0 ? Json(nullptr) : json_of(found.bound);
        json["counterexample"] = counterexample;
        json["smallest"] = refuted.smallest;
        if (!refuted.explanation.empty()) json["explanation"] = refuted.explanation;
      },
      [&](const Unknown& unknown) { json["reason"] = unknown.reason; });
  return json.dump();
}

std::string how_decided(const ClaimVerdict& claim) {
  return match(
      claim.verdict,
      [](const Proved& proved) {
        std::string text = proved.rule;
        if (!proved.assumes.empty())
          text += fmt::format("; assumes {}", fmt::join(proved.assumes, ", "));
        return text;
      },
      [](const Checked& checked) { return checked.reason; },
      [](const Refuted& refuted) {
        std::string where;
        for (const auto& [name, value] : refuted.counterexample.variables) {
          where += fmt::format("{}{} = {}", where.empty() ? "" : ", ", name, value.to_string());
        }
        const std::string numbers = fmt::format("{} against {}", value_text(refuted.counterexample),
                                                bound_text(refuted.counterexample));
        if (refuted.of_class) return fmt::format("{}; {}: {}", refuted.explanation, where, numbers);
        return fmt::format("{}: {}{}{}{}", where, numbers, refuted.explanation.empty() ? "" : "; ",
                           refuted.explanation,
                           refuted.smallest ? "" : "; perhaps not the smallest");
      },
      [](const Unknown& unknown) { return unknown.reason; });
}

namespace {

constexpr std::size_t kWidestReason = 64, kNarrowestReason = 32, kWidestRow = 120;
constexpr std::size_t kVerdictAndGaps = 7 + 3 * 2;  // of a row: what no claim makes wider

// At most so wide, cut between words.
std::string shortened(const std::string& text, std::size_t width) {
  if (text.size() <= width) return text;
  std::size_t end = text.rfind(' ', width - 4);
  if (end == std::string::npos) end = width - 4;
  while (end > 0 && (text[end - 1] == ',' || text[end - 1] == ';' || text[end - 1] == ':')) --end;
  return text.substr(0, end) + " ...";
}

// "row size; live set": the families of the rules, which stand before the colon.
std::string families_of(const std::string& rules) {
  std::vector<std::string> families;
  for (std::size_t at = 0; at < rules.size();) {
    const std::size_t end = std::min(rules.find("; ", at), rules.size());
    const std::string rule = rules.substr(at, end - at);
    const std::string family = rule.substr(0, rule.find(':'));
    if (std::find(families.begin(), families.end(), family) == families.end()) {
      families.push_back(family);
    }
    at = end + 2;
  }
  return fmt::format("{}", fmt::join(families, "; "));
}

// For a table that already has the values of the variables: the reason without its details, which
// claim_json() and `heddle explain` give in full.
std::string briefly_decided(const ClaimVerdict& claim) {
  return match(
      claim.verdict,
      [](const Proved& proved) {
        std::string text = families_of(proved.rule);
        for (const std::string& theorem : proved.assumes) {
          text += "; assumes " + theorem.substr(0, theorem.find(':'));
        }
        return text;
      },
      [](const Checked& checked) { return checked.reason; },
      [](const Refuted& refuted) {
        std::string text = fmt::format("{} against {}", value_text(refuted.counterexample),
                                       bound_text(refuted.counterexample));
        if (refuted.of_class) return refuted.explanation + "; " + text;
        if (!refuted.smallest) text += ", perhaps not the smallest";
        if (!refuted.explanation.empty()) text += "; " + refuted.explanation;
        return text;
      },
      [](const Unknown& unknown) { return unknown.reason; });
}

}  // namespace

Tone tone_of(const Verdict& verdict) {
  return match(
      verdict, [](const Proved&) { return Tone::kGood; },
      [](const Checked&) { return Tone::kCaution; }, [](const Refuted&) { return Tone::kBad; },
      [](const Unknown&) { return Tone::kCaution; });
}

TextTable claims_table(const std::vector<ClaimVerdict>& claims) {
  TextTable table{{{"verdict"}, {"claim"}, {"for"}, {"because"}}, {}};
  std::size_t text = 0, scope = 0;
  for (const ClaimVerdict& claim : claims) {
    text = std::max(text, claim.text.size());
    scope = std::max(scope, claim.scope.size());
  }
  const std::size_t others = kVerdictAndGaps + text + scope;
  const std::size_t width =
      std::clamp(kWidestRow - std::min(others, kWidestRow), kNarrowestReason, kWidestReason);
  for (const ClaimVerdict& claim : claims) {
    table.rows.push_back({TextCell(name_of(claim.verdict), tone_of(claim.verdict)), claim.text,
                          claim.scope,
                          TextCell(shortened(briefly_decided(claim), width), Tone::kMuted)});
  }
  return table;
}

ExitCode worse(ExitCode a, ExitCode b) {
  for (const ExitCode code :
       {kInternalError, kPatternRejected, kWrongUsage, kNoDevice, kRefuted, kUndecided}) {
    if (a == code || b == code) return code;
  }
  return kDone;
}

ExitCode exit_code_of(const std::vector<ClaimVerdict>& claims) {
  ExitCode code = kDone;
  for (const ClaimVerdict& claim : claims) {
    code = worse(code, match(
                           claim.verdict, [](const Proved&) { return kDone; },
                           [](const Checked&) { return kUndecided; },
                           [](const Refuted&) { return kRefuted; },
                           [](const Unknown&) { return kUndecided; }));
  }
  return code;
}

}  // namespace heddle
