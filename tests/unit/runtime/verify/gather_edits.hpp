// SPDX-License-Identifier: Apache-2.0
// Backward on cuda in several launches, where rows gather, and edits of the texts of its launches,
// each of which both layers that carry texts out must reject.
#pragma once

#include "patterns/ast_print.hpp"
#include "patterns/materialize.hpp"
#include "tests/unit/runtime/verify/scan_edits.hpp"

namespace heddle::test::gather {

inline constexpr std::int64_t kRows = 400;

struct Kind {
  const char* pattern;
  WeightKind weights;
  ElementType dtype = ElementType::kF32;
  int head_dim = 8;
  bool varlen = false;
  bool states = false;
};

inline Pattern pattern_of(const Kind& kind) {
  const std::string name = kind.pattern;
  // Every earlier row, as a lattice: more of them than a launch has weights for at a time.
  if (name == "dense_lattice") {
    return test::pattern_of(
        {name, "pattern dense_lattice {\n  f(k) = k + 1\n  A = diagonal\n  B = lattice(f)\n}\n"});
  }
  if (name == "first_and_own") {
    return test::pattern_of(
        {name, "pattern first_and_own {\n  A = { 1 } | { i }\n  B = none\n}\n"});
  }
  return test::builtin(kind.pattern);
}
inline Rows rows_of(const Kind& kind) {
  return std::get<Rows>(materialize(pattern_of(kind), kRows));
}

inline Artifact generated(const Kind& kind, const std::string& schedule = "auto") {
  GenerateOptions options;
  options.ops = {"backward"};
  options.target = ir::Target::kCuda;
  options.head_dim = kind.head_dim;
  options.dtype = kind.dtype;
  options.exact_to = kRows;
  options.weights = kind.weights;
  options.schedule = schedule;
  options.varlen = kind.varlen;
  options.state_gradients = kind.states;
  Result<Artifact> artifact = generate(pattern_of(kind), options);
  INFO((artifact ? "" : artifact.error().message));
  REQUIRE(artifact.ok());
  const Result<Manifest> read = parse_manifest(to_json(artifact->manifest));
  INFO((read ? "" : read.error().message));
  REQUIRE(read.ok());
  return *std::move(artifact);
}

inline std::vector<std::string> steps_of(const Artifact& artifact) {
  const KernelEntry& entry = artifact.manifest.kernels[0];
  std::vector<std::string> names;
  for (const KernelEntry& step : entry.steps) {
    names.push_back(step.symbol.substr(entry.symbol.size() + 1));
  }
  return names;
}

struct Edit {
  const char* step;
  const char* from;
  const char* to;
  bool of_values = true;  // the algebraic layer, which watches no accesses, has to see it, too
};

inline void reject(const Kind& kind, const std::vector<Edit>& edits) {
  const Artifact artifact = generated(kind);
  const Rows rows = rows_of(kind);
  VerifyOptions options = scan::quick();
  options.stop_early = true;
  for (const Edit& edit : edits) {
    INFO(kind.pattern << ", " << edit.step << ": " << edit.from << " -> " << edit.to);
    const std::string file = std::string(kind.pattern) + "_backward_" + edit.step + ".cu";
    std::map<std::string, std::string> files = artifact.files;
    const std::size_t at = files.at(file).find(edit.from);
    REQUIRE(at != std::string::npos);
    files[file].replace(at, std::string(edit.from).size(), edit.to);
    const VerifyReport report = verify(artifact.manifest, files, rows, options);
    INFO(explain(report));
    CHECK(report.verdict == KernelVerdict::kRejected);
    CHECK(scan::rejected_by(report, "emulated"));
    for (const VerifyFailure& failure : report.failures) CHECK(failure.kind != "compile_error");
    if (edit.of_values) CHECK(scan::rejected_by(report, "algebraic"));
  }
}

}  // namespace heddle::test::gather
