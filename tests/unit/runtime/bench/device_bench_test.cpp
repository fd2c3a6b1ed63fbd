// SPDX-License-Identifier: Apache-2.0
// A benchmark on a device, from the artifact to the timed and checked rows. The driver and the
// run-time compiler are fakes of ours; the kernels are the artifact's own, run by the emulator.
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "codegen/generate.hpp"
#include "patterns/sha256.hpp"
#include "runtime/bench/device_launch.hpp"
#include "runtime/bench/launch.hpp"
#include "runtime/emulator/emulated_kernel.hpp"
#include "runtime/load/cuda_driver.hpp"
#include "tests/unit/runtime/bench/fake_cuda.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/verify_artifact.hpp"

namespace heddle {
namespace {

using fake_cuda::device;
using Files = std::map<std::string, std::string>;

// Runs an artifact's kernels out of the memory of the fake device.
class EmulatedKernels {
 public:
  EmulatedKernels(const Manifest& manifest, const Files& files) {
    for (const KernelEntry& op : manifest.kernels) {
      for (const KernelEntry* const entry : launches_of(op)) add(*entry, files);
    }
  }

  fake_cuda::Status run(const fake_cuda::LaunchedKernel& launched) {
    const auto found = kernels_.find(launched.symbol);
    if (found == kernels_.end()) return fake_cuda::kSuccess;  // the empty one
    Kernel& kernel = found->second;
    if (launched.image != kernel.text) return fake_cuda::kInvalidImage;
    if (launched.threads != static_cast<unsigned>(kernel.entry.threads)) {
      return fake_cuda::kInvalidValue;
    }
    emulator::Launch launch;
    launch.blocks = static_cast<int>(launched.blocks);
    launch.threads = kernel.entry.threads;
    launch.check = false;
    for (std::size_t a = 0; a < kernel.entry.arguments.size(); ++a) {
      if (!add(launch, kernel.entry.arguments[a], launched.arguments[a])) {
        return fake_cuda::kIllegalAddress;
      }
    }
    const auto result = kernel.kernel.run(launch);
    return result.ok() && result->completed ? fake_cuda::kSuccess : fake_cuda::kIllegalAddress;
  }

 private:
  void add(const KernelEntry& entry, const Files& files) {
    emulator::KernelText text{entry.file, files.at(entry.file), entry.symbol, {}};
    for (const auto& [name, content] : files) {
      if (name != entry.file) text.includes.emplace(name, content);
    }
    auto built = emulator::EmulatedKernel::build(text);
    if (!built) FAIL(built.error().message);
    kernels_.emplace(entry.symbol, Kernel{entry, text.text, *std::move(built)});
  }

  struct Kernel {
    KernelEntry entry;
    std::string text;
    emulator::EmulatedKernel kernel;
  };

  static bool add(emulator::Launch& launch, const Argument& argument, const void* value) {
    if (argument.kind == ArgumentKind::kSize) {
      std::int32_t size = 0;
      std::memcpy(&size, value, sizeof size);
      launch.arguments.emplace_back(size);
      return true;
    }
    if (argument.kind == ArgumentKind::kScalar) {
      float scalar = 0;
      std::memcpy(&scalar, value, sizeof scalar);
      launch.arguments.emplace_back(scalar);
      return true;
    }
    std::uint64_t address = 0;
    std::memcpy(&address, value, sizeof address);
    if (address == 0) {
      launch.arguments.emplace_back(emulator::NullArgument{});
      return true;
    }
    std::vector<char>* memory = device().allocation(address);
    if (memory == nullptr) return false;
    const Access access = argument.access == Access::kRead ? Access::kRead : Access::kReadWrite;
    launch.arguments.emplace_back(emulator::BufferArgument{launch.buffers.size()});
    launch.buffers.push_back({argument.name, memory->data(), memory->size(), access});
    return true;
  }

  std::map<std::string, Kernel> kernels_;
};

struct Fixture {
  Fixture() {
    device() = {};
    setenv("CUDA_HOME", HEDDLE_FAKE_CUDA_HOME, 1);
    options.tokens = 40;
    options.batch = 2;
    options.heads = 3;
    options.gamma = 0.3F;
    options.input_sets = 3;
    options.budget_seconds = 0.05;
  }
  ~Fixture() {
    // Whatever the case did, everything was given back.
    CHECK(device().memory.empty());
    CHECK(device().modules == 0);
    CHECK(device().events == 0);
    CHECK(device().contexts == 0);
    device() = {};
  }

