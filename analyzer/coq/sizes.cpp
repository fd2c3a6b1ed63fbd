// SPDX-License-Identifier: Apache-2.0
#include "analyzer/coq/sizes.hpp"

#include <algorithm>

namespace heddle::coq {
namespace {

Integer rounded_up_log2(const Integer& x) {
  return x < 2 ? Integer(0) : integer_log2(x - Integer(1)) + Integer(1);
}

}  // namespace

Number always(const Integer& value) {
  return [value](const Integer&) { return value; };
}

Integer itself(const Integer& x) { return x; }

Sizes added(const Sizes& x, const Sizes& y) {
  if (!x.least || !y.least) return {};
  return {[=](const Integer& i) { return x.least(i) + y.least(i); },
          [=](const Integer& i) { return x.most(i) + y.most(i); }};
}

Number at_most(const Integer& width, int before) {
  return [=](const Integer& i) { return std::min(i - Integer(before), width); };
}

Sizes counted(const Function& function) {
  if (function.power_of_two) return {rounded_up_log2, rounded_up_log2};
  if (function.doubles_after == 0) return {};
  const Integer most = function.doubles_after, least = function.slows_to;
  return {[least](const Integer& i) {
            if (i < 2 || least == 0) return Integer(0);
            return ceil_div(integer_log2(i - Integer(1)) + Integer(1), least);
          },
          [most](const Integer& i) {
            return most * (i < 2 ? Integer(1) : integer_log2(i - Integer(1)) + Integer(1));
          }};
}

Sizes shifted(const Sizes& sizes, bool next) {
  if (!next || !sizes.least) return sizes;
  return {[=](const Integer& i) { return sizes.least(i + Integer(1)); },
          [=](const Integer& i) { return sizes.most(i + Integer(1)); }};
}

}  // namespace heddle::coq
