// SPDX-License-Identifier: Apache-2.0
// What staged kernels add to the language: shared memory whose length the launch decides.
#include "codegen/verify/lift_statement.hpp"

namespace heddle::verify {

using ir::Body;
using ir::Type;

// extern __shared__ __align__(16) float staged[];
void StatementReader::dynamic_array(Body& statements) {
  const TextPlace at = peek().at;
  for (const char* part : {"extern", "__shared__", "__align__", "(", "16", ")"}) {
    if (peek().text != part)
      return fail(peek().at, std::string("here a kernel of heddle has ") + part);
    next();
  }
  const bool real = is("float");
  if (!real && !is("bf16")) return fail(peek().at, "dynamic shared memory holds float or bf16");
  next();
  const std::string name = expect_name();
  for (const char* part : {"[", "]", ";"}) expect(part);
  if (scopes_.size() != 2) return fail(at, "shared arrays are declared at the top of a kernel");
  for (const ir::Array& other : lifted_.kernel.arrays) {
    if (other.dynamic) return fail(at, "there is one dynamic array at most");
  }
  if (entry_.shared_rows.empty()) {
    return fail(at, "the manifest launches this kernel without dynamic shared memory");
  }
  ir::Array array{name, Type::kF32, 0, /*shared=*/true};
  array.dynamic = true;
  array.element = real ? ElementType::kF32 : ElementType::kBF16;
  lifted_.kernel.arrays.push_back(array);
  const ir::ArrayId id{static_cast<std::int32_t>(lifted_.kernel.arrays.size() - 1)};
  declare(name, ir::MemoryId(id), at);
  add(statements, ir::Declare{id});
}

}  // namespace heddle::verify
