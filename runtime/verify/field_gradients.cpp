// SPDX-License-Identifier: Apache-2.0
#include "runtime/verify/field_gradients.hpp"

#include <algorithm>
#include <utility>

#include "runtime/reference/by_channel.hpp"

namespace heddle {
namespace {

using Word = std::uint64_t;

Word add_p(Word x, Word y) { return add_modulo(x, y, kFieldP); }
Word multiply_p(Word x, Word y) { return multiply_modulo(x, y, kFieldP); }

// A computation over the field, and the way back through it.
class Tape {
 public:
  using Node = std::size_t;
  using Products = std::vector<std::pair<Node, Node>>;

  // The gradient of the result is added to *gradient on the way back, where it is given.
  Node leaf(FieldElement value, Word* gradient = nullptr) {
    return push({value, Kind::kLeaf, gradient, 0, 0, 0});
  }
  Node sum_of_products(const Products& terms) {
    FieldElement sum;
    for (const auto& [x, y] : terms) {
      const FieldElement& a = nodes_[x].value;
      const FieldElement& b = nodes_[y].value;
      sum.value = add_p(sum.value, multiply_p(a.value, b.value));
      const bool exponents = a.exponent < kFieldQ && b.exponent < kFieldQ && sum.exponent < kFieldQ;
      sum.exponent =
          exponents
              ? add_modulo(sum.exponent, multiply_modulo(a.exponent, b.exponent, kFieldQ), kFieldQ)
              : kFieldPoison.exponent;
    }
    const std::size_t first = terms_.size();
    terms_.insert(terms_.end(), terms.begin(), terms.end());
    return push({sum, Kind::kProducts, nullptr, first, terms_.size(), 0});
  }
  Node product(Node x, Node y) { return sum_of_products({{x, y}}); }
  Node quotient(Node x, Node y) {
    const Word inverse = inverse_modulo(nodes_[y].value.value, kFieldP);
    const FieldElement value = {multiply_p(nodes_[x].value.value, inverse), kFieldPoison.exponent};
    return push({value, Kind::kQuotient, nullptr, x, y, inverse});
  }
  Node exponential(Node x) {
    assert_that(nodes_[x].value.exponent < kFieldQ, "an exponent");
    const Word value = power_modulo(kFieldGenerator, nodes_[x].value.exponent, kFieldP);
    return push({{value, kFieldPoison.exponent}, Kind::kExponential, nullptr, x, 0, 0});
  }
  Word value(Node node) const { return nodes_[node].value.value; }

  // The derivative of sum(seed * node) goes to the leaves.
  void back(const std::vector<std::pair<Node, Word>>& seeds) const {
    std::vector<Word> slope(nodes_.size(), 0);
    for (const auto& [node, seed] : seeds) slope[node] = add_p(slope[node], seed);
    const auto give = [&](Node to, Word part) { slope[to] = add_p(slope[to], part); };
    for (Node n = nodes_.size(); n-- > 0;) {
      const Step& step = nodes_[n];
      const Word own = slope[n];
      if (own == 0) continue;
      switch (step.kind) {
        case Kind::kLeaf:
          if (step.gradient != nullptr) *step.gradient = add_p(*step.gradient, own);
          break;
        case Kind::kProducts:  // d(x y) = y dx + x dy
          for (std::size_t t = step.first; t < step.second; ++t) {
            const auto& [x, y] = terms_[t];
            give(x, multiply_p(own, value(y)));
            give(y, multiply_p(own, value(x)));
          }
          break;
        case Kind::kQuotient: {  // d(x / y) = dx / y - (x / y) dy / y
          const Word share = multiply_p(own, step.inverse);
          give(step.first, share);
          give(step.second, subtract_modulo(0, multiply_p(share, step.value.value), kFieldP));
          break;
        }
        case Kind::kExponential:  // d exp(x) = exp(x) dx
          give(step.first, multiply_p(own, step.value.value));
          break;
      }
    }
  }

