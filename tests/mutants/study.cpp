// SPDX-License-Identifier: Apache-2.0
#include "tests/mutants/study.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>

#include "codegen/verify/check_statically.hpp"
#include "codegen/verify/followed.hpp"
#include "patterns/parser.hpp"
#include "patterns/pattern.hpp"
#include "runtime/emulator/device/texts.hpp"
#include "runtime/load/subprocess.hpp"
#include "runtime/verify/verify.hpp"
#include "tests/mutants/generator_mutator.hpp"

namespace heddle::mutants {
namespace {

constexpr std::int64_t kRows = 2100;  // as far as the verifier's own lengths go, those of chains
constexpr unsigned kPatience = 120;   // seconds for one mutant in one plan

Pattern resolved(const BuiltinPattern& builtin) {
  Diagnostics diagnostics;
  std::vector<PatternSyntax> patterns = parse(source_of(builtin), diagnostics);
  std::optional<Pattern> pattern = resolve(std::move(patterns.front()), {}, diagnostics);
  assert_that(pattern.has_value(), "a built-in pattern resolves");
  return *std::move(pattern);
}

VerifyOptions plan(bool emulated, bool full) {
  VerifyOptions options;
  options.emulated = emulated;
  options.algebraic = !emulated;
  options.threads = 1;
  options.stop_early = true;
  if (!full) {
    options.sizes = {1, 2, 33};
    options.work_budget = 1'000'000;
    options.algebraic_budget = 1'000'000;
  }
  return options;
}

// "verified" or the first finding's kind.
std::string verdict(const Subject& subject, const std::string& text, const VerifyOptions& options) {
  std::map<std::string, std::string> files = subject.files;
  files[subject.file] = text;
  const VerifyReport report = verify(subject.manifest, files, subject.rows, options);
  if (!report.failures.empty()) return report.failures.front().kind;
  return name_of(report.verdict);
}

// What `work` prints, from a process that may die of it.
template <typename Work>
std::string in_a_child(Work&& work) {
  int ends[2];
  if (pipe(ends) != 0) return "crash";
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    const rlimit limit = {kPatience, kPatience};  // of its own time: the machine may be busy
    setrlimit(RLIMIT_CPU, &limit);
    const std::string answer = work();
    const bool told =
        write(ends[1], answer.data(), answer.size()) == static_cast<ssize_t>(answer.size());
    _exit(told ? 0 : 1);
  }
  close(ends[1]);
  std::string answer;
  char buffer[256];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) {
    answer.append(buffer, static_cast<std::size_t>(got));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? answer : "crash";
}

// "" where the static layer proves as much of the text as of the original.
std::string without_proofs(const Subject& subject, const std::string& text) {
  if (not_followed(subject.manifest, subject.kernel())) return "";
  for (const KernelEntry* const launched : launches_of(subject.kernel())) {
    if (launched->file != subject.file) continue;
    StaticOptions options;
    options.until_a_failure = true;
    const auto verdict_of = [&](const std::string& of) {
      return check_statically(of, subject.files, subject.manifest, *launched, options).verdict;
    };
    const StaticVerdict found = verdict_of(text);
    if (found == StaticVerdict::kRejected) return "rejected";
    const bool doubt = found == StaticVerdict::kUnknown;
    return doubt && verdict_of(subject.text()) == StaticVerdict::kVerified ? "unproved" : "";
  }
  return "";
}

std::string signature_of(const std::string& text) {
  const std::size_t begin = text.find("extern \"C\"");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find(") {", begin) - begin);
}

