// SPDX-License-Identifier: Apache-2.0
#include "analyzer/coq/statements.hpp"

#include <fmt/format.h>

#include "patterns/expression.hpp"

namespace heddle::coq {
namespace {

// Is `known` a bound that gives the claim, as far as one can look?
bool gives(const Statement& claim, const Number& known, bool from_above) {
  if (!known || claim.limit == nullptr) return true;
  const Evaluator evaluator(claim.over.scope.pattern);
  for (const int apart : {1,  2,  3,  4,  5,  6,   7,   8,    9,    12,   15,   16,
                          17, 31, 63, 64, 65, 100, 127, 1000, 1023, 4096, 65535}) {
    Bindings at;
    if (claim.over.variables.size() == 2) {
      at = {{"i", Integer(apart) + Integer(1)}, {"j", Integer(1)}};
    } else {
      at = {{claim.over.variables.front(), Integer(apart)}};
    }
    if (claim.claim->where) {
      const Result<bool> applies = evaluator.holds(*claim.claim->where, at);
      if (!applies.ok() || !applies.value()) continue;
    }
    const Result<Integer> limit = evaluator.evaluate(*claim.limit, at);
    if (!limit.ok()) return false;
    const Integer value = known(apart);
    if (from_above ? value > limit.value() : value < limit.value()) return false;
  }
  return true;
}

std::vector<Bound> those_that_give(const Statement& claim, const std::vector<Bound>& bounds,
                                   bool from_above) {
  std::vector<Bound> found;
  for (const Bound& bound : bounds) {
    if (gives(claim, bound.at, from_above)) found.push_back(bound);
  }
  return found;
}

class Writer {
 public:
  Writer(const Facts& facts) : facts_(facts) {}

  Result<WrittenClaim> write(const Statement& claim) const {
    switch (claim.measure) {
      case MeasureKind::kTime:
        return counted(claim, "time_is", facts_.time, facts_.time_from_below, facts_.time_sizes,
                       "time_known");
      case MeasureKind::kCache:
        return counted(claim, "cache_is", facts_.cache, facts_.cache_from_below, facts_.cache_sizes,
                       "cache_known");
      case MeasureKind::kDepth:
        return depth(claim);
      case MeasureKind::kHops:
        return hops(claim);
      case MeasureKind::kCongestion:
        return congestion(claim);
      case MeasureKind::kRank:
        return rank(claim);
    }
    unreachable("measure");
  }

 private:
  std::string numbers(const std::string& tactic = "numbers") const {
    if (facts_.unfolds.empty()) return tactic;
    return fmt::format("(unfold {} in *; {})", facts_.unfolds.substr(0, facts_.unfolds.size() - 2),
                       tactic);
  }

  Result<WrittenClaim> counted(const Statement& claim, const char* measure, bool known,
                               bool from_below, const Sizes& sizes, const char* lemma) const {
    if (!known) return Error{"no sizes of its rows are known here"};
    if (claim.op != ComparisonOperator::kLessEqual && !from_below) {
      return Error{"its rows are known from above only"};
    }
    if ((claim.op != ComparisonOperator::kGreaterEqual && !gives(claim, sizes.most, true)) ||
        (claim.op != ComparisonOperator::kLessEqual && !gives(claim, sizes.least, false))) {
      return Error{"its rows are not known as sharply here"};
    }
    const std::string value = value_name(claim.measure);
    return WrittenClaim{
        for_all(claim.over,
                fmt::format("exists {0}, {1} A B i {0} /\\ {2}", value, measure, claim.relation)),
        fmt::format("{}destruct ({} i ltac:(lia)) as (x & y & T & X & Y). exists (x + y). "
                    "split; [exact T|{}].",
                    claim.over.introduced, lemma, numbers(claim.tactic))};
  }

  Result<WrittenClaim> depth(const Statement& claim) const {
    if (facts_.depth.empty()) return Error{"no form of its depth is known here"};
    const Bound& known = facts_.depth.front();
    return WrittenClaim{
        for_all(claim.over, fmt::format("exists d, depth_is A B n d /\\ {}", claim.relation)),
        fmt::format("{}exists ({}). split; [{}|{}].", claim.over.introduced, known.value,
                    known.proof, numbers())};
  }

  // One of the bounds that are known, each first weakened to what is claimed.
  std::string one_of(const std::vector<Bound>& bounds, const char* weaker) const {
    std::string text = "first [";
    for (const Bound& bound : bounds) {
      text += fmt::format("{}apply {} with ({}); [{}|{}]", text.size() > 7 ? "\n    |" : "", weaker,
                          bound.value, bound.proof, numbers());
    }
    return text + "]";
  }

