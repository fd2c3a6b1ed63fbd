// SPDX-License-Identifier: Apache-2.0
// The C interface on a device, which is a fake of ours: addresses of device memory arrive as they
// are given, in the caller's stream, and what a kernel fails with is told by whoever waits.
#include <cstdlib>
#include <cstring>

#include "runtime/c_api/heddle.h"
#include "tests/catch.hpp"
#include "tests/unit/runtime/bench/fake_cuda.hpp"
#include "tests/unit/runtime/load/scale_artifact.hpp"

using namespace heddle;

namespace {

const char* const kDeviceText =
    "extern \"C\" __global__ void scale_prefill(const float* x, float* y, int tokens, int heads,"
    " float gamma) {}\n";

void write_device_artifact(const fs::path& folder) {
  Manifest manifest = scale_manifest();
  manifest.target = "cuda";
  manifest.includes.clear();
  KernelEntry& entry = manifest.kernels.front();
  entry.file = "scale.cu";
  entry.sha256 = sha256_hex(kDeviceText);
  entry.threads = 64;
  write(folder / "manifest.json", to_json(manifest));
  write(folder / "scale.cu", kDeviceText);
}

}  // namespace

TEST_CASE("a device gets the caller's addresses and stream") {
  setenv("CUDA_HOME", HEDDLE_FAKE_CUDA_HOME, 1);
  fake_cuda::device() = {};
  const TemporaryFolder folder;
  write_device_artifact(folder.path());
  heddle_open_options options{sizeof(heddle_open_options), 0, 1};
  heddle_artifact artifact = 0;
  heddle_error* error = heddle_open(folder.path().c_str(), &options, &artifact);
  CHECK(heddle_error_message(error) == std::string("there is no CUDA device 1, only 1"));
  heddle_error_free(error);
  REQUIRE(heddle_open(folder.path().c_str(), nullptr, &artifact) == nullptr);

  // No host memory: a look at the arrays would be a crash.
  void* const x = reinterpret_cast<void*>(std::uintptr_t{1} << 52);
  void* const y = reinterpret_cast<void*>((std::uintptr_t{1} << 52) + 4096);
  void* const stream = reinterpret_cast<void*>(std::uintptr_t{0x51ea});
  int started = 0;
  fake_cuda::device().run = [&](const fake_cuda::LaunchedKernel& kernel) {
    ++started;
    CHECK(kernel.stream == stream);
    CHECK(kernel.blocks == 6);
    CHECK(kernel.threads == 64);
    void* address = nullptr;
    std::memcpy(&address, kernel.arguments[0], sizeof address);
    CHECK(address == x);
    std::memcpy(&address, kernel.arguments[1], sizeof address);
    CHECK(address == y);
    std::int32_t tokens = 0;
    std::memcpy(&tokens, kernel.arguments[2], sizeof tokens);
    CHECK(tokens == 5);
    return fake_cuda::kIllegalAddress;
  };
  const std::int64_t shape[4] = {2, 5, 3, 4};
  const heddle_buffer buffers[] = {{"x", x, HEDDLE_F32, 4, shape, nullptr},
                                   {"y", y, HEDDLE_F32, 4, shape, nullptr}};
  const heddle_scalar gamma{"gamma", 2.0F};
  const heddle_launch launch{
      sizeof(heddle_launch), "prefill", buffers, 2, nullptr, 0, &gamma, 1, 0, stream};
  CHECK(heddle_run(artifact, &launch) == nullptr);
  CHECK(started == 1);
  error = heddle_synchronize(artifact);
  CHECK(heddle_error_kind(error) == HEDDLE_FAILED);
  CHECK(std::string(heddle_error_message(error)).find("illegal memory access") !=
        std::string::npos);
  heddle_error_free(error);
  CHECK(heddle_close(artifact) == nullptr);
  // All was given back.
  CHECK(fake_cuda::device().modules == 0);
  CHECK(fake_cuda::device().contexts == 0);
  fake_cuda::device() = {};
}
