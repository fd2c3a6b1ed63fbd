// SPDX-License-Identifier: Apache-2.0
// Lemmas about powers, bits and recursive functions: which hypotheses are instances of them, and
// which steps prove them by induction. A lemma in the making licenses nothing, so that no proof
// goes round in a circle.
#include <algorithm>

#include "analyzer/audit/derivation.hpp"

namespace heddle::auditing {
namespace {

constexpr std::int64_t kFarthestValue = 4096;  // of f(k), computed from its steps

bool is_polynomial_in(const Term& term, const Term& variable) {
  if (term == variable || value_of(term)) return true;
  return (term.head == "+" || term.head == "*") && term.parts.size() == 2 &&
         is_polynomial_in(term.parts[0], variable) && is_polynomial_in(term.parts[1], variable);
}

}  // namespace

bool Derivation::step(const std::string& name, const std::function<Term(Step&)>& derive) {
  problem_ = "the step " + name + " is missing";
  const auto outer = std::exchange(measured_, {});
  using Named = decltype(scripts_)::const_iterator;
  std::vector<Named> named;
  for (Named at = scripts_.lower_bound(name); at != scripts_.end(); ++at) {
    if (at->first.compare(0, name.size(), name) != 0) break;
    const std::string rest = at->first.substr(name.size());
    if (rest.empty() || rest.compare(0, 2, " (") == 0 || name.back() == ' ') named.push_back(at);
  }
  // Claims may have steps of one name and goal, and differ in what these start from.
  std::stable_partition(named.begin(), named.end(), [this](const Named& at) {
    return std::find(listed_.begin(), listed_.end(), at->first) != listed_.end();
  });
  for (const Named& at : named) {
    problem_ = at->second.ok() ? "" : at->second.error().message;
    if (problem_.empty()) {
      Step step(pattern_, evaluator_, *at->second);
      measured_.clear();
      const Term goal = derive(step);
      step.conclude(goal, [&](const Term& fact) { return licensed(step, fact); });
      for (const std::string& symbol : step.script().functions) {
        const FunctionDefinition* f =
            symbol.compare(0, 3, "fn.") == 0 ? pattern_.function(symbol.substr(3)) : nullptr;
        if (f != nullptr && unfolding_.count(f->name) == 0 && !total(*f)) {
          step.fail(f->name + " is not shown to have values");
        }
      }
      problem_ = step.problem();
    }
    if (problem_.empty()) {
      used_.insert(at->first);
      break;
    }
    problem_ = at->first + ": " + problem_;
  }
  measured_ = outer;
  return problem_.empty();
}

bool Derivation::fixed(const std::string& name, const std::vector<std::string>& given,
                       const std::string& goal, const Holes& holes) {
  return step(name, [&](Step& step) {
    for (const std::string& fact : given) step.allow(fact, holes);
    return fill(goal, holes);
  });
}

bool Derivation::lemma(const std::string& name, const std::function<bool()>& prove) {
  const auto [at, fresh] = lemmas_.emplace(name, std::nullopt);
  if (fresh) {
    const std::set<std::string> outer = std::exchange(used_, {});
    const bool proved = prove();
    std::set<std::string> steps = std::exchange(used_, outer);
    if (proved) at->second = std::move(steps);
  }
  if (at->second) used_.insert(at->second->begin(), at->second->end());
  return at->second.has_value();
}

bool Derivation::power(const Term& base) {
  const std::optional<Integer> value = value_of(base);
  if (!value || *value < Integer(2)) return false;
  const std::string name = "power(" + base.head + ")",
                    next = "(= (pow.?b (+ ?t 1)) (* ?b (pow.?b ?t)))";
  const Holes holes{{"?b", base}, {"?s", {"s", {}}}, {"?t", {"t", {}}}};
  return lemma(name, [&] {
    return fixed(name + ".above.base", {"(= (pow.?b 0) 1)"}, "(<= 1 (pow.?b 0))", holes) &&
           fixed(name + ".above.step", {"(<= 0 ?t)", next, "(<= (+ ?t 1) (pow.?b ?t))"},
                 "(<= (+ ?t 2) (pow.?b (+ ?t 1)))", holes) &&
           fixed(name + ".growth.base", {"(<= 0 ?s)", "(= (pow.?b (+ ?s 1)) (* ?b (pow.?b ?s)))"},
                 "(<= (* ?b (pow.?b ?s)) (pow.?b (+ ?s 1)))", holes) &&
           fixed(name + ".growth.step",
                 {"(and (<= 0 ?s) (< ?s ?t))", next, "(<= (+ ?t 1) (pow.?b ?t))",
                  "(<= (* ?b (pow.?b ?s)) (pow.?b ?t))"},
                 "(<= (* ?b (pow.?b ?s)) (pow.?b (+ ?t 1)))", holes);
  });
}

bool Derivation::powers(const Term& base, const Term& larger) {
  const std::string name = "powers(" + base.head + "," + larger.head + ")";
  const Holes holes{{"?b", base}, {"?c", larger}, {"?s", {"s", {}}}, {"?t", {"t", {}}}};
  const std::optional<Integer> b = value_of(base), c = value_of(larger);
  return b && c && Integer(2) <= *b && *b < *c && power(larger) && lemma(name, [&] {
           return fixed(name + ".base", {"(= (pow.?b 0) 1)", "(= (pow.?c 0) 1)"},
                        "(<= (pow.?b 0) (pow.?c 0))", holes) &&
                  fixed(
                      name + ".step",
                      {"(<= 0 ?s)", "(<= (+ ?s 1) (pow.?c ?s))",
                       "(= (pow.?b (+ ?s 1)) (* ?b (pow.?b ?s)))",
                       "(= (pow.?c (+ ?s 1)) (* ?c (pow.?c ?s)))", "(<= (pow.?b ?s) (pow.?c ?s))"},
                      "(<= (pow.?b (+ ?s 1)) (pow.?c (+ ?s 1)))", holes) &&
                  fixed(name + ".later",
                        {"(and (<= 0 ?s) (<= ?s ?t))", "(<= (+ ?s 1) (pow.?c ?s))",
                         "(=> (< ?s ?t) (<= (* ?c (pow.?c ?s)) (pow.?c ?t)))",
                         "(<= (pow.?b ?s) (pow.?c ?s))"},
                        "(and (<= (pow.?b ?s) (pow.?c ?t)) "
                        "(=> (< ?s ?t) (<= (* ?b (pow.?b ?s)) (pow.?c ?t))))",
                        holes);
         });
}

// c^t <= b^(e t) where c <= b^e
bool Derivation::within(const Term& base, const Term& larger, const Term& steps) {
  const std::optional<Integer> b = value_of(base), c = value_of(larger), e = value_of(steps);
  if (!b || !c || !e || *b < Integer(2) || *e < Integer(1) || Integer(64) < *e) return false;
  const std::int64_t count = *e->to_int64();
  const std::optional<Integer> reached = heddle::power(*b, static_cast<std::uint64_t>(count), 4096);
  if (!reached || *reached < *c) return false;
  const std::string name = "within(" + base.head + "," + larger.head + ")";
  Holes holes{{"?b", base}, {"?c", larger}, {"?e", steps}};
  std::vector<std::string> given = {"(<= 0 t)", "(= (pow.?c (+ t 1)) (* ?c (pow.?c t)))",
                                    "(<= 1 (pow.?b (* ?e t)))",
                                    "(<= (pow.?c t) (pow.?b (* ?e t)))"};
  std::string here = "(* ?e t)";
  for (std::int64_t further = 1; further <= count; ++further) {
    const std::string next = "(+ (* ?e t) " + std::to_string(further) + ")";
    given.push_back("(= (pow.?b " + next + ") (* ?b (pow.?b " + here + ")))");
    here = next;
  }
  return power(base) && lemma(name + " " + steps.head, [&] {
           return fixed(name + ".base", {"(= (pow.?b 0) 1)", "(= (pow.?c 0) 1)"},
                        "(<= (pow.?c 0) (pow.?b 0))", holes) &&
                  fixed(name + ".step", given, "(<= (pow.?c (+ t 1)) (pow.?b (+ (* ?e t) ?e)))",
                        holes);
         });
}

bool Derivation::popcount() {
  return power({"2", {}}) && lemma("popcount", [&] {
           return fixed("popcount.base", {"(= (bit.popcount 1) 1)", "(and (<= 1 x) (< x 2))"},
                        "(and (<= 1 (bit.popcount x)) (<= (bit.popcount x) 1))", {}) &&
                  fixed("popcount.step",
                        {"(and (<= 0 l) (<= 0 z) (<= z 1))", "(= x (+ (* 2 y) z))",
                         "(= (pow.2 (+ l 1)) (* 2 (pow.2 l)))",
                         "(and (<= (pow.2 (+ l 1)) x) (< x (* 2 (pow.2 (+ l 1)))))",
                         "(= (bit.popcount x) (+ (bit.popcount y) z))",
                         "(=> (and (<= (pow.2 l) y) (< y (* 2 (pow.2 l)))) "
                         "(and (<= 1 (bit.popcount y)) (<= (bit.popcount y) (+ l 1))))"},
                        "(and (<= 1 (bit.popcount x)) (<= (bit.popcount x) (+ l 2)))", {});
         });
}

// 2^popcount(x) <= x + 1, digit by digit
bool Derivation::bits() {
  return lemma("bits", [&] {
    return fixed("bits.base", {"(= (bit.popcount 0) 0)", "(= (pow.2 0) 1)"},
                 "(<= (pow.2 (bit.popcount 0)) 1)", {}) &&
           fixed("bits.step",
                 {"(and (<= 0 y) (<= 0 z) (<= z 1))", "(= x (+ (* 2 y) z))",
                  "(= (bit.popcount x) (+ (bit.popcount y) z))",
                  "(= (pow.2 (+ (bit.popcount y) 1)) (* 2 (pow.2 (bit.popcount y))))",
                  "(<= (pow.2 (bit.popcount y)) (+ y 1))"},
                 "(<= (pow.2 (bit.popcount x)) (+ x 1))", {});
  });
}

// 0 <= a <= b and 0 <= c <= d give a c <= b d
bool Derivation::products() {
  return lemma("products", [&] {
    return fixed("products", {"(and (<= 0 a) (<= a b) (<= 0 c) (<= c d))"}, "(<= (* a c) (* b d))",
                 {});
  });
}

// 2^(2t) = (2^t)^2
bool Derivation::squares() {
  return power({"2", {}}) && lemma("squares", [&] {
           return fixed("squares.base", {"(= (pow.2 0) 1)"},
                        "(= (pow.2 0) (* (pow.2 0) (pow.2 0)))", {}) &&
                  fixed("squares.step",
                        {"(<= 0 t)", "(= (pow.2 (+ (+ t t) 1)) (* 2 (pow.2 (+ t t))))",
                         "(= (pow.2 (+ (+ t t) 2)) (* 2 (pow.2 (+ (+ t t) 1))))", "(= x (pow.2 t))",
                         "(= y (pow.2 (+ t 1)))", "(= y (* 2 x))", "(= (pow.2 (+ t t)) (* x x))"},
                        "(= (pow.2 (+ (+ t t) 2)) (* y y))", {});
         });
}

// P(0), ..., P(w-1), and P(k), ..., P(k+w-1) => f has a value at k + order and P(k+w)
bool Derivation::induction(const std::string& name, const std::string& what,
                           const FunctionDefinition& f, std::int64_t width,
                           const std::function<Term(Step&, const Term&)>& property) {
  return lemma(name + what, [&] {
    const bool outermost = unfolding_.insert(f.name).second;
    const bool proved =
        step(name + ".base",
             [&](Step& step) {
               std::vector<Term> all;
               for (std::int64_t k = 0; k < width; ++k) all.push_back(property(step, numeral(k)));
               return both(std::move(all));
             }) &&
        step(name + ".step", [&](Step& step) {
          const Term first = step.variable("k");
          step.allow("(<= 0 ?k)", {{"?k", first}});
          std::vector<Term> goals;
          for (std::int64_t offset = 0; offset <= width; ++offset) {
            const Term k =
                offset == 0 ? first : fill("(+ ?k ?o)", {{"?k", first}, {"?o", numeral(offset)}});
            const Term value = step.encode(*f.step, {{f.variable, k}});
            const Term needed = both(step.take_needs());
            const Term order = numeral(static_cast<std::int64_t>(f.base.size()));
            const Term next = step.apply(f, fill("(+ ?k ?o)", {{"?k", k}, {"?o", order}}));
            step.allow("(=> (and (<= 0 ?k) ?needed) (= ?next ?value))",
                       {{"?k", k}, {"?needed", needed}, {"?next", next}, {"?value", value}});
            if (offset == 0) goals.push_back(needed);
            const Term here = property(step, k);
            if (offset == width) goals.push_back(here);
            if (offset < width) step.allow("?p", {{"?p", here}});
          }
          return both(std::move(goals));
        });
    if (outermost) unfolding_.erase(f.name);
    return proved;
  });
}

bool Derivation::positive(const FunctionDefinition& f) {
  return induction("positive(" + f.name + ")", "", f, static_cast<std::int64_t>(f.base.size()),
                   [&](Step& step, const Term& k) {
                     return fill("(<= 1 ?f)", {{"?f", step.apply(f, k)}});
                   });
}

bool Derivation::increasing(const FunctionDefinition& f) {
  const Holes holes{{"?f", {f.name, {}}}};
  return induction("increasing(" + f.name + ")", "", f, static_cast<std::int64_t>(f.base.size()),
                   [&](Step& step, const Term& k) {
                     const Term next = step.apply(f, fill("(+ ?k 1)", {{"?k", k}}));
                     return fill("(and (<= 1 ?f) (<= (+ ?f 1) ?n))",
                                 {{"?f", step.apply(f, k)}, {"?n", next}});
                   }) &&
         lemma("increasing(" + f.name + ").pairs", [&] {
           return fixed("increasing(" + f.name + ").pairs",
                        {"(and (<= 0 s) (<= s t))", "(<= (+ (fn.?f t) 1) (fn.?f (+ t 1)))",
                         "(<= (+ (fn.?f s) (- t s)) (fn.?f t))"},
                        "(<= (+ (fn.?f s) (- (+ t 1) s)) (fn.?f (+ t 1)))", holes);
         });
}

// f(k+m) >= 2 f(k) and f >= 1 give f(m q + r) >= 2^q
bool Derivation::doubling(const FunctionDefinition& f, const Term& m) {
  const std::optional<Integer> step_length = value_of(m);
  if (!step_length || *step_length < Integer(1) || Integer(64) < *step_length) return false;
  const auto order = static_cast<std::int64_t>(f.base.size());
  const std::string name = "doubling(" + f.name + ").power";
  Holes holes{{"?f", {f.name, {}}}, {"?m", m}};
  holes["?here"] = fill("(+ (* ?m q) r)", holes);
  holes["?there"] = fill("(+ ?here ?m)", holes);
  return positive(f) &&
         induction("doubling(" + f.name + ")", m.head, f, std::max(order, *step_length->to_int64()),
                   [&](Step& step, const Term& k) {
                     const Term later = step.apply(f, fill("(+ ?k ?m)", {{"?k", k}, {"?m", m}}));
                     return fill("(<= (* 2 ?f) ?n)", {{"?f", step.apply(f, k)}, {"?n", later}});
                   }) &&
         lemma(name + " " + m.head, [&] {
           return fixed(name + ".base",
                        {"(and (<= 0 r) (< r ?m))", "(<= 1 (fn.?f r))", "(= (pow.2 0) 1)"},
                        "(<= (pow.2 0) (fn.?f r))", holes) &&
                  fixed(name + ".step",
                        {"(and (<= 0 q) (<= 0 r) (< r ?m))",
                         "(<= (* 2 (fn.?f ?here)) (fn.?f ?there))",
                         "(= (pow.2 (+ q 1)) (* 2 (pow.2 q)))", "(<= (pow.2 q) (fn.?f ?here))"},
                        "(<= (pow.2 (+ q 1)) (fn.?f ?there))", holes);
         });
}

// f(k+1) <= c f(k) gives f(t) <= f(0) c^t
bool Derivation::ratio(const FunctionDefinition& f, const Term& c) {
  const Result<Integer> first = evaluator_.call(f.name, 0);
  const std::string name = "ratio(" + f.name + ")";
  if (!value_of(c) || *value_of(c) < Integer(2) || !first.ok()) return false;
  const Holes holes{{"?f", {f.name, {}}}, {"?c", c}, {"?n", numeral(*first)}};
  return positive(f) &&
         induction(name, c.head, f, static_cast<std::int64_t>(f.base.size()),
                   [&](Step& step, const Term& k) {
                     const Term next = step.apply(f, fill("(+ ?k 1)", {{"?k", k}}));
                     return fill("(<= ?next (* ?c ?f))",
                                 {{"?f", step.apply(f, k)}, {"?next", next}, {"?c", c}});
                   }) &&
         lemma(name + ".power " + c.head, [&] {
           return fixed(name + ".power.base", {"(= (pow.?c 0) 1)", "(= (fn.?f 0) ?n)"},
                        "(<= (fn.?f 0) (* ?n (pow.?c 0)))", holes) &&
                  fixed(name + ".power.step",
                        {"(<= 0 t)", "(<= (fn.?f (+ t 1)) (* ?c (fn.?f t)))",
                         "(= (pow.?c (+ t 1)) (* ?c (pow.?c t)))",
                         "(<= (fn.?f t) (* ?n (pow.?c t)))"},
                        "(<= (fn.?f (+ t 1)) (* ?n (pow.?c (+ t 1))))", holes);
         });
}

// Any induction over f shows on the way that f has values.
bool Derivation::total(const FunctionDefinition& f) {
  return increasing(f) || positive(f) ||
         induction("total(" + f.name + ")", "", f, static_cast<std::int64_t>(f.base.size()),
                   [](Step&, const Term&) {
                     return Term{"true", {}};
                   });
}

bool Derivation::licensed(Step& step, const Term& fact) {
  Holes h;
  const auto is = [&](std::string_view shape) {
    h.clear();
    return fits(shape, fact, h);
  };
  const auto is_power = [&](const char* n, const Term& exponent) {  // n = b^exponent, exponent >= 0
    const std::optional<Integer> e = value_of(exponent);
    const std::optional<Integer> b = value_of(h["?b"]), value = value_of(h[n]);
    if (!e || !b || !value || e->sign() < 0 || Integer(4096) < *e) return false;
    return *value == heddle::power(*b, static_cast<std::uint64_t>(*e->to_int64()), 1 << 20);
  };
  if (is("(=> (<= 0 ?t) (<= (+ ?t 1) (pow.?b ?t)))") || is("(=> (= ?t 0) (= (pow.?b ?t) 1))") ||
      is("(=> (and (<= 0 ?s) (< ?s ?t)) (<= (* ?b (pow.?b ?s)) (pow.?b ?t)))") ||
      is("(=> (and (<= 0 ?s) (= ?t (+ ?s 1))) (= (* ?b (pow.?b ?s)) (pow.?b ?t)))")) {
    return power(h["?b"]);
  }
  if (is("(=> (< ?s ?t) (<= ?n (pow.?b ?t)))")) {
    return is_power("?n", fill("(+ ?s 1)", h)) && power(h["?b"]);
  }
  if (is("(=> (and (<= 0 ?t) (< ?t ?s)) (<= (* ?b (pow.?b ?t)) ?n))") && value_of(h["?n"])) {
    return is_power("?n", h["?s"]) && power(h["?b"]);
  }
  if (is("(=> (and (<= 0 ?s) (<= ?s ?t)) (<= (pow.?b ?s) (pow.?c ?t)))") ||
      is("(=> (and (<= 0 ?s) (< ?s ?t)) (<= (* ?b (pow.?b ?s)) (pow.?c ?t)))")) {
    return powers(h["?b"], h["?c"]);
  }
  if (is("(=> (<= 0 ?t) (<= (pow.?c ?t) (pow.?b (* ?e ?t))))")) {
    return within(h["?b"], h["?c"], h["?e"]);
  }
  if (is("(=> (and (<= 0 ?a) (<= ?a ?b) (<= 0 ?c) (<= ?c ?d)) (<= (* ?a ?c) (* ?b ?d)))")) {
    return products();
  }
  if (is("(=> (<= 0 ?t) (= (pow.2 (+ ?t ?t)) (* (pow.2 ?t) (pow.2 ?t))))")) return squares();
  if (is("(=> (= ?a 0) (= (bit.popcount ?a) 0))")) return true;
  if (is("(=> (<= 1 ?a) (and (<= 1 (bit.popcount ?a)) (<= (bit.popcount ?a) (+ ?l 1))))")) {
    const std::vector<Term>& all = step.script().hypotheses;
    const Term log2 =
        fill("(=> (<= 1 ?a) (and (<= 0 ?l) (<= (pow.2 ?l) ?a) (< ?a (* 2 (pow.2 ?l)))))", h);
    return std::find(all.begin(), all.end(), log2) != all.end() && popcount();
  }
  if (is("(=> (<= 0 ?a) (<= (pow.2 (bit.popcount ?a)) (+ ?a 1)))")) return bits();
  if (is("(=> (not (= ?a 0)) (and (<= 1 (bit.low ?a)) "
         "(or (<= (bit.low ?a) ?a) (<= (bit.low ?a) ?m))))")) {
    return h["?m"] == fill("(- 0 ?a)", h);
  }
  for (const FunctionDefinition& f : pattern_.syntax().functions) {
    if (f.recursive() && licensed_about(f, step, fact)) return true;
  }
  return false;
}

bool Derivation::licensed_about(const FunctionDefinition& f, Step& step, const Term& fact) {
  const auto order = static_cast<std::int64_t>(f.base.size());
  Holes h;
  const auto is = [&](std::string_view shape) {
    h = {{"?f", {f.name, {}}}};
    return fits(shape, fact, h);
  };
  const auto is_value = [&](const char* n, const Term& argument) {  // n = f(argument)
    const std::optional<Integer> k = value_of(argument);
    if (!k || k->sign() < 0 || Integer(kFarthestValue) < *k) return false;
    const Result<Integer> value = evaluator_.call(f.name, *k->to_int64());
    return value.ok() && value_of(h[n]) == *value;
  };
  if (is("(=> (= ?t ?s) (= (fn.?f ?t) ?n))")) return is_value("?n", h["?s"]);
  if (is("(=> (<= 0 ?t) (<= 1 (fn.?f ?t)))")) return positive(f);
  if (is("(=> (<= 0 ?t) (<= (+ ?n ?t) (fn.?f ?t)))"))
    return is_value("?n", {"0", {}}) && increasing(f);
  if (is("(=> (and (<= 0 ?s) (< ?s ?t)) (<= (+ (fn.?f ?s) (- ?t ?s)) (fn.?f ?t)))")) {
    return increasing(f);
  }
  if (is("(=> (<= ?s ?t) (<= (+ ?n (- ?t ?s)) (fn.?f ?t)))") ||
      is("(=> (and (<= 0 ?t) (<= ?t ?s)) (<= (+ (fn.?f ?t) (- ?s ?t)) ?n))")) {
    return is_value("?n", h["?s"]) && increasing(f);
  }
  if (is("(=> (<= 0 ?t) (= (* ?d (fn.?f ?t)) ?p))")) {
    const Term k{"?k", {}}, d = h["?d"], p = replaced(h["?p"], h["?t"], k);
    return value_of(d) && is_polynomial_in(p, k) &&
           induction("closed_form(" + f.name + ")", text_of(d) + text_of(p), f, order,
                     [&](Step& at, const Term& t) {
                       return fill("(= (* ?d ?f) ?p)",
                                   {{"?d", d}, {"?f", at.apply(f, t)}, {"?p", replaced(p, k, t)}});
                     });
  }
  if (is("(=> (<= 0 ?t) (and (<= (* ?m ?q) ?t) (< ?t (+ (* ?m ?q) ?m)) "
         "(<= (pow.2 ?q) (fn.?f ?t))))")) {
    return step.introduce(h["?q"], h["?t"]) && doubling(f, h["?m"]);
  }
  if (is("(=> (<= 0 ?t) (<= (fn.?f ?t) (* ?n (pow.?c ?t))))")) {
    return is_value("?n", {"0", {}}) && ratio(f, h["?c"]);
  }
  if (is("(=> (and (<= 0 ?s) (= ?t (+ ?s 1))) (<= (fn.?f ?t) (* ?c (fn.?f ?s))))")) {
    return ratio(f, h["?c"]);
  }
  if (!is("(=> (<= 0 ?t) (<= (fn.?f ?t) ?above))")) return false;
  for (const FunctionDefinition& g : pattern_.syntax().functions) {
    const auto above = [&](Step at, const Term& t) { return at.apply(g, t); };
    if (g.name == f.name || above(step, h["?t"]) != h["?above"]) continue;
    return induction("at_most(" + f.name + "," + g.name + ")", "", f, order,
                     [&](Step& at, const Term& t) {
                       return fill("(<= ?f ?g)", {{"?f", at.apply(f, t)}, {"?g", at.apply(g, t)}});
                     });
  }
  return false;
}

}  // namespace heddle::auditing