 private:
  enum class Kind { kLeaf, kProducts, kQuotient, kExponential };
  struct Step {
    FieldElement value;
    Kind kind;
    Word* gradient;
    std::size_t first, second;  // nodes, or the range of terms_
    Word inverse;
  };
  Node push(const Step& step) {
    nodes_.push_back(step);
    return nodes_.size() - 1;
  }
  std::vector<Step> nodes_;
  Products terms_;
};

constexpr FieldElement kOne = {1, 1};
constexpr FieldElement kMinusOne = {kFieldP - 1, kFieldQ - 1};

// One batch and head: its inputs, and where their gradients are.
class Head {
 public:
  Head(const FieldProblem& problem, const Rows& rows, const std::vector<Word>& y,
       const std::vector<Word>& dy, FieldGradients& gradients, std::int64_t batch,
       std::int64_t head, const FieldState* state)
      : problem_(problem), rows_(rows), gradients_(gradients), batch_(batch), head_(head) {
    if (state != nullptr) start_ = state->start;
    for (std::int64_t t = 0; t < sizes().tokens; ++t) {
      for (std::int64_t c = 0; c < sizes().head_dim; ++c) {
        y_.push_back(y[at(t, c, sizes().head_dim)]);
        const std::size_t place = at(t, c, sizes().head_dim);
        lambda_.push_back(t < start_ ? 0 : dy[place]);
        if (state != nullptr && state->handed.count("dy") > 0) {
          lambda_.back() = add_p(lambda_.back(), state->handed.at("dy")[place]);
        }
      }
    }
    if (state == nullptr || state->handed.count("dstate") == 0) return;
    const auto cells = static_cast<std::ptrdiff_t>(sizes().state_dim * sizes().head_dim);
    const auto from = state->handed.at("dstate").begin() + (batch * sizes().heads + head) * cells;
    later_.assign(from, from + cells);
  }

  // Rows above i are done, so lambda_i, the gradient of y_i by all later rows, is complete.
  void mixer() {
    for (std::int64_t i = sizes().tokens; i > start_; --i) row(i);
  }
  // What mixer() leaves by token besides: the gradient of each output, and of keys that B reads,
  // which are those of tokens that were not handed over.
  void leave_state() {
    std::vector<Word>& dy = gradients_.at("dy");
    for (std::int64_t t = 0; t < sizes().tokens; ++t) {
      for (std::int64_t c = 0; c < sizes().head_dim; ++c) {
        const std::size_t place = at(t, c, sizes().head_dim);
        dy[place] = lambda_[static_cast<std::size_t>(t * sizes().head_dim + c)];
        const auto keys = gradients_.find("dk_b");
        if (t < start_ || keys == gradients_.end()) continue;
        Word& key = gradients_.at("dk")[place];
        key = add_p(key, keys->second[place]);
      }
    }
  }

  void linear() {
    const std::int64_t rank = sizes().state_dim, d = sizes().head_dim;
    const auto cells = static_cast<std::size_t>(rank * d);
    std::vector<std::vector<Word>> states = {std::vector<Word>(cells, 0)};  // before each token
    for (std::int64_t t = 0; t < sizes().tokens; ++t) {
      Tape tape;
      const LinearStep step = linear_step(tape, t, states.back(), nullptr);
      states.emplace_back();
      for (const Tape::Node node : step.state) states.back().push_back(tape.value(node));
    }
    std::vector<Word> later = later_;  // the gradient of the state after the token at hand
    later.resize(cells, 0);
    for (std::int64_t t = sizes().tokens; t-- > start_;) {
      Tape tape;
      std::vector<Word> before(cells, 0);
      const LinearStep step =
          linear_step(tape, t, states[static_cast<std::size_t>(t)], before.data());
      std::vector<std::pair<Tape::Node, Word>> seeds = output_seeds(tape, step.y, t);
      for (std::size_t e = 0; e < cells; ++e) seeds.emplace_back(step.state[e], later[e]);
      tape.back(seeds);
      later = std::move(before);
    }
    const auto initial = gradients_.find("dinitial_state");
    if (initial == gradients_.end()) return;
    std::copy(later.begin(), later.end(),
              initial->second.begin() +
                  (batch_ * sizes().heads + head_) * static_cast<std::ptrdiff_t>(cells));
  }

