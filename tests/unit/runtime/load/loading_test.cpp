// SPDX-License-Identifier: Apache-2.0
// The engine room: programs, compiled text, artifacts from a folder, and the refusals that keep a
// launch from touching memory it should not.
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

#include "patterns/sha256.hpp"
#include "runtime/load/cuda_driver.hpp"
#include "runtime/load/host_compiler.hpp"
#include "runtime/load/kernel.hpp"
#include "runtime/load/launch_check.hpp"
#include "runtime/load/nvrtc.hpp"
#include "runtime/load/shared_object.hpp"
#include "runtime/load/subprocess.hpp"
#include "runtime/load/user_cache.hpp"
#include "runtime/load/worker_pool.hpp"
#include "tests/catch.hpp"
#include "tests/unit/runtime/load/scale_artifact.hpp"

using namespace heddle;
namespace fs = std::filesystem;

namespace {

std::string why_not(const fs::path& folder, const LoadOptions& options = {}) {
  const auto artifact = KernelArtifact::load(folder, options);
  REQUIRE_FALSE(artifact.ok());
  return artifact.error().message;
}

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("programs run without a shell and within their limit") {
  const auto echo = run_process({"printf", "%s", "$HOME; `id` \"x\""});
  REQUIRE(echo.ok());
  CHECK(echo->out == "$HOME; `id` \"x\"");
  CHECK(run_process({"sh", "-c", "echo no >&2; exit 3"})->exit_code == 3);
  CHECK(run_process({"sh", "-c", "echo no >&2; exit 3"})->err == "no\n");
  CHECK_FALSE(run_process({"heddle-has-no-such-program"}).ok());
  ProcessOptions options;
  options.limit = std::chrono::seconds(1);
  CHECK(mentions(run_process({"sleep", "30"}, options).error().message, "within 1 s"));
  // More than a pipe holds, on both streams.
  const auto flood =
      run_process({"sh", "-c", "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2"});
  REQUIRE(flood.ok());
  CHECK(flood->out.size() == 300000);
  CHECK(flood->err.size() == 300000);
}

TEST_CASE("text becomes a shared object once, and errors come back in the compiler's words") {
  const TemporaryFolder folder;
  const char* const before = std::getenv("HEDDLE_CACHE_DIR");
  const std::string kept = before != nullptr ? before : "";
  setenv("HEDDLE_CACHE_DIR", folder.path().c_str(), 1);
  const auto compiler = HostCompiler::find();
  REQUIRE(compiler.ok());
  CompileRequest request;
  request.files = {{"f.cpp", "#include \"value.hpp\"\nextern \"C\" int f() { return ++kValue; }"},
                   {"value.hpp", "static int kValue = 41;"}};
  request.sources = {"f.cpp"};
  const auto path = compiler->shared_object(request);
  if (!path) FAIL(path.error().message);
  CHECK(*compiler->shared_object(request) == *path);
  auto object = SharedObject::open_private_copy(*path);
  auto other = SharedObject::open_private_copy(*path);
  REQUIRE(object.ok());
  REQUIRE(other.ok());
  CHECK(object->function<int()>("f")() == 42);
  CHECK(object->function<int()>("f")() == 43);
  CHECK(other->function<int()>("f")() == 42);  // a copy has its own variables
  CHECK(object->address_of("g") == nullptr);

  request.files["value.hpp"] = "static int kValue = 1;";
  CHECK(*compiler->shared_object(request) != *path);
  request.files["value.hpp"] = "static int kValue = \"one\";";
  const auto broken = compiler->shared_object(request);
  REQUIRE_FALSE(broken.ok());
  CHECK(mentions(broken.error().message, "value.hpp:1"));
  request.files["../outside"] = "";
  CHECK_FALSE(compiler->shared_object(request).ok());
  const std::string bytes("a\nb\0c", 5);
  CHECK_FALSE(kept_bytes("things", "key").has_value());
  CHECK(keep_bytes("things", "key", bytes));
  CHECK(kept_bytes("things", "key") == bytes);
  CHECK_FALSE(kept_bytes("things", "another key").has_value());
  CHECK_FALSE(kept_bytes("other things", "key").has_value());
  CHECK(std::distance(fs::directory_iterator(folder.path() / "things"), {}) == 1);
  for (const auto& entry : fs::directory_iterator(folder.path() / "things")) {
    fs::resize_file(entry.path(), entry.file_size() - 1);
  }
  CHECK_FALSE(kept_bytes("things", "key").has_value());  // cut short
  setenv("HEDDLE_CACHE_DIR", "/dev/null/cache", 1);
  CHECK_FALSE(keep_bytes("things", "key", bytes));
  CHECK_FALSE(kept_bytes("things", "key").has_value());
  // Nothing is left lying about: the finished objects and no scratch folders.
  for (const auto& entry : fs::directory_iterator(folder.path() / "host")) {
    CHECK(entry.path().extension() == ".so");
  }
  if (before != nullptr) {
    setenv("HEDDLE_CACHE_DIR", kept.c_str(), 1);
  } else {
    unsetenv("HEDDLE_CACHE_DIR");
  }
}

TEST_CASE("a pool calls every part once a round") {
  WorkerPool pool(4);
  REQUIRE(pool.threads() == 4);
  for (int round = 0; round < 200; ++round) {
    std::array<std::atomic<int>, 4> calls{};
    pool.run([&](int part) { ++calls[static_cast<std::size_t>(part)]; });
    for (const auto& count : calls) REQUIRE(count == 1);
  }
}

TEST_CASE("an artifact folder is loaded and launched") {
  const TemporaryFolder folder;
  write_artifact(folder.path(), scale_manifest());
  const auto artifact = KernelArtifact::load(folder.path());
  if (!artifact) FAIL(artifact.error().message);
  std::vector<float> x(2 * 5 * 3 * 4), y(x.size(), -1.0F);
  std::iota(x.begin(), x.end(), 0.0F);
  LaunchValues values;
  values.sizes = {{"batch", 2}, {"tokens", 5}, {"heads", 3}};
  values.scalars = {{"gamma", 0.5F}};
  values.buffers = {{"x", {x.data(), x.size() * 4, ElementType::kF32}},
                    {"y", {y.data(), y.size() * 4, ElementType::kF32}}};
  const auto failure = artifact->launch("prefill", values);
  CHECK_FALSE(failure.has_value());
  for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(y[i] == 0.5F * x[i]);

  const auto refused = [&](const LaunchValues& wrong) {
    const auto error = artifact->launch("prefill", wrong);
    REQUIRE(error.has_value());
    return error->message;
  };
  CHECK(mentions(artifact->launch("backward", values)->message, "no kernel"));
  LaunchValues wrong = values;
  wrong.buffers["y"].bytes -= 1;
  CHECK(mentions(refused(wrong), "has 479 bytes, the sizes ask for 480"));
  wrong = values;
  wrong.sizes["tokens"] = 6;
  CHECK(mentions(refused(wrong), "\"x\""));
  wrong = values;
  wrong.buffers["x"].type = ElementType::kBF16;
  CHECK(mentions(refused(wrong), "holds bf16"));
  wrong = values;
  wrong.buffers["x"].data = reinterpret_cast<char*>(x.data()) + 1;
  CHECK(mentions(refused(wrong), "not aligned"));
  wrong = values;
  wrong.buffers.erase("y");
  CHECK(mentions(refused(wrong), "\"y\" is not given"));
  wrong = values;
  wrong.scalars.clear();
  CHECK(mentions(refused(wrong), "gamma"));
  wrong = values;
  wrong.sizes["head_dim"] = 8;
  CHECK(mentions(refused(wrong), "made for head_dim = 4"));
  wrong = values;
  wrong.sizes["batch"] = -1;
  CHECK(mentions(refused(wrong), "batch"));
  wrong = values;
  wrong.sizes["batch"] = wrong.sizes["tokens"] = wrong.sizes["heads"] = 2147483647;
  CHECK(mentions(refused(wrong), "more memory"));
}

TEST_CASE("a sequence whose rows have no numbers is refused") {
  const Manifest manifest = scale_manifest();
  KernelEntry entry = manifest.kernels[0];
  entry.arguments.push_back({"start", ArgumentKind::kSize});
  std::vector<float> x(4), y(4);
  LaunchValues values;
  values.sizes = {{"batch", 1}, {"tokens", 1}, {"heads", 1}, {"start", 2147483646}};
  values.scalars = {{"gamma", 0.5F}};
  values.buffers = {{"x", {x.data(), x.size() * 4, ElementType::kF32}},
                    {"y", {y.data(), y.size() * 4, ElementType::kF32}}};
  CHECK(check_launch(manifest, entry, values).ok());
  values.sizes["start"] = 2147483647;
  const Result<CheckedLaunch> launch = check_launch(manifest, entry, values);
  REQUIRE_FALSE(launch.ok());
  CHECK(mentions(launch.error().message, "at most 2147483647 tokens"));
}

TEST_CASE("coefficients with fewer columns than rows may have entries are refused") {
  Manifest manifest = scale_manifest();
  manifest.weights = "given";
  EntryCount squares;
  squares.polynomial = {1, 0, 1};  // at distances 1, 2, 5, 10, ...
  manifest.width_b.parts = {squares};
  KernelEntry entry = manifest.kernels[0];
  entry.arguments.push_back({"width_b", ArgumentKind::kSize});
  entry.arguments.push_back({"start", ArgumentKind::kSize});
  std::vector<float> x(4 * 6), y(x.size());
  LaunchValues values;
  values.sizes = {{"batch", 1}, {"tokens", 6}, {"heads", 1}, {"start", 0}, {"width_b", 3}};
  values.scalars = {{"gamma", 0.5F}};
  values.buffers = {{"x", {x.data(), x.size() * 4, ElementType::kF32}},
                    {"y", {y.data(), y.size() * 4, ElementType::kF32}}};
  CHECK(check_launch(manifest, entry, values).ok());
  const auto refused = [&] {
    const Result<CheckedLaunch> launch = check_launch(manifest, entry, values);
    REQUIRE_FALSE(launch.ok());
    return launch.error().message;
  };
  values.sizes["width_b"] = 2;
  CHECK(refused() == "coefficients of a sequence of 6 tokens need width_b >= 3, and 2 is given");
  // Tokens before count as well.
  values.sizes["width_b"] = 3;
  values.sizes["start"] = 4;
  CHECK(check_launch(manifest, entry, values).ok());
  values.sizes["start"] = 5;
  CHECK(mentions(refused(), "11 tokens need width_b >= 4"));
  // Decode is one token after `start`.
  entry.op = "decode";
  values.sizes["start"] = 9;
  CHECK(check_launch(manifest, entry, values).ok());
  values.sizes["start"] = 10;
  CHECK(mentions(refused(), "11 tokens need width_b >= 4"));
  // Counted widths end somewhere, and none at all bound nothing.
  manifest.width_b = {{}, {{1, 1}}, 8};
  CHECK(mentions(refused(), "up to 8 tokens"));
  manifest.width_b = {};
  CHECK(mentions(refused(), "does not say"));
}

TEST_CASE("an artifact that is not what it says is refused") {
  const TemporaryFolder folder;
  Manifest manifest = scale_manifest();
  manifest.verdict = "unverified";
  write_artifact(folder.path(), manifest);
  CHECK(mentions(why_not(folder.path()), "not verified"));
  LoadOptions trusting;
  trusting.allow_unverified = true;
  CHECK(KernelArtifact::load(folder.path(), trusting).ok());

  // The header that the kernel includes is part of what was verified.
  write(folder.path() / "scale.hpp", "inline float scaled(float x, float by) { return x + by; }\n");
  CHECK(mentions(why_not(folder.path(), trusting), "\"scale.hpp\" is not the file"));
  fs::remove(folder.path() / "scale.hpp");
  CHECK(mentions(why_not(folder.path(), trusting), "lacks the file \"scale.hpp\""));
  write(folder.path() / "scale.hpp", kScaleHeader);
  manifest.includes.clear();  // a header without a digest is not there for the kernel
  write(folder.path() / "manifest.json", to_json(manifest));
  CHECK(mentions(why_not(folder.path(), trusting), "scale.hpp"));
  write_artifact(folder.path(), scale_manifest());

  manifest = scale_manifest();
  manifest.causality = Causality::kChecked;
  write(folder.path() / "manifest.json", to_json(manifest));
  CHECK(mentions(why_not(folder.path()), "causality is not proved"));
  write_artifact(folder.path(), scale_manifest());

  write(folder.path() / "scale.cpp", std::string(kScaleText) + " ");
  CHECK(mentions(why_not(folder.path(), trusting), "not the file"));
  fs::remove(folder.path() / "scale.cpp");
  CHECK(mentions(why_not(folder.path(), trusting), "lacks the file"));
  fs::remove(folder.path() / "manifest.json");
  CHECK(mentions(why_not(folder.path(), trusting), "cannot read"));

  manifest = scale_manifest();
  manifest.kernels[0].arguments.pop_back();  // one less than the function has
  write_artifact(folder.path(), manifest);
  CHECK(mentions(why_not(folder.path()), "does not take the arguments"));
  manifest = scale_manifest();
  std::swap(manifest.kernels[0].arguments[0].access, manifest.kernels[0].arguments[1].access);
  write_artifact(folder.path(), manifest);
  CHECK(mentions(why_not(folder.path()), "does not take the arguments"));
}

TEST_CASE("CUDA text is compiled without a GPU where the toolkit is") {
  const auto compiler = Nvrtc::open();
  if (!compiler) {
    CHECK(mentions(compiler.error().message, "NVRTC"));
    return;
  }
  const std::string text = R"(#include "twice.cuh"
extern "C" __global__ void k(const float* x, float* y) {
  __shared__ float tile[64];
  tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = twice(tile[63 - threadIdx.x]);
})";
  const std::map<std::string, std::string> includes = {
      {"twice.cuh", "__device__ inline float twice(float v) { return 2 * v; }\n"}};
  for (const char* architecture : {"sm_80", "sm_90", "sm_100"}) {
    INFO(architecture);
    const auto code = compiler->compile("k.cu", text, includes, architecture);
    if (!code) FAIL(code.error().message);
    CHECK(code->cubin.substr(1, 3) == "ELF");
    REQUIRE(code->resources.count("k") == 1);
    CHECK(code->resources.at("k").registers > 0);
    CHECK(code->resources.at("k").spill_stores == 0);
    CHECK(code->resources.at("k").shared_bytes == 256);
  }
  const auto broken = compiler->compile("k.cu", "nonsense", {}, "sm_90");
  REQUIRE_FALSE(broken.ok());
  CHECK(mentions(broken.error().message, "k.cu"));
}

