// SPDX-License-Identifier: Apache-2.0
// libFuzzer: any bytes as a pattern file. What reads as a pattern prints as one that reads the
// same, and its first rows are evaluated.
#include <cstdint>
#include <cstdlib>

#include "patterns/ast_print.hpp"
#include "patterns/diagnostic.hpp"
#include "patterns/materialize.hpp"
#include "patterns/parser.hpp"
#include "patterns/pattern.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace heddle;
  const Source source{"fuzz.heddle", {reinterpret_cast<const char*>(data), size}};
  Diagnostics diagnostics;
  std::vector<PatternSyntax> parsed = parse(source, diagnostics);
  const bool failed = diagnostics.has_errors();
  for (PatternSyntax& syntax : parsed) {
    if (failed) break;
    Diagnostics problems;
    const auto pattern = resolve(std::move(syntax), {}, problems);
    (void)render(problems, source);
    if (!pattern) continue;
    // The canonical text is of the same pattern.
    const Source again{"canonical.heddle", pattern->canonical_text()};
    Diagnostics none;
    std::vector<PatternSyntax> reread = parse(again, none);
    if (none.has_errors() || reread.size() != 1) std::abort();
    const auto same = resolve(std::move(reread[0]), {}, none);
    if (!same || same->sha256() != pattern->sha256()) std::abort();
    (void)materialize(*pattern, 8);
  }
  (void)render(diagnostics, source);
  return 0;
}
