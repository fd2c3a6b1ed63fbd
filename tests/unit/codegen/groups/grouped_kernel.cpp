// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/codegen/groups/grouped_kernel.hpp"

#include "codegen/ir/builder.hpp"
#include "codegen/ir/print.hpp"
#include "codegen/prelude/prelude.hpp"

namespace heddle::test {

using namespace ir;

namespace {

constexpr int kRows = 32;  // of a chunk
constexpr int kDim = 64;
constexpr int kWarps = 4;
constexpr int kLanes = 8;                 // of a group
constexpr int kGroups = 32 / kLanes;      // of a warp
constexpr int kChannels = kDim / kLanes;  // of a lane

class Writer {
 public:
  explicit Writer(ElementType element) : builder_("kernel", Target::kCuda, 32 * kWarps) {
    x_ = builder_.buffer("x", element, Access::kRead, {"batch", "tokens", "64"});
    y_ = builder_.buffer("y", element, Access::kWrite, {"batch", "tokens", "64"});
    tokens_ = builder_.size("tokens");
    vector_ = element == ElementType::kF32 ? 4 : 8;
    rows_ = builder_.dynamic_array("rows", element);
  }

  Kernel run() {
    sums_ = builder_.array_of_vectors("sums", kRows * kDim);
    weights_ = builder_.array("near_weights", Type::kF32, kRows * kRows, /*shared=*/true);
    thread_ = builder_.let("thread", builder_.where(Place::kThread));
    warp_ = builder_.let("warp", builder_.where(Place::kWarp));
    lane_ = builder_.let("lane", builder_.where(Place::kLane));
    group_ = builder_.let("group", warp_ * kGroups + lane_ / kLanes);
    base_ = builder_.let("base", builder_.where(Place::kBlock) * tokens_ * kDim);
    builder_.loop("first", builder_.i64(0), tokens_, builder_.i64(kRows), LoopKind::kSerial,
                  [&](Ex first) { chunk(first); });
    return builder_.take();
  }

 private:
  void chunk(Ex first) {
    const Ex size = builder_.let(
        "size", builder_.call(Helper::kMinimum, {builder_.i64(kRows), tokens_ - first}));
    const int pieces = kDim / vector_;
    builder_.loop("piece", thread_, size * pieces, builder_.i64(32 * kWarps), LoopKind::kSerial,
                  [&](Ex piece) {
                    const Ex at = piece / pieces * kDim + piece % pieces * vector_;
                    builder_.invoke(
                        "copy_elements<" + std::to_string(vector_) + ">",
                        {VectorPlace{rows_, at, true}, VectorPlace{x_, base_ + first * kDim + at}});
                  });
    builder_.barrier();
    builder_.loop("r", group_, size, builder_.i64(kGroups * kWarps), LoopKind::kSerial,
                  [&](Ex r) { row(first, r); });
    builder_.barrier();
    builder_.loop("d", thread_, builder_.i64(kDim), builder_.i64(32 * kWarps), LoopKind::kSerial,
                  [&](Ex d) { channel(first, size, d); });
    builder_.barrier();
  }

  // Of channels e, e + 1, ... of the lane, a vector of them: the vectors of a group lie side by
  // side, so that its lanes meet no bank twice.
  Ex place_of(Ex row, int e) { return row * kDim + e * kLanes + lane_ % kLanes * vector_; }
  void load_row(MemoryId to, Ex row) {
    for (int e = 0; e < kChannels; e += vector_) {
      builder_.load_vector(to, e, rows_, place_of(row, e), vector_);
    }
  }
  void each_channel(const std::function<void(Ex)>& body) {
    builder_.loop("e", builder_.i64(0), builder_.i64(kChannels), builder_.i64(1),
                  LoopKind::kUnrolled, body);
  }