TEST_CASE("the assembler's report is read") {
  const auto resources = parse_resources(
      "ptxas info    : Compiling entry function 'k' for 'sm_90'\n"
      "ptxas info    : Function properties for k\n"
      "    8 bytes stack frame, 16 bytes spill stores, 24 bytes spill loads\n"
      "ptxas info    : Used 40 registers, used 1 barriers, 5120 bytes smem, 400 bytes cmem[0]\n");
  REQUIRE(resources.count("k") == 1);
  CHECK(resources.at("k").registers == 40);
  CHECK(resources.at("k").stack_bytes == 8);
  CHECK(resources.at("k").spill_stores == 16);
  CHECK(resources.at("k").spill_loads == 24);
  CHECK(resources.at("k").shared_bytes == 5120);
}

TEST_CASE("a machine without a device says so, one with a device computes") {
  const auto driver = CudaDriver::open();
  if (!driver) {
    CHECK(mentions(driver.error().message, "CUDA"));
    return;
  }
  auto memory = driver->allocate(16);
  REQUIRE(memory.ok());
  const int sent[4] = {1, 2, 3, 4};
  int received[4] = {};
  CHECK_FALSE(memory->upload(sent, sizeof sent).has_value());
  CHECK_FALSE(memory->download(received, sizeof received).has_value());
  CHECK(std::equal(std::begin(sent), std::end(sent), std::begin(received)));
}
