// SPDX-License-Identifier: Apache-2.0
// Witnesses are guessed from the first values and then proved: p(s) = q(c s + e) puts p within q;
// p(s) /= q(t) keeps them apart; and p(s) = q(t) exactly at r + L u, u >= 0, is where they meet.
#include "analyzer/proof/overlap.hpp"

#include <fmt/format.h>

#include <optional>

#include "analyzer/proof/query.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/expression.hpp"

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

namespace {

constexpr std::int64_t kCheckedPoints = 12;
constexpr std::int64_t kFarthestWitness = 400;

class Overlaps {
 public:
  Overlaps(const Knowledge& knowledge, const std::vector<Progression>& progressions)
      : knowledge_(knowledge), evaluator_(*knowledge.pattern), all_(progressions) {}

  Overlap find() {
    std::vector<bool> covered(all_.size(), false);
    for (std::size_t p = 0; p < all_.size(); ++p) {
      for (std::size_t q = 0; q < all_.size() && !covered[p]; ++q) {
        if (p != q && !covered[q]) covered[p] = within(all_[p], all_[q]);
      }
      if (!covered[p]) continue;
      result_.rules.push_back(
          fmt::format("overlap: every {} is among the {}", print(*all_[p].value), others(p)));
    }
    for (std::size_t p = 0; p < all_.size(); ++p) {
      if (!covered[p]) result_.kept.push_back(p);
    }
    result_.exact = true;
    for (std::size_t p = 0; p < result_.kept.size() && result_.exact; ++p) {
      for (std::size_t q = p + 1; q < result_.kept.size() && result_.exact; ++q) {
        result_.exact =
            separate(all_[result_.kept[p]], all_[result_.kept[q]]) ||
            (result_.kept.size() == 2 && meet(all_[result_.kept[p]], all_[result_.kept[q]]));
      }
    }
    return std::move(result_);
  }

 private:
  std::optional<std::int64_t> value(const Progression& p, std::int64_t k) const {
    const Result<Integer> found = evaluator_.evaluate(*p.value, {{p.variable, Integer(k)}});
    return found.ok() ? found->to_int64() : std::nullopt;
  }

  std::string others(std::size_t p) const {
    std::string text;
    for (std::size_t q = 0; q < all_.size(); ++q) {
      if (q != p) text += (text.empty() ? "" : ", ") + print(*all_[q].value);
    }
    return text;
  }

  Query new_query() const { return Query(knowledge_, knowledge_.resource_limit / 2); }

  Term term(Query& query, const Progression& p, const Term& k) const {
    return query.encode_known(*p.value, {{p.variable, k}});
  }

  bool keep(Query& query, const std::string& name, const std::string& statement, const Term& goal) {
    Attempt attempt = query.prove(name, statement, goal);
    if (!attempt.proved()) return false;
    result_.obligations.push_back(std::move(attempt.obligation));
    result_.lemmas.insert(query.lemmas().begin(), query.lemmas().end());
    return true;
  }

  // The t with q(t) = wanted.
  std::optional<std::int64_t> index_of(const Progression& q, std::int64_t wanted) const {
    for (std::int64_t t = q.low; t < q.low + kFarthestWitness; ++t) {
      const std::optional<std::int64_t> here = value(q, t);
      if (!here || *here > wanted) return std::nullopt;
      if (*here == wanted) return t;
    }
    return std::nullopt;
  }

  // p(s) = q(c s + e) for s >= low
  bool within(const Progression& p, const Progression& q) {
    const auto first = value(p, p.low), second = value(p, p.low + 1);
    if (!first || !second) return false;
    const auto t0 = index_of(q, *first), t1 = index_of(q, *second);
    if (!t0 || !t1) return false;
    const std::int64_t c = *t1 - *t0, e = *t0 - c * p.low;
    Query query = new_query();
    const Term s = query.variable("s");
    query.assume(s >= Term(p.low), "range of the variable");
    const Term t = Term(c) * s + Term(e);
    const std::string name = fmt::format("within: {} and {}", print(*p.value), print(*q.value));
    return keep(query, name,
                fmt::format("{} at s is {} at {} s + {}", print(*p.value), print(*q.value), c, e),
                conjunction({t >= Term(q.low), equal(term(query, p, s), term(query, q, t))}));
  }

