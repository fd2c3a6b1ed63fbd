// SPDX-License-Identifier: Apache-2.0
// Broken pattern files: the right code at the right place, several per run, and no input whatever
// makes the reader crash or hang.
#include <random>
#include <set>

#include "patterns/builtin_patterns.hpp"
#include "tests/unit/patterns/support.hpp"

using namespace heddle;

namespace {

Diagnostics read(const std::string& text, const std::map<std::string, Integer>& parameters = {}) {
  const Source source{"bad.heddle", text};
  Diagnostics diagnostics;
  auto parsed = parse(source, diagnostics);
  if (diagnostics.has_errors()) return diagnostics;
  for (PatternSyntax& syntax : parsed) resolve(std::move(syntax), parameters, diagnostics);
  return diagnostics;
}

std::string with_b(const std::string& b) {
  return "pattern p(w = 4) {\n  f(k) = k^2 + 1\n  A = diagonal\n  B = " + b + "\n}\n";
}
std::string with_line(const std::string& line) {
  return "pattern p(w = 4) {\n  A = diagonal\n  B = none\n  " + line + "\n}\n";
}

struct Case {
  const char* code;
  std::string text;
  std::size_t line;
  std::size_t column;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = {
      {"E001", with_b("window(4) @ window(5)"), 4, 17},
      {"E001", with_b("{ i \xE2\x88\x92 1 }"), 4, 11},
      {"E002", with_b("{ i - 2k : k in 1..2 }"), 4, 13},
      {"E003", with_b("{ i - }"), 4, 13},
      {"E003", with_b("window(4"), 5, 1},
      {"E003", "hello", 1, 1},
      {"E003", "pattern p { A = diagonal; B = none", 1, 9},
      {"E004", with_b(std::string(20000, '(') + std::string(20000, ')')), 4, 208},
      {"E004", with_b("{ " + std::string(20000, '-') + "i }"), 4, 210},
      {"E005",
       with_b("{ i" +
              [] {
                std::string s;
                for (int k = 0; k < 3000; ++k) s += " - 1";
                return s;
              }() +
              " }"),
       4, 0},
      {"E005",
       [] {
         std::string s = "pattern p {";
         for (int k = 0; k < 101; ++k) s += "g" + std::to_string(k) + "(k) = k;";
         return s + " A = none; B = none }";
       }(),
       1, 0},
      {"E006", with_b("{ i / 2 }"), 4, 11},
      {"E006", with_b("{ floor(i) }"), 4, 16},
      {"E006", with_b("{ floor(i + 1 / 2) }"), 4, 17},
      {"E007", with_b("windows(4)"), 4, 7},
      {"E007", with_b("{ }"), 4, 9},
      {"E007", with_b("offsets(f(k))"), 4, 16},
      {"E007", with_b("offsets(1, 3)"), 4, 15},
      {"E008", "pattern p { A = none; B = none }\npattern p { A = none; B = none }", 2, 9},
      {"E009", "# nothing\n", 2, 1},
      {"E009", "", 1, 1},
      {"E010", with_line("C = diagonal"), 4, 3},
      {"E011", with_line("weights hard"), 4, 11},
      {"E012", with_line("claim time(i) < 4"), 4, 17},
      {"E013", with_line("claim time(i) in O(exp n)"), 4, 22},
      {"E013", with_line("claim time(i) in omega(n)"), 4, 20},
      {"E013", with_line("claim time(i) in O(n^9)"), 4, 24},
      {"E013", with_line("claim time(i) in O(n * )"), 4, 26},
      {"E013", with_line("claim time(i) in O(log n^2)"), 4, 27},
      {"E020", with_b("{ i - q }"), 4, 13},
      {"E021", with_b("offsets(g)"), 4, 7},
      {"E022", "pattern p { A = none; A = none; B = none }", 1, 23},
      {"E023", "pattern p { A = none }", 1, 9},
      {"E024", "pattern p { min(k) = k; A = none; B = none }", 1, 13},
      {"E025", "pattern p { f(0) = 1; f(k+2) = f(k+1); A = none; B = none }", 1, 23},
      {"E025", "pattern p { f(0) = 1; f(k+1) = f(k+1); A = none; B = none }", 1, 32},
      {"E026", "pattern p { f(k) = g(k); g(k) = f(k); A = none; B = none }", 1, 13},
      {"E027", with_b("{ i - k : k >= 1 }"), 4, 17},
      {"E027", with_b("{ i - k : k >= 1, k mod 3 < i }"), 4, 17},
      {"E028", with_b("{ time(i) }"), 4, 9},
      {"E029", "pattern p { A = none; B = none }", 1, 9},
      {"E031", with_b("{ min(i) }"), 4, 9},
      {"E032", with_b("window(i)"), 4, 14},
      {"E032", with_b("window(w - 9)"), 4, 14},
  };
  return kCases;
}

}  // namespace

