// SPDX-License-Identifier: Apache-2.0
#include "runtime/c_api/arguments.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

namespace heddle::c_api {
namespace {

constexpr std::int64_t kMostBytes = std::int64_t{1} << 50;

bool is_type(std::int32_t type) { return type >= HEDDLE_F32 && type <= HEDDLE_I32; }

// Everything a launch says of sizes, whoever said it first.
class KnownSizes {
 public:
  explicit KnownSizes(std::map<std::string, std::int64_t>& sizes) : sizes_(sizes) {}

  std::optional<Error> learn(const std::string& name, std::int64_t value, const std::string& from) {
    const auto [known, is_new] = sizes_.emplace(name, value);
    if (is_new) {
      sources_[name] = from;
    } else if (known->second != value) {
      return Error{fmt::format("{} says {} = {}, and {} says {}", from, name, value, sources_[name],
                               known->second)};
    }
    return std::nullopt;
  }

 private:
  std::map<std::string, std::int64_t>& sizes_;
  std::map<std::string, std::string> sources_;
};

std::string shape_text(const heddle_buffer& buffer) {
  std::string text = "[";
  for (std::int32_t i = 0; i < buffer.rank; ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(buffer.shape[i]);
  }
  return text + "]";
}

std::string shape_text(const Argument& argument) {
  std::string text = "[";
  for (const std::string& extent : argument.shape) text += (text.size() > 1 ? ", " : "") + extent;
  return text + "]";
}

// The elements of an array without gaps, or why it is none.
Result<std::int64_t> elements_of(const heddle_buffer& buffer, const Argument& argument) {
  if (buffer.rank < 0 || static_cast<std::size_t>(buffer.rank) != argument.shape.size()) {
    return Error{fmt::format("the buffer \"{}\" has {} dimensions, the kernel takes {}",
                             buffer.name, buffer.rank, shape_text(argument))};
  }
  std::int64_t count = 1;
  bool empty = false;
  for (std::int32_t i = 0; i < buffer.rank; ++i) {
    if (buffer.shape[i] < 0 || buffer.shape[i] > std::numeric_limits<std::int32_t>::max()) {
      return Error{
          fmt::format("the buffer \"{}\" has the shape {}", buffer.name, shape_text(buffer))};
    }
    empty = empty || buffer.shape[i] == 0;
    if (buffer.shape[i] != 0 && count > kMostBytes / buffer.shape[i]) {
      return Error{fmt::format("the buffer \"{}\" is larger than memory: {}", buffer.name,
                               shape_text(buffer))};
    }
    count *= std::max<std::int64_t>(buffer.shape[i], 1);
  }
  if (empty) return std::int64_t{0};
  if (buffer.strides == nullptr) return count;
  std::int64_t dense = 1;
  for (std::int32_t i = buffer.rank; i-- > 0;) {
    if (buffer.shape[i] != 1 && buffer.strides[i] != dense) {
      return Error{
          fmt::format("the buffer \"{}\" has gaps or another order of its dimensions: "
                      "stride {} in dimension {}, not {}",
                      buffer.name, buffer.strides[i], i, dense)};
    }
    dense *= buffer.shape[i];
  }
  return count;
}

std::optional<Error> learn_shape(KnownSizes& known, const heddle_buffer& buffer,
                                 const Argument& argument) {
  const std::string from = fmt::format("the buffer \"{}\"", buffer.name);
  for (std::size_t i = 0; i < argument.shape.size(); ++i) {
    const std::string& extent = argument.shape[i];
    const std::int64_t value = buffer.shape[i];
    if (extent[0] >= '0' && extent[0] <= '9') {
      if (std::to_string(value) != extent) {
        return Error{fmt::format("{} has the shape {}, the kernel takes {}", from,
                                 shape_text(buffer), shape_text(argument))};
      }
    } else if (extent == kBoundsExtent) {
      if (value < 1) return Error{from + " is empty"};
      if (auto error = known.learn("batch", value - 1, from)) return error;
    } else if (auto error = known.learn(extent, value, from)) {
      return error;
    }
  }
  return std::nullopt;
}

struct Range {
  const char* name;
  std::uintptr_t begin, end;
  bool written;
};

// Kernels are verified on arrays that lie apart.
std::optional<Error> overlap_of(const std::vector<Range>& ranges) {
  for (const Range& one : ranges) {
    for (const Range& other : ranges) {
      if (&one == &other || !one.written) continue;
      if (one.begin < other.end && other.begin < one.end) {
        return Error{fmt::format("the buffers \"{}\" and \"{}\" overlap, and the first is written",
                                 one.name, other.name)};
      }
    }
  }
  return std::nullopt;
}

std::optional<Error> add_buffers(const std::vector<OpenArtifact::Array>& arrays,
                                 const KernelEntry& kernel, const heddle_launch& launch,
                                 KnownSizes& known, LaunchValues& values) {
  std::vector<Range> ranges;
  for (std::size_t i = 0; i < launch.buffer_count; ++i) {
    const heddle_buffer& buffer = launch.buffers[i];
    if (buffer.name == nullptr) return Error{fmt::format("buffer {} has no name", i)};
    const auto array = std::find_if(arrays.begin(), arrays.end(), [&](const auto& candidate) {
      return candidate.argument->name == buffer.name;
    });
    if (array == arrays.end()) {
      return Error{fmt::format("{} takes no buffer \"{}\"", kernel.op, buffer.name)};
    }
    const Argument& argument = *array->argument;
    BufferView view;
    if (buffer.shape != nullptr || buffer.data != nullptr) {
      if (!is_type(buffer.type)) {
        return Error{
            fmt::format("the buffer \"{}\" is of no known type: {}", buffer.name, buffer.type)};
      }
      view.type = static_cast<ElementType>(buffer.type);
      if (buffer.shape == nullptr && buffer.rank != 0) {
        return Error{fmt::format("the buffer \"{}\" has no shape", buffer.name)};
      }
      const auto count = elements_of(buffer, argument);
      if (!count) return count.error();
      if (auto error = learn_shape(known, buffer, argument)) return error;
      view.data = buffer.data;
      view.bytes = static_cast<std::size_t>(*count) * size_of(view.type);
      if (view.data != nullptr && view.bytes > 0) {
        const auto begin = reinterpret_cast<std::uintptr_t>(view.data);
        ranges.push_back(
            {buffer.name, begin, begin + view.bytes, argument.access != Access::kRead});
      }
    }
    if (!values.buffers.emplace(buffer.name, view).second) {
      return Error{fmt::format("the buffer \"{}\" is given twice", buffer.name)};
    }
  }
  return overlap_of(ranges);
}

// Decode of a matrix state is the same at any position and takes no `start`, which may be told all
// the same.
constexpr const char* kAlwaysTold = "start";

}  // namespace

Result<LaunchValues> launch_values(const std::vector<OpenArtifact::Array>& arrays,
                                   const KernelEntry& kernel, const Manifest& manifest,
                                   const heddle_launch& launch) {
  LaunchValues values;
  KnownSizes known(values.sizes);
  (void)known.learn("head_dim", manifest.head_dim, "the manifest");
  (void)known.learn("state_dim", manifest.state_dim, "the manifest");
  if (auto error = add_buffers(arrays, kernel, launch, known, values)) return *error;
  const auto takes = [&](const char* name, ArgumentKind kind) {
    return std::any_of(kernel.arguments.begin(), kernel.arguments.end(), [&](const Argument& each) {
      return each.kind == kind && each.name == name;
    });
  };
  const auto is_extent = [&](const std::string& name) {
    return std::any_of(arrays.begin(), arrays.end(), [&](const auto& array) {
      const auto& shape = array.argument->shape;
      return std::find(shape.begin(), shape.end(), name) != shape.end();
    });
  };
  std::map<std::string, int> told;
  for (std::size_t i = 0; i < launch.size_count; ++i) {
    const heddle_size& size = launch.sizes[i];
    if (size.name == nullptr) return Error{fmt::format("size {} has no name", i)};
    if (!takes(size.name, ArgumentKind::kSize) && !is_extent(size.name) &&
        values.sizes.count(size.name) == 0 && size.name != std::string(kAlwaysTold)) {
      return Error{fmt::format("{} takes no size \"{}\"", kernel.op, size.name)};
    }
    if (++told[size.name] > 1)
      return Error{fmt::format("the size \"{}\" is given twice", size.name)};
    if (auto error = known.learn(size.name, size.value, "the launch")) return *error;
  }
  for (std::size_t i = 0; i < launch.scalar_count; ++i) {
    const heddle_scalar& scalar = launch.scalars[i];
    if (scalar.name == nullptr) return Error{fmt::format("scalar {} has no name", i)};
    if (!takes(scalar.name, ArgumentKind::kScalar)) {
      return Error{fmt::format("{} takes no scalar \"{}\"", kernel.op, scalar.name)};
    }
    if (!values.scalars.emplace(scalar.name, scalar.value).second) {
      return Error{fmt::format("the scalar \"{}\" is given twice", scalar.name)};
    }
  }
  return values;
}

}  // namespace heddle::c_api
