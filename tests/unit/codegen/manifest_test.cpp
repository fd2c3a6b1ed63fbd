// SPDX-License-Identifier: Apache-2.0
// The manifest survives a round trip, counts slots, and refuses every damaged text.
#include "codegen/manifest.hpp"

#include "tests/catch.hpp"

namespace heddle {
namespace {

Manifest example() {
  Manifest manifest;
  manifest.pattern = "sqrt_cached";
  manifest.source_sha256 = std::string(64, 'a');
  manifest.target = "cuda";
  manifest.weights = "softmax";
  manifest.dtype = ElementType::kBF16;
  manifest.head_dim = 64;
  manifest.cache_b = {CacheRetention::kNextRow, {{1, 1}, {2, 2}, {7, 3}}, 4096};
  KernelEntry kernel;
  kernel.op = "decode";
  kernel.symbol = "sqrt_cached_decode";
  kernel.file = "sqrt_cached.cu";
  kernel.sha256 = std::string(64, '0');
  kernel.grid = {"batch", "heads"};
  kernel.threads = 128;
  kernel.shared_bytes = 512;
  kernel.arguments = {{"q",
                       ArgumentKind::kBuffer,
                       ElementType::kBF16,
                       Access::kRead,
                       {"batch", "1", "heads", "64"}},
                      {"start", ArgumentKind::kSize},
                      {"scale", ArgumentKind::kScalar},
                      {"cache_b_pos",
                       ArgumentKind::kBuffer,
                       ElementType::kI32,
                       Access::kReadWrite,
                       {"batch", "heads", "slots_b"}}};
  manifest.kernels = {kernel};
  manifest.causality = Causality::kProved;
  manifest.includes = {{"device_prelude.cuh", std::string(64, 'b')}};
  manifest.verdict = "verified";
  manifest.layers = {{"emulated", "verified", "24 runs"}};
  return manifest;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

void refuses(const std::string& text, const std::string& because) {
  const Result<Manifest> manifest = parse_manifest(text);
  INFO(text);
  REQUIRE_FALSE(manifest.ok());
  INFO(manifest.error().message);
  CHECK(manifest.error().message.find(because) != std::string::npos);
}

}  // namespace

TEST_CASE("a manifest survives a round trip") {
  const std::string text = to_json(example());
  const Result<Manifest> back = parse_manifest(text);
  REQUIRE(back.ok());
  CHECK(to_json(*back) == text);
  CHECK(back->kernels[0].arguments[3].access == Access::kReadWrite);
  CHECK(back->cache_b.steps == example().cache_b.steps);
}

TEST_CASE("kernels that work on slices are listed apart and need not be there") {
  Manifest manifest = example();
  manifest.sliced = manifest.kernels;
  manifest.sliced[0].symbol = "sqrt_cached_decode_slices";
  manifest.sliced[0].grid = {"batch", "heads", "2"};
  const Result<Manifest> back = parse_manifest(to_json(manifest));
  REQUIRE(back.ok());
  CHECK(back->kernels.size() == 1);
  REQUIRE(back->sliced.size() == 1);
  CHECK(back->sliced[0].grid == manifest.sliced[0].grid);
  const Result<Manifest> without =
      parse_manifest(replaced(to_json(example()), "  \"sliced\": [],\n", ""));
  REQUIRE(without.ok());
  CHECK(without->sliced.empty());
  manifest.sliced[0].symbol = manifest.kernels[0].symbol;
  refuses(to_json(manifest), "repeats the symbol");
}

TEST_CASE("a staged kernel says what shared memory a launch gives it") {
  Manifest manifest = example();
  KernelEntry& kernel = manifest.kernels[0];
  kernel.schedule = "staged";
  kernel.alignment = 16;
  kernel.shared_rows = {{"key_rows", 288, 32, 256}, {"live_rows", 2, 1, 512, "slots_b"}};
  kernel.prediction = {4096, 1000000, 2000000};
  const std::string text = to_json(manifest);
  const Result<Manifest> back = parse_manifest(text);
  REQUIRE(back.ok());
  CHECK(to_json(*back) == text);
  CHECK(back->kernels[0].prediction.flops == 2000000);
  refuses(replaced(text, "\"most\": 288", "\"most\": 289"), "no multiple");
  refuses(replaced(text, "\"schedule\": \"staged\"", "\"schedule\": \"other\""), "scan or gather");
  refuses(replaced(text, "\"schedule\": \"staged\"", "\"schedule\": \"simple\""), "staging");
  refuses(replaced(text, "\"tokens\": 4096", "\"tokens\": 0"), "prediction.tokens");
  refuses(replaced(text, "\"slots\": \"slots_b\"", "\"slots\": \"slots_c\""), "slots_a or slots_b");

  // Whole chunks of the sequence, then all there is; slots as the state has them, at most two.
  const SharedLaunch few = shared_launch(manifest, kernel, 33, 0);
  CHECK(*few.find("key_rows") == 64);
  CHECK(*few.find("live_rows") == 2);
  CHECK(few.bytes == 64 * 256 + 2 * 512);
  CHECK(few.find("value_rows") == nullptr);
  CHECK(*shared_launch(manifest, kernel, 1, 0).find("live_rows") == 1);
  CHECK(*shared_launch(manifest, kernel, 5000, 0).find("key_rows") == 288);
  CHECK(*shared_launch(manifest, kernel, 5000, 0).find("live_rows") == 2);  // beyond exact_to
  const SharedLaunch least = least_shared_launch(kernel);
  CHECK(*least.find("key_rows") == 32);
  CHECK(*least.find("live_rows") == 0);
  CHECK(least.bytes == 32 * 256);
}

TEST_CASE("a manifest of sequences with lengths of their own has a format of its own") {
  Manifest manifest = example();
  manifest.format = 2;
  manifest.varlen = true;
  manifest.kernels[0].arguments.push_back(
      {"offsets", ArgumentKind::kBuffer, ElementType::kI32, Access::kRead, {"batch+1"}});
  manifest.kernels[0].arguments.push_back({"longest", ArgumentKind::kSize});
  const std::string text = to_json(manifest);
  const Result<Manifest> back = parse_manifest(text);
  REQUIRE(back.ok());
  CHECK(back->varlen);
  CHECK(to_json(*back) == text);
  // Nobody takes the one for the other.
  refuses(replaced(text, "\"format\": 2", "\"format\": 1"), "takes lengths in format 1");
  refuses(replaced(text, "\"varlen\"", "\"equal\""), "lengths must be varlen");
  refuses(replaced(text, "  \"lengths\": \"varlen\",\n", ""), "lengths is missing");
  manifest.kernels = example().kernels;
  refuses(to_json(manifest), "takes no lengths");
}

namespace {

// Two steps: one leaves to the other what it reads.
Manifest in_steps() {
  Manifest manifest = example();
  const KernelEntry whole = manifest.kernels[0];
  manifest.format = 3;
  KernelEntry scan;
  scan.op = "prefill";
  scan.symbol = "p_prefill";
  scan.schedule = "scan";
  scan.chunk_tokens = 64;
  const auto buffer = [](const char* name, Access access) {
    return Argument{name, ArgumentKind::kBuffer, ElementType::kF32, access, {"batch", "chunks"}};
  };
  scan.arguments = {buffer("x", Access::kRead),
                    buffer("scratch_carry", Access::kWrite),
                    buffer("y", Access::kWrite),
                    {"tokens", ArgumentKind::kSize}};
  KernelEntry first = whole;
  first.op = "prefill";
  first.schedule = "scan";
  first.chunk_tokens = 64;
  first.symbol = "p_first";
  first.grid = {"batch", "chunks"};
  first.arguments = {scan.arguments[0], scan.arguments[1]};
  KernelEntry second = first;
  second.symbol = "p_second";
  second.arguments = {buffer("scratch_carry", Access::kRead), scan.arguments[2], scan.arguments[3]};
  scan.steps = {first, second};
  manifest.kernels = {scan};
  return manifest;
}

}  // namespace

TEST_CASE("an operation of several launches has a format of its own") {
  const Manifest manifest = in_steps();
  const std::string text = to_json(manifest);
  const Result<Manifest> back = parse_manifest(text);
  if (!back) FAIL(back.error().message);
  CHECK(to_json(*back) == text);
  const KernelEntry& scan = back->kernels[0];
  REQUIRE(scan.steps.size() == 2);
  CHECK(scan.steps[1].chunk_tokens == 64);
  CHECK(launches_of(scan) == std::vector<const KernelEntry*>{&scan.steps[0], &scan.steps[1]});
  CHECK(chunks_of(scan, 0) == 1);
  CHECK(chunks_of(scan, 64) == 1);
  CHECK(chunks_of(scan, 65) == 2);
  CHECK(chunks_of(example().kernels[0], 65) == 0);
  refuses(replaced(text, "\"format\": 3", "\"format\": 1"), "format is not 3");
  refuses(replaced(to_json(example()), "\"format\": 1", "\"format\": 3"),
          "no operation has chunks");
  refuses(replaced(text, "\"chunk_tokens\": 64", "\"chunk_tokens\": 0"), "chunk_tokens");
  refuses(replaced(text, "\"schedule\": \"scan\"", "\"schedule\": \"simple\""),
          "has steps and is one launch");
  refuses(replaced(text, "\"op\": \"prefill\"", "\"op\": \"decode\""), "is a decode");
  refuses(replaced(text, "\"target\": \"cuda\"", "\"target\": \"cpu\""), "target");
  refuses(replaced(text, "p_second", "p_first"), "repeats the symbol");
}

TEST_CASE("steps hand on scratch that one has written, and nothing else") {
  const auto faulty = [](const Manifest& manifest, const std::string& because) {
    CHECK(fault_of_steps(manifest.kernels[0]).find(because) != std::string::npos);
    refuses(to_json(manifest), because);
  };
  CHECK(fault_of_steps(in_steps().kernels[0]).empty());
  Manifest manifest = in_steps();
  KernelEntry& scan = manifest.kernels[0];
  SECTION("read before it is written") {
    std::swap(scan.steps[0], scan.steps[1]);
    faulty(manifest, "is read before any step has written it");
  }
  SECTION("begun anew") {
    scan.steps[1].arguments[0].access = Access::kWrite;
    faulty(manifest, "is begun anew");
  }
  SECTION("an output that another step takes") {
    Argument y = scan.arguments[2];
    y.access = Access::kRead;
    scan.steps[0].arguments.push_back(y);
    faulty(manifest, "is written by one step and taken by another");
  }
  SECTION("an input that is written") {
    scan.steps[0].arguments[0].access = Access::kReadWrite;
    faulty(manifest, "is changed by a step");
  }
  SECTION("another shape") {
    scan.steps[1].arguments[0].shape = {"batch"};
    faulty(manifest, "none of its arguments");
  }
  SECTION("an argument that nobody takes") {
    scan.steps[1].arguments.pop_back();
    faulty(manifest, "which no step takes");
  }
  SECTION("an argument that is said to be something else") {
    scan.arguments[2].access = Access::kRead;
    faulty(manifest, "what its steps do not");
  }
  SECTION("one step") {
    scan.steps.pop_back();
    faulty(manifest, "no such number of steps");
  }
  SECTION("chunks in a kernel that makes none") {
    manifest = example();
    manifest.kernels[0].grid = {"batch", "chunks"};
    faulty(manifest, "chunks of no length");
  }
}

TEST_CASE("a manifest of given weights says how wide rows are") {
  Manifest manifest = example();
  manifest.weights = "given";
  EntryCount listed;
  listed.listed = {1, 2, 4, kLongestSequence};
  EntryCount squares;
  squares.polynomial = {1, 0, 1};
  squares.most = 17;
  manifest.width_a.parts = {listed, squares};
  manifest.width_b = {{}, {{1, 1}, {5, 4}}, 64};
  const std::string text = to_json(manifest);
  const Result<Manifest> back = parse_manifest(text);
  REQUIRE(back.ok());
  CHECK(to_json(*back) == text);
  CHECK(*back->width_a.columns(4) == 4);  // 1 and 2; at 1 and 2
  Manifest gated = manifest;
  gated.weights = "gated";
  const Result<Manifest> by_channel = parse_manifest(to_json(gated));
  REQUIRE(by_channel.ok());
  CHECK(*by_channel->width_a.columns(4) == 4);
  CHECK(*back->width_b.columns(5) == 4);
  refuses(replaced(text, "\"width_b\"", "\"width_c\""), "width_b is missing");
  refuses(replaced(text, std::to_string(kLongestSequence), "8"), "longest sequence");
  refuses(replaced(text, "\"most\": 17", "\"most\": -1"), "most");
  refuses(replaced(text, "\"exact_to\": 64", "\"exact_to\": 0"), "exact_to");
  Manifest states = manifest;
  states.weights = "linear";
  states.state_dim = 16;
  const Result<Manifest> mixed = parse_manifest(to_json(states));
  REQUIRE(mixed.ok());
  CHECK_FALSE(mixed->width_a.stated());
  CHECK(*mixed->width_b.columns(5) == 4);
  CHECK(to_json(*mixed) == to_json(states));
  CHECK_FALSE(mixed->key_gates);
  states.key_gates = true;  // rows of states that are mixed have coefficients
  refuses(to_json(states), "width_b");
  states.width_b = {};
  const Result<Manifest> keyed = parse_manifest(to_json(states));
  REQUIRE(keyed.ok());
  CHECK(keyed->key_gates);
  CHECK(to_json(*keyed) == to_json(states));
  refuses(replaced(to_json(states), "\"gates\": \"key\"", "\"gates\": \"token\""), "gates");
  manifest.width_a.parts[1].polynomial = {1, 0, 0};
  refuses(to_json(manifest), "what rises");
  manifest.width_a.parts = {listed};
  manifest.width_a.parts[0].listed = {2, 2, kLongestSequence};
  refuses(to_json(manifest), "does not rise");
  manifest.width_a.parts = {};
  manifest.width_b.steps = {{5, 4}, {6, 4}};
  refuses(to_json(manifest), "does not ascend");
}

TEST_CASE("slots follow the steps and fail beyond what is exact") {
  const CacheLayout layout = example().cache_b;
  CHECK(*layout.slots(0) == 0);
  CHECK(*layout.slots(1) == 1);
  CHECK(*layout.slots(6) == 2);
  CHECK(*layout.slots(7) == 3);
  CHECK(*layout.slots(4096) == 3);
  CHECK_FALSE(layout.slots(4097).ok());
  CHECK_FALSE(layout.slots(-1).ok());
  CHECK(*CacheLayout{CacheRetention::kAll, {}, 0}.slots(12345) == 12345);
  CHECK(*CacheLayout{}.slots(12345) == 0);
}

TEST_CASE("a damaged manifest is refused with the place and the reason") {
  const std::string text = to_json(example());
  refuses("", "not a JSON text");
  refuses("[]", "must be an object");
  refuses("{}", "format is missing");
  refuses(std::string(100000, '['), "not a JSON text");
  refuses(replaced(text, "\"format\": 1", "\"format\": 4"), "format must be an integer");
  refuses(replaced(text, "\"format\": 1", "\"format\": 1.5"), "format must be an integer");
  refuses(replaced(text, "\"head_dim\": 64", "\"head_dim\": 18446744073709551615"), "head_dim");
  refuses(replaced(text, "\"head_dim\": 64", "\"head_dims\": 64"), "head_dim is missing");
  refuses(replaced(text, "\"head_dim\": 64", "\"head_dim\": 64, \"x\": 1"), "unknown key 'x'");
  refuses(replaced(text, "sqrt_cached.cu", "../sqrt_cached.cu"), "kernels[0].file");
  refuses(replaced(text, "sqrt_cached.cu", "/etc/passwd"), "kernels[0].file");
  refuses(replaced(text, "\"decode\"", "\"destroy\""), "kernels[0].op");
  refuses(replaced(text, "sqrt_cached_decode", "a b"), "kernels[0].symbol");
  refuses(replaced(text, std::string(64, '0'), std::string(63, '0')), "kernels[0].sha256");
  refuses(replaced(text, "\"threads\": 128", "\"threads\": 0"), "kernels[0].threads");
  refuses(replaced(text, "\"scale\"", "\"scales\""), "kernels[0].arguments[2].name");
  refuses(replaced(text, "\"start\"", "\"scale\""), "kernels[0].arguments[1].name");
  refuses(replaced(text, "\"cache_b_pos\"", "\"q\""), "repeats an earlier argument");
  refuses(replaced(text, "\"slots_b\"", "\"slots_c\""), "arguments[3].shape[2]");
  refuses(replaced(text, "\"slots_b\"", "\"-1\""), "arguments[3].shape[2]");
  refuses(replaced(text, "\"bf16\"", "\"i32\""), "dtype");
  refuses(replaced(text, "\"next_row\"", "\"all\""), "belong to next_row only");
  refuses(replaced(text, "\"exact_to\": 4096", "\"exact_to\": 6"), "beyond exact_to");
  refuses(replaced(text, "\"verdict\": \"verified\",\n      \"detail\"",
                   "\"verdict\": \"unknown\",\n      \"detail\""),
          "not every layer");
  refuses(replaced(text, "\"proved\"", "\"checked\""), "causality is not proved");
  refuses(replaced(text, "\"proved\"", "\"hoped\""), "causality is not one of the known words");
  refuses(replaced(text, "\"causality_rows\": 0", "\"causality_rows\": 9"),
          "causality_rows must be");
  refuses(replaced(text, "device_prelude.cuh", "../prelude.cuh"), "includes[0].file");
  refuses(replaced(text, std::string(64, 'b'), "b"), "includes[0].sha256");
}

TEST_CASE("cutting a manifest anywhere never passes and never crashes") {
  const std::string text = to_json(example());
  for (std::size_t length = 0; length + 2 < text.size(); ++length) {
    CHECK_FALSE(parse_manifest(text.substr(0, length)).ok());
  }
}

}  // namespace heddle
