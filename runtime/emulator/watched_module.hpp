// SPDX-License-Identifier: Apache-2.0
// From the text of a kernel to a shared object that reports what it does: the text as it stands,
// compiled by g++ with its sanitizers' calls, which device/hooks.cpp takes.
#pragma once

#include <filesystem>

#include "runtime/emulator/emulated_kernel.hpp"
#include "runtime/load/host_compiler.hpp"

namespace heddle::emulator {

// What a module watches: every access, each once; or that a thread's own arrays are not left behind
// a pointer, as a helper that is compiled apart has it. No compiler does both in one.
enum class Watch { kAccesses, kGaps };

// Fails with the compiler's words, or where the text asks for what cannot be watched.
Result<std::filesystem::path> watched_module(const HostCompiler& compiler, const KernelText& kernel,
                                             Watch watch);

}  // namespace heddle::emulator
