// SPDX-License-Identifier: Apache-2.0
// A certificate as text for people, in Markdown: each claim with the laws, lemmas and inequalities
// that prove it, what was assumed, and what an audit of it checked.
#pragma once

#include <string>

#include "analyzer/audit/audit.hpp"
#include "analyzer/certificate/certificate.hpp"

namespace heddle {

std::string explain(const Certificate& certificate, const AuditReport& report);

}  // namespace heddle
