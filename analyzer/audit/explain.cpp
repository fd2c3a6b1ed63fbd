// SPDX-License-Identifier: Apache-2.0
// The order of the text is that of an argument: what is claimed, the laws that turn measures into
// numbers, the inequality that is left, and only then the lemmas behind it. Instances of lemmas are
// counted, not listed; all else that a step assumes is written out.
#include "analyzer/audit/explain.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <sstream>

#include "analyzer/audit/term.hpp"
#include "analyzer/certificate/theorems.hpp"

namespace heddle {
namespace {

using auditing::Term;

constexpr std::size_t kWidestFact = 60;  // behind which remarks are aligned

bool starts_with(const std::string& text, const std::string& prefix) {
  return text.rfind(prefix, 0) == 0;
}

// "rank(2) path 1 3 5" as "x1 -> y3 -> y5", and weights with what they bound.
std::string witness_in_words(const std::string& evidence_line, int& token) {
  std::istringstream words(evidence_line);
  std::string subject, kind, said;
  words >> subject >> kind;
  std::vector<std::string> numbers;
  for (std::string number; words >> number;) numbers.push_back(number);
  const bool input_first = starts_with(subject, "rank");
  if (kind == "path") {
    said = "a path for " + subject + ": ";
    if (!input_first) said += "x" + std::to_string(++token);
    for (std::size_t at = 0; at < numbers.size(); ++at) {
      said += (at == 0 && input_first ? "x" : " -> y") + numbers[at];
    }
    return said;
  }
  said = "no paths do better than " + subject + ", by weights of y1, y2, ..:";
  for (const std::string& number : numbers) said += " " + number;
  return said;
}

// Binds tighter the larger it is.
int strength_of(const Term& term) {
  if (term.parts.empty() || auditing::value_of(term)) return 9;
  static const std::map<std::string, int> kStrengths = {
      {"=>", 1}, {"or", 2}, {"and", 3}, {"not", 4}, {"=", 5},
      {"<", 5},  {"<=", 5}, {"+", 6},   {"-", 6},   {"*", 7}};
  const auto found = kStrengths.find(term.head);
  return found == kStrengths.end() ? 9 : found->second;
}

// The sum without zeros, with its numerals collected at the end.
void flatten(const Term& term, bool negative, Integer& rest,
             std::vector<std::pair<bool, Term>>& parts) {
  if (const auto value = auditing::value_of(term)) {
    rest = negative ? rest - *value : rest + *value;
  } else if ((term.head == "+" || term.head == "-") && term.parts.size() == 2) {
    flatten(term.parts[0], negative, rest, parts);
    flatten(term.parts[1], negative != (term.head == "-"), rest, parts);
  } else {
    parts.emplace_back(negative, term);
  }
}

// (i + 1) - 1 as i, and (if a <= b then a else b) as min(a, b).
Term simplified(const Term& term) {
  Term result{term.head, {}};
  for (const Term& part : term.parts) result.parts.push_back(simplified(part));
  const std::vector<Term>& parts = result.parts;
  if (term.head == "ite" && parts[0].head == "<=" && parts[0].parts.size() == 2) {
    const bool least = parts[0].parts[0] == parts[1] && parts[0].parts[1] == parts[2];
    const bool most = parts[0].parts[1] == parts[1] && parts[0].parts[0] == parts[2];
    if (least || most) return {least ? "min" : "max", {parts[1], parts[2]}};
  }
  if ((term.head != "+" && term.head != "-") || parts.size() != 2) return result;
  Integer rest = 0;
  std::vector<std::pair<bool, Term>> summands;
  flatten(result, false, rest, summands);
  std::stable_partition(summands.begin(), summands.end(), [](const auto& x) { return !x.first; });
  if (summands.empty()) return auditing::numeral(rest);
  Term sum = summands[0].first ? Term{"-", {auditing::numeral(0), summands[0].second}}
                               : summands[0].second;
  for (std::size_t at = 1; at < summands.size(); ++at) {
    sum = {summands[at].first ? "-" : "+", {sum, summands[at].second}};
  }
  if (rest.sign() != 0) sum = {rest.sign() > 0 ? "+" : "-", {sum, auditing::numeral(abs(rest))}};
  return sum;
}

// "2 * 2^(t + 1) <= 2^s": a formula as people write it.
std::string infix(const Term& term) {
  const auto part = [&](std::size_t at, int least) {
    const std::string text = infix(term.parts[at]);
    return strength_of(term.parts[at]) < least ? "(" + text + ")" : text;
  };
  const std::string& head = term.head;
  if (term.parts.empty()) return head == "true" ? "it has a value" : head;
  if (const auto value = auditing::value_of(term)) return value->to_string();
  if (head == "ite") {
    return "(if " + infix(term.parts[0]) + " then " + infix(term.parts[1]) + " else " +
           infix(term.parts[2]) + ")";
  }
  if (head == "min" || head == "max") {
    return head + "(" + infix(term.parts[0]) + ", " + infix(term.parts[1]) + ")";
  }
  if (head == "not") return "not " + part(0, 5);
  if (starts_with(head, "pow.")) return head.substr(4) + "^" + part(0, 9);
  if (starts_with(head, "fn.")) return head.substr(3) + "(" + infix(term.parts[0]) + ")";
  if (starts_with(head, "bit.")) {
    return (head == "bit.low" ? "lowbit(" : "popcount(") + infix(term.parts[0]) + ")";
  }
  const int strength = strength_of(term);
  const std::string word = head == "=>" ? " implies " : " " + head + " ";
  std::string text = part(0, head == "=>" ? strength + 1 : strength);
  for (std::size_t at = 1; at < term.parts.size(); ++at) text += word + part(at, strength + 1);
  return text;
}

struct Assertion {
  std::string why;  // the comment above it
  std::string text;
  std::vector<std::string> conjuncts;  // of the text
};

// The assertions of a script in infix; the last is the goal, no longer negated.
std::vector<Assertion> assertions_of(const std::string& script) {
  std::vector<Assertion> result;
  std::string why;
  for (std::size_t at = 0; at < script.size();) {
    const std::size_t end = std::min(script.find('\n', at), script.size());
    const std::string line = script.substr(at, end - at);
    at = end + 1;
    if (starts_with(line, "; ")) why = line.substr(2);
    const auto term = starts_with(line, "(assert ") ? auditing::parse_term(line) : std::nullopt;
    if (!term || term->parts.size() != 1) continue;
    const Term& fact = term->parts[0];
    const bool goal = why == "the goal, negated" && fact.head == "not";
    const Term said = simplified(goal ? fact.parts[0] : fact);
    Assertion assertion{why, infix(said), {}};
    for (const Term& part : said.head == "and" ? said.parts : std::vector<Term>{said}) {
      assertion.conjuncts.push_back(infix(part));
    }
    result.push_back(std::move(assertion));
  }
  return result;
}

// "increasing(f)", "power(2)", "popcount": the hypothesis is an instance of a lemma.
bool is_lemma(const std::string& why) {
  const std::size_t bracket = why.find('(');
  const std::string name = why.substr(0, bracket);
  static const char* const kLemmas[] = {"power",       "powers",   "within",
                                        "increasing",  "positive", "doubling",
                                        "closed_form", "at_most",  "ratio"};
  return why == "popcount" || why == "bits" ||
         (bracket != std::string::npos && why.back() == ')' &&
          std::find(std::begin(kLemmas), std::end(kLemmas), name) != std::end(kLemmas));
}

std::string lemma_statement(const std::string& lemma, const std::string& base_statement) {
  const std::string inside = lemma.substr(lemma.find('(') + 1);
  if (starts_with(lemma, "power(")) {
    const std::string b = inside.substr(0, inside.size() - 1);
    return b + "^t >= t + 1 for t >= 0, and " + b + " * " + b + "^s <= " + b + "^t for 0 <= s < t";
  }
  if (starts_with(lemma, "powers(")) {
    const std::string b = inside.substr(0, inside.find(',')),
                      c = inside.substr(b.size() + 1, inside.size() - b.size() - 2);
    return b + "^s <= " + c + "^t for 0 <= s <= t, and " + b + " * " + b + "^s <= " + c +
           "^t for s < t";
  }
  if (starts_with(lemma, "within(")) {
    const std::string b = inside.substr(0, inside.find(',')),
                      c = inside.substr(b.size() + 1, inside.size() - b.size() - 2);
    return c + "^t <= " + b + "^(e t) for t >= 0, with the least e for which " + c + " <= " + b +
           "^e";
  }
  if (lemma == "bits") return "2^popcount(x) <= x + 1 for x >= 0";
  if (lemma == "popcount") return "1 <= popcount(x) <= floor(log2(x)) + 1 for x >= 1";
  const std::size_t end = base_statement.find(": base");
  return base_statement.substr(0, end) + " for every k >= 0";
}

// With a capital letter, unless it begins with a symbol, and a full stop.
std::string sentence(std::string text) {
  const bool word = text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0;
  if (word || starts_with(text, "a ")) {
    text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  }
  return text + ".";
}

// "For g of the class: time(i) <= 3 g(i) for i >= 1, and g(i) <= 2 time(i) for i >= 4."
std::string class_in_words(const std::string& claim,
                           const std::vector<std::pair<std::string, std::string>>& constants) {
  const std::size_t in = claim.find(" in ");
  if (in == std::string::npos || constants.empty() || constants.size() % 2 != 0) return "";
  const std::string measure = claim.substr(0, in);
  const std::string variable = starts_with(measure, "hops(") ? "i" : claim.substr(in - 2, 1);
  const std::string g = "g(" + variable + ")";
  const bool lower = claim.compare(in, 9, " in Omega") == 0;
  std::string text = "For g of the class: ";
  for (std::size_t at = 0; at < constants.size(); at += 2) {
    const bool above = at == 0 && !lower;
    const std::string& factor = constants[at].second;
    const std::string small = above ? measure : g, large = above ? g : measure;
    text += (at == 0 ? "" : ", and ") + small + " <= " + (factor == "1" ? "" : factor + " ") +
            large + " for " + variable + " >= " + constants[at + 1].second;
  }
  return text + ".";
}

std::string plural(std::size_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

class Explainer {
 public:
  Explainer(const Certificate& certificate, const AuditReport& report)
      : certificate_(certificate), report_(report) {
    for (const Obligation& step : certificate.obligations) steps_.emplace(step.name, &step);
  }

  std::string run() {
    line("# What is proved about `" + certificate_.pattern + "`");
    block(certificate_.source);
    summary(certificate_.claims);
    line("## Rows read earlier positions only");
    if (certificate_.causality.verdict == "proved") {
      line(
          "Before anything else, the pattern must be causal: row i of A lies within 1..i and row i "
          "of B within 1..i-1, for every i. This is proved.");
      laws(certificate_.causality, "It follows from");
      side_conditions(certificate_.causality);
    } else {
      line("This is " + certificate_.causality.verdict + ": " + certificate_.causality.reason +
           ". No claim can be decided before it is.");
    }
    for (const CertifiedClaim& claim : certificate_.claims) explain_claim(claim);
    if (!certificate_.derived.empty()) {
      line("# What else is proved");
      line(
          "The pattern does not claim these: the sharpest bounds that were found, and what "
          "excludes "
          "its refuted claims.");
      summary(certificate_.derived);
    }
    for (const CertifiedClaim& claim : certificate_.derived) explain_claim(claim);
    lemmas();
    trust();
    return text_;
  }

 private:
  void line(const std::string& text) { text_ += text + "\n\n"; }
  void block(const std::string& text) {
    text_ += "```\n" + text + (text.empty() || text.back() != '\n' ? "\n" : "") + "```\n\n";
  }
  void item(const std::string& text) { text_ += "* " + text + "\n"; }

  void summary(const std::vector<CertifiedClaim>& claims) {
    if (claims.empty()) return;
    text_ += "| claim | verdict | for |\n|---|---|---|\n";
    for (const CertifiedClaim& claim : claims) {
      text_ += "| `" + claim.text + "` | " + claim.verdict + " | " +
               (claim.scope.empty() ? "no value" : claim.scope) + " |\n";
    }
    text_ += "\n";
  }

  void laws(const CertifiedClaim& claim, const std::string& opening) {
    const std::set<std::string> names = claim.laws();
    line(opening + (names.size() == 1 ? " one law:" : " these laws:"));
    for (const std::string& name : names) {
      const std::string* statement = theorem(name);
      item("**" + sentence(name) + "** " +
           (statement ? sentence(*statement) : "This law is not known to this version."));
    }
    text_ += "\n";
  }

  // What the claim needs of the pattern's own expressions.
  void side_conditions(const CertifiedClaim& claim) {
    std::vector<std::string> said;
    for (const RuleApplication& link : claim.derivation) {
      if (link.rule != "side condition") continue;
      for (const std::string& name : link.obligations) {
        const auto step = steps_.find(name);
        if (step != steps_.end()) {
          said.push_back(step->second->statement + " (step `" + name + "`)");
        }
      }
    }
    if (said.empty()) return;
    line("The pattern must satisfy what these laws ask of it, and it does:");
    for (const std::string& fact : said) item(sentence(fact));
    text_ += "\n";
  }

  void explain_claim(const CertifiedClaim& claim) {
    line("## `" + claim.text + "`");
    if (claim.verdict == "refuted") {
      std::string numbers;
      for (const auto& [name, value] : claim.counterexample) {
        if (name == "value" || name == "bound") continue;
        numbers += (numbers.empty() ? "" : ", ") + name + " = " + value;
      }
      std::string left, right;
      for (const auto& [name, value] : claim.counterexample) {
        if (name == "value") left = value;
        if (name == "bound") right = value;
      }
      if (starts_with(claim.reason, "is in ")) {  // a class, which no row refutes
        const std::string measure = claim.text.substr(0, claim.text.find(" in "));
        return line("Refuted: " + measure + " " + claim.reason + ". At " + numbers + " it is " +
                    left + ", and the function of the class " + right + ".");
      }
      line("Refuted at " + numbers + ", " +
           (claim.smallest ? "the smallest place where it fails"
                           : "which may not be the smallest place where it fails") +
           (claim.reason.empty() ? "." : ": " + claim.reason + "."));
      if (!left.empty())
        line("There the left side is " + left + " and the right side " + right + ".");
      std::istringstream evidence(claim.evidence);
      int token = 0;
      for (std::string shown; std::getline(evidence, shown);) item(witness_in_words(shown, token));
      if (!claim.evidence.empty()) text_ += "\n";
      return;
    }
    if (claim.verdict == "checked") {
      return line("Not proved, but evaluated and found true for " + claim.scope + ". " +
                  claim.reason + ".");
    }
    if (claim.verdict != "proved") return line("Unknown: " + claim.reason + ".");
    line("Proved for " + claim.scope + ".");
    const bool reach = starts_with(claim.text, "reaches(");
    laws(claim, reach ? "It holds by" : "The measures become numbers by");
    if (!claim.assumes.empty()) {
      line("One of them rests on a theorem that is taken on trust: " + claim.assumes[0] + ".");
    }
    side_conditions(claim);
    for (const RuleApplication& link : claim.derivation) {
      if (link.rule != "inequality") continue;
      const std::string constants = class_in_words(claim.text, link.parameters);
      if (!constants.empty()) line(constants);
      for (const std::string& name : link.obligations) inequality(name);
    }
  }

  void inequality(const std::string& name) {
    const auto step = steps_.find(name);
    if (step == steps_.end()) return;
    const std::vector<Assertion> all = assertions_of(step->second->script);
    if (all.empty()) return;
    std::vector<const Assertion*> known;
    std::map<std::string, std::size_t> instances;
    std::size_t width = 0;
    for (std::size_t at = 0; at + 1 < all.size(); ++at) {
      if (is_lemma(all[at].why)) {
        ++instances[all[at].why];
        continue;
      }
      known.push_back(&all[at]);
      if (all[at].text.size() <= kWidestFact) width = std::max(width, all[at].text.size());
    }
    std::string facts;
    for (const Assertion* fact : known) {
      const std::size_t gap = fact->text.size() < width ? width - fact->text.size() : 0;
      facts += fact->text + std::string(gap + 2, ' ') + "# " + fact->why + "\n";
    }
    line("What is left is a statement about integers. From");
    block(facts);
    if (!instances.empty()) {
      std::string text;
      std::size_t left = instances.size();
      for (const auto& [lemma, count] : instances) {
        text += plural(count, "instance") + " of the lemma " + lemma;
        --left;
        text += left == 0 ? "" : left == 1 ? " and " : ", ";
      }
      line("and " + text + ", it follows that");
    } else {
      line("it follows that");
    }
    block(without_repeats(all.back(), known));
    line("No integers satisfy the first and violate the second (step `" + name + "`).");
  }

  // The goal, one conjunct a line, less what was assumed and what was said.
  static std::string without_repeats(const Assertion& goal,
                                     const std::vector<const Assertion*>& known) {
    std::set<std::string> said;
    for (const Assertion* fact : known) said.insert(fact->text);
    std::string text;
    for (const std::string& part : goal.conjuncts) {
      if (said.insert(part).second) text += part + "\n";
    }
    return text.empty() ? goal.text : text;
  }

  void lemmas() {
    std::map<std::string, std::vector<std::string>> found;
    std::vector<const CertifiedClaim*> claims{&certificate_.causality};
    for (const CertifiedClaim& claim : certificate_.claims) claims.push_back(&claim);
    for (const CertifiedClaim& bound : certificate_.derived) claims.push_back(&bound);
    for (const CertifiedClaim* claim : claims) {
      for (const RuleApplication& link : claim->derivation) {
        if (link.rule == "induction" && !link.parameters.empty()) {
          found.emplace(link.parameters[0].second, link.obligations);
        }
      }
    }
    if (found.empty()) return;
    line("## Lemmas");
    line(found.size() == 1 ? "One lemma is used. It is proved by induction:"
                           : "These lemmas are used. Each is proved by induction:");
    for (const auto& [lemma, names] : found) {
      const auto first = steps_.find(names[0]);
      item("**" + lemma + ".** " +
           lemma_statement(lemma, first == steps_.end() ? "" : first->second->statement) +
           ". Its steps:");
      for (const std::string& name : names) {
        const auto step = steps_.find(name);
        if (step != steps_.end()) text_ += "  * `" + name + "`: " + step->second->statement + "\n";
      }
    }
    text_ += "\n";
  }

  void trust() {
    line("## What was checked, and what is left to trust");
    const char* verdict =
        report_.verdict == AuditReport::Verdict::kAccepted   ? "accepts this certificate."
        : report_.verdict == AuditReport::Verdict::kRejected ? "rejects this certificate:"
                                                             : "cannot decide on this certificate:";
    line(std::string("The auditor, which shares no code with the prover but the parser, ") +
         verdict);
    for (const std::string& problem : report_.problems) item(problem + ".");
    if (!report_.problems.empty()) text_ += "\n";
    for (const std::string& what : report_.checked) item("Checked: " + what + ".");
    for (const SolverTally& solver : report_.solvers) {
      item(solver.version + " confirmed " + std::to_string(solver.confirmed) + " of " +
           plural(static_cast<std::size_t>(report_.scripts), "script") +
           (solver.undecided > 0 ? " and gave up on " + std::to_string(solver.undecided) : "") +
           ".");
    }
    for (const std::string& what : report_.not_checked) item("Not checked: " + what + ".");
    text_ += "\n";
    std::vector<std::string> assumed;
    for (const std::string& what : report_.trusted) {
      if (starts_with(what, "assumed: ")) assumed.push_back(what.substr(9));
    }
    const bool shown = report_.steps > 0 && report_.steps_with_evidence == report_.steps;
    line("Whoever accepts this has to believe the laws above, " +
         std::string(shown ? "the solvers' answers or the arithmetic that shows each step without "
                             "them, and"
                           : "the solvers' answers, and") +
         (assumed.empty() ? " no other theorem." : " the following:"));
    for (const std::string& what : assumed) item(what + ".");
  }

  const Certificate& certificate_;
  const AuditReport& report_;
  std::map<std::string, const Obligation*> steps_;
  std::string text_;
};

}  // namespace

std::string explain(const Certificate& certificate, const AuditReport& report) {
  return Explainer(certificate, report).run();
}

}  // namespace heddle