  void row(Ex first, Ex r) {
    const Ex i = builder_.let("i", first + r + 1);
    const MemoryId query = builder_.array("query", Type::kF32, kChannels);
    const MemoryId key = builder_.array("key", Type::kF32, kChannels);
    const MemoryId mixed = builder_.array("mixed", Type::kF32, kChannels);
    load_row(query, r);
    each_channel([&](Ex e) { builder_.store(mixed, e, builder_.f32(0)); });
    const Var f = builder_.variable("f", first);
    builder_.repeat_while(Ex(f) < i, [&] {
      const Ex c = builder_.let("c", Ex(f) - first);
      load_row(key, c);
      const Var part = builder_.variable("part", builder_.f32(0));
      each_channel([&](Ex e) {
        builder_.assign(part, Ex(part) + builder_.load(query, e) * builder_.load(key, e));
      });
      const Ex weight = builder_.let("weight", builder_.reduce(ReduceOperator::kSum, part, kLanes));
      // One lane of the group keeps the weight, and all take it from there.
      const Ex keeper = builder_.let("keeper", c % kLanes);
      const Ex kept = builder_.let(
          "kept", builder_.select(equal(lane_ % kLanes, keeper), weight, builder_.f32(0)));
      const Ex taken = builder_.let("taken", builder_.pick(kept, keeper, kLanes));
      each_channel([&](Ex e) {
        builder_.store(mixed, e, builder_.load(mixed, e) + taken * builder_.load(key, e));
      });
      builder_.when(equal(lane_ % kLanes, builder_.i64(0)),
                    [&] { builder_.store(weights_, r * kRows + c, weight); });
      builder_.assign(f, Ex(f) + 1);
    });
    for (int e = 0; e < kChannels; e += 4) {
      const Ex at = vector_ == 4 ? place_of(r, e) : place_of(r, 0) + e;
      builder_.store_vector(sums_, at, mixed, e, 4);
    }
  }

  // What a row sums twice is compared with nothing: y is x and both halves of the sum.
  void channel(Ex first, Ex size, Ex d) {
    builder_.loop("r", builder_.i64(0), size, [&](Ex r) {
      const Var sum = builder_.variable("sum", builder_.f32(0));
      builder_.loop("c", builder_.i64(0), r + 1, [&](Ex c) {
        builder_.assign(sum, Ex(sum) + builder_.load(weights_, r * kRows + c) *
                                           builder_.load(rows_, c * kDim + d));
      });
      const Ex half = builder_.f32(0.5);
      builder_.store(
          y_, base_ + (first + r) * kDim + d,
          builder_.load(rows_, r * kDim + d) + half * (builder_.load(sums_, r * kDim + d) + sum));
    });
  }

  Builder builder_;
  MemoryId x_, y_, rows_, sums_, weights_;
  Ex tokens_, thread_, warp_, lane_, group_, base_;
  int vector_ = 4;
};

}  // namespace

std::map<std::string, std::string> preludes() {
  return {{"device_prelude.cuh", std::string(device_prelude())},
          {"staging_prelude.cuh", std::string(staging_prelude())}};
}

Kernel grouped_kernel(ElementType element) { return Writer(element).run(); }

Grouped grouped(ElementType element) {
  const Kernel kernel = grouped_kernel(element);
  Grouped result;
  result.text = "#include \"staging_prelude.cuh\"\n\nusing namespace heddle;\n\n" + print(kernel);
  result.manifest.target = "cuda";
  result.manifest.weights = "softmax";
  result.manifest.dtype = element;
  result.manifest.head_dim = kDim;
  KernelEntry entry;
  entry.op = "prefill";
  entry.symbol = kernel.symbol;
  entry.file = "kernel.cu";
  entry.grid = {"batch"};
  entry.threads = kernel.threads;
  entry.arguments = kernel.arguments;
  entry.schedule = "staged";
  entry.shared_rows = {
      {"rows_of_chunk", kRows, kRows, static_cast<std::int64_t>(kDim * size_of(element)), ""}};
  entry.alignment = 16;
  result.manifest.kernels.push_back(std::move(entry));
  return result;
}

}  // namespace heddle::test
