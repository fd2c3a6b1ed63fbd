// SPDX-License-Identifier: Apache-2.0
// The functions that generated kernels call, from the very header they include, against slow and
// obvious definitions.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "codegen/cpu/cpu_gradients.hpp"
#include "codegen/cpu/cpu_prelude.hpp"
#include "tests/catch.hpp"

namespace heddle {

TEST_CASE("integer division floors and rounds up for every sign of the dividend") {
  for (Index y = 1; y <= 9; ++y) {
    for (Index x = -40; x <= 40; ++x) {
      const Index floor =
          static_cast<Index>(std::floor(static_cast<double>(x) / static_cast<double>(y)));
      const Index ceil =
          static_cast<Index>(std::ceil(static_cast<double>(x) / static_cast<double>(y)));
      if (floor_div(x, y) != floor || ceil_div(x, y) != ceil) FAIL(x << " / " << y);
      if (floor_mod(x, y) != x - y * floor) FAIL(x << " mod " << y);
    }
  }
  CHECK(ceil_div(std::numeric_limits<Index>::max(), 2) == Index(1) << 62);
}

TEST_CASE("powers, roots, logarithms and bits") {
  CHECK(power(7, 0) == 1);
  CHECK(power(0, 0) == 1);
  CHECK(power(-3, 5) == -243);
  CHECK(power(2, 62) == Index(1) << 62);
  CHECK(power(3037000499, 2) == Index(3037000499) * 3037000499);
  for (Index x = 0; x < 5000; ++x) {
    const Index root = integer_sqrt(x);
    if (root * root > x || (root + 1) * (root + 1) <= x) FAIL("the root of " << x);
  }
  for (const Index root : {Index(46341), Index(1) << 30, (Index(1) << 31) - 1}) {
    CHECK(integer_sqrt(root * root) == root);
    CHECK(integer_sqrt(root * root - 1) == root - 1);
  }
  for (Index log = 0; log < 62; ++log) {
    const Index x = Index(1) << log;
    if (integer_log2(x) != log || integer_log2(2 * x - 1) != log) FAIL("the logarithm of " << x);
    if (popcount(x) != 1 || popcount(2 * x - 1) != log + 1) FAIL("the bits of " << x);
  }
  for (Index x = 1; x < 300; ++x) {
    Index divisor = 1;
    while (x % (2 * divisor) == 0) divisor *= 2;
    if (lowbit(x) != divisor) FAIL("the lowest bit of " << x);
  }
}

TEST_CASE("bf16 rounds to the nearest, ties to even, and keeps every bf16") {
  const auto widened = [](unsigned bits) {
    bf16 value;
    value.bits = static_cast<unsigned short>(bits);
    return to_float(value);
  };
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const float value = widened(bits);
    if (std::isnan(value)) {
      if (!std::isnan(rounded_to_bf16(value))) FAIL("a NaN became a number");
    } else if (to_bf16(value).bits != bits) {
      FAIL("bf16 " << bits << " does not survive");
    }
  }
  for (unsigned bits = 0x3f00; bits < 0x4100; ++bits) {
    const float low = widened(bits);
    const float high = widened(bits + 1);
    const float middle = low + (high - low) / 2;
    const float even = bits % 2 == 0 ? low : high;
    if (rounded_to_bf16(middle) != even || rounded_to_bf16(-middle) != -even) FAIL("a tie");
    if (rounded_to_bf16(std::nextafter(middle, low)) != low) FAIL("below a tie");
    if (rounded_to_bf16(std::nextafter(middle, high)) != high) FAIL("above a tie");
  }
  CHECK(std::isinf(rounded_to_bf16(std::numeric_limits<float>::max())));
}

TEST_CASE("f16 rounds to the nearest, ties to even, and keeps every f16") {
  const auto widened = [](unsigned bits) {
    f16 value;
    value.bits = static_cast<unsigned short>(bits);
    return to_float(value);
  };
  const auto rounded = [](float value) { return to_float(to_f16(value)); };
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const float value = widened(bits);
    if (std::isnan(value)) {
      if (!std::isnan(rounded(value))) FAIL("a NaN became a number");
    } else if (to_f16(value).bits != bits) {
      FAIL("f16 " << bits << " does not survive");
    }
  }
  for (unsigned bits = 0; bits < 0x7bff; ++bits) {  // subnormal ones, too
    const float low = widened(bits);
    const float high = widened(bits + 1);
    const float middle = low + (high - low) / 2;
    const float even = bits % 2 == 0 ? low : high;
    if (rounded(middle) != even || rounded(-middle) != -even) FAIL("a tie at " << bits);
    if (rounded(std::nextafter(middle, low)) != low) FAIL("below a tie at " << bits);
    if (rounded(std::nextafter(middle, high)) != high) FAIL("above a tie at " << bits);
  }
  CHECK(widened(0x3c00) == 1.0F);
  CHECK(widened(0x0001) == 0x1p-24F);
  CHECK(rounded(65519.0F) == 65504.0F);
  CHECK(std::isinf(rounded(65520.0F)));
  CHECK(rounded_to_f16(1.0F + 0x1p-11F) == 1.0F);
}