// The kernel as assembly, without anything that watches it; empty when it does not compile.
std::string machine_code(const Subject& subject, const std::string& text, const char* zeros) {
  namespace fs = std::filesystem;
  std::string folder = (fs::temp_directory_path() / "heddle-mutant-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return "";
  const auto put = [&](const std::string& name, const std::string& content) {
    std::ofstream(fs::path(folder) / name, std::ios::binary) << content;
  };
  for (const auto& [name, content] : subject.files) put(name, content);
  put("bridge.hpp", emulator::texts::bridge);
  put("emulated_device.hpp", emulator::texts::emulated_device);
  const bool cuda = subject.manifest.target == "cuda";
  put("kernel.cpp",
      (cuda ? "#include \"bridge.hpp\"\n#include \"emulated_device.hpp\"\n" : "") + text);
  ProcessOptions options;
  options.directory = folder;
  // Its lines may differ: no debug information, and no names of files.
  const auto output = run_process(
      {"g++", "-std=c++17", "-O2", zeros, "-w", "-S", "-o", "-", "kernel.cpp"}, options);
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  return output && output->exit_code == 0 ? output->out : "";
}

bool same_machine_code(const Subject& subject, const Mutant& mutant, const char* zeros) {
  const std::string code = machine_code(subject, mutant.text, zeros);
  return !code.empty() && code == machine_code(subject, subject.text(), zeros);
}

// What the name of a subject says behind its type.
std::string form_of(const Kind& kind) {
  std::string form;
  if (std::string(kind.schedule) != "simple") form += std::string(" ") + kind.schedule;
  if (kind.varlen) form += " varlen";
  if (kind.page_rows > 0) form += " paged";
  if (kind.state_gradients) form += " state";
  if (kind.several_tokens) form += " several";
  return form;
}

}  // namespace

std::vector<Subject> subjects_of(const Kind& kind) {
  GenerateOptions options;
  options.ops = kind.ops;
  options.target = kind.target;
  options.head_dim = kind.head_dim;
  options.schedule = kind.schedule;
  options.dtype = kind.dtype;
  options.weights = kind.weights;
  options.exact_to = kRows;
  options.varlen = kind.varlen;
  options.page_rows = kind.page_rows;
  options.state_gradients = kind.state_gradients;
  options.several_tokens = kind.several_tokens;
  if (kind.weights == WeightKind::kLinear) {
    options.state_dim = options.schedule == "simple" ? 6 : 16;
  }
  if (options.schedule == "scan") options.plan_heads = 1;  // the shortest chunks
  const BuiltinPattern* builtin = find_builtin(kind.pattern);
  assert_that(builtin != nullptr, "a built-in pattern");
  const Pattern pattern = resolved(*builtin);
  Result<Artifact> artifact = generate(pattern, options);
  assert_that(artifact.ok(), "a built-in pattern has kernels");
  MaterializeResult rows = materialize(pattern, kRows);
  assert_that(std::holds_alternative<Rows>(rows), "a built-in pattern has rows");
  std::vector<Subject> all;
  for (const KernelEntry& kernel : artifact->manifest.kernels) {
    Subject subject;
    subject.name = std::string(kind.pattern) + " " + kernel.op + " " + artifact->manifest.target +
                   " " + artifact->manifest.weights + " " + heddle::name_of(kind.dtype) +
                   form_of(kind);
    subject.pattern = builtin;
    subject.options = options;
    subject.options.ops = {kernel.op};
    subject.manifest = artifact->manifest;
    subject.manifest.kernels = {kernel};
    subject.manifest.sliced.clear();
    subject.files = artifact->files;
    for (const KernelEntry& other : artifact->manifest.kernels) {
      if (other.op == kernel.op) continue;
      for (const KernelEntry* const launched : launches_of(other)) {
        subject.files.erase(launched->file);
      }
    }
    subject.rows = std::get<Rows>(rows);
    for (const KernelEntry* const launched : launches_of(kernel)) {
      subject.file = launched->file;
      all.push_back(subject);
      if (!kernel.steps.empty()) all.back().name += " " + launched->symbol;
    }
  }
  return all;
}

