// SPDX-License-Identifier: Apache-2.0
#include "analyzer/coq/sides.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace heddle::coq {
namespace {

std::function<std::string(const std::string&)> equals(const std::string& value) {
  return [value](const std::string& y) { return y + " = " + value; };
}

Size number(const std::string& value, const Number& at, const std::string& theorem) {
  return {fmt::format("exists ({}). split; [{}|reflexivity].", value, theorem),
          equals(value),
          true,
          {at, at}};
}

// Live sets of rows of which everything is read for ever.
Size everything(const std::string& proof) {
  return {fmt::format("exists i. split; [apply everything_size; {}|reflexivity].", proof),
          equals("i"),
          true,
          {itself, itself}};
}

class Builder {
 public:
  Builder(const Pattern& pattern, Side side, const std::vector<Function>& functions)
      : pattern_(pattern), side_(side), functions_(functions) {}

  std::optional<Rows> build(const SetExpression& set) {
    return match(
        set.node, [&](const EmptySet&) { return std::optional(none()); },
        [&](const DiagonalSet&) { return std::optional(diagonal()); },
        [&](const DenseSet&) { return std::optional(dense()); },
        [&](const WindowSet& node) { return window(node); },
        [&](const OffsetsSet& node) { return offsets(node); },
        [&](const LatticeSet& node) { return lattice(node); },
        [&](const RangeSet&) { return std::optional<Rows>(); },
        [&](const Comprehension& node) { return comprehension(node); },
        [&](const SetOperation& node) { return operation(node); });
  }

 private:
  bool is_a() const { return side_ == Side::kA; }
  std::string side_name() const { return is_a() ? "A" : "B"; }

  static Rows none() {
    Rows rows;
    rows.term = "none";
    rows.none = true;
    rows.size = number("0", always(0), "apply none_size");
    rows.live = number("0", always(0), "apply none_live");
    rows.causal = "intros i p [].";
    return rows;
  }

  static Rows diagonal() {
    Rows rows;
    rows.term = "diagonal";
    rows.diagonal = true;
    rows.size = number("1", always(1), "apply diagonal_size, I");
    rows.live = number("0", always(0), "apply diagonal_live");
    rows.causal = "intros i p R. unfold diagonal in R. lia.";
    rows.own = "intros i I. unfold diagonal. lia.";
    return rows;
  }

  Rows dense() const {
    Rows rows;
    rows.term = is_a() ? "dense_a" : "dense_b";
    rows.dense = true;
    rows.size = is_a() ? number("i", itself, "apply dense_a_size")
                       : number(
                             "i - 1", [](const Integer& i) { return i - Integer(1); },
                             "apply dense_b_size");
    rows.everything = fmt::format("apply {}_everything", rows.term);
    rows.live = everything(rows.everything);
    rows.causal = fmt::format("intros i p R. unfold {} in R. lia.", rows.term);
    const std::string in_row = fmt::format("intros i I. unfold {}. lia.", rows.term);
    if (is_a()) rows.own = in_row;
    rows.previous = in_row;
    rows.far = Reads{"m", in_row, ""};
    return rows;
  }

  std::optional<Rows> window(const WindowSet& node) const {
    const auto width = constant(*node.width, pattern_);
    if (!width || *width < 1 || *width > 5000) return std::nullopt;
    return window(*width);
  }

  Rows window(const Integer& width) const {
    const std::string w = width.to_string();
    const std::string last = is_a() ? (width - Integer(1)).to_string() : w;
    const std::string name = is_a() ? "window_a" : "window_b";
    Rows rows;
    rows.term = name + " " + w;
    rows.window = width;
    rows.size = is_a() ? number("Nat.min i " + w, at_most(width), "apply window_a_size")
                       : number("Nat.min (i - 1) " + w, at_most(width, 1), "apply window_b_size");
    rows.live = number("Nat.min i " + last, at_most(is_a() ? width - Integer(1) : width),
                       fmt::format("exact ({}_live {} i)", name, w));
    rows.causal = fmt::format("intros i p R. unfold {} in R. lia.", name);
    const std::string in_row = fmt::format("intros i I. unfold {}. lia.", name);
    if (is_a()) rows.own = in_row;
    if (!is_a() || width >= 2) {
      rows.previous = in_row;
      rows.far = Reads{last, in_row, ""};
    }
    return rows;
  }

  const Function* function(const std::string& name) const {
    for (const Function& candidate : functions_) {
      if (candidate.name == function_name(name)) return &candidate;
    }
    return nullptr;
  }

  std::optional<Rows> offsets(const OffsetsSet& node) const {
    const Function* f = function(node.function);
    if (f == nullptr || f->definition.empty()) return std::nullopt;
    Rows rows;
    rows.term = "offsets " + f->name;
    know_offsets(rows, *f, "");
    if (f->increases) rows.offsets = f;
    return rows;
  }