// Every f16 with its neighbours among floats and the middle between it and the next one.
std::vector<float> reals_about_f16() {
  std::vector<float> reals;
  for (unsigned bits = 0; bits < 65535; ++bits) {
    f16 low, high;
    low.bits = static_cast<unsigned short>(bits);
    high.bits = static_cast<unsigned short>(bits + 1);
    const float value = to_float(low);
    for (const float real : {value, std::nextafter(value, 1e9F), std::nextafter(value, -1e9F),
                             value + (to_float(high) - value) / 2}) {
      reals.push_back(real);
    }
  }
  return reals;
}
template <int kCount, typename T>
void check_rows(const std::vector<float>& reals) {
  const auto same = [](float x, float y) {
    return std::isnan(x) ? std::isnan(y) : x == y && std::signbit(x) == std::signbit(y);
  };
  for (std::size_t at = 0; at + kCount + kLanes < reals.size(); at += kCount) {
    const float* const from = reals.data() + at;
    T stored[kCount + 1], each[kCount + 1];
    float wide[kCount + 1], rounded[padded(kCount)];
    store_real(&stored[kCount], -7.0f);
    store_real(&each[kCount], -7.0f);
    wide[kCount] = -7.0f;
    narrow_row<kCount>(stored, from);
    store_each<kCount>(each, [&](int d) { return from[d]; });
    widen_row<kCount>(wide, stored);
    std::copy(from, from + padded(kCount), rounded);
    round_row<T>(rounded, padded(kCount));
    const auto row = readable<kCount>(stored);
    for (int d = 0; d < padded(kCount); ++d) {
      T one;
      store_real(&one, from[d]);
      const float exact = to_float(one);
      if (!same(rounded[d], exact)) FAIL("round_row of " << from[d]);
      if (d >= kCount) continue;
      if (!same(wide[d], exact)) FAIL("widen_row or narrow_row of " << from[d]);
      if (!same(to_float(each[d]), exact)) FAIL("store_each of " << from[d]);
      if (!same(to_float(row[d]), exact)) FAIL("readable of " << from[d]);
    }
    if (to_float(stored[kCount]) != -7.0f || to_float(each[kCount]) != -7.0f) FAIL("beyond a row");
    if (wide[kCount] != -7.0f) FAIL("beyond a row of floats");
  }
}
TEST_CASE("rows are stored and read as their elements are") {
  const std::vector<float> reals = reals_about_f16();
  check_rows<64, f16>(reals);
  check_rows<19, f16>(reals);
  check_rows<3, f16>(reals);
  check_rows<19, bf16>(reals);
  check_rows<19, float>(reals);
  f16 none[5];
  for (f16& value : none) value = to_f16(3.0f);
  clear_row<4>(none);
  CHECK(to_float(none[3]) == 0.0f);
  CHECK(to_float(none[4]) == 3.0f);
}

TEST_CASE("a dot product of any length is the sum of its products") {
  std::vector<float> x;
  std::vector<bf16> y;
  for (int d = 0; d < 80; ++d) {
    x.push_back(static_cast<float>(d % 7 - 3));
    y.push_back(to_bf16(static_cast<float>(d % 5 - 1)));
  }
  const auto exact = [&](int length) {
    float sum = 0;
    for (int d = 0; d < length; ++d)
      sum += x[static_cast<std::size_t>(d)] * to_float(y[static_cast<std::size_t>(d)]);
    return sum;  // small integers: exact in any order
  };
  CHECK(dot<1>(x.data(), y.data()) == exact(1));
  CHECK(dot<15>(x.data(), y.data()) == exact(15));
  CHECK(dot<16>(x.data(), y.data()) == exact(16));
  CHECK(dot<33>(x.data(), y.data()) == exact(33));
  CHECK(dot<80>(x.data(), y.data()) == exact(80));
}

TEST_CASE("the exponential is exact to a few roundings and total below") {
  double worst = 0.0;
  for (float x = 0.0f; x > -87.0f; x -= 0.00371f) {
    worst = std::max(worst, std::abs(exponential(x) / std::exp(static_cast<double>(x)) - 1.0));
  }
  CHECK(worst < 2e-7);
  CHECK(exponential(0.0f) == 1.0f);
  // Several at a time are the same numbers, up to a rounding that a compiler may save.
  for (float x = 0.0f; x > -120.0f; x -= 0.0873f) {
    float several[kMostLanes];
    for (int i = 0; i < kMostLanes; ++i) several[i] = x - 0.011f * static_cast<float>(i);
    Floats<kMostLanes> lanes;
    load(lanes, several);
    exponentials(lanes);
    float values[kMostLanes];
    store(values, lanes);
    for (int i = 0; i < kMostLanes; ++i) {
      const float one = exponential(several[i]);
      if (!(std::abs(values[i] - one) <= 2e-7f * one)) FAIL("exp(" << several[i] << ")");
    }
  }
  for (const float x : {-88.0f, -1e30f, kLowestScore, -std::numeric_limits<float>::infinity()}) {
    const float value = exponential(x);
    if (!(value >= 0.0f && value < 2e-38f)) FAIL("exp(" << x << ") = " << value);
  }
}

namespace {

// Rows of small integers, so that sums are exact in any order.
struct SmallRows {
  explicit SmallRows(int of_width) : width(of_width) {
    for (int at = 0; at < 40 * width; ++at) {
      rows.push_back(static_cast<float>(at * 7919 % 23 - 11));
    }
    for (Index e = 0; e < 32; ++e) {
      steps.push_back(e * 11 % 37 - 20);
      weights.push_back(static_cast<float>(e % 5 - 2));
    }
  }
  float of(Index e, int d) const { return here()[steps[static_cast<std::size_t>(e)] * width + d]; }
  const float* here() const { return rows.data() + 20 * width; }

