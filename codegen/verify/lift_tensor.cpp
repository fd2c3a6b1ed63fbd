// SPDX-License-Identifier: Apache-2.0
// What tensor_prelude.cuh and softmax_prelude.cuh add to the language: for each helper on products
// of matrices, which elements every lane reads and writes, and where the lanes of a warp wait for
// each other. What is summed, compared and weighed in between is any number: the rules say where it
// lies. Rows that a lane names for ldmatrix are read by its warp.
#include <map>

#include "codegen/verify/lift_statement.hpp"

namespace heddle::verify {

using ir::Type;
using ir::VectorAt;

namespace {

// One call: what it was given, in its order, and the statements it stands for.
class HelperCall {
 public:
  HelperCall(Lifted& lifted, Expansion& expansion) : lifted_(lifted), expansion_(expansion) {}

  std::vector<std::int64_t> numbers;  // between < and >
  std::vector<VectorAt> places;
  std::vector<ir::ValueId> indices;

  // ---- rules: tensor_prelude.cuh ----

  void multiply_rows_by_rows() {
    each_depth([&](Number k) {
      left_of_rows(shifted(places[1], k), index(0));
      right_of_rows(shifted(places[2], k), index(1));
      products(places[0]);
    });
  }
  void multiply_rows_by_columns() {
    each_depth([&](Number k) {
      left_of_rows(shifted(places[1], k), index(0));
      right_of_columns(shifted(places[2], k * index(1)), index(1));
      products(places[0]);
    });
  }
  void multiply_sums_by_columns() {
    read(places[1], 8);
    right_of_columns(places[2], index(0));
    products(places[0]);
  }
  void multiply_sums_by_rows() {
    read(places[1], 8);
    right_of_rows(places[2], index(0));
    products(places[0]);
  }
  void multiply_columns_by_rows() {
    left_of_columns(places[1], index(0));
    right_of_rows(places[2], index(1));
    products(places[0]);
  }
  void multiply_columns() {
    left_of_columns(places[1], index(0));
    right_of_columns(places[2], index(1));
    products(places[0]);
  }
  void multiply_columns_by_columns() {
    each_depth([&](Number k) {
      left_of_columns(shifted(places[1], k * index(0)), index(0), shifted(places[2], k));
      right_of_columns(shifted(places[3], k * index(1)), index(1));
      products(places[0]);
    });
  }
  void scale_sums() {
    each_pair([&](Number row, Number column, Number sum) {
      const VectorAt factors = shifted(places[1], row * index(0) + column);
      expansion_.vector(2, [&](Number e) {
        expansion_.look_at(expansion_.load(factors, e));
        again(places[0], sum + e);
      });
    });
  }
  void scale_rows() {
    each_pair([&](Number row, Number, Number sum) {
      expansion_.look_at(expansion_.load(places[1], row));
      expansion_.loop(2, [&](Number e) { again(places[0], sum + e); });
    });
  }
  void scale_columns() {
    expansion_.loop(tiles(), [&](Number tile) {
      load_pair(shifted(places[1], fragment_column() + tile * 8));
      expansion_.loop(4, [&](Number e) { again(places[0], tile * 4 + e); });
    });
  }
  void scale_sums_across() {
    each_pair([&](Number row, Number column, Number sum) {
      expansion_.loop(2, [&](Number e) {
        expansion_.look_at(expansion_.load(places[1], (column + e) * index(0) + row));
        again(places[0], sum + e);
      });
    });
  }
  void dot_rows() {
    each_pair([&](Number row, Number column, Number sum) {
      expansion_.loop(2,
                      [&](Number e) { expansion_.look_at(expansion_.load(places[1], sum + e)); });
      load_pair(shifted(places[2], row * index(0) + column));
    });
    expansion_.loop(2, [&](Number half) {
      expansion_.store(places[0], half, expansion_.load(places[1], half * 2));
    });
  }
  void store_sums() {
    each_pair([&](Number row, Number column, Number sum) {
      const VectorAt to = shifted(places[0], row * index(0) + column);
      expansion_.vector(
          2, [&](Number e) { expansion_.store(to, e, expansion_.load(places[1], sum + e)); });
    });
  }
  void load_sums() {
    each_pair([&](Number row, Number column, Number sum) {
      const VectorAt from = shifted(places[1], row * index(0) + column);
      expansion_.vector(
          2, [&](Number e) { expansion_.store(places[0], sum + e, expansion_.load(from, e)); });
    });
  }

  void store_sums_across() {
    each_pair([&](Number row, Number column, Number sum) {
      expansion_.loop(2, [&](Number e) {
        expansion_.store(places[0], (column + e) * index(0) + row,
                         expansion_.load(places[1], sum + e));
      });
    });
  }
  void load_sums_across() {
    each_pair([&](Number row, Number column, Number sum) {
      expansion_.loop(2, [&](Number e) {
        expansion_.store(places[0], sum + e,
                         expansion_.load(places[1], (column + e) * index(0) + row));
      });
    });
  }

