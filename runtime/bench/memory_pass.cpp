// SPDX-License-Identifier: Apache-2.0
#include "runtime/bench/memory_pass.hpp"

#include <algorithm>
#include <cstring>
#include <utility>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace heddle {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kWords = kLine / sizeof(std::uint64_t);
// Buffers are gone through side by side, about a page of the largest one at a time.
constexpr std::size_t kPiece = 4096;

// What is read is asked for so many bytes before: processors foresee no further than a page.
constexpr std::size_t kAhead = 2048;

// Nothing is read: it may lie outside of its buffer.
void ask_for(const void* place) {
#ifdef __GNUC__
  __builtin_prefetch(place, 0, 2);
#else
  (void)place;
#endif
}

std::size_t lines_of(const HostBuffer& buffer) { return buffer.bytes() / kLine; }

struct Lines {
  std::size_t begin = 0;
  std::size_t end = 0;
};
// The lines of piece `index` of `count` pieces, which are about equal and in order.
Lines piece_of(std::size_t lines, std::size_t index, std::size_t count) {
  return {lines * index / count, lines * (index + 1) / count};
}

std::uint64_t sum_of(const std::byte* data, Lines lines) {
  std::uint64_t words[kWords];
  std::uint64_t sums[kWords] = {};
  for (std::size_t line = lines.begin; line < lines.end; ++line) {
    ask_for(data + line * kLine + kAhead);
    std::memcpy(words, data + line * kLine, kLine);
    for (std::size_t w = 0; w < kWords; ++w) sums[w] += words[w];
  }
  std::uint64_t sum = 0;
  for (const std::uint64_t part : sums) sum += part;
  return sum;
}

void fill_around_caches(std::byte* data, Lines lines, std::uint64_t word) {
#ifdef __SSE2__
  const __m128i two = _mm_set1_epi64x(static_cast<long long>(word));
  // Its translation; nothing is read.
  ask_for(data + lines.end * kLine + kAhead);
  for (std::size_t at = lines.begin * kLine; at < lines.end * kLine; at += sizeof two) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(data + at), two);
  }
#else
  for (std::size_t at = lines.begin * kLine; at < lines.end * kLine; at += sizeof word) {
    std::memcpy(data + at, &word, sizeof word);
  }
#endif
}

void settle() {
#ifdef __SSE2__
  _mm_sfence();
#endif
}

}  // namespace

MemoryPass::MemoryPass(const KernelEntry& entry, const HostBuffers& buffers,
                       std::shared_ptr<WorkerPool> pool)
    : pool_(std::move(pool)), sums_(static_cast<std::size_t>(pool_->threads())) {
  for (const Argument& argument : entry.arguments) {
    const auto buffer = buffers.find(argument.name);
    if (argument.kind != ArgumentKind::kBuffer || buffer == buffers.end()) continue;
    if (argument.name.rfind("scratch_", 0) == 0) continue;
    if (argument.access != Access::kWrite) sources_.push_back(&buffer->second);
    if (argument.access != Access::kRead) {
      targets_.emplace_back(buffer->second.type(), buffer->second.shape());
    }
  }
}

void MemoryPass::run() {
  pool_->run([this](int share) { run_share(share); });
}

// Of each buffer the lines of one thread; what is written says what was read until then.
void MemoryPass::run_share(int share) {
  const std::size_t shares = sums_.size();
  std::size_t pieces = 1;
  const auto grow = [&](const HostBuffer& buffer) {
    pieces = std::max(pieces, buffer.bytes() / kPiece / shares + 1);
  };
  for (const HostBuffer* source : sources_) grow(*source);
  for (const HostBuffer& target : targets_) grow(target);
  std::uint64_t sum = 0;
  const std::size_t first = static_cast<std::size_t>(share) * pieces;
  for (std::size_t piece = first; piece < first + pieces; ++piece) {
    for (const HostBuffer* source : sources_) {
      sum += sum_of(source->data(), piece_of(lines_of(*source), piece, shares * pieces));
    }
    for (HostBuffer& target : targets_) {
      fill_around_caches(target.data(), piece_of(lines_of(target), piece, shares * pieces), sum);
    }
  }
  settle();
  sums_[static_cast<std::size_t>(share)] = sum;
}

std::int64_t MemoryPass::bytes() const {
  std::size_t lines = 0;
  for (const HostBuffer* source : sources_) lines += lines_of(*source);
  for (const HostBuffer& target : targets_) lines += lines_of(target);
  return static_cast<std::int64_t>(lines * kLine);
}

bool MemoryPass::complete() const {
  std::uint64_t read = 0;
  for (const std::uint64_t sum : sums_) read += sum;
  std::uint64_t expected = 0;
  for (const HostBuffer* source : sources_) {
    expected += sum_of(source->data(), {0, lines_of(*source)});
  }
  // Buffers begin poisoned, with all bits set.
  const auto unwritten = [](const HostBuffer& target) {
    std::uint64_t word = 0;
    for (std::size_t line = 0; line < lines_of(target); ++line) {
      std::memcpy(&word, target.data() + line * kLine, sizeof word);
      if (word == ~std::uint64_t{0}) return true;
    }
    return false;
  };
  return read == expected && std::none_of(targets_.begin(), targets_.end(), unwritten);
}

}  // namespace heddle
