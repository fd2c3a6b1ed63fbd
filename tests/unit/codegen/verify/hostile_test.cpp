// SPDX-License-Identifier: Apache-2.0
// Texts written to be believed: what is true in a branch that is not taken, of an iteration or a
// thread that is not there, or of a reading that is not C++'s, must prove nothing elsewhere. Each
// of them was once verified.
#include "codegen/verify/check_statically.hpp"
#include "tests/catch.hpp"
#include "tests/unit/codegen/kernel_harness.hpp"

namespace heddle::test {
namespace {

class Hostile {
 public:
  explicit Hostile(const std::string& op)
      : artifact_(artifact_of(builtin("attention"), options(op))),
        text_(artifact_.files.at(artifact_.manifest.kernels[0].file)) {}

  // Before the first statement that computes, where all names of places are known.
  Hostile& begin(const std::string& code) { return put("  float highest = ", code, false); }
  Hostile& end(const std::string& code) {
    text_.insert(text_.rfind('}'), code);
    return *this;
  }
  Hostile& without(const std::string& line) { return put(line, "", true); }
  Hostile& instead(const std::string& line, const std::string& code) {
    return put(line, code, true);
  }

  StaticReport report() const {
    return check_statically(text_, artifact_.files, artifact_.manifest,
                            artifact_.manifest.kernels[0]);
  }

 private:
  static GenerateOptions options(const std::string& op) {
    GenerateOptions options;
    options.ops = {op};
    options.target = ir::Target::kCuda;
    options.exact_to = 128;
    return options;
  }
  Hostile& put(const std::string& at, const std::string& code, bool instead) {
    const std::size_t place = text_.find(at);
    REQUIRE(place != std::string::npos);
    text_.replace(place, instead ? at.size() : 0, code);
    return *this;
  }

  Artifact artifact_;
  std::string text_;
};

// Rejected for this reason, by a launch that shows it.
void is_rejected(const Hostile& hostile, const std::string& obligation, const std::string& told) {
  const StaticReport report = hostile.report();
  CHECK(report.verdict == StaticVerdict::kRejected);
  REQUIRE_FALSE(report.failures.empty());
  INFO(report.failures[0].where << " " << report.failures[0].message);
  CHECK(report.failures[0].obligation == obligation);
  CHECK(report.failures[0].message.find(told) != std::string::npos);
}

const char* const kStoreOfY = "    y[token_base + d] = output;\n";

}  // namespace

TEST_CASE("what holds inside a loop is not known where the loop did not run") {
  is_rejected(Hostile("decode").begin(R"(
  Index left = start;
  Index again = start;
  while (again > 0) {
    again -= 1;
    left = again;
  }
  for (Index c = 0; c < left; c += 1) {
    Index r = left - c;
    while (r > 1) {
      r -= 1;
    }
  }
  if (left == 0) {
    warp_total[4] = 0.0f;
  }
)"),
              "bounds", "touches warp_total[4] of 4 elements");
}

TEST_CASE("an iteration that is named as a witness has to exist") {
  is_rejected(Hostile("decode").without(kStoreOfY).end(R"(
  const Index most = 6;
  for (Index c = 0; c < most; c += 1) {
    Index r = c;
    while (r < most) {
      r += 1;
    }
    if (thread < 8) {
      y[token_base + c * 8 + thread] = 0.0f;
    }
  }
)"),
              "outputs", "y[48] is written by no thread");
}

TEST_CASE("a thread that is named as a witness has to exist") {
  is_rejected(Hostile("decode").without(kStoreOfY).end(R"(
  const Index most = 3;
  Index c = warp;
  while (c < most) {
    c += 1;
  }
  if (lane < 8) {
    y[token_base + warp * 8 + lane] = 0.0f;
  }
)"),
              "outputs", "y[32] is written by no thread");
}

TEST_CASE("a loop that is named as a witness has to be come to") {
  is_rejected(Hostile("decode").without(kStoreOfY).end(R"(
  if (start > 7) {
    Index c = 0;
    while (c < 64) {
      if (thread == 0) {
        y[token_base + c] = 0.0f;
      }
      c += 1;
    }
  }
)"),
              "outputs", "y[0] is written by no thread");
}

TEST_CASE("threads may be several iterations apart where an iteration has no barrier") {
  is_rejected(Hostile("decode").begin(R"(
  __shared__ float late[2];
  for (Index t = 0; t < 4; t += 1) {
    if (thread == t) {
      late[t % 2] = 1.0f;
    }
    for (Index c = 0; c < start; c += 1) {
      __syncthreads();
    }
  }
)"),
              "races", "thread 2 of block 0");
}

TEST_CASE("a loop looks at its condition once more than it runs") {
  is_rejected(Hostile("decode").begin(R"(
  __shared__ Index flag[1];
  if (thread == 0) {
    flag[0] = 0;
  }
  __syncthreads();
  Index looks = 0;
  while (flag[0] < 1 && looks < 2) {
    __syncthreads();
    looks += 1;
  }
  if (thread == 0) {
    flag[0] = 5;
  }
)"),
              "races", "flag[0]");
}

namespace {

// In doubt for this reason: no launch that is replayed is long enough to show what is wrong.
void is_doubted(const Hostile& hostile, const std::string& obligation) {
  const StaticReport report = hostile.report();
  CHECK(report.verdict == StaticVerdict::kUnknown);
  REQUIRE_FALSE(report.failures.empty());
  INFO(report.failures[0].where << " " << report.failures[0].message);
  CHECK(report.failures[0].obligation == obligation);
}

}  // namespace

TEST_CASE("a barrier in a branch orders nothing where the branch is not taken") {
  is_doubted(Hostile("decode").instead("  __syncthreads();\n",
                                       "  if (start < 5000) {\n    __syncthreads();\n  }\n"),
             "races");
  const char* const kLate = R"(
  __shared__ float late[2];
  for (Index t = 0; t < 4; t += 1) {
    if (thread == t) {
      late[t % 2] = 1.0f;
    }
    if (start < 5000) {
      __syncthreads();
    }
  }
)";
  is_doubted(Hostile("decode").begin(kLate), "races");
  is_doubted(Hostile("decode").begin(R"(
  __shared__ Index early[1];
  if (start > 5000) {
    if (thread == 0) {
      early[0] = 3;
    }
  } else {
    if (thread == 0) {
      early[0] = 5;
    }
    __syncthreads();
  }
  Index seen = early[0];
  if (seen < 0) {
    warp_total[4] = 0.0f;
  }
)"),
             "races");
}

