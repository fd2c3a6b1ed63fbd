// SPDX-License-Identifier: Apache-2.0
// A concrete instance of a mixer: sizes, storage type and filled host buffers, named as
// codegen/manifest.hpp names them. Everything is reproducible from a seed, on every machine; what
// a kernel has yet to write is poisoned, so that a value nobody wrote can never look right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <new>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/manifest.hpp"
#include "patterns/materialize.hpp"
#include "patterns/result.hpp"

namespace heddle {

// ---- storage types ----------------------------------------------------------------------------

// Round to nearest, ties to even; NaN stays NaN, overflow becomes infinity.
std::uint16_t bf16_from(float value);
float float_from_bf16(std::uint16_t bits);
std::uint16_t f16_from(float value);
float float_from_f16(std::uint16_t bits);

// Memory that begins with a line of the cache, as that of tensor libraries does.
template <typename T>
struct LineAllocator {
  using value_type = T;
  static constexpr std::align_val_t kLine{64};
  LineAllocator() = default;
  template <typename U>
  LineAllocator(const LineAllocator<U>&) {}
  T* allocate(std::size_t count) {
    return static_cast<T*>(::operator new(count * sizeof(T), kLine));
  }
  void deallocate(T* place, std::size_t) { ::operator delete(place, kLine); }
  friend bool operator==(LineAllocator, LineAllocator) { return true; }
};

// A row-major array in the memory of the host.
class HostBuffer {
 public:
  HostBuffer() = default;
  // Starts poisoned: all bits of every element set, which is a NaN of each floating type that no
  // arithmetic produces, and -1 for integers.
  HostBuffer(ElementType type, std::vector<std::int64_t> shape);

  ElementType type() const { return type_; }
  const std::vector<std::int64_t>& shape() const { return shape_; }
  std::int64_t count() const;
  std::size_t bytes() const { return bytes_.size(); }
  std::byte* data() { return bytes_.data(); }
  const std::byte* data() const { return bytes_.data(); }

  double get(std::int64_t element) const;
  void set(std::int64_t element, double value);  // rounds to the storage type
  bool poisoned(std::int64_t element) const;
  void poison();

  friend bool operator==(const HostBuffer&, const HostBuffer&) = default;

 private:
  ElementType type_ = ElementType::kF32;
  std::vector<std::int64_t> shape_;
  std::vector<std::byte, LineAllocator<std::byte>> bytes_;
};

using HostBuffers = std::map<std::string, HostBuffer>;

// Tokens [first, first + count) of a [batch, tokens, ...] buffer.
HostBuffer slice_tokens(const HostBuffer& buffer, std::int64_t first, std::int64_t count);

// ---- randomness -------------------------------------------------------------------------------

// mt19937_64 with our own distributions: the standard ones differ between libraries.
class RandomSource {
 public:
  explicit RandomSource(std::uint64_t seed) : engine_(seed) {}
  double uniform();                            // [0, 1)
  double uniform(double low, double high);     // [low, high)
  double normal();                             // mean 0, variance 1
  std::int64_t below(std::int64_t exclusive);  // 0 .. exclusive - 1
  double sign() { return below(2) == 0 ? -1.0 : 1.0; }

 private:
  std::mt19937_64 engine_;
};

// ---- instances --------------------------------------------------------------------------------

// kLinear  first order: one matrix state, which a gate a token decays, or one for each of its rows
// kMatrix  any other B: linear weights as well, with a state for every token and a coefficient for
//          every one that its row reads: S_i = k_i x_i^T + sum of b_ij S_j, y_i = q_i^T S_i
enum class WeightMode { kSoftmax, kGiven, kGated, kLinear, kMatrix };
// Linear weights are of any pattern where a kernel takes coefficients.
Result<WeightMode> weight_mode_of(const Manifest& manifest);
// q and k are of the state's rows, x and y of its columns.
inline bool has_states(WeightMode mode) {
  return mode == WeightMode::kLinear || mode == WeightMode::kMatrix;
}
// Rows are weighed by arrays, with one coefficient for an entry or, gated, one for each channel; of
// kMatrix those of B alone are, A's entries weigh 1.
inline bool has_coefficients(WeightMode mode) {
  return mode == WeightMode::kGiven || mode == WeightMode::kGated || mode == WeightMode::kMatrix;
}
inline std::int64_t coefficients_of_entry(WeightMode mode, std::int64_t head_dim) {
  return mode == WeightMode::kGated ? head_dim : 1;
}

// The run-time sizes of the manifest's vocabulary.
struct Sizes {
  std::int64_t batch = 1;
  std::int64_t tokens = 1;
  std::int64_t heads = 1;
  std::int64_t head_dim = 64;
  std::int64_t state_dim = 0;
  bool key_gates = false;  // of first order: a gate for each row of a state, not one for all
  std::int64_t start = 0;
  std::int64_t slots_a = 0;
  std::int64_t slots_b = 0;
  std::int64_t width_a = 0;
  std::int64_t width_b = 0;
  std::int64_t longest = 0;  // of sequences with lengths of their own
  std::int64_t chunks = 0;   // of an operation that cuts the tokens into some
  // Of caches in pages: pages of a sequence, and of all.
  std::int64_t table_a = 0;
  std::int64_t table_b = 0;
  std::int64_t pool_a = 0;
  std::int64_t pool_b = 0;

