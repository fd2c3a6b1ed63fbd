// SPDX-License-Identifier: Apache-2.0
#include "analyzer/smt/plain_solver.hpp"

#include <malloc.h>
#include <z3.h>

#include <chrono>

#include "analyzer/smt/watch.hpp"

namespace heddle::smt {

// To get megabytes anew from the system, page by page, takes five times as long as to fill them.
void keep_freed_memory() {
#ifdef __GLIBC__
  static const int kept = mallopt(M_TRIM_THRESHOLD, 1 << 27) + mallopt(M_MMAP_THRESHOLD, 1 << 25);
  static_cast<void>(kept);
#endif
}

// The questions of one context, one after the other.
class PlainSolver::Context {
 public:
  Context() {
    keep_freed_memory();
    Z3_config config = Z3_mk_config();
    context_ = Z3_mk_context(config);
    Z3_del_config(config);
    Z3_set_error_handler(context_, [](Z3_context, Z3_error_code) {});
  }
  ~Context() {
    forget();
    Z3_del_context(context_);
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  void begin() {
    forget();
    solver_ = Z3_mk_simple_solver(context_);
    Z3_solver_inc_ref(context_, solver_);
  }

  bool failed() const { return Z3_get_error_code(context_) != Z3_OK; }

  void limit(const char* what, std::uint64_t value) {
    Z3_params params = Z3_mk_params(context_);
    Z3_params_inc_ref(context_, params);
    Z3_params_set_uint(context_, params, Z3_mk_string_symbol(context_, what),
                       static_cast<unsigned>(value));
    Z3_solver_set_params(context_, solver_, params);
    Z3_params_dec_ref(context_, params);
  }
  void state(const std::string& script) {
    Z3_solver_from_string(context_, solver_, script.c_str());
  }
  // A context is of no more use once it was interrupted, be it at the very end.
  Z3_lbool check(std::chrono::milliseconds limit) {
    watch_.begin(limit);
    const Z3_lbool answer = Z3_solver_check(context_, solver_);
    return watch_.end() ? Z3_L_UNDEF : answer;
  }

  std::map<std::string, Integer> model() {
    std::map<std::string, Integer> values;
    const Z3_model model = Z3_solver_get_model(context_, solver_);
    if (model == nullptr) return values;
    Z3_model_inc_ref(context_, model);
    for (unsigned index = 0; index < Z3_model_get_num_consts(context_, model); ++index) {
      const Z3_func_decl constant = Z3_model_get_const_decl(context_, model, index);
      const Z3_ast value = Z3_model_get_const_interp(context_, model, constant);
      if (value == nullptr || Z3_get_ast_kind(context_, value) != Z3_NUMERAL_AST) continue;
      const std::string name = Z3_get_symbol_string(context_, Z3_get_decl_name(context_, constant));
      const std::string text = Z3_get_numeral_string(context_, value);
      const bool negative = text[0] == '-';
      const auto number = Integer::parse(text.substr(negative ? 1 : 0));
      if (number) values[name] = negative ? -*number : *number;
    }
    Z3_model_dec_ref(context_, model);
    return values;
  }

 private:
  void forget() {
    if (solver_ != nullptr) Z3_solver_dec_ref(context_, solver_);
    solver_ = nullptr;
  }
  Z3_context context_;
  Z3_solver solver_ = nullptr;
  Watch watch_{[this] { Z3_interrupt(context_); }};
};

PlainSolver::PlainSolver() = default;
PlainSolver::~PlainSolver() = default;

Reply PlainSolver::solve(const std::string& script, std::uint64_t resource_limit, bool with_model) {
  if (context_ == nullptr) context_ = std::make_unique<Context>();
  const auto give_up = [&](const char* why) -> Reply {
    context_ = nullptr;
    return {Answer::kUnknown, {}, why};
  };
  context_->begin();
  context_->state(script);
  // An assertion that was not read is one less: no answer about the others is an answer.
  if (context_->failed()) return give_up("z3 did not accept the script");
  context_->limit("rlimit", resource_limit);
  const Z3_lbool answer = context_->check(time_for(resource_limit));
  if (context_->failed() || answer == Z3_L_UNDEF) {
    return give_up("z3 gave up within its resource limit");
  }
  if (answer == Z3_L_FALSE) return {Answer::kUnsat, {}, {}};
  return {Answer::kSat, with_model ? context_->model() : std::map<std::string, Integer>(), {}};
}

}  // namespace heddle::smt