  int width;
  std::vector<float> rows;
  std::vector<Index> steps;
  std::vector<float> weights;
};

template <int kWidth>
void check_rows() {
  const SmallRows small(kWidth);
  for (const Index count : {0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31}) {
    std::vector<float> mixed(kWidth, 3.0f);
    mix_rows<kWidth>(mixed.data(), small.weights.data(), small.here(), small.steps.data(), count);
    for (int d = 0; d < kWidth; ++d) {
      float exact = 3.0f;
      for (Index e = 0; e < count; ++e) {
        exact += small.weights[static_cast<std::size_t>(e)] * small.of(e, d);
      }
      if (mixed[static_cast<std::size_t>(d)] != exact) FAIL(kWidth << ": channel " << d);
    }
    // Windows that the rows of a tile read: row r of them, counted from row r.
    std::vector<float> tile(3 * kWidth, 2.0f);
    std::vector<float> weights = small.weights;
    weights.insert(weights.end(), small.weights.rbegin(), small.weights.rend());
    weights.insert(weights.end(), small.weights.begin(), small.weights.end());
    std::vector<float> packed(static_cast<std::size_t>(packed_extent(3, count)) + 1, -7.0f);
    mix_windows<kWidth>(tile.data(), 3, weights.data(), 32, small.here(), small.steps.data(), count,
                        packed.data());
    if (packed.back() != -7.0f) FAIL(kWidth << ": more weights than there is room for");
    for (int r = 0; r < 3; ++r) {
      for (int d = 0; d < kWidth; ++d) {
        float exact = 2.0f;
        for (Index e = 0; e < count; ++e) {
          exact += weights[static_cast<std::size_t>(r * 32 + e)] * small.of(e, d + r * kWidth);
        }
        if (tile[static_cast<std::size_t>(r * kWidth + d)] != exact) FAIL(kWidth << ": row " << r);
      }
    }
    std::vector<float> scores(32, -1.0f);
    const float* query = small.rows.data() + kWidth;
    score_rows<kWidth>(scores.data(), query, small.here(), small.steps.data(), count);
    for (Index e = 0; e < 32; ++e) {
      float exact = 0.0f;
      for (int d = 0; d < kWidth; ++d) exact += query[d] * small.of(e, d);
      if (e >= count) exact = -1.0f;  // nothing is written behind the last
      if (scores[static_cast<std::size_t>(e)] != exact) FAIL(kWidth << ": score " << e);
    }
  }
}

}  // namespace

TEST_CASE("rows are mixed and scored whatever their width and number") {
  check_rows<8>();
  check_rows<16>();
  check_rows<24>();
  check_rows<32>();
  check_rows<40>();
  check_rows<56>();
  check_rows<64>();
  check_rows<80>();
  check_rows<256>();
}

// The rows of a short sequence, tile by tile, against the sums that define what they get.
TEST_CASE("gradients of given weights are gathered, pushed and scored by windows") {
  constexpr int kWidth = 72;
  constexpr Index kTokens = 150, kStride = 90, kTile = 16;
  std::vector<Index> steps;
  for (Index k = 0; k < 80; ++k) steps.push_back(-(k < 70 ? k + 1 : 70 + (k - 69) * 9));
  const auto most = static_cast<Index>(steps.size());
  const Index near = kTile - 1;  // shorter than a tile
  std::vector<float> rows, values, weights;
  for (Index at = 0; at < kTokens * kWidth; ++at) {
    rows.push_back(static_cast<float>(at * 31 % 7 - 3));
    values.push_back(static_cast<float>(at * 17 % 5 - 2));
  }
  for (Index at = 0; at < kTokens * kStride; ++at) {
    weights.push_back(static_cast<float>(at * 13 % 5 - 2));
  }
  const auto row = [&](std::vector<float>& all, Index r) { return all.data() + r * kWidth; };
  std::vector<float> columns(static_cast<std::size_t>(most * kTokens), -7.0f);
  for (Index first = 0; first < kTokens; first += kTile) {
    keep_columns(columns.data() + first, kTokens, weights.data() + first * kStride, kStride,
                 std::min(kTile, kTokens - first), steps.data(), near, most, first);
  }
  for (Index e = 0; e < most; ++e) {
    for (Index r = 0; r < kTokens; ++r) {
      const bool kept = e >= near && r + steps[static_cast<std::size_t>(e)] >= 0;
      const float exact = kept ? weights[static_cast<std::size_t>(r * kStride + e)] : -7.0f;
      if (columns[static_cast<std::size_t>(e * kTokens + r)] != exact) FAIL("column " << e);
    }
  }
  std::vector<float> packed(static_cast<std::size_t>(packed_extent(kTile, most)) + 1, -7.0f);
  for (const Index first : {Index(0), Index(3), Index(60), Index(134), Index(148)}) {
    const Index count = std::min(kTile, kTokens - first);
    std::vector<float> lambda = rows;
    gather_windows<kWidth>(row(lambda, first), row(lambda, first), count, columns.data() + first,
                           kTokens, steps.data(), near, most, kTokens - first, packed.data());
    CHECK(packed.back() == -7.0f);
    for (Index r = 0; r < kTokens; ++r) {
      for (int d = 0; d < kWidth; ++d) {
        float exact = row(rows, r)[d];
        for (Index e = near; e < most && r >= first && r < first + count; ++e) {
          const Index reader = r - steps[static_cast<std::size_t>(e)];
          if (reader >= kTokens) continue;
          exact += weights[static_cast<std::size_t>(reader * kStride + e)] * row(rows, reader)[d];
        }
        if (row(lambda, r)[d] != exact) FAIL("gathered from " << first << ": row " << r);
      }
    }
    const Index pushed = std::min(near, first);
    lambda = rows;
    push_rows<kWidth>(row(lambda, first), row(lambda, first), weights.data(), steps.data(), pushed);
    for (Index r = 0; r < kTokens; ++r) {
      const Index e = first - r - 1;  // the nearest steps are 1, 2, ...
      const float weight = e >= 0 && e < pushed ? weights[static_cast<std::size_t>(e)] : 0.0f;
      for (int d = 0; d < kWidth; ++d) {
        const float exact = row(rows, r)[d] + weight * row(rows, first)[d];
        if (row(lambda, r)[d] != exact) FAIL("pushed from " << first << ": row " << r);
      }
    }
    std::vector<float> slopes(static_cast<std::size_t>(count * kStride), -7.0f);
    score_windows<kWidth>(slopes.data(), kStride, kStride - 1, count, row(rows, first),
                          row(values, first), steps.data(), most, first);
    for (Index r = 0; r < count; ++r) {
      for (Index e = 0; e < kStride; ++e) {
        float exact = e < kStride - 1 ? 0.0f : -7.0f;
        if (e < most && first + r + steps[static_cast<std::size_t>(e)] >= 0) {
          const Index from = first + r + steps[static_cast<std::size_t>(e)];
          for (int d = 0; d < kWidth; ++d) exact += row(rows, first + r)[d] * row(values, from)[d];
        }
        const float slope = slopes[static_cast<std::size_t>(r * kStride + e)];
        if (slope != exact) FAIL("slope " << e << " of row " << first + r);
      }
    }
  }
}