TEST_CASE("each mistake is reported with its code where it stands") {
  for (const Case& wrong : cases()) {
    const Source source{"bad.heddle", wrong.text};
    const bool overrides = std::string(wrong.code) == "E029";
    const Diagnostics diagnostics = overrides ? read(wrong.text, {{"w", 3}}) : read(wrong.text);
    INFO(wrong.code << "\n" << render(diagnostics, source));
    REQUIRE(diagnostics.has_errors());
    const Diagnostic& first = diagnostics.list().front();
    CHECK(first.code == wrong.code);
    const Place place = source.place_of(first.span.begin);
    CHECK(place.line == wrong.line);
    if (wrong.column != 0) CHECK(place.column == wrong.column);
  }
}

TEST_CASE("every code that a pattern file alone can cause has a case here") {
  std::set<std::string> provoked;
  for (const Case& wrong : cases()) provoked.insert(wrong.code);
  for (const DiagnosticCode& code : diagnostic_codes()) {
    if (code.code < "E040") CHECK(provoked.contains(std::string(code.code)));
  }
}

TEST_CASE("several mistakes are found in one run") {
  const Diagnostics diagnostics = read(
      "pattern p {\n  A = diagnal\n  f(k) = (k + \n  B = window(4 | 5)\n  claim time(i) < 3\n}\n"
      "pattern q { A = none\n B = offsets(\n}\n");
  std::vector<std::string> codes;
  for (const Diagnostic& d : diagnostics.list()) codes.push_back(d.code);
  REQUIRE(codes == std::vector<std::string>{"E007", "E003", "E003", "E012", "E003"});
}

TEST_CASE("the caret stands under the mistake") {
  const std::string text = with_b("window(4) @@ none");
  REQUIRE(render(read(text), Source{"bad.heddle", text})
              .starts_with(
                  "bad.heddle:4:17: error[E001]: these characters have no meaning here\n"
                  " 4 |   B = window(4) @@ none\n"
                  "   |                 ^^\n"
                  "   = note: a pattern file is ASCII text; names are letters, digits and `_`\n"));
}

TEST_CASE("random bytes and damaged patterns never crash the reader") {
  std::mt19937_64 random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    if (round % 4 == 0) {
      for (std::size_t size = random() % 200; size > 0; --size) text += static_cast<char>(random());
    } else {
      text = builtin_patterns()[random() % builtin_patterns().size()].text;
      for (std::size_t edits = 1 + random() % 6; edits > 0 && !text.empty(); --edits) {
        const std::size_t at = random() % text.size();
        switch (random() % 4) {
          case 0:
            text.erase(at, 1 + random() % 4);
            break;
          case 1:
            text.insert(at, 1, "(){}|&-+*/^=<>,:;.ik01fAB \n"[random() % 27]);
            break;
          case 2:
            text[at] = static_cast<char>(random());
            break;
          default:
            text.insert(at, text.substr(random() % text.size(), random() % 20));
            break;
        }
      }
    }
    const Source source{"noise.heddle", text};
    Diagnostics diagnostics;
    auto parsed = parse(source, diagnostics);
    if (!diagnostics.has_errors()) {
      for (PatternSyntax& syntax : parsed) {
        Diagnostics problems;
        const auto pattern = resolve(std::move(syntax), {}, problems);
        if (pattern) (void)materialize(*pattern, 12);
      }
    }
    REQUIRE(render(diagnostics, source).size() < 100000);
  }
}
