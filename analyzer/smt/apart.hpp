// SPDX-License-Identifier: Apache-2.0
// Work in a process of its own, which ends by the processor time that it has used, whatever it is
// doing. For what can be neither interrupted nor counted.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace heddle::smt {

// What `work` returns, or nothing where it takes more than `seconds` of processor time or ends in
// any other way. It sees this process as it was and changes nothing in it.
std::optional<std::string> run_apart(const std::function<std::string()>& work, int seconds);

}  // namespace heddle::smt
