// SPDX-License-Identifier: Apache-2.0
// What `prove` leaves behind: one self-contained JSON file per pattern, readable by a person, with
// every step of every proof as a script that any solver can be given. Says nothing about how it
// was found and needs nothing of the prover to be read.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "analyzer/certificate/verdict.hpp"
#include "patterns/result.hpp"

namespace heddle {

// One link of a derivation. `rule` is a law of the theory ("row size: ..."), or one of three that
// rest on steps: "induction" proves the lemma it names, "side condition" a fact about an expression
// or a set of the pattern, "inequality" the claim itself from the laws and lemmas.
struct RuleApplication {
  std::string rule;
  std::vector<std::pair<std::string, std::string>> parameters;
  std::vector<std::string> obligations;  // names of steps
  friend bool operator==(const RuleApplication&, const RuleApplication&) = default;
};

// A claim, or "causal" for the statement that every row reads earlier positions only.
struct CertifiedClaim {
  std::string text;
  std::string verdict;  // as name_of(Verdict) says it
  std::string scope;
  std::vector<RuleApplication> derivation;  // proved only
  std::vector<std::string> assumes;
  std::string checked_up_to;  // checked only: a number
  std::string reason;         // a remark: why checked, refuted or unknown
  std::vector<std::pair<std::string, std::string>> counterexample;  // variables, "value", "bound"
  // refuted only: at no place before the counterexample does the claim fail. Places come in the
  // order of their largest variable, then in that of their variables by name.
  bool smallest = false;
  // refuted only: lines of paths and weights that show what congestion or rank is there, in the
  // format of audit/witnesses.hpp; may be empty.
  std::string evidence = {};

  std::set<std::string> laws() const;            // of the derivation
  std::vector<std::string> obligations() const;  // of the derivation, in its order
  std::vector<std::pair<std::string, std::string>> witnesses() const;  // of the inequality
};

// The canonical derivation from laws and steps: lemmas, side conditions, laws, the inequality.
std::vector<RuleApplication> derivation_of(
    const std::set<std::string>& laws, const std::vector<std::string>& obligations,
    const std::vector<std::pair<std::string, std::string>>& witnesses);

struct Certificate {
  std::string pattern;  // its name
  std::string source;   // canonical text; parameters are resolved in it
  std::string sha256;   // of `source`
  std::vector<std::string> tools;
  CertifiedClaim causality;
  std::vector<CertifiedClaim> claims;
  // Proved, and not the source's: bounds that nobody asked for, and what excludes refuted claims.
  std::vector<CertifiedClaim> derived;
  std::vector<Obligation> obligations;  // each once; names are unique
};

// The last member, "seal", is the SHA-256 of the file with an empty seal: it shows accidents, not
// attackers, who can seal again.
std::string to_json_text(const Certificate& certificate);
// Fails on anything that to_json_text() would not have written; never throws.
Result<Certificate> parse_certificate(const std::string& text);
// As above, but in any layout and under any seal.
Result<Certificate> read_certificate(const std::string& text);

}  // namespace heddle
