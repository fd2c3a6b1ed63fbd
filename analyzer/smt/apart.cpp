// SPDX-License-Identifier: Apache-2.0
#include "analyzer/smt/apart.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

namespace heddle::smt {
namespace {

// A lock that another thread held when the process was copied is never given back in the copy. One
// that computes nothing for so long waits for such a lock.
constexpr int kSecondsStanding = 120;

// Behind the whole answer: half of one is none.
constexpr char kEnd = '\0';

std::optional<timespec> computed_by(pid_t process) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0) return {};
  return time;
}

[[noreturn]] void answer(int to, const std::function<std::string()>& work, int seconds) {
  const auto most = static_cast<rlim_t>(seconds);
  const rlimit limit{most, most};  // nothing can handle what ends it then
  if (setrlimit(RLIMIT_CPU, &limit) != 0) _exit(1);
  const std::string text = work() + kEnd;
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t written = write(to, text.data() + at, text.size() - at);
    if (written < 0 && errno != EINTR) _exit(1);
    if (written > 0) at += static_cast<std::size_t>(written);
  }
  _exit(0);
}

bool has_ended(pid_t process) {
  siginfo_t how{};
  return waitid(P_PID, static_cast<id_t>(process), &how, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         how.si_pid == process;
}

// All that is written until the answer ends, or the process does or stands still. Another copy of
// this process may hold the other end open for longer.
std::string heard(int from, pid_t process) {
  std::string text;
  std::optional<timespec> before = computed_by(process);
  for (int standing = 0; standing < kSecondsStanding;) {
    pollfd ready{from, POLLIN, 0};
    const int found = poll(&ready, 1, 1000);
    if (found < 0 && errno != EINTR) break;
    if (found <= 0) {
      if (has_ended(process)) break;
      const std::optional<timespec> now = computed_by(process);
      const bool moved =
          now && before && (now->tv_sec != before->tv_sec || now->tv_nsec != before->tv_nsec);
      standing = moved ? 0 : standing + 1;
      before = now;
      continue;
    }
    std::array<char, 4096> some{};
    const ssize_t read_now = read(from, some.data(), some.size());
    if (read_now < 0 && errno == EINTR) continue;
    if (read_now <= 0) break;
    text.append(some.data(), static_cast<std::size_t>(read_now));
    if (text.back() == kEnd) break;
  }
  return text;
}

}  // namespace

std::optional<std::string> run_apart(const std::function<std::string()>& work, int seconds) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  const pid_t process = fork();
  if (process == 0) {
    close(ends[0]);
    answer(ends[1], work, seconds);
  }
  close(ends[1]);
  std::string text;
  if (process > 0) {
    text = heard(ends[0], process);
    kill(process, SIGKILL);
    while (waitpid(process, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  close(ends[0]);
  if (text.empty() || text.back() != kEnd) return std::nullopt;
  text.pop_back();
  return text;
}

}  // namespace heddle::smt