// A whole sequence, run by run as a kernel goes through it, against the sums that define what it
// gets: the caller's rows are `kStride` apart.
template <int kChannels, typename T>
void check_runs(const std::vector<Index>& steps, Index tokens) {
  constexpr int kWidth = padded(kChannels);
  constexpr Index kStride = kChannels + 7, kEntries = 19, kOwn = 2;
  const auto most = static_cast<Index>(steps.size());
  const auto make = [](Index count, int factor, int modulus) {
    std::vector<T> values(static_cast<std::size_t>(count));
    for (std::size_t at = 0; at < values.size(); ++at) {
      const int value = static_cast<int>(at) * factor % modulus - modulus / 2;
      store_real(&values[at], static_cast<float>(value));
    }
    return values;
  };
  const std::vector<T> x = make(tokens * kStride, 31, 3), y = make(tokens * kStride, 17, 3);
  const std::vector<T> dy = make(tokens * kStride, 13, 3), own = make(tokens * kOwn, 7, 3);
  std::vector<T> weights = make(tokens * kEntries, 11, 3);
  // Few of them, so that lambda stays a small integer.
  for (std::size_t at = 0; at < weights.size(); ++at) {
    if (at % 5 != 0) store_real(&weights[at], 0.0f);
  }
  std::vector<T> dx = make(tokens * kStride, 0, 15), down = make(tokens * kOwn, 0, 15);
  std::vector<T> slopes = make(tokens * (kEntries + 1), 0, 15);
  const Index longest = -steps.back(), ring = run_ring(longest);
  const auto room = static_cast<std::size_t>(run_ring_rows(longest) * kWidth);
  std::vector<float> lambda(room + 1, -7.0f), values(room + 1, -7.0f), exact_lambda;
  const Index column = run_column(tokens);
  std::vector<float> columns(static_cast<std::size_t>(column * most), -7.0f);
  exact_lambda.resize(static_cast<std::size_t>(tokens * kChannels));
  keep_run<kChannels>(values.data(), ring, 1, y.data() + (tokens - 2) * kStride, kStride,
                      longest - 1);
  Index slot = 0, later = 0, size = most, seen = 0;
  for (Index row = 0; row < tokens;) {
    const Index token = tokens - 1 - row;
    while (later < most && steps[static_cast<std::size_t>(later)] + row >= 0) ++later;
    while (size > 0 && steps[static_cast<std::size_t>(size - 1)] + token < 0) --size;
    const Index rows =
        run_rows(steps.data(), later, size, most, row, token, std::min(tokens - row, ring - slot));
    keep_run_weights(columns.data() + row, column, weights.data() + token * kEntries, kEntries,
                     size, rows);
    lambda_run<kChannels>(lambda.data(), ring, slot, dy.data() + token * kStride, kStride,
                          columns.data() + row, column, steps.data(), later, rows);
    const float* const run = lambda.data() + slot * kWidth;
    own_inputs<kChannels>(dx.data() + token * kStride, down.data() + token * kOwn, kOwn, kOwn,
                          x.data() + token * kStride, kStride, own.data() + token * kOwn, run, rows,
                          false, dy.data() + token * kStride,
                          slopes.data() + token * (kEntries + 1), kEntries + 1, kEntries);
    if (size == most) {
      keep_run<kChannels>(values.data(), ring, slot + longest,
                          y.data() + (token - longest) * kStride, kStride, rows);
    }
    slope_run<kWidth>(slopes.data() + token * (kEntries + 1), kEntries + 1, kEntries, run,
                      values.data(), ring, slot, steps.data(), size, rows);
    for (Index r = 0; r < rows; ++r) {
      const Index t = token - r;
      for (int d = 0; d < kChannels; ++d) {
        float exact = to_float(dy[static_cast<std::size_t>(t * kStride + d)]);
        for (Index e = 0; e < most; ++e) {
          const Index reader = t - steps[static_cast<std::size_t>(e)];
          if (reader >= tokens) continue;
          exact += to_float(weights[static_cast<std::size_t>(reader * kEntries + e)]) *
                   exact_lambda[static_cast<std::size_t>(reader * kChannels + d)];
        }
        exact_lambda[static_cast<std::size_t>(t * kChannels + d)] = exact;
        if (run[r * kWidth + d] != exact) FAIL("lambda of token " << t);
      }
    }
    seen += rows;
    row += rows;
    slot += rows;
    if (slot == ring) slot = 0;
  }
  CHECK(seen == tokens);
  CHECK(lambda.back() == -7.0f);
  CHECK(values.back() == -7.0f);
  const auto rounded = [](float value) {
    T stored;
    store_real(&stored, value);
    return to_float(stored);
  };
  for (Index t = 0; t < tokens; ++t) {
    const float* const row = exact_lambda.data() + t * kChannels;
    const auto product = [&](const std::vector<T>& others, Index other) {
      float sum = 0.0f;
      for (int d = 0; d < kChannels; ++d) {
        sum += row[d] * to_float(others[static_cast<std::size_t>(other * kStride + d)]);
      }
      return rounded(sum);
    };
    const float weight = to_float(own[static_cast<std::size_t>(t * kOwn)]);
    for (int d = 0; d < kStride; ++d) {
      const float exact = d < kChannels ? rounded(weight * row[d]) : -7.0f;
      if (to_float(dx[static_cast<std::size_t>(t * kStride + d)]) != exact) FAIL("dx of " << t);
    }
    if (to_float(down[static_cast<std::size_t>(t * kOwn)]) != product(x, t)) FAIL("da of " << t);
    if (to_float(down[static_cast<std::size_t>(t * kOwn + 1)]) != 0.0f) FAIL("da behind " << t);
    for (Index e = 0; e <= kEntries; ++e) {
      float exact = e < kEntries ? 0.0f : -7.0f;
      if (e < most && t + steps[static_cast<std::size_t>(e)] >= 0) {
        exact = product(y, t + steps[static_cast<std::size_t>(e)]);
      }
      const float slope = to_float(slopes[static_cast<std::size_t>(t * (kEntries + 1) + e)]);
      if (slope != exact) FAIL("slope " << e << " of " << t);
    }
  }
}
TEST_CASE("gradients of short rows come run by run, out of rings") {
  const std::vector<Index> near = {-1}, some = {-1, -2, -4, -8, -16, -32, -64};
  std::vector<Index> many;  // two lots of far windows, and more near ones than are taken at once
  for (Index k = 0; k < 19; ++k) many.push_back(k < 9 ? -k - 1 : -10 - (k - 8) * 9);
  // The longest step that stays inside a run, and seven behind it.
  const std::vector<Index> edge = {-1, -15, -16, -17, -18, -19, -20, -21, -22};
  for (const auto& steps : {near, some, many, edge}) {
    check_runs<64, float>(steps, 230);
    check_runs<72, float>(steps, 131);
    check_runs<30, float>(steps, 131);
    check_runs<64, bf16>(steps, 150);
    check_runs<64, f16>(steps, 150);
    check_runs<264, float>(steps, 115);
  }
}

