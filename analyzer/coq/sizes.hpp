// SPDX-License-Identifier: Apache-2.0
// What is known of a size as numbers, before Coq is asked: so that no claim is written that is
// sharper than what its proof would start from.
#pragma once

#include <functional>

#include "analyzer/coq/functions.hpp"

namespace heddle::coq {

using Number = std::function<Integer(const Integer&)>;
Number always(const Integer& value);
Integer itself(const Integer& x);
// min(i - before, width)
Number at_most(const Integer& width, int before = 0);

// Between which numbers a size is known to be, for each row; null where that takes Coq to tell.
struct Sizes {
  Number least, most;
};
Sizes added(const Sizes& x, const Sizes& y);
// Of row i + 1, if so.
Sizes shifted(const Sizes& sizes, bool next);
// Between what the number of values below i is, where Coq knows it by logarithms.
Sizes counted(const Function& function);

}  // namespace heddle::coq
