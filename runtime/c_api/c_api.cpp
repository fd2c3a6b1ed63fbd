// SPDX-License-Identifier: Apache-2.0
// The functions of heddle.h. Whatever goes wrong behind them ends here as an error of the caller's.
#include <exception>
#include <new>
#include <utility>

#include "runtime/c_api/arguments.hpp"
#include "runtime/c_api/heddle.h"
#include "runtime/c_api/registry.hpp"
#include "runtime/load/cuda_driver.hpp"

struct heddle_error {
  std::int32_t kind;
  std::string message;
};

namespace {

using heddle::Error;
using heddle::c_api::OpenArtifact;
using Artifact = std::shared_ptr<const OpenArtifact>;

static_assert(static_cast<int>(heddle::ElementType::kF32) == HEDDLE_F32);
static_assert(static_cast<int>(heddle::ElementType::kBF16) == HEDDLE_BF16);
static_assert(static_cast<int>(heddle::ElementType::kF16) == HEDDLE_F16);
static_assert(static_cast<int>(heddle::ElementType::kI32) == HEDDLE_I32);
static_assert(static_cast<int>(heddle::Access::kRead) == HEDDLE_READ);
static_assert(static_cast<int>(heddle::Access::kWrite) == HEDDLE_WRITE);
static_assert(static_cast<int>(heddle::Access::kReadWrite) == HEDDLE_READ_WRITE);

// Given out where there is no memory for another; never freed.
heddle_error& out_of_memory() {
  static heddle_error* const error = new heddle_error{HEDDLE_FAILED, "out of memory"};
  return *error;
}

heddle_error* failure(std::int32_t kind, std::string message) {
  return new heddle_error{kind, std::move(message)};
}
heddle_error* wrong_call(std::string message) {
  return failure(HEDDLE_WRONG_CALL, std::move(message));
}
heddle_error* of(const Error& error, std::int32_t kind) {
  return failure(error.of_the_machine ? HEDDLE_FAILED : kind, error.message);
}

// No exception crosses the interface.
template <typename Work>
heddle_error* guarded(Work&& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return &out_of_memory();
  } catch (const std::exception& exception) {
    try {
      return failure(HEDDLE_FAILED, exception.what());
    } catch (...) {
      return &out_of_memory();
    }
  } catch (...) {
    return &out_of_memory();
  }
}

template <typename Work>
heddle_error* with_artifact(heddle_artifact number, Work&& work) {
  return guarded([&]() -> heddle_error* {
    const auto found = heddle::c_api::find(number);
    if (!found) return wrong_call(found.error().message);
    return work(**found);
  });
}

template <typename Work>
heddle_error* with_kernel(heddle_artifact number, const char* op, Work&& work) {
  return with_artifact(number, [&](const OpenArtifact& open) -> heddle_error* {
    if (op == nullptr) return wrong_call("the op is a null pointer");
    const heddle::KernelEntry* const kernel = open.kernel(op);
    if (kernel == nullptr) {
      return wrong_call("the artifact has no kernel for \"" + std::string(op) + "\"");
    }
    return work(open, *kernel);
  });
}

// A size that the manifest says for a length, of one side.
template <typename Measure>
heddle_error* size_of_side(heddle_artifact number, char side, std::int64_t* result,
                           Measure&& measure) {
  return with_artifact(number, [&](const OpenArtifact& open) -> heddle_error* {
    if (result == nullptr) return wrong_call("the place for the result is a null pointer");
    if (side != 'a' && side != 'b') return wrong_call("a side is 'a' or 'b'");
    const auto size = measure(open.artifact.manifest());
    if (!size) return of(size.error(), HEDDLE_WRONG_CALL);
    *result = *size;
    return nullptr;
  });
}

}  // namespace

