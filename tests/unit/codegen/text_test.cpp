// SPDX-License-Identifier: Apache-2.0
// The generated texts themselves: a few are kept whole in tests/golden/codegen, all are the same on
// every run, their manifests read back, and the CUDA ones compile where nvcc is at hand.
// HEDDLE_UPDATE_GOLDEN=1 rewrites the golden files.
#include <stdlib.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "codegen/architecture.hpp"
#include "patterns/sha256.hpp"
#include "tests/catch.hpp"
#include "tests/unit/codegen/kernel_harness.hpp"

namespace heddle::test {
namespace {

GenerateOptions options_for(ir::Target target, ElementType dtype, int head_dim) {
  GenerateOptions options;
  options.target = target;
  options.dtype = dtype;
  options.head_dim = head_dim;
  options.exact_to = 512;
  return options;
}

void check_golden(const std::string& name, const std::string& text) {
  const std::filesystem::path path = std::filesystem::path(HEDDLE_GOLDEN_DIR) / name;
  if (std::getenv("HEDDLE_UPDATE_GOLDEN") != nullptr) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return;
  }
  std::ifstream file(path);
  INFO(path << " is missing; HEDDLE_UPDATE_GOLDEN=1 writes it");
  REQUIRE(file.good());
  const std::string golden{std::istreambuf_iterator<char>(file), {}};
  INFO(name);
  CHECK(text == golden);
}

}  // namespace

TEST_CASE("golden kernel texts") {
  const auto check = [](const std::string& pattern, ir::Target target, ElementType dtype,
                        const std::string& op, std::optional<WeightKind> weights = {},
                        const char* schedule = "simple") {
    GenerateOptions options = options_for(target, dtype, 64);
    options.weights = weights;
    options.ops = {op};
    options.schedule = schedule;
    options.plan_heads = 1;
    const Artifact artifact = artifact_of(builtin(pattern), options);
    for (const KernelEntry& kernel : artifact.manifest.kernels) {
      for (const KernelEntry* const launched : launches_of(kernel)) {
        check_golden(launched->file, artifact.files.at(launched->file));
      }
    }
  };
  check("sqrt_cached", ir::Target::kCuda, ElementType::kBF16, "prefill");
  check("sqrt_cached", ir::Target::kCuda, ElementType::kBF16, "decode");
  check("log_recurrence", ir::Target::kCpu, ElementType::kF32, "prefill", WeightKind::kGiven);
  check("strided_attention", ir::Target::kCpu, ElementType::kF32, "decode");
  check("linear_attention", ir::Target::kCuda, ElementType::kF32, "prefill");
  check("linear_recurrence", ir::Target::kCuda, ElementType::kF32, "prefill", WeightKind::kGated);
  check("linear_recurrence", ir::Target::kCuda, ElementType::kF32, "prefill", WeightKind::kGiven,
        "scan");
  check("linear_recurrence", ir::Target::kCpu, ElementType::kF32, "backward", WeightKind::kGated);
  check("log_cached", ir::Target::kCuda, ElementType::kBF16, "backward");
  check("order_k_recurrence", ir::Target::kCuda, ElementType::kF16, "prefill", WeightKind::kGiven);
  check("attention", ir::Target::kCuda, ElementType::kBF16, "prefill", {}, "auto");
  check("dense_recurrence", ir::Target::kCuda, ElementType::kBF16, "prefill", {}, "auto");
  check("log_cached", ir::Target::kCuda, ElementType::kBF16, "prefill", {}, "auto");
  check("log_recurrence", ir::Target::kCpu, ElementType::kF32, "backward", WeightKind::kGiven);
  check("chacal", ir::Target::kCpu, ElementType::kBF16, "backward");
}

TEST_CASE("an artifact is complete, repeatable, and its manifest reads back") {
  for (const ir::Target target : {ir::Target::kCuda, ir::Target::kCpu}) {
    const GenerateOptions options = options_for(target, ElementType::kBF16, 48);
    const Artifact artifact = artifact_of(builtin("chacal"), options);
    CHECK(artifact.files == artifact_of(builtin("chacal"), options).files);
    const Result<Manifest> manifest = parse_manifest(artifact.files.at("manifest.json"));
    REQUIRE(manifest.ok());
    CHECK(manifest->verdict == "unverified");
    REQUIRE(manifest->kernels.size() == 2);
    for (const KernelEntry& kernel : manifest->kernels) {
      CHECK(sha256_hex(artifact.files.at(kernel.file)) == kernel.sha256);
    }
  }
}

