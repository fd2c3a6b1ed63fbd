// SPDX-License-Identifier: Apache-2.0
#include "runtime/emulator/source_lines.hpp"

#include <cstdlib>
#include <sstream>

#include "runtime/load/subprocess.hpp"

namespace heddle::emulator {
namespace {

std::string hexadecimal(std::uint32_t value) {
  std::ostringstream text;
  text << "0x" << std::hex << value;
  return text.str();
}

bool starts_with(const std::string& text, const std::string& prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

// "kernel.cu:12 (discriminator 3)" -> "kernel.cu:12"
std::string without_remark(const std::string& line) { return line.substr(0, line.find(' ')); }

bool belongs_to_the_emulator(const std::string& place) {
  return starts_with(place, "emulated_device.hpp:") || starts_with(place, "hooks.cpp:");
}

}  // namespace

void SourceLines::prepare(const std::vector<std::uint32_t>& sites) {
  std::vector<std::string> command = {"addr2line", "-a", "-i", "-s", "-e", module_.string()};
  for (const std::uint32_t site : sites) {
    // Every asked site gets an entry, so that a missing tool is not asked again and again.
    if (site != 0 && chains_.emplace(site, std::vector<std::string>{}).second) {
      command.push_back(hexadecimal(site));
    }
  }
  if (command.size() == 6) return;
  const auto output = run_process(command);
  if (!output || output->exit_code != 0) return;
  std::istringstream lines(output->out);
  std::vector<std::string>* chain = nullptr;
  for (std::string line; std::getline(lines, line);) {
    if (starts_with(line, "0x")) {
      chain = &chains_[static_cast<std::uint32_t>(std::stoul(line, nullptr, 16))];
    } else if (chain != nullptr && !starts_with(line, "??")) {
      chain->push_back(without_remark(line));
    }
  }
}

const std::vector<std::string>& SourceLines::chain(std::uint32_t site) {
  prepare({site});
  return chains_[site];
}

std::string SourceLines::where(std::uint32_t site) {
  std::string helper;
  for (const std::string& place : chain(site)) {
    if (belongs_to_the_emulator(place)) continue;
    if (starts_with(place, text_ + ":")) {
      return helper.empty() ? place : place + " (" + helper + ")";
    }
    if (helper.empty()) helper = place;
  }
  return helper;  // a helper that was not inlined
}

int SourceLines::own_line(std::uint32_t site) {
  for (const std::string& place : chain(site)) {
    if (starts_with(place, text_ + ":")) return std::atoi(place.c_str() + text_.size() + 1);
  }
  return 0;
}

}  // namespace heddle::emulator
