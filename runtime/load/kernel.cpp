// SPDX-License-Identifier: Apache-2.0
#include "runtime/load/kernel.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <future>
#include <iterator>
#include <list>
#include <thread>
#include <utility>
#include <vector>

#include "patterns/sha256.hpp"
#include "runtime/load/cuda_driver.hpp"
#include "runtime/load/device_compiler.hpp"
#include "runtime/load/host_compiler.hpp"
#include "runtime/load/kernel_entry_text.hpp"
#include "runtime/load/launch_check.hpp"
#include "runtime/load/shared_object.hpp"
#include "runtime/load/worker_pool.hpp"

namespace heddle {
namespace {

namespace fs = std::filesystem;

// What heddle_entry of a compiled cpu kernel is.
using Entry = void(void** arguments);

struct CpuKernel {
  SharedObject object;
  Entry* entry = nullptr;
};

// The arguments in the form every launcher takes: pointers to values that stay where they are.
class ArgumentList {
 public:
  explicit ArgumentList(const std::vector<LaunchValue>& values) : values_(values) {
    for (LaunchValue& value : values_) {
      pointers_.push_back(match(
          value, [](void*& pointer) -> void* { return &pointer; },
          [](std::int32_t& number) -> void* { return &number; },
          [](float& number) -> void* { return &number; }));
    }
  }
  ArgumentList(const ArgumentList&) = delete;
  ArgumentList& operator=(const ArgumentList&) = delete;
  const std::vector<void*>& pointers() const { return pointers_; }

 private:
  std::vector<LaunchValue> values_;
  std::vector<void*> pointers_;
};

Result<std::string> read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{"cannot read " + path.string()};
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

bool is_file_name(const std::string& name) {
  return !name.empty() && name[0] != '.' && name.find_first_of("/\\") == std::string::npos;
}

// All texts of a folder except the manifest: the kernels and what they may include.
Result<std::map<std::string, std::string>> read_texts(const fs::path& folder) {
  std::map<std::string, std::string> files;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder, failure)) {
    static const std::array<const char*, 5> kExtensions{".cu", ".cuh", ".cpp", ".hpp", ".h"};
    const std::string extension = entry.path().extension().string();
    if (std::find(kExtensions.begin(), kExtensions.end(), extension) == kExtensions.end()) continue;
    auto text = read_file(entry.path());
    if (!text) return text.error();
    files[entry.path().filename().string()] = std::move(*text);
  }
  if (failure) return Error{"cannot read " + folder.string() + ": " + failure.message()};
  return files;
}

// What kernel files may include: the files that the manifest has digests of, and no others that
// happen to lie beside them.
std::map<std::string, std::string> headers_of(const Manifest& manifest,
                                              const std::map<std::string, std::string>& files) {
  std::map<std::string, std::string> headers;
  for (const IncludedFile& header : manifest.includes) {
    headers[header.file] = files.at(header.file);
  }
  return headers;
}

// Says what is wrong when `files` does not hold that file with those bytes.
std::optional<Error> misses_file(const std::map<std::string, std::string>& files,
                                 const std::string& name, const std::string& digest) {
  const auto file = files.find(name);
  if (!is_file_name(name) || file == files.end()) {
    return Error{"the artifact lacks the file \"" + name + "\""};
  }
  if (sha256_hex(file->second) != digest) {
    return Error{"\"" + name + "\" is not the file that the manifest was written for"};
  }
  return std::nullopt;
}