 private:
  const Sizes& sizes() const { return problem_.sizes; }
  std::size_t at(std::int64_t token, std::int64_t channel, std::int64_t width) const {
    const std::int64_t row = (batch_ * sizes().tokens + token) * sizes().heads + head_;
    return static_cast<std::size_t>(row * width + channel);
  }
  // Elements [first, first + count) of an input of `token`, which has `width` of them.
  std::vector<Tape::Node> part(Tape& tape, const std::string& name, std::int64_t token,
                               std::int64_t first, std::int64_t count, std::int64_t width,
                               const char* its_gradient = nullptr) {
    const std::vector<FieldElement>& numbers = problem_.inputs.at(name);
    std::vector<Word>& gradient =
        gradients_.at(its_gradient == nullptr ? "d" + name : its_gradient);
    std::vector<Tape::Node> nodes;
    for (std::int64_t c = first; c < first + count; ++c) {
      const std::size_t place = at(token, c, width);
      nodes.push_back(tape.leaf(numbers[place], &gradient[place]));
    }
    return nodes;
  }
  std::vector<Tape::Node> vector(Tape& tape, const char* name, std::int64_t token,
                                 std::int64_t width) {
    return part(tape, name, token, 0, width, width);
  }
  static Tape::Products products(const std::vector<Tape::Node>& x,
                                 const std::vector<Tape::Node>& y) {
    Tape::Products terms;
    for (std::size_t e = 0; e < x.size(); ++e) terms.emplace_back(x[e], y[e]);
    return terms;
  }

  // y of `token`, as it was taken apart, must be the y that the problem has.
  std::vector<std::pair<Tape::Node, Word>> output_seeds(const Tape& tape,
                                                        const std::vector<Tape::Node>& y,
                                                        std::int64_t token) const {
    std::vector<std::pair<Tape::Node, Word>> seeds;
    for (std::size_t c = 0; c < y.size(); ++c) {
      const std::size_t place = static_cast<std::size_t>(token * sizes().head_dim) + c;
      assert_that(tape.value(y[c]) == y_[place], "the definition, taken apart");
      seeds.emplace_back(y[c], lambda_[place]);
    }
    return seeds;
  }

  std::vector<Tape::Node> earlier_output(Tape& tape, std::int64_t token) {
    std::vector<Tape::Node> nodes;
    for (std::int64_t c = 0; c < sizes().head_dim; ++c) {
      const auto place = static_cast<std::size_t>(token * sizes().head_dim + c);
      nodes.push_back(tape.leaf({y_[place], kFieldPoison.exponent}, &lambda_[place]));
    }
    return nodes;
  }

  void row(std::int64_t i) {
    const std::int64_t d = sizes().head_dim;
    const bool softmax = problem_.weights == WeightMode::kSoftmax;
    Tape tape;
    const Tape::Node one = tape.leaf(kOne);
    const Tape::Node scale = tape.leaf(problem_.scale);
    const Tape::Node gamma = tape.leaf(problem_.gamma);
    const Tape::Node share_a = tape.sum_of_products({{one, one}, {tape.leaf(kMinusOne), gamma}});
    std::vector<Tape::Node> query;
    if (softmax) query = vector(tape, "q", i - 1, d);
    Tape::Products total;
    std::vector<Tape::Products> mixed(static_cast<std::size_t>(d));
    for (const bool outputs : {false, true}) {
      std::vector<std::int64_t> positions;
      for_each_position(outputs ? rows_.b : rows_.a, i,
                        [&](std::int64_t p) { positions.push_back(p); });
      std::sort(positions.rbegin(), positions.rend());
      for (std::size_t entry = 0; entry < positions.size(); ++entry) {
        const std::int64_t j = positions[entry];
        Tape::Node weight = 0;
        if (softmax) {
          const bool apart = outputs && gradients_.count("dk_b") > 0;
          const std::vector<Tape::Node> key =
              part(tape, "k", j - 1, 0, d, d, apart ? "dk_b" : "dk");
          const Tape::Node logit = tape.product(scale, tape.sum_of_products(products(query, key)));
          weight = tape.product(outputs ? gamma : share_a, tape.exponential(logit));
          total.emplace_back(weight, one);
        } else {
          weight =
              part(tape, outputs ? "coef_b" : "coef_a", i - 1, static_cast<std::int64_t>(entry), 1,
                   outputs ? sizes().width_b : sizes().width_a)
                  .front();
        }
        const std::vector<Tape::Node> value =
            outputs ? earlier_output(tape, j - 1) : vector(tape, "x", j - 1, d);
        for (std::size_t c = 0; c < value.size(); ++c) mixed[c].emplace_back(weight, value[c]);
      }
    }
    if (mixed.front().empty()) return;  // y_i = 0 whatever the inputs are
    std::vector<Tape::Node> y;
    const Tape::Node sum = tape.sum_of_products(total);
    for (const Tape::Products& terms : mixed) {
      y.push_back(tape.sum_of_products(terms));
      if (softmax) y.back() = tape.quotient(y.back(), sum);
    }
    tape.back(output_seeds(tape, y, i - 1));
  }

