// SPDX-License-Identifier: Apache-2.0
// The walk over a row and the membership question, compiled and run, against the exact evaluator:
// for every built-in pattern, for every kind of leaf, and for random combinations of leaves.
#include <dlfcn.h>

#include <cstdlib>
#include <fstream>
#include <random>
#include <set>

#include "codegen/ir/print.hpp"
#include "codegen/ir/validate.hpp"
#include "codegen/prelude/prelude.hpp"
#include "codegen/rows/emit_row.hpp"
#include "codegen/rows/row_shape.hpp"
#include "patterns/builtin_patterns.hpp"
#include "tests/catch.hpp"
#include "tests/unit/codegen/kernel_harness.hpp"

namespace heddle::test {
namespace {

constexpr int kRows = 80;

// walk[row - 1][e] = the e-th position of the row, then 0; member[row - 1][p - 1] = whether p is in
// it.
ir::Kernel probe(const Pattern& pattern, const rows::RowPlan& plan, const std::string& symbol) {
  ir::Builder builder(symbol, ir::Target::kCpu, 1);
  const ir::MemoryId walk = builder.buffer("walk", ElementType::kI32, Access::kWrite, {});
  const ir::MemoryId member = builder.buffer("member", ElementType::kI32, Access::kWrite, {});
  const ir::Ex first = builder.where(ir::Place::kFirstBlock);
  builder.loop("i", first, builder.where(ir::Place::kLastBlock), [&](ir::Ex row) {
    const ir::Ex base = builder.let("base", (row - 1) * kRows);
    const ir::Var count = builder.variable("count", builder.i64(0));
    rows::emit_walk(builder, pattern, plan, row, [&](ir::Ex p) {
      builder.when(count < builder.i64(kRows), [&] {
        builder.store(walk, base + count, p);
        builder.assign(count, ir::Ex(count) + 1);
      });
    });
    builder.loop("rest", count, builder.i64(kRows),
                 [&](ir::Ex rest) { builder.store(walk, base + rest, builder.i64(0)); });
    builder.loop("p", builder.i64(1), builder.i64(kRows + 1), [&](ir::Ex p) {
      const ir::Var holds = builder.variable("holds", builder.i64(0));
      // Asked only for positions that a row may hold.
      builder.when(p <= (plan.side == Side::kA ? row : row - 1), [&] {
        const ir::Ex found = rows::emit_contains(builder, pattern, plan, row, p);
        builder.assign(holds, builder.select(found, builder.i64(1), builder.i64(0)));
      });
      builder.store(member, base + p - 1, holds);
    });
  });
  return builder.take();
}

class Probes {
 public:
  void add(Pattern pattern, Side side) {
    Result<rows::RowPlan> plan = rows::plan_row(pattern, side);
    INFO(pattern.canonical_text());
    INFO((plan ? "" : plan.error().message));
    REQUIRE(plan.ok());
    const ir::Kernel kernel = probe(pattern, *plan, "probe_" + std::to_string(entries_.size()));
    CHECK(ir::validate(kernel) == std::vector<std::string>{});
    text_ += ir::print(kernel);
    entries_.push_back({std::move(pattern), side});
  }

  void check() {
    char path[] = "/tmp/heddle-rows-test-XXXXXX";
    REQUIRE(mkdtemp(path) != nullptr);
    const std::string directory = path;
    std::ofstream(directory + "/cpu_prelude.hpp") << cpu_prelude();
    std::ofstream(directory + "/probe.cpp")
        << "#include \"cpu_prelude.hpp\"\nusing namespace heddle;\n"
        << text_;
    const std::string command =
        "cd " + directory + " && g++ -std=c++17 -O0 -ftrapv -shared -fPIC probe.cpp -o probe.so";
    REQUIRE(std::system(command.c_str()) == 0);
    void* library = dlopen((directory + "/probe.so").c_str(), RTLD_NOW | RTLD_LOCAL);
    REQUIRE(library != nullptr);
    for (std::size_t index = 0; index < entries_.size(); ++index) {
      using Call = void (*)(int*, int*, std::int32_t, std::int32_t);
      const Call call =
          reinterpret_cast<Call>(dlsym(library, ("probe_" + std::to_string(index)).c_str()));
      std::vector<int> walk(kRows * kRows, -1);
      std::vector<int> member(kRows * kRows, -1);
      call(walk.data(), member.data(), 1, kRows + 1);
      compare(entries_[index].pattern, entries_[index].side, walk, member);
    }
    dlclose(library);
    for (const char* file : {"/cpu_prelude.hpp", "/probe.cpp", "/probe.so", ""}) {
      std::remove((directory + file).c_str());
    }
  }

