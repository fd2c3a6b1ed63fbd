// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/followed.hpp"

#include <algorithm>

namespace heddle {
namespace {

// Each thread fetches vectors of rows, which threads share by powers of two: at most a warp's, so
// that only lanes are taken apart, and no fewer than ask for a sector of 32 bytes where they have
// several vectors of a row in turn.
bool splits_warps_evenly(const Manifest& manifest, const KernelEntry& entry, int channels,
                         bool in_turns) {
  const std::int64_t row = channels * static_cast<std::int64_t>(size_of(manifest.dtype));
  if (entry.alignment < 1 || row % entry.alignment != 0) return false;
  const std::int64_t vectors = row / entry.alignment, together = vectors & -vectors;
  return together <= 32 && (together == vectors || (in_turns && together * entry.alignment >= 32));
}

bool takes(const KernelEntry& entry, const char* name) {
  return std::any_of(entry.arguments.begin(), entry.arguments.end(),
                     [&](const Argument& argument) { return argument.name == name; });
}

}  // namespace

bool too_long_to_follow(const Manifest& manifest, const KernelEntry& entry) {
  const bool gradients =
      entry.op == "backward" && entry.schedule == "tensor" && takes(entry, "dgate");
  return gradients && manifest.head_dim != manifest.state_dim;
}

std::optional<std::string> not_asked(const Manifest& manifest, const KernelEntry& entry) {
  if (takes(entry, "pages_a") || takes(entry, "pages_b")) return "caches in pages";
  if (entry.schedule == "scan") {
    if (!manifest.varlen) return std::nullopt;
    return "scans over sequences with lengths of their own";
  }
  if (entry.op == "decode" && takes(entry, "new_tokens")) {
    return "decode of several tokens a launch";
  }
  if (entry.op == "backward" && takes(entry, "start")) {
    return "backward that goes on from a state";
  }
  return std::nullopt;
}

std::optional<std::string> not_followed(const Manifest& manifest, const KernelEntry& entry) {
  if (manifest.target != "cuda") return "cpu kernels";
  if (const auto kind = not_asked(manifest, entry)) return kind;
  if (manifest.weights == "gated") return "weights of channels of their own, in some rows";
  if (too_long_to_follow(manifest, entry)) {
    return "gradients of matrix states that are not square, on tensor cores";
  }
  if (takes(entry, "live_states")) {
    return "matrix states of other patterns than first order on tensor cores";
  }
  if (manifest.key_gates && entry.schedule == "tensor") {
    return "gates for each key, on tensor cores";
  }
  if (manifest.weights == "linear" && takes(entry, "coef_b")) {
    // With more, indices of states are not all shown to fit.
    constexpr std::int64_t kMost = 4096;
    if (std::int64_t{manifest.state_dim} * manifest.head_dim <= kMost) return std::nullopt;
    return "matrix states of more than 4,096 numbers of other patterns than first order";
  }
  if (entry.schedule == "simple") {
    // What is kept of states lies where a sequence's tokens have room for it.
    if (manifest.varlen && manifest.weights == "linear" && entry.op == "backward") {
      return "gradients of matrix states of sequences with lengths of their own, one by one";
    }
    // A row that only some threads of one warp of several have is not found.
    const bool few = manifest.weights == "linear" && manifest.state_dim <= 32;
    if (entry.op != "backward" || !few || manifest.head_dim <= 32) return std::nullopt;
    return "gradients of matrix states of 32 rows at most and more channels";
  }
  if (entry.schedule == "scan") {
    for (const KernelEntry& step : entry.steps) {
      if (step.schedule == "scan") continue;
      if (const auto why = not_followed(manifest, step)) return why;
    }
    return std::nullopt;
  }
  if (entry.schedule == "gather") {
    for (const KernelEntry& step : entry.steps) {
      if (step.schedule == "gather") continue;
      if (const auto why = not_followed(manifest, step)) return why;
    }
    return std::nullopt;
  }
  // Lambda of lattices moves rows channel by channel.
  if (entry.op == "backward" && takes(entry, "live_rows")) return std::nullopt;
  if (entry.op == "backward" && entry.schedule == "staged" && takes(entry, "key_rows")) {
    // Reals behind narrower keys begin at whole vectors of them.
    const std::int64_t row = manifest.head_dim * static_cast<std::int64_t>(size_of(manifest.dtype));
    const bool whole = manifest.dtype == ElementType::kF32 || row % 16 == 0;
    if (whole && splits_warps_evenly(manifest, entry, manifest.head_dim, true)) return std::nullopt;
    return "rows of an odd number of vectors";
  }
  if (entry.op != "prefill" && entry.schedule != "tensor") return std::nullopt;
  // Of matrix states keys have rows, too; in turns, not all places of the decays are found.
  const bool keys = manifest.weights == "linear";
  if (!splits_warps_evenly(manifest, entry, manifest.head_dim, !keys) ||
      (keys && !splits_warps_evenly(manifest, entry, manifest.state_dim, false))) {
    return keys ? "matrix states of no power of two of vectors"
                : "rows of an odd number of vectors";
  }
  // Beyond, not all places of the decays are found to be written, nor indices to fit.
  constexpr int kMostOfRow = 128, kMostOfState = 8192;
  if (keys && entry.schedule == "tensor" &&
      (std::max(manifest.head_dim, manifest.state_dim) > kMostOfRow ||
       manifest.head_dim * manifest.state_dim > kMostOfState)) {
    return "matrix states of more than 8,192 numbers, or 128 in a row, on tensor cores";
  }
  return std::nullopt;
}

}  // namespace heddle