// A head of two through its matrix states, run by run, against the recurrences themselves. All
// numbers are small integers. A row has a gate, or one for each row of a state.
template <int kChannels, int kStates, typename T, bool kByKey = false>
void check_matrix_runs(Index tokens) {
  constexpr int kWidth = padded(kChannels), kDepth = padded(kStates);
  constexpr Index kHeads = 2, kKeys = kHeads * kStates, kValues = kHeads * kChannels;
  const auto make = [](Index count, int factor) {
    std::vector<T> values(static_cast<std::size_t>(count));
    for (std::size_t at = 0; at < values.size(); ++at) {
      store_real(&values[at], static_cast<float>(static_cast<int>(at) * factor % 23 % 3 - 1));
    }
    return values;
  };
  const std::vector<T> q = make(tokens * kKeys, 31), k = make(tokens * kKeys, 17);
  const std::vector<T> x = make(tokens * kValues, 13), dy = make(tokens * kValues, 29);
  constexpr Index kGates = kByKey ? kStates : 1;
  std::vector<float> gate(static_cast<std::size_t>(tokens * kHeads * kGates), 1.0f);
  const auto gate_at = [](Index t, Index s) {
    return static_cast<std::size_t>(t * kHeads * kGates + s % kGates);
  };
  for (Index t = 0; t < tokens; ++t) {
    for (Index s = 0; s < kGates; ++s) {
      const Index kind = t + 2 * s;
      gate[gate_at(t, s)] = kind == 5 || kind == 21 ? 0.0f : kind % 3 == 1 ? -1.0f : 1.0f;
    }
  }
  T unwritten;
  store_real(&unwritten, -7.0f);
  std::vector<T> dq(q.size(), unwritten), dk(k.size(), unwritten), dx(x.size(), unwritten);
  std::vector<float> dgate(gate.size(), -7.0f);
  using State = std::vector<float>;
  const auto at = [](Index s, Index d) { return static_cast<std::size_t>(s * kWidth + d); };
  State state(kDepth * kWidth, 0.0f), slope = state;
  for (Index s = 0; s < kStates; ++s) {
    for (Index d = 0; d < kChannels; ++d) {
      state[at(s, d)] = static_cast<float>((s * 7 + d) % 3 - 1);
      slope[at(s, d)] = static_cast<float>((s + d * 5) % 5 - 2);
    }
  }
  State before = state, behind = slope;  // of the recurrences
  const auto element = [](const std::vector<T>& all, Index row, Index width, Index column) {
    return to_float(all[static_cast<std::size_t>(row * kHeads * width + column)]);
  };
  const auto gate_of = [&](Index t, Index s) { return gate[gate_at(t, s)]; };
  std::vector<State> states;  // before each token
  for (Index t = 0; t < tokens; ++t) {
    states.push_back(before);
    for (Index s = 0; s < kStates; ++s) {
      for (Index d = 0; d < kChannels; ++d) {
        float& here = before[at(s, d)];
        here = gate_of(t, s) * here + element(k, t, kStates, s) * element(x, t, kChannels, d);
      }
    }
  }

  std::vector<State> kept;  // before each run
  for (Index first = 0; first < tokens; first += kMatrixRows) {
    kept.push_back(state);
    if (state != states[static_cast<std::size_t>(first)]) FAIL("the state before " << first);
    if (first + kMatrixRows > tokens) break;
    const auto advance = kByKey ? &matrix_advance_by_key<kChannels, kStates, T>
                                : &matrix_advance<kChannels, kStates, T>;
    advance(state.data(), x.data() + first * kValues, k.data() + first * kKeys,
            gate.data() + first * kHeads * kGates, kHeads);
  }
  for (Index first = (tokens - 1) / kMatrixRows * kMatrixRows; first >= 0; first -= kMatrixRows) {
    const Index keys = first * kKeys, values = first * kValues, gates = first * kHeads * kGates;
    const auto back =
        kByKey ? &matrix_back_by_key<kChannels, kStates, T> : &matrix_back<kChannels, kStates, T>;
    back(dq.data() + keys, dk.data() + keys, dx.data() + values, dgate.data() + gates,
         q.data() + keys, k.data() + keys, x.data() + values, dy.data() + values,
         gate.data() + gates, kHeads, kept[static_cast<std::size_t>(first / kMatrixRows)].data(),
         slope.data(), std::min<Index>(kMatrixRows, tokens - first));
  }

  const auto rounded = [](float value) {
    T stored;
    store_real(&stored, value);
    return to_float(stored);
  };
  for (Index t = tokens - 1; t >= 0; --t) {
    const State& last = states[static_cast<std::size_t>(t)];
    std::vector<float> reads(kStates), writes(kStates), outputs(kChannels);
    std::vector<float> overlaps(kGates);
    for (Index s = 0; s < kStates; ++s) {
      const float query = element(q, t, kStates, s), key = element(k, t, kStates, s);
      for (Index d = 0; d < kChannels; ++d) {
        const float value = element(x, t, kChannels, d), change = element(dy, t, kChannels, d);
        float& here = behind[at(s, d)];
        here += query * change;
        reads[static_cast<std::size_t>(s)] +=
            (gate_of(t, s) * last[at(s, d)] + key * value) * change;
        writes[static_cast<std::size_t>(s)] += here * value;
        outputs[static_cast<std::size_t>(d)] += here * key;
        overlaps[static_cast<std::size_t>(s % kGates)] += here * last[at(s, d)];
        here *= gate_of(t, s);
      }
    }
    for (Index s = 0; s < kStates; ++s) {
      if (element(dq, t, kStates, s) != rounded(reads[static_cast<std::size_t>(s)]))
        FAIL("dq " << t);
      if (element(dk, t, kStates, s) != rounded(writes[static_cast<std::size_t>(s)]))
        FAIL("dk " << t);
      if (element(dq, t, kStates, s + kStates) != -7.0f) FAIL("dq of another head " << t);
      if (element(dk, t, kStates, s + kStates) != -7.0f) FAIL("dk of another head " << t);
    }
    for (Index d = 0; d < kChannels; ++d) {
      if (element(dx, t, kChannels, d) != rounded(outputs[static_cast<std::size_t>(d)]))
        FAIL("dx " << t);
      if (element(dx, t, kChannels, d + kChannels) != -7.0f) FAIL("dx of another head " << t);
    }
    for (Index s = 0; s < kGates; ++s) {
      if (dgate[gate_at(t, s)] != overlaps[static_cast<std::size_t>(s)]) FAIL("dgate " << t);
      if (dgate[gate_at(t, s) + kGates] != -7.0f) FAIL("dgate of another head");
    }
  }
  CHECK(slope == behind);
}
// Rows behind the end of a sequence may hold anything.
TEST_CASE("what is no number in a row of matrix states stays out of the rows before it") {
  constexpr int kChannels = 24, kStates = 5;
  for (Index bad = 0; bad < kMatrixRows; ++bad) {
    std::vector<float> x(kMatrixRows * kChannels, 1.0f), y(x.size());
    std::vector<float> q(kMatrixRows * kStates, 0.5f), k = q, gate(kMatrixRows, 0.5f);
    std::vector<float> state(kStates * kChannels, 0.0f);
    const float none = std::numeric_limits<float>::quiet_NaN();
    std::fill_n(x.begin() + bad * kChannels, kChannels, none);
    std::fill_n(k.begin() + bad * kStates, kStates, std::numeric_limits<float>::infinity());
    std::fill_n(q.begin() + bad * kStates, kStates, none);
    gate[static_cast<std::size_t>(bad)] = none;
    matrix_rows<kChannels>(y.data(), x.data(), q.data(), k.data(), gate.data(), 1, state.data(),
                           kStates, kMatrixRows);
    for (Index at = 0; at < bad * kChannels; ++at) {
      CHECK(std::isfinite(y[static_cast<std::size_t>(at)]));
    }
    std::vector<float> gates(q.size(), 0.5f);
    std::fill_n(gates.begin() + bad * kStates, kStates, none);
    std::fill(state.begin(), state.end(), 0.0f);
    std::fill(y.begin(), y.end(), none);
    matrix_rows_by_key<kChannels>(y.data(), x.data(), q.data(), k.data(), gates.data(), 1,
                                  state.data(), kStates, kMatrixRows);
    for (Index at = 0; at < bad * kChannels; ++at) {
      CHECK(std::isfinite(y[static_cast<std::size_t>(at)]));
    }
  }
}

