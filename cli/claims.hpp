// SPDX-License-Identifier: Apache-2.0
// Verdicts of claims as JSON, as lines of text, and as an exit code.
#pragma once

#include <string>
#include <vector>

#include "analyzer/proof/prove.hpp"
#include "cli/exit_code.hpp"
#include "patterns/text_writer.hpp"

namespace heddle {

// One JSON object.
std::string claim_json(const ClaimVerdict& claim);
// Columns: verdict, claim, scope, how, this in a few words.
TextTable claims_table(const std::vector<ClaimVerdict>& claims);
// How it was decided, or why not, in one line; a counterexample with its numbers.
std::string how_decided(const ClaimVerdict& claim);
Tone tone_of(const Verdict& verdict);
// 1 if one is refuted, else 4 if one is not proved for its whole scope, else 0.
ExitCode exit_code_of(const std::vector<ClaimVerdict>& claims);
// The worse of two: refuted, then undecided, then done.
ExitCode worse(ExitCode a, ExitCode b);

}  // namespace heddle
