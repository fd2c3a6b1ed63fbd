// SPDX-License-Identifier: Apache-2.0
// Hops where rows are translates: a search by levels over distances. A level is spread over the
// reads either token by token, each new distance being met once, or as shifts of a bit set, which
// is cheaper as soon as a level is crowded.
#include <algorithm>
#include <bit>
#include <numeric>

#include "analyzer/measures/hops.hpp"
#include "analyzer/measures/invariance.hpp"

namespace heddle {
namespace {

constexpr std::int64_t kWordBits = 64;
using Bits = std::vector<std::uint64_t>;

// target |= source << shift, over as many words.
void or_shifted(const Bits& source, std::int64_t shift, Bits& target) {
  const auto words = static_cast<std::size_t>(shift / kWordBits);
  const int bits = static_cast<int>(shift % kWordBits);
  if (bits == 0) {
    for (std::size_t w = words; w < target.size(); ++w) target[w] |= source[w - words];
    return;
  }
  if (words < target.size()) target[words] |= source[0] << bits;
  for (std::size_t w = words + 1; w < target.size(); ++w) {
    target[w] |= source[w - words] << bits | source[w - words - 1] >> (kWordBits - bits);
  }
}

// The union of source << 0 .. source << (length - 1), by doubling.
Bits smeared(Bits source, std::int64_t length) {
  for (std::int64_t done = 1; done < length;) {
    const std::int64_t step = std::min(done, length - done);
    const Bits before = source;
    or_shifted(before, step, source);
    done += step;
  }
  return source;
}

class LevelSearch {
 public:
  LevelSearch(std::int64_t n, const IntervalList& outputs)
      : n_(n), outputs_(outputs), hops_(static_cast<std::size_t>(n), kUnreachable) {
    next_.resize(static_cast<std::size_t>(n) + 1);
    std::iota(next_.begin(), next_.end(), 0);
  }

  std::vector<std::int32_t> run(const IntervalList& inputs) {
    std::vector<std::int64_t> level, further;
    if (contains(inputs, 0)) visit_range(0, 0, 0, level);
    for (std::int32_t hops = 1; hops == 1 || !level.empty(); ++hops) {
      further.clear();
      // Distances of inputs that are more than zero take one hop, and are then like the others.
      if (hops == 1) {
        for (const Interval& input : inputs) visit_range(input.low, input.high, hops, further);
      }
      const auto words = (n_ + kWordBits - 1) / kWordBits;
      if (static_cast<std::int64_t>(level.size()) > words / 4) {
        spread_bits(level, hops, further);
      } else {
        for (const std::int64_t d : level) {
          for (const Interval& output : outputs_) {
            if (output.low >= n_ - d) break;
            visit_range(d + output.low, d + output.high, hops, further);
          }
        }
      }
      level.swap(further);
    }
    return std::move(hops_);
  }

 private:
  // The first distance >= d that is not visited yet, n when there is none.
  std::int64_t unvisited(std::int64_t d) {
    std::int64_t root = d;
    while (next_[static_cast<std::size_t>(root)] != root)
      root = next_[static_cast<std::size_t>(root)];
    while (next_[static_cast<std::size_t>(d)] != root) {
      d = std::exchange(next_[static_cast<std::size_t>(d)], root);
    }
    return root;
  }

  void visit_range(std::int64_t low, std::int64_t high, std::int32_t hops,
                   std::vector<std::int64_t>& level) {
    if (low >= n_) return;
    high = std::min(high, n_ - 1);
    for (std::int64_t d = unvisited(low); d <= high; d = unvisited(d + 1)) {
      hops_[static_cast<std::size_t>(d)] = hops;
      next_[static_cast<std::size_t>(d)] = d + 1;
      level.push_back(d);
    }
  }

  void spread_bits(const std::vector<std::int64_t>& level, std::int32_t hops,
                   std::vector<std::int64_t>& further) {
    Bits from(static_cast<std::size_t>((n_ + kWordBits - 1) / kWordBits), 0);
    for (const std::int64_t d : level) {
      from[static_cast<std::size_t>(d / kWordBits)] |= std::uint64_t{1} << (d % kWordBits);
    }
    Bits reached(from.size(), 0);
    for (const Interval& output : outputs_) {
      if (output.low >= n_) break;
      const std::int64_t length = std::min(output.high, n_ - 1) - output.low + 1;
      or_shifted(length == 1 ? from : smeared(from, length), output.low, reached);
    }
    for (std::size_t w = 0; w < reached.size(); ++w) {
      for (std::uint64_t left = reached[w]; left != 0; left &= left - 1) {
        const std::int64_t d = static_cast<std::int64_t>(w) * kWordBits + std::countr_zero(left);
        visit_range(d, d, hops, further);
      }
    }
  }

  std::int64_t n_;
  const IntervalList& outputs_;
  std::vector<std::int32_t> hops_;
  std::vector<std::int64_t> next_;
};

}  // namespace

std::optional<std::vector<std::int32_t>> hops_by_distance(const Rows& rows) {
  const auto inputs = invariant_offsets(rows.a);
  if (!inputs) return std::nullopt;
  const auto outputs = invariant_offsets(rows.b);
  if (!outputs) return std::nullopt;
  return LevelSearch(rows.n(), *outputs).run(*inputs);
}

}  // namespace heddle