TEST_CASE("gradients of matrix states come run by run, whatever the gates") {
  check_matrix_runs<64, 64, float>(43);
  check_matrix_runs<48, 16, bf16>(48);
  check_matrix_runs<48, 16, f16>(33);
  check_matrix_runs<3, 5, float>(7);
  check_matrix_runs<33, 7, f16>(43);
  check_matrix_runs<100, 30, bf16>(33);
  check_matrix_runs<8, 72, float>(50);
}
TEST_CASE("gradients come run by run with a gate for each key") {
  check_matrix_runs<64, 64, float, true>(43);
  check_matrix_runs<48, 16, bf16, true>(48);
  check_matrix_runs<3, 5, float, true>(7);
  check_matrix_runs<33, 7, f16, true>(43);
  check_matrix_runs<100, 30, bf16, true>(33);
  check_matrix_runs<8, 72, float, true>(50);
}

TEST_CASE("scores become softmax weights of two kinds") {
  for (const Index count : {0, 1, 5, 8, 13, 16, 40}) {
    for (const Index first : {Index(0), Index(1), count / 2, count}) {
      if (first > count) continue;
      std::vector<float> scores;
      std::vector<double> exact;
      double total = 0.0;
      for (Index e = 0; e < count; ++e) {
        scores.push_back(static_cast<float>(e * 31 % 17 - 8) * 1.7f);
        const double factor = e < first ? 0.3 : 0.7;
        exact.push_back(factor * std::exp(0.25 * static_cast<double>(scores.back())));
        total += exact.back();
      }
      const float inverse = weigh_scores(scores.data(), first, count, 0.25f, 0.3f, 0.7f);
      if (count == 0) CHECK(inverse == 0.0f);
      for (std::size_t e = 0; e < exact.size(); ++e) {
        const double weight = static_cast<double>(scores[e]) * static_cast<double>(inverse);
        if (!(std::abs(weight - exact[e] / total) < 1e-6)) FAIL(count << " scores, weight " << e);
      }
    }
  }
}

