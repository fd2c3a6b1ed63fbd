// SPDX-License-Identifier: Apache-2.0
// Two layers of verification, independent of each other but for the emulator that runs the text a
// compiler would get. Emulated: every access is watched and results are compared with the float64
// oracle. Algebraic: the scalar type is replaced by numbers of a finite field and results must
// equal the definition exactly. `verified` means that every obligation was met in every run that
// was planned; anything that could not be run makes the verdict `unknown`, never `verified`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "codegen/manifest.hpp"
#include "patterns/materialize.hpp"
#include "runtime/load/nvrtc.hpp"

namespace heddle {

enum class KernelVerdict { kVerified, kRejected, kUnknown };
const char* name_of(KernelVerdict verdict);  // "verified", "rejected", "unknown"
// Rejected beats unknown beats verified.
KernelVerdict worse_of(KernelVerdict a, KernelVerdict b);

struct VerifyOptions {
  // Sequence lengths to try, ascending. Those whose estimated work exceeds what is left of the
  // budget, or that need rows beyond the ones given, are left out and named in the report.
  std::vector<std::int64_t> sizes = {1, 2, 63, 100, 257, 1000, 2000};
  // Emulated memory accesses per kernel, as estimated from the rows; about a quarter of a
  // microsecond each.
  std::int64_t work_budget = 24'000'000;
  // The same for the algebraic layer, whose lengths are fixed.
  std::int64_t algebraic_budget = 6'000'000;
  // More rows, far beyond the ones given, or nothing where they would be too many; asked for when
  // no run came to all of a text that goes on from a state. May be empty. Called from any thread.
  std::function<std::optional<Rows>()> more_rows;
  bool emulated = true;      // run this layer
  bool algebraic = true;     // run this layer
  bool count_flops = false;  // of the launches that are profiled, by running them over the field
  bool stop_early = false;   // the first failure of a kernel in a layer is enough
  std::uint64_t seed = 1;
  int threads = 2;
  std::function<void(const std::string&)> progress;  // called under a lock; may be empty
};

struct VerifyObligation {
  std::string name;
  KernelVerdict verdict = KernelVerdict::kUnknown;
  std::string method;              // what was run or counted
  std::string layer = "emulated";  // which independent check this belongs to
};
struct VerifyFailure {
  std::string kind;  // an emulator finding, or wrong_result, wrong_state, order_dependence,
                     // unwritten, compile_error, cache_layout, not_run
  std::string message;
  std::string where;  // file and line, or kernel and sizes
  std::string layer = "emulated";
  // The smallest launch in which the kernel fails at all, in words; empty where none was looked for
  // or found.
  std::string smallest = {};
};

// What all threads of a launch do from one barrier to the next, over all the times they do it.
struct ProfilePhase {
  std::string from;  // "kernel.cu:12": the barrier behind which it begins; empty: the start
  std::int64_t global_bytes_read = 0;
  std::int64_t global_bytes_written = 0;
  std::int64_t requests = 0;  // of warps, to global memory
  std::int64_t sectors = 0;   // of 32 bytes, touched by them
  std::int64_t shared_bank_conflicts = 0;
  std::int64_t barriers = 0;  // that end it
  std::string launch = {};    // the symbol, where an operation is several launches
};

// Exact counters of one emulated launch.
struct KernelProfile {
  std::string symbol;
  std::string op;
  std::int64_t tokens = 0;
  std::int64_t start = 0;
  std::int64_t batch = 0;
  std::int64_t heads = 0;
  std::int64_t global_bytes_read = 0;
  std::int64_t global_bytes_written = 0;
  std::int64_t minimum_bytes = 0;
  double sectors_per_request = 0.0;
  std::int64_t shared_bank_conflicts = 0;
  std::int64_t barriers = 0;
  std::int64_t sectors = 0;
  std::vector<ProfilePhase> phases = {};  // their sums are the numbers above
  std::int64_t definition_flops = 0;      // multiply-adds of the rows, counted twice
  // Additions, multiplications and divisions of reals by all threads of this launch, counted one by
  // one in a run over the field, where each is a call; and calls of exp. Nothing where not asked
  // for.
  std::optional<std::int64_t> flops = {};
  std::int64_t exponentials = 0;
  bool cuda = true;
  std::string schedule = "simple";
  // What the manifest's cost model says of this launch, the state that it hands over included.
  // Nothing where its prediction is for another length.
  std::optional<std::int64_t> predicted_bytes = {}, predicted_flops = {};
  std::optional<KernelResources> resources = {};  // where somebody has asked the device compiler
};

// What no launch of the emulated layer came to: of these lines it says nothing.
struct UnreachedText {
  std::string file;
  std::vector<std::pair<int, int>> lines;  // first and last of each stretch
};
std::string describe(const UnreachedText& text);  // "lines 12-30 and 41 of kernel.cu"

struct VerifyReport {
  KernelVerdict verdict = KernelVerdict::kUnknown;
  std::vector<VerifyObligation> obligations;
  std::vector<VerifyFailure> failures;
  std::vector<KernelProfile> profiles;
  std::vector<UnreachedText> unreached;
  bool cached = false;  // found among earlier verdicts, see store.hpp
};

// `files` maps the names that the manifest and #include lines use to texts. `rows` are the
// pattern's rows 1..N; lengths up to N - 1 are tried, since the cache after n tokens is made for
// row n + 1.
VerifyReport verify(const Manifest& manifest, const std::map<std::string, std::string>& files,
                    const Rows& rows, const VerifyOptions& options = {});

// What the manifest says of the layers: each with the worst verdict among its obligations, in the
// order in which the report first names them.
std::vector<VerificationLayer> layers_of(const VerifyReport& report);

// Fills in what profiles say of schedules and predictions.
void add_predictions(const Manifest& manifest, VerifyReport& report);

// One JSON object each, as the language page lays down for `verify --json` and `profile --json`.
std::string verify_json(const VerifyReport& report);
std::string profile_json(const VerifyReport& report);

}  // namespace heddle
