// SPDX-License-Identifier: Apache-2.0
// The best value over a range of an array that only grows at its end, in constant time per query:
// what makes a row that reads an interval cost the same as a row that reads a point.
#pragma once

#include <bit>
#include <cstddef>
#include <functional>
#include <vector>

namespace heddle {

// Better(a, b): a is to be preferred to b; std::less keeps minima, std::greater maxima.
template <typename T, typename Better>
class RangeExtreme {
 public:
  std::size_t size() const { return levels_.empty() ? 0 : levels_[0].size(); }
  const T& operator[](std::size_t index) const { return levels_[0][index]; }

  void append(T value) {
    const std::size_t index = size();
    if (levels_.empty()) levels_.emplace_back();
    levels_[0].push_back(value);
    // levels_[k][e - 2^k + 1] is the best of entries e - 2^k + 1 .. e.
    for (std::size_t k = 1; (std::size_t{1} << k) <= index + 1; ++k) {
      if (levels_.size() <= k) levels_.emplace_back();
      const std::size_t first = index + 1 - (std::size_t{1} << k);
      const std::vector<T>& half = levels_[k - 1];
      levels_[k].push_back(better_of(half[first], half[first + (std::size_t{1} << (k - 1))]));
    }
  }

  // The best of entries first..last, 0 <= first <= last < size().
  T over(std::size_t first, std::size_t last) const {
    const std::size_t k = static_cast<std::size_t>(std::bit_width(last - first + 1)) - 1;
    return better_of(levels_[k][first], levels_[k][last + 1 - (std::size_t{1} << k)]);
  }

 private:
  static T better_of(const T& a, const T& b) { return Better()(b, a) ? b : a; }
  std::vector<std::vector<T>> levels_;
};

template <typename T>
using RangeMinimum = RangeExtreme<T, std::less<T>>;
template <typename T>
using RangeMaximum = RangeExtreme<T, std::greater<T>>;

}  // namespace heddle
