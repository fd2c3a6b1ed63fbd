// SPDX-License-Identifier: Apache-2.0
// libFuzzer: any bytes as a certificate, and, where they read as one, the same certificate sealed
// again with the hash of its source put right, so that the derivation is reached. No solvers.
#include <cstdint>
#include <cstdlib>

#include "analyzer/audit/audit.hpp"
#include "analyzer/certificate/certificate.hpp"
#include "patterns/parser.hpp"
#include "patterns/pattern.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace heddle;
  const std::string text(reinterpret_cast<const char*>(data), size);
  AuditOptions options;
  options.solvers = {};
  options.rows_to_evaluate = 6;
  if (audit(text, options).verdict == AuditReport::Verdict::kAccepted) std::abort();
  Result<Certificate> read = read_certificate(text);
  if (!read.ok()) return 0;
  Diagnostics diagnostics;
  std::vector<PatternSyntax> syntax = parse({"fuzz", read->source}, diagnostics);
  if (syntax.size() == 1 && !diagnostics.has_errors()) {
    if (const auto pattern = resolve(std::move(syntax[0]), {}, diagnostics)) {
      read->source = pattern->canonical_text();
      read->sha256 = pattern->sha256();
      read->pattern = pattern->name();
    }
  }
  // Without solvers nothing may be accepted, unless there is nothing to decide.
  if (audit(to_json_text(*read), options).verdict == AuditReport::Verdict::kAccepted &&
      !read->obligations.empty()) {
    std::abort();
  }
  return 0;
}