// Two ways in which a place may have been written, by the reader's own thread and by another one,
// each divide it up. What the one calls its quotient is not the other's.
TEST_CASE("ways of writing a place do not define each other's numbers") {
  is_doubted(Hostile("decode").begin(R"(
  __shared__ float part[32];
  if (start > 5000) {
    for (Index c = 0; c < 2; c += 1) {
      if (warp == 0 && lane < 8) {
        part[c * 8 + lane] = 1.0f;
      }
    }
    __syncthreads();
    if (part[lane] > 2.0f && lane == 0) {
      warp_total[warp] = 0.0f;
    }
    __syncthreads();
  }
)"),
             "initialised");
}

TEST_CASE("a barrier in a branch that all threads take is one") {
  const StaticReport report = Hostile("decode")
                                  .begin(R"(
  __shared__ float given[1];
  if (start > 2) {
    if (warp == 0) {
      if (lane == 3) {
        given[0] = 1.0f;
      }
    }
    __syncthreads();
    if (given[0] > 2.0f && lane == 0) {
      warp_total[warp] = 0.0f;
    }
    __syncthreads();
  }
)")
                                  .report();
  INFO((report.failures.empty() ? std::string() : report.failures[0].message));
  CHECK(report.verdict == StaticVerdict::kVerified);
}

TEST_CASE("a prefill from the first token on may have no slots") {
  is_rejected(Hostile("prefill").end(R"(
  if (slots_a < start + tokens && warp == 0) {
    float none[1];
    none[1] = 0.0f;
  }
)"),
              "bounds", "slots_a = 0");
}

TEST_CASE("what no printer writes is read as C++ does, and rejected for what it does") {
  is_rejected(Hostile("decode").begin("  if (threadIdx.x < 32) __syncthreads();\n"), "barriers",
              "waits at a barrier that thread 32 does not come to");
  // The comment is no statement: what is guarded is the store.
  is_rejected(
      Hostile("decode").begin("  if (start > 0)\n    // later\n    warp_total[4] = 0.0f;\n"),
      "bounds", "1 token after 1");
  is_rejected(Hostile("decode").begin(
                  "  for (Index w = 4; w >= 0; w -= 1) {\n    warp_total[w] = 0.0f;\n  }\n"),
              "bounds", "touches warp_total[4] of 4 elements");
  is_rejected(Hostile("decode").begin(
                  "  for (Index w = 0; w <= 4; ++w) {\n    warp_total[w] = 0.0f;\n  }\n"),
              "races", "writes warp_total[0]");
  is_rejected(Hostile("decode").begin("  for (Index w = 0; w < 4; w = 1) {\n  }\n"), "loops",
              "never ends");
}

TEST_CASE("a loop that moves, but not to its end, is rejected") {
  is_rejected(Hostile("decode").begin(R"(
  Index left = 9;
  Index turns = 0;
  while (left > 0) {
    turns += 1;
    if (turns < 0) {
      left -= 1;
    }
    turns = turns % 3;
  }
)"),
              "loops", "never ends");
}

TEST_CASE("what C++ reads otherwise is not read at all") {
  for (const char* code :
       {// (c < flag) ? 1 : 0
        "  const bool flag = start > 3;\n  for (Index c = 0; c < flag ? 1 : 0; c += 1) {\n  }\n",
        // the new one, which has no value yet
        "  if (start > 1) {\n    const Index start = start;\n  }\n",
        // unsigned, so that nothing is below -1
        "  if ((start > 1 ? threadIdx.x : 0) < -1) {\n    warp_total[4] = 0.0f;\n  }\n"}) {
    INFO(code);
    const StaticReport report = Hostile("decode").begin(code).report();
    CHECK(report.verdict == StaticVerdict::kUnknown);
    REQUIRE(report.obligations.size() == 1);
    CHECK(report.obligations[0].name == "reading");
  }
}

}  // namespace heddle::test
