// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/staged_plan.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "codegen/rows/row_shape.hpp"
#include "codegen/schedule/chunk_entries.hpp"
#include "codegen/schedule/chunk_solve.hpp"
#include "codegen/schedule/distance_plan.hpp"
#include "codegen/schedule/input_plan.hpp"
#include "codegen/schedule/near_gates.hpp"
#include "codegen/schedule/prefill_cost.hpp"
#include "codegen/schedule/row_gates.hpp"
#include "codegen/schedule/row_lanes.hpp"

namespace heddle::schedule {
namespace {

constexpr std::int64_t kLiveListBytes = 7 * 8;  // of a live row, see LiveList
constexpr std::int64_t kMostLive = 256;
static_assert(kMostLive + 1 < kCellPlaces, "cells tell all live rows apart");
constexpr std::int64_t kDeclaredBytes = 48 * 1024;  // that may be declared with a length
constexpr std::int64_t kLiveBytes = 64;             // of LiveList besides
constexpr std::int64_t kMostTileRows = 1024;

// Entries that a ring of `rows` does not hold.
std::int64_t beyond_ring(const Reach& reach, std::int64_t rows, std::int64_t chunk) {
  std::int64_t count = 0;
  for (auto at = static_cast<std::size_t>(rows - chunk) + 1; at < reach.entries.size(); ++at) {
    count += reach.entries[at];
  }
  return count;
}

class Planner {
 public:
  Planner(const KernelSpec& spec, const Rows& rows, const StagedLimits& limits, int chunk,
          bool transposed)
      : spec_(spec),
        rows_(rows),
        limits_(limits),
        tokens_(rows.n() - 1),
        chunk_(chunk),
        transposed_(transposed),
        keyed_(spec.weights == WeightKind::kSoftmax),
        solves_(!spec.b.empty()),
        row_bytes_(spec.head_dim * static_cast<std::int64_t>(size_of(spec.dtype))),
        reach_(reach_of(solves_ ? rows.b : rows.a, tokens_, chunk_)) {
    plan_.staging.chunk_rows = chunk_;
    if (gated() && lattice()) near_ = NearGates::entries_of(spec, chunk_);
  }

  Result<StagedPlan> run() {
    const rows::RowShape a = rows::shape_of(spec_.a);
    if (solves_ && a != rows::RowShape::kEmpty && a != rows::RowShape::kItself) {
      if (const std::optional<StagedPlan> tiles = plan_tiles()) return *tiles;
      return Error{"rows reach back on both sides, and not by the same offsets in each"};
    }
    if (gated() && solves_ && !near_ && !few_distances(spec_, chunk_)) {
      return Error{lattice() ? "gated rows have many coefficients within a chunk"
                             : "gated rows have coefficients of many distances within a chunk"};
    }
    plan_.staging.gate_rows = gate_rows();
    const std::int64_t room = room_for_rows();
    const std::int64_t parts = keyed_ ? 2 : 1;
    if (room < least_rows() * row_bytes_) return Error{"a chunk does not fit into shared memory"};
    const std::int64_t far = choose_rings(room / row_bytes_);
    // A ring that misses a row in fifty or fewer is cheaper than a list of what is live.
    if ((!gated() || near_) && far * 50 > parts * tokens_ &&
        spec_.keep_b == CacheRetention::kNextRow && solves_) {
      return plan_live(room);
    }
    plan_ = finished(far);
    if (const std::optional<StagedPlan> tiles = plan_tiles()) {
      if (tiles->prediction.bytes < plan_.prediction.bytes) return *tiles;
    }
    return plan_;
  }

  // Nothing but rings, for chunks that need not fit.
  std::optional<StagedPlan> only_rings() {
    plan_.staging.gate_rows = gate_rows();
    const std::int64_t room = room_for_rows();
    if (fixed_bytes() > kDeclaredBytes || room < least_rows() * row_bytes_) return std::nullopt;
    return finished(choose_rings(room / row_bytes_));
  }

