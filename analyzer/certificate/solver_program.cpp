// SPDX-License-Identifier: Apache-2.0
// Runs the program with the script on an unnamed temporary file, so that nothing is left behind.
#include "analyzer/certificate/solver_program.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cstdio>
#include <vector>

extern char** environ;

namespace heddle {
namespace {

constexpr std::size_t kMostOutput = 1 << 16;

// Standard output of the program; nothing if it could not be run.
std::optional<std::string> output_of(std::vector<std::string> arguments, const std::string& input) {
  std::FILE* file = std::tmpfile();
  if (file == nullptr) return std::nullopt;
  std::fwrite(input.data(), 1, input.size(), file);
  std::fflush(file);
  std::rewind(file);
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) {
    std::fclose(file);
    return std::nullopt;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(file), 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1, 0);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::fclose(file);
  std::string output;
  if (failed == 0) {
    std::array<char, 4096> buffer{};
    for (ssize_t got = 0; (got = read(ends[0], buffer.data(), buffer.size())) > 0;) {
      if (output.size() < kMostOutput) output.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }
  close(ends[0]);
  if (failed != 0) return std::nullopt;
  int status = 0;
  waitpid(child, &status, 0);
  return output;
}

bool is_cvc5(const SolverProgram& solver) { return solver.version.rfind("cvc5", 0) == 0; }

// The first thing in the text that looks like 1.2.3.
std::string version_in(const std::string& text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!std::isdigit(static_cast<unsigned char>(text[at]))) continue;
    std::size_t end = at;
    while (end < text.size() &&
           (std::isdigit(static_cast<unsigned char>(text[end])) || text[end] == '.')) {
      ++end;
    }
    const std::string found = text.substr(at, end - at);
    if (found.find('.') != std::string::npos) return found;
    at = end;
  }
  return "of unknown version";
}

}  // namespace

std::optional<SolverProgram> find_solver(const std::string& program) {
  const std::optional<std::string> output = output_of({program, "--version"}, "");
  if (!output) return std::nullopt;
  for (const char* name : {"cvc5", "Z3"}) {
    const std::size_t at = output->find(name);
    if (at == std::string::npos) continue;
    const std::string shown = std::string(name) == "Z3" ? "z3" : name;
    return SolverProgram{program, shown + " " + version_in(output->substr(at + shown.size()))};
  }
  return std::nullopt;
}

std::string answer_of(const SolverProgram& solver, const std::string& script, int seconds) {
  const std::vector<std::string> arguments =
      is_cvc5(solver) ? std::vector<std::string>{solver.program, "--lang=smt2",
                                                 "--tlimit=" + std::to_string(seconds * 1000), "-"}
                      : std::vector<std::string>{solver.program, "-smt2", "-in",
                                                 "-T:" + std::to_string(seconds)};
  const std::optional<std::string> output = output_of(arguments, script);
  if (!output) return "no answer";
  return output->substr(0, output->find_first_of("\r\n"));
}

}  // namespace heddle
