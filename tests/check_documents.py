#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds docs/theorems.md and docs/unsoundness.md to the code: each rule string of the prover has a
row, each row a rule that exists, each theorem and each test that they name is there. Holds the prover
to the laws that a certificate may name: each rule that it names is one, and each law is a rule of its.
Run from anywhere; prints every violation."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Where rules are named, and the ways in which the code names one.
RULE_FILES = ["analyzer/proof", "analyzer/rules", "analyzer/measures/congestion.cpp", "analyzer/measures/rank.cpp"]
NAMES_A_RULE = re.compile(
    r"rules_?\.(?:insert|push_back)\(|\baccepted\(|\beverything_shape\(|\bnested_shape\(|"
    r"\b(?:lower_rule|rule)\s*=[^=]|\bresult\.(?:lower|upper)\s*=[^=]")
# Strings that are rules wherever they stand: returned by a function, or held in a constant.
LOOKS_LIKE_A_RULE = re.compile(
    r"^(?:row size|live set|hops|depth|reaches|congestion|rank|vacuous|capacity law|translation law|"
    r"greedy|semigroup): .|^(?:there are )?no more (?:columns|rows|positions)\b")
FILLED_IN = re.compile(r"^\s*\+(?:[^?:,]|::)*\+\s*$")
NO_RULE = re.compile(r"no rule|without a rule")

LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
CODE = re.compile(r"`([^`]+)`")


def rules_of(text):
    """The strings that name rules in C++ text."""
    text = re.sub(r"^\s*//[^\n]*", "", text, flags=re.MULTILINE)
    text = re.sub(r'"\s*\n\s*"', "", text)
    strings = []

    def put_aside(match):
        strings.append(match.group(1))
        return f"\0{len(strings) - 1}\0"

    for statement in LITERAL.sub(put_aside, text).split(";"):
        place = NAMES_A_RULE.search(statement)
        pieces = []  # (where it starts, what it says), with "..." for what is filled in
        last = 0
        for match in re.finditer("\0(\\d+)\0", statement):
            string = strings[int(match.group(1))]
            if pieces and FILLED_IN.match(statement[last : match.start()]):
                pieces[-1] = (pieces[-1][0], pieces[-1][1] + "..." + string)
            else:
                pieces.append((match.start(), string))
            last = match.end()
        for start, string in pieces:
            named = place and start > place.start() and re.search("[a-z]{2}", string)
            if (named or LOOKS_LIKE_A_RULE.match(string)) and not NO_RULE.search(string):
                yield string.strip(" :;")


def rows_of(document):
    """The cells of each table row."""
    for line in (ROOT / document).read_text(encoding="utf-8").splitlines():
        if line.startswith("|") and not re.match(r"^\|[\s:|-]+$", line):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def theorem_violations():
    theorems = {
        f"{path.stem}.{name}"
        for path in (ROOT / "analyzer/theorems").glob("*.v")
        for name in re.findall(r"^(?:Theorem|Lemma|Corollary) (\w+)", path.read_text(), re.MULTILINE)
    }
    sources = [source for place in RULE_FILES for source in
               (sorted((ROOT / place).glob("*.cpp")) if (ROOT / place).is_dir() else [ROOT / place])]
    in_code = {rule: source for source in sources for rule in rules_of(source.read_text())}
    in_table = set()
    for cells in rows_of("docs/theorems.md"):
        if cells[0].startswith("`"):
            in_table.add(cells[0].strip("` "))
        for name in CODE.findall(cells[-1]):
            if name not in theorems:
                yield f"docs/theorems.md names {name}, which is not a theorem of analyzer/theorems"
    for rule in sorted(set(in_code) - in_table):
        yield (f"docs/theorems.md has no row for the rule `{rule}` of "
               f"{in_code[rule].relative_to(ROOT)}: name its theorem, or say \"not yet\"")
    for rule in sorted(in_table - set(in_code)):
        yield f"docs/theorems.md has a row for `{rule}`, which no rule is called"


def law_violations():
    """What analyzer/proof names and analyzer/certificate/theorems.cpp does not hold, and back."""
    place = "analyzer/certificate/theorems.cpp"
    text = re.sub(r'"\s*\n\s*"', "", (ROOT / place).read_text())
    laws = re.findall(r'^ *\{"((?:[^"\\]|\\.)*)",', text, re.MULTILINE)

    def plain(rule):  # what is filled in does not tell rules apart, nor does what stands at the end
        return re.sub(r"\{\d?\}|\.\.\.", "{}", rule).removesuffix("{}").strip()

    named = {plain(rule): rule for source in sorted((ROOT / "analyzer/proof").glob("*.cpp"))
             for rule in rules_of(source.read_text())}
    for rule in sorted(set(named) - set(map(plain, laws))):
        yield f"{place} has no law for the rule `{named[rule]}` of the prover"
    for law in laws:
        if plain(law) not in named:
            yield f"{place} holds `{law}`, which the prover never names"


def tests_there():
    """ctest entry -> the names of the cases within it."""
    tests = {}

    def add(name, folder, files):
        cases = tests.setdefault(name, set())
        for file in files:
            path = folder / file
            text = path.read_text() if path.suffix in {".cpp", ".py"} and path.exists() else ""
            cases |= set(re.findall(r'TEST_CASE\("([^"]*)"', text))
            cases |= set(re.findall(r"def (test_\w+)", text))

    for path in (ROOT / "tests").rglob("CMakeLists.txt"):
        text = path.read_text()
        for loop in re.finditer(r"foreach\((\w+) IN ITEMS\s+([^)]*)\)(.*?)endforeach", text, re.DOTALL):
            variable, items, body = loop.groups()
            text += "".join(body.replace("${%s}" % variable, item) for item in items.split())
        for name, rest in re.findall(r"heddle_test\(([\w$]+)\s+(?:QUICK\s+)?SOURCES([^)]*)\)", text):
            add(name, path.parent, rest.split("LIBRARIES")[0].split())
        for name, rest in re.findall(r"add_test\(NAME (\w+)(.*?)\)\n", text, re.DOTALL):
            add(name, path.parent, re.findall(r"CMAKE_CURRENT_SOURCE_DIR\}/(\S+\.py)", rest))
    return tests


def unsoundness_violations():
    tests = tests_there()
    for cells in rows_of("docs/unsoundness.md"):
        names = CODE.findall(cells[-1])
        if not names and cells[-1] not in ("test", "none"):
            yield f"docs/unsoundness.md: the row \"{cells[0]}\" names no test"
        for name in names:
            test, _, case = name.partition(": ")
            if test not in tests:
                yield f"docs/unsoundness.md names {test}, which is not a test"
            elif case and case not in tests[test]:
                yield f"docs/unsoundness.md names {name}, but {test} has no such case"


def main():
    found = [*theorem_violations(), *law_violations(), *unsoundness_violations()]
    print("\n".join(found) if found else "documents: every rule, law, theorem and test they name is there")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