  // Kernels of `files` on the device; with `emulated` they do something.
  Result<std::shared_ptr<const KernelArtifact>> load(bool emulated = true) {
    for (KernelEntry& entry : manifest.kernels) {
      if (entry.steps.empty()) entry.sha256 = sha256_hex(files.at(entry.file));
    }
    if (emulated) {
      kernels = std::make_shared<EmulatedKernels>(manifest, files);
      device().run = [kernels = kernels](const auto& launched) { return kernels->run(launched); };
    }
    LoadOptions load_options;
    load_options.allow_unverified = true;
    Result<KernelArtifact> loaded = KernelArtifact::load(manifest, files, load_options);
    if (!loaded) return loaded.error();
    return std::make_shared<const KernelArtifact>(*std::move(loaded));
  }

  Result<std::vector<BenchRow>> timed(const std::string& op, bool emulated = true) {
    const auto artifact = load(emulated);
    if (!artifact) return artifact.error();
    const auto on_device = bench_device_of(*artifact, kCopyBytes);
    if (!on_device) return on_device.error();
    for (const KernelEntry& entry : manifest.kernels) {
      if (entry.op != op) continue;
      return bench(manifest, entry, rows, options, device_launches_of(*artifact), &*on_device);
    }
    return Error{"no " + op};
  }

