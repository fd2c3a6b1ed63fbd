// SPDX-License-Identifier: Apache-2.0
// Runs generated CPU kernels in tests: many artifacts are compiled into one shared object by the
// host compiler and called through their manifests, and their outputs are compared with a float64
// reference that shares nothing with the generator but the rows of the pattern.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/generate.hpp"
#include "patterns/expression.hpp"

namespace heddle::test {

Pattern builtin(const std::string& name);
Pattern pattern_of(const std::string& text);  // the first pattern of the text
Artifact artifact_of(const Pattern& pattern, const GenerateOptions& options);

// A shared object of all kernels of some CPU artifacts; symbols must differ.
class HostLibrary {
 public:
  explicit HostLibrary(const std::vector<Artifact>& artifacts);
  ~HostLibrary();
  HostLibrary(const HostLibrary&) = delete;
  HostLibrary& operator=(const HostLibrary&) = delete;

  using Entry = void (*)(void** arguments);
  Entry entry(const std::string& symbol) const;

 private:
  std::string directory_;
  void* handle_ = nullptr;
};

// One sequence of tokens for every (batch, head), fed to the kernels in pieces.
struct Shape {
  int batch = 1;
  int heads = 1;
  int tokens = 1;
};

class Session {
 public:
  Session(const Pattern& pattern, const Artifact& artifact, const HostLibrary& library, Shape shape,
          float gamma, int seed);

  // Processes the next `count` tokens with the kernel of that operation (decode: one launch each).
  void run(const std::string& op, int count);

  // Largest |kernel - reference| over all outputs so far, relative to the largest |reference|.
  double error() const;
  // The positions held for each (batch, head) are exactly the live set; empty when they are.
  std::string cache_problem() const;
  // Bitwise outputs, for comparisons between two ways through the same tokens.
  const std::vector<float>& outputs() const { return y_; }
  int done() const { return done_; }

 private:
  struct Buffer {
    std::vector<unsigned char> bytes;
  };
  void launch(const KernelEntry& kernel, int count);
  std::int64_t extent(const std::string& name, int count) const;
  std::size_t element(int b, int t, int h, int d) const;
  void fill_reference();

  const Pattern& pattern_;
  const Artifact& artifact_;
  const HostLibrary& library_;
  Shape shape_;
  float scale_ = 0;
  float gamma_;
  int done_ = 0;
  std::int64_t slots_[2] = {0, 0};
  std::int64_t width_[2] = {0, 0};
  std::map<std::string, std::vector<float>> inputs_;  // whole sequences, rounded to storage
  std::vector<double> reference_;
  std::vector<float> y_;
  std::map<std::string, Buffer> state_;  // "a_pos", "b_key", ..., "state"
};

}  // namespace heddle::test