  // ---- rules: softmax_prelude.cuh ----

  // A score is compared with what lies within fifteen of this number.
  void mask_scores() {
    expansion_.compute(index(0) + 15);
    drop_scores();
  }
  void mask_scores_by_position() {
    expansion_.loop(tiles(), [&](Number tile) {
      expansion_.loop(2, [&](Number e) {
        expansion_.compute(expansion_.load_index(places[1], fragment_column() + tile * 8 + e));
      });
    });
    mask_scores();
  }
  void drop_scores() { change(places[0], 4 * tiles()); }
  void raise_highest() {
    read(places[0], 4 * tiles());
    expansion_.loop(2, [&](Number half) {
      exchange(places[1], half);
      again(places[2], half);
    });
    change(places[3], 4 * numbers[1]);
  }
  void weigh_scores() {
    expansion_.loop(2, [&](Number half) {
      expansion_.look_at(expansion_.load(places[1], half));
      again(places[2], half);
    });
    change(places[0], 4 * tiles());
  }
  void weigh_mixed() {
    expansion_.compute(index(0) + 15);
    weigh_scores();
  }
  void weigh_by_column() {
    expansion_.loop(tiles(), [&](Number tile) {
      load_pair(shifted(places[1], fragment_column() + tile * 8));
      load_pair(shifted(places[2], fragment_column() + tile * 8));
      expansion_.loop(4, [&](Number e) { again(places[0], tile * 4 + e); });
    });
  }
  void slopes_by_column() {
    read(places[1], 4 * tiles());
    expansion_.loop(tiles(), [&](Number tile) {
      load_pair(shifted(places[2], fragment_column() + tile * 8));
      expansion_.loop(4, [&](Number e) { again(places[0], tile * 4 + e); });
    });
  }
  void overlap_rows() {
    expansion_.loop(2, [&](Number half) {
      const Number row = fragment_row() + half * 8;
      expansion_.loop(tiles(), [&](Number tile) {
        const Number column = fragment_column() + tile * 8;
        load_pair(shifted(places[1], row * index(0) + column));
        load_pair(shifted(places[2], row * index(1) + column));
      });
      const Number first = row * index(0) + fragment_column();
      expansion_.store(places[0], half, expansion_.load(places[1], first));
    });
  }
  void sum_rows() {
    expansion_.loop(numbers[0], [&](Number row) { exchange(places[0], row); });
  }
  void divide_rows() {
    expansion_.loop(2, [&](Number half) {
      expansion_.look_at(expansion_.exchanged(expansion_.load(places[1], half)));
    });
    change(places[0], 4 * tiles());
  }

 private:
  std::int64_t tiles() const { return numbers[0]; }
  Number index(std::size_t number) { return expansion_.value(indices[number]); }
  Number fragment_row() { return expansion_.lane() / 4; }
  Number fragment_column() { return expansion_.lane() % 4 * 2; }
  Number matrix_row() { return expansion_.lane() % 16; }
  Number matrix_column() { return expansion_.lane() / 16 * 8; }

  VectorAt shifted(const VectorAt& place, Number by) {
    return {place.memory, (expansion_.value(place.at) + by).id, place.writes};
  }
  // for (k = 0; k < kDepth; k += 16)
  void each_depth(const std::function<void(Number)>& body) {
    expansion_.loop((numbers[1] + 15) / 16, [&](Number step) { body(step * 16); });
  }
  void read(const VectorAt& sums, std::int64_t count) {
    expansion_.loop(count, [&](Number e) { expansion_.look_at(expansion_.load(sums, e)); });
  }
  // Changes what was there.
  void again(const VectorAt& sums, Number e) {
    expansion_.store(sums, e, expansion_.load(sums, e));
  }
  void change(const VectorAt& sums, std::int64_t count) {
    expansion_.loop(count, [&](Number e) { again(sums, e); });
  }
  void exchange(const VectorAt& sums, Number e) {
    expansion_.store(sums, e, expansion_.exchanged(expansion_.load(sums, e)));
  }
  // C += A B, tile by tile.
  void products(const VectorAt& sums) {
    expansion_.loop(4 * tiles(), [&](Number e) { exchange(sums, e); });
  }
  // body(row, column, sum) of the lane's first of two neighbours in each half of each tile.
  void each_pair(const std::function<void(Number, Number, Number)>& body) {
    expansion_.loop(tiles(), [&](Number tile) {
      expansion_.loop(2, [&](Number half) {
        body(fragment_row() + half * 8, fragment_column() + tile * 8, tile * 4 + half * 2);
      });
    });
  }

