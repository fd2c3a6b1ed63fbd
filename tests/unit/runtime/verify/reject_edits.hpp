// SPDX-License-Identifier: Apache-2.0
// Small edits of the text of an artifact's only kernel, or of one of its files, each of which must
// die in the layer that is asked, wherever it is made.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/generate.hpp"
#include "runtime/verify/ledger.hpp"
#include "runtime/verify/verify.hpp"
#include "tests/catch.hpp"
#include "tests/unit/runtime/verify/explain_report.hpp"

namespace heddle::test {

struct TextEdit {
  const char* from;
  const char* to;
  // Rows that are run may have fewer entries than are pushed at once: only where the rest is
  // pushed.
  bool last_only = false;
  // Launches that are run may take one of two roads only: where it comes first.
  bool first_only = false;
};

inline void reject_edits(const Artifact& artifact, const std::string& file, const Rows& rows,
                         VerifyOptions options, Layer layer, const std::vector<TextEdit>& edits) {
  const std::string& text = artifact.files.at(file);
  options.stop_early = true;
  options.emulated = layer == Layer::kEmulated;
  options.algebraic = layer == Layer::kAlgebraic;
  for (const TextEdit& edit : edits) {
    INFO(artifact.manifest.target << ", " << artifact.manifest.pattern << ": " << edit.from
                                  << " -> " << edit.to << ", " << name_of(layer));
    CHECK(text.find(edit.from) != std::string::npos);
    for (std::size_t at = edit.last_only ? text.rfind(edit.from) : text.find(edit.from);
         at != std::string::npos;
         at = edit.first_only ? std::string::npos : text.find(edit.from, at + 1)) {
      std::map<std::string, std::string> files = artifact.files;
      files[file].replace(at, std::string(edit.from).size(), edit.to);
      const VerifyReport report = verify(artifact.manifest, files, rows, options);
      INFO("occurrence at " << at << ": " << explain(report));
      CHECK(report.verdict == KernelVerdict::kRejected);
    }
  }
}
inline void reject_edits(const Artifact& artifact, const Rows& rows, const VerifyOptions& options,
                         Layer layer, const std::vector<TextEdit>& edits) {
  reject_edits(artifact, artifact.manifest.kernels.front().file, rows, options, layer, edits);
}

}  // namespace heddle::test