 private:
  struct Entry {
    Pattern pattern;
    Side side;
  };

  static void compare(const Pattern& pattern, Side side, const std::vector<int>& walk,
                      const std::vector<int>& member) {
    const Evaluator evaluator(pattern);
    INFO(pattern.canonical_text());
    INFO("side " << (side == Side::kA ? "A" : "B"));
    for (int row = 1; row <= kRows; ++row) {
      const IntervalList wanted = evaluator.row(side, row)->positions;
      std::vector<int> descending;
      std::vector<int> flags(kRows, 0);
      for (int p = kRows; p >= 1; --p) {
        if (!contains(wanted, p)) continue;
        descending.push_back(p);
        flags[static_cast<std::size_t>(p - 1)] = 1;
      }
      descending.resize(kRows, 0);
      const auto at = [&](const std::vector<int>& table) {
        return std::vector<int>(table.begin() + (row - 1) * kRows, table.begin() + row * kRows);
      };
      if (at(walk) == descending && at(member) == flags) continue;
      INFO("row " << row);
      CHECK(at(walk) == descending);
      CHECK(at(member) == flags);
      return;
    }
  }

  std::vector<Entry> entries_;
  std::string text_;
};

const std::string kFunctions =
    "  sq(k) = k^2 + 1\n  two(k) = 2^k\n  three(k) = 3^k\n  lin(k) = 5*k + 1\n"
    "  fib(0) = 1\n  fib(1) = 2\n  fib(k+2) = fib(k+1) + fib(k)\n"
    "  pell(0) = 1\n  pell(1) = 2\n  pell(k+2) = 2*pell(k+1) + pell(k)\n"
    "  sum(0) = 1\n  sum(k+1) = sum(k) + sq(k+2)\n"
    "  a(0) = 1\n  a(k+1) = a(k) * ceil((fib(k+1) - fib(k)) / a(k))\n"
    "  root(k) = sqrt(k*k*k) + 2*k + 1\n";

// Sets that are causal on B, and so on A.
const std::vector<std::string> kSets = {"none",
                                        "dense",
                                        "window(1)",
                                        "window(7)",
                                        "offsets(sq)",
                                        "offsets(two)",
                                        "offsets(three)",
                                        "offsets(lin)",
                                        "offsets(fib)",
                                        "offsets(pell)",
                                        "offsets(sum)",
                                        "offsets(root)",
                                        "lattice(sq)",
                                        "lattice(two)",
                                        "lattice(lin)",
                                        "lattice(fib)",
                                        "lattice(pell)",
                                        "lattice(sum)",
                                        "{ i - 1 : i >= 2 }",
                                        "{ max(1, i - 9)..i - 3 }",
                                        "{ floor((i + 1) / 2) : i >= 2 }",
                                        "{ i - 3*t : t >= 1, 3*t < i }",
                                        "{ i - k^2 : k >= 1, k^2 < i, k mod 2 = 1 }",
                                        "{ floor(i / 2^k) : k >= 1, 2^k <= i }",
                                        "{ 4*k : k in 1..floor((i - 1) / 4) }",
                                        "{ floor(k * i / 8) : k in 1..7, k * i >= 8 }",
                                        "{ i - k : k in 2..min(5, i - 1) }",
                                        "{ i - fib(k) : k >= 2, fib(k) < i, popcount(k) != 2 }",
                                        "{ a(k) * ceil((i - fib(k)) / a(k)) : k >= 0, fib(k) < i }",
                                        "{ i - fib(3) : fib(3) < i }",
                                        "{ i - fib(k) - pell(2) : k >= 0, fib(k) + pell(2) < i }",
                                        "{ i - min(k, 6) : k >= 1, k < i }",
                                        "{ i - lowbit(i) : i > lowbit(i) }",
                                        "{ i - fib(k) - fib(k+3) : k >= 0, fib(k) + fib(k+3) < i }",
                                        "{ i - k : k in 1..min(6, i - 1), k != 4 }"};

Pattern on(Side side, const std::string& set) {
  return pattern_of("pattern p {\n" + kFunctions +
                    (side == Side::kA ? "  A = " + set + "\n  B = none\n"
                                      : "  A = diagonal\n  B = " + set + "\n") +
                    "}\n");
}

}  // namespace

TEST_CASE("walks of the built-in patterns are their rows") {
  Probes probes;
  for (const BuiltinPattern& pattern : builtin_patterns()) {
    for (const Side side : {Side::kA, Side::kB})
      probes.add(builtin(std::string(pattern.name)), side);
  }
  probes.check();
}

TEST_CASE("walks of every kind of leaf are its rows") {
  Probes probes;
  for (const std::string& set : kSets) {
    // lattice and sets that end at i - 1 are causal on both sides
    for (const Side side : {Side::kA, Side::kB}) probes.add(on(side, set), side);
  }
  probes.check();
}

TEST_CASE("walks of random set expressions are their rows") {
  Probes probes;
  std::mt19937 random(2024);
  const auto pick = [&](std::size_t count) { return random() % count; };
  for (int round = 0; round < 60; ++round) {
    std::string set = kSets[1 + pick(kSets.size() - 1)];
    const std::size_t parts = 1 + pick(3);
    for (std::size_t part = 0; part < parts; ++part) {
      const char* operators[] = {" | ", " | ", " & ", " - "};
      const std::string other = kSets[pick(kSets.size())];
      set = pick(2) == 0 ? "(" + set + ")" + operators[pick(4)] + other
                         : other + operators[pick(4)] + "(" + set + ")";
    }
    const Side side = pick(2) == 0 ? Side::kA : Side::kB;
    probes.add(on(side, set), side);
  }
  probes.check();
}

TEST_CASE("a condition that only keeps positions in the row leaves it a shifted one") {
  const auto shape = [](Side side, const std::string& set) {
    const Pattern pattern = on(side, set);
    const Result<rows::RowPlan> plan = rows::plan_row(pattern, side);
    INFO(set);
    REQUIRE(plan.ok());
    const rows::RowShape found = rows::shape_of(*plan);
    if (found != rows::RowShape::kShifted) return found;
    // Whatever is called so has to be: the rows are those of the last one, cut off.
    const auto steps = [&](std::int64_t i) {
      std::set<std::int64_t> back;
      const IntervalList positions = Evaluator(pattern).row(side, i)->positions;
      for (std::int64_t p = 1; p <= i; ++p) {
        if (contains(positions, p)) back.insert(i - p);
      }
      return back;
    };
    const std::set<std::int64_t> longest = steps(kRows);
    for (std::int64_t i = 1; i < kRows; ++i) {
      std::set<std::int64_t> cut;
      for (const std::int64_t step : longest) {
        if (step < i) cut.insert(step);
      }
      INFO("row " << i);
      CHECK(steps(i) == cut);
    }
    return found;
  };
  using rows::RowShape;
  for (const char* set : {"{ i - 1 : i >= 2 }", "{ i - 1 : i > 1 }", "{ i - 1 : 2 <= i }",
                          "{ i - 5 : i >= 6, 1 < i }", "{ i - 2 : 2 < i } | { i - 7 : i > 7 }"}) {
    CHECK(shape(Side::kB, set) == RowShape::kShifted);
    CHECK(shape(Side::kA, set) == RowShape::kShifted);
  }
  for (const char* set :
       {"{ i - 1 : i >= 3 }", "{ i - 1 : i > 2 }", "{ i - 1 : 3 <= i }",
        "{ i - 5 : i >= 6, i <= 40 }", "{ i - 5 : i >= 6, i != 7 }",
        "{ i - 1 : i >= 2, i mod 2 = 0 }", "{ i - 1 : i >= 2 } | { i - 2 : i >= 4 }"}) {
    CHECK(shape(Side::kB, set) == RowShape::kWalked);
  }
  for (const std::string& set : kSets) shape(Side::kB, set);
}

TEST_CASE("first order is known in every form that it is written in") {
  const auto first_order = [](const std::string& a, const std::string& b) {
    const Pattern pattern = pattern_of("pattern p(w = 1) {\n  A = " + a + "\n  B = " + b + "\n}\n");
    const Result<rows::RowPlan> plan_a = rows::plan_row(pattern, Side::kA);
    const Result<rows::RowPlan> plan_b = rows::plan_row(pattern, Side::kB);
    INFO(a << ", " << b);
    REQUIRE((plan_a.ok() && plan_b.ok()));
    return rows::is_first_order(pattern, *plan_a, *plan_b);
  };
  for (const char* b : {"{ i - 1 : i >= 2 }", "{ i - 1 : i > 1 }", "{ i - 1 : 2 <= i }",
                        "window(1)", "window(w)"}) {
    CHECK(first_order("diagonal", b));
    CHECK_FALSE(first_order("window(2)", b));
  }
  CHECK(first_order("{ i }", "window(1)"));
  for (const char* b : {"none", "window(2)", "{ i - 1 : i >= 3 }", "{ i - 2 : i >= 3 }",
                        "{ i - 1 : i >= 2 } | { i - 2 : i >= 3 }", "{ i - 1 : i >= 2, i != 7 }"}) {
    CHECK_FALSE(first_order("diagonal", b));
  }
}

TEST_CASE("rows that no kernel can walk are refused with the reason") {
  const auto refuses = [](const std::string& set, const std::string& because) {
    const Result<rows::RowPlan> plan = rows::plan_row(on(Side::kB, set), Side::kB);
    INFO(set);
    REQUIRE_FALSE(plan.ok());
    INFO(plan.error().message);
    CHECK(plan.error().message.find(because) != std::string::npos);
  };
  refuses("{ i - s - t : s >= 1, s < 3, t >= 1, s + t < i }", "more than one variable");
  refuses("{ i - 1 - k mod 3 : k >= 0, k < i, k < i - 3 }", "only falls or only rises");
  refuses("{ i - abs(k - 20) - 1 : k in 20..19 + min(9, i - 1) }", "only falls or only rises");
  refuses("{ i - fib(popcount(i)) : fib(popcount(i)) < i }", "known at constants");
  refuses("{ i - fib(2*k) : k >= 0, fib(2*k) < i, 2*k < i }", "known at constants");
  refuses("{ i - k^9 : k >= 1, k^9 < i, k^40 >= 1 }", "64 bits");
  refuses("{ floor(i / (i - 1)) : i >= 3 }", "divisor may be zero");
  // Each of thirty functions calls the one before it twice.
  std::string text = "pattern deep {\n  f0(k) = k + 1\n";
  for (int n = 1; n < 30; ++n) {
    const std::string before = "f" + std::to_string(n - 1);
    text += "  f" + std::to_string(n) + "(k) = " + before + "(k) + " + before + "(k + 1)\n";
  }
  text += "  A = diagonal\n  B = lattice(f29)\n}\n";
  const Result<rows::RowPlan> deep = rows::plan_row(pattern_of(text), Side::kB);
  REQUIRE_FALSE(deep.ok());
  CHECK(deep.error().message.find("cannot write them out") != std::string::npos);
}

}  // namespace heddle::test