  // Four matrices of 8 x 8: eight elements from a place on that each lane names.
  void load_matrices(const VectorAt& row) {
    expansion_.vector(8, [&](Number e) {
      const ir::ValueId element = expansion_.load(row, e);
      lifted_.by_warp.insert(element.index);
      expansion_.look_at(expansion_.exchanged(element));
    });
  }
  void load_pair(const VectorAt& from) {
    expansion_.vector(2, [&](Number e) { expansion_.look_at(expansion_.load(from, e)); });
  }
  void left_of_rows(const VectorAt& from, Number stride) {
    load_matrices(shifted(from, matrix_row() * stride + matrix_column()));
  }
  void left_of_columns(const VectorAt& from, Number stride) {
    const Number row = expansion_.lane() % 8 + matrix_column();
    load_matrices(shifted(from, row * stride + expansion_.lane() % 16 / 8 * 8));
  }
  void left_of_columns(const VectorAt& from, Number stride, const VectorAt& weights) {
    expansion_.loop(2, [&](Number side) {
      expansion_.loop(2, [&](Number e) {
        const Number k = fragment_column() + side * 8 + e;
        expansion_.look_at(expansion_.load(weights, k));
        expansion_.loop(2, [&](Number half) {
          expansion_.look_at(expansion_.load(from, k * stride + fragment_row() + half * 8));
        });
      });
    });
  }
  // B[k][n] = from[n stride + k], of all tiles.
  void right_of_rows(const VectorAt& from, Number stride) {
    if (tiles() > 1) {
      expansion_.loop(tiles() / 2, [&](Number two) {
        const Number row = expansion_.lane() % 8 + matrix_column() + two * 16;
        load_matrices(shifted(from, row * stride + expansion_.lane() % 16 / 8 * 8));
      });
    }
    if (tiles() % 2 == 0) return;
    const Number row = fragment_row() + 8 * (tiles() - 1);
    const VectorAt first = shifted(from, row * stride + fragment_column());
    load_pair(first);
    load_pair(shifted(first, expansion_.number(8)));
  }
  // B[k][n] = from[k stride + n], of all tiles.
  void right_of_columns(const VectorAt& from, Number stride) {
    if (tiles() > 1) {
      expansion_.loop(tiles() / 2, [&](Number two) {
        load_matrices(shifted(from, matrix_row() * stride + matrix_column() + two * 16));
      });
    }
    if (tiles() % 2 == 0) return;
    expansion_.loop(2, [&](Number side) {
      expansion_.loop(2, [&](Number e) {
        const Number k = fragment_column() + side * 8 + e;
        const Number n = fragment_row() + 8 * (tiles() - 1);
        expansion_.look_at(expansion_.load(from, k * stride + n));
      });
    });
  }

