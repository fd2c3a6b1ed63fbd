// SPDX-License-Identifier: Apache-2.0
// A strict, independent check that a text is well-formed XML of the plain kind we write: balanced
// elements, quoted and unique attributes, known entities, no stray '<' or '&'.
#pragma once

#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace heddle::test {

class XmlCheck {
 public:
  // Empty when well-formed, else what is wrong and near which byte.
  static std::string problem_in(std::string_view text) { return XmlCheck(text).run(); }

 private:
  explicit XmlCheck(std::string_view text) : text_(text) {}

  std::string run() {
    if (starts("<!DOCTYPE html>")) at_ += 15;
    std::size_t roots = 0;
    while (at_ < text_.size()) {
      if (text_[at_] != '<') {
        if (open_.empty() && !std::isspace(static_cast<unsigned char>(text_[at_]))) {
          return problem("text outside the root");
        }
        // Legal in text, but with us a sign of a broken tag except in a style sheet.
        if (text_[at_] == '>' && open_.back() != "style") return problem("stray >");
        if (text_[at_] == '&' && !entity()) return problem("unknown entity");
        ++at_;
        continue;
      }
      if (starts("</")) {
        at_ += 2;
        const std::string name = word();
        if (open_.empty() || open_.back() != name) return problem("unbalanced </" + name);
        open_.pop_back();
        if (at_ >= text_.size() || text_[at_++] != '>') return problem("malformed end tag");
        continue;
      }
      ++at_;
      if (open_.empty() && ++roots > 1) return problem("second root");
      if (std::string wrong = start_tag(); !wrong.empty()) return wrong;
    }
    if (!open_.empty()) return problem("unclosed " + open_.back());
    return roots == 1 ? "" : "no root";
  }

  std::string start_tag() {
    const std::string name = word();
    if (name.empty()) return problem("stray <");
    std::set<std::string> seen;
    while (at_ < text_.size()) {
      while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
      if (starts("/>")) {
        at_ += 2;
        return "";
      }
      if (starts(">")) {
        ++at_;
        open_.push_back(name);
        return "";
      }
      const std::string key = word();
      if (key.empty() || !starts("=\"")) return problem("malformed attribute of " + name);
      if (!seen.insert(key).second) return problem("repeated attribute " + key);
      for (at_ += 2; at_ < text_.size() && text_[at_] != '"'; ++at_) {
        if (text_[at_] == '<') return problem("< in an attribute");
        if (text_[at_] == '&' && !entity()) return problem("unknown entity in an attribute");
      }
      ++at_;
    }
    return problem("unfinished tag " + name);
  }

  bool starts(std::string_view what) const {
    return text_.substr(at_).substr(0, what.size()) == what;
  }
  bool entity() const {
    return starts("&amp;") || starts("&lt;") || starts("&gt;") || starts("&quot;") ||
           starts("&#39;");
  }
  std::string word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) ||
                                  text_[at_] == '-' || text_[at_] == ':' || text_[at_] == '_')) {
      ++at_;
    }
    return std::string(text_.substr(begin, at_ - begin));
  }
  std::string problem(const std::string& what) const {
    return what + " near byte " + std::to_string(at_) + ": " +
           std::string(text_.substr(at_ > 40 ? at_ - 40 : 0, 80));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::string> open_;
};

}  // namespace heddle::test