  static constexpr std::size_t kCopyBytes = 4096;
  Manifest manifest = test::first_order_manifest();
  Files files = test::first_order_files();
  Rows rows = test::builtin_rows("linear_recurrence", 41);
  BenchOptions options;
  std::shared_ptr<EmulatedKernels> kernels;
};

bool mentions(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

TEST_CASE_METHOD(Fixture, "a right kernel on a device is timed by the device's clock") {
  for (const char* op : {"prefill", "decode"}) {
    INFO(op);
    const auto result = timed(op);
    if (!result) FAIL(result.error().message);
    REQUIRE(result->size() == 3);
    const BenchRow& ours = result->front();
    INFO(ours.remark);
    REQUIRE(ours.timing.has_value());
    // Exactly a launch: transfers, which cost 1 ms a byte here, lie outside.
    CHECK(ours.timing->median_ms == Approx(0.5));
    CHECK(ours.timing->p10_ms == Approx(0.5));
    CHECK(ours.timing->p90_ms == Approx(0.5));
    CHECK(ours.max_rel_error.value() < 1e-5);
    CHECK(ours.gb_per_s > 0.0);

    const BenchRow& empty = (*result)[1];
    CHECK(empty.name == "empty-launch");
    CHECK(empty.op == op);
    REQUIRE(empty.timing.has_value());
    CHECK(empty.timing->median_ms == Approx(0.5));
    const BenchRow& copy = (*result)[2];
    CHECK(copy.name == "device-copy");
    REQUIRE(copy.timing.has_value());
    CHECK(copy.timing->median_ms == Approx(4096e-6));
    CHECK(copy.gb_per_s == Approx(2 * 4096 / (1e6 * 4096e-6)));
    CHECK(copy.timing->samples == ours.timing->samples);

    const auto json = nlohmann::json::parse(bench_json(machine_facts(), *result));
    CHECK(json["results"][1]["gb_per_s"].is_null());
    CHECK(json["results"][2]["gb_per_s"].is_number());
    CHECK(json["results"][2]["max_rel_error"].is_null());
  }
}

TEST_CASE_METHOD(Fixture, "a sample is several launches and every decode has a state of its own") {
  options.input_sets = 1;
  std::set<std::uint64_t> states;
  const auto artifact = load();
  if (!artifact) FAIL(artifact.error().message);
  device().run = [&](const fake_cuda::LaunchedKernel& launched) {
    if (launched.symbol == "first_order_decode") {
      std::uint64_t address = 0;
      std::memcpy(&address, launched.arguments[4], sizeof address);
      states.insert(address);
    }
    return kernels->run(launched);
  };
  const auto on_device = bench_device_of(*artifact, kCopyBytes);
  REQUIRE(on_device.ok());
  for (const KernelEntry& entry : manifest.kernels) {
    device().launches.clear();
    const auto result =
        bench(manifest, entry, rows, options, device_launches_of(*artifact), &*on_device);
    if (!result) FAIL(result.error().message);
    INFO(entry.op << ": " << result->front().remark);
    REQUIRE(result->front().timing.has_value());
    const auto samples = result->front().timing->samples + 2;  // and the warm-up
    CHECK(device().launches.at(entry.symbol) == 8 * samples);
    CHECK(device().launches.at("heddle_empty") == 8 * samples);
  }
  CHECK(states.size() == 8);
}

TEST_CASE_METHOD(Fixture, "an operation of several launches is timed as a whole") {
  const std::string op = GENERATE("prefill", "backward");
  GenerateOptions asked;
  asked.ops = {op};
  asked.target = ir::Target::kCuda;
  asked.head_dim = 8;
  asked.weights = WeightKind::kGiven;
  asked.schedule = "scan";
  asked.plan_heads = 1;
  const Result<Artifact> artifact = generate(test::builtin("linear_recurrence"), asked);
  REQUIRE(artifact.ok());
  manifest = artifact->manifest;
  files = artifact->files;
  const KernelEntry& scan = manifest.kernels.front();
  options.tokens = 3 * scan.chunk_tokens + 5;
  rows = test::builtin_rows("linear_recurrence", options.tokens + 1);
  const auto result = timed(op);
  if (!result) FAIL(result.error().message);
  const BenchRow& ours = result->front();
  INFO(ours.remark);
  REQUIRE(ours.timing.has_value());
  CHECK(ours.timing->median_ms == Approx(3 * 0.5));
  CHECK(ours.max_rel_error.value() < 1e-5);
  const auto launches = device().launches.at(scan.symbol + "_sums");
  CHECK(device().launches.at(scan.symbol + "_chain") == launches);
  CHECK(device().launches.at(scan.symbol + "_rows") == launches);

  // A launch that is refused is refused before any of its steps begins.
  const auto loaded = load();
  REQUIRE(loaded.ok());
  device().launches.clear();
  LaunchValues values;
  values.sizes = {{"batch", 1}, {"tokens", 40}, {"heads", 1}, {"start", 0}, {"slots_b", 0}};
  const auto refused = (*loaded)->bind(op, values);
  REQUIRE_FALSE(refused.ok());
  CHECK(device().launches.empty());
  values.sizes["chunks"] = 7;
  const auto wrong = (*loaded)->bind("prefill", values);
  REQUIRE_FALSE(wrong.ok());
}

TEST_CASE_METHOD(Fixture, "a wrong kernel on a device has no timing") {
  std::string& text = files.at("first_order.cu");
  const std::size_t at = text.find("(1.0f - gamma)");
  REQUIRE(at != std::string::npos);
  text.replace(at, std::strlen("(1.0f - gamma)"), "(1.1f - gamma)");
  for (const char* op : {"prefill", "decode"}) {
    const auto result = timed(op);
    if (!result) FAIL(result.error().message);
    CHECK_FALSE(result->front().timing.has_value());
    CHECK(mentions(result->front().remark, "wrong result"));
    CHECK((*result)[1].timing.has_value());
  }
}

TEST_CASE_METHOD(Fixture, "a kernel that does nothing on a device has no timing") {
  const auto result = timed("prefill", false);
  if (!result) FAIL(result.error().message);
  CHECK_FALSE(result->front().timing.has_value());
  CHECK(mentions(result->front().remark, "unwritten"));
}

TEST_CASE_METHOD(Fixture, "a kernel that breaks off takes nobody's timing for its own") {
  const auto artifact = load();
  REQUIRE(artifact.ok());
  int runs = 0;
  device().run = [&](const fake_cuda::LaunchedKernel& launched) {
    if (launched.symbol == "first_order_prefill" && ++runs == 20) return fake_cuda::kIllegalAddress;
    return kernels->run(launched);
  };
  const auto on_device = bench_device_of(*artifact, kCopyBytes);
  REQUIRE(on_device.ok());
  const auto result = bench(manifest, manifest.kernels[1], rows, options,
                            device_launches_of(*artifact), &*on_device);
  REQUIRE(result.ok());
  for (const BenchRow& row : *result) {
    INFO(row.name);
    CHECK_FALSE(row.timing.has_value());
    CHECK(mentions(row.remark, "illegal memory access"));
  }
}

TEST_CASE_METHOD(Fixture, "what a device lacks is said in a sentence") {
  SECTION("memory") {
    device().memory_bytes = 3 * kCopyBytes;
    const auto result = timed("prefill");
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().message == "the CUDA driver cannot allocate memory: out of memory");
  }
  SECTION("the kernel's symbol") {
    manifest.kernels[1].symbol = "another";
    const auto result = timed("prefill", false);
    REQUIRE_FALSE(result.ok());
    CHECK(mentions(result.error().message, "named symbol not found"));
  }
  SECTION("a kernel in the text") {
    files.at("first_order.cu") = "int nothing;";
    const auto result = timed("prefill", false);
    REQUIRE_FALSE(result.ok());
    CHECK(mentions(result.error().message, "there is no kernel"));
  }
  SECTION("itself") {
    device().count = 0;
    const auto result = timed("prefill", false);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().message == "no CUDA device found");
  }
}

TEST_CASE_METHOD(Fixture, "machine code comes out of the cache, if it is that of the text") {
  const std::string before = std::getenv("HEDDLE_CACHE_DIR") ? std::getenv("HEDDLE_CACHE_DIR") : "";
  std::string cache = (std::filesystem::temp_directory_path() / "heddle_cubins_XXXXXX").string();
  REQUIRE(mkdtemp(cache.data()) != nullptr);
  setenv("HEDDLE_CACHE_DIR", cache.c_str(), 1);
  CHECK(load(false).ok());
  setenv("HEDDLE_FAKE_NVRTC_BROKEN", "1", 1);
  CHECK(load(false).ok());
  files.at("first_order.cu") += "\n";
  const auto changed = load(false);
  REQUIRE_FALSE(changed.ok());
  CHECK(mentions(changed.error().message, "out of order"));
  files.at("first_order.cu").pop_back();
  CHECK(load(false).ok());
  for (const auto& kept : std::filesystem::directory_iterator(cache + "/device")) {
    std::filesystem::resize_file(kept.path(), kept.file_size() - 1);
  }
  CHECK_FALSE(load(false).ok());  // what was cut short is not taken
  unsetenv("HEDDLE_FAKE_NVRTC_BROKEN");
  CHECK(load(false).ok());
  std::filesystem::remove_all(cache);
  before.empty() ? unsetenv("HEDDLE_CACHE_DIR") : setenv("HEDDLE_CACHE_DIR", before.c_str(), 1);
}

TEST_CASE_METHOD(Fixture, "memory goes to the device and back") {
  const auto driver = CudaDriver::open();
  if (!driver) FAIL(driver.error().message);
  CHECK(driver->device_name() == "Fake Device");
  CHECK(driver->architecture() == "sm_90");
  auto from = driver->allocate(16);
  auto to = driver->allocate(16);
  auto small = driver->allocate(8);
  REQUIRE((from.ok() && to.ok() && small.ok()));
  const int sent[4] = {1, 2, 3, 4};
  int received[4] = {};
  CHECK_FALSE(from->upload(sent, sizeof sent).has_value());
  CHECK_FALSE(driver->copy(*to, *from).has_value());
  CHECK_FALSE(to->download(received, sizeof received).has_value());
  CHECK(std::equal(std::begin(sent), std::end(sent), std::begin(received)));
  CHECK(driver->copy(*small, *from).has_value());
  CHECK(small->upload(sent, sizeof sent).has_value());
  CHECK(small->download(received, sizeof received).has_value());
}

TEST_CASE_METHOD(Fixture, "a launch that fails by itself is not waited for") {
  const auto artifact = load();
  REQUIRE(artifact.ok());
  device().run = [](const auto&) { return fake_cuda::kIllegalAddress; };
  const auto on_device = bench_device_of(*artifact, kCopyBytes);
  REQUIRE(on_device.ok());
  const auto empty = on_device->time(on_device->references[0].start);
  REQUIRE_FALSE(empty.ok());
  CHECK(mentions(empty.error().message, "illegal memory access"));
  device().pending = fake_cuda::kSuccess;
}

TEST_CASE_METHOD(Fixture, "generated cuda kernels are timed when right and not when wrong") {
  rows = test::builtin_rows("sqrt_cached", 41);
  GenerateOptions generate_options;
  generate_options.target = ir::Target::kCuda;
  generate_options.head_dim = 16;
  generate_options.exact_to = 41;
  const Result<Artifact> artifact = generate(test::builtin("sqrt_cached"), generate_options);
  if (!artifact) FAIL(artifact.error().message);
  manifest = artifact->manifest;
  files = artifact->files;
  options.input_sets = 2;
  for (const char* op : {"prefill", "decode"}) {
    const auto right = timed(op);
    if (!right) FAIL(right.error().message);
    INFO(op << ": " << right->front().remark);
    REQUIRE(right->front().timing.has_value());
    CHECK(right->front().max_rel_error.value() < 1e-5);
  }
  rows = test::builtin_rows("sqrt_recurrence", 41);
  const auto wrong = timed("prefill");
  if (!wrong) FAIL(wrong.error().message);
  CHECK_FALSE(wrong->front().timing.has_value());
}

}  // namespace
}  // namespace heddle
