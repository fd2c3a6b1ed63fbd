// SPDX-License-Identifier: Apache-2.0
// Verification attacked: a correct hand-written kernel is verified, and each of many small edits
// of its text, or of its manifest, is rejected for the right reason.
#include "runtime/verify/verify.hpp"
#include "runtime/verify/roofline.hpp"

#include <stdlib.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "patterns/sha256.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/explain_report.hpp"
#include "tests/unit/runtime/verify/verify_artifact.hpp"

namespace heddle {
namespace {

using test::explain;

using test::first_order_files;
using test::first_order_manifest;

const Rows& first_order_rows() {
  static const Rows rows = test::builtin_rows("linear_recurrence", 300);
  return rows;
}

VerifyOptions quick() {
  VerifyOptions options;
  options.sizes = {1, 2, 63, 100, 257};
  return options;
}

VerifyReport verify_text(const std::map<std::string, std::string>& files) {
  return verify(first_order_manifest(), files, first_order_rows(), quick());
}

std::set<std::string> kinds_of(const VerifyReport& report) {
  std::set<std::string> kinds;
  for (const VerifyFailure& failure : report.failures) kinds.insert(failure.kind);
  return kinds;
}

TEST_CASE("a kernel that the machine could not compile is unknown, not rejected") {
  const std::string before = std::getenv("HEDDLE_CACHE_DIR") ? std::getenv("HEDDLE_CACHE_DIR") : "";
  setenv("HEDDLE_CACHE_DIR", "/dev/null/cache", 1);
  const VerifyReport report = verify_text(first_order_files());
  before.empty() ? unsetenv("HEDDLE_CACHE_DIR") : setenv("HEDDLE_CACHE_DIR", before.c_str(), 1);
  INFO(explain(report));
  CHECK(report.verdict == KernelVerdict::kUnknown);
  CHECK(report.failures.empty());
}

TEST_CASE("a correct kernel is verified, with every obligation met and counted") {
  const VerifyReport report = verify_text(first_order_files());
  INFO(explain(report));
  CHECK(report.verdict == KernelVerdict::kVerified);
  CHECK(report.failures.empty());
  CHECK(report.obligations.size() >= 22);
  REQUIRE(report.profiles.size() == 2);
  const KernelProfile& prefill = report.profiles[1];
  CHECK(prefill.op == "prefill");
  CHECK(prefill.tokens == 257);
  // Each of q, k, x is read once and y is written once, besides the state.
  CHECK(prefill.minimum_bytes == 4 * 257 * 8 * 4);
  CHECK(prefill.global_bytes_read >= 3 * 257 * 8 * 4);
  CHECK(prefill.global_bytes_written >= 257 * 8 * 4);
  CHECK(prefill.barriers == 2 * 257);
  CHECK(prefill.sectors_per_request >= 1.0);

  const auto json = nlohmann::json::parse(verify_json(report));
  CHECK(json["verdict"] == "verified");
  CHECK(json["obligations"].size() == report.obligations.size());
  CHECK(json["failures"].empty());
  const auto profile = nlohmann::json::parse(profile_json(report));
  CHECK(profile["kernels"][1]["barriers"] == 514);
  // Two barriers a token: before the first, behind either one; all that was counted lies in these.
  REQUIRE(prefill.phases.size() == 3);
  std::int64_t read = 0, barriers = 0, sectors = 0;
  for (const ProfilePhase& phase : prefill.phases) {
    read += phase.global_bytes_read;
    barriers += phase.barriers;
    sectors += phase.sectors;
  }
  CHECK(read == prefill.global_bytes_read);
  CHECK(barriers == prefill.barriers);
  CHECK(sectors == prefill.sectors);
  CHECK(prefill.phases[1].from.rfind("first_order.cu:", 0) == 0);
  CHECK(profile["kernels"][1]["phases"].size() == 3);
}

TEST_CASE("rooflines are the larger of memory and arithmetic, for cuda kernels") {
  KernelProfile profile;
  profile.batch = 2;
  profile.heads = 3;
  profile.minimum_bytes = 6 * 4'800'000;  // a microsecond of an H200 for each head
  profile.definition_flops = 6 * 1000;
  profile.sectors = 6 * 300'000;    // two
  profile.flops = 6 * 201'000'000;  // three
  const std::vector<Roofline> lines = rooflines(profile);
  const auto h200 = std::find_if(lines.begin(), lines.end(),
                                 [](const Roofline& l) { return std::string(l.gpu) == "H200"; });
  REQUIRE(h200 != lines.end());
  CHECK(h200->floor_us == Approx(1.0));
  CHECK(h200->floor_by_memory);
  CHECK(h200->counted_us == Approx(3.0));
  CHECK_FALSE(h200->counted_by_memory);
  profile.cuda = false;
  CHECK(rooflines(profile).empty());
}

TEST_CASE("the report is the same on every run, whatever the threads") {
  VerifyOptions one = quick();
  one.threads = 1;
  VerifyOptions three = quick();
  three.threads = 3;
  const Manifest manifest = first_order_manifest();
  const auto first = verify(manifest, first_order_files(), first_order_rows(), one);
  const auto second = verify(manifest, first_order_files(), first_order_rows(), three);
  CHECK(verify_json(first) == verify_json(second));
  CHECK(profile_json(first) == profile_json(second));
}

struct Edit {
  const char* what;
  const char* from;
  const char* to;
  const char* kind;  // one of the failures must be of this kind
};

TEST_CASE("a kernel has no other files to include than its loader gives it") {
  Manifest manifest = first_order_manifest();
  auto files = first_order_files();
  files["first_order.cu"] = "#include \"nothing.hpp\"\n" + files.at("first_order.cu");
  files["nothing.hpp"] = "// nothing\n";
  const VerifyReport beside = verify(manifest, files, first_order_rows(), quick());
  CHECK(beside.verdict == KernelVerdict::kRejected);
  CHECK(kinds_of(beside) == std::set<std::string>{"compile_error"});
  manifest.includes = {{"nothing.hpp", sha256_hex(files.at("nothing.hpp"))}};
  CHECK(verify(manifest, files, first_order_rows(), quick()).verdict == KernelVerdict::kVerified);
  files.erase("nothing.hpp");
  CHECK(verify(manifest, files, first_order_rows(), quick()).verdict != KernelVerdict::kVerified);
}

TEST_CASE("every small edit of the text is rejected for its reason") {
  const std::vector<Edit> edits = {
      {"a missing barrier after the products", "__syncthreads();  // products complete\n", "\n",
       "race_shared"},
      {"a missing barrier before the next products", "__syncthreads();  // products read\n", "\n",
       "race_shared"},
      {"a missing barrier in decode", "__syncthreads();  // products complete, positions read\n",
       "\n", "race_shared"},
      {"a barrier in divergent flow", "__syncthreads();  // products read",
       "if (c < 4) __syncthreads();", "barrier_divergence"},
      {"one token too few", "for (int t = 0; t < tokens; ++t)",
       "for (int t = 0; t < tokens - 1; ++t)", "unwritten"},
      {"one token too many", "t < tokens; ++t", "t <= tokens; ++t", "out_of_bounds"},
      {"a sum that misses a channel", "int e = 0; e < HEAD_DIM", "int e = 1; e < HEAD_DIM",
       "wrong_result"},
      {"a sum that goes one too far", "e < HEAD_DIM; ++e", "e <= HEAD_DIM; ++e", "out_of_bounds"},
      {"a dropped scale", "s_b = scale * sum_of(product_b);\n    __syncthreads",
       "s_b = sum_of(product_b);\n    __syncthreads", "wrong_result"},
      {"swapped weights", "weight_a * x + weight_b * before", "weight_b * x + weight_a * before",
       "wrong_result"},
      {"gamma forgotten on one side", "weight_b = gamma * expf", "weight_b = 0.5f * expf",
       "wrong_result"},
      {"a maximum that is not subtracted", "const float largest = fmaxf(s_a, s_b);",
       "const float largest = 0.0f;", "wrong_result"},
      {"a normaliser that misses a term", "/ (weight_a + weight_b)", "/ weight_a", "wrong_result"},
      {"the old value in place of the new", "y[at] = y_before;", "y[at] = x[at];", "wrong_result"},
      {"a stale key", "key_before = k[at];", "key_before = q[at];", "wrong_result"},
      {"heads mixed up", "const int h = blockIdx.x % heads;", "const int h = 0;", "unwritten"},
      {"batches mixed up", "b * tokens + t", "t", "race_global"},
      {"an output written twice", "y[at] = y_before;", "y[at] = 0.0f; y[at] = y_before;",
       "write_twice"},
      {"the state of the last token but one", "final_b_val[at] = y_before;",
       "final_b_val[at] = key_before;", "wrong_state"},
      {"a position off by one", "slot == 0 ? start + tokens : 0",
       "slot == 0 ? start + tokens - 1 : 0", "wrong_state"},
      {"free slots that claim a token", "start + tokens : 0", "start + tokens : 1", "wrong_state"},
      {"an initial state that is ignored", "slot < slots_b && start > 0", "slot < 0 && start > 0",
       "wrong_result"},
      {"an initial state searched under the wrong token", "== start) {", "== start + 1) {",
       "wrong_result"},
      {"a slot searched without looking", ") slot = s;", ") slot = 0;", "uninitialised_read"},
      {"a cache that keeps the old value", "cache_b_val[held] = next;", "", "wrong_state"},
      {"a cache that keeps the old key", "cache_b_key[held] = k[at];", "", "wrong_state"},
      {"a position that all threads write", "if (c == 0) cache_b_pos", "cache_b_pos",
       "race_global"},
      {"a write to an input", "y[at] = next;", "y[at] = next; ((float*)x)[at] = next;",
       "write_to_readonly"},
      {"a loop without end", "++t) {\n    const int at", ") {\n    const int at", "hang"},
      {"text that does not compile", "float sum = 0.0f;", "float sum = 0.0f", "compile_error"},
      {"another symbol", "void first_order_decode(", "void first_order_decoded(", "compile_error"},
  };
  for (const Edit& edit : edits) {
    std::string text = test::kFirstOrderText;
    const std::size_t at = text.find(edit.from);
    REQUIRE(at != std::string::npos);
    text.replace(at, std::string(edit.from).size(), edit.to);
    const VerifyReport report = verify_text({{"first_order.cu", text}});
    INFO(edit.what << "\n" << explain(report));
    CHECK(report.verdict == KernelVerdict::kRejected);
    CHECK(kinds_of(report).count(edit.kind) == 1);
  }
}

TEST_CASE("a cache layout that is wrong is rejected by counting") {
  Manifest manifest = first_order_manifest();
  SECTION("a slot to spare") { manifest.cache_b.steps = {{1, 2}}; }
  SECTION("one slot fewer") { manifest.cache_b.steps = {{2, 1}}; }
  SECTION("nothing kept") { manifest.cache_b = {}; }
  const VerifyReport report = verify(manifest, first_order_files(), first_order_rows(), quick());
  INFO(explain(report));
  CHECK(report.verdict == KernelVerdict::kRejected);
  CHECK(kinds_of(report).count("cache_layout") == 1);
}

TEST_CASE("other rows than the pattern's are noticed") {
  const VerifyReport report =
      verify(first_order_manifest(), first_order_files(),
             test::rows_of(300, test::diagonal,
                           [](std::int64_t i) {
                             return IntervalList{{i - 2, i - 2 >= 1 ? i - 2 : i - 3}};
                           }),
             quick());
  CHECK(report.verdict == KernelVerdict::kRejected);
  CHECK(kinds_of(report).count("wrong_result") == 1);
}

TEST_CASE("what was not run is never verified") {
  Manifest manifest = first_order_manifest();
  SECTION("no kernels at all") {
    manifest.kernels.clear();
    CHECK(verify(manifest, first_order_files(), first_order_rows(), quick()).verdict ==
          KernelVerdict::kUnknown);
  }
  SECTION("an operation nobody checks") {
    manifest.kernels[0].op = "transpose";
    CHECK(verify(manifest, first_order_files(), first_order_rows(), quick()).verdict ==
          KernelVerdict::kUnknown);
  }
  SECTION("weights without a reference") {
    manifest.weights = "bilinear";
    CHECK(verify(manifest, first_order_files(), first_order_rows(), quick()).verdict ==
          KernelVerdict::kUnknown);
  }
  SECTION("no work allowed") {
    VerifyOptions options = quick();
    options.work_budget = 0;
    const VerifyReport report = verify(manifest, first_order_files(), first_order_rows(), options);
    CHECK(report.verdict == KernelVerdict::kUnknown);
    CHECK(report.failures.empty());
  }
  SECTION("long lengths beyond the bound are named") {
    VerifyOptions options = quick();
    options.sizes = {1, 2, 63, 257};
    options.work_budget = 175'000;
    const VerifyReport report = verify(manifest, first_order_files(), first_order_rows(), options);
    INFO(explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
    const bool named = std::any_of(
        report.obligations.begin(), report.obligations.end(), [](const VerifyObligation& o) {
          return o.method.find("beyond the work bound: 257") != std::string::npos;
        });
    CHECK(named);
  }
}

TEST_CASE("a manifest that does not fit the kernel is rejected") {
  Manifest manifest = first_order_manifest();
  SECTION("an argument missing") { manifest.kernels[0].arguments.pop_back(); }
  SECTION("an unknown buffer") { manifest.kernels[0].arguments[0].name = "queries"; }
  SECTION("another type") { manifest.kernels[0].arguments[0].type = ElementType::kBF16; }
  SECTION("another shape") { manifest.kernels[0].arguments[0].shape = {"batch", "heads", "8"}; }
  const VerifyReport report = verify(manifest, first_order_files(), first_order_rows(), quick());
  INFO(explain(report));
  CHECK(report.verdict != KernelVerdict::kVerified);
}

}  // namespace
}  // namespace heddle
