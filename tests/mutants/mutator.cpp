// SPDX-License-Identifier: Apache-2.0
#include "tests/mutants/mutator.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>

namespace heddle::mutants {
namespace {

struct Token {
  std::string text;
  std::size_t column = 0;  // in its line
};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_name(const Token& token) {
  return is_word(token.text[0]) && std::isdigit(static_cast<unsigned char>(token.text[0])) == 0;
}
bool is_number(const Token& token) {
  return std::isdigit(static_cast<unsigned char>(token.text[0])) != 0;
}
bool is_real_number(const Token& token) {
  return is_number(token) && token.text.find('.') != std::string::npos;
}
bool is_whole_number(const Token& token) {
  return is_number(token) && std::all_of(token.text.begin(), token.text.end(),
                                         [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<Token> tokens_of(const std::string& line) {
  static const std::array<const char*, 16> kOperators = {
      "<<=", ">>=", "<=", ">=", "==", "!=", "&&", "||",
      "+=",  "-=",  "*=", "/=", "++", "--", "::", "->"};
  std::vector<Token> tokens;
  for (std::size_t at = 0; at < line.size();) {
    if (line.compare(at, 2, "//") == 0) break;
    if (std::isspace(static_cast<unsigned char>(line[at])) != 0) {
      ++at;
      continue;
    }
    std::size_t end = at + 1;
    if (std::isdigit(static_cast<unsigned char>(line[at])) != 0) {
      while (end < line.size() && (is_word(line[end]) || line[end] == '.' ||
                                   ((line[end] == '+' || line[end] == '-') &&
                                    (line[end - 1] == 'e' || line[end - 1] == 'E')))) {
        ++end;
      }
    } else if (is_word(line[at])) {
      while (end < line.size() && is_word(line[end])) ++end;
    } else {
      for (const char* op : kOperators) {
        const std::string text = op;
        if (line.compare(at, text.size(), text) == 0) {
          end = at + text.size();
          break;
        }
      }
    }
    tokens.push_back({line.substr(at, end - at), at});
    at = end;
  }
  return tokens;
}

std::string trimmed(const std::string& line) {
  const std::size_t begin = line.find_first_not_of(" \t");
  if (begin == std::string::npos) return "";
  return line.substr(begin, line.find_last_not_of(" \t") - begin + 1);
}

bool starts_with(const std::string& text, const std::string& prefix) {
  return text.rfind(prefix, 0) == 0;
}

class Mutator {
 public:
  explicit Mutator(const std::string& text) {
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines_.push_back(line);
    while (body_ < lines_.size() && lines_[body_].find(") {") == std::string::npos) ++body_;
    ++body_;
    find_names();
  }

  std::vector<Mutant> all() {
    for (line_ = body_; line_ + 1 < lines_.size(); ++line_) {
      tokens_ = tokens_of(lines_[line_]);
      if (tokens_.empty() || tokens_[0].text == "#") continue;
      real_ = is_real_line();
      whole_line();
      for (at_ = 0; at_ < tokens_.size(); ++at_) one_token();
    }
    return std::move(mutants_);
  }

 private:
  // Names by the kind of what they hold, from their declarations, so that one is swapped for
  // another of its kind.
  void find_names() {
    for (std::size_t l = 0; l < lines_.size(); ++l) {
      const std::vector<Token> tokens = tokens_of(lines_[l]);
      for (std::size_t t = 0; t + 1 < tokens.size(); ++t) {
        const std::string& type = tokens[t].text;
        const bool pointer = tokens[t + 1].text == "*";
        std::size_t name = t + 1;
        while (name < tokens.size() && (tokens[name].text == "*" || tokens[name].text == "const" ||
                                        tokens[name].text == "__restrict__")) {
          ++name;
        }
        if (name >= tokens.size() || !is_name(tokens[name])) continue;
        const Declared declared{static_cast<int>(l), indentation(lines_[l], tokens)};
        if (pointer && (type == "float" || type == "bf16" || type == "f16")) {
          pointers_.emplace(tokens[name].text, declared);
        } else if (!pointer && type == "float") {
          reals_.emplace(tokens[name].text, declared);
        } else if (!pointer && type == "Index") {
          indices_.emplace(tokens[name].text, declared);
        }
      }
    }
  }

  // A loop's variable belongs to the lines inside.
  static std::size_t indentation(const std::string& line, const std::vector<Token>& tokens) {
    return tokens[0].column + (line.find("for (") != std::string::npos ? 1 : 0);
  }

  bool is_real_line() const {
    return std::any_of(tokens_.begin(), tokens_.end(), [&](const Token& token) {
      return reals_.count(token.text) != 0 || is_real_number(token) || token.text == "expf" ||
             token.text == "__expf";
    });
  }

  void add(const std::string& rule, Danger danger, const std::string& line) {
    if (line == lines_[line_]) return;
    add_lines(rule, danger, {line});
  }
  // The line becomes these; the next `more` lines go with it.
  void add_lines(const std::string& rule, Danger danger, const std::vector<std::string>& become,
                 std::size_t more = 0) {
    Mutant mutant;
    mutant.rule = rule;
    mutant.danger = danger;
    mutant.line = static_cast<int>(line_) + 1;
    mutant.before = trimmed(lines_[line_]);
    for (const std::string& line : become) {
      mutant.after += (mutant.after.empty() ? "" : " / ") + trimmed(line);
    }
    for (std::size_t l = 0; l < lines_.size(); ++l) {
      if (l == line_) {
        for (const std::string& line : become) mutant.text += line + "\n";
      } else if (l < line_ || l > line_ + more) {
        mutant.text += lines_[l] + "\n";
      }
    }
    mutants_.push_back(std::move(mutant));
  }
  void replace(const std::string& rule, Danger danger, const std::string& with) {
    replace_tokens(rule, danger, 1, with);
  }
  // The next `count` tokens become `with`.
  void replace_tokens(const std::string& rule, Danger danger, std::size_t count,
                      const std::string& with) {
    const std::string& line = lines_[line_];
    const Token& last = tokens_[at_ + count - 1];
    add(rule, danger,
        line.substr(0, tokens_[at_].column) + with + line.substr(last.column + last.text.size()));
  }

  Danger danger_here() const { return real_ ? Danger::kValue : Danger::kMemory; }

  // The barrier moves to the front of the block that ends before it, inside its last statement's
  // loop or branch if it has one.
  void hurry(std::size_t brace) {
    const std::string indent = lines_[brace].substr(0, lines_[brace].find('}'));
    std::size_t open = brace;
    while (open > body_ && !(starts_with(lines_[open], indent) && lines_[open].back() == '{' &&
                             lines_[open].find_first_not_of(' ') == indent.size())) {
      --open;
    }
    if (open <= body_) return;
    Mutant mutant;
    mutant.rule = "hurry_barrier";
    mutant.line = static_cast<int>(line_) + 1;
    mutant.before = trimmed(lines_[line_]);
    mutant.after = "before " + trimmed(lines_[open]);
    for (std::size_t l = 0; l < lines_.size(); ++l) {
      if (l == open) mutant.text += lines_[line_] + "\n";
      if (l != line_) mutant.text += lines_[l] + "\n";
    }
    mutants_.push_back(std::move(mutant));
  }

  // A statement of one line that declares nothing.
  bool is_plain_statement() const {
    static const std::set<std::string> kNo = {"const", "Index", "float", "bool",   "int",
                                              "for",   "if",    "while", "return", "__shared__",
                                              "}",     "bf16",  "f16",   "std"};
    return tokens_.back().text == ";" && kNo.count(tokens_[0].text) == 0;
  }

  void whole_line() {
    const std::string& line = lines_[line_];
    const std::string text = trimmed(line);
    if (text == "__syncthreads();") {
      add_lines("drop_barrier", Danger::kMemory, {});
      std::size_t next = line_ + 1;  // the next statement, past comments
      while (starts_with(trimmed(lines_[next]), "//")) ++next;
      if (trimmed(lines_[next]) != "}" && trimmed(lines_[next]).back() == ';') {
        add_lines("delay_barrier", Danger::kMemory, {lines_[next], line}, next - line_);
      }
      std::size_t last = line_ - 1;
      while (starts_with(trimmed(lines_[last]), "//")) --last;
      if (trimmed(lines_[last]) == "}") hurry(last);
      add_lines("diverging_barrier", Danger::kMemory, {"if (threadIdx.x < 32) __syncthreads();"});
      return;
    }
    if (is_plain_statement()) {
      add_lines("drop_statement", danger_here(), {});
      if (text.find('=') != std::string::npos) {
        add_lines("repeat_statement", danger_here(), {line, line});
      }
    }
    if (tokens_[0].text == "if" && tokens_.back().text == "{") {
      const std::string inside = condition();
      const std::string indent = line.substr(0, tokens_[0].column);
      add("guard_always", Danger::kMemory, indent + "if (true) {");
      add("guard_negated", Danger::kMemory, indent + "if (!(" + inside + ")) {");
    }
  }
  std::string condition() const {
    const std::string& line = lines_[line_];
    const std::size_t open = line.find('('), close = line.rfind(')');
    return line.substr(open + 1, close - open - 1);
  }

  void one_token() {
    const Token& token = tokens_[at_];
    const std::string& text = token.text;
    // `Index r = warp` declares r, `r[` indexes r: what follows decides what may stand here.
    const std::string next = at_ + 1 < tokens_.size() ? tokens_[at_ + 1].text : "";
    const std::string last = at_ > 0 ? tokens_[at_ - 1].text : "";
    comparison(text);
    if (text == "+" || text == "-") replace("swap_sign", danger_here(), text == "+" ? "-" : "+");
    if (text == "*" && !is_type(last)) replace("product_to_sum", danger_here(), "+");
    if (text == "/" || text == "%") {
      replace("division_to_remainder", Danger::kMemory, text == "/" && !real_ ? "%" : "/");
    }
    if (text == "&&" || text == "||") {
      replace("and_to_or", Danger::kMemory, text == "&&" ? "||" : "&&");
    }
    if (text == "+=" || text == "-=" || text == "*=") {
      replace("accumulate_to_assign", danger_here(), "=");
      if (text == "+=") replace("add_to_subtract", danger_here(), "-=");
    }
    if (is_whole_number(token)) {
      const long value = std::strtol(text.c_str(), nullptr, 10);
      const char* rule = last == "%"   ? "wrong_modulus"
                         : last == "[" ? "wrong_extent"
                                       : "off_by_one_constant";
      replace(rule, Danger::kMemory, std::to_string(value + 1));
      if (value > 0) replace(rule, Danger::kMemory, std::to_string(value - 1));
    }
    if (is_real_number(token)) {
      replace("wrong_real_constant", Danger::kValue, text == "0.0f" ? "1.0f" : "2.0f * " + text);
    }
    if (text == "[" && next != "]" && !is_declaration(at_)) {
      const std::size_t close = matching(at_);
      if (close != 0) {
        const std::string inner = between(at_, close);
        replace_tokens("index_off_by_one", Danger::kMemory, close - at_ + 1, "[" + inner + " + 1]");
        replace_tokens("index_off_by_one", Danger::kMemory, close - at_ + 1, "[" + inner + " - 1]");
      }
    }
    if (text == "lane" && next != "=") replace("reversed_lanes", Danger::kMemory, "(31 - lane)");
    if (text == "thread" && next != "=") {
      replace("reversed_threads", Danger::kMemory, "(blockDim.x - 1 - thread)");
    }
    if (text == "?" && at_ > 0) ternary();
    if (next == "*" && at_ + 2 < tokens_.size() && reals_.count(text) != 0) {
      replace_tokens("drop_factor", Danger::kValue, 2, "");
    }
    names(text, last, next);
  }

  void comparison(const std::string& text) {
    static const std::map<std::string, std::pair<const char*, const char*>> kOthers = {
        {"<", {"<=", ">"}},  {"<=", {"<", ">="}},  {">", {">=", "<"}},
        {">=", {">", "<="}}, {"==", {"!=", "<="}}, {"!=", {"==", "<"}}};
    const auto found = kOthers.find(text);
    if (found == kOthers.end()) return;
    if (text == "<" && at_ > 0 &&
        (tokens_[at_ - 1].text == "static_cast" ||
         starts_with(tokens_[at_ - 1].text, "SoftmaxRow"))) {
      return;
    }
    if (text == ">" && at_ > 1 && tokens_[at_ - 2].text == "<") return;  // of a template
    replace(text == "<" ? "less_to_less_equal" : "loosened_comparison", danger_here(),
            found->second.first);
    replace("turned_comparison", danger_here(), found->second.second);
  }

  // a ? b : c with single tokens or calls for b and c: the two change places.
  void ternary() {
    std::size_t colon = at_ + 1, depth = 0;
    for (; colon < tokens_.size(); ++colon) {
      const std::string& t = tokens_[colon].text;
      if (t == "(" || t == "[") ++depth;
      if (t == ")" || t == "]") {
        if (depth == 0) return;
        --depth;
      }
      if (t == ":" && depth == 0) break;
    }
    std::size_t end = colon + 1;
    for (depth = 0; end < tokens_.size(); ++end) {
      const std::string& t = tokens_[end].text;
      if (t == "(" || t == "[") ++depth;
      if (t == ")" || t == "]") {
        if (depth == 0) break;
        --depth;
      }
      if ((t == ";" || t == ",") && depth == 0) break;
    }
    if (colon >= tokens_.size() || end >= tokens_.size()) return;
    const std::string yes = between(at_, colon), no = between(colon, end);
    replace_tokens("swapped_choice", danger_here(), end - at_, "? " + no + " : " + yes);
  }

  void names(const std::string& text, const std::string& last, const std::string& next) {
    const bool declared = last == "Index" || last == "float" || last == "bool" || last == "const";
    if (declared) return;
    const auto neighbours = [&](const Names& family, const char* rule, Danger danger) {
      if (family.count(text) == 0 || last == ".") return;
      // Of the names in sight the next two by the alphabet: enough to confuse strides, scores and
      // sources.
      std::vector<std::string> sight;
      for (const auto& [name, place] : family) {
        if (place.line < static_cast<int>(line_) && place.indentation <= tokens_[0].column) {
          sight.push_back(name);
        }
      }
      const auto self = std::find(sight.begin(), sight.end(), text);
      if (self == sight.end()) return;
      std::rotate(sight.begin(), self, sight.end());
      for (std::size_t n = 1; n < std::min<std::size_t>(sight.size(), 3); ++n) {
        replace(rule, danger, sight[n]);
      }
    };
    if (next != "[") neighbours(indices_, "confused_index", Danger::kMemory);
    if (next != "[") neighbours(reals_, "confused_value", Danger::kValue);
    neighbours(pointers_, "confused_array", Danger::kValue);
  }

  static bool is_type(const std::string& text) {
    static const std::set<std::string> kTypes = {"float", "bf16", "f16", "int", "const", "T"};
    return kTypes.count(text) > 0;
  }
  bool is_declaration(std::size_t bracket) const {
    return bracket >= 2 && is_type(tokens_[bracket - 2].text);
  }
  std::size_t matching(std::size_t open) const {
    std::size_t depth = 0;
    for (std::size_t t = open; t < tokens_.size(); ++t) {
      if (tokens_[t].text == "[") ++depth;
      if (tokens_[t].text == "]" && --depth == 0) return t;
    }
    return 0;
  }
  // The text between two tokens, both left out.
  std::string between(std::size_t from, std::size_t to) const {
    const std::size_t begin = tokens_[from].column + tokens_[from].text.size();
    return trimmed(lines_[line_].substr(begin, tokens_[to].column - begin));
  }

  std::vector<std::string> lines_;
  std::size_t body_ = 0;  // the first line of the body
  struct Declared {
    int line = 0;
    std::size_t indentation = 0;
  };
  using Names = std::map<std::string, Declared>;
  Names indices_, reals_, pointers_;
  std::size_t line_ = 0;
  std::vector<Token> tokens_;
  bool real_ = false;
  std::size_t at_ = 0;
  std::vector<Mutant> mutants_;
};

}  // namespace

const char* name_of(Danger danger) { return danger == Danger::kMemory ? "memory" : "value"; }

std::vector<Mutant> mutants_of(const std::string& text) { return Mutator(text).all(); }

}  // namespace heddle::mutants