  struct LinearStep {
    std::vector<Tape::Node> state, y;
  };
  // state = gate before + k x^T, y = q^T state; the gradient of `before` goes to `slope`.
  LinearStep linear_step(Tape& tape, std::int64_t t, const std::vector<Word>& before, Word* slope) {
    const std::int64_t rank = sizes().state_dim, d = sizes().head_dim;
    const auto gates = vector(tape, "gate", t, sizes().gates());
    const auto key = vector(tape, "k", t, rank), value = vector(tape, "x", t, d),
               query = vector(tape, "q", t, rank);
    LinearStep step;
    std::vector<Tape::Products> read(static_cast<std::size_t>(d));
    for (std::size_t r = 0; r < key.size(); ++r) {
      for (std::size_t c = 0; c < value.size(); ++c) {
        const std::size_t cell = r * value.size() + c;
        const Tape::Node earlier = tape.leaf({before[cell], kFieldPoison.exponent},
                                             slope == nullptr ? nullptr : slope + cell);
        step.state.push_back(
            tape.sum_of_products({{gates[r % gates.size()], earlier}, {key[r], value[c]}}));
        read[c].emplace_back(query[r], step.state.back());
      }
    }
    for (const Tape::Products& terms : read) step.y.push_back(tape.sum_of_products(terms));
    return step;
  }

  const FieldProblem& problem_;
  const Rows& rows_;
  FieldGradients& gradients_;
  std::int64_t batch_;
  std::int64_t head_;
  std::int64_t start_ = 0;
  std::vector<Word> y_, lambda_;  // [tokens, head_dim]
  std::vector<Word> later_;       // what is given of the final matrix, if anything
};

// Gradients of matrix states: by_state in the middle, and on both sides of it the rows that are
// read out and the products that go in.
class MatrixRows {
 public:
  explicit MatrixRows(const FieldProblem& problem)
      : problem_(problem), rank_(problem.sizes.state_dim), d_(problem.sizes.head_dim) {}

  FieldGradients gradients(const Rows& rows, const std::vector<Word>& y,
                           const std::vector<Word>& dy) {
    for (const auto& [name, numbers] : problem_.inputs) {
      gradients_["d" + name].resize(numbers.size());
    }
    const FieldProblem channels = by_state(problem_, rows);
    const std::vector<Word> states = field_output(channels, rows);
    std::vector<Word> slopes(states.size(), 0);
    const std::size_t tokens = states.size() / cells();
    for (std::size_t row = 0; row < tokens; ++row) read_out(row, states, y, dy, slopes);
    FieldGradients of_states = field_gradients(channels, rows, states, slopes);
    for (std::size_t row = 0; row < tokens; ++row) take_in(row, of_states.at("dx"));
    gradients_["dcoef_b"] = std::move(of_states.at("dcoef_b"));
    return std::move(gradients_);
  }

 private:
  std::size_t cells() const { return static_cast<std::size_t>(rank_ * d_); }
  std::vector<Tape::Node> vector(Tape& tape, const std::string& name, std::size_t row,
                                 std::int64_t width) {
    std::vector<Tape::Node> nodes;
    const std::size_t first = row * static_cast<std::size_t>(width);
    for (std::size_t e = first; e < first + static_cast<std::size_t>(width); ++e) {
      nodes.push_back(tape.leaf(problem_.inputs.at(name)[e], &gradients_.at("d" + name)[e]));
    }
    return nodes;
  }

