// SPDX-License-Identifier: Apache-2.0
// Z3, known to this file and plain_solver only. The script goes through its own SMT-LIB reader as
// it stands.
#include "analyzer/smt/solver.hpp"

#include <z3.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <climits>
#include <functional>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "analyzer/smt/apart.hpp"
#include "analyzer/smt/plain_solver.hpp"
#include "analyzer/smt/watch.hpp"

namespace heddle::smt {
namespace {

class Context {
 public:
  Context() {
    keep_freed_memory();
    Z3_config config = Z3_mk_config();
    context_ = Z3_mk_context(config);
    Z3_del_config(config);
    Z3_set_error_handler(context_, [](Z3_context, Z3_error_code) {});
  }
  ~Context() { Z3_del_context(context_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  std::string run(const std::string& text) {
    const char* output = Z3_eval_smtlib2_string(context_, text.c_str());
    return output == nullptr ? "" : output;
  }
  Z3_context handle() const { return context_; }
  // Safe from another thread, and of nothing but what is being asked.
  std::function<void()> interruption() {
    return [this] { Z3_interrupt(context_); };
  }

 private:
  Z3_context context_;
};

// Reads "((i 7) (j (- 2)))"; stops at the first thing that is not of this form.
std::map<std::string, Integer> parse_values(const std::string& text) {
  std::map<std::string, Integer> values;
  std::vector<std::string> tokens;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (std::isspace(static_cast<unsigned char>(c)) || c == '(' || c == ')') {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && !std::isspace(static_cast<unsigned char>(text[end])) &&
           text[end] != '(' && text[end] != ')') {
      ++end;
    }
    tokens.push_back(text.substr(at, end - at));
    at = end;
  }
  for (std::size_t at = 0; at + 1 < tokens.size();) {
    const bool negative = tokens[at + 1] == "-";
    const std::size_t digits = at + (negative ? 2 : 1);
    if (digits >= tokens.size()) break;
    const std::optional<Integer> value = Integer::parse(tokens[digits]);
    if (!value) break;
    values[tokens[at]] = negative ? -*value : *value;
    at = digits + 1;
  }
  return values;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

const char* name_of(Answer answer) {
  switch (answer) {
    case Answer::kUnsat:
      return "unsat";
    case Answer::kSat:
      return "sat";
    case Answer::kUnknown:
      return "unknown";
  }
  return "unknown";
}

namespace {

// The answer depends on the arguments alone, and proofs ask the same lemmas again and again (about
// powers, or the functions that causality, bounds and claims all learn), so answers are kept.
class Answers {
 public:
  const Reply* find(const std::string& question) const {
    const auto at = replies_.find(question);
    return at == replies_.end() ? nullptr : &at->second;
  }
  void keep(std::string question, const Reply& reply) {
    size_ += question.size();
    if (size_ > kMostBytes) {
      replies_.clear();
      size_ = question.size();
    }
    replies_.emplace(std::move(question), reply);
  }

 private:
  static constexpr std::size_t kMostBytes = std::size_t{1} << 25;
  std::unordered_map<std::string, Reply> replies_;
  std::size_t size_ = 0;
};

constexpr std::string_view kQuestion = "(check-sat)\n";

bool is_in(const std::string& script, std::string_view logic) {
  return script.find("(set-logic " + std::string(logic) + ")\n") != std::string::npos;
}

bool has_products(const std::string& script) {
  return is_in(script, "QF_NIA") || is_in(script, "QF_UFNIA");
}

// What the core may spend before the strategies are made. For linear arithmetic they come to the
// same core; products it decides at once or not at all. It reads past a logic that is none.
std::uint64_t share_of_core(const std::string& script, std::uint64_t resource_limit) {
  constexpr std::uint64_t kForProducts = 2000;
  const std::uint64_t quarter = std::max<std::uint64_t>(resource_limit / 4, 1);
  if (is_in(script, "QF_LIA") || is_in(script, "QF_UFLIA")) return quarter;
  if (has_products(script)) return std::min(quarter, kForProducts);
  return 0;
}

// Z3's core alone, without the strategies that its command line chooses by logic: to make them
// takes longer than most questions.
class Core {
 public:
  explicit Core(const Context& context)
      : context_(context.handle()), solver_(Z3_mk_simple_solver(context_)) {
    Z3_solver_inc_ref(context_, solver_);
  }
  ~Core() { Z3_solver_dec_ref(context_, solver_); }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  Answer check(const std::string& script, std::uint64_t resource_limit) {
    const Z3_params params = Z3_mk_params(context_);
    Z3_params_inc_ref(context_, params);
    Z3_params_set_uint(context_, params, Z3_mk_string_symbol(context_, "rlimit"),
                       static_cast<unsigned>(std::min<std::uint64_t>(resource_limit, UINT_MAX)));
    Z3_solver_set_params(context_, solver_, params);
    Z3_params_dec_ref(context_, params);
    Z3_solver_from_string(context_, solver_, script.c_str());
    if (Z3_get_error_code(context_) != Z3_OK) return Answer::kUnknown;
    const Z3_lbool found = Z3_solver_check(context_, solver_);
    if (Z3_get_error_code(context_) != Z3_OK) return Answer::kUnknown;
    if (found == Z3_L_UNDEF) return Answer::kUnknown;
    return found == Z3_L_TRUE ? Answer::kSat : Answer::kUnsat;
  }

  // What a model leaves open is 0.
  std::map<std::string, Integer> model_of(const std::vector<std::string>& constants) {
    std::map<std::string, Integer> values;
    const Z3_model model = Z3_solver_get_model(context_, solver_);
    if (model == nullptr) return values;
    Z3_model_inc_ref(context_, model);
    for (const std::string& name : constants) values[name] = Integer(0);
    for (unsigned at = 0; at < Z3_model_get_num_consts(context_, model); ++at) {
      const Z3_func_decl constant = Z3_model_get_const_decl(context_, model, at);
      const auto asked =
          values.find(Z3_get_symbol_string(context_, Z3_get_decl_name(context_, constant)));
      const Z3_ast value = Z3_model_get_const_interp(context_, model, constant);
      if (asked == values.end() || value == nullptr || !Z3_is_numeral_ast(context_, value))
        continue;
      if (const auto number = Integer::parse(Z3_get_numeral_string(context_, value))) {
        asked->second = *number;
      }
    }
    Z3_model_dec_ref(context_, model);
    return values;
  }

 private:
  Z3_context context_;
  Z3_solver solver_;
};

// Nothing where the core alone does not decide the script within its share of the work.
std::optional<Reply> ask_core(const std::string& script, std::uint64_t resource_limit,
                              const std::vector<std::string>& constants) {
  Context context;
  Core core(context);
  const Answer answer = [&] {
    Watch watch(context.interruption());
    watch.begin(time_for(resource_limit));
    return core.check(script, resource_limit);
  }();
  if (answer == Answer::kUnknown) return std::nullopt;
  Reply reply{answer, {}, {}};
  if (answer == Answer::kSat && !constants.empty()) reply.model = core.model_of(constants);
  return reply;
}

constexpr const char* kGaveUp = "z3 gave up within its resource limit";
constexpr std::string_view kModelFollows = "sat\n\1";  // in no output of Z3

// What Z3 prints, and for `sat` the values of the constants behind a mark.
std::string ask_strategies(const std::string& script, std::uint64_t resource_limit,
                           const std::vector<std::string>& constants) {
  Context context;
  context.run("(set-option :rlimit " + std::to_string(resource_limit) + ")");
  const std::string output = [&] {
    Watch watch(context.interruption());
    watch.begin(time_for(resource_limit));
    return context.run(script);
  }();
  if (output != "sat\n" || constants.empty()) return output;
  std::string request = "(get-value (";
  for (const std::string& name : constants) request += name + " ";
  return std::string(kModelFollows) + context.run(request + "))");
}

Reply read_reply(const std::string& output) {
  if (output == "unsat\n") return {Answer::kUnsat, {}, {}};
  if (output == "sat\n") return {Answer::kSat, {}, {}};
  if (output.starts_with(kModelFollows)) {
    return {Answer::kSat, parse_values(output.substr(kModelFollows.size())), {}};
  }
  if (output == "unknown\n") return {Answer::kUnknown, {}, kGaveUp};
  return {Answer::kUnknown, {}, "z3 did not accept the script: " + first_line(output)};
}

Reply ask(const std::string& script, std::uint64_t resource_limit,
          const std::vector<std::string>& constants, Process process) {
  // What stands behind the question has not been asked.
  if (!script.ends_with(kQuestion))
    return {Answer::kUnknown, {}, "the script asks nothing at its end"};
  const std::uint64_t share = share_of_core(script, resource_limit);
  if (share > 0 && script.find(kQuestion) == script.size() - kQuestion.size()) {
    if (std::optional<Reply> reply = ask_core(script, share, constants)) return *reply;
  }
  const auto strategies = [&] { return ask_strategies(script, resource_limit, constants); };
  if (process == Process::kThis || !has_products(script)) return read_reply(strategies());
  // Some loops over products neither count nor look whether they are interrupted.
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time_for(resource_limit));
  const std::optional<std::string> answer =
      run_apart(strategies, static_cast<int>(2 * seconds.count()) + 3);
  return answer ? read_reply(*answer) : Reply{Answer::kUnknown, {}, kGaveUp};
}

}  // namespace

Reply solve(const std::string& script, std::uint64_t resource_limit,
            const std::vector<std::string>& constants, Process process) {
  thread_local Answers answers;
  std::string question = std::to_string(resource_limit);
  for (const std::string& name : constants) question += " " + name;
  question += "\n" + script;
  if (const Reply* known = answers.find(question)) return *known;
  const Reply reply = ask(script, resource_limit, constants, process);
  answers.keep(std::move(question), reply);
  return reply;
}

std::string solver_version() {
  unsigned major = 0, minor = 0, build = 0, revision = 0;
  Z3_get_version(&major, &minor, &build, &revision);
  return "z3 " + std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(build);
}

}  // namespace heddle::smt
