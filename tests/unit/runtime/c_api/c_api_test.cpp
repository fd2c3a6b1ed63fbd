// SPDX-License-Identifier: Apache-2.0
// The C interface as a C program calls it (calls.c), on an artifact written by hand; and from many
// threads at once.
#include <atomic>
#include <thread>
#include <vector>

#include "runtime/c_api/heddle.h"
#include "tests/catch.hpp"
#include "tests/unit/runtime/c_api/calls.h"
#include "tests/unit/runtime/load/scale_artifact.hpp"

using namespace heddle;

namespace {

std::string said(const char* wrong) { return wrong != nullptr ? wrong : ""; }

Manifest manifest_with_sizes() {
  Manifest manifest = scale_manifest();
  manifest.weights = "given";
  manifest.cache_b.retention = CacheRetention::kAll;
  EntryCount count;
  count.most = 3;
  manifest.width_b.parts = {count};
  return manifest;
}

}  // namespace

TEST_CASE("a C program opens, asks, launches and closes") {
  const TemporaryFolder folder;
  write_artifact(folder.path(), manifest_with_sizes());
  CHECK(said(calls_in_order(folder.path().c_str())) == "");
}

TEST_CASE("hostile calls are told what is wrong, and write nothing") {
  const TemporaryFolder folder;
  write_artifact(folder.path(), manifest_with_sizes());
  CHECK(said(calls_with_wrong_handles(folder.path().c_str())) == "");
  CHECK(said(calls_with_null_pointers(folder.path().c_str())) == "");
  CHECK(said(launches_that_do_not_fit(folder.path().c_str())) == "");
}

TEST_CASE("a child of fork() opens its own artifacts") {
  const TemporaryFolder folder;
  write_artifact(folder.path(), manifest_with_sizes());
  CHECK(said(calls_after_fork(folder.path().c_str())) == "");
}

TEST_CASE("what is not verified does not open") {
  const TemporaryFolder folder;
  const char* const path = folder.path().c_str();
  CHECK(said(open_is_refused(path, HEDDLE_REFUSED, "manifest.json")) == "");
  Manifest manifest = manifest_with_sizes();
  manifest.verdict = "unverified";
  write_artifact(folder.path(), manifest);
  CHECK(said(open_is_refused(path, HEDDLE_REFUSED, "is not verified")) == "");
  write_artifact(folder.path(), manifest_with_sizes());
  write(folder.path() / "scale.cpp", "extern \"C\" void scale_prefill() {}");
  CHECK(said(open_is_refused(path, HEDDLE_REFUSED, "is not the file")) == "");
  write(folder.path() / "manifest.json", "[[[");
  CHECK(said(open_is_refused(path, HEDDLE_REFUSED, "")) == "");
}

TEST_CASE("threads launch one artifact side by side, and close it meanwhile") {
  const TemporaryFolder folder;
  write_artifact(folder.path(), manifest_with_sizes());
  heddle_artifact artifact = 0;
  REQUIRE(heddle_open(folder.path().c_str(), nullptr, &artifact) == nullptr);
  std::atomic<int> right{0}, wrong{0}, refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::int64_t shape[4] = {1, 5, 1, 4};
      std::vector<float> x(20, static_cast<float>(t)), y(20);
      const heddle_buffer buffers[] = {{"x", x.data(), HEDDLE_F32, 4, shape, nullptr},
                                       {"y", y.data(), HEDDLE_F32, 4, shape, nullptr}};
      const heddle_scalar gamma{"gamma", 2.0F};
      const heddle_launch launch{
          sizeof(heddle_launch), "prefill", buffers, 2, nullptr, 0, &gamma, 1, t % 2, nullptr};
      // The last rounds find the artifact closed.
      for (int round = 0; round < 100000 && refused < 4; ++round) {
        std::fill(y.begin(), y.end(), -1.0F);
        heddle_error* const error = heddle_run(artifact, &launch);
        const float expected = error == nullptr ? 2.0F * static_cast<float>(t) : -1.0F;
        ++(y == std::vector<float>(20, expected) ? (error == nullptr ? right : refused) : wrong);
        heddle_error_free(error);
        if (error != nullptr) break;
      }
    });
  }
  while (right < 200 && wrong == 0) std::this_thread::yield();
  CHECK(heddle_close(artifact) == nullptr);
  for (std::thread& thread : threads) thread.join();
  CHECK(right >= 200);
  CHECK(wrong == 0);
  CHECK(refused == 4);
}