Result<CpuKernel> compile_for_cpu(const HostCompiler& compiler, const Manifest& manifest,
                                  const KernelEntry& entry,
                                  const std::map<std::string, std::string>& files) {
  CompileRequest request;
  request.files = headers_of(manifest, files);
  request.files[entry.file] = files.at(entry.file);
  request.files["kernel_entry.hpp"] = kernel_entry_text;
  request.files["kernel_main.cpp"] = "#include \"" + entry.file +
                                     "\"\n#include \"kernel_entry.hpp\"\nHEDDLE_KERNEL_ENTRY(" +
                                     entry.symbol + ")\n";
  request.sources = {"kernel_main.cpp"};
  request.flags = cpu_kernel_flags();
  const auto path = compiler.shared_object(request);
  if (!path) return path.error();
  auto object = SharedObject::open(path->string());
  if (!object) return object.error();
  CpuKernel kernel;
  kernel.object = std::move(*object);
  kernel.entry = kernel.object.function<Entry>("heddle_entry");
  const auto* signature =
      static_cast<const char* const*>(kernel.object.address_of("heddle_signature"));
  if (kernel.entry == nullptr || signature == nullptr) {
    return Error{path->string() + " lacks its entry"};
  }
  std::string expected;
  for (const Argument& argument : entry.arguments) {
    switch (argument.kind) {
      case ArgumentKind::kBuffer:
        expected += argument.access == Access::kRead ? 'c' : 'p';
        break;
      case ArgumentKind::kSize:
        expected += 'i';
        break;
      case ArgumentKind::kScalar:
        expected += 'f';
        break;
    }
  }
  if (*signature != expected + "ii") {
    return Error{entry.symbol + " does not take the arguments that the manifest lists"};
  }
  return kernel;
}

Result<DeviceFunction> compile_for_cuda(DeviceCompiler& compiler, const CudaDriver& driver,
                                        const Manifest& manifest, const KernelEntry& entry,
                                        const std::map<std::string, std::string>& files) {
  const auto code = compiler.cubin(entry.file, files.at(entry.file), headers_of(manifest, files),
                                   driver.architecture());
  if (!code) return code.error();
  return driver.load(*code, entry.symbol);
}

}  // namespace

const std::vector<std::string>& cpu_kernel_flags() {
  static const std::vector<std::string> kFlags = {
      "-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fopenmp-simd", "-w"};
  return kFlags;
}

struct KernelArtifact::State {
  Manifest manifest;
  std::map<std::string, CpuKernel> cpu;  // by symbol
  std::unique_ptr<WorkerPool> pool;
  std::optional<CudaDriver> driver;
  std::map<std::string, DeviceFunction> device;

  std::optional<Error> compile(const std::map<std::string, std::string>& files,
                               const LoadOptions& options);
};

std::optional<Error> KernelArtifact::State::compile(const std::map<std::string, std::string>& files,
                                                    const LoadOptions& options) {
  if (manifest.target == "cpu") {
    const auto compiler = HostCompiler::find();
    if (!compiler) return compiler.error();
    // The compiler works on one text at a time: each gets its own.
    std::vector<std::pair<std::string, std::future<Result<CpuKernel>>>> compiled;
    for (const std::vector<KernelEntry>* kernels : {&manifest.kernels, &manifest.sliced}) {
      for (const KernelEntry& entry : *kernels) {
        compiled.emplace_back(entry.symbol, std::async(std::launch::async, [&, this] {
                                return compile_for_cpu(*compiler, manifest, entry, files);
                              }));
      }
    }
    for (auto& [symbol, waiting] : compiled) {
      auto kernel = waiting.get();
      if (!kernel) return kernel.error();
      cpu[symbol] = std::move(*kernel);
    }
    const int processors = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    pool = std::make_unique<WorkerPool>(options.threads > 0 ? options.threads : processors);
    return std::nullopt;
  }
  auto opened = CudaDriver::open(options.device);
  if (!opened) return opened.error();
  driver = std::move(*opened);
  DeviceCompiler compiler;
  for (const KernelEntry& entry : manifest.kernels) {
    for (const KernelEntry* const launched : launches_of(entry)) {
      auto function = compile_for_cuda(compiler, *driver, manifest, *launched, files);
      if (!function) return function.error();
      device[launched->symbol] = std::move(*function);
    }
  }
  return std::nullopt;
}

