// SPDX-License-Identifier: Apache-2.0
// The JSON of a certificate. Scripts are arrays of lines, so that the file can be read and diffed.
#include "analyzer/certificate/certificate.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "patterns/sha256.hpp"

namespace heddle {
namespace {

using Json = nlohmann::ordered_json;
using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr const char* kFormat = "heddle-certificate-4";

Json lines_of(const std::string& text) {
  Json lines = Json::array();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

Json to_json(const Pairs& pairs) {
  Json object = Json::object();
  for (const auto& [key, value] : pairs) object[key] = value;
  return object;
}

Json to_json(const CertifiedClaim& claim) {
  Json derivation = Json::array();
  for (const RuleApplication& link : claim.derivation) {
    derivation.push_back({{"rule", link.rule},
                          {"parameters", to_json(link.parameters)},
                          {"obligations", link.obligations}});
  }
  Json json = {{"text", claim.text},       {"verdict", claim.verdict},
               {"scope", claim.scope},     {"derivation", derivation},
               {"assumes", claim.assumes}, {"checked_up_to", claim.checked_up_to},
               {"reason", claim.reason},   {"counterexample", to_json(claim.counterexample)}};
  if (!claim.counterexample.empty()) json["smallest"] = claim.smallest;
  if (!claim.evidence.empty()) json["evidence"] = lines_of(claim.evidence);
  return json;
}

// Reads members by name and remembers the first thing that is wrong. Every member that is not
// asked for is an error too: a certificate has nothing to hide things in.
class Reader {
 public:
  explicit Reader(const Json& object, std::string where)
      : object_(object), where_(std::move(where)) {
    if (!object.is_object()) fail("is not an object");
  }

  std::string text(const char* key) {
    const Json* member = find(key);
    if (member == nullptr || !member->is_string()) {
      fail(std::string(key) + " is not a string");
      return "";
    }
    return member->get<std::string>();
  }

  bool truth(const char* key) {
    const Json* member = find(key);
    if (member != nullptr && member->is_boolean()) return member->get<bool>();
    fail(std::string(key) + " is neither true nor false");
    return false;
  }

  std::vector<std::string> texts(const char* key) {
    std::vector<std::string> result;
    const Json* member = find(key);
    if (member == nullptr || !member->is_array()) {
      fail(std::string(key) + " is not an array");
      return result;
    }
    for (const Json& element : *member) {
      if (!element.is_string())
        fail(std::string(key) + " holds something that is not a string");
      else
        result.push_back(element.get<std::string>());
    }
    return result;
  }

  std::string lines(const char* key) {
    std::string text;
    for (const std::string& line : texts(key)) text += line + "\n";
    return text;
  }

  Pairs pairs(const char* key) {
    Pairs result;
    const Json* member = find(key);
    if (member == nullptr || !member->is_object()) {
      fail(std::string(key) + " is not an object");
      return result;
    }
    for (const auto& [name, value] : member->items()) {
      if (!value.is_string())
        fail(std::string(key) + " holds something that is not a string");
      else
        result.emplace_back(name, value.get<std::string>());
    }
    return result;
  }

  template <typename Visit>
  void each(const char* key, const Visit& visit) {
    const Json* list = find(key);
    if (list == nullptr || !list->is_array()) {
      fail(std::string(key) + " is not an array");
      return;
    }
    for (std::size_t at = 0; at < list->size(); ++at) {
      visit((*list)[at], std::string(key) + "[" + std::to_string(at) + "]");
    }
  }

  bool has(const char* key) const { return object_.is_object() && object_.contains(key); }

  const Json* find(const char* key) {
    asked_.insert(key);
    if (!object_.is_object()) return nullptr;
    const auto at = object_.find(key);
    return at == object_.end() ? nullptr : &*at;
  }

  void fail(const std::string& what) {
    if (error_.empty()) error_ = where_ + ": " + what;
  }

  const std::string& finish() {
    if (error_.empty() && object_.size() != asked_.size()) fail("has members that do not belong");
    return error_;
  }

 private:
  const Json& object_;
  std::string where_;
  std::set<std::string> asked_;
  std::string error_;
};

CertifiedClaim read_claim(const Json& json, const std::string& where, std::string& error) {
  Reader reader(json, where);
  CertifiedClaim claim;
  claim.text = reader.text("text");
  claim.verdict = reader.text("verdict");
  claim.scope = reader.text("scope");
  reader.each("derivation", [&](const Json& element, const std::string& at) {
    Reader link(element, at);
    RuleApplication application;
    application.rule = link.text("rule");
    application.parameters = link.pairs("parameters");
    application.obligations = link.texts("obligations");
    claim.derivation.push_back(std::move(application));
    if (error.empty()) error = link.finish();
  });
  claim.assumes = reader.texts("assumes");
  claim.checked_up_to = reader.text("checked_up_to");
  claim.reason = reader.text("reason");
  claim.counterexample = reader.pairs("counterexample");
  if (!claim.counterexample.empty()) claim.smallest = reader.truth("smallest");
  if (reader.has("evidence")) claim.evidence = reader.lines("evidence");
  if (error.empty()) error = reader.finish();
  return claim;
}

Obligation read_obligation(const Json& json, const std::string& where, std::string& error) {
  Reader reader(json, where);
  Obligation obligation;
  obligation.name = reader.text("name");
  obligation.statement = reader.text("statement");
  obligation.expected = reader.text("expected");
  obligation.script = reader.lines("script");
  obligation.companion = reader.lines("companion");
  obligation.evidence = reader.lines("evidence");
  if (reader.text("companion_expected") != "sat") reader.fail("a companion must be sat");
  if (error.empty()) error = reader.finish();
  return obligation;
}

// "increasing(f).step" is a step of an induction, "clipped: k" a side condition.
RuleApplication generic_rule(const std::string& obligation, const Pairs& witnesses) {
  for (const char* decided : {"claim: ", "in range: ", "growth: "}) {
    if (obligation.rfind(decided, 0) == 0) return {"inequality", witnesses, {}};
  }
  const std::size_t colon = obligation.find(": ");
  if (colon != std::string::npos) {
    return {"side condition", {{"states", obligation.substr(0, colon)}}, {}};
  }
  return {"induction", {{"lemma", obligation.substr(0, obligation.find('.'))}}, {}};
}

bool is_generic(const std::string& rule) {
  return rule == "induction" || rule == "side condition" || rule == "inequality";
}

}  // namespace

std::set<std::string> CertifiedClaim::laws() const {
  std::set<std::string> result;
  for (const RuleApplication& link : derivation) {
    if (!is_generic(link.rule)) result.insert(link.rule);
  }
  return result;
}

std::vector<std::string> CertifiedClaim::obligations() const {
  std::vector<std::string> names;
  for (const RuleApplication& link : derivation) {
    names.insert(names.end(), link.obligations.begin(), link.obligations.end());
  }
  return names;
}

std::vector<std::pair<std::string, std::string>> CertifiedClaim::witnesses() const {
  for (const RuleApplication& link : derivation) {
    if (link.rule == "inequality") return link.parameters;
  }
  return {};
}

std::vector<RuleApplication> derivation_of(const std::set<std::string>& laws,
                                           const std::vector<std::string>& obligations,
                                           const Pairs& witnesses) {
  std::vector<RuleApplication> derivation;
  const auto add = [&](const char* kind) {
    const std::size_t first = derivation.size();
    for (const std::string& name : obligations) {
      RuleApplication link = generic_rule(name, witnesses);
      if (link.rule != kind) continue;
      std::size_t at = first;
      while (at < derivation.size() && derivation[at].parameters != link.parameters) ++at;
      if (at == derivation.size()) derivation.push_back(std::move(link));
      derivation[at].obligations.push_back(name);
    }
  };
  add("induction");
  add("side condition");
  for (const std::string& law : laws) derivation.push_back({law, {}, {}});
  add("inequality");
  return derivation;
}

std::string to_json_text(const Certificate& certificate) {
  Json json = {{"format", kFormat},
               {"pattern", certificate.pattern},
               {"sha256", certificate.sha256},
               {"source", lines_of(certificate.source)},
               {"tools", certificate.tools},
               {"causality", to_json(certificate.causality)},
               {"claims", Json::array()},
               {"obligations", Json::array()}};
  for (const CertifiedClaim& claim : certificate.claims) json["claims"].push_back(to_json(claim));
  for (const CertifiedClaim& claim : certificate.derived) {
    json["derived"].push_back(to_json(claim));
  }
  for (const Obligation& obligation : certificate.obligations) {
    json["obligations"].push_back({{"name", obligation.name},
                                   {"statement", obligation.statement},
                                   {"expected", obligation.expected},
                                   {"script", lines_of(obligation.script)},
                                   {"companion_expected", "sat"},
                                   {"companion", lines_of(obligation.companion)},
                                   {"evidence", lines_of(obligation.evidence)}});
  }
  const auto written = [&] {
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  };
  json["seal"] = "";
  json["seal"] = sha256_hex(written());
  return written();
}

Result<Certificate> read_certificate(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return Error{"the certificate is not valid JSON"};
  Reader reader(json, "certificate");
  if (const std::string format = reader.text("format"); format != kFormat) {
    return Error{"only the format " + std::string(kFormat) +
                 " is read, and this is not of it; prove the pattern again"};
  }
  Certificate certificate;
  certificate.pattern = reader.text("pattern");
  certificate.sha256 = reader.text("sha256");
  certificate.source = reader.lines("source");
  certificate.tools = reader.texts("tools");
  reader.text("seal");
  std::string error;
  if (const Json* causality = reader.find("causality")) {
    certificate.causality = read_claim(*causality, "causality", error);
  } else {
    reader.fail("causality is missing");
  }
  reader.each("claims", [&](const Json& element, const std::string& where) {
    certificate.claims.push_back(read_claim(element, where, error));
  });
  if (reader.has("derived")) {
    reader.each("derived", [&](const Json& element, const std::string& where) {
      certificate.derived.push_back(read_claim(element, where, error));
    });
  }
  reader.each("obligations", [&](const Json& element, const std::string& where) {
    certificate.obligations.push_back(read_obligation(element, where, error));
  });
  if (error.empty()) error = reader.finish();
  if (!error.empty()) return Error{error};
  return certificate;
}

Result<Certificate> parse_certificate(const std::string& text) {
  Result<Certificate> certificate = read_certificate(text);
  // One text for each certificate: no second member of one name, no other layout or escapes.
  if (certificate.ok() && to_json_text(*certificate) != text) {
    return Error{"the certificate was changed after it was sealed, or is not in canonical form"};
  }
  return certificate;
}

}  // namespace heddle