extern "C" {

std::int32_t heddle_abi(void) { return HEDDLE_ABI; }

std::int32_t heddle_error_kind(const heddle_error* error) {
  return error != nullptr ? error->kind : HEDDLE_OK;
}

const char* heddle_error_message(const heddle_error* error) {
  return error != nullptr ? error->message.c_str() : "";
}

void heddle_error_free(heddle_error* error) {
  if (error != &out_of_memory()) delete error;
}

heddle_error* heddle_open(const char* folder, const heddle_open_options* options,
                          heddle_artifact* artifact) {
  return guarded([&]() -> heddle_error* {
    if (artifact == nullptr) return wrong_call("the place for the handle is a null pointer");
    *artifact = 0;
    if (folder == nullptr) return wrong_call("the folder is a null pointer");
    heddle::LoadOptions load;
    if (options != nullptr) {
      if (options->size != sizeof(heddle_open_options)) {
        return wrong_call("heddle_open_options has another size: set its `size`");
      }
      if (options->threads < 0 || options->threads > 4096) {
        return wrong_call("threads must lie between 0 and 4096");
      }
      load.threads = options->threads;
      load.device = options->device;
    }
    auto loaded = heddle::KernelArtifact::load(folder, load);
    if (!loaded) return of(loaded.error(), HEDDLE_REFUSED);
    *artifact = heddle::c_api::keep(std::make_shared<const OpenArtifact>(std::move(*loaded)));
    return nullptr;
  });
}

heddle_error* heddle_close(heddle_artifact artifact) {
  return guarded([&]() -> heddle_error* {
    const auto error = heddle::c_api::forget(artifact);
    return error ? wrong_call(error->message) : nullptr;
  });
}

heddle_error* heddle_manifest(heddle_artifact artifact, const char** json) {
  return with_artifact(artifact, [&](const OpenArtifact& open) -> heddle_error* {
    if (json == nullptr) return wrong_call("the place for the text is a null pointer");
    *json = open.json.c_str();
    return nullptr;
  });
}

heddle_error* heddle_buffer_count(heddle_artifact artifact, const char* op, size_t* count) {
  return with_kernel(artifact, op, [&](const auto& open, const auto& kernel) -> heddle_error* {
    if (count == nullptr) return wrong_call("the place for the count is a null pointer");
    *count = open.arrays(kernel).size();
    return nullptr;
  });
}

heddle_error* heddle_buffer_at(heddle_artifact artifact, const char* op, size_t index,
                               heddle_buffer_info* info) {
  return with_kernel(artifact, op, [&](const auto& open, const auto& kernel) -> heddle_error* {
    if (info == nullptr) return wrong_call("the place for the description is a null pointer");
    const auto& arrays = open.arrays(kernel);
    if (index >= arrays.size()) {
      return wrong_call(kernel.op + " takes " + std::to_string(arrays.size()) + " buffers");
    }
    const heddle::Argument& argument = *arrays[index].argument;
    *info = {argument.name.c_str(), static_cast<std::int32_t>(argument.type),
             static_cast<std::int32_t>(argument.access), arrays[index].extents.size(),
             arrays[index].extents.data()};
    return nullptr;
  });
}

heddle_error* heddle_slots(heddle_artifact artifact, char side, int64_t tokens, int64_t* slots) {
  return size_of_side(artifact, side, slots, [&](const heddle::Manifest& manifest) {
    return (side == 'a' ? manifest.cache_a : manifest.cache_b).slots(tokens);
  });
}

heddle_error* heddle_columns(heddle_artifact artifact, char side, int64_t tokens,
                             int64_t* columns) {
  return size_of_side(
      artifact, side, columns, [&](const heddle::Manifest& manifest) -> heddle::Result<int64_t> {
        const heddle::RowWidth& width = side == 'a' ? manifest.width_a : manifest.width_b;
        if (!width.stated()) return Error{manifest.weights + " weights have no columns"};
        if (tokens < 0 || tokens > heddle::kLongestSequence) {
          return Error{"a sequence has between 0 and 2^31 - 1 tokens"};
        }
        return width.columns(tokens);
      });
}

heddle_error* heddle_chunks(heddle_artifact artifact, const char* op, int64_t tokens,
                            int64_t* chunks) {
  return with_kernel(artifact, op,
                     [&](const OpenArtifact&, const heddle::KernelEntry& kernel) -> heddle_error* {
                       if (chunks == nullptr)
                         return wrong_call("the place for the result is a null pointer");
                       if (tokens < 0 || tokens > heddle::kLongestSequence) {
                         return wrong_call("a sequence has between 0 and 2^31 - 1 tokens");
                       }
                       *chunks = heddle::chunks_of(kernel, tokens);
                       return nullptr;
                     });
}

heddle_error* heddle_run(heddle_artifact artifact, const heddle_launch* launch) {
  if (launch == nullptr) return guarded([] { return wrong_call("the launch is a null pointer"); });
  return with_kernel(
      artifact, launch->op, [&](const auto& open, const auto& kernel) -> heddle_error* {
        if (launch->size != sizeof(heddle_launch)) {
          return wrong_call("heddle_launch has another size: set its `size`");
        }
        if ((launch->buffers == nullptr && launch->buffer_count > 0) ||
            (launch->sizes == nullptr && launch->size_count > 0) ||
            (launch->scalars == nullptr && launch->scalar_count > 0)) {
          return wrong_call("an array of the launch is a null pointer");
        }
        if (launch->threads < 0) return wrong_call("a launch has no fewer than 0 threads");
        const auto values = heddle::c_api::launch_values(open.arrays(kernel), kernel,
                                                         open.artifact.manifest(), *launch);
        if (!values) return wrong_call(values.error().message);
        auto bound = open.artifact.bind(kernel.op, *values, {launch->threads, launch->stream});
        if (!bound) return of(bound.error(), HEDDLE_WRONG_CALL);
        const auto error = bound->start();
        return error ? of(*error, HEDDLE_FAILED) : nullptr;
      });
}

heddle_error* heddle_synchronize(heddle_artifact artifact) {
  return with_artifact(artifact, [&](const OpenArtifact& open) -> heddle_error* {
    if (open.artifact.device() == nullptr) return nullptr;
    const auto error = open.artifact.device()->synchronize();
    return error ? of(*error, HEDDLE_FAILED) : nullptr;
  });
}

}  // extern "C"