std::vector<Subject> subjects() {
  const std::vector<Kind> kinds = {
      {"sqrt_cached", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF32},
      {"log_recurrence", ir::Target::kCuda, WeightKind::kGiven, ElementType::kBF16},
      {"linear_attention", ir::Target::kCuda, WeightKind::kLinear, ElementType::kF32},
      {"strided_attention", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF16},
      {"chacal", ir::Target::kCuda, WeightKind::kSoftmax, ElementType::kF32},
      {"log_cached", ir::Target::kCpu, WeightKind::kGiven, ElementType::kF32},
      {"fibonacci_cached", ir::Target::kCpu, WeightKind::kSoftmax, ElementType::kBF16},
      {"order_k_recurrence", ir::Target::kCpu, WeightKind::kGiven, ElementType::kF16},
      {"linear_attention", ir::Target::kCpu, WeightKind::kLinear, ElementType::kF32},
      {"sqrt_cached", ir::Target::kCuda, WeightKind::kLinear, ElementType::kF32},
      {"log_recurrence", ir::Target::kCpu, WeightKind::kLinear, ElementType::kBF16},
      {.pattern = "log_recurrence",
       .target = ir::Target::kCuda,
       .weights = WeightKind::kLinear,
       .dtype = ElementType::kF32,
       .ops = {"backward"}},
      {"log_recurrence", ir::Target::kCuda, WeightKind::kGated, ElementType::kF32},
      {"fibonacci_cached", ir::Target::kCpu, WeightKind::kGated, ElementType::kF32},
      {.pattern = "log_recurrence",
       .target = ir::Target::kCpu,
       .weights = WeightKind::kSoftmax,
       .dtype = ElementType::kF32,
       .ops = {"backward"}},
      {"sqrt_cached",
       ir::Target::kCuda,
       WeightKind::kGiven,
       ElementType::kF32,
       40,
       "staged",
       {"prefill"}},
      {"linear_recurrence",
       ir::Target::kCuda,
       WeightKind::kGiven,
       ElementType::kF32,
       40,
       "scan",
       {"prefill", "backward"}},
      {"attention",
       ir::Target::kCuda,
       WeightKind::kSoftmax,
       ElementType::kBF16,
       64,
       "tensor",
       {"prefill"}},
      {"dense_recurrence",
       ir::Target::kCuda,
       WeightKind::kSoftmax,
       ElementType::kBF16,
       64,
       "tensor",
       {"prefill"}},
      {"linear_attention",
       ir::Target::kCuda,
       WeightKind::kLinear,
       ElementType::kBF16,
       64,
       "tensor",
       {"prefill"}},
      {"linear_attention",
       ir::Target::kCuda,
       WeightKind::kLinear,
       ElementType::kBF16,
       16,
       "scan",
       {"prefill"}},
      {.pattern = "sqrt_cached",
       .target = ir::Target::kCuda,
       .weights = WeightKind::kSoftmax,
       .dtype = ElementType::kF32,
       .varlen = true,
       .page_rows = 16},
      {.pattern = "log_cached",
       .target = ir::Target::kCpu,
       .weights = WeightKind::kGiven,
       .dtype = ElementType::kF32,
       .varlen = true},
      {.pattern = "log_recurrence",
       .target = ir::Target::kCuda,
       .weights = WeightKind::kSoftmax,
       .dtype = ElementType::kBF16,
       .ops = {"backward"},
       .state_gradients = true},
      {.pattern = "sqrt_cached",
       .target = ir::Target::kCpu,
       .weights = WeightKind::kGiven,
       .dtype = ElementType::kF32,
       .ops = {"backward"},
       .state_gradients = true},
      {.pattern = "log_recurrence",
       .target = ir::Target::kCuda,
       .weights = WeightKind::kGiven,
       .dtype = ElementType::kF32,
       .ops = {"backward"},
       .varlen = true,
       .state_gradients = true},
      {.pattern = "sqrt_cached",
       .target = ir::Target::kCpu,
       .weights = WeightKind::kSoftmax,
       .dtype = ElementType::kF32,
       .ops = {"backward"},
       .varlen = true,
       .state_gradients = true},
      {.pattern = "fibonacci_cached",
       .target = ir::Target::kCuda,
       .weights = WeightKind::kSoftmax,
       .dtype = ElementType::kF32,
       .ops = {"decode"},
       .several_tokens = true},
      {.pattern = "chacal",
       .target = ir::Target::kCpu,
       .weights = WeightKind::kGiven,
       .dtype = ElementType::kF32,
       .ops = {"decode"},
       .several_tokens = true},
  };
  std::vector<Subject> all;
  for (const Kind& kind : kinds) {
    for (Subject& subject : subjects_of(kind)) all.push_back(std::move(subject));
  }
  return all;
}