 private:
  bool gated() const { return spec_.by_channel(); }
  bool lattice() const { return rows::shape_of(spec_.b) == rows::RowShape::kLattice; }
  std::int64_t gate_rows() const {
    if (!gated()) return 0;
    const bool groups = lanes_of_rows(spec_) < RowLanes::kWarp;
    if (near_) {
      return NearGates::gate_rows(*near_, chunk_) + (groups ? chunk_ * RowGates::kSlots : 0);
    }
    const std::int64_t near = solves_ ? ChunkSolve::gate_rows(spec_, chunk_) : 0;
    const bool ahead = !transposed_ && groups &&
                       rows::shape_of(solves_ ? spec_.b : spec_.a) == rows::RowShape::kShifted;
    // A group of lanes for each row of a chunk.
    return near + (ahead ? chunk_ * RowGates::kSlots : 0);
  }
  std::int64_t room_for_rows() const {
    return limits_.shared_bytes - fixed_bytes() - gate_rows() * row_bytes_;
  }
  std::int64_t whole_chunks() const { return (tokens_ + chunk_ - 1) / chunk_ * chunk_; }

  // What is declared with a length: see StagedPrefill and LiveList.
  std::int64_t fixed_bytes() const {
    const bool in_place = spec_.dtype == ElementType::kF32;
    const std::int64_t sums = in_place ? 0 : chunk_ * spec_.head_dim * 4;
    if (near_) return sums + NearGates::bytes_of(*near_, chunk_, lanes_of_rows(spec_));
    if (gated()) return solves_ ? sums : 0;
    return solves_ ? ChunkSolve::bytes_of(spec_, chunk_, lanes_of_rows(spec_)) + sums : 0;
  }

  // Of a ring whose next chunk comes in while rows ask for this one, the room for both at least.
  std::int64_t step(bool fetched) const { return fetched ? 2 * chunk_ : chunk_; }
  bool early() const { return !fetches_late(spec_, plan_.staging); }
  std::int64_t key_step() const { return keyed_ ? step(early()) : 0; }
  std::int64_t value_step() const { return step(!solves_ && early()); }
  std::int64_t least_rows() const { return key_step() + value_step(); }

  // Returns the rows that are then asked for beyond the rings, keys and values counted apart.
  std::int64_t choose_rings(std::int64_t room) {
    const std::int64_t longest = (tokens_ + 2 * chunk_ - 1) / (2 * chunk_) * (2 * chunk_);
    std::vector<std::int64_t> beyond;  // of 1, 2, ... chunks
    for (std::int64_t rows = chunk_; rows <= longest; rows += chunk_) {
      beyond.push_back(beyond_ring(reach_, rows, chunk_));
    }
    // A ring that has room for every row loses none; see StagedRows::begin_chunk.
    const auto missed = [&](std::int64_t rows, bool fetched) {
      if (rows >= tokens_) return std::int64_t{0};
      return beyond[static_cast<std::size_t>((fetched ? rows - chunk_ : rows) / chunk_ - 1)];
    };
    std::int64_t best = -1;
    for (std::int64_t keys = key_step(); keys <= std::min(longest, room - value_step());
         keys += key_step()) {
      for (std::int64_t values = value_step(); values <= std::min(longest, room - keys);
           values += value_step()) {
        const std::int64_t far =
            (keyed_ ? missed(keys, early()) : 0) + missed(values, !solves_ && early());
        const std::int64_t size = keys + values;
        if (best >= 0 && far > best) continue;
        if (far == best && size >= plan_.staging.key_rows + plan_.staging.value_rows) continue;
        best = far;
        plan_.staging.key_rows = keys;
        plan_.staging.value_rows = values;
      }
      if (!keyed_) break;
    }
    return best;
  }

  Result<StagedPlan> plan_live(std::int64_t room) {
    const std::int64_t parts = keyed_ ? 2 : 1;
    plan_.staging.key_rows = keyed_ ? step(true) : 0;
    plan_.staging.value_rows = value_step();
    room -= (plan_.staging.key_rows + plan_.staging.value_rows) * row_bytes_ + kLiveBytes;
    plan_.staging.live_rows = std::min(
        {limits_.slots, kMostLive, (kDeclaredBytes - fixed_bytes() - kLiveBytes) / kLiveListBytes,
         room / (parts * row_bytes_ + kLiveListBytes)});
    if (plan_.staging.live_rows < 1) return Error{"the live rows do not fit into shared memory"};
    // One more than rows need, which keeps the list.
    ++plan_.staging.warps;
    const std::int64_t lists = plan_.staging.live_rows * kLiveListBytes;
    plan_.staging.live_terms =
        terms_within(std::min(kDeclaredBytes - fixed_bytes() - kLiveBytes - lists,
                              room - lists - plan_.staging.live_rows * parts * row_bytes_));
    // Of the chunk's list the largest positions come first; what does not fit is asked for.
    std::int64_t far = 0;
    for (std::int64_t i = 1; i <= tokens_; ++i) {
      const std::int64_t final_to = (i - 1) / chunk_ * chunk_;
      std::int64_t smallest = 0;
      if (rows_.b.size(final_to + 1) > plan_.staging.live_rows) {
        std::vector<std::int64_t> live;
        for_each_position(rows_.b, final_to + 1, [&](std::int64_t p) { live.push_back(p); });
        smallest = live[live.size() - static_cast<std::size_t>(plan_.staging.live_rows)];
      }
      if (smallest == 0) continue;
      for_each_position(rows_.b, i, [&](std::int64_t p) { far += p < smallest ? parts : 0; });
    }
    return finished(far);
  }

