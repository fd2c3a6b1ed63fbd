// SPDX-License-Identifier: Apache-2.0
#include "runtime/load/host_compiler.hpp"

#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <system_error>

#include "patterns/sha256.hpp"
#include "runtime/load/subprocess.hpp"
#include "runtime/load/user_cache.hpp"

namespace heddle {
namespace {

namespace fs = std::filesystem;

// What -march=native means here: the first processor's model and feature lines.
std::string processor_identity() {
  std::ifstream file("/proc/cpuinfo");
  std::string identity, line;
  while (std::getline(file, line) && !line.empty()) {
    if (line.rfind("model name", 0) == 0 || line.rfind("flags", 0) == 0 ||
        line.rfind("Features", 0) == 0) {
      identity += line + "\n";
    }
  }
  return identity;
}

// The lines a reader needs: from the first error on, at most `limit`.
std::string first_errors(const std::string& log, int limit = 8) {
  std::istringstream lines(log);
  std::string line, shown;
  bool reached = log.find("error") == std::string::npos;
  while (limit > 0 && std::getline(lines, line)) {
    reached = reached || line.find("error") != std::string::npos;
    if (!reached) continue;
    shown += (shown.empty() ? "" : "\n") + line;
    --limit;
  }
  return shown;
}

// A folder that is gone when this object is.
class ScratchDirectory {
 public:
  explicit ScratchDirectory(const fs::path& parent) {
    std::string name = (parent / "build-XXXXXX").string();
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

bool is_plain_name(const std::string& name) {
  return !name.empty() && name[0] != '.' && name[0] != '-' &&
         name.find_first_of("/\\") == std::string::npos;
}

bool write_file(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  return static_cast<bool>(file.flush());
}

}  // namespace

Result<HostCompiler> HostCompiler::find() {
  std::vector<std::vector<std::string>> candidates;
  const char* const named = getenv("CXX");  // may hold arguments, as in "ccache g++"
  std::istringstream chosen(named != nullptr ? named : "");
  std::vector<std::string> words;
  for (std::string word; chosen >> word;) words.push_back(word);
  if (!words.empty()) candidates.push_back(words);
  candidates.push_back({"g++"});
  candidates.push_back({"c++"});
  for (const auto& candidate : candidates) {
    std::vector<std::string> command = candidate;
    command.push_back("--version");
    const auto output = run_process(command);
    if (!output || output->exit_code != 0) continue;
    HostCompiler compiler;
    compiler.command_ = candidate;
    compiler.version_ = output->out.substr(0, output->out.find('\n'));
    return compiler;
  }
  return machine_error("no C++ compiler found: install g++ or set CXX");
}

bool HostCompiler::is_gcc() const { return version_.find("clang") == std::string::npos; }

Result<fs::path> HostCompiler::shared_object(const CompileRequest& request) const {
  const auto folder = cache_folder("host");
  if (!folder) return folder.error();
  std::string key = "heddle host object 1\n";
  append_field(key, version_);
  for (const std::string& word : command_) append_field(key, word);
  for (const std::string& flag : request.flags) {
    append_field(key, flag);
    if (flag.find("native") != std::string::npos) append_field(key, processor_identity());
  }
  key += "\nsources\n";
  for (const std::string& source : request.sources) append_field(key, source);
  key += "\nlibraries\n";
  for (const std::string& library : request.libraries) append_field(key, library);
  key += "\nfiles\n";
  for (const auto& [name, text] : request.files) {
    if (!is_plain_name(name)) return Error{"\"" + name + "\" is not a plain file name"};
    append_field(key, name);
    append_field(key, text);
  }

  const fs::path object = *folder / (sha256_hex(key) + ".so");
  std::error_code failure;
  if (fs::exists(object, failure)) return object;
  const ScratchDirectory scratch(*folder);
  if (scratch.path().empty()) return machine_error("cannot create a folder in " + folder->string());
  for (const auto& [name, text] : request.files) {
    if (!write_file(scratch.path() / name, text)) {
      return machine_error("cannot write " + (scratch.path() / name).string());
    }
  }
  std::vector<std::string> command = command_;
  for (const char* flag : {"-shared", "-fPIC", "-o", "out.so"}) command.push_back(flag);
  command.insert(command.end(), request.flags.begin(), request.flags.end());
  for (const std::string& source : request.sources) {
    assert_that(request.files.count(source) == 1, "a source must be one of the files");
    command.insert(command.end(), {"-x", "c++", source});  // whatever its extension
  }
  command.insert(command.end(), {"-x", "none"});
  command.insert(command.end(), request.libraries.begin(), request.libraries.end());
  ProcessOptions options;
  options.directory = scratch.path();
  const auto output = run_process(command, options);
  if (!output) return output.error();
  if (output->exit_code != 0) {
    return Error{"the host compiler refused the text:\n" + first_errors(output->err)};
  }
  fs::rename(scratch.path() / "out.so", object, failure);
  if (failure) return machine_error("cannot write " + object.string() + ": " + failure.message());
  return object;
}

}  // namespace heddle
