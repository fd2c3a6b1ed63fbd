// SPDX-License-Identifier: Apache-2.0
// Asks the solver whether facts imply a goal, each question once. Work is bounded by the solver's
// own counter; giving up is `unknown` and never an answer.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "analyzer/smt/plain_solver.hpp"
#include "analyzer/smt/term.hpp"

namespace heddle::verify {

// Answers by the text of a question up to the names of its variables, which nothing else decides.
using Answers = std::map<std::string, smt::Answer>;

struct ProverOptions {
  std::uint64_t resource_limit = 3'000'000;
  bool keep_scripts = false;
  Answers* answered = nullptr;  // elsewhere, with the same limit; grows
};

// A question that was answered with a proof, for another solver to repeat.
struct KeptScript {
  std::string statement;
  std::string script;
};

class Prover {
 public:
  explicit Prover(ProverOptions options)
      : options_(options), answers_(options.answered != nullptr ? *options.answered : own_) {}
  Prover(const Prover&) = delete;
  Prover& operator=(const Prover&) = delete;

  // kUnsat: the facts imply the goal. kSat: they do not, and `model` says where.
  smt::Reply ask(const std::vector<smt::Term>& facts, const smt::Term& goal,
                 const std::string& statement, bool with_model = false);
  bool proves(const std::vector<smt::Term>& facts, const smt::Term& goal,
              const std::string& statement) {
    return ask(facts, goal, statement).answer == smt::Answer::kUnsat;
  }
  // With little work: of a goal that need not follow, since more may be granted the next time.
  bool proves_soon(const std::vector<smt::Term>& facts, const smt::Term& goal,
                   const std::string& statement);

  int questions() const { return questions_; }
  const std::vector<KeptScript>& scripts() const { return scripts_; }

 private:
  smt::Reply answer(const std::vector<smt::Term>& facts, const smt::Term& goal,
                    const std::string& statement, bool with_model, bool soon);

  ProverOptions options_;
  smt::PlainSolver plain_;
  Answers own_;
  Answers& answers_;
  std::vector<KeptScript> scripts_;
  int questions_ = 0;
};

// The truth of a term without functions under a model; what the model leaves out counts as 0.
bool holds(const smt::Term& term, const std::map<std::string, Integer>& model);

}  // namespace heddle::verify