  // p(s) /= q(t)
  bool separate(const Progression& p, const Progression& q) {
    for (std::int64_t k = p.low; k < p.low + kCheckedPoints; ++k) {
      const auto here = value(p, k);
      if (!here || index_of(q, *here)) return false;
    }
    Query query = new_query();
    const Term s = query.variable("s"), t = query.variable("t");
    query.assume(conjunction({s >= Term(p.low), t >= Term(q.low)}), "range of the variables");
    const std::string name = fmt::format("apart: {} and {}", print(*p.value), print(*q.value));
    if (!keep(query, name,
              fmt::format("{} at s is never {} at t", print(*p.value), print(*q.value)),
              negation(equal(term(query, p, s), term(query, q, t))))) {
      return false;
    }
    result_.rules.push_back(
        fmt::format("overlap: no {} is among the {}", print(*p.value), print(*q.value)));
    return true;
  }

  // Arithmetic progressions: p(s) = q(t) gives p(s) = r + L u, and r + L u is p(..) and q(..).
  bool meet(const Progression& p, const Progression& q) {
    std::vector<std::int64_t> at_p, at_q;
    for (std::int64_t s = p.low; s < p.low + kFarthestWitness && at_p.size() < 3; ++s) {
      const auto here = value(p, s);
      const auto t = here ? index_of(q, *here) : std::nullopt;
      if (!t) continue;
      at_p.push_back(s);
      at_q.push_back(*t);
    }
    if (at_p.size() < 3 || at_p[2] - at_p[1] != at_p[1] - at_p[0] ||
        at_q[2] - at_q[1] != at_q[1] - at_q[0]) {
      return false;
    }
    const auto r = value(p, at_p[0]), next = value(p, at_p[1]);
    if (!r || !next) return false;
    const std::int64_t period = *next - *r;
    const std::string name = fmt::format("meet: {} and {}", print(*p.value), print(*q.value));

    Query forth = new_query();
    const Term s = forth.variable("s"), t = forth.variable("t"), u = forth.variable("u"),
               rest = forth.variable("rest");
    forth.assume(conjunction({s >= Term(p.low), t >= Term(q.low)}), "range of the variables");
    const Term x = term(forth, p, s);
    forth.assume(equal(x, Term(*r) + Term(period) * u + rest), "quotient and remainder");
    forth.assume(conjunction({rest >= 0, rest < Term(period)}), "a remainder");
    if (!keep(forth, name + " (only there)",
              fmt::format("a common value is {} + {} u with u >= 0", *r, period),
              implies(equal(x, term(forth, q, t)), conjunction({equal(rest, 0), u >= 0})))) {
      return false;
    }
    Query back = new_query();
    const Term v = back.variable("u");
    back.assume(v >= 0, "u is natural");
    const Term there = Term(*r) + Term(period) * v;
    const Term sp = Term(at_p[0]) + Term(at_p[1] - at_p[0]) * v;
    const Term tq = Term(at_q[0]) + Term(at_q[1] - at_q[0]) * v;
    if (!keep(back, name + " (everywhere there)",
              fmt::format("{} + {} u is a value of both", *r, period),
              conjunction({equal(term(back, p, sp), there), equal(term(back, q, tq), there),
                           sp >= Term(p.low), tq >= Term(q.low)}))) {
      return false;
    }
    const ExpressionPtr variable = make_expression(Name{"u"});
    const ExpressionPtr product = make_expression(Arithmetic{
        ArithmeticOperator::kMultiply, make_expression(Literal{Integer(period)}), variable});
    result_.common.push_back({"u",
                              make_expression(Arithmetic{ArithmeticOperator::kAdd, product,
                                                         make_expression(Literal{Integer(*r)})}),
                              0});
    result_.rules.push_back(fmt::format("overlap: {} and {} meet at {} + {} u", print(*p.value),
                                        print(*q.value), *r, period));
    return true;
  }

  const Knowledge& knowledge_;
  Evaluator evaluator_;
  const std::vector<Progression>& all_;
  Overlap result_;
};

}  // namespace

Overlap overlap_of(const Knowledge& knowledge, const std::vector<Progression>& progressions) {
  return Overlaps(knowledge, progressions).find();
}

std::string key_of(const std::vector<Progression>& progressions) {
  std::string key;
  for (const Progression& each : progressions) {
    key += fmt::format("{} >= {}: {};", each.variable, each.low, print(*each.value));
  }
  return key;
}

}  // namespace heddle::proof
