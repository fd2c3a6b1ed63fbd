// SPDX-License-Identifier: Apache-2.0
// Turns C++ text into a shared object with the machine's own compiler. Results are kept in the
// user's cache under the SHA-256 of everything that shapes them, written to a temporary place and
// renamed, so that several processes may ask for the same object at once.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "patterns/result.hpp"

namespace heddle {

struct CompileRequest {
  std::map<std::string, std::string>
      files;                           // plain file name -> text: sources and what they include
  std::vector<std::string> sources;    // which of the files to compile, in order
  std::vector<std::string> flags;      // before the sources, e.g. -O3
  std::vector<std::string> libraries;  // after the sources, e.g. -lm
};

class HostCompiler {
 public:
  // $CXX if set, else g++, else c++.
  static Result<HostCompiler> find();

  // The path of the object; on failure the compiler's first error lines. It stays valid as long as
  // nobody empties the cache.
  Result<std::filesystem::path> shared_object(const CompileRequest& request) const;

  const std::string& version() const { return version_; }  // first line of --version
  bool is_gcc() const;

 private:
  std::vector<std::string> command_;
  std::string version_;
};

}  // namespace heddle
