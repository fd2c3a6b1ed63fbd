// SPDX-License-Identifier: Apache-2.0
#include "runtime/verify/varlen_session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/verify/varlen.hpp"

namespace heddle {
namespace {

template <typename S>
VarlenLayout next_layout(const std::vector<S>& sequences, std::int64_t count, bool decode,
                         std::int64_t tokens, RandomSource& random) {
  std::vector<std::int64_t> starts;
  for (const S& sequence : sequences) starts.push_back(sequence.done());
  const std::int64_t most = *std::max_element(starts.begin(), starts.end());
  return VarlenLayout::draw(count, starts, decode, random, tokens - count - most);
}

// Where the first one goes on from an odd number of tokens, the second one begins.
std::int64_t drawn_start(std::size_t sequence, std::int64_t start, RandomSource& random) {
  if (sequence == 0) return start;
  return sequence == 1 && start % 2 == 1 ? 0 : random.below(start + 1);
}

}  // namespace

Result<VarlenSession> VarlenSession::begin(
    const Manifest& manifest, const Rows& rows,
    std::vector<std::shared_ptr<const SolvedProblem>> sequences, std::int64_t start,
    std::int64_t spare, std::uint64_t seed) {
  VarlenSession all(rows, seed);
  for (std::size_t b = 0; b < sequences.size(); ++b) {
    Result<Session> session = Session::begin(manifest, rows, std::move(sequences[b]),
                                             drawn_start(b, start, all.random_), spare, seed + b);
    if (!session) return session.error();
    all.sequences_.push_back(*std::move(session));
  }
  return all;
}

bool VarlenSession::advance(const KernelUnderTest& kernel, std::int64_t count,
                            const std::vector<ThreadOrder>& orders, Ledger& ledger,
                            KernelProfile* profile) {
  const bool decode = kernel.entry().op == "decode";
  const Problem& problem = sequences_.front().solved().problem;
  const VarlenLayout layout = next_layout(sequences_, count, decode, problem.sizes.tokens, random_);
  const Sizes sizes = launch_sizes(layout, kernel.entry(), sequences_.front().sizes_of(count));
  const std::string where =
      fmt::format("{}: {}, heads {}, gamma {}, {} inputs", kernel.entry().op, layout.describe(),
                  sizes.heads, problem.gamma, name_of(sequences_.front().solved().fill));
  const KernelEntry one = of_one_sequence(kernel.entry());
  std::int64_t work = 0;
  DefinitionWork least;
  for (std::size_t b = 0; b < sequences_.size(); ++b) {
    const Sizes own = sequences_[b].sizes_of(layout.counts[b]);
    work += launch_work(rows_, own, problem.weights, own.start, own.tokens);
    const DefinitionWork of_one = definition_work(problem, rows_, own, decode);
    least.bytes += of_one.bytes;
    least.flops += of_one.flops;
  }
  std::vector<HostBuffers> parts;
  const std::optional<HostBuffers> first = launch_in_orders(
      {kernel,
       {.sizes = sizes, .scale = problem.scale, .gamma = problem.gamma, .expected_work = work},
       [&]() -> Result<HostBuffers> {
         parts.clear();
         for (std::size_t b = 0; b < sequences_.size(); ++b) {
           Result<HostBuffers> bound = sequences_[b].bind(one, layout.counts[b], sizes.start > 0);
           if (!bound) return bound.error();
           parts.push_back(*std::move(bound));
         }
         return join(kernel.entry(), layout, sizes, parts);
       },
       done() + count,
       where},
      orders, ledger, profile);
  if (!first) return false;
  if (profile != nullptr) {
    profile->minimum_bytes = least.bytes;
    profile->definition_flops = least.flops;
  }
  const std::string stray = split(kernel.entry(), layout, sizes, *first, parts);
  if (!stray.empty()) ledger.failed(Duty::kOutputs, done(), {"out_of_bounds", stray, where});
  for (std::size_t b = 0; b < sequences_.size(); ++b) {
    sequences_[b].settle(parts[b], layout.counts[b], fmt::format("{}, sequence {}", where, b),
                         ledger);
  }
  return !ledger.saturated();
}

Result<VarlenFieldSession> VarlenFieldSession::begin(
    const Manifest& manifest, const Rows& rows,
    std::vector<std::shared_ptr<const SolvedFieldProblem>> sequences, std::int64_t start,
    std::int64_t spare, std::uint64_t seed) {
  VarlenFieldSession all(seed);
  for (std::size_t b = 0; b < sequences.size(); ++b) {
    Result<FieldSession> session =
        FieldSession::begin(manifest, rows, std::move(sequences[b]),
                            drawn_start(b, start, all.random_), spare, seed + b);
    if (!session) return session.error();
    all.sequences_.push_back(*std::move(session));
  }
  return all;
}

bool VarlenFieldSession::advance(const KernelUnderTest& kernel, std::int64_t count,
                                 std::int64_t work, Ledger& ledger) {
  const FieldProblem& problem = sequences_.front().problem();
  const VarlenLayout layout =
      next_layout(sequences_, count, kernel.entry().op == "decode", problem.sizes.tokens, random_);
  const Sizes sizes = launch_sizes(layout, kernel.entry(), sequences_.front().sizes_of(count));
  const std::string where =
      fmt::format("{}: {}, heads {}", kernel.entry().op, layout.describe(), sizes.heads);
  const KernelEntry one = of_one_sequence(kernel.entry());
  std::vector<FieldBuffers> parts;
  const std::optional<FieldBuffers> first = launch_in_orders(
      {kernel,
       {.sizes = sizes, .scale = problem.scale, .gamma = problem.gamma, .expected_work = work},
       [&]() -> Result<FieldBuffers> {
         parts.clear();
         for (std::size_t b = 0; b < sequences_.size(); ++b) {
           Result<FieldBuffers> bound =
               sequences_[b].bind(one, sequences_[b].sizes_of(layout.counts[b]), sizes.start > 0);
           if (!bound) return bound.error();
           parts.push_back(*std::move(bound));
         }
         return join(kernel.entry(), layout, sizes, parts);
       },
       done() + count,
       where},
      ledger);
  if (!first) return false;
  const std::string stray = split(kernel.entry(), layout, sizes, *first, parts);
  if (!stray.empty()) ledger.failed(Duty::kIdentity, done(), {"out_of_bounds", stray, where});
  bool right = stray.empty();
  for (std::size_t b = 0; b < sequences_.size(); ++b) {
    right = sequences_[b].settle(std::move(parts[b]), layout.counts[b],
                                 fmt::format("{}, sequence {}", where, b), ledger) &&
            right;
  }
  return right;
}

}  // namespace heddle