  // y = q^T state
  void read_out(std::size_t row, const std::vector<Word>& states, const std::vector<Word>& y,
                const std::vector<Word>& dy, std::vector<Word>& slopes) {
    Tape tape;
    const std::vector<Tape::Node> query = vector(tape, "q", row, rank_);
    std::vector<Tape::Products> read(static_cast<std::size_t>(d_));
    for (std::size_t cell = 0; cell < cells(); ++cell) {
      const std::size_t place = row * cells() + cell;
      const Tape::Node element = tape.leaf({states[place], kFieldPoison.exponent}, &slopes[place]);
      read[cell % read.size()].emplace_back(query[cell / read.size()], element);
    }
    std::vector<std::pair<Tape::Node, Word>> seeds;
    for (std::size_t c = 0; c < read.size(); ++c) {
      const Tape::Node out = tape.sum_of_products(read[c]);
      assert_that(tape.value(out) == y[row * read.size() + c], "the definition, taken apart");
      seeds.emplace_back(out, dy[row * read.size() + c]);
    }
    tape.back(seeds);
  }
  // The input of by_state: k x^T.
  void take_in(std::size_t row, const std::vector<Word>& slopes) {
    Tape tape;
    const std::vector<Tape::Node> key = vector(tape, "k", row, rank_);
    const std::vector<Tape::Node> value = vector(tape, "x", row, d_);
    std::vector<std::pair<Tape::Node, Word>> seeds;
    for (std::size_t cell = 0; cell < cells(); ++cell) {
      seeds.emplace_back(tape.product(key[cell / value.size()], value[cell % value.size()]),
                         slopes[row * cells() + cell]);
    }
    tape.back(seeds);
  }

  const FieldProblem& problem_;
  std::int64_t rank_, d_;
  FieldGradients gradients_;
};

FieldGradients all_gradients(const FieldProblem& problem, const Rows& rows,
                             const std::vector<Word>& y, const std::vector<Word>& dy,
                             const FieldState* state) {
  if (problem.weights == WeightMode::kGated) {
    FieldGradients gradients = all_gradients(by_channel(problem), rows, y, dy, state);
    for (const auto& [name, width] :
         {std::pair{"dcoef_a", problem.sizes.width_a}, {"dcoef_b", problem.sizes.width_b}}) {
      gradients.at(name) = from_channels(gradients.at(name), width, problem.sizes.head_dim);
    }
    return gradients;
  }
  if (problem.weights == WeightMode::kMatrix) {
    assert_that(state == nullptr, "a whole sequence");
    return MatrixRows(problem).gradients(rows, y, dy);
  }
  FieldGradients gradients;
  for (const auto& [name, numbers] : problem.inputs) gradients["d" + name].resize(numbers.size());
  if (state != nullptr && problem.weights == WeightMode::kLinear) {
    if (state->start > 0) {
      gradients["dinitial_state"].resize(state->handed.at("dstate").size());
    }
  } else if (state != nullptr) {
    gradients["dy"].resize(dy.size());
    for (const auto& [name, handed] : state->handed) {
      if (name != "dy") gradients[name] = handed;
    }
  }
  for (std::int64_t b = 0; b < problem.sizes.batch; ++b) {
    for (std::int64_t h = 0; h < problem.sizes.heads; ++h) {
      Head head(problem, rows, y, dy, gradients, b, h, state);
      if (problem.weights == WeightMode::kLinear) {
        head.linear();
      } else {
        head.mixer();
        if (state != nullptr) head.leave_state();
      }
    }
  }
  return gradients;
}

}  // namespace

FieldGradients field_gradients(const FieldProblem& problem, const Rows& rows,
                               const std::vector<Word>& y, const std::vector<Word>& dy) {
  return all_gradients(problem, rows, y, dy, nullptr);
}

FieldGradients field_gradients(const FieldProblem& problem, const Rows& rows,
                               const std::vector<Word>& y, const std::vector<Word>& dy,
                               const FieldState& state) {
  return all_gradients(problem, rows, y, dy, &state);
}

std::int64_t field_gradient_degree(WeightMode weights, std::int64_t tokens) {
  // softmax: y and lambda are of degree 2 n + 1 over the product of all totals, of degree 2 n; a
  // slope multiplies the two, and adds a weight over a total, the scale and a key. given: lambda
  // and y meet. linear, matrix: the gates or coefficients of all tokens, with q and dy and with k
  // and x.
  return weights == WeightMode::kSoftmax ? 8 * tokens + 8 : 2 * tokens + 4;
}

}  // namespace heddle
