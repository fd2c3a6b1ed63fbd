// SPDX-License-Identifier: Apache-2.0
// Verdicts kept in the user's cache, under the SHA-256 of everything that they rest on: the texts,
// the manifest, the rows, the options, the compiler and the verifier's own program. A verdict of
// another program is never found.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "runtime/verify/verify.hpp"

namespace heddle {

class VerdictStore {
 public:
  // The store of this program's verdicts for one artifact; does nothing where there is no cache.
  VerdictStore(const Manifest& manifest, const std::map<std::string, std::string>& files,
               const Rows& rows, const VerifyOptions& options);

  // With `cached` set. Nothing where nothing is kept, or what is kept is damaged.
  std::optional<VerifyReport> find() const;
  // Keeps what was decided; an unknown verdict may be another one next time.
  void keep(const VerifyReport& report) const;

 private:
  std::string key_;  // empty: no cache
};

// verify(), or what the store holds of it.
VerifyReport verify_once(const Manifest& manifest, const std::map<std::string, std::string>& files,
                         const Rows& rows, const VerifyOptions& options);

}  // namespace heddle
