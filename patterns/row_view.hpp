// SPDX-License-Identifier: Apache-2.0
// The intervals of one row, ascending: stored positions, or distances from the row that all rows of
// a table share. Intervals come by value; a view is valid as long as what it was made from.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "patterns/intervals.hpp"

namespace heddle {

class RowView {
 public:
  class Iterator {
   public:
    using iterator_category = std::random_access_iterator_tag;
    using value_type = Interval;
    using difference_type = std::ptrdiff_t;
    using reference = Interval;
    struct Pointer {
      Interval interval;
      const Interval* operator->() const { return &interval; }
    };
    using pointer = Pointer;

    Iterator() = default;
    // Position order is the reverse of distance order, so `at` is then one past the entry meant.
    Iterator(const Interval* at, std::int64_t row) : at_(at), row_(row) {}

    Interval operator*() const {
      if (row_ == 0) return *at_;
      return {std::max<std::int64_t>(1, row_ - at_[-1].high), row_ - at_[-1].low};
    }
    Pointer operator->() const { return {**this}; }
    Interval operator[](difference_type k) const { return *(*this + k); }
    Iterator& operator+=(difference_type k) {
      at_ += row_ == 0 ? k : -k;
      return *this;
    }
    Iterator& operator-=(difference_type k) { return *this += -k; }
    Iterator& operator++() { return *this += 1; }
    Iterator& operator--() { return *this += -1; }
    Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    Iterator operator--(int) {
      const Iterator before = *this;
      --*this;
      return before;
    }
    friend Iterator operator+(Iterator it, difference_type k) { return it += k; }
    friend Iterator operator+(difference_type k, Iterator it) { return it += k; }
    friend Iterator operator-(Iterator it, difference_type k) { return it -= k; }
    friend difference_type operator-(const Iterator& a, const Iterator& b) {
      return a.row_ == 0 ? a.at_ - b.at_ : b.at_ - a.at_;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }
    friend auto operator<=>(const Iterator& a, const Iterator& b) { return (a - b) <=> 0; }

   private:
    const Interval* at_ = nullptr;
    std::int64_t row_ = 0;  // 0: positions
  };

  RowView(const Interval* positions, std::size_t size) : data_(positions), size_(size) {}
  RowView(const IntervalList& positions) : RowView(positions.data(), positions.size()) {}
  // Row `row` reads row - c for each c of the distances, ascending, whose low ends are below `row`;
  // positions below 1 are clipped.
  static RowView translated(const Interval* distances, std::size_t size, std::int64_t row) {
    RowView view(distances, size);
    view.row_ = row;
    return view;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Iterator begin() const { return {row_ == 0 ? data_ : data_ + size_, row_}; }
  Iterator end() const { return {row_ == 0 ? data_ + size_ : data_, row_}; }
  auto rbegin() const { return std::reverse_iterator(end()); }
  auto rend() const { return std::reverse_iterator(begin()); }
  Interval operator[](std::size_t k) const { return begin()[static_cast<std::ptrdiff_t>(k)]; }
  Interval front() const { return *begin(); }
  Interval back() const { return *(end() - 1); }

 private:
  const Interval* data_;
  std::size_t size_;
  std::int64_t row_ = 0;
};

}  // namespace heddle
