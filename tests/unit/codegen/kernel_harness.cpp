// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/codegen/kernel_harness.hpp"

#include <dlfcn.h>
#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "patterns/builtin_patterns.hpp"
#include "patterns/parser.hpp"

namespace heddle::test {
namespace {

float from_bf16(std::uint16_t bits) {
  const std::uint32_t word = std::uint32_t{bits} << 16;
  float value;
  std::memcpy(&value, &word, 4);
  return value;
}
// To nearest, by looking at both neighbours; independent of the kernels' own rounding.
std::uint16_t to_bf16(float value) {
  std::uint32_t word;
  std::memcpy(&word, &value, 4);
  const std::uint16_t below = static_cast<std::uint16_t>(word >> 16);
  const std::uint16_t above = static_cast<std::uint16_t>(below + 1);
  const double down = std::fabs(double{value} - from_bf16(below));
  const double up = std::fabs(double{value} - from_bf16(above));
  return down < up || (down == up && below % 2 == 0) ? below : above;
}

float from_f16(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const float magnitude = exponent == 0    ? std::ldexp(static_cast<float>(fraction), -24)
                          : exponent == 31 ? std::numeric_limits<float>::infinity()
                                           : std::ldexp(1024.0f + fraction, exponent - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}
// The same; beyond 65504 it is that.
std::uint16_t to_f16(float value) {
  std::uint16_t below = 0;  // the greatest that is no greater than |value|
  for (int bit = 0x4000; bit > 0; bit /= 2) {
    const auto further = static_cast<std::uint16_t>(below | bit);
    if (further <= 0x7bff && from_f16(further) <= std::fabs(value)) below = further;
  }
  const auto above = static_cast<std::uint16_t>(below + 1);
  const float down = std::fabs(value) - from_f16(below), up = from_f16(above) - std::fabs(value);
  const std::uint16_t nearest = down < up || (down == up && below % 2 == 0) ? below : above;
  return static_cast<std::uint16_t>(nearest | (std::signbit(value) ? 0x8000 : 0));
}

bool is_narrow(ElementType type) { return type == ElementType::kBF16 || type == ElementType::kF16; }
float widened(ElementType type, std::uint16_t bits) {
  return type == ElementType::kBF16 ? from_bf16(bits) : from_f16(bits);
}
std::uint16_t narrowed(ElementType type, float value) {
  return type == ElementType::kBF16 ? to_bf16(value) : to_f16(value);
}

Pattern resolved(const Source& source) {
  Diagnostics diagnostics;
  std::vector<PatternSyntax> list = parse(source, diagnostics);
  assert_that(!diagnostics.has_errors() && !list.empty(), "a test pattern does not parse");
  std::optional<Pattern> pattern = resolve(std::move(list[0]), {}, diagnostics);
  assert_that(pattern.has_value(), "a test pattern does not resolve");
  return std::move(*pattern);
}

std::string trampoline(const KernelEntry& kernel) {
  std::string text =
      "extern \"C\" void call_" + kernel.symbol + "(void** arguments) {\n  " + kernel.symbol + "(";
  std::size_t index = 0;
  for (const Argument& argument : kernel.arguments) {
    const std::string place = "arguments[" + std::to_string(index++) + "]";
    if (argument.kind == ArgumentKind::kBuffer) {
      const char* type = argument.type == ElementType::kI32    ? "int"
                         : argument.type == ElementType::kBF16 ? "heddle::bf16"
                         : argument.type == ElementType::kF16  ? "heddle::f16"
                                                               : "float";
      text += std::string("static_cast<") + type + "*>(" + place + "), ";
    } else {
      text += std::string("*static_cast<") +
              (argument.kind == ArgumentKind::kSize ? "int" : "float") + "*>(" + place + "), ";
    }
  }
  const std::string last = std::to_string(index);
  return text + "*static_cast<int*>(arguments[" + last + "]), *static_cast<int*>(arguments[" +
         std::to_string(index + 1) + "]));\n}\n";
}

// Reproducible values in [-1, 1).
class Random {
 public:
  explicit Random(int seed) : state_(static_cast<std::uint64_t>(seed) * 2654435761u + 12345u) {}
  float next() {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<float>(static_cast<double>(state_ >> 40) / (1 << 23) - 1.0);
  }

 private:
  std::uint64_t state_;
};

std::vector<std::int64_t> descending(const IntervalList& intervals) {
  std::vector<std::int64_t> positions;
  for (auto interval = intervals.rbegin(); interval != intervals.rend(); ++interval) {
    for (std::int64_t p = interval->high; p >= interval->low; --p) positions.push_back(p);
  }
  return positions;
}

}  // namespace

Pattern builtin(const std::string& name) {
  const BuiltinPattern* pattern = find_builtin(name);
  assert_that(pattern != nullptr, "no such built-in pattern");
  return resolved(source_of(*pattern));
}
Pattern pattern_of(const std::string& text) { return resolved({"test.heddle", text}); }

Artifact artifact_of(const Pattern& pattern, const GenerateOptions& options) {
  Result<Artifact> artifact = generate(pattern, options);
  assert_that(artifact.ok(), artifact ? "" : artifact.error().message.c_str());
  return std::move(*artifact);
}

HostLibrary::HostLibrary(const std::vector<Artifact>& artifacts) {
  char path[] = "/tmp/heddle-codegen-test-XXXXXX";
  assert_that(mkdtemp(path) != nullptr, "no temporary directory");
  directory_ = path;
  std::ofstream source(directory_ + "/kernels.cpp");
  for (const Artifact& artifact : artifacts) {
    std::ofstream(directory_ + "/cpu_prelude.hpp") << artifact.files.at("cpu_prelude.hpp");
    for (const auto* kernels : {&artifact.manifest.kernels, &artifact.manifest.sliced}) {
      for (const KernelEntry& kernel : *kernels) {
        source << artifact.files.at(kernel.file) << "\n" << trampoline(kernel) << "\n";
      }
    }
  }
  source.close();
  const std::string command = "cd " + directory_ +
                              " && g++ -std=c++17 -O1 -Wall -Wextra -Wno-unused-parameter"
                              " -Werror -shared -fPIC kernels.cpp -o kernels.so";
  assert_that(std::system(command.c_str()) == 0, "generated kernels do not compile");
  handle_ = dlopen((directory_ + "/kernels.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  assert_that(handle_ != nullptr, "generated kernels do not load");
}

HostLibrary::~HostLibrary() {
  if (handle_ != nullptr) dlclose(handle_);
  for (const char* file : {"/kernels.cpp", "/cpu_prelude.hpp", "/kernels.so", ""}) {
    std::remove((directory_ + file).c_str());
  }
}

HostLibrary::Entry HostLibrary::entry(const std::string& symbol) const {
  void* address = dlsym(handle_, ("call_" + symbol).c_str());
  assert_that(address != nullptr, "a kernel is missing from its library");
  return reinterpret_cast<Entry>(address);
}

Session::Session(const Pattern& pattern, const Artifact& artifact, const HostLibrary& library,
                 Shape shape, float gamma, int seed)
    : pattern_(pattern), artifact_(artifact), library_(library), shape_(shape), gamma_(gamma) {
  const Manifest& manifest = artifact.manifest;
  scale_ = 1.5f / std::sqrt(static_cast<float>(manifest.head_dim));
  slots_[0] = *manifest.cache_a.slots(shape.tokens);
  slots_[1] = *manifest.cache_b.slots(shape.tokens);
  const Evaluator evaluator(pattern);
  for (int i = 1; i <= shape.tokens; ++i) {
    width_[0] = std::max(width_[0], count_of(evaluator.row(Side::kA, i)->positions));
    width_[1] = std::max(width_[1], count_of(evaluator.row(Side::kB, i)->positions));
  }
  Random random(seed);
  for (const Argument& argument : manifest.kernels[0].arguments) {
    const bool sequence = argument.kind == ArgumentKind::kBuffer &&
                          argument.access == Access::kRead &&
                          argument.name.rfind("initial_", 0) != 0;
    if (!sequence) continue;
    std::int64_t size = 1;
    for (const std::string& part : argument.shape) {
      size *= part == "tokens" ? shape.tokens : extent(part, shape.tokens);
    }
    std::vector<float>& values = inputs_[argument.name];
    for (std::int64_t index = 0; index < size; ++index) {
      float value = random.next();
      if (argument.name == "q") value *= 4;  // scores that matter
      if (argument.name.rfind("coef_", 0) == 0) value *= 0.2f;
      if (argument.name == "gate") value = 0.5f + 0.5f * value;
      const ElementType type = argument.type;
      values.push_back(is_narrow(type) ? widened(type, narrowed(type, value)) : value);
    }
  }
  y_.resize(static_cast<std::size_t>(shape.batch) * shape.tokens * shape.heads * manifest.head_dim);
  fill_reference();
}

std::size_t Session::element(int b, int t, int h, int d) const {
  const int dim = artifact_.manifest.head_dim;
  return static_cast<std::size_t>(((b * shape_.tokens + t) * shape_.heads + h) * dim + d);
}

std::int64_t Session::extent(const std::string& name, int count) const {
  if (name == "batch") return shape_.batch;
  if (name == "heads") return shape_.heads;
  if (name == "tokens") return count;
  if (name == "start") return done_;
  if (name == "slots_a") return slots_[0];
  if (name == "slots_b") return slots_[1];
  if (name == "width_a") return width_[0];
  if (name == "width_b") return width_[1];
  return std::stoll(name);
}

void Session::fill_reference() {
  const Manifest& manifest = artifact_.manifest;
  const int dim = manifest.head_dim;
  const int states = manifest.state_dim;
  reference_.resize(y_.size());
  const Evaluator evaluator(pattern_);
  for (int b = 0; b < shape_.batch; ++b) {
    for (int h = 0; h < shape_.heads; ++h) {
      std::vector<double> state(static_cast<std::size_t>(states * dim));
      for (int t = 0; t < shape_.tokens; ++t) {
        const std::size_t row =
            static_cast<std::size_t>((b * shape_.tokens + t) * shape_.heads + h);
        if (manifest.weights == "linear") {
          for (int d = 0; d < dim; ++d) {
            double sum = 0;
            for (int s = 0; s < states; ++s) {
              double& cell = state[static_cast<std::size_t>(s * dim + d)];
              const std::size_t at =
                  row * static_cast<std::size_t>(states) + static_cast<std::size_t>(s);
              cell = inputs_.at("gate")[row] * cell +
                     double{inputs_.at("k")[at]} * inputs_.at("x")[element(b, t, h, d)];
              sum += inputs_.at("q")[at] * cell;
            }
            reference_[element(b, t, h, d)] = sum;
          }
          continue;
        }
        struct Entry {
          double weight;
          const float* gates;    // of the channels, or null
          const double* output;  // of y, or null
          const float* input;    // of x, or null
        };
        std::vector<Entry> entries;
        double total = 0;
        for (const Side side : {Side::kA, Side::kB}) {
          const char letter = side == Side::kA ? 'a' : 'b';
          std::size_t rank = 0;
          for (const std::int64_t p : descending(evaluator.row(side, t + 1)->positions)) {
            const int j = static_cast<int>(p) - 1;
            Entry entry{0, nullptr, nullptr, nullptr};
            if (side == Side::kA) entry.input = &inputs_.at("x")[element(b, j, h, 0)];
            if (side == Side::kB) entry.output = &reference_[element(b, j, h, 0)];
            if (manifest.weights == "given") {
              const std::string name = std::string("coef_") + letter;
              const std::size_t width = static_cast<std::size_t>(width_[letter - 'a']);
              entry.weight = inputs_.at(name)[row * width + rank++];
            } else if (manifest.weights == "gated") {
              const std::size_t width = static_cast<std::size_t>(width_[letter - 'a']);
              const std::size_t at = (row * width + rank++) * static_cast<std::size_t>(dim);
              entry.gates = &inputs_.at(std::string("coef_") + letter)[at];
            } else {
              double score = 0;
              for (int d = 0; d < dim; ++d) {
                score += double{inputs_.at("q")[element(b, t, h, d)]} *
                         inputs_.at("k")[element(b, j, h, d)];
              }
              const double factor = side == Side::kA ? 1.0 - gamma_ : gamma_;
              entry.weight = factor * std::exp(scale_ * score);
              total += entry.weight;
            }
            entries.push_back(entry);
          }
        }
        for (int d = 0; d < dim; ++d) {
          double sum = 0;
          for (const Entry& entry : entries) {
            sum += (entry.gates ? entry.gates[d] : entry.weight) *
                   (entry.input ? entry.input[d] : entry.output[d]);
          }
          if (manifest.weights == "softmax") sum = total > 0 ? sum / total : 0;
          reference_[element(b, t, h, d)] = sum;
        }
      }
    }
  }
}

void Session::run(const std::string& op, int count) {
  const bool slices = op == "prefill by slices";
  for (const KernelEntry& kernel :
       slices ? artifact_.manifest.sliced : artifact_.manifest.kernels) {
    if (!slices && kernel.op != op) continue;
    for (int step = 0; step < (op == "decode" ? count : 1); ++step) {
      const int now = op == "decode" ? 1 : count;
      launch(kernel, now);
      done_ += now;
    }
    return;
  }
  unreachable("the artifact lacks the operation");
}

void Session::launch(const KernelEntry& kernel, int count) {
  std::map<std::string, Buffer> buffers;
  std::map<std::string, std::int32_t> sizes;
  std::map<std::string, float> scalars = {{"scale", scale_}, {"gamma", gamma_}};
  std::vector<void*> arguments;
  const auto state_name = [](const std::string& name) { return name.substr(name.find('_') + 1); };
  for (const Argument& argument : kernel.arguments) {
    if (argument.kind == ArgumentKind::kSize) {
      sizes[argument.name] = static_cast<std::int32_t>(extent(argument.name, count));
      arguments.push_back(&sizes[argument.name]);
      continue;
    }
    if (argument.kind == ArgumentKind::kScalar) {
      arguments.push_back(&scalars.at(argument.name));
      continue;
    }
    std::size_t size = 1;
    for (const std::string& part : argument.shape)
      size *= static_cast<std::size_t>(extent(part, count));
    Buffer& buffer = buffers[argument.name];
    const std::size_t width = size_of(argument.type);
    // Outputs start poisoned: what a kernel leaves unwritten cannot pass for a number.
    buffer.bytes.assign(size * width, 0xff);
    const auto input = inputs_.find(argument.name);
    if (input != inputs_.end()) {
      const std::size_t row =
          input->second.size() / static_cast<std::size_t>(shape_.batch * shape_.tokens);
      for (int b = 0; b < shape_.batch; ++b) {
        for (std::size_t e = 0; e < row * static_cast<std::size_t>(count); ++e) {
          const float value =
              input->second[row * static_cast<std::size_t>(b * shape_.tokens + done_) + e];
          const std::size_t to = row * static_cast<std::size_t>(b * count) + e;
          if (is_narrow(argument.type)) {
            const std::uint16_t narrow = narrowed(argument.type, value);
            std::memcpy(&buffer.bytes[to * 2], &narrow, 2);
          }
          if (argument.type == ElementType::kF32) std::memcpy(&buffer.bytes[to * 4], &value, 4);
        }
      }
    } else if (argument.access != Access::kWrite) {
      // Before the first token a cache is free (position 0) and its contents are poison.
      Buffer& held = state_[state_name(argument.name)];
      if (held.bytes.empty()) {
        const bool zero = argument.type == ElementType::kI32 || argument.name == "cache_state";
        held.bytes.assign(size * width, zero ? 0 : 0xff);
      }
      buffer = held;
    }
    arguments.push_back(buffer.bytes.data());
  }
  std::int32_t first = 0;
  std::int32_t last = shape_.batch * shape_.heads;
  if (kernel.grid.size() == 3) last *= std::stoi(kernel.grid[2]);
  arguments.push_back(&first);
  arguments.push_back(&last);
  library_.entry(kernel.symbol)(arguments.data());
  for (const Argument& argument : kernel.arguments) {
    if (argument.kind != ArgumentKind::kBuffer || argument.access == Access::kRead) continue;
    Buffer& buffer = buffers[argument.name];
    if (argument.name != "y") {
      state_[state_name(argument.name)] = buffer;
      continue;
    }
    for (int b = 0; b < shape_.batch; ++b) {
      for (int t = 0; t < count; ++t) {
        for (int h = 0; h < shape_.heads; ++h) {
          for (int d = 0; d < artifact_.manifest.head_dim; ++d) {
            const std::size_t from = static_cast<std::size_t>(
                ((b * count + t) * shape_.heads + h) * artifact_.manifest.head_dim + d);
            float value;
            std::uint16_t narrow;
            if (argument.type == ElementType::kF32) {
              std::memcpy(&value, &buffer.bytes[from * 4], 4);
            } else {
              std::memcpy(&narrow, &buffer.bytes[from * 2], 2);
              value = widened(argument.type, narrow);
            }
            y_[element(b, done_ + t, h, d)] = value;
          }
        }
      }
    }
  }
}

double Session::error() const {
  double worst = 0;
  double largest = 1e-30;
  for (int b = 0; b < shape_.batch; ++b) {
    for (std::size_t e = element(b, 0, 0, 0); e < element(b, done_, 0, 0); ++e) {
      if (!std::isfinite(y_[e])) return std::numeric_limits<double>::infinity();
      worst = std::max(worst, std::fabs(y_[e] - reference_[e]));
      largest = std::max(largest, std::fabs(reference_[e]));
    }
  }
  return worst / largest;
}

std::string Session::cache_problem() const {
  const Evaluator evaluator(pattern_);
  for (const Side side : {Side::kA, Side::kB}) {
    const std::string letter = side == Side::kA ? "a" : "b";
    const auto found = state_.find(letter + "_pos");
    if (found == state_.end()) continue;
    IntervalList live = evaluator.row(side, done_ + 1)->positions;
    live = intersection_of(live, {{1, done_}});
    const std::int64_t slots = slots_[side == Side::kA ? 0 : 1];
    for (int block = 0; block < shape_.batch * shape_.heads; ++block) {
      IntervalList held;
      for (std::int64_t slot = 0; slot < slots; ++slot) {
        std::int32_t position;
        std::memcpy(&position,
                    &found->second.bytes[static_cast<std::size_t>(block * slots + slot) * 4], 4);
        if (position != 0) held.push_back({position, position});
      }
      const std::size_t count = held.size();
      held = normalized(held);
      if (held != live || count_of(held) != static_cast<std::int64_t>(count)) {
        return "side " + letter + " holds the wrong positions after token " + std::to_string(done_);
      }
    }
  }
  return "";
}

}  // namespace heddle::test
