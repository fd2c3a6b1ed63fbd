// SPDX-License-Identifier: Apache-2.0
// The form that every script of a certificate must have, checked as text: one logic, declarations,
// assertions of which the last is the negated goal, one check-sat, and a companion that asserts the
// very same hypotheses.
#pragma once

#include <optional>
#include <string>

#include "analyzer/verdict.hpp"

namespace heddle::auditing {

// What is wrong with the obligation, if anything.
std::optional<std::string> malformed(const Obligation& obligation);

}  // namespace heddle::auditing
