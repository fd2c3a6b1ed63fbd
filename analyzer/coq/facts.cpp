// SPDX-License-Identifier: Apache-2.0
#include "analyzer/coq/facts.hpp"

#include <fmt/format.h>

namespace heddle::coq {
namespace {

std::string lemma(const std::string& name, const std::string& statement, const std::string& proof) {
  return fmt::format("Lemma {} : {}.\nProof.\n  {}\nQed.\n", name, statement, proof);
}

// exists x, size_is (what i) x and what is known of x
std::string size_lemma(const std::string& side, const char* name, const std::string& what,
                       const Size& size) {
  return lemma(
      side + name,
      fmt::format("forall i, 1 <= i -> exists y, size_is ({} i) y /\\ ({})", what, size.fact("y")),
      fmt::format("intros i I. unfold {}. {}", side, size.proof));
}

// Both sides together: exists x y, MEASURE A B i (x + y), and what is known of x and y.
std::string sum_lemma(const char* name, const char* measure, const char* parts, const Size& a,
                      const Size& b) {
  return lemma(
      name,
      fmt::format("forall i, 1 <= i -> exists x y, {} A B i (x + y) /\\ ({}) /\\ ({})", measure,
                  a.fact("x"), b.fact("y")),
      fmt::format("intros i I. destruct (A{0} i I) as (x & X & Fx), (B{0} i I) as (y & Y & Fy). "
                  "exists x, y.\n  split; [exists x, y; auto|auto].",
                  parts));
}

void know_sizes(Facts& facts, const Rows& a, const Rows& b) {
  facts.time = a.size && b.size;
  facts.cache = a.live && b.live;
  if (facts.time) facts.time_sizes = added(a.size->sizes, b.size->sizes);
  if (facts.cache) facts.cache_sizes = added(a.live->sizes, b.live->sizes);
  facts.time_from_below = facts.time && a.size->from_below && b.size->from_below;
  facts.cache_from_below = facts.cache && a.live->from_below && b.live->from_below;
  if (a.size) facts.lemmas += size_lemma("A", "_size", "A", *a.size);
  if (b.size) facts.lemmas += size_lemma("B", "_size", "B", *b.size);
  if (a.live) facts.lemmas += size_lemma("A", "_live", "live A", *a.live);
  if (b.live) facts.lemmas += size_lemma("B", "_live", "live B", *b.live);
  if (facts.time) facts.lemmas += sum_lemma("time_known", "time_is", "_size", *a.size, *b.size);
  if (facts.cache) facts.lemmas += sum_lemma("cache_known", "cache_is", "_live", *a.live, *b.live);
}

void know_rows(Facts& facts, const Rows& a, const Rows& b) {
  const auto add = [&](const std::string& name, const std::string& statement,
                       const std::string& side, const std::string& proof) {
    if (!proof.empty()) {
      facts.lemmas += lemma(name, statement, fmt::format("unfold {}. {}", side, proof));
    }
  };
  facts.causal = !a.causal.empty() && !b.causal.empty();
  add("A_causal", "causal_a A", "A", a.causal);
  add("B_causal", "causal_b B", "B", b.causal);
  add("A_own", "reads_own A", "A", a.own);
  add("B_previous", "reads_previous B", "B", b.previous);
  if (a.diagonal) {
    add("A_only_own", "only_own A", "A", "intros i p R. unfold diagonal in R. lia.");
  }
  if (b.none) add("B_none", "forall i p, ~ B i p", "B", "intros i p R. exact R.");
}

void know_reach(Facts& facts, const Rows& a, const Rows& b) {
  if (!a.own.empty() && !b.previous.empty()) {
    facts.reaches = "exact (reaches_step_by_step A B A_own B_previous i j ltac:(lia)).";
  } else if (a.dense) {
    facts.reaches = "apply reaches_directly; [intros x p P; unfold A, dense_a; lia|lia].";
  }
}

// Of hops along B alone from row j, for `d` = i - j; "exact" bounds are both sides.
struct OutputHops {
  std::string value;
  Number at;
  std::string proof;   // of hops_at_most B i j value
  std::string fewest;  // of forall l, path B j i l -> S value <= length l
};

std::vector<OutputHops> hops_along(const Rows& b, const std::string& i, const std::string& j,
                                   const std::string& d) {
  std::vector<OutputHops> found;
  const auto logarithm = [](const Integer& x) { return integer_log2(x) + Integer(1); };
  const auto exact = [&](const std::string& value, Number at, const std::string& theorem) {
    const std::string known = fmt::format("destruct ({}) as (U & L); ", theorem);
    found.push_back({value, std::move(at), known + "exact U", known + "exact L"});
  };
  if (b.window) {
    const std::string w = b.window->to_string();
    const std::string hops = fmt::format("hops_of_window {} {} {} ltac:(lia) ltac:(lia)", w, i, j);
    const Integer width = *b.window;
    exact(
        fmt::format("ceil_div {} {}", d, w),
        [width](const Integer& x) { return ceil_div(x, width); },
        b.same.empty() ? hops : fmt::format("hops_of_same _ _ _ _ _ {} ({})", b.same, hops));
  }
  if (const Function* f = b.offsets) {
    if (f->power_of_two) {
      exact(
          "popcount " + d, [](const Integer& x) { return popcount(x); },
          fmt::format("hops_of_powers {} {} {} (fun k => eq_refl) ltac:(lia)", f->name, i, j));
    }
    if (f->square_plus_one) {
      found.push_back({"4", always(4),
                       fmt::format("apply (hops_of_squares_plus_one {0} {1} {2} {0}_square); lia",
                                   f->name, i, j),
                       ""});
    }
    if (f->at_most_doubles) {
      found.push_back({fmt::format("Nat.log2 {} + 1", d), logarithm,
                       fmt::format("apply (hops_of_doubling {0} {1} {2} {0}_increases {0}_start "
                                   "{0}_doubles); lia",
                                   f->name, i, j),
                       ""});
    }
  }
  if (const Function* f = b.lattice) {
    std::string proof;
    if (f->power_of_two) {
      proof = fmt::format("apply (lattice_hops_of_powers_of_two {} {}); lia", i, j);
    } else if (f->square_plus_one) {
      proof = fmt::format("apply (lattice_hops_of_squares_plus_one {0} {1} {2} {0}_square); lia",
                          f->name, i, j);
    }
    if (!proof.empty()) found.push_back({fmt::format("Nat.log2 {} + 1", d), logarithm, proof, ""});
  }
  return found;
}

void know_hops(Facts& facts, const Rows& a, const Rows& b) {
  if (a.dense) {
    facts.most_hops.push_back(
        {"1", "apply one_hop_of_input; [lia|unfold A, dense_a; lia]", always(1)});
  } else if (!a.own.empty() && b.dense) {
    facts.most_hops.push_back(
        {"1", "apply one_hop_of_output; [exact A_own|lia|unfold B, dense_b; lia]", always(1)});
  }
  facts.least_hops.push_back({"1", "apply at_least_one_hop; lia", always(1)});
  if (a.own.empty()) return;
  for (const OutputHops& hops : hops_along(b, "i", "j", "(i - j)")) {
    facts.most_hops.push_back(
        {hops.value, "apply hops_from_own; [exact A_own|lia|" + hops.proof + "]", hops.at});
    if (a.diagonal && !hops.fewest.empty()) {
      facts.least_hops.insert(
          facts.least_hops.begin(),
          {hops.value, "apply no_fewer_hops_from_own; [exact A_only_own|" + hops.fewest + "]",
           hops.at});
    }
  }
  if (!b.previous.empty()) {
    facts.most_hops.push_back({"i - j",
                               "apply hops_from_own; [exact A_own|lia|apply step_by_step; [exact "
                               "B_previous|lia]]",
                               itself});
  }
}

void know_depth(Facts& facts, const Rows& a, const Rows& b) {
  if (!b.previous.empty() && !b.causal.empty()) {
    facts.depth.push_back(
        {"n - 1", "apply (depth_of_previous A B n B_causal B_previous ltac:(lia))"});
  } else if (b.none && !a.previous.empty()) {
    facts.lemmas +=
        lemma("A_previous", "forall i, 2 <= i -> A i (i - 1)", "unfold A. " + a.previous);
    facts.depth.push_back(
        {"Nat.min (n - 1) 1", "apply (depth_of_inputs A B n B_none A_previous ltac:(lia))"});
  }
}

void know_congestion(Facts& facts, const Rows& a, const Rows& b) {
  facts.capacity = a.diagonal && !b.causal.empty() && b.live;
  if (a.dense) {
    facts.most_congestion.push_back(
        {"1", "apply congestion_of_inputs; intros j J; unfold A, dense_a; lia", always(1)});
  }
  if (a.own.empty()) return;
  if (b.dense) {
    facts.most_congestion.push_back(
        {"1", "apply congestion_of_outputs; [exact A_own|intros j J; unfold B, dense_b; lia]",
         always(1)});
  }
  const bool plain = b.window ? b.same.empty() : b.offsets != nullptr && b.offsets->start == 1;
  for (const OutputHops& hops : hops_along(b, "(n + 1)", "1", "(n + 1 - 1)")) {
    if (!plain) break;
    const std::string theorem =
        b.window
            ? fmt::format("congestion_of_window A {} n _ A_own ltac:(lia)", b.window->to_string())
            : fmt::format(
                  "congestion_of_offsets A {0} n _ A_own {0}_increases {0}_start ltac:(lia)",
                  b.offsets->name);
    facts.most_congestion.push_back(
        {hops.value, fmt::format("apply ({}); {}", theorem, hops.proof), hops.at});
  }
  if (!b.previous.empty()) {
    facts.most_congestion.push_back(
        {"n", "apply (congestion_of_previous A B n A_own B_previous)", itself});
  }
}

void know_rank(Facts& facts, const Rows& a, const Rows& b) {
  const auto add = [&](const Reads& far, const char* side, const std::string& theorem) {
    const std::string inside = fmt::format("unfold {}; {}", side, one_tactic(far.proof));
    const std::string least = fmt::format("Nat.min {} m", far.distance);
    if (far.at_least_m.empty()) {
      facts.least_rank.push_back({least, fmt::format("apply ({}); [lia|{}]", theorem, inside)});
      return;
    }
    facts.least_rank.push_back(
        {"m", fmt::format("pose proof ({}); apply less_rank with ({}); [apply ({}); [lia|{}]|lia]",
                          far.at_least_m, least, theorem, inside)});
  };
  if (b.far && !a.own.empty()) {
    add(*b.far, "B", fmt::format("rank_of_output A B m {} A_own", b.far->distance));
  }
  if (a.far) add(*a.far, "A", fmt::format("rank_of_input A B m {}", a.far->distance));
}

}  // namespace

Facts facts_of(const Pattern& pattern) {
  Facts facts;
  std::vector<Function> functions;
  for (const FunctionDefinition& definition : pattern.syntax().functions) {
    functions.push_back(function_of(definition, pattern));
    const Function& function = functions.back();
    if (function.definition.empty()) {
      facts.missing = fmt::format("there are no words here for the function {}", definition.name);
      return facts;
    }
    facts.statements += function.definition;
    facts.lemmas += function.lemmas;
    if (function.unfolds) facts.unfolds += function.name + ", ";
  }
  const auto a = rows_of(pattern, Side::kA, functions), b = rows_of(pattern, Side::kB, functions);
  if (!a || !b) {
    facts.missing = fmt::format("there are no words here for the set {}", a ? "B" : "A");
    return facts;
  }
  for (const Rows* rows : {&*a, &*b}) {
    for (const Function& function : rows->functions) {
      facts.lemmas += function.definition + function.lemmas;
      if (function.unfolds) facts.unfolds += function.name + ", ";
    }
    facts.lemmas += rows->lemmas;
  }
  facts.statements +=
      a->definitions + b->definitions +
      fmt::format("Definition A : rows := {}.\nDefinition B : rows := {}.\n", a->term, b->term);
  facts.strided_window = a->strided_window;
  know_sizes(facts, *a, *b);
  know_rows(facts, *a, *b);
  know_reach(facts, *a, *b);
  know_hops(facts, *a, *b);
  know_depth(facts, *a, *b);
  know_congestion(facts, *a, *b);
  know_rank(facts, *a, *b);
  return facts;
}

}  // namespace heddle::coq
