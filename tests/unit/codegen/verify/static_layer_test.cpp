// SPDX-License-Identifier: Apache-2.0
// The static layer as a whole: it verifies what heddle writes, and of texts that are broken by hand
// it verifies none. Where cvc5 is at hand it has to agree with every proof.
#include <algorithm>
#include <tuple>

#include "analyzer/certificate/solver_program.hpp"
#include "analyzer/smt/plain_solver.hpp"
#include "codegen/verify/followed.hpp"
#include "tests/unit/codegen/verify/static_support.hpp"

namespace heddle::test {

TEST_CASE("kernels of heddle are verified for every launch") {
  for (const auto& [name, op] :
       {std::pair{"linear_attention", "prefill"}, std::pair{"linear_attention", "decode"},
        std::pair{"attention", "decode"}, std::pair{"log_cached", "prefill"},
        std::pair{"sqrt_attention", "decode"}}) {
    const Artifact artifact = artifact_of(builtin(name), cuda(op));
    const KernelEntry& entry = artifact.manifest.kernels[0];
    const StaticReport report = report_of(artifact, artifact.files.at(entry.file));
    INFO(entry.file << "\n" << told(report));
    CHECK(report.verdict == StaticVerdict::kVerified);
    CHECK(report.obligations.size() == 8);
  }
}

TEST_CASE("no broken matrix-state kernel is verified") {
  none_is_verified(artifact_of(builtin("linear_attention"), cuda("prefill")),
                   {{"if (d < 64)", "if (d + 1 <= 63)"},
                    {"if (d < 64)", "if (d < 63)"},
                    {"block / heads", "block % heads"},
                    {"block % heads", "block / heads"},
                    {"float column[64]", "float column[63]"},
                    {"const Index state_at = block * 4096", "const Index state_at = block * 4095"},
                    {"batch * tokens + token", "batch * tokens + token + 1"},
                    {"batch * tokens + token", "batch + token"},
                    {"const Index x_at = row * 64", "const Index x_at = row * 65"},
                    {"gate[row]", "gate[row - 1]"},
                    {"token < tokens", "token < tokens - 1"},
                    {"token < tokens", "token < tokens + 1"},
                    {"y[x_at + d] = sum;", "y[x_at] = sum;"},
                    {"y[x_at + d] = sum;", "final_state[state_at + d] = sum;"},
                    {"start > 0", "start > -1"},
                    {"for (Index s = 0", "for (Index s = 1"}});
}

// d + d / 2 is no number 3 k + 2: whoever solves d = place - d / 2 for d starts from what is not.
TEST_CASE("a place is not solved for with what rests on it") {
  none_is_verified(artifact_of(builtin("linear_attention"), cuda("prefill")),
                   {{"y[x_at + d] = sum;",
                     "if (d + d / 2 < 64) {\n        y[x_at + d + d / 2] = sum;\n      }"}},
                   proofs_only());
}

TEST_CASE("no broken attention kernel is verified") {
  none_is_verified(artifact_of(builtin("attention"), cuda("prefill")),
                   {{"p <= start", "p < start"},
                    {"(p - 1) * token_stride", "(p - 2) * token_stride"},
                    {"(p - start - 1)", "(p - start)"},
                    {"p -= 1", "p -= 0"},
                    {"Index p = i;", "Index p = i + 1;"},
                    {"token += 4", "token += 3"},
                    {"cached ? initial_a_key : k", "cached ? k : initial_a_key"},
                    {"slot < start + tokens", "slot <= start + tokens"},
                    {"Index slot = warp", "Index slot = lane"}});
}

TEST_CASE("a barrier that not all threads reach is rejected") {
  const Artifact artifact = artifact_of(builtin("attention"), cuda("decode"));
  std::string text = artifact.files.at(artifact.manifest.kernels[0].file);
  const std::size_t at = text.find("  __syncthreads();");
  REQUIRE(at != std::string::npos);
  text.replace(at, 18, "  if (lane < 16) {\n    __syncthreads();\n  }");
  const StaticReport report = report_of(artifact, text);
  CHECK(report.verdict == StaticVerdict::kRejected);
  REQUIRE_FALSE(report.failures.empty());
  CHECK(report.failures[0].obligation == "barriers");
}

TEST_CASE("no decode kernel without its barriers is verified") {
  none_is_verified(artifact_of(builtin("attention"), cuda("decode")),
                   {{"  __syncthreads();\n", ""}, {"warp * 64 + d", "warp * 63 + d"}});
}

TEST_CASE("another prelude is not trusted") {
  Artifact artifact = artifact_of(builtin("linear_attention"), cuda("decode"));
  const KernelEntry& entry = artifact.manifest.kernels[0];
  artifact.files.at("device_prelude.cuh") += "\n";
  const StaticReport report =
      check_statically(artifact.files.at(entry.file), artifact.files, artifact.manifest, entry);
  CHECK(report.verdict == StaticVerdict::kUnknown);
}

TEST_CASE("cvc5 agrees with every proof") {
  const auto cvc5 = find_solver("cvc5");
  if (!cvc5) {
    WARN("cvc5 is not installed: its opinion is not asked for");
    return;
  }
  StaticOptions options;
  options.keep_scripts = true;
  const auto agrees = [&](const Artifact& artifact, std::size_t most) {
    const KernelEntry& entry = artifact.manifest.kernels[0];
    const StaticReport report = report_of(artifact, artifact.files.at(entry.file), options);
    REQUIRE(report.scripts.size() > 10);
    const std::size_t step = std::max<std::size_t>(1, report.scripts.size() / most);
    for (std::size_t index = 0; index < report.scripts.size(); index += step) {
      INFO(entry.symbol << "\n" << report.scripts[index].script);
      CHECK(answer_of(*cvc5, report.scripts[index].script, 20) == "unsat");
    }
  };
  agrees(artifact_of(builtin("linear_attention"), cuda("prefill")), 1000);  // all of them
  for (const auto& [name, op] :
       {std::pair{"sqrt_recurrence", "decode"}, std::pair{"log_cached", "decode"},
        std::pair{"linear_recurrence", "backward"}, std::pair{"strided_attention", "decode"}}) {
    agrees(artifact_of(builtin(name), cuda_given(op)), 12);
  }
  agrees(artifact_of(builtin("attention"), cuda("decode")), 12);
  for (const char* name : {"linear_attention", "attention"}) {
    GenerateOptions tensor = cuda("prefill");
    tensor.dtype = ElementType::kBF16;
    tensor.schedule = "tensor";
    agrees(artifact_of(builtin(name), tensor), 12);
  }
}

// Of nothing that is, anything is true: what is known at a read, and of the visits that are named
// to have written before it, must hold of some launch.
TEST_CASE("what proofs about writes start from is not contradictory") {
  StaticOptions options;
  options.keep_scripts = true;
  options.replay_work = 0;
  for (const auto& [name, op, schedule] : {std::tuple{"sqrt_recurrence", "decode", "simple"},
                                           std::tuple{"linear_recurrence", "prefill", "simple"},
                                           std::tuple{"linear_recurrence", "prefill", "staged"},
                                           std::tuple{"linear_attention", "prefill", "tensor"},
                                           std::tuple{"attention", "prefill", "tensor"}}) {
    GenerateOptions how = cuda(op);
    how.schedule = schedule;
    if (std::string(schedule) == "tensor") how.dtype = ElementType::kBF16;
    const Artifact artifact = artifact_of(builtin(name), how);
    const KernelEntry& entry = artifact.manifest.kernels[0];
    const StaticReport report = report_of(artifact, artifact.files.at(entry.file), options);
    smt::PlainSolver solver;
    int asked = 0;
    for (const ReplayableScript& each : report.scripts) {
      if (each.statement != "a write comes before this read" &&
          each.statement != "every element is written") {
        continue;
      }
      const std::size_t goal = each.script.find("; the goal, negated");
      REQUIRE(goal != std::string::npos);
      const std::string known = each.script.substr(0, goal);
      INFO(entry.symbol << " " << schedule << "\n" << each.script);
      CHECK(solver.solve(known, 1'000'000, false).answer == smt::Answer::kSat);
      ++asked;
    }
    CHECK(asked > 4);
  }
}

TEST_CASE("what is followed goes by the schedule, not by the pattern's name") {
  const auto followed = [](const char* pattern, const GenerateOptions& options,
                           const char* schedule = "staged") {
    Artifact artifact = artifact_of(builtin(pattern), options);
    artifact.manifest.pattern = "by_any_other_name";
    CHECK(artifact.manifest.kernels[0].schedule == schedule);
    return !not_followed(artifact.manifest, artifact.manifest.kernels[0]);
  };
  const auto staged = [](WeightKind weights, int head_dim) {
    GenerateOptions options = cuda("prefill", head_dim);
    options.weights = weights;
    options.schedule = "staged";
    return options;
  };
  for (const WeightKind weights : {WeightKind::kSoftmax, WeightKind::kGiven}) {
    for (const char* pattern :
         {"log_recurrence", "dense_recurrence", "sqrt_attention", "sqrt_cached"}) {
      CHECK(followed(pattern, staged(weights, 64)));
    }
    CHECK(followed("linear_recurrence", staged(weights, 96)));
    CHECK_FALSE(followed("linear_recurrence", staged(weights, 20)));  // five vectors of four
    CHECK_FALSE(followed("linear_recurrence", staged(weights, 256)));
  }
  const auto tensor = [](int head_dim, int state_dim = 0) {
    GenerateOptions options = cuda("prefill", head_dim);
    options.dtype = ElementType::kBF16;
    options.schedule = "tensor";
    options.state_dim = state_dim;
    return options;
  };
  for (const int head_dim : {64, 128}) {
    CHECK(followed("attention", tensor(head_dim), "tensor"));
    CHECK(followed("dense_recurrence", tensor(head_dim), "tensor"));
    CHECK(followed("linear_attention", tensor(head_dim, 64), "tensor"));
  }
  CHECK_FALSE(followed("linear_attention", tensor(48, 64), "tensor"));
  CHECK_FALSE(followed("linear_attention", tensor(64, 48), "tensor"));
  GenerateOptions half = cuda("decode");
  CHECK(followed("log_cached", half, "simple"));
  half.dtype = ElementType::kF16;
  CHECK(followed("log_cached", half, "simple"));
  GenerateOptions backward = cuda("backward");
  CHECK(followed("log_cached", backward, "simple"));
  backward.state_gradients = true;
  CHECK_FALSE(followed("log_cached", backward, "simple"));
  GenerateOptions decode = cuda("decode");
  decode.several_tokens = true;
  CHECK_FALSE(followed("log_cached", decode, "simple"));
}

}  // namespace heddle::test
