// SPDX-License-Identifier: Apache-2.0
// The validator accepts what schedules build and names each kind of broken kernel.
#include "codegen/ir/validate.hpp"

#include "codegen/ir/builder.hpp"
#include "codegen/ir/print.hpp"
#include "codegen/passes/drop_unused_values.hpp"
#include "tests/catch.hpp"

namespace heddle::ir {
namespace {

void refuses(const Kernel& kernel, const std::string& because) {
  std::string all;
  for (const std::string& problem : validate(kernel)) all += problem + "\n";
  INFO(all);
  CHECK(all.find(because) != std::string::npos);
}

struct Cuda {
  Builder builder{"kernel", Target::kCuda, 64};
  MemoryId x = builder.buffer("x", ElementType::kF32, Access::kRead, {"tokens"});
  MemoryId y = builder.buffer("y", ElementType::kF32, Access::kWrite, {"tokens"});
  Ex tokens = builder.size("tokens");
  Ex lane = builder.let("lane", builder.where(Place::kLane));
  Ex warp = builder.let("warp", builder.where(Place::kWarp));
};

}  // namespace

TEST_CASE("a barrier is accepted under block-uniform control only") {
  Cuda good;
  good.builder.loop("step", good.builder.i64(0), good.tokens, [&](Ex) { good.builder.barrier(); });
  CHECK(validate(good.builder.kernel()).empty());

  Cuda by_warp;
  by_warp.builder.when(by_warp.warp < 1, [&] { by_warp.builder.barrier(); });
  refuses(by_warp.builder.kernel(), "a barrier stands where threads of a block may diverge");

  Cuda by_count;
  by_count.builder.loop("step", by_count.warp, by_count.tokens,
                        [&](Ex) { by_count.builder.barrier(); });
  refuses(by_count.builder.kernel(), "a barrier stands");
}

TEST_CASE("vectors are copied between memories of one element, into one dynamic array") {
  Cuda good;
  Builder& b = good.builder;
  const MemoryId staged = b.dynamic_array("staged", ElementType::kF32);
  const MemoryId sums = b.rest_of_dynamic_array("sums", b.i64(64));
  b.invoke("copy_elements<4>",
           {VectorPlace{staged, b.i64(0), true}, VectorPlace{good.x, b.i64(0)}});
  b.store(sums, good.lane, b.f32(0));
  CHECK(validate(b.kernel()).empty());
  const std::string text = print(b.kernel());
  INFO(text);
  CHECK(text.find("extern __shared__ __align__(16) float staged[];") != std::string::npos);
  CHECK(text.find("float* const sums = reinterpret_cast<float*>(staged + 64);") !=
        std::string::npos);
  CHECK(text.find("copy_elements<4>(staged, x);") != std::string::npos);

  Cuda backwards;
  Builder& c = backwards.builder;
  const MemoryId there = c.dynamic_array("staged", ElementType::kF32);
  c.invoke("copy_elements<4>",
           {VectorPlace{there, c.i64(0)}, VectorPlace{backwards.x, c.i64(0), true}});
  refuses(c.kernel(), "a copy goes from one place");

  Cuda other;
  Builder& d = other.builder;
  const MemoryId narrow = d.dynamic_array("staged", ElementType::kBF16);
  d.invoke("copy_elements<8>",
           {VectorPlace{narrow, d.i64(0), true}, VectorPlace{other.x, d.i64(0)}});
  refuses(d.kernel(), "of the same element");

  Cuda twice;
  twice.builder.dynamic_array("staged", ElementType::kF32);
  twice.builder.dynamic_array("more", ElementType::kF32);
  refuses(twice.builder.kernel(), "two dynamic arrays");
}

TEST_CASE("copies behind a thread's back go to shared memory") {
  Cuda good;
  Builder& b = good.builder;
  const MemoryId staged = b.dynamic_array("staged", ElementType::kF32);
  b.invoke("start_copy<4>", {VectorPlace{staged, b.i64(0), true}, VectorPlace{good.x, b.i64(0)}});
  b.invoke("close_batch", {});
  b.invoke("await_batches<0>", {});
  CHECK(validate(b.kernel()).empty());

  Cuda home;
  Builder& c = home.builder;
  const MemoryId own = c.array("own", Type::kF32, 4);
  c.invoke("start_copy<4>", {VectorPlace{own, c.i64(0), true}, VectorPlace{home.x, c.i64(0)}});
  refuses(c.kernel(), "from a buffer to shared memory");
}

TEST_CASE("a product of matrices is accepted where a warp stays together") {
  const auto product = [](Cuda& kernel) {
    Builder& b = kernel.builder;
    const MemoryId sums = b.array("sums", Type::kF32, 4);
    b.invoke("multiply_rows_by_rows<1, 16>",
             {VectorPlace{sums, b.i64(0), true}, VectorPlace{kernel.x, b.i64(0)}, b.i64(16),
              VectorPlace{kernel.x, b.i64(0)}, b.i64(16)});
  };
  Cuda good;
  good.builder.when(good.warp < 1, [&] { product(good); });
  CHECK(validate(good.builder.kernel()).empty());

  Cuda by_lane;
  by_lane.builder.when(by_lane.lane < 16, [&] { product(by_lane); });
  refuses(by_lane.builder.kernel(), "a product of matrices stands where lanes");
}

TEST_CASE("views and arguments that nothing reads are not named") {
  Cuda parts;
  Builder& b = parts.builder;
  b.size("spare");
  b.choose("either", parts.tokens > 3, parts.x, parts.x);
  b.store(parts.y, parts.lane, b.f32(0));
  Kernel kernel = b.take();
  passes::drop_unused_values(kernel);
  CHECK(validate(kernel).empty());
  const std::string text = print(kernel);
  INFO(text);
  CHECK(text.find("int spare_arg") != std::string::npos);
  CHECK(text.find("Index spare") == std::string::npos);
  CHECK(text.find("either") == std::string::npos);
}

TEST_CASE("variables that only make their own next values are dropped, but where lanes meet") {
  Cuda parts;
  Builder& b = parts.builder;
  const Var step = b.variable("step", b.i64(1)), count = b.variable("count", b.i64(0));
  const Var met = b.variable("met", b.f32(0)), kept = b.variable("kept", b.f32(0));
  b.loop("t", b.i64(0), parts.tokens, [&](Ex) {
    b.assign(step, step * 2);
    b.assign(count, count + 1);
    b.assign(met, b.reduce(ReduceOperator::kSum, b.load(parts.x, parts.lane)));
    b.assign(kept, kept + b.load(parts.x, parts.lane));
  });
  b.store(parts.y, count, kept);
  Kernel kernel = b.take();
  passes::drop_unused_values(kernel);
  CHECK(validate(kernel).empty());
  const std::string text = print(kernel);
  INFO(text);
  CHECK(text.find("step") == std::string::npos);
  CHECK(text.find("count += 1;") != std::string::npos);
  CHECK(text.find("met = warp_sum(x[lane]);") != std::string::npos);
  CHECK(text.find("y[count] = kept;") != std::string::npos);
}

TEST_CASE("divergence travels through assignments, also ones that come later") {
  Cuda kernel;
  Builder& b = kernel.builder;
  const Var stop = b.variable("stop", b.truth(false));
  b.loop("step", b.i64(0), kernel.tokens, [&](Ex) {
    b.when(negated(stop), [&] { b.barrier(); });
    b.when(kernel.lane < 3, [&] { b.assign(stop, b.truth(true)); });
  });
  refuses(b.kernel(), "a barrier stands");
}

TEST_CASE("a warp reduction is accepted where a warp stays together") {
  Cuda good;
  Builder& b = good.builder;
  b.when(good.warp < 1, [&] {
    const Ex sum = b.let("sum", b.reduce(ReduceOperator::kSum, b.load(good.x, good.lane)));
    // The result is the same in every lane, so it may guard another reduction.
    b.when(sum > b.f32(0),
           [&] { b.let("again", b.reduce(ReduceOperator::kSum, b.load(good.x, good.lane))); });
  });
  CHECK(validate(b.kernel()).empty());

  Cuda bad;
  bad.builder.when(bad.lane < 7, [&] {
    bad.builder.let("sum", bad.builder.reduce(ReduceOperator::kSum, bad.builder.f32(1)));
  });
  refuses(bad.builder.kernel(), "a warp reduction stands where lanes of a warp may diverge");
}

TEST_CASE("scopes, types and access are checked") {
  Cuda late;
  Var inner;
  late.builder.when(late.warp < 1, [&] { inner = late.builder.variable("inner", late.tokens); });
  late.builder.store(late.y, inner, late.builder.f32(0));
  refuses(late.builder.kernel(), "inner is used before it is defined");

  Cuda read_only;
  read_only.builder.store(read_only.x, read_only.lane, read_only.builder.f32(0));
  refuses(read_only.builder.kernel(), "x is stored to but read-only");

  Cuda scratch;
  MemoryId array;
  scratch.builder.when(scratch.warp < 1,
                       [&] { array = scratch.builder.array("scratch", Type::kF32, 4); });
  scratch.builder.store(array, scratch.lane, scratch.builder.f32(0));
  refuses(scratch.builder.kernel(), "scratch is used before it is declared");

  Cuda typed;
  typed.builder.store(typed.y, typed.lane, typed.builder.f32(1));
  Kernel kernel = typed.builder.take();
  for (Value& value : kernel.values) {
    if (std::holds_alternative<RealLiteral>(value.node)) value.type = Type::kI64;
  }
  refuses(kernel, "a value does not have the type its place needs");

  Cuda constant;
  const Ex fixed = constant.builder.let("fixed", constant.tokens);
  kernel = constant.builder.take();
  kernel.body.emplace_back();
  kernel.body.back().node =
      Assign{std::get<Read>(kernel[fixed.id()].node).variable, constant.tokens.id()};
  refuses(kernel, "fixed is assigned but does not change");

  Cuda moved;
  moved.builder.barrier();
  kernel = moved.builder.take();
  kernel.target = Target::kCpu;
  refuses(kernel, "barriers exist on cuda only");
}

TEST_CASE("working memory and what is done with rows are checked") {
  const auto kernel_with = [](const std::function<void(Builder&, MemoryId, MemoryId)>& body,
                              Target target = Target::kCpu) {
    Builder b("kernel", target, 1);
    const MemoryId x = b.buffer("x", ElementType::kF32, Access::kRead, {"tokens"});
    const MemoryId y = b.buffer("y", ElementType::kF32, Access::kWrite, {"tokens"});
    body(b, x, y);
    return b.take();
  };
  const Kernel good = kernel_with([](Builder& b, MemoryId x, MemoryId y) {
    const MemoryId rows = b.reserve("rows", Type::kF32, b.i64(64));
    b.perform(Procedure::kKeepRow, 5, {b.at(rows), b.at(x, b.i64(7))});
    b.perform(Procedure::kSendRow, 5, {b.at(y), b.at(rows), b.truth(false).id()});
  });
  CHECK(validate(good).empty());
  const std::string text = print(good);
  CHECK(text.find("float* const rows = reserve<float>(0, 64);") != std::string::npos);
  CHECK(text.find("keep_row<5>(rows, x + 7);") != std::string::npos);

  refuses(kernel_with([](Builder& b, MemoryId x, MemoryId y) {
            b.perform(Procedure::kKeepRow, 5, {b.at(x), b.at(y)});
          }),
          "x is stored to but read-only");
  refuses(kernel_with([](Builder& b, MemoryId x, MemoryId y) {
            b.perform(Procedure::kKeepRow, 5, {b.at(y), b.at(x), b.at(x)});
          }),
          "keep_row has other operands");
  refuses(kernel_with([](Builder& b, MemoryId x, MemoryId y) {
            b.perform(Procedure::kScaleRow, 5, {b.at(y), b.at(x), b.at(x)});
          }),
          "scale_row is given memory of another type");
  refuses(kernel_with([](Builder& b, MemoryId, MemoryId y) {
            b.perform(Procedure::kClearRow, 5, {b.i64(3).id()});
            b.perform(Procedure::kClearRow, 0, {b.at(y)});
          }),
          "clear_row takes memory where it is given a value");
  refuses(kernel_with([](Builder& b, MemoryId, MemoryId y) {
            b.perform(Procedure::kClearRow, 0, {b.at(y)});
          }),
          "clear_row has channels, or none");
  refuses(kernel_with([](Builder& b, MemoryId, MemoryId y) {
            b.perform(Procedure::kLatticeNext, 0, {b.at(y)});
          }),
          "lattice_next gives a result, or none");
  Kernel twice = good;
  twice.body.push_back(twice.body.front());
  refuses(twice, "two working memories are one");
  Kernel cuda = good;
  cuda.target = Target::kCuda;
  refuses(cuda, "working memory exists on cpu only");
}

TEST_CASE("small sums fold, and brackets keep the tree") {
  Builder b("kernel", Target::kCpu, 1);
  const MemoryId out = b.buffer("y", ElementType::kI32, Access::kWrite, {"tokens"});
  const Ex n = b.size("tokens");
  b.store(out, n - 1 + 1, (n - (n - 5)) * (n + 3));
  b.store(out, n + 1 - 3, n * (n / 4) % 7);
  b.store(out, b.i64(0), b.select(both(either(n<1, n> 9), negated(equal(n, b.i64(4)))), n, n + n));
  const std::string text = print(b.kernel());
  INFO(text);
  CHECK(text.find("y[tokens] = static_cast<int>((tokens - (tokens - 5)) * (tokens + 3));") !=
        std::string::npos);
  CHECK(text.find("y[tokens - 2] = static_cast<int>(tokens * (tokens / 4) % 7);") !=
        std::string::npos);
  CHECK(text.find("(tokens < 1 || tokens > 9) && !(tokens == 4) ? tokens : tokens + tokens") !=
        std::string::npos);
}

TEST_CASE("unused values go, with what only they used, and collectives stay") {
  Cuda kernel;
  Builder& b = kernel.builder;
  const Ex first = b.let("first", kernel.tokens + 1);
  b.let("second", first + 1);
  b.let("total", b.reduce(ReduceOperator::kSum, b.f32(1)));
  b.store(kernel.y, kernel.lane, b.f32(0));
  Kernel taken = b.take();
  passes::drop_unused_values(taken);
  const std::string text = print(taken);
  CHECK(text.find("first") == std::string::npos);
  CHECK(text.find("second") == std::string::npos);
  CHECK(text.find("warp_sum") != std::string::npos);
  CHECK(text.find("lane") != std::string::npos);
}

}  // namespace heddle::ir
