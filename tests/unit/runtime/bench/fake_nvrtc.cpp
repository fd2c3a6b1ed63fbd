// SPDX-License-Identifier: Apache-2.0
// A run-time compiler whose machine code is the text itself, in place of libnvrtc.so: what reaches
// the fake driver can then be read, and no toolkit is needed.
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

struct Program {
  std::string text;
  std::string log;
};

}  // namespace

extern "C" {

int nvrtcVersion(int* major, int* minor) {
  *major = 0;
  *minor = 1;
  return 0;
}

int nvrtcCreateProgram(void** program, const char* text, const char*, int, const char* const*,
                       const char* const*) {
  *program = new Program{text, ""};
  return 0;
}

int nvrtcDestroyProgram(void** program) {
  delete static_cast<Program*>(*program);
  return 0;
}

// Compiles what declares a kernel, unless it is told to be out of order.
int nvrtcCompileProgram(void* program, int, const char* const*) {
  auto* compiled = static_cast<Program*>(program);
  if (std::getenv("HEDDLE_FAKE_NVRTC_BROKEN") != nullptr) {
    compiled->log = "out of order";
    return 6;
  }
  if (compiled->text.find("__global__") != std::string::npos) return 0;
  compiled->log = "there is no kernel";
  return 6;
}

int nvrtcGetProgramLogSize(void* program, std::size_t* size) {
  *size = static_cast<Program*>(program)->log.size() + 1;
  return 0;
}

int nvrtcGetProgramLog(void* program, char* log) {
  std::strcpy(log, static_cast<Program*>(program)->log.c_str());
  return 0;
}

int nvrtcGetCUBINSize(void* program, std::size_t* size) {
  *size = static_cast<Program*>(program)->text.size();
  return 0;
}

int nvrtcGetCUBIN(void* program, char* code) {
  const std::string& text = static_cast<Program*>(program)->text;
  std::memcpy(code, text.data(), text.size());
  return 0;
}

const char* nvrtcGetErrorString(int) { return "NVRTC_ERROR_COMPILATION"; }
}
