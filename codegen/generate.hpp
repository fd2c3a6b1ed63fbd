// SPDX-License-Identifier: Apache-2.0
// The facade of code generation: a resolved pattern in, a complete artifact out. Nothing is written
// to disk here, and nothing is claimed: the manifest says "unverified" until a verifier has run.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "codegen/ir/ir.hpp"
#include "codegen/manifest.hpp"
#include "patterns/pattern.hpp"

namespace heddle {

struct GenerateOptions {
  std::vector<std::string> ops = {"prefill", "decode"};
  ir::Target target = ir::Target::kCpu;
  int head_dim = 64;                      // 1..256
  ElementType dtype = ElementType::kF32;  // kF32, kBF16 or kF16
  std::optional<WeightKind> weights;      // instead of the pattern's own
  int state_dim = 0;                      // linear weights: instead of the pattern's own
  bool key_gates = false;  // linear weights of first order: a gate for each row of a state
  // Of prefill on cuda: "simple"; "staged", out of shared memory, where the pattern has such a
  // schedule; "tensor", on tensor cores, for linear weights and softmax over dense rows, in bf16
  // and f16; "scan", over chunks of tokens side by side, for first order with given and gated
  // weights, and with linear ones where "tensor" is possible; or "auto", what the cost model
  // expects to be faster on `architecture`, which is what the command line asks for unless told
  // otherwise. `shared_limit` is what a block may have of shared memory (0: all that the
  // architecture has), and its parts are sized for sequences of `plan_tokens`, which says nothing
  // of the lengths that may be launched.
  std::string schedule = "simple";
  std::string architecture = "sm_90";
  std::int64_t shared_limit = 0;
  std::int64_t plan_tokens = 4096;
  // Heads of all sequences of a launch, as far as the choice of a schedule goes: few of them leave
  // most of a GPU idle unless their tokens are cut into chunks.
  std::int64_t plan_heads = 128;
  // Of softmax on tensor cores, the rows of a chunk: 64, 128 or 256; 0: as many as the cost model
  // expects to be fastest.
  std::int64_t tile_rows = 0;
  // Sequences of a batch have lengths and starts of their own: see manifest.hpp.
  bool varlen = false;
  // With varlen: decode keeps its cache in pages of so many slots, a power of two; 0: not in pages.
  int page_rows = 0;
  // Backward goes on from a state as prefill does, and passes gradients through it.
  bool state_gradients = false;
  // Decode takes as many tokens as a launch says.
  bool several_tokens = false;
  std::int64_t exact_to = 16384;  // longest sequence for which cache sizes are computed
  // What the caller has proved of the pattern; handed on in the manifest.
  Causality causality = Causality::kUnknown;
  std::int64_t causality_rows = 0;
};

struct Artifact {
  Manifest manifest;
  // File name to text: a kernel file per operation, the prelude they include, manifest.json, and on
  // cpu a header that declares the kernels.
  std::map<std::string, std::string> files;
  std::vector<std::string> remarks;  // what was asked for and is not there, a sentence each
};

// Fails when the pattern's rows cannot be walked in closed form, reads outside its range, or needs
// a weight kind or type that no schedule has.
Result<Artifact> generate(const Pattern& pattern, const GenerateOptions& options);

// The manifest.json of an artifact again, after its verdict or layers have changed.
void refresh_manifest(Artifact& artifact);

}  // namespace heddle