  // `same` is a lemma that the rows are offsets g, or empty where they are written so.
  void know_offsets(Rows& rows, const Function& g, const std::string& same) const {
    if (!g.increases) return;
    const std::string inside = same.empty() ? "" : fmt::format("apply {}. ", same);
    const std::string sized =
        same.empty() ? "exact C" : fmt::format("apply (same_size _ _ _ _ {}); exact C", same);
    rows.size = Size{
        fmt::format("destruct (offsets_size {0} i {0}_increases) as (c & C & N). exists c. split; "
                    "[{1}|{2}].",
                    g.name, sized, fmt::format("exact ({}_counts i c N)", g.name)),
        [g](const std::string& y) { return what_counts(g, "i", y); }, g.counted_from_below(),
        counted(g)};
    rows.everything = fmt::format(
        "{}apply offsets_everything, {}_increases",
        same.empty() ? "" : fmt::format("apply (same_everything _ _ {}); ", same), g.name);
    rows.live = everything(rows.everything);
    const std::string opened =
        fmt::format("intros i p R. {}destruct R as (k & K & ->). ",
                    same.empty() ? "" : fmt::format("apply {} in R. ", same));
    const std::string first = fmt::format(
        "pose proof (increasing_pairs {0} {0}_increases 0 k (Nat.le_0_l k)). rewrite {0}_start in "
        "*. ",
        g.name);
    if (is_a()) rows.causal = opened + "lia.";
    if (!is_a() && g.start >= 1) rows.causal = opened + first + "lia.";
    if (g.start == 1) {
      rows.previous = fmt::format("intros i I. {}exists 0. rewrite {}_start. lia.", inside, g.name);
    }
    if (g.start >= 1) {
      rows.far =
          Reads{fmt::format("({} m)", g.name), fmt::format("intros i I. {}exists m. auto.", inside),
                fmt::format("increasing_above {0} {0}_increases m", g.name)};
    }
  }

  std::optional<Rows> lattice(const LatticeSet& node) const {
    const Function* f = function(node.function);
    if (is_a() || f == nullptr || f->definition.empty()) return std::nullopt;
    Rows rows;
    rows.term = "lattice " + f->name;
    if (!f->increases || f->start != 1) return rows;
    rows.lattice = f;
    rows.size = lattice_size(*f, "i");
    rows.live = lattice_size(*f, "(S i)");
    rows.causal = fmt::format("exact (lattice_causal {0} {0}_increases {0}_start).", f->name);
    rows.previous = fmt::format("exact (lattice_reads_previous {0} {0}_start).", f->name);
    return rows;
  }

  // |S_i| where i is "i", |live(i)| = |S_(i+1)| where it is "(S i)".
  static Size lattice_size(const Function& f, const std::string& i) {
    const bool live = i != "i";
    const std::string counts = fmt::format("exact ({}_counts {} n N)", f.name, i);
    const std::string found = fmt::format(
        "destruct (lattice_size {0} {1} {0}_increases) as (c & n & C & L & N). exists c. split; "
        "[{2}exact C|]. ",
        f.name, i,
        live ? fmt::format("apply (lattice_live_size _ _ _ {0}_increases {0}_start); ", f.name)
             : "");
    const std::string bare = live ? "S i" : "i";
    if (!f.ratio.empty()) {
      return {found + fmt::format("rewrite (lattice_size_of_ratio {0} {3} {1} c n {0}_increases "
                                  "{0}_gaps C N). {2}.",
                                  f.name, i, counts, f.ratio),
              [f, bare](const std::string& y) { return what_counts(f, bare, y); },
              f.counted_from_below(), shifted(counted(f), live)};
    }
    const std::string few = fmt::format(
        "exact (lattice_size_of_spread {0} 2 {1} c n {0}_increases ltac:(lia) "
        "(squares_spread {0} {0}_square) C N)",
        f.name, i);
    const bool spread = f.square_plus_one;
    return {found + fmt::format("exists n. split; [exact L|{}{}{}].",
                                spread ? "split; [" + few + "|" : "", counts, spread ? "]" : ""),
            [f, bare, spread](const std::string& y) {
              return fmt::format("exists n, {} <= n /\\ {}{}", y,
                                 spread ? "n <= 2 * " + y + " /\\ " : "",
                                 what_counts(f, bare, "n"));
            },
            spread,
            {f.doubles_after > 0 ? always(0) : Number(), shifted(counted(f), live).most}};
  }