KernelArtifact::KernelArtifact(std::unique_ptr<State> state) : state_(std::move(state)) {}
KernelArtifact::KernelArtifact(KernelArtifact&&) noexcept = default;
KernelArtifact& KernelArtifact::operator=(KernelArtifact&&) noexcept = default;
KernelArtifact::~KernelArtifact() = default;
const Manifest& KernelArtifact::manifest() const { return state_->manifest; }

const CudaDriver* KernelArtifact::device() const {
  return state_->driver ? &*state_->driver : nullptr;
}

Result<KernelArtifact> KernelArtifact::load(const fs::path& folder, const LoadOptions& options) {
  const auto text = read_file(folder / "manifest.json");
  if (!text) return text.error();
  auto manifest = parse_manifest(*text);
  if (!manifest) return manifest.error();
  auto files = read_texts(folder);
  if (!files) return files.error();
  return load(*manifest, *files, options);
}

Result<KernelArtifact> KernelArtifact::load(const Manifest& manifest,
                                            const std::map<std::string, std::string>& files,
                                            const LoadOptions& options) {
  if (manifest.verdict == "verified" && manifest.causality != Causality::kProved &&
      !options.allow_unverified) {
    return Error{"the artifact calls itself verified, but its pattern is not proved causal"};
  }
  if (manifest.verdict != "verified" && !options.allow_unverified) {
    return Error{"the artifact is not verified (its manifest says \"" + manifest.verdict +
                 "\"): verify it, or ask for unverified kernels explicitly"};
  }
  for (const std::vector<KernelEntry>* kernels : {&manifest.kernels, &manifest.sliced}) {
    for (const KernelEntry& entry : *kernels) {
      if (const std::string fault = fault_of_steps(entry); !fault.empty()) {
        return Error{"the manifest's " + entry.op + " " + fault};
      }
      for (const KernelEntry* const launched : launches_of(entry)) {
        if (auto error = misses_file(files, launched->file, launched->sha256)) return *error;
      }
    }
  }
  for (const IncludedFile& header : manifest.includes) {
    if (auto error = misses_file(files, header.file, header.sha256)) return *error;
  }
  auto state = std::make_unique<State>();
  state->manifest = manifest;
  if (auto error = state->compile(files, options)) return *error;
  return KernelArtifact(std::move(state));
}

namespace {

struct BoundLaunch {
  BoundLaunch(const CheckedLaunch& launch, int threads_per_block)
      : arguments(launch.arguments),
        blocks(launch.blocks),
        shared_bytes(launch.shared_bytes),
        threads(threads_per_block) {}

  ArgumentList arguments;
  std::int64_t blocks;
  std::int64_t shared_bytes;
  int threads;
  const DeviceFunction* function = nullptr;
};

}  // namespace

struct BoundKernel::State {
  void run_on_cpu();

  // In order; one on the cpu. A list: arguments stay where they are.
  std::list<BoundLaunch> launches;
  Entry* entry = nullptr;
  WorkerPool* pool = nullptr;
  int workers = 1;  // of the pool that take part
  void* stream = nullptr;
  const CudaDriver* driver = nullptr;
};

BoundKernel::BoundKernel(std::unique_ptr<State> state) : state_(std::move(state)) {}
BoundKernel::BoundKernel(BoundKernel&&) noexcept = default;
BoundKernel& BoundKernel::operator=(BoundKernel&&) noexcept = default;
BoundKernel::~BoundKernel() = default;