TEST_CASE("a closed row goes to the caller, and to later rows as they would read it") {
  float mixed[24], kept[24];
  for (int d = 0; d < 24; ++d) mixed[d] = d < 19 ? 0.1f * static_cast<float>(d) : 0.0f;
  for (const bool around : {false, true}) {
    alignas(64) float y[20] = {};
    y[19] = -7.0f;
    close_row<19>(y, kept, mixed, 3.0f, around);
    bf16 narrow[19];
    f16 half[19];
    float rounded[24], rounded_half[24];
    close_row<19>(narrow, rounded, mixed, 3.0f, around);
    close_row<19>(half, rounded_half, mixed, 3.0f, around);
    for (int d = 0; d < 24; ++d) {
      const float exact = mixed[d] * 3.0f;
      if (kept[d] != exact || rounded[d] != rounded_to_bf16(exact)) FAIL("channel " << d);
      if (rounded_half[d] != rounded_to_f16(exact)) FAIL("channel " << d << " in f16");
      if (d >= 19) continue;
      if (y[d] != exact || to_float(narrow[d]) != rounded[d]) FAIL("channel " << d << " of y");
      if (to_float(half[d]) != rounded_half[d]) FAIL("channel " << d << " of y in f16");
    }
    CHECK(y[19] == -7.0f);
  }
  alignas(64) float aligned[33] = {}, from[32];
  for (int d = 0; d < 32; ++d) from[d] = static_cast<float>(d);
  send_row<32>(aligned, from, true);
  settle_stores();
  CHECK(std::equal(from, from + 32, aligned));
  send_row<32>(aligned + 1, from, true);  // not where lines begin
  settle_stores();
  CHECK(std::equal(from, from + 32, aligned + 1));
}

TEST_CASE("slots and positions are found wherever they are") {
  std::vector<int> slots;
  std::vector<Index> list;
  for (int at = 0; at < 37; ++at) {
    slots.push_back(at % 3 == 0 ? 0 : 1000 - 7 * at);
    list.push_back(5 * at + 1);
  }
  for (int at = 0; at < 37; ++at) {
    if (at % 3 != 0 && find_slot(slots.data(), 37, 1000 - 7 * at) != at) FAIL("slot " << at);
    if (find_slot(slots.data(), at, 1000 - 7 * at) != 0) FAIL("behind the last slot");
    if (holds_position(list.data(), 37, 5 * at + 1) != 1) FAIL("entry " << at);
    if (holds_position(list.data(), 37, 5 * at + 2) != 0) FAIL("between entries " << at);
    if (holds_position(list.data(), at, 5 * at + 1) != 0) FAIL("behind the last entry");
  }
}

namespace {

constexpr Index kLatticeRows = 700;

struct LatticeTerms {
  LatticeTerms(const char* of, Index (*f)(Index)) : name(of) {
    for (Index k = 0; f(k) <= kLatticeRows; ++k) {
      first.push_back(f(k));
      const auto last = static_cast<std::size_t>(k);
      step.push_back(k == 0 ? 1 : step[last - 1] * ceil_div(f(k) - f(k - 1), step[last - 1]));
    }
  }
  std::vector<Index> opened(Index row) const {
    const auto terms = static_cast<Index>(first.size());
    std::vector<Index> lattice(static_cast<std::size_t>(lattice_extent(terms)), -1);
    lattice_open(lattice.data(), terms);
    for (std::size_t k = 0; k < first.size(); ++k) lattice_term(lattice.data(), first[k], step[k]);
    lattice_start(lattice.data(), row);
    return lattice;
  }
  // Descending, since p_k falls.
  std::vector<Index> row(Index i) const {
    std::vector<Index> exact;
    for (std::size_t k = 0; k < first.size() && first[k] < i; ++k) {
      const Index p = step[k] * ceil_div(i - first[k], step[k]);
      if (exact.empty() || exact.back() != p) exact.push_back(p);
    }
    return exact;
  }

  const char* name;
  std::vector<Index> first, step;
};

std::vector<LatticeTerms> lattices() {
  return {{"2^k", [](Index k) { return Index(1) << k; }},
          {"k^2 + 1", [](Index k) { return k * k + 1; }},
          {"3 k + 1", [](Index k) { return 3 * k + 1; }},
          {"k + 1", [](Index k) { return k + 1; }}};
}

}  // namespace

TEST_CASE("a lattice holds in its slots what every row reads") {
  for (const LatticeTerms& terms : lattices()) {
    for (const Index start : {0, 1, 2, 9, 100, 333}) {
      std::vector<Index> lattice = terms.opened(start + 1);
      const std::vector<Index>& first = terms.first;
      const char* const name = terms.name;
      std::vector<Index> held(first.size() + 1, 0);  // the position in each slot
      const auto at = [&](Index index) { return lattice[static_cast<std::size_t>(index)]; };
      for (Index e = 0; e < at(kSize); ++e) {
        held[static_cast<std::size_t>(at(lattice_slots(lattice.data()) + e))] =
            at(lattice_positions(lattice.data()) + e);
      }
      for (Index row = start + 1; row < kLatticeRows; ++row) {
        const std::vector<Index> exact = terms.row(row);
        if (at(kSize) != static_cast<Index>(exact.size())) FAIL(name << ": size of row " << row);
        for (std::size_t e = 0; e < exact.size(); ++e) {
          const auto entry = static_cast<Index>(e);
          const Index slot = at(lattice_slots(lattice.data()) + entry);
          if (at(lattice_positions(lattice.data()) + entry) != exact[e] ||
              held[static_cast<std::size_t>(slot)] != exact[e]) {
            FAIL(name << " from " << start << ": row " << row << " entry " << e);
          }
        }
        held[static_cast<std::size_t>(lattice_next(lattice.data()))] = row;
      }
    }
  }
}