  // Of a lattice, all that the longest row has that slots are known for, if there is room.
  std::int64_t terms_within(std::int64_t bytes) const {
    if (rows::shape_of(spec_.b) != rows::RowShape::kLattice) return 0;
    const std::int64_t terms = terms_of_all_rows(spec_).value_or(limits_.slots);
    return terms * bytes_of_term(chunk_) <= bytes ? terms : 0;
  }

  std::optional<StagedPlan> plan_tiles() const {
    if (gated()) return std::nullopt;
    if (const std::optional<StagedPlan> plan = plan_distances(spec_, rows_, limits_)) return plan;
    if (const std::optional<StagedPlan> plan = plan_inputs(spec_, rows_, limits_)) return plan;
    const rows::RowShape a = rows::shape_of(spec_.a);
    const bool far_a = a != rows::RowShape::kEmpty && a != rows::RowShape::kItself;
    // A window before the launch's first token is found by position only where all are kept.
    for (const rows::RowPlan* plan : {&spec_.a, &spec_.b}) {
      if (plan->side == Side::kA ? !far_a : !solves_) continue;
      if (rows::shape_of(*plan) != rows::RowShape::kShifted ||
          spec_.keep(plan->side) != CacheRetention::kAll) {
        return std::nullopt;
      }
    }
    const std::int64_t sides = (far_a ? 1 : 0) + (solves_ ? 1 : 0);
    const std::int64_t parts = sides + (keyed_ ? 1 : 0);  // of a window
    if (sides == 0) return std::nullopt;
    Planner planner = *this;
    Staging& staging = planner.plan_.staging;
    staging = {};
    staging.warps = 16;
    staging.key_rows = keyed_ ? 2 * kStagedChunk : 0;
    staging.value_rows = sides * 2 * kStagedChunk;
    staging.far_a = far_a;
    if (far_a && !has_every_offset(spec_.a)) staging.offsets_a = limits_.offsets_a;
    if (solves_ && !has_every_offset(spec_.b)) staging.offsets_b = limits_.offsets_b;
    // See Tiles: a row's query and sums, and twice what it is left with; the window; the list.
    const std::int64_t row =
        (keyed_ ? row_bytes_ + 16 : 0) + 4 * std::int64_t{spec_.head_dim} + 16 * sides;
    const std::int64_t from = few_distances(spec_, kStagedChunk) ? 0 : kStagedChunk * 8;
    const std::int64_t solve = solves_ ? kStagedChunk * kStagedChunk * 4 + from : 0;
    const std::int64_t room = limits_.shared_bytes - parts * 2 * kStagedChunk * row_bytes_ - solve -
                              8 * (staging.offsets_a + staging.offsets_b) - 64;
    staging.tile_rows =
        std::min({room / row / kStagedChunk * kStagedChunk, whole_chunks(), kMostTileRows});
    // What is not listed must lie before the tile, see Tiles: it is taken when the tile begins.
    if (staging.offsets_a + staging.offsets_b > 0) {
      staging.tile_rows =
          std::min(staging.tile_rows, limits_.listed_rows / kStagedChunk * kStagedChunk);
    }
    if (staging.tile_rows < kStagedChunk) return std::nullopt;
    // Windows before a tile, and without a chain the tile's own, come by once a tile. The tile's
    // own keys do in either case, and its outputs where there is one.
    std::int64_t windows = 0;
    for (std::int64_t tile = staging.tile_rows; tile < tokens_; tile += staging.tile_rows) {
      windows += tile;
    }
    return planner.finished(parts * windows);
  }