  Lifted& lifted_;
  Expansion& expansion_;
};

// What a helper takes: S sums that it changes and s sums that it reads, both of the thread's own;
// m a matrix of the kernel's element, of which rows are read by warps, w one that it writes, of any
// reals; f floats that it reads, p whole numbers of shared memory; i an index; r a real.
struct HelperRule {
  Prelude prelude;
  std::size_t numbers;
  const char* letters;
  void (HelperCall::*expand)();
};
const std::map<std::string, HelperRule>& rules() {
  constexpr Prelude kTensor = Prelude::kTensor, kSoftmax = Prelude::kSoftmax;
  static const std::map<std::string, HelperRule> table = {
      {"multiply_rows_by_rows", {kTensor, 2, "Smimi", &HelperCall::multiply_rows_by_rows}},
      {"multiply_rows_by_columns", {kTensor, 2, "Smimi", &HelperCall::multiply_rows_by_columns}},
      {"multiply_sums_by_columns", {kTensor, 1, "Ssmi", &HelperCall::multiply_sums_by_columns}},
      {"multiply_sums_by_rows", {kTensor, 1, "Ssmi", &HelperCall::multiply_sums_by_rows}},
      {"multiply_columns_by_rows", {kTensor, 1, "Smimi", &HelperCall::multiply_columns_by_rows}},
      {"multiply_columns", {kTensor, 1, "Smimi", &HelperCall::multiply_columns}},
      {"multiply_columns_by_columns",
       {kTensor, 2, "Smifmi", &HelperCall::multiply_columns_by_columns}},
      {"scale_sums", {kTensor, 1, "Sfi", &HelperCall::scale_sums}},
      {"scale_sums_across", {kTensor, 1, "Sfi", &HelperCall::scale_sums_across}},
      {"scale_rows", {kTensor, 1, "Sf", &HelperCall::scale_rows}},
      {"scale_columns", {kTensor, 1, "Sf", &HelperCall::scale_columns}},
      {"dot_rows", {kTensor, 1, "Ssmi", &HelperCall::dot_rows}},
      {"store_sums", {kTensor, 1, "wis", &HelperCall::store_sums}},
      {"load_sums", {kTensor, 1, "Sfi", &HelperCall::load_sums}},
      {"store_sums_across", {kTensor, 1, "wis", &HelperCall::store_sums_across}},
      {"load_sums_across", {kTensor, 1, "Sfi", &HelperCall::load_sums_across}},
      {"mask_scores", {kSoftmax, 1, "Si", &HelperCall::mask_scores}},
      {"mask_scores_before", {kSoftmax, 1, "Si", &HelperCall::mask_scores}},
      {"mask_scores_by_position", {kSoftmax, 1, "Spi", &HelperCall::mask_scores_by_position}},
      {"drop_scores", {kSoftmax, 1, "Si", &HelperCall::drop_scores}},
      {"raise_highest", {kSoftmax, 2, "sSSS", &HelperCall::raise_highest}},
      {"weigh_scores", {kSoftmax, 1, "SsS", &HelperCall::weigh_scores}},
      {"weigh_mixed", {kSoftmax, 1, "SsSir", &HelperCall::weigh_mixed}},
      {"weigh_by_column", {kSoftmax, 1, "Sff", &HelperCall::weigh_by_column}},
      {"slopes_by_column", {kSoftmax, 1, "Ssf", &HelperCall::slopes_by_column}},
      {"overlap_rows", {kSoftmax, 1, "Smimi", &HelperCall::overlap_rows}},
      {"sum_rows", {kSoftmax, 1, "S", &HelperCall::sum_rows}},
      {"divide_rows", {kSoftmax, 1, "Ss", &HelperCall::divide_rows}}};
  return table;
}

}  // namespace

bool StatementReader::is_tensor_helper(const std::string& name) const {
  const auto rule = rules().find(name);
  return rule != rules().end() && lifted_.prelude >= rule->second.prelude;
}

// multiply_rows_by_rows<8, 64>(scores, staged + own_at, 72, staged + keys_at, 72);
void StatementReader::tensor_helper(ir::Body& statements) {
  const TextPlace at = peek().at;
  const std::size_t from = places_.size() - 1;  // its own place has been noted
  const std::string name = expect_name();
  const HelperRule& rule = rules().at(name);
  Expansion expansion(lifted_, places_, statements, at);
  HelperCall call(lifted_, expansion);
  for (std::size_t number = 0; number < rule.numbers; ++number) {
    expect(number == 0 ? "<" : ",");
    call.numbers.push_back(expect_integer());
    if (call.numbers.back() < 1) fail(at, "there are no such matrices");
  }
  expect(">");
  std::optional<CType> element;
  for (const char* letter = rule.letters; *letter != '\0'; ++letter) {
    expect(letter == rule.letters ? "(" : ",");
    const TextPlace argument_at = peek().at;
    if (*letter == 'i') {
      call.indices.push_back(as_index(expression(), argument_at));
      continue;
    }
    if (*letter == 'r') {
      as(expression(), CType::kFloat, argument_at);
      continue;
    }
    const std::optional<VectorAt> place = vector_place(*letter == 'S' || *letter == 'w');
    if (failed() || !place) return;
    if (*letter == 'm') {
      if (element && *element != element_of(place->memory)) {
        return fail(argument_at, "matrices of different types are multiplied here");
      }
      element = element_of(place->memory);
    }
    if (const char* wrong = unfit(*place, *letter)) return fail(argument_at, wrong);
    call.places.push_back(*place);
  }
  expect(")");
  expect(";");
  if (failed()) return;
  (call.*rule.expand)();
  calls_.push_back({name, from, places_.size()});
}

// Why a helper cannot take this place as what the letter says, if it cannot.
const char* StatementReader::unfit(const VectorAt& place, char letter) const {
  const CType element = element_of(place.memory);
  const ir::ArrayId* array = std::get_if<ir::ArrayId>(&place.memory);
  const bool shared = array != nullptr && lifted_.kernel[*array].shared;
  if (letter == 'm') {
    if (!shared || !is_narrow(element)) return "matrices of bf16 or f16 lie in shared memory";
    return alignment_of(place.memory) < 16 ? "it is not known that rows begin here" : nullptr;
  }
  if (letter == 'p') {
    return shared && element == CType::kIndex ? nullptr : "whole numbers lie in shared memory";
  }
  const bool real = element == CType::kFloat || (letter == 'w' && is_narrow(element));
  if (!real) return "here a helper takes reals";
  const bool own = array != nullptr && !shared;
  if (letter == 'S' || letter == 's') return own ? nullptr : "sums are the thread's own";
  if (letter == 'w' && !may_write(place.memory)) return "this buffer is read only";
  const bool even = alignment_of(place.memory) >= (is_narrow(element) ? 4 : 8);
  return even ? nullptr : "it is not known that pairs begin here";
}

}  // namespace heddle::verify