TEST_CASE("the header of a CPU artifact declares what its files define") {
  char path[] = "/tmp/heddle-header-test-XXXXXX";
  REQUIRE(mkdtemp(path) != nullptr);
  const std::filesystem::path directory = path;
  const Artifact artifact = artifact_of(builtin("local_attention"),
                                        options_for(ir::Target::kCpu, ElementType::kBF16, 16));
  for (const auto& [name, text] : artifact.files) std::ofstream(directory / name) << text;
  std::ofstream use(directory / "use.cpp");
  // A definition that differs from an earlier extern "C" declaration does not compile.
  use << "#include \"local_attention.hpp\"\n";
  for (const KernelEntry& kernel : artifact.manifest.kernels) {
    use << "#include \"" << kernel.file << "\"\n";
  }
  use << "static_assert(sizeof(&local_attention_decode) > 0);\n"
         "int slots() { return local_attention_slots_a(100); }\n";
  use.close();
  const std::string command = "cd " + directory.string() +
                              " && g++ -std=c++17 -Wall -Wextra -Werror -Wno-unused-parameter "
                              "-fsyntax-only use.cpp";
  CHECK(std::system(command.c_str()) == 0);
  std::filesystem::remove_all(directory);
}

TEST_CASE("slots are the most that any shorter sequence keeps") {
  GenerateOptions options = options_for(ir::Target::kCpu, ElementType::kF32, 64);
  options.exact_to = 600;
  for (const char* name : {"log_cached", "sqrt_cached", "fibonacci_cached", "local_attention"}) {
    const Pattern pattern = builtin(name);
    const Artifact artifact = artifact_of(pattern, options);
    const Evaluator evaluator(pattern);
    for (const Side side : {Side::kA, Side::kB}) {
      const CacheLayout& layout =
          side == Side::kA ? artifact.manifest.cache_a : artifact.manifest.cache_b;
      if (layout.retention != CacheRetention::kNextRow) continue;
      std::int64_t most = 0;
      for (int n = 1; n <= 600; ++n) {
        const IntervalList next = evaluator.row(side, n + 1)->positions;
        most = std::max(most, count_of(intersection_of(next, {{1, n}})));
        INFO(name << ", " << n << " tokens");
        CHECK(*layout.slots(n) == most);
      }
      CHECK_FALSE(layout.slots(601).ok());
    }
  }
  // The published size of the live set after 1024 tokens; nothing shorter needs more.
  options.exact_to = 1024;
  CHECK(*artifact_of(builtin("log_cached"), options).manifest.cache_b.slots(1024) == 11);
}

TEST_CASE("what has no schedule is refused") {
  const Pattern pattern = builtin("sqrt_cached");
  const auto refuses = [&](GenerateOptions options, const std::string& because) {
    const Result<Artifact> artifact = generate(pattern, options);
    REQUIRE_FALSE(artifact.ok());
    CHECK(artifact.error().message.find(because) != std::string::npos);
  };
  GenerateOptions options;
  options.head_dim = 257;
  refuses(options, "1..256");
  options = {};
  options.ops = {"sideways"};
  refuses(options, "no schedule for the operation 'sideways'");
  options = {};
  options.weights = WeightKind::kGated;
  options.schedule = "tensor";
  refuses(options, "gated weights have no schedule on tensor cores");
  options = {};
  options.weights = WeightKind::kLinear;
  refuses(options, "a state of 1..256 rows");
  options.state_dim = 8;
  options.varlen = true;
  refuses(options, "sequences of one length");
  options = {};
  options.target = ir::Target::kCuda;
  options.weights = WeightKind::kGiven;
  options.schedule = "scan";
  refuses(options, "A = diagonal, B = { i - 1 : i >= 2 }");
  const Result<Artifact> outside =
      generate(pattern_of("pattern p {\n A = diagonal\n B = { i - 3 }\n}\n"), {});
  REQUIRE_FALSE(outside.ok());
  CHECK(outside.error().message.find("row 1 of B reads position -2") != std::string::npos);
}