  // { i - c : c < i } and { i - g(t) : t >= low, g(t) < i }
  std::optional<Rows> comprehension(const Comprehension& node) {
    if (node.binders.size() > 1 || (!node.binders.empty() && node.binders[0].high)) {
      return std::nullopt;
    }
    Scope scope{pattern_, {{"i", "i"}}};
    std::string text = "fun i p => ";
    std::optional<Integer> low;
    if (!node.binders.empty()) {
      low = constant(*node.binders[0].low, pattern_);
      if (!low || *low < 0) return std::nullopt;
      scope.names[node.binders[0].name] = "t";
      text += fmt::format("exists t, {} <= t /\\ ", low->to_string());
    }
    for (const ConditionPtr& condition : node.conditions) {
      const auto part = proposition(*condition, scope);
      if (!part) return std::nullopt;
      const bool plain = std::holds_alternative<Comparison>(condition->node);
      text += (plain ? *part : "(" + *part + ")") + " /\\ ";
    }
    const auto position = equation("p", *node.element, scope);
    if (!position) return std::nullopt;
    Rows rows;
    rows.term = fmt::format("{}_{}", side_name(), ++spelt_out_);
    rows.definitions =
        fmt::format("Definition {} : rows := {}1 <= p /\\ {}.\n", rows.term, text, *position);
    if (clipped_at_the_row(node, scope)) know_comprehension(rows, node, low, scope);
    return rows;
  }

  // One condition, that the position is at least 1.
  static bool clipped_at_the_row(const Comprehension& node, const Scope& scope) {
    if (node.conditions.size() != 1) return false;
    const auto* comparison = std::get_if<Comparison>(&node.conditions[0]->node);
    if (comparison == nullptr) return false;
    auto left = sum_of(*comparison->left, scope), right = sum_of(*comparison->right, scope);
    const auto position = sum_of(*node.element, scope);
    if (!left || !right || !position) return false;
    const ComparisonOperator op = comparison->op;
    if (op == ComparisonOperator::kLess || op == ComparisonOperator::kLessEqual) {
      std::swap(left, right);
    } else if (op != ComparisonOperator::kGreater && op != ComparisonOperator::kGreaterEqual) {
      return false;
    }
    const bool strict = op == ComparisonOperator::kLess || op == ComparisonOperator::kGreater;
    // left - right >= strict, which should be position >= 1
    Sum apart = difference(difference(*left, *right), *position);
    apart[""] = apart[""] - Integer(strict ? 1 : 0) + Integer(1);
    for (const auto& [text, factor] : apart) {
      if (factor != 0) return false;
    }
    return true;
  }

  void know_comprehension(Rows& rows, const Comprehension& node, const std::optional<Integer>& low,
                          const Scope& scope) {
    Sum distance = difference({{"i", 1}}, *sum_of(*node.element, scope));
    if (distance["i"] != 0) return;
    if (low) {
      know_distances(rows, node, *low);
    } else if (distance == Sum{{"", 1}, {"i", 0}} && !is_a()) {
      know_previous(rows);
    }
  }

  // { i - 1 : i >= 2 } is window(1).
  void know_previous(Rows& rows) const {
    const std::string name = rows.term;
    rows.lemmas = fmt::format(
        "Lemma {0}_is : same {0} (window_b 1).\nProof. intros i p. unfold {0}, window_b. lia. "
        "Qed.\n",
        name);
    rows.size = number("Nat.min (i - 1) 1", at_most(Integer(1), 1),
                       fmt::format("apply (same_size _ _ _ _ {}_is), window_b_size", name));
    rows.live = number("Nat.min i 1", at_most(Integer(1)),
                       fmt::format("apply (same_live _ _ _ _ {}_is), window_b_live", name));
    rows.causal = fmt::format("intros i p R. unfold {} in R. lia.", name);
    rows.previous = fmt::format("intros i I. unfold {}. lia.", name);
    rows.far = Reads{"1", rows.previous, ""};
    rows.window = Integer(1);
    rows.same = name + "_is";
  }

  // The distances g(t) from t = low on, of an element i - g(t).
  void know_distances(Rows& rows, const Comprehension& node, const Integer& low) {
    const auto* element = std::get_if<Arithmetic>(&node.element->node);
    if (element == nullptr || element->op != ArithmeticOperator::kSubtract) return;
    const auto* row = std::get_if<Name>(&element->left->node);
    if (row == nullptr || row->name != "i") return;
    const std::string name = rows.term;
    Function g =
        function_of(name + "_distance", *element->right, node.binders[0].name, low, pattern_);
    if (!g.increases) return;
    const std::string from = low.to_string();
    const std::string index =
        low == 0
            ? "exists t. lia"
            : fmt::format("exists (t - {0}). replace (t - {0} + {0}) with t by lia. lia", from);
    rows.functions = {g};
    rows.lemmas = fmt::format(
        "Lemma {0}_is : same {0} (offsets {0}_distance).\n"
        "Proof.\n"
        "  intros i p. unfold {0}, offsets, {0}_distance. split.\n"
        "  - intros (t & L & C & P & E). {1}.\n"
        "  - intros (k & C & E). exists {2}. lia.\n"
        "Qed.\n",
        name, index, low == 0 ? "k" : "(k + " + from + ")");
    know_offsets(rows, g, name + "_is");
  }

