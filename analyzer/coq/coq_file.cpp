// SPDX-License-Identifier: Apache-2.0
#include "analyzer/coq/coq_file.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "analyzer/coq/claims.hpp"
#include "patterns/ast_print.hpp"

namespace heddle::coq {
namespace {

// What the statements are written in, and what only the proofs use.
constexpr const char* kStatementModules =
    "sets rows counting_by_inverse lattice set_algebra paths steps cut_bounds "
    "hops_of_powers_of_two patterns";
constexpr const char* kProofModules =
    "increasing integer_functions lattice_spread lattice_hops pattern_rows pattern_hops "
    "pattern_numbers";

// A comment must not end early, and `(*` in it would open another.
std::string comment(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == ')' && !safe.empty() && safe.back() == '*') safe += ' ';
    if (c == '*' && !safe.empty() && safe.back() == '(') safe += ' ';
    safe += c == '"' ? '\'' : c;
  }
  return "(* " + safe + " *)\n";
}

std::string indented(const std::string& text) {
  std::string lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) lines += "     " + text.substr(at, end - at);
    lines += "\n";
    at = end + 1;
  }
  return lines;
}

std::string opening(const Pattern& pattern) {
  return comment(
      "What heddle claims of the pattern\n\n" + indented(pattern.canonical_text()) +
      "\n   for all i, j < i, n and m from 1 on. To have Coq 8.16 check it:\n"
      "     coqc -Q PREFIX/share/heddle/theorems heddle FILE\n"
      "   The words used here are defined in patterns.v, and in the files that it names.");
}

// All theorems as one, and what they rest on.
std::string closing(const std::vector<std::string>& names) {
  std::string all = names.back(), proof = names.back() + "_holds";
  for (std::size_t at = names.size() - 1; at-- > 0;) {
    all = names[at] + " /\\ " + all;
    proof = "(conj " + names[at] + "_holds " + proof + ")";
  }
  return fmt::format(
      "Theorem all_hold : {}.\nProof. exact {}. Qed.\n\nPrint Assumptions all_hold.\n", all, proof);
}

}  // namespace

CoqFile coq_file(const Pattern& pattern, const std::vector<Judged>& claims) {
  CoqFile file;
  const Facts facts = facts_of(pattern);
  std::string statements, proofs;
  std::vector<std::string> names;
  const auto write = [&](const std::string& name, const std::string& said,
                         const WrittenClaim& claim) {
    statements +=
        comment(said) + fmt::format("Definition {} : Prop :=\n  {}.\n\n", name, claim.statement);
    proofs += fmt::format("Theorem {0}_holds : {0}.\nProof.\n  {1}\nQed.\n\n", name, claim.proof);
    names.push_back(name);
  };
  if (facts.causal) {
    write("causal", "row i reads inputs 1..i and outputs 1..i-1 only",
          {"causal_a A /\\ causal_b B", "split; [exact A_causal|exact B_causal]."});
  }
  for (const Judged& judged : claims) {
    const auto* proved = std::get_if<Proved>(judged.verdict);
    if (proved == nullptr) continue;
    if (!facts.missing.empty()) {
      file.unwritten.push_back({judged.claim, facts.missing});
      continue;
    }
    const auto claim = claim_about(pattern, judged.claim);
    if (!claim) {
      file.unwritten.push_back({judged.claim, "it is not one claim of the language"});
      continue;
    }
    const Result<WrittenClaim> text = written(pattern, *claim, *proved, facts);
    if (!text.ok()) {
      file.unwritten.push_back({judged.claim, text.error().message});
      continue;
    }
    file.written.push_back(judged.claim);
    write(fmt::format("claim_{}", file.written.size()), judged.claim, *text);
  }
  file.text = opening(pattern) + "Require Import Arith Lia.\n" +
              fmt::format("From heddle Require Import {}.\n\n", kStatementModules) +
              "(* ---- What is claimed. ---- *)\n\n" + facts.statements + "\n" + statements;
  for (const Unwritten& missing : file.unwritten) {
    file.text += comment("not written for Coq: " + missing.claim + " (" + missing.reason + ")");
  }
  file.text += "\n(* ---- Proofs. ---- *)\n\n" +
               fmt::format("From heddle Require Import {}.\n\n", kProofModules) + facts.lemmas +
               "\n" + proofs;
  if (!names.empty()) file.text += closing(names);
  return file;
}

}  // namespace heddle::coq