TEST_CASE("the cost model chooses the schedule of prefill on cuda, and says why") {
  struct Case {
    const char* pattern;
    ElementType dtype;
    int head_dim;
    const char* asked;
    const char* schedule;
    const char* remark;
  };
  for (const Case& one : {
           Case{"log_cached", ElementType::kF32, 64, "auto", "staged", "simple comes to"},
           Case{"log_cached", ElementType::kF32, 64, "simple", "simple", ""},
           Case{"log_cached", ElementType::kF16, 64, "auto", "tensor", "staged comes to"},
           Case{"sqrt_cached", ElementType::kBF16, 128, "auto", "tensor", "staged comes to"},
           Case{"log_cached", ElementType::kF16, 64, "staged", "staged", "tensor comes to"},
           Case{"log_cached", ElementType::kBF16, 32, "auto", "staged", "64 or 128 channels"},
           Case{"attention", ElementType::kBF16, 64, "auto", "tensor", "staged comes to"},
           Case{"attention", ElementType::kF16, 128, "auto", "tensor", "staged comes to"},
           Case{"attention", ElementType::kBF16, 64, "staged", "staged", "tensor comes to"},
           Case{"attention", ElementType::kBF16, 80, "tensor", "staged", "64, 128 or 256 channels"},
           Case{"attention", ElementType::kF32, 64, "auto", "staged", "bf16 and f16 only"},
           Case{"strided_attention", ElementType::kBF16, 64, "tensor", "staged", "for A = dense"},
           Case{"local_attention", ElementType::kBF16, 64, "auto", "tensor", "staged comes to"},
           Case{"local_attention", ElementType::kF16, 128, "staged", "staged", "tensor comes to"},
           Case{"local_attention", ElementType::kF32, 64, "auto", "staged", "bf16 and f16 only"},
           Case{"dense_recurrence", ElementType::kBF16, 64, "auto", "tensor", "staged comes to"},
           Case{"chacal", ElementType::kF16, 128, "auto", "tensor", "staged comes to"},
           Case{"dense_recurrence", ElementType::kF16, 32, "auto", "staged", "64, 128 or 256"},
           Case{"linear_attention", ElementType::kBF16, 64, "auto", "tensor", "simple comes to"},
           Case{"linear_attention", ElementType::kF32, 64, "auto", "simple", "bf16 and f16 only"},
           Case{"linear_attention", ElementType::kBF16, 40, "tensor", "simple", "whole sixteens"},
           Case{"linear_attention", ElementType::kF16, 256, "auto", "tensor", "simple comes to"},
       }) {
    INFO(one.pattern << ", " << name_of(one.dtype) << ", " << one.head_dim << ", " << one.asked);
    GenerateOptions options = options_for(ir::Target::kCuda, one.dtype, one.head_dim);
    options.schedule = one.asked;
    options.plan_tokens = 512;
    options.ops = {"prefill", "decode"};
    const Artifact artifact = artifact_of(builtin(one.pattern), options);
    const KernelEntry& prefill = artifact.manifest.kernels[0];
    CHECK(prefill.schedule == one.schedule);
    CHECK(prefill.prediction.tokens == 512);
    CHECK(artifact.manifest.kernels[1].schedule == "simple");
    std::string remarks;
    for (const std::string& remark : artifact.remarks) remarks += remark + "\n";
    INFO(remarks);
    CHECK(remarks.empty() == (one.remark[0] == '\0'));
    CHECK(remarks.find(one.remark) != std::string::npos);
    CHECK(remarks.empty() ==
          (remarks.find(std::to_string(prefill.prediction.bytes) + " bytes") == std::string::npos));
  }
  // Sequences with lengths of their own have chunks of their own.
  for (const char* pattern : {"attention", "local_attention"}) {
    GenerateOptions options = options_for(ir::Target::kCuda, ElementType::kBF16, 64);
    options.schedule = "auto";
    options.ops = {"prefill"};
    options.varlen = true;
    const Artifact artifact = artifact_of(builtin(pattern), options);
    CHECK(artifact.manifest.kernels[0].schedule == "tensor");
    CHECK(artifact.manifest.kernels[0].prediction.tokens == 0);
    CHECK(artifact.manifest.format == 3);
    CHECK(artifact.manifest.varlen);
    const Result<Manifest> read = parse_manifest(artifact.files.at("manifest.json"));
    REQUIRE(read.ok());
    CHECK(read->varlen);
  }
  // Few heads leave most of a GPU idle, unless their tokens are cut into chunks, in sequences of
  // any lengths.
  for (const auto& [weights, heads, schedule] :
       {std::tuple{WeightKind::kGiven, 1, "scan"}, std::tuple{WeightKind::kGated, 1, "scan"},
        std::tuple{WeightKind::kGiven, 1024, "staged"},
        std::tuple{WeightKind::kGated, 1024, "staged"}}) {
    INFO(static_cast<int>(weights) << ", " << heads << " heads");
    GenerateOptions options = options_for(ir::Target::kCuda, ElementType::kF32, 64);
    options.schedule = "auto";
    options.ops = {"prefill"};
    options.weights = weights;
    options.plan_heads = heads;
    for (const bool varlen : {false, true}) {
      options.varlen = varlen;
      const Artifact artifact = artifact_of(builtin("linear_recurrence"), options);
      CHECK(artifact.manifest.kernels[0].schedule == schedule);
      CHECK(artifact.manifest.format == (std::string(schedule) == "scan" ? 3 : varlen ? 2 : 1));
      REQUIRE(artifact.remarks.size() == 1);
      CHECK(artifact.remarks[0].find("a scan is expected to take") != std::string::npos);
    }
  }
  // A time is the sum of its parts.
  const Architecture slow{"slow", 0, 1000, 1, 1, 10}, quick{"quick", 0, 1000, 1000, 1, 10};
  CHECK(slow.microseconds(0, 2'500'000, 1'000'000, 0) == Approx(2));
  CHECK(quick.microseconds(1'000'000, 0, 1'000'000'000, 1'000'000) == Approx(3));
  CHECK(slow.share(40) == Approx(0.5));
  CHECK(slow.share(1000) == 1.0);
  CHECK(find_architecture("sm_75") == nullptr);
}

TEST_CASE("CUDA texts compile for the architectures in use") {
  if (std::system("nvcc --version >/dev/null 2>&1") != 0) {
    WARN("nvcc is not installed: CUDA texts were not compiled");
    return;
  }
  char path[] = "/tmp/heddle-nvcc-test-XXXXXX";
  REQUIRE(mkdtemp(path) != nullptr);
  const std::filesystem::path directory = path;
  const auto compile = [&](const std::string& pattern, ElementType dtype, int head_dim,
                           std::optional<WeightKind> weights, const std::string& architecture,
                           const std::string& schedule = "simple") {
    GenerateOptions options = options_for(ir::Target::kCuda, dtype, head_dim);
    options.weights = weights;
    options.schedule = schedule;
    options.plan_tokens = 512;
    const Artifact artifact = artifact_of(builtin(pattern), options);
    std::ofstream all(directory / "all.cu");
    for (const auto& [name, text] : artifact.files) std::ofstream(directory / name) << text;
    for (const KernelEntry& kernel : artifact.manifest.kernels) {
      all << "#include \"" << kernel.file << "\"\n";
    }
    all.close();
    const std::string command = "cd " + directory.string() +
                                " && nvcc -std=c++17 -cubin -arch=" + architecture +
                                " -Werror all-warnings all.cu -o all.cubin";
    INFO(pattern << " for " << architecture);
    CHECK(std::system(command.c_str()) == 0);
  };
  compile("sqrt_cached", ElementType::kBF16, 64, {}, "sm_90");
  compile("chacal", ElementType::kF32, 80, WeightKind::kGiven, "sm_80");
  compile("strided_attention", ElementType::kBF16, 256, {}, "sm_100");
  compile("linear_attention", ElementType::kF32, 64, {}, "sm_90");
  compile("linear_attention", ElementType::kBF16, 64, {}, "sm_90", "tensor");
  compile("attention", ElementType::kF16, 128, {}, "sm_80", "tensor");
  compile("local_attention", ElementType::kF16, 128, {}, "sm_80", "tensor");
  compile("local_attention", ElementType::kBF16, 64, {}, "sm_90", "tensor");
  compile("dense_recurrence", ElementType::kBF16, 128, {}, "sm_80", "tensor");
  compile("log_recurrence", ElementType::kBF16, 64, {}, "sm_90", "staged");
  compile("log_cached", ElementType::kBF16, 80, WeightKind::kGated, "sm_90");
  std::filesystem::remove_all(directory);
}

}  // namespace heddle::test
