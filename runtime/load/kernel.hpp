// SPDX-License-Identifier: Apache-2.0
// Loads an artifact folder and launches its kernels. Nothing is trusted: the manifest is parsed
// strictly, kernel files and what they include must have the digests it names, an artifact that
// verification has not passed is refused unless asked for, and every launch is checked against its
// sizes.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "codegen/manifest.hpp"
#include "patterns/result.hpp"
#include "runtime/load/buffer.hpp"

namespace heddle {

class CudaDriver;

struct LoadOptions {
  bool allow_unverified = false;
  int threads = 0;  // of cpu kernels; 0: as many as the machine has processors
  int device = 0;   // of cuda kernels
};

// How one launch is carried out.
struct LaunchOptions {
  int threads = 0;         // of cpu kernels, at most those that were loaded for; 0: all of them
  void* stream = nullptr;  // of cuda kernels: a CUstream, or null for the default one
};

// A launch that fits, ready to be repeated. The buffers and the KernelArtifact must outlive it.
class BoundKernel {
 public:
  BoundKernel(BoundKernel&&) noexcept;
  BoundKernel& operator=(BoundKernel&&) noexcept;
  ~BoundKernel();

  // Runs all blocks and waits for them. Only a device can fail.
  std::optional<Error> run();
  // The same without waiting for a device, where launches run in the order they were started in;
  // what goes wrong there is then told by whoever waits.
  std::optional<Error> start();

 private:
  friend class KernelArtifact;
  struct State;
  explicit BoundKernel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class KernelArtifact {
 public:
  static Result<KernelArtifact> load(const std::filesystem::path& folder,
                                     const LoadOptions& options = {});
  // The same from memory: `files` maps names to texts.
  static Result<KernelArtifact> load(const Manifest& manifest,
                                     const std::map<std::string, std::string>& files,
                                     const LoadOptions& options = {});

  KernelArtifact(KernelArtifact&&) noexcept;
  KernelArtifact& operator=(KernelArtifact&&) noexcept;
  ~KernelArtifact();

  const Manifest& manifest() const;
  // Where the kernels run, and where their buffers must be; null for cpu kernels.
  const CudaDriver* device() const;
  // The kernel of that op ("prefill", "decode") with these values.
  Result<BoundKernel> bind(const std::string& op, const LaunchValues& values,
                           const LaunchOptions& options = {}) const;
  // bind and run.
  std::optional<Error> launch(const std::string& op, const LaunchValues& values) const;

 private:
  struct State;
  explicit KernelArtifact(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The flags that cpu kernels are compiled with.
const std::vector<std::string>& cpu_kernel_flags();

}  // namespace heddle
