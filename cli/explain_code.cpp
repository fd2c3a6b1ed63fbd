// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "patterns/diagnostic.hpp"

namespace heddle {

ExitCode explain_code(const std::string& code) {
  std::string all;
  for (const DiagnosticCode& known : diagnostic_codes()) {
    const std::string heading = std::string(known.code) + "  " + std::string(known.title) + "\n";
    if (known.code == code) {
      print_data(heading + "\n" + std::string(known.explanation) + "\n");
      return kDone;
    }
    all += heading;
  }
  fail(kWrongUsage, "there is no diagnostic code `" + code + "`; the codes are");
  std::fputs(all.c_str(), stderr);
  return kWrongUsage;
}

}  // namespace heddle
