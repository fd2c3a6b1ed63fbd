// SPDX-License-Identifier: Apache-2.0
#include "runtime/load/shared_object.hpp"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <utility>

namespace heddle {
namespace {

Error loader_error(const std::string& name) {
  const char* reason = dlerror();
  return Error{"cannot load " + name + ": " + (reason != nullptr ? reason : "unknown reason")};
}

bool write_all(int fd, const std::string& bytes) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t step = ::write(fd, bytes.data() + written, bytes.size() - written);
    if (step <= 0) return false;
    written += static_cast<std::size_t>(step);
  }
  return true;
}

}  // namespace

Result<SharedObject> SharedObject::open(const std::string& name) {
  void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return loader_error(name);
  return SharedObject(handle);
}

Result<SharedObject> SharedObject::open_private_copy(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{"cannot read " + path.string()};
  std::ostringstream content;
  content << file.rdbuf();
  const std::string bytes = content.str();
  // An anonymous file has its own inode, which is what the loader tells objects apart by.
  const int fd = memfd_create("heddle-module", MFD_CLOEXEC);
  if (fd < 0) return Error{"cannot create an anonymous file for " + path.string()};
  Result<SharedObject> object = Error{"cannot copy " + path.string()};
  if (write_all(fd, bytes)) object = open("/proc/self/fd/" + std::to_string(fd));
  if (!object.ok()) {
    ::close(fd);
    return object;
  }
  // The loader also tells objects apart by name, so the number must not be used again while this
  // object is open.
  object->copy_ = fd;
  return object;
}

SharedObject::SharedObject(SharedObject&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)), copy_(std::exchange(other.copy_, -1)) {}

SharedObject& SharedObject::operator=(SharedObject&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(copy_, other.copy_);
  return *this;
}

SharedObject::~SharedObject() {
  if (handle_ != nullptr) dlclose(handle_);
  if (copy_ >= 0) ::close(copy_);
}

void* SharedObject::address_of(const char* symbol) const {
  return handle_ != nullptr ? dlsym(handle_, symbol) : nullptr;
}

}  // namespace heddle
