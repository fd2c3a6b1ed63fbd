// SPDX-License-Identifier: Apache-2.0
// The files of this folder as text, embedded when the library is built.
#pragma once

namespace heddle::emulator::texts {

extern const char* const bridge;
extern const char* const emulated_device;
extern const char* const field;
extern const char* const hooks;
extern const char* const watched_copies;

}  // namespace heddle::emulator::texts
