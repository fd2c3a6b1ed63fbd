// SPDX-License-Identifier: Apache-2.0
// Staged prefill: rings of rows in shared memory are proved for every length and for every number
// of rows that a launch may give them, and no text is believed in which one is a row off.
#include "codegen/verify/followed.hpp"
#include "tests/unit/codegen/verify/static_support.hpp"

namespace heddle::test {
namespace {

// Twice what the texts as they stand need.
constexpr std::uint64_t kLimit = 200'000;

GenerateOptions staged_given() {
  GenerateOptions options = cuda_given("prefill");
  options.schedule = "staged";
  return options;
}

const std::vector<Break>& breaks() {
  static const std::vector<Break> all = {
      {"value_rows - 64, first", "value_rows - 63, first"},
      {"value_rows < value_base + 64", "value_rows < value_base"},
      {"slot < 0 ? value_rows : 0", "slot < 0 ? value_rows + 1 : 0"},
      {"value_from - behind", "value_from - behind - 64"},
      {"behind <= value_reach", "behind <= value_reach + 1"},
      {"sum_at = values_at + (value_from + r)", "sum_at = values_at + (value_from + r + 1)"},
      {"    __syncthreads();\n    // phase 2", "    // phase 2"},
      {"solved[r];\n      }\n    }\n    __syncthreads();\n", "solved[r];\n      }\n    }\n"},
      {"* 64 + d);\n    }\n    __syncthreads();\n", "* 64 + d);\n    }\n"},
      {"Index r = size + warp", "Index r = size + 1 + warp"},
      {"piece < size * 16", "piece < (size + 1) * 16"},
      {"solved[r - 1]", "solved[r - 2]"}};
  return all;
}

// Coefficients that the lanes of a row ask for side by side, and hand on.
const std::vector<Break>& breaks_of_coefficients() {
  static const std::vector<Break> all = {
      {"lane_of_row < count", "lane_of_row <= count"},
      {"column < count", "column <= count"},
      {"column < count", "true"},
      {"minimum(entries, width_b)", "entries + 1"},
      {"minimum(entries, width_b)", "minimum(entries, width_a)"},
      {"entry_2 + 8 + lane_of_row", "entry_2 - 8 + lane_of_row"},
      {"heads + head) * width_b", "heads + head + 1) * width_b"},
      {"place = entry_2 % 8", "place = entry_2 % 16"},
      {"group_read<8>(held, place)", "group_read<8>(held, place + 1)"},
      {"group_read<8>(held, place)", "group_read<8>(held, place - 1)"},
      {"group_read<8>(mine, 0)", "group_read<8>(mine, 8)"},
      {"while (f_2 < last_row)", "while (f_2 < last_row - lane_of_row)"}};
  return all;
}

// Keys come in behind the threads' backs.
const std::vector<Break>& breaks_of_copies() {
  static const std::vector<Break> all = {
      {"await_batches<1>", "await_batches<2>"},
      {"    close_batch();\n    await", "    await"},
      {"await_batches<1>();\n    __syncthreads();", "__syncthreads();\n    await_batches<1>();"},
      {"    await_batches<1>();\n", "    if (warp > 0) {\n      await_batches<1>();\n    }\n"},
      {"    close_batch();\n    await",
       "    if (lane > 0) {\n      close_batch();\n    }\n    await"},
      {"    close_batch();\n    await",
       "    start_copy<4>(staged + value_base * 8, x + token_base);\n    close_batch();\n    "
       "await"},
      {"value_rows - 64 :", "value_rows - 63 :"},
      {"minimum(32, tokens - (first + 32))", "minimum(33, tokens - (first + 32))"},
      {"if (first + 32 < tokens)", "if (first + 64 < tokens)"}};
  return all;
}

// The same where rows come in to where the oldest ones lay, behind a barrier.
const std::vector<Break>& breaks_of_late_copies() {
  static const std::vector<Break> all = {
      {"    await_batches<0>", "    await_batches<1>"},
      {"\n  await_batches<0>();", ""},
      {"    close_batch();\n    // phase 2", "    // phase 2"},
      {"    __syncthreads();\n    // the next chunk's", "    // the next chunk's"},
      {"    await_batches<0>();\n    __syncthreads();",
       "    __syncthreads();\n    await_batches<0>();"},
      {"    close_batch();\n    // phase 2",
       "    if (warp > 0) {\n      close_batch();\n      near_weights[0] = 1.0f;\n    } else {\n"
       "      close_batch();\n      near_weights[0] = 2.0f;\n    }\n    // phase 2"},
      {"    close_batch();\n    // phase 2",
       "    start_copy<4>(staged + key_base * 64, k + token_base);\n    close_batch();\n"
       "    // phase 2"},
      {"minimum(64, tokens - (first + 64))", "minimum(65, tokens - (first + 64))"},
      {"if (first + 64 < tokens)", "if (first + 128 < tokens)"},
      {"staged + (key_from + shown)", "staged + (key_base + shown)"}};
  return all;
}

// Windows that come in beside the one that is shown, to tiles of rows that keep their sums.
const std::vector<Break>& breaks_of_tiles() {
  static const std::vector<Break> all = {
      {"(staged + 4096)", "(staged + 4032)"},
      {"sums[r * 64 + d] = mixed", "sums[r * 64 + d + 64] = mixed"},
      {"tile += tile_rows", "tile += 32"},
      {"(1 - shown) * 2048", "shown * 2048"},
      {"shown = 1 - shown", "shown = 0"},
      {"p = maximum(1, window_from)", "p = maximum(0, window_from)"},
      {"p = maximum(1, window_from)", "p = maximum(1, window_from - 1)"},
      {"minimum(i + 1, window_from + 32)", "minimum(i + 2, window_from + 32)"},
      {"minimum(i + 1, window_from + 32)", "minimum(i + 1, window_from + 33)"},
      {"minimum(32, tile + size - next_window)", "minimum(31, tile + size - next_window)"},
      {"if (next_window < tile + size)", "if (next_window + 1 < tile + size)"},
      {"    await_batches<0>();\n", ""},
      {"await_batches<1>();\n      __syncthreads();", "await_batches<1>();"},
      {"__syncthreads();\n      shown", "shown"}};
  return all;
}
// A row's highest score and sum of weights are read in one place and written in another.
const std::vector<Break>& breaks_of_rows() {
  static const std::vector<Break> all = {{"highest_of[(1 - parity) * 352 + r] = highest_left;",
                                          "highest_of[parity * 352 + r] = highest_left;"},
                                         {"parity = 1 - parity;\n", "parity = 2 - parity;\n"},
                                         {"total_of[(1 - parity) * 352 + r] = total_left",
                                          "total_of[(1 - parity) * 352] = total_left"}};
  return all;
}

// Windows of what the kernel itself has written, and chunks that are solved after them.
const std::vector<Break>& breaks_of_outputs() {
  static const std::vector<Break> all = {
      {"minimum(32, tile - next_window)", "minimum(31, tile - next_window)"},
      {"y + token_base + (next_window + row)", "y + token_base + (next_window + 32 + row)"},
      {"for (Index near = near_from[c]; near < c", "for (Index near = near_from[c]; near <= c"},
      {"__syncthreads();\n      // one thread", "// one thread"}};
  return all;
}

// Runs of positions by distance, in a ring of so many places as a tile has rows.
const std::vector<Break>& breaks_of_distances() {
  static const std::vector<Break> all = {
      {"      __syncthreads();\n      const Index from", "      const Index from"},
      {"await_batches<0>();\n      __syncthreads();", "await_batches<0>();"},
      {"      await_batches<0>();\n", ""},
      {"minimum(reached, found + size)", "found + size"},
      {"minimum(reached, found + size)", "reached"},
      {"maximum(found, 1)", "found"},
      {"to_slot = place - (place < 128 ? 0 : 128)", "to_slot = place"},
      {" slot = place - (place < 128 ? 0 : 128)", " slot = place"},
      {"origin = 256 -", "origin = 100 -"},
      {"shown < 5 && 5 <= r", "shown < 5"},
      {"r < size && at < width_b", "r < size"},
      {"at_2 < 12", "at_2 < 13"},
      {"      __syncthreads();\n      // one thread", "      // one thread"},
      {"solved[r];\n        }\n      }\n      __syncthreads();\n",
       "solved[r];\n        }\n      }\n"},
      {"tile += 128", "tile += 64"},
      {"(tile + row) * token_stride", "(tile + row + 1) * token_stride"}};
  return all;
}

// The same of inputs, with positions ahead, in blocks side by side.
const std::vector<Break>& breaks_of_inputs() {
  static const std::vector<Break> all = {
      {"    __syncthreads();\n    const Index furthest", "    const Index furthest"},
      {"reached) {\n        __syncthreads();", "reached) {"},
      {"await_batches<0>();\n        __syncthreads();", "await_batches<0>();"},
      {"        await_batches<0>();\n", ""},
      {"minimum(reached, before + 1 + size - distance)", "reached"},
      {"maximum(needed - 128, 1)", "maximum(needed - 129, 1)"},
      {"maximum(needed - 128, 1)", "needed - 128"},
      {"place < 256 ? 0 : 256", "place < 256 ? 0 : 0"},
      {"entry < width_a && ", ""},
      {"r < size && ", ""},
      {"tile = chunk * 128", "tile = chunk * 96"},
      {"y + token_base + (tile + r) * token_stride",
       "y + token_base + (tile + r + 1) * token_stride"},
      {"turn += chunks", "turn += 1"}};
  return all;
}

// Offsets are listed once, and a row comes back to where it was in the list.
const std::vector<Break>& breaks_of_lists() {
  static const std::vector<Break> all = {
      {"if (thread == 0 && count", "if (count"},
      {"f = next_f;\n  }\n  __syncthreads();\n", "f = next_f;\n  }\n"},
      {"minimum(counted, ", "minimum(counted + 1, "},
      {"while (next >= 0 && window_first <=", "while (next >= 0 && window_first - 1 <="},
      {"next_at = next >= 0 ?", "next_at = next >= -1 ?"},
      {"entry = next;", "entry = next + 1;"},
      {"number >= ", "number + 100 >= "}};
  return all;
}

}  // namespace

TEST_CASE("staged prefill out of rings is verified for every launch") {
  for (const auto& [name, weights] : {std::pair{"linear_recurrence", WeightKind::kGiven},
                                      std::pair{"log_recurrence", WeightKind::kGiven},
                                      std::pair{"order_k_recurrence", WeightKind::kGiven},
                                      std::pair{"linear_recurrence", WeightKind::kSoftmax}}) {
    GenerateOptions options = staged_given();
    options.weights = weights;
    const Artifact artifact = artifact_of(builtin(name), options);
    REQUIRE(artifact.manifest.kernels[0].schedule == "staged");
    const StaticReport report =
        report_of(artifact, artifact.files.at(artifact.manifest.kernels[0].file));
    INFO(name << "\n" << told(report));
    CHECK(report.verdict == StaticVerdict::kVerified);
    CHECK(report.obligations.size() == 8);
  }
}

TEST_CASE("rows of no power of two of vectors are shared by powers of two, and proved") {
  // 12 vectors a row by 4 threads, 10 by 2.
  for (const auto& [name, head_dim] : {std::pair{"linear_recurrence", 48},
                                       std::pair{"log_recurrence", 40}, std::pair{"chacal", 48}}) {
    GenerateOptions options = staged_given();
    options.weights = WeightKind::kSoftmax;
    options.head_dim = head_dim;
    const Artifact artifact = artifact_of(builtin(name), options);
    const KernelEntry& entry = artifact.manifest.kernels[0];
    REQUIRE(entry.schedule == "staged");
    CHECK_FALSE(not_followed(artifact.manifest, entry).has_value());
    const StaticReport report = report_of(artifact, artifact.files.at(entry.file));
    INFO(name << "\n" << told(report));
    CHECK(report.verdict == StaticVerdict::kVerified);
  }
  GenerateOptions options = staged_given();
  options.weights = WeightKind::kSoftmax;
  options.head_dim = 48;
  none_is_verified(artifact_of(builtin("linear_recurrence"), options),
                   {{"turn < 3", "turn < 2"},
                    {"turn < 3", "turn < 4"},
                    {"turn * 16", "turn * 12"},
                    {"piece % 4 * 4", "piece % 4 * 8"},
                    {"piece / 4", "piece / 8"},
                    {"coming * 4", "coming * 3"}},
                   proofs_only(kLimit));
}

TEST_CASE("no staged kernel whose ring is a row off is verified") {
  const Artifact artifact = artifact_of(builtin("linear_recurrence"), staged_given());
  none_is_verified(artifact, breaks(), proofs_only(kLimit));
}

TEST_CASE("no staged kernel that asks for a coefficient beyond its row's is verified") {
  const Artifact artifact = artifact_of(builtin("log_recurrence"), staged_given());
  none_is_verified(artifact, breaks_of_coefficients(), proofs_only(kLimit));
}

TEST_CASE("no staged kernel that reads or overwrites what is still coming in is verified") {
  GenerateOptions options = staged_given();
  options.head_dim = 8;  // too few channels for groups of lanes, and for chunks of 64 rows
  none_is_verified(artifact_of(builtin("log_attention"), options), breaks_of_copies(),
                   proofs_only(kLimit));
  options = staged_given();
  options.weights = WeightKind::kSoftmax;
  none_is_verified(artifact_of(builtin("linear_recurrence"), options), breaks_of_late_copies(),
                   proofs_only(kLimit));
}

TEST_CASE("no staged kernel that takes a window for another is verified") {
  const Artifact artifact = artifact_of(builtin("attention"), staged_given());
  REQUIRE(artifact.manifest.kernels[0].schedule == "staged");
  none_is_verified(artifact, breaks_of_tiles(), proofs_only(kLimit));
}

TEST_CASE("no staged kernel that fetches what is not written yet is verified") {
  const Artifact artifact = artifact_of(builtin("dense_recurrence"), staged_given());
  REQUIRE(artifact.manifest.kernels[0].schedule == "staged");
  none_is_verified(artifact, breaks_of_outputs(), proofs_only());
}

TEST_CASE("no staged kernel that brings in a chunk over a window is verified") {
  GenerateOptions options = staged_given();
  options.weights = WeightKind::kSoftmax;
  // A window that was fetched is shown, and the block has met since: else the chunk's keys, which
  // come to the same place, could be there first.
  const std::vector<Break> breaks = {
      {"window < tile; window += 32", "window < tile - 32; window += 32"},
      {"__syncthreads();\n      shown", "shown"}};
  none_is_verified(artifact_of(builtin("dense_recurrence"), options), breaks, proofs_only());
}

TEST_CASE("no staged kernel that lists or finds offsets wrongly is verified") {
  GenerateOptions options = staged_given();
  options.head_dim = 40;  // of rows that are not cut into groups of lanes
  const Artifact artifact = artifact_of(builtin("sqrt_recurrence"), options);
  REQUIRE(artifact.manifest.kernels[0].schedule == "staged");
  none_is_verified(artifact, breaks_of_lists(), proofs_only(1'000'000));
}

TEST_CASE("no staged kernel that takes another distance for the one at hand is verified") {
  GenerateOptions options = staged_given();
  options.shared_limit = 45'000;  // for tiles of 128 rows
  none_is_verified(artifact_of(builtin("sqrt_recurrence"), options), breaks_of_distances(),
                   proofs_only());
}

TEST_CASE("no staged kernel that takes another input for the one at a distance is verified") {
  GenerateOptions options = staged_given();
  options.dtype = ElementType::kF16;
  options.head_dim = 256;  // for tiles of 128 rows
  none_is_verified(artifact_of(builtin("sqrt_attention"), options), breaks_of_inputs(),
                   proofs_only());
}

TEST_CASE("no staged kernel that finds another row's sums is verified") {
  GenerateOptions options = staged_given();
  options.weights = WeightKind::kSoftmax;
  none_is_verified(artifact_of(builtin("attention"), options), breaks_of_rows(), proofs_only());
}

TEST_CASE("rows of shared memory are what the manifest says, and not more") {
  const auto verdict = [](const std::function<void(KernelEntry&)>& change) {
    Artifact artifact = artifact_of(builtin("linear_recurrence"), staged_given());
    KernelEntry& entry = artifact.manifest.kernels[0];
    change(entry);
    return report_of(artifact, artifact.files.at(entry.file), proofs_only(kLimit)).verdict;
  };
  const auto with = [&](const std::function<void(SharedRows&)>& change) {
    return verdict([&](KernelEntry& entry) { change(entry.shared_rows[0]); });
  };
  CHECK(with([](SharedRows& rows) { rows.most = 96; }) == StaticVerdict::kVerified);
  CHECK(with([](SharedRows& rows) { rows.multiple = 16; }) == StaticVerdict::kUnknown);
  CHECK(with([](SharedRows& rows) { rows.row_bytes = 252; }) == StaticVerdict::kUnknown);
  CHECK(with([](SharedRows& rows) { rows.most = 0; }) == StaticVerdict::kUnknown);
  CHECK(with([](SharedRows& rows) { rows.slots = "slots_b"; }) == StaticVerdict::kUnknown);
  CHECK(verdict([](KernelEntry& entry) { entry.shared_rows.clear(); }) == StaticVerdict::kUnknown);
  CHECK(verdict([](KernelEntry& entry) {
          entry.shared_rows.push_back(entry.shared_rows[0]);
          entry.shared_rows[1].most = 32;
        }) == StaticVerdict::kUnknown);
}

TEST_CASE("a ring that is a row too short is rejected by a launch that shows it") {
  const Artifact artifact = artifact_of(builtin("linear_recurrence"), staged_given());
  const StaticReport report =
      report_of(artifact, broken(artifact, {"value_from - behind", "value_from - behind - 127"}));
  CHECK(report.verdict == StaticVerdict::kRejected);
}

TEST_CASE("another prelude of staged kernels is not trusted") {
  Artifact artifact = artifact_of(builtin("linear_recurrence"), staged_given());
  artifact.files.at("staging_prelude.cuh") += "\n";
  const StaticReport report =
      report_of(artifact, artifact.files.at(artifact.manifest.kernels[0].file));
  CHECK(report.verdict == StaticVerdict::kUnknown);
}

}  // namespace heddle::test
