// SPDX-License-Identifier: Apache-2.0
#include "runtime/load/nvrtc.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "runtime/load/shared_object.hpp"

namespace heddle {
namespace {

// As nvrtc.h declares them.
using Program = void*;
using Status = int;

std::vector<std::string> candidate_paths() {
  std::vector<std::string> folders;
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
    if (const char* root = std::getenv(variable)) folders.push_back(std::string(root) + "/lib64");
  }
  folders.push_back("/usr/local/cuda/lib64");
  std::vector<std::string> paths;
  for (const std::string& folder : folders) paths.push_back(folder + "/libnvrtc.so");
  for (const char* version : {"13", "12", "11.2"}) {
    paths.push_back(std::string("libnvrtc.so.") + version);
  }
  paths.push_back("libnvrtc.so");
  return paths;
}

}  // namespace

struct Nvrtc::Library {
  SharedObject object;
  Status (*version)(int*, int*) = nullptr;
  Status (*create)(Program*, const char*, const char*, int, const char* const*,
                   const char* const*) = nullptr;
  Status (*destroy)(Program*) = nullptr;
  Status (*compile)(Program, int, const char* const*) = nullptr;
  Status (*log_size)(Program, std::size_t*) = nullptr;
  Status (*log)(Program, char*) = nullptr;
  Status (*code_size)(Program, std::size_t*) = nullptr;
  Status (*code)(Program, char*) = nullptr;
  const char* (*error)(Status) = nullptr;

  bool complete() const {
    return version && create && destroy && compile && log_size && log && code_size && code && error;
  }
};

Nvrtc::Nvrtc(std::unique_ptr<Library> library) : library_(std::move(library)) {}
Nvrtc::Nvrtc(Nvrtc&&) noexcept = default;
Nvrtc& Nvrtc::operator=(Nvrtc&&) noexcept = default;
Nvrtc::~Nvrtc() = default;

Result<Nvrtc> Nvrtc::open() {
  for (const std::string& path : candidate_paths()) {
    auto object = SharedObject::open(path);
    if (!object) continue;
    auto library = std::make_unique<Library>();
    library->object = std::move(*object);
    const auto find = [&](auto& function, const char* name) {
      function =
          reinterpret_cast<std::decay_t<decltype(function)>>(library->object.address_of(name));
    };
    find(library->version, "nvrtcVersion");
    find(library->create, "nvrtcCreateProgram");
    find(library->destroy, "nvrtcDestroyProgram");
    find(library->compile, "nvrtcCompileProgram");
    find(library->log_size, "nvrtcGetProgramLogSize");
    find(library->log, "nvrtcGetProgramLog");
    find(library->code_size, "nvrtcGetCUBINSize");
    find(library->code, "nvrtcGetCUBIN");
    find(library->error, "nvrtcGetErrorString");
    if (library->complete()) return Nvrtc(std::move(library));
  }
  return Error{"no NVRTC library found: install the CUDA toolkit or set CUDA_HOME"};
}

std::string Nvrtc::identity() {
  namespace fs = std::filesystem;
  for (const std::string& path : candidate_paths()) {
    std::error_code failure;
    const fs::path file = fs::canonical(path, failure);
    if (failure || path.find('/') == std::string::npos) continue;
    const auto size = fs::file_size(file, failure);
    const auto written = fs::last_write_time(file, failure);
    if (failure) continue;
    return file.string() + " " + std::to_string(size) + " " +
           std::to_string(written.time_since_epoch().count());
  }
  return "";
}

std::string Nvrtc::version() const {
  int major = 0, minor = 0;
  library_->version(&major, &minor);
  return std::to_string(major) + "." + std::to_string(minor);
}

Result<DeviceCode> Nvrtc::compile(const std::string& file, const std::string& text,
                                  const std::map<std::string, std::string>& includes,
                                  const std::string& architecture) const {
  std::vector<const char*> texts, names;
  for (const auto& [name, included] : includes) {
    names.push_back(name.c_str());
    texts.push_back(included.c_str());
  }
  Program program = nullptr;
  Status status = library_->create(&program, text.c_str(), file.c_str(),
                                   static_cast<int>(names.size()), texts.data(), names.data());
  if (status != 0) return Error{std::string("NVRTC failed: ") + library_->error(status)};
  const std::string target = "--gpu-architecture=" + architecture;
  const char* const options[] = {target.c_str(), "--std=c++17", "--ptxas-options=-v"};
  status = library_->compile(program, 3, options);

  DeviceCode result;
  std::size_t size = 0;
  if (library_->log_size(program, &size) == 0 && size > 1) {
    result.log.resize(size);
    library_->log(program, result.log.data());
    result.log.resize(size - 1);  // without the closing zero
  }
  if (status == 0) {
    status = library_->code_size(program, &size);
    if (status == 0) {
      result.cubin.resize(size);
      status = library_->code(program, result.cubin.data());
    }
  }
  library_->destroy(&program);
  if (status != 0) {
    return Error{"NVRTC refused the text for " + architecture + ": " + library_->error(status) +
                 (result.log.empty() ? "" : "\n" + result.log)};
  }
  result.resources = parse_resources(result.log);
  return result;
}

std::map<std::string, KernelResources> parse_resources(const std::string& log) {
  static const std::regex kEntry("Compiling entry function '([^']+)'");
  static const std::regex kSpill(
      "(\\d{1,9}) bytes stack frame, (\\d{1,9}) bytes spill stores, (\\d{1,9}) bytes spill loads");
  static const std::regex kRegisters("Used (\\d{1,9}) registers");
  static const std::regex kShared("(\\d{1,9}) bytes smem");
  std::map<std::string, KernelResources> resources;
  KernelResources* current = nullptr;
  std::istringstream lines(log);
  std::smatch found;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_search(line, found, kEntry)) current = &resources[found[1]];
    if (current == nullptr) continue;
    if (std::regex_search(line, found, kSpill)) {
      current->stack_bytes = std::stoll(found[1]);
      current->spill_stores = std::stoll(found[2]);
      current->spill_loads = std::stoll(found[3]);
    }
    if (std::regex_search(line, found, kRegisters)) current->registers = std::stoi(found[1]);
    if (std::regex_search(line, found, kShared)) current->shared_bytes = std::stoll(found[1]);
  }
  return resources;
}

}  // namespace heddle
