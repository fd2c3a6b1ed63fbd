// SPDX-License-Identifier: Apache-2.0
#include "cli/command.hpp"

#include <CLI/CLI.hpp>
#include <utility>

namespace heddle {

CommandOption& CommandOption::called(const std::string& value_name) {
  option_->type_name(value_name);
  return *this;
}
CommandOption& CommandOption::required() {
  option_->required();
  return *this;
}
CommandOption& CommandOption::with_default() {
  option_->capture_default_str();
  return *this;
}
CommandOption& CommandOption::one_of(std::vector<std::string> words) {
  option_->check(CLI::IsMember(std::move(words)));
  return *this;
}
CommandOption& CommandOption::between(std::int64_t low, std::int64_t high) {
  option_->check(CLI::Range(low, high));
  return *this;
}
CommandOption& CommandOption::non_negative() {
  option_->check(CLI::NonNegativeNumber);
  return *this;
}
CommandOption& CommandOption::positive() {
  option_->check(CLI::PositiveNumber);
  return *this;
}
CommandOption& CommandOption::by_commas() {
  option_->delimiter(',');
  return *this;
}
CommandOption& CommandOption::once_each() {
  option_->allow_extra_args(false);
  return *this;
}

Command::Command(CLI::App& app, const std::string& name, const std::string& help)
    : app_(app.add_subcommand(name, help)) {}

CommandOption Command::option(const std::string& names, std::string& target,
                              const std::string& help) {
  return CommandOption(app_->add_option(names, target, help));
}
CommandOption Command::option(const std::string& names, int& target, const std::string& help) {
  return CommandOption(app_->add_option(names, target, help));
}
CommandOption Command::option(const std::string& names, std::int64_t& target,
                              const std::string& help) {
  return CommandOption(app_->add_option(names, target, help));
}
CommandOption Command::option(const std::string& names, std::vector<std::string>& target,
                              const std::string& help) {
  return CommandOption(app_->add_option(names, target, help));
}
CommandOption Command::option(const std::string& names, std::vector<std::int64_t>& target,
                              const std::string& help) {
  return CommandOption(app_->add_option(names, target, help));
}

void Command::flag(const std::string& names, bool& target, const std::string& help) {
  app_->add_flag(names, target, help);
}
void Command::when_called(std::function<void()> action) { app_->callback(std::move(action)); }

}  // namespace heddle
