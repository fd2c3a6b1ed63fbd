// SPDX-License-Identifier: Apache-2.0
// A shared object that is open while this object lives.
#pragma once

#include <filesystem>
#include <string>

#include "patterns/result.hpp"

namespace heddle {

class SharedObject {
 public:
  // `name` is a path, or a plain library name for the system's search.
  static Result<SharedObject> open(const std::string& name);
  // A copy of its own: opening one path twice gives one set of global variables, this does not.
  static Result<SharedObject> open_private_copy(const std::filesystem::path& path);

  SharedObject() = default;
  SharedObject(SharedObject&& other) noexcept;
  SharedObject& operator=(SharedObject&& other) noexcept;
  ~SharedObject();

  // nullptr where there is no such symbol.
  void* address_of(const char* symbol) const;

  template <typename Function>
  Function* function(const char* symbol) const {
    return reinterpret_cast<Function*>(address_of(symbol));
  }

 private:
  explicit SharedObject(void* handle) : handle_(handle) {}
  void* handle_ = nullptr;
  int copy_ = -1;  // the private copy's descriptor
};

}  // namespace heddle