std::vector<Mutant> all_mutants(const Subject& subject) {
  const std::string& text = subject.text();
  std::vector<Mutant> all = mutants_of(text);
  const std::string& op = subject.kernel().op;
  const auto add = [&all](std::vector<Mutant> more) {
    std::move(more.begin(), more.end(), std::back_inserter(all));
  };
  // What the cost model chose is not repeated there.
  if (subject.options.schedule != "simple") return all;
  add(misreadings(source_of(*subject.pattern).text, subject.options, op, text));
  add(ir_mutants(resolved(*subject.pattern), subject.options, subject.manifest, op, text));
  return all;
}

std::vector<Case> draw_cases(const std::vector<Subject>& subjects, std::size_t count,
                             std::uint64_t seed) {
  std::map<std::string, std::vector<Case>> by_rule;
  for (std::size_t s = 0; s < subjects.size(); ++s) {
    for (Mutant& mutant : all_mutants(subjects[s])) {
      by_rule[mutant.rule].push_back({s, std::move(mutant)});
    }
  }
  std::mt19937_64 random(seed);
  std::size_t left = 0;
  for (auto& [rule, cases] : by_rule) {
    // Fisher and Yates; the standard shuffle differs between libraries.
    for (std::size_t i = cases.size(); i > 1; --i) std::swap(cases[i - 1], cases[random() % i]);
    left += cases.size();
  }
  std::vector<Case> drawn;
  while (drawn.size() < count && left > 0) {
    for (auto& [rule, cases] : by_rule) {
      if (cases.empty() || drawn.size() >= count) continue;
      drawn.push_back(std::move(cases.back()));
      cases.pop_back();
      --left;
    }
  }
  return drawn;
}

const char* name_of(Fate fate) {
  switch (fate) {
    case Fate::kInvalid:
      return "invalid";
    case Fate::kKilled:
      return "killed";
    case Fate::kEquivalent:
      return "equivalent";
    case Fate::kSurvived:
      return "survived";
    case Fate::kCrashed:
      return "crashed";
  }
  unreachable("fate");
}

Judgement judge(const Subject& subject, const Mutant& mutant) {
  Judgement judgement;
  // The manifest, which a loader holds a kernel to, fixes the signature.
  if (signature_of(mutant.text) != signature_of(subject.text())) {
    judgement.fate = Fate::kInvalid;
    return judgement;
  }
  for (const bool full : {false, true}) {
    for (const bool emulated : {true, false}) {
      std::string& finding = emulated ? judgement.emulated : judgement.algebraic;
      if (!finding.empty()) continue;
      const std::string answer =
          in_a_child([&] { return verdict(subject, mutant.text, plan(emulated, full)); });
      if (answer == "crash") return {Fate::kCrashed, answer, answer, ""};
      if (answer == "compile_error") return {Fate::kInvalid, "", "", ""};
      // A quick plan may leave something unchecked, of the original too.
      if (answer != "verified" && (full || answer != "unknown")) finding = answer;
    }
    // A layer that found nothing gets the full plan too, so that its own score is fair; a mutant
    // that is the same machine code needs neither.
    if (!full && judgement.emulated.empty() && judgement.algebraic.empty()) {
      if (same_machine_code(subject, mutant, "-fsigned-zeros")) {
        return {Fate::kEquivalent, "", "", "the compiler makes the same machine code of both"};
      }
      if (same_machine_code(subject, mutant, "-fno-signed-zeros")) {
        return {Fate::kEquivalent, "", "",
                "the compiler makes the same machine code of both, if 0 + x may be x"};
      }
    }
    if (!judgement.emulated.empty() && !judgement.algebraic.empty()) break;
  }
  // "unknown" is no rejection.
  const auto rejects = [](const std::string& finding) {
    return !finding.empty() && finding != "unknown";
  };
  if (rejects(judgement.emulated) || rejects(judgement.algebraic)) {
    judgement.fate = Fate::kKilled;
    return judgement;
  }
  judgement.argument = equivalence_argument(subject, mutant);
  if (!judgement.argument.empty()) {
    judgement.fate = Fate::kEquivalent;
    return judgement;
  }
  judgement.proofs = in_a_child([&] { return without_proofs(subject, mutant.text); });
  if (judgement.proofs == "rejected" || judgement.proofs == "unproved") {
    judgement.fate = Fate::kKilled;
  }
  return judgement;
}

}  // namespace heddle::mutants
