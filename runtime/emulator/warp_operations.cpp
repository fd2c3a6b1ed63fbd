// SPDX-License-Identifier: Apache-2.0
#include "runtime/emulator/warp_operations.hpp"

#include <algorithm>
#include <cstddef>

#include "patterns/result.hpp"

namespace heddle::emulator {
namespace {

bool in(std::uint32_t members, int lane) { return (members >> lane & 1) != 0; }

std::uint64_t ballot(std::uint32_t members, const std::array<LaneOperand, 32>& operands) {
  std::uint64_t votes = 0;
  for (int lane = 0; lane < 32; ++lane) {
    if (in(members, lane) && operands[static_cast<std::size_t>(lane)].value != 0) {
      votes |= std::uint64_t{1} << lane;
    }
  }
  return votes;
}

// Of 32-bit integers; the operand of every lane says whether they are signed.
std::uint64_t reduce(Collective kind, std::uint32_t members,
                     const std::array<LaneOperand, 32>& operands) {
  bool first = true;
  std::int64_t total = 0;
  for (int lane = 0; lane < 32; ++lane) {
    if (!in(members, lane)) continue;
    const LaneOperand& given = operands[static_cast<std::size_t>(lane)];
    const auto bits = static_cast<std::uint32_t>(given.value);
    const std::int64_t value =
        given.operand != 0 ? static_cast<std::int32_t>(bits) : std::int64_t{bits};
    if (first) {
      total = value;
    } else if (kind == Collective::kReduceAdd) {
      total += value;
    } else {
      total = kind == Collective::kReduceMin ? std::min(total, value) : std::max(total, value);
    }
    first = false;
  }
  return static_cast<std::uint32_t>(total);
}

}  // namespace

const char* name_of(Collective kind) {
  switch (kind) {
    case Collective::kSyncWarp:
      return "__syncwarp";
    case Collective::kShuffle:
      return "__shfl_sync";
    case Collective::kShuffleUp:
      return "__shfl_up_sync";
    case Collective::kShuffleDown:
      return "__shfl_down_sync";
    case Collective::kShuffleXor:
      return "__shfl_xor_sync";
    case Collective::kBallot:
      return "__ballot_sync";
    case Collective::kAny:
      return "__any_sync";
    case Collective::kAll:
      return "__all_sync";
    case Collective::kReduceAdd:
      return "__reduce_add_sync";
    case Collective::kReduceMin:
      return "__reduce_min_sync";
    case Collective::kReduceMax:
      return "__reduce_max_sync";
    case Collective::kMatrixProduct:
      return "mma.sync";
    case Collective::kLoadMatrices:
      return "ldmatrix.sync";
  }
  unreachable("a collective of no kind");
}

int shuffle_source(Collective kind, int lane, int operand, int width) {
  const int segment = lane & ~(width - 1);  // width is a power of two
  const int end = segment + width;
  const auto distance = static_cast<std::uint32_t>(operand);
  switch (kind) {
    case Collective::kShuffle:
      return segment + (operand & (width - 1));
    case Collective::kShuffleUp:
      return distance <= static_cast<std::uint32_t>(lane - segment) ? lane - operand : lane;
    case Collective::kShuffleDown:
      return distance < static_cast<std::uint32_t>(end - lane) ? lane + operand : lane;
    case Collective::kShuffleXor: {
      // An earlier segment may be read, a later one not.
      const std::uint32_t source = static_cast<std::uint32_t>(lane) ^ distance;
      return source < static_cast<std::uint32_t>(end) ? static_cast<int>(source) : lane;
    }
    default:
      unreachable("a shuffle that is none");
  }
}

CollectiveResult combine(Collective kind, std::uint32_t members,
                         const std::array<LaneOperand, 32>& operands) {
  CollectiveResult result;
  switch (kind) {
    case Collective::kSyncWarp:
    case Collective::kMatrixProduct:
    case Collective::kLoadMatrices:  // the lanes' numbers are exchanged in the module
      break;
    case Collective::kBallot:
      result.values.fill(ballot(members, operands));
      break;
    case Collective::kAny:
      result.values.fill(ballot(members, operands) != 0);
      break;
    case Collective::kAll:
      result.values.fill(ballot(members, operands) == members);
      break;
    case Collective::kReduceAdd:
    case Collective::kReduceMin:
    case Collective::kReduceMax:
      result.values.fill(reduce(kind, members, operands));
      break;
    case Collective::kShuffle:
    case Collective::kShuffleUp:
    case Collective::kShuffleDown:
    case Collective::kShuffleXor:
      for (int lane = 0; lane < 32; ++lane) {
        if (!in(members, lane)) continue;
        const LaneOperand& given = operands[static_cast<std::size_t>(lane)];
        const int source = shuffle_source(kind, lane, given.operand, given.width);
        if (!in(members, source)) {
          result.orphans |= std::uint32_t{1} << lane;
          result.values[static_cast<std::size_t>(lane)] = ~std::uint64_t{0};
        } else {
          result.values[static_cast<std::size_t>(lane)] =
              operands[static_cast<std::size_t>(source)].value;
        }
      }
      break;
  }
  return result;
}

}  // namespace heddle::emulator