TEST_CASE("a lattice is followed backwards from its last row") {
  for (const LatticeTerms& terms : lattices()) {
    const auto room = static_cast<Index>(terms.first.size()) + 1;
    for (const Index last : {1, 2, 10, 333, 700}) {
      std::vector<Index> lattice = terms.opened(1);
      std::vector<Index> journal(static_cast<std::size_t>(journal_extent(last, room - 1)), -1);
      lattice_record(lattice.data(), journal.data(), last);
      for (int pass = 0; pass < 2; ++pass) {
        lattice_wind(lattice.data(), journal.data());
        std::vector<Index> held(static_cast<std::size_t>(room), 0);  // the position in each slot
        std::vector<std::vector<Index>> coming(kLatticeRows + 1);
        const auto at = [&](Index index) { return lattice[static_cast<std::size_t>(index)]; };
        for (Index row = last; row >= 1; --row) {
          const std::vector<Index> exact = terms.row(row);
          if (lattice_size(lattice.data()) != static_cast<Index>(exact.size())) FAIL(terms.name);
          for (std::size_t e = 0; e < exact.size(); ++e) {
            const auto entry = static_cast<Index>(e);
            const Index slot = at(lattice_slots(lattice.data()) + entry);
            if (row == last) held[static_cast<std::size_t>(slot)] = exact[e];
            if (at(lattice_positions(lattice.data()) + entry) != exact[e] ||
                held[static_cast<std::size_t>(slot)] != exact[e]) {
              FAIL(terms.name << " back from " << last << ": row " << row << " entry " << e);
            }
          }
          if (row == 1) break;
          const Index left = lattice_back(lattice.data(), journal.data());
          if (held[static_cast<std::size_t>(left)] != row - 1) FAIL(terms.name << ": slot left");
          std::vector<Index> returned;
          for (Index e = 0; e < lattice_returned(lattice.data()); ++e) {
            const Index p = lattice_returned_position(lattice.data(), e);
            held[static_cast<std::size_t>(lattice_returned_slot(lattice.data(), e))] = p;
            returned.push_back(p);
          }
          if (row + kRowsAhead <= last && returned != coming[static_cast<std::size_t>(row)]) {
            FAIL(terms.name << ": what was said to come back to row " << row - 1);
          }
          if (row <= kRowsAhead) continue;
          for (Index e = 0; e < lattice_ahead(journal.data()); ++e) {
            coming[static_cast<std::size_t>(row - kRowsAhead)].push_back(
                lattice_ahead_position(journal.data(), e));
          }
        }
      }
    }
  }
}

TEST_CASE("a group of lattice rows mixes what each of them reads") {
  constexpr int kWidth = 24;
  const auto value = [](Index p, int d) { return static_cast<float>((p * 31 + d) % 13 - 6); };
  const auto weight = [](Index row, Index e) { return static_cast<float>((row * 7 + e) % 5 - 2); };
  for (const LatticeTerms& terms : lattices()) {
    for (const Index start : {0, 5, 100}) {
      std::vector<Index> lattice = terms.opened(start + 1);
      const auto room = static_cast<Index>(terms.first.size()) + 1;
      std::vector<float> rows(static_cast<std::size_t>(room * kWidth), 1e6f);
      const auto keep = [&](Index slot, Index p) {
        for (int d = 0; d < kWidth; ++d) {
          rows[static_cast<std::size_t>(slot * kWidth + d)] = value(p, d);
        }
      };
      for (Index e = 0; e < lattice_size(lattice.data()); ++e) {
        keep(lattice[static_cast<std::size_t>(lattice_slots(lattice.data()) + e)],
             lattice[static_cast<std::size_t>(lattice_positions(lattice.data()) + e)]);
      }
      Index groups_of_all = 0;
      for (Index row = start + 1; row + 8 < kLatticeRows;) {
        std::vector<float> weights;
        for (Index r = 0; r < kGroupRows; ++r) {
          for (Index e = 0; e < room; ++e) weights.push_back(weight(row + r, e));
        }
        std::vector<float> mixed(kGroupRows * kWidth, 1.0f);
        const Index wanted = 1 + (row / 3) % 6;
        const Index group = lattice_group(lattice.data(), wanted);
        if (group < 1 || group > wanted || group > kGroupRows) FAIL(terms.name << ": group");
        groups_of_all += group == kGroupRows ? 1 : 0;
        mix_group<kWidth>(mixed.data(), weights.data(), room, rows.data(), lattice.data());
        for (Index r = 0; r < group; ++r, ++row) {
          float* const sums = mixed.data() + r * kWidth;
          mix_near<kWidth>(sums, weights.data() + r * room, rows.data(), lattice.data(), r);
          const std::vector<Index> exact = terms.row(row);
          for (int d = 0; d < kWidth; ++d) {
            float sum = 1.0f;
            for (std::size_t e = 0; e < exact.size(); ++e) {
              sum += weight(row, static_cast<Index>(e)) * value(exact[e], d);
            }
            if (sums[d] != sum) FAIL(terms.name << " from " << start << ": row " << row);
          }
          keep(lattice_slot(lattice.data(), r), row);
        }
      }
      CHECK(groups_of_all > 10);
    }
  }
}

}  // namespace heddle
