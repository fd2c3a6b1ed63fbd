// SPDX-License-Identifier: Apache-2.0
// All measures of random unions of windows, strides and sequences that are in no built-in pattern,
// against searches that know nothing but the definitions.
#include <algorithm>
#include <random>

#include "analyzer/measures/measures.hpp"
#include "tests/unit/patterns/support.hpp"

using namespace heddle;
using namespace heddle::test;

namespace {

constexpr std::int64_t kTokens = 40;
constexpr std::int64_t kHorizon = 400;  // every sequence below has a term between 40 and 360
constexpr int kNever = 1 << 20;

std::string random_pattern(std::mt19937_64& random) {
  static const char* const kSequences[] = {"f(k) = k^3 + 1", "f(k) = 3^k",
                                           "f(0) = 1\nf(k+1) = f(k) + k + 2",
                                           "f(0) = 1\nf(1) = 2\nf(k+2) = 2 * f(k+1) + f(k)"};
  const auto set = [&](bool strides_only) -> std::string {
    const std::string number = std::to_string(1 + random() % 6);
    switch (random() % (strides_only ? 2 : 4)) {
      case 0:
        return "window(" + number + ")";
      case 1:
        return "{ i - " + number + " * t : t >= 1, " + number + " * t < i }";
      case 2:
        return "offsets(f)";
      default:
        return "lattice(f)";
    }
  };
  std::string a = random() % 2 ? "diagonal" : set(true);
  if (random() % 3 == 0) a += " | " + set(false);
  std::string b = set(false);
  while (random() % 2) b += " | " + set(false);
  return std::string("pattern p {\n") + kSequences[random() % 4] + "\nA = " + a + "\nB = " + b +
         "\n}";
}

// hops(i, j) for all i, by relaxing edges until nothing changes.
std::vector<int> hops_from(const Rows& rows, std::int64_t j, std::int64_t n) {
  std::vector<int> hops(static_cast<std::size_t>(n) + 1, kNever);
  for (std::int64_t i = j; i <= n; ++i) {
    if (rows.a.contains(i, j)) hops[static_cast<std::size_t>(i)] = i == j ? 0 : 1;
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (std::int64_t i = n; i >= 1; --i) {
      for_each_position(rows.b, i, [&](std::int64_t p) {
        int& here = hops[static_cast<std::size_t>(i)];
        const int through = hops[static_cast<std::size_t>(p)] + 1;
        if (through < here) {
          here = through;
          changed = true;
        }
      });
    }
  }
  return hops;
}

std::int64_t longest_chain(const Rows& rows, std::int64_t n) {
  std::vector<std::int64_t> depth(static_cast<std::size_t>(n) + 1, 0);
  for (std::int64_t i = 1; i <= n; ++i) {
    std::int64_t& here = depth[static_cast<std::size_t>(i)];
    for_each_position(rows.a, i,
                      [&](std::int64_t p) { here = std::max<std::int64_t>(here, p < i); });
    for_each_position(rows.b, i, [&](std::int64_t p) {
      here = std::max(here, depth[static_cast<std::size_t>(p)] + 1);
    });
  }
  return *std::max_element(depth.begin(), depth.end());
}

std::int64_t live_count(const RowTable& far, std::int64_t i) {
  std::int64_t live = 0;
  for (std::int64_t p = 1; p <= i; ++p) {
    bool read = false;
    for (std::int64_t r = i + 1; r <= kHorizon && !read; ++r) read = far.contains(r, p);
    live += read;
  }
  return live;
}

// Vertex-disjoint paths by augmenting one at a time in the split graph: 0 source, 1 sink,
// x_j at 1 + j, y_i entering at 1 + n + 2i - 1 and leaving at the next number.
std::int64_t disjoint_paths(const Rows& rows, std::int64_t cut, std::int64_t n) {
  const auto size = static_cast<std::size_t>(2 + 3 * n);
  const auto x = [](std::int64_t j) { return static_cast<std::size_t>(1 + j); };
  const auto y = [&](std::int64_t i, int side) {
    return static_cast<std::size_t>(n + 2 * i + side);
  };
  std::vector<std::vector<int>> room(size, std::vector<int>(size, 0));
  for (std::int64_t j = 1; j <= cut; ++j) room[0][x(j)] = 1;
  for (std::int64_t i = 1; i <= n; ++i) {
    room[y(i, 0)][y(i, 1)] = 1;
    if (i > cut) room[y(i, 1)][1] = 1;
    for_each_position(rows.a, i, [&](std::int64_t j) {
      if (j <= cut) room[x(j)][y(i, 0)] = 1;
    });
    for_each_position(rows.b, i, [&](std::int64_t j) { room[y(j, 1)][y(i, 0)] = 1; });
  }
  std::int64_t flow = 0;
  while (true) {
    std::vector<std::size_t> from(size, size);
    std::vector<std::size_t> queue{0};
    from[0] = 0;
    for (std::size_t at = 0; at < queue.size() && from[1] == size; ++at) {
      for (std::size_t next = 0; next < size; ++next) {
        if (room[queue[at]][next] == 0 || from[next] != size) continue;
        from[next] = queue[at];
        queue.push_back(next);
      }
    }
    if (from[1] == size) return flow;
    for (std::size_t at = 1; at != 0; at = from[at]) {
      --room[from[at]][at];
      ++room[at][from[at]];
    }
    ++flow;
  }
}

}  // namespace

TEST_CASE("measures of patterns outside the library equal brute force") {
  std::mt19937_64 random(23);
  for (int round = 0; round < 60; ++round) {
    const std::string text = random_pattern(random);
    INFO(text);
    const Pattern pattern = pattern_of(text);
    const Rows rows = rows_of(pattern, kTokens);
    const Rows far = rows_of(pattern, kHorizon);
    MeasureOptions options;
    options.cut = 1 + static_cast<std::int64_t>(random() % (kTokens - 1));
    options.horizon = kHorizon;
    const Measures measures = measure(pattern, rows, options);

    REQUIRE(measures.cache.ok());
    for (std::int64_t i = 1; i <= kTokens; ++i) {
      INFO("row " << i);
      std::int64_t reads = 0;
      for (std::int64_t p = 1; p <= i; ++p) reads += rows.a.contains(i, p) + rows.b.contains(i, p);
      REQUIRE(measures.time_by_row[static_cast<std::size_t>(i - 1)] == reads);
      REQUIRE(measures.cache->size[static_cast<std::size_t>(i - 1)] ==
              live_count(far.a, i) + live_count(far.b, i));
    }
    REQUIRE(measures.depth_at_n() == longest_chain(rows, kTokens));

    std::int64_t most = 0, unreachable = 0;
    for (std::int64_t j = 1; j <= kTokens; ++j) {
      const std::vector<int> hops = hops_from(rows, j, kTokens);
      for (std::int64_t i = j + 1; i <= kTokens; ++i) {
        const int here = hops[static_cast<std::size_t>(i)];
        if (here >= kNever)
          ++unreachable;
        else
          most = std::max<std::int64_t>(most, here);
      }
    }
    REQUIRE(measures.hops.ok());
    REQUIRE(measures.hops->unreachable_pairs == unreachable);
    REQUIRE(measures.hops->max == most);
    REQUIRE(measures.rank.ok());
    REQUIRE(measures.rank->value == disjoint_paths(rows, *options.cut, kTokens));
  }
}
