// SPDX-License-Identifier: Apache-2.0
// Rows for tests of pictures, built from the definitions directly, without the language; and cells
// read back out of a picture.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "patterns/materialize.hpp"

namespace heddle::test {

using RowRule = std::function<IntervalList(std::int64_t)>;

inline Rows rows_by(std::int64_t n, const RowRule& a, const RowRule& b) {
  Rows rows;
  for (std::int64_t i = 1; i <= n; ++i) {
    rows.a.append_row(a(i));
    rows.b.append_row(b(i));
  }
  return rows;
}

inline IntervalList own_input(std::int64_t i) { return {{i, i}}; }
inline IntervalList no_positions(std::int64_t) { return {}; }
inline IntervalList all_inputs(std::int64_t i) { return {{1, i}}; }
inline IntervalList all_outputs(std::int64_t i) {
  return i > 1 ? IntervalList{{1, i - 1}} : IntervalList{};
}

// f = 2^k, lattice: a_k = 2^(k-1) for k >= 1.
inline IntervalList log_lattice(std::int64_t i) {
  std::set<std::int64_t> positions;
  for (std::int64_t f = 1, a = 1; f < i; a = f, f *= 2) positions.insert(a * ((i - f + a - 1) / a));
  IntervalList row;
  for (const std::int64_t p : positions) row.push_back({p, p});
  return normalized(std::move(row));
}

inline Rows log_cached(std::int64_t n) { return rows_by(n, own_input, log_lattice); }

inline Rows random_rows(std::int64_t n, double density, unsigned seed) {
  std::mt19937 random(seed);
  std::bernoulli_distribution keep(density);
  const auto some = [&](std::int64_t high) {
    IntervalList row;
    for (std::int64_t p = 1; p <= high; ++p) {
      if (keep(random)) row.push_back({p, p});
    }
    return normalized(std::move(row));
  };
  return rows_by(
      n, [&](std::int64_t i) { return some(i); }, [&](std::int64_t i) { return some(i - 1); });
}

using Cell = std::pair<std::int64_t, std::int64_t>;  // row, column, from 0

// The cells that paths of `colour` paint, from the k-th group of cells (from 0) that has any.
inline std::set<Cell> painted_cells(std::string_view svg, std::string_view colour) {
  std::set<Cell> cells;
  const std::string lead = "<path fill=\"none\" stroke=\"" + std::string(colour) + "\" d=\"";
  for (std::size_t at = svg.find(lead); at != std::string_view::npos; at = svg.find(lead, at + 1)) {
    const char* c = svg.data() + at + lead.size();
    std::int64_t row = 0;
    std::int64_t column = 0;
    while (*c != '"') {  // M x y h w, then m dx dy h w
      char* next = nullptr;
      column += std::strtoll(c + 1, &next, 10);
      row += std::strtoll(next, &next, 10);
      const std::int64_t width = std::strtoll(next + 1, &next, 10);
      for (std::int64_t k = 0; k < width; ++k) cells.insert({row, column + k});
      column += width;
      c = next;
    }
  }
  return cells;
}

}  // namespace heddle::test
