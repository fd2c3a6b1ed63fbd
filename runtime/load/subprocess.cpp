// SPDX-License-Identifier: Apache-2.0
#include "runtime/load/subprocess.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

extern char** environ;

namespace heddle {
namespace {

using Clock = std::chrono::steady_clock;

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  void reset(int fd) {
    close();
    fd_ = fd;
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

struct Pipe {
  Descriptor read_end;
  Descriptor write_end;

  bool open() {
    int ends[2];
    // Close-on-exec: a program started by another thread meanwhile must not hold our pipe open.
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
    return true;
  }
};

// Appends what is ready; false once the writer has closed its end.
bool drain(const Descriptor& from, std::string& into) {
  std::array<char, 16384> buffer;
  const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
  if (got > 0) into.append(buffer.data(), static_cast<std::size_t>(got));
  return got > 0 || (got < 0 && errno == EINTR);
}

// Reads both pipes until both are closed; false when the limit is passed first.
bool collect(Pipe& out, Pipe& err, ProcessOutput& result, Clock::time_point limit) {
  while (out.read_end.get() >= 0 || err.read_end.get() >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(limit - Clock::now());
    if (left.count() <= 0) return false;
    // poll ignores negative descriptors, so a closed pipe needs no special case.
    pollfd waiting[2] = {{out.read_end.get(), POLLIN, 0}, {err.read_end.get(), POLLIN, 0}};
    if (poll(waiting, 2, static_cast<int>(left.count())) < 0 && errno != EINTR) return false;
    if (waiting[0].revents != 0 && !drain(out.read_end, result.out)) out.read_end.close();
    if (waiting[1].revents != 0 && !drain(err.read_end, result.err)) err.read_end.close();
  }
  return true;
}

int exit_code_of(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Result<ProcessOutput> run_process(const std::vector<std::string>& command,
                                  const ProcessOptions& options) {
  assert_that(!command.empty(), "run_process() needs a program");
  Pipe out, err;
  if (!out.open() || !err.open()) {
    return machine_error("cannot open a pipe: " + std::string(std::strerror(errno)));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write_end.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.write_end.get(), STDERR_FILENO);
  if (!options.directory.empty()) {
    posix_spawn_file_actions_addchdir_np(&actions, options.directory.c_str());
  }
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int failure =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) {
    return machine_error("cannot start " + command[0] + ": " + std::strerror(failure));
  }

  out.write_end.close();
  err.write_end.close();
  ProcessOutput result;
  const bool in_time = collect(out, err, result, Clock::now() + options.limit);
  if (!in_time) kill(child, SIGKILL);
  result.exit_code = exit_code_of(child);
  if (!in_time) {
    return machine_error(command[0] + " did not finish within " +
                         std::to_string(options.limit.count()) + " s");
  }
  return result;
}

}  // namespace heddle