  // The value of a size by name, of batch+1, or of decimal digits.
  Result<std::int64_t> extent(std::string_view name) const;
  std::int64_t gates() const { return key_gates ? state_dim : 1; }  // of a token
  // With the chunks that a kernel makes of so many tokens.
  Sizes in_chunks(const KernelEntry& kernel) const;
};

// kNormal          every input normal, logits of variance 1; coefficients signed, absolute sum 1
// kLargeLogits     logits of +-120 in equal numbers
// kEqualLogits     all logits equal; coefficients all equal
// kOneHuge         the key of one token, huge_token, gives logits of 10^4 against 1 elsewhere: that
//                  overflows unless the maximum is subtracted; with coefficients, now positive, its
//                  x is huge, as far as f16 goes
// kLasting         coefficients of B come to nearly all of their row, and gates to nearly 1, so
// that
//                  what was long ago still counts
enum class Fill { kNormal, kLargeLogits, kEqualLogits, kOneHuge, kLasting };
const char* name_of(Fill fill);

struct ProblemOptions {
  WeightMode weights = WeightMode::kSoftmax;
  ElementType dtype = ElementType::kF32;
  ElementType coefficient_dtype = ElementType::kF32;  // of coef_a and coef_b
  // batch, tokens, heads, head_dim, state_dim, key_gates; columns that coefficients have at least.
  // The rest is filled in.
  Sizes sizes;
  float gamma = 0.5F;
  Fill fill = Fill::kNormal;
  std::int64_t huge_token = 0;  // of kOneHuge; 0: the one in the middle
  std::uint64_t seed = 1;
};

// The inputs of `sizes.tokens` tokens from the first one on (start = 0). Coefficients beyond the
// end of a row stay poisoned: no kernel may let them reach a result.
struct Problem {
  WeightMode weights = WeightMode::kSoftmax;
  ElementType dtype = ElementType::kF32;
  Sizes sizes;
  float scale = 1.0F;
  float gamma = 0.5F;
  double largest_logit = 0.0;  // a bound on |scale q.k|, for tolerances; 0 without softmax
  HostBuffers inputs;
};
// What side b has to spare where side a has `spare`: slots and columns of the two are never as many
// by chance, so that one side's are not taken for the other's unseen.
inline std::int64_t spare_of_b(std::int64_t spare) { return spare > 0 ? spare + 1 : 0; }
// The columns that the manifest asks for where there are `tokens` tokens, padded, and `spare` more;
// 0 where it cannot say.
void set_columns(Sizes& sizes, const Manifest& manifest, std::int64_t spare = 0);
// `rows` must reach sizes.tokens.
Problem make_problem(const ProblemOptions& options, const Rows& rows);

// ---- decode state -----------------------------------------------------------------------------

// The positions <= tokens of one side that a cache holds after `tokens` tokens, ascending.
// kNextRow needs row tokens + 1.
std::vector<std::int64_t> live_positions(CacheRetention retention, const RowTable& table,
                                         std::int64_t tokens);

// The state after `tokens` tokens, as a prefix would have left it: SIDE_pos, SIDE_key, SIDE_val or
// `state`, without the initial_/final_/cache_ prefix. `y` and `state` are the float64 results of
// the prefix for all tokens of the problem (of kMatrix, whose slots of B hold states: the states of
// the live positions); they are rounded to the storage type here. Slots are taken in an order drawn
// from `seed` where the layout leaves it open; free slots stay poisoned. Fails when the slots
// cannot hold what is live.
struct StateSource {
  const Problem& problem;
  const Rows& rows;
  const CacheLayout& cache_a;
  const CacheLayout& cache_b;
  const std::vector<double>& y;
  const std::vector<double>& state;
};
Result<HostBuffers> make_state(const StateSource& source, std::int64_t tokens, std::int64_t slots_a,
                               std::int64_t slots_b, std::uint64_t seed);

}  // namespace heddle
