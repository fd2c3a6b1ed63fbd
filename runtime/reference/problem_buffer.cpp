// SPDX-License-Identifier: Apache-2.0
// Storage types and the host buffers made of them.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "runtime/reference/problem.hpp"

namespace heddle {

std::uint16_t bf16_from(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16U) | 0x40U);
  const std::uint32_t half_ulp = 0x7FFFU + ((bits >> 16U) & 1U);  // ties go to the even neighbour
  return static_cast<std::uint16_t>((bits + half_ulp) >> 16U);
}

float float_from_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

std::uint16_t f16_from(float value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000U : 0U);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7E00U);
  const float magnitude = std::fabs(value);
  if (magnitude >= 65520.0F) return static_cast<std::uint16_t>(sign | 0x7C00U);
  // Scale so that the last bit of the result has value 1; nearbyint then rounds ties to even.
  const int exponent = magnitude < 0x1p-14F ? -14 : std::ilogb(magnitude);
  const float units = std::nearbyint(std::ldexp(magnitude, 10 - exponent));
  const auto steps = static_cast<std::uint32_t>(units);  // 0 .. 2048
  // A carry out of the significand moves into the exponent field by itself; subnormals have
  // exponent field 0 and no hidden bit, which is what the same sum gives.
  const std::uint32_t field = (static_cast<std::uint32_t>(exponent + 14) << 10U) + steps;
  return static_cast<std::uint16_t>(sign | field);
}

float float_from_f16(std::uint16_t bits) {
  const int exponent = (bits >> 10U) & 0x1F;
  const int significand = bits & 0x3FF;
  const float sign = (bits & 0x8000U) != 0 ? -1.0F : 1.0F;
  if (exponent == 31) return significand == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(significand), -24);
  return sign * std::ldexp(static_cast<float>(significand + 1024), exponent - 25);
}

HostBuffer::HostBuffer(ElementType type, std::vector<std::int64_t> shape)
    : type_(type), shape_(std::move(shape)) {
  bytes_.resize(static_cast<std::size_t>(count()) * size_of(type));
  poison();
}

std::int64_t HostBuffer::count() const {
  std::int64_t product = 1;
  for (const std::int64_t extent : shape_) product *= extent;
  return product;
}

double HostBuffer::get(std::int64_t element) const {
  const std::byte* place = bytes_.data() + static_cast<std::size_t>(element) * size_of(type_);
  const auto load = [place](auto value) {
    std::memcpy(&value, place, sizeof value);
    return value;
  };
  switch (type_) {
    case ElementType::kF32:
      return load(float{});
    case ElementType::kBF16:
      return float_from_bf16(load(std::uint16_t{}));
    case ElementType::kF16:
      return float_from_f16(load(std::uint16_t{}));
    case ElementType::kI32:
      return load(std::int32_t{});
  }
  unreachable("element type");
}

void HostBuffer::set(std::int64_t element, double value) {
  std::byte* place = bytes_.data() + static_cast<std::size_t>(element) * size_of(type_);
  const auto store = [place](auto stored) { std::memcpy(place, &stored, sizeof stored); };
  switch (type_) {
    case ElementType::kF32:
      return store(static_cast<float>(value));
    case ElementType::kBF16:
      return store(bf16_from(static_cast<float>(value)));
    case ElementType::kF16:
      return store(f16_from(static_cast<float>(value)));
    case ElementType::kI32:
      return store(static_cast<std::int32_t>(value));
  }
  unreachable("element type");
}

bool HostBuffer::poisoned(std::int64_t element) const {
  const std::size_t size = size_of(type_);
  const std::byte* place = bytes_.data() + static_cast<std::size_t>(element) * size;
  return std::all_of(place, place + size, [](std::byte b) { return b == std::byte{0xFF}; });
}

void HostBuffer::poison() { std::fill(bytes_.begin(), bytes_.end(), std::byte{0xFF}); }

HostBuffer slice_tokens(const HostBuffer& buffer, std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> shape = buffer.shape();
  assert_that(shape.size() >= 2 && first >= 0 && first + count <= shape[1], "slice of tokens");
  const auto batches = static_cast<std::size_t>(shape[0]);
  const std::size_t token_bytes =
      buffer.bytes() == 0 ? 0 : buffer.bytes() / (batches * static_cast<std::size_t>(shape[1]));
  const std::size_t old_stride = token_bytes * static_cast<std::size_t>(shape[1]);
  const std::size_t new_stride = token_bytes * static_cast<std::size_t>(count);
  shape[1] = count;
  HostBuffer slice(buffer.type(), std::move(shape));
  if (new_stride == 0) return slice;
  for (std::size_t b = 0; b < batches; ++b) {
    std::memcpy(slice.data() + b * new_stride,
                buffer.data() + b * old_stride + static_cast<std::size_t>(first) * token_bytes,
                new_stride);
  }
  return slice;
}

}  // namespace heddle
