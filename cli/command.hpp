// SPDX-License-Identifier: Apache-2.0
// A command and its options. Stands between the commands and CLI11, whose header takes longer to
// compile than all else in a command's file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace heddle {

// What is said of an option after its name, target and help.
class CommandOption {
 public:
  explicit CommandOption(CLI::Option* option) : option_(option) {}
  CommandOption& called(const std::string& value_name);  // in the help: -o FILE
  CommandOption& required();
  CommandOption& with_default();  // the help shows what the target holds now
  CommandOption& one_of(std::vector<std::string> words);
  CommandOption& between(std::int64_t low, std::int64_t high);
  CommandOption& non_negative();
  CommandOption& positive();
  CommandOption& by_commas();  // a,b,c is three values
  CommandOption& once_each();  // what follows a value is not one more value

 private:
  CLI::Option* option_;
};

class Command {
 public:
  Command(CLI::App& app, const std::string& name, const std::string& help);

  // `names` as "-o,--output", or "PATTERN" for a positional argument. The targets must live until
  // the command line has been read.
  CommandOption option(const std::string& names, std::string& target, const std::string& help);
  CommandOption option(const std::string& names, int& target, const std::string& help);
  CommandOption option(const std::string& names, std::int64_t& target, const std::string& help);
  CommandOption option(const std::string& names, std::vector<std::string>& target,
                       const std::string& help);
  CommandOption option(const std::string& names, std::vector<std::int64_t>& target,
                       const std::string& help);
  // "--yes,!--no" for a flag that can be taken back
  void flag(const std::string& names, bool& target, const std::string& help);
  void when_called(std::function<void()> action);

 private:
  CLI::App* app_;
};

}  // namespace heddle