// Neighbouring blocks lie side by side in memory, so a worker gets a range of them: its share, but
// at most kMostBlocks, so that workers of a busy machine can help each other out.
void BoundKernel::State::run_on_cpu() {
  constexpr std::int64_t kMostBlocks = 8;
  const ArgumentList& arguments = launches.front().arguments;
  const std::int64_t blocks = launches.front().blocks;
  const std::int64_t shares = workers;
  const std::int64_t range =
      std::clamp((blocks + shares - 1) / shares, std::int64_t{1}, kMostBlocks);
  std::atomic<std::int64_t> next{0};
  const auto work = [&] {
    std::vector<void*> own = arguments.pointers();
    std::int32_t first = 0, last = 0;
    own.push_back(&first);
    own.push_back(&last);
    for (;;) {
      const std::int64_t block = next.fetch_add(range);
      if (block >= blocks) return;
      first = static_cast<std::int32_t>(block);
      last = static_cast<std::int32_t>(std::min(block + range, blocks));
      entry(own.data());
    }
  };
  // Alone, a launch needs no turn at the pool, so that several callers run side by side.
  if (workers == 1) return work();
  pool->run([&](int worker) {
    if (worker < workers) work();
  });
}

// Blocks take equally long; with many more of them than threads the last round hardly counts.
bool leaves_threads_idle(std::int64_t blocks, int threads) {
  return blocks % threads != 0 && blocks < 4 * std::int64_t{threads};
}

std::optional<Error> BoundKernel::start() {
  if (state_->entry != nullptr) {
    state_->run_on_cpu();
    return std::nullopt;
  }
  // Launches of one stream run in the order they were started in, each when the one before is done.
  for (const BoundLaunch& launch : state_->launches) {
    std::vector<void*> arguments = launch.arguments.pointers();
    if (auto error = launch.function->launch(
            static_cast<int>(launch.blocks), launch.threads, arguments.data(),
            static_cast<int>(launch.shared_bytes), state_->stream)) {
      return error;
    }
  }
  return std::nullopt;
}

std::optional<Error> BoundKernel::run() {
  if (auto error = start()) return error;
  return state_->driver != nullptr ? state_->driver->synchronize() : std::nullopt;
}

Result<BoundKernel> KernelArtifact::bind(const std::string& op, const LaunchValues& values,
                                         const LaunchOptions& options) const {
  const auto kernel_for = [&](const std::vector<KernelEntry>& kernels) {
    const auto entry = std::find_if(kernels.begin(), kernels.end(),
                                    [&](const KernelEntry& kernel) { return kernel.op == op; });
    return entry != kernels.end() ? &*entry : nullptr;
  };
  const KernelEntry* entry = kernel_for(state_->manifest.kernels);
  if (entry == nullptr) return Error{"the artifact has no kernel for \"" + op + "\""};
  auto launches = check_launches(state_->manifest, *entry, values);
  if (!launches) return launches.error();
  const int loaded = state_->pool != nullptr ? state_->pool->threads() : 1;
  const int workers = options.threads > 0 ? std::min(options.threads, loaded) : loaded;
  const KernelEntry* const slices = kernel_for(state_->manifest.sliced);
  if (slices != nullptr && leaves_threads_idle(launches->front().blocks, workers)) {
    entry = slices;
    launches = check_launches(state_->manifest, *entry, values);
    if (!launches) return launches.error();
  }
  auto bound = std::make_unique<BoundKernel::State>();
  const std::vector<const KernelEntry*> entries = launches_of(*entry);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    bound->launches.emplace_back((*launches)[i], entries[i]->threads);
    if (state_->driver) bound->launches.back().function = &state_->device.at(entries[i]->symbol);
  }
  if (state_->driver) {
    bound->driver = &*state_->driver;
    bound->stream = options.stream;
  } else {
    bound->entry = state_->cpu.at(entry->symbol).entry;
    bound->pool = state_->pool.get();
    bound->workers = static_cast<int>(
        std::clamp(launches->front().blocks, std::int64_t{1}, static_cast<std::int64_t>(workers)));
  }
  return BoundKernel(std::move(bound));
}

std::optional<Error> KernelArtifact::launch(const std::string& op,
                                            const LaunchValues& values) const {
  auto bound = bind(op, values);
  if (!bound) return bound.error();
  return bound->run();
}

}  // namespace heddle
