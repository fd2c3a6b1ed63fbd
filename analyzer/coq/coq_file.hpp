// SPDX-License-Identifier: Apache-2.0
// A pattern and its proved claims as a file for Coq: first what is claimed, in the definitions of
// analyzer/theorems, then proofs, last the question what all of them rest on. Nothing here has to
// be trusted: where a proof is wrong, Coq rejects the file, and what is claimed stands in it to be
// read.
#pragma once

#include <string>
#include <vector>

#include "analyzer/certificate/verdict.hpp"
#include "patterns/pattern.hpp"

namespace heddle::coq {

struct Unwritten {
  std::string claim;
  std::string reason;
};

struct CoqFile {
  std::string text;
  std::vector<std::string> written;  // claim_1, claim_2, ... in this order
  std::vector<Unwritten> unwritten;
};

// A claim in the words of the language. Only those with Proved are written.
struct Judged {
  std::string claim;
  const Verdict* verdict;
};

CoqFile coq_file(const Pattern& pattern, const std::vector<Judged>& claims);

}  // namespace heddle::coq
