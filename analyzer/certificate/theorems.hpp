// SPDX-License-Identifier: Apache-2.0
// The laws that proofs may rest on, each with its statement in mathematics: what a reader of an
// accepted certificate still has to believe, or check against the Coq development.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace heddle {

// The statement of the law of this name; null if there is no such law. {} in a name stands for what
// a pattern puts there.
const std::string* theorem(const std::string& law);
// All of them, by name.
const std::vector<std::pair<std::string, std::string>>& theorems();

}  // namespace heddle
