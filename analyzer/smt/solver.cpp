// SPDX-License-Identifier: Apache-2.0
// The only file that knows Z3. The script goes through Z3's own SMT-LIB reader as it stands; the
// solver is the one that Z3 takes for the script's logic. Setting up Z3's whole command line for
// each script would take longer than most answers.
#include "analyzer/smt/solver.hpp"

#include "analyzer/smt/plain_solver.hpp"

#include <pthread.h>
#include <time.h>
#include <z3.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

namespace heddle::smt {
namespace {

// One question's context: nothing that was asked before can change an answer.
class Question {
 public:
  // For a logic as Z3 names them, or for its plain core where none is given.
  explicit Question(const char* logic = nullptr) {
    Z3_config config = Z3_mk_config();
    context_ = Z3_mk_context(config);
    Z3_del_config(config);
    Z3_set_error_handler(context_, [](Z3_context, Z3_error_code) {});
    solver_ = logic == nullptr
                  ? Z3_mk_simple_solver(context_)
                  : Z3_mk_solver_for_logic(context_, Z3_mk_string_symbol(context_, logic));
    if (solver_ != nullptr) Z3_solver_inc_ref(context_, solver_);  // null: not a logic
  }
  ~Question() {
    if (solver_ != nullptr) Z3_solver_dec_ref(context_, solver_);
    Z3_del_context(context_);
  }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  bool failed() const { return solver_ == nullptr || Z3_get_error_code(context_) != Z3_OK; }

  void limit(const char* what, std::uint64_t value) {
    Z3_params params = Z3_mk_params(context_);
    Z3_params_inc_ref(context_, params);
    Z3_params_set_uint(context_, params, Z3_mk_string_symbol(context_, what),
                       static_cast<unsigned>(value));
    Z3_solver_set_params(context_, solver_, params);
    Z3_params_dec_ref(context_, params);
  }
  void state(const std::string& script) {
    if (solver_ != nullptr) Z3_solver_from_string(context_, solver_, script.c_str());
  }
  Z3_lbool check() { return Z3_solver_check(context_, solver_); }
  // Safe from another thread.
  void interrupt() { Z3_interrupt(context_); }

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
  Z3_context context_;
  Z3_solver solver_;
};

// Interrupts once the thread that made it has computed for so long since. Unlike a clock on the
// wall it gives the same answers on a busy machine.
class Watch {
 public:
  Watch(Question& question, std::chrono::milliseconds limit) {
    if (pthread_getcpuclockid(pthread_self(), &clock_) != 0) return;
    const std::chrono::nanoseconds end = now() + limit;
    watcher_ = std::thread([this, &question, end, limit] {
      std::unique_lock lock(mutex_);
      while (!done_.wait_for(lock, limit / 8, [this] { return is_done_; })) {
        if (now() < end) continue;
        question.interrupt();
        return;
      }
    });
  }
  ~Watch() {
    if (!watcher_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      is_done_ = true;
    }
    done_.notify_one();
    watcher_.join();
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  std::chrono::nanoseconds now() const {
    timespec time{};
    clock_gettime(clock_, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }

  clockid_t clock_ = 0;
  std::mutex mutex_;
  std::condition_variable done_;
  bool is_done_ = false;
  std::thread watcher_;  // last: it uses the others
};

// The logic that the script names, if it asks one question and that at its end.
std::optional<std::string> logic_of(const std::string& script) {
  static const std::string kLogic = "(set-logic ", kCheck = "(check-sat)\n";
  const std::size_t at = script.find(kLogic), check = script.find(kCheck);
  const std::size_t end = at == std::string::npos ? at : script.find(')', at);
  if (end == std::string::npos || check + kCheck.size() != script.size()) return std::nullopt;
  return script.substr(at + kLogic.size(), end - at - kLogic.size());
}

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

Reply ask(const std::string& script, std::uint64_t resource_limit,
          const std::vector<std::string>& constants) {
  const Reply refused{Answer::kUnknown, {}, "z3 did not accept the script"};
  const std::optional<std::string> logic = logic_of(script);
  if (!logic) return refused;
  Question question(logic->c_str());
  question.state(script);
  // An assertion that was not read is one less: no answer about the others is an answer.
  if (question.failed()) return refused;
  question.limit("rlimit", resource_limit);
  // Some loops of nonlinear arithmetic do not count; nobody waits for them, and the answer then is
  // unknown like any other that was not found.
  const Z3_lbool answer = [&] {
    const Watch watch(question, std::chrono::milliseconds(resource_limit / 200 + 300));
    return question.check();
  }();
  if (question.failed() || answer == Z3_L_UNDEF) {
    return {Answer::kUnknown, {}, "z3 gave up within its resource limit"};
  }
  if (answer == Z3_L_FALSE) return {Answer::kUnsat, {}, {}};
  Reply reply{Answer::kSat, {}, {}};
  if (constants.empty()) return reply;
  const std::map<std::string, Integer> model = question.model();
  for (const std::string& name : constants) {  // a model leaves out what may be anything
    const auto value = model.find(name);
    reply.model[name] = value == model.end() ? Integer(0) : value->second;
  }
  return reply;
}

}  // namespace

Reply solve(const std::string& script, std::uint64_t resource_limit,
            const std::vector<std::string>& constants) {
  thread_local Answers answers;
  std::string question = std::to_string(resource_limit);
  for (const std::string& name : constants) question += " " + name;
  question += "\n" + script;
  if (const Reply* known = answers.find(question)) return *known;
  const Reply reply = ask(script, resource_limit, constants);
  answers.keep(std::move(question), reply);
  return reply;
}

Reply solve_plainly(const std::string& script, std::uint64_t resource_limit, bool with_model) {
  Question question;
  question.state(script);
  // An assertion that was not read is one less: no answer about the others is an answer.
  if (question.failed()) return {Answer::kUnknown, {}, "z3 did not accept the script"};
  question.limit("rlimit", resource_limit);
  question.limit("timeout", resource_limit / 250 + 200);
  const Z3_lbool answer = question.check();
  if (question.failed() || answer == Z3_L_UNDEF) {
    return {Answer::kUnknown, {}, "z3 gave up within its resource limit"};
  }
  if (answer == Z3_L_FALSE) return {Answer::kUnsat, {}, {}};
  return {Answer::kSat, with_model ? question.model() : std::map<std::string, Integer>(), {}};
}

std::string solver_version() {
  unsigned major = 0, minor = 0, build = 0, revision = 0;
  Z3_get_version(&major, &minor, &build, &revision);
  return "z3 " + std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(build);
}

}  // namespace heddle::smt