  // name A B VARIABLES bound, from above, from below or both.
  Result<WrittenClaim> bounded(const Statement& claim, const std::string& most,
                               const std::string& least, const std::vector<Bound>& from_above,
                               const char* more, const std::vector<Bound>& from_below,
                               const char* less) const {
    if (!claim.bound) return Error{"it is not a bound of one measure"};
    const bool above = claim.op != ComparisonOperator::kGreaterEqual;
    const bool below = claim.op != ComparisonOperator::kLessEqual;
    const std::vector<Bound> most_known = those_that_give(claim, from_above, true);
    const std::vector<Bound> least_known = those_that_give(claim, from_below, false);
    if ((above && most_known.empty()) || (below && least_known.empty())) {
      return Error{"no such bound is known here"};
    }
    std::string variables;
    for (const std::string& name : claim.over.variables) variables += " " + name;
    const auto said = [&](const std::string& name) {
      return fmt::format("{} A B{} {}", name, variables, argument(*claim.bound));
    };
    const std::string upper = above ? one_of(most_known, more) : "";
    const std::string lower = below ? one_of(least_known, less) : "";
    if (!above || !below) {
      return WrittenClaim{for_all(claim.over, above ? said(most) : said(least)),
                          claim.over.introduced + (above ? upper : lower) + "."};
    }
    return WrittenClaim{for_all(claim.over, said(most) + " /\\ " + said(least)),
                        claim.over.introduced + "split.\n  - " + upper + ".\n  - " + lower + "."};
  }

  Result<WrittenClaim> hops(const Statement& claim) const {
    return bounded(claim, "at_most_hops", "at_least_hops", facts_.most_hops, "more_hops",
                   facts_.least_hops, "fewer_hops");
  }

  // What holds of each g that congestion is at most.
  std::string every_congestion() const {
    std::string proof =
        "intros g G. pose proof (at_least_one_congestion A B n ltac:(lia) g G) as One. ";
    if (facts_.capacity) {
      proof +=
          "destruct (B_live n ltac:(lia)) as (y & Live & Y). "
          "pose proof (capacity A B n g y A_only_own B_causal Live G) as Law. clear Live. ";
    }
    return proof + "clear G. " + numbers();
  }

  Result<WrittenClaim> congestion(const Statement& claim) const {
    if (claim.op == ComparisonOperator::kGreaterEqual) {
      return WrittenClaim{
          for_all(claim.over,
                  fmt::format("forall g, at_most_congestion A B n g -> {}", claim.relation)),
          claim.over.introduced + every_congestion() + "."};
    }
    if (!claim.bound) return Error{"it is not a bound of one measure"};
    return bounded(claim, "at_most_congestion", "at_least_congestion", facts_.most_congestion,
                   "more_congestion", {{*claim.bound, one_tactic(every_congestion())}},
                   "less_congestion");
  }

  Result<WrittenClaim> rank(const Statement& claim) const {
    std::vector<Bound> most;
    if (facts_.causal && facts_.cache) {
      most.push_back(
          {"Nat.min m (x + y)", "exact (rank_within A B m (x + y) A_causal B_causal T)"});
    }
    Result<WrittenClaim> text = bounded(claim, "at_most_rank", "at_least_rank", most, "more_rank",
                                        facts_.least_rank, "less_rank");
    if (text.ok() && claim.op != ComparisonOperator::kGreaterEqual) {
      const std::string known = "destruct (cache_known m ltac:(lia)) as (x & y & T & X & Y). ";
      text->proof.insert(claim.over.introduced.size(), known);
    }
    return text;
  }

  const Facts& facts_;
};

}  // namespace

const char* value_name(MeasureKind measure) {
  switch (measure) {
    case MeasureKind::kTime:
      return "t";
    case MeasureKind::kCache:
      return "c";
    case MeasureKind::kDepth:
      return "d";
    case MeasureKind::kHops:
      return "h";
    case MeasureKind::kCongestion:
      return "g";
    case MeasureKind::kRank:
      return "r";
  }
  unreachable("measure");
}

std::string for_all(const Quantified& over, const std::string& body) {
  std::string names;
  for (const std::string& name : over.variables) names += " " + name;
  return fmt::format("forall{}, {}{}", names, over.hypotheses, body);
}

Result<WrittenClaim> write(const Statement& statement, const Facts& facts) {
  return Writer(facts).write(statement);
}

}  // namespace heddle::coq
