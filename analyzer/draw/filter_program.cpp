// SPDX-License-Identifier: Apache-2.0
// One child, three pipes, one poll loop: writing and reading must overlap, or a child that answers
// while it reads would block both sides.
#include "analyzer/draw/filter_program.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
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

struct Pipe {
  int read_end = -1;
  int write_end = -1;

  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_read();
    close_write();
  }
  bool open() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    read_end = ends[0];
    write_end = ends[1];
    return true;
  }
  void close_read() { close_end(read_end); }
  void close_write() { close_end(write_end); }

 private:
  static void close_end(int& end) {
    if (end >= 0) ::close(end);
    end = -1;
  }
};

// A child that exits before it has read everything must not kill us by SIGPIPE. The signal is
// blocked for this thread only and a pending one is taken back.
class IgnoreBrokenPipe {
 public:
  IgnoreBrokenPipe() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  IgnoreBrokenPipe(const IgnoreBrokenPipe&) = delete;
  IgnoreBrokenPipe& operator=(const IgnoreBrokenPipe&) = delete;
  ~IgnoreBrokenPipe() {
    const timespec none{};
    if (sigismember(&before_, SIGPIPE) == 0) sigtimedwait(&set_, nullptr, &none);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t set_{};
  sigset_t before_{};
};

struct Exchange {
  std::string output;
  std::string errors;
  bool timed_out = false;
};

void read_some(Pipe& pipe, std::string& into) {
  std::array<char, 1 << 16> buffer;
  const ssize_t got = ::read(pipe.read_end, buffer.data(), buffer.size());
  if (got > 0) {
    into.append(buffer.data(), static_cast<std::size_t>(got));
  } else if (got == 0 || errno != EINTR) {
    pipe.close_read();
  }
}

void write_some(Pipe& pipe, std::string_view& left) {
  const ssize_t put = ::write(pipe.write_end, left.data(), left.size());
  if (put > 0) left.remove_prefix(static_cast<std::size_t>(put));
  const bool failed = put < 0 && errno != EINTR && errno != EAGAIN;
  if (left.empty() || failed) pipe.close_write();
}

Exchange exchange(Pipe& in, Pipe& out, Pipe& err, std::string_view input, Clock::time_point end) {
  Exchange result;
  fcntl(in.write_end, F_SETFL, O_NONBLOCK);
  if (input.empty()) in.close_write();
  while (out.read_end >= 0 || err.read_end >= 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0) {
      result.timed_out = true;
      break;
    }
    std::array<pollfd, 3> polled = {pollfd{in.write_end, POLLOUT, 0},
                                    pollfd{out.read_end, POLLIN, 0},
                                    pollfd{err.read_end, POLLIN, 0}};  // negative: ignored
    if (poll(polled.data(), polled.size(), static_cast<int>(left)) < 0 && errno != EINTR) break;
    if (polled[0].revents != 0) write_some(in, input);
    if (polled[1].revents != 0) read_some(out, result.output);
    if (polled[2].revents != 0) read_some(err, result.errors);
  }
  return result;
}

// Closing its outputs does not oblige a child to end: wait only until the limit.
bool wait_until(pid_t child, int& status, Clock::time_point end) {
  while (true) {
    const pid_t done = waitpid(child, &status, WNOHANG);
    if (done == child) return true;
    if (done < 0 && errno != EINTR) return false;
    if (Clock::now() >= end) return false;
    usleep(1000);
  }
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

Result<std::string> filter_through(const FilterCommand& command, std::string_view input) {
  Pipe in;
  Pipe out;
  Pipe err;
  if (!in.open() || !out.open() || !err.open()) return Error{"cannot open a pipe"};

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read_end, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.write_end, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.write_end, STDERR_FILENO);
  std::vector<std::string> words = {command.program};
  words.insert(words.end(), command.arguments.begin(), command.arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed == ENOENT) {
    return Error{
        fmt::format("{} is not installed; install {}", command.program, command.install_hint)};
  }
  if (failed != 0) {
    return Error{fmt::format("cannot start {}: {}", command.program, std::strerror(failed))};
  }
  in.close_read();
  out.close_write();
  err.close_write();

  const IgnoreBrokenPipe guard;
  const Clock::time_point end = Clock::now() + command.limit;
  Exchange result = exchange(in, out, err, input, end);
  int status = 0;
  if (result.timed_out || !wait_until(child, status, end)) {
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return Error{
        fmt::format("{} did not finish within {} ms", command.program, command.limit.count())};
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return Error{
        fmt::format("{} failed: {}", command.program,
                    result.errors.empty() ? "no reason given" : first_line(result.errors))};
  }
  return std::move(result.output);
}

}  // namespace heddle