  StagedPlan finished(std::int64_t far) {
    // q, k and y, and x where it is read at all.
    std::int64_t rows = tokens_ * (spec_.a.empty() ? 1 : 2);
    std::int64_t bytes = 0;
    if (keyed_) {
      rows += 2 * tokens_;
    } else {
      const auto element = static_cast<std::int64_t>(size_of(spec_.dtype));
      bytes += entries_of(rows_) * (gated() ? row_bytes_ : element);
    }
    plan_.prediction.tokens = tokens_;
    plan_.prediction.bytes = bytes + (rows + far) * row_bytes_;
    Mixing how;
    how.warp_asks =
        !gated() && (plan_.staging.tile_rows > 0 || lanes_of_rows(spec_) == RowLanes::kWarp);
    how.near_steps = near_steps();
    if (solves_) how.near = how.weighed = reach_.near();
    if (plan_.staging.tile_rows == 0) {
      how.sharing = lanes_of_rows(spec_);
      if (solves_) how.weighed = tokens_ * ChunkSolve::places_of(spec_, chunk_, how.sharing);
    }
    plan_.prediction.flops = mixing_flops(spec_, rows_, how);
    return plan_;
  }

  // Of a channel that solves all chunks.
  std::int64_t near_steps() const {
    if (!solves_) return 0;
    if (near_) return whole_chunks() / chunk_ * NearGates::steps_of(*near_, chunk_);
    const bool tiles = plan_.staging.tile_rows > 0;
    if (tiles && !few_distances(spec_, chunk_)) return reach_.near_steps;
    return whole_chunks() / chunk_ * solve_steps(spec_, chunk_);
  }

  const KernelSpec& spec_;
  const Rows& rows_;
  StagedLimits limits_;
  std::int64_t tokens_;
  int chunk_;
  bool transposed_;
  bool keyed_;
  bool solves_;
  std::int64_t row_bytes_;
  Reach reach_;
  std::optional<NearGates::Entries> near_;  // of a lattice with gated weights
  StagedPlan plan_;
};

// Warps with four rows each wait for what they read most of the time: twice as many have as many
// rows more done by then. All of them are solved by one thread for each channel.
bool worth_twice_the_rows(const KernelSpec& spec, const Staging& staging) {
  const bool rings = staging.live_rows == 0 && staging.tile_rows == 0;
  const bool solved_in_registers = spec.b.empty() || few_distances(spec, 2 * kStagedChunk);
  return rings && lanes_of_rows(spec) < RowLanes::kWarp && solved_in_registers;
}

// Their rings are shorter by a chunk and more; so many times the bytes are still worth it.
constexpr double kWorthTwiceTheRows = 1.15;

}  // namespace

Result<StagedPlan> plan_staged(const KernelSpec& spec, const Rows& rows, const StagedLimits& limits,
                               bool transposed) {
  const Result<StagedPlan> plan = Planner(spec, rows, limits, kStagedChunk, transposed).run();
  if (!plan || !worth_twice_the_rows(spec, plan->staging)) return plan;
  std::optional<StagedPlan> twice =
      Planner(spec, rows, limits, 2 * kStagedChunk, transposed).only_rings();
  if (!twice || twice->prediction.bytes > kWorthTwiceTheRows * plan->prediction.bytes) return plan;
  twice->staging.warps *= 2;
  return *twice;
}

bool fetches_late(const KernelSpec& spec, const Staging& staging) {
  const bool rings = staging.live_rows == 0 && staging.tile_rows == 0;
  return rings && (!spec.b.empty() || staging.chunk_rows > kStagedChunk);
}

Result<Staging> plan_transposed(const KernelSpec& spec, const Rows& rows,
                                const StagedLimits& limits) {
  const rows::RowPlan nothing{Side::kA, {}, nullptr};
  KernelSpec transposed{spec.pattern, nothing, spec.b};
  transposed.weights = spec.weights;
  transposed.head_dim = spec.head_dim;
  const Result<StagedPlan> plan = plan_staged(transposed, rows, limits, true);
  if (!plan) return plan.error();
  transposed.dtype = spec.dtype;
  const std::optional<StagedPlan> tiles = plan_distances(transposed, rows, limits, true);
  const bool fewer = tiles && tiles->prediction.bytes < plan->prediction.bytes;
  return fewer ? tiles->staging : plan->staging;
}

}  // namespace heddle::schedule
