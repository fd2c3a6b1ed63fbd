// SPDX-License-Identifier: Apache-2.0
// What `prove` leaves behind: one self-contained JSON file per pattern, readable by a person, with
// every step of every proof as a script that any solver can be given. Says nothing about how it
// was found and needs nothing of the prover to be read.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analyzer/verdict.hpp"
#include "patterns/result.hpp"

namespace heddle {

// A claim, or "causal" for the statement that every row reads earlier positions only.
struct CertifiedClaim {
  std::string text;
  std::string verdict;  // as name_of(Verdict) says it
  std::string scope;
  std::string rule;
  std::vector<std::pair<std::string, std::string>> parameters;  // witnesses
  std::vector<std::string> assumes;
  std::vector<std::string> obligations;  // names, in the order of the proof
  std::string reason;                    // checked and unknown
  std::vector<std::pair<std::string, std::string>> counterexample;  // variables, "value", "bound"
};

struct Certificate {
  std::string pattern;  // its name
  std::string source;   // canonical text; parameters are resolved in it
  std::string sha256;   // of `source`
  std::vector<std::string> tools;
  CertifiedClaim causality;
  std::vector<CertifiedClaim> claims;
  std::vector<Obligation> obligations;  // each once; names are unique
};

std::string to_json_text(const Certificate& certificate);
// Fails on anything that is not exactly such a file; never throws.
Result<Certificate> parse_certificate(const std::string& text);

}  // namespace heddle