  std::optional<Rows> operation(const SetOperation& node) {
    auto left = build(*node.left), right = build(*node.right);
    if (!left || !right) return std::nullopt;
    const char* name = node.op == SetOperator::kUnion          ? "union"
                       : node.op == SetOperator::kIntersection ? "intersection"
                                                               : "difference";
    Rows rows;
    rows.term = fmt::format("{} {} {}", name, argument(left->term), argument(right->term));
    rows.definitions = left->definitions + right->definitions;
    rows.functions = left->functions;
    rows.functions.insert(rows.functions.end(), right->functions.begin(), right->functions.end());
    rows.lemmas = left->lemmas + right->lemmas;
    if (node.op == SetOperator::kUnion) know_union(rows, *left, *right);
    return rows;
  }

  void know_union(Rows& rows, const Rows& left, const Rows& right) {
    const auto either = [](const std::string& x, const std::string& y) {
      if (!x.empty()) return "intros i I. left. revert i I. " + x;
      return y.empty() ? "" : "intros i I. right. revert i I. " + y;
    };
    if (left.window && right.functions.size() == 1 && right.functions[0].unfolds) {
      rows.strided_window = std::pair(*left.window, right.functions[0].start);
    }
    rows.own = either(left.own, right.own);
    rows.previous = either(left.previous, right.previous);
    if (!left.causal.empty() && !right.causal.empty()) {
      rows.causal = fmt::format("apply union_causal{}. {{ {} }} {{ {} }}", is_a() ? "_a" : "",
                                left.causal, right.causal);
    }
    // The farther one carries more.
    const Rows& far = right.everything.empty() ? left : right;
    if (far.far) {
      rows.far = far.far;
      rows.far->proof = fmt::format("intros i I. {}. revert i I. {}",
                                    right.everything.empty() ? "left" : "right", far.far->proof);
    }
    if (!right.everything.empty()) {
      rows.everything = "apply union_everything_right; " + right.everything;
    } else if (!left.everything.empty()) {
      rows.everything = "apply union_everything; " + left.everything;
    }
    if (!rows.everything.empty()) rows.live = everything(rows.everything);
    const std::string apart = disjoint(left, right);
    if (!apart.empty() && left.size && right.size) {
      const Size l = *left.size, r = *right.size;
      rows.size = Size{
          fmt::format("assert (exists y, size_is ({0} i) y /\\ {1}) as (y & Y & Fy) by ({2}).\n"
                      "  assert (exists z, size_is ({3} i) z /\\ {4}) as (z & Z & Fz) by ({5}).\n"
                      "  exists (y + z). split; [apply union_size; [{6}|exact Y|exact Z]|].\n"
                      "  exists y, z. split; [reflexivity|]. split; [exact Fy|exact Fz].",
                      left.term, l.fact("y"), one_tactic(l.proof), right.term, r.fact("z"),
                      one_tactic(r.proof), apart),
          [l, r](const std::string& y) {
            return fmt::format("exists {0}1 {0}2, {0} = {0}1 + {0}2 /\\ ({1}) /\\ ({2})", y,
                               l.fact(y + "1"), r.fact(y + "2"));
          },
          l.from_below && r.from_below, added(l.sizes, r.sizes)};
    }
  }

  // A tactic for forall p, left i p -> right i p -> False: distances below g(0), and from g(0) on.
  std::string disjoint(const Rows& left, const Rows& right) {
    if (!left.diagonal && !left.window) return "";
    const Function* g = right.functions.empty() ? right.offsets : &right.functions[0];
    if (g == nullptr || !g->increases) return "";
    const Integer own = is_a() ? Integer(0) : Integer(1);  // the least distance of a window
    if (g->start < (left.window ? *left.window + own : Integer(1))) return "";
    const std::string open =
        (left.same.empty() ? "" : fmt::format("apply {} in L; ", left.same)) +
        (right.functions.empty() ? "" : fmt::format("apply {}_is in R; ", right.term));
    return fmt::format(
        "intros p L R; {0}destruct R as (k & K & E); pose proof (increasing_pairs {1} "
        "{1}_increases "
        "0 k (Nat.le_0_l k)); rewrite {1}_start in *; unfold diagonal, window_a, window_b in L; "
        "lia",
        open, g->name);
  }

  const Pattern& pattern_;
  Side side_;
  const std::vector<Function>& functions_;
  int spelt_out_ = 0;
};

}  // namespace

std::optional<Rows> rows_of(const Pattern& pattern, Side side,
                            const std::vector<Function>& functions) {
  return Builder(pattern, side, functions).build(*pattern.set(side));
}

}  // namespace heddle::coq
