// SPDX-License-Identifier: Apache-2.0
#include "runtime/emulator/emulated_kernel.hpp"

#include <algorithm>
#include <cctype>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <regex>
#include <utility>

#include "runtime/emulator/device/texts.hpp"
#include "runtime/emulator/engine.hpp"
#include "runtime/emulator/gap_notes.hpp"
#include "runtime/load/host_compiler.hpp"
#include "runtime/load/kernel_entry_text.hpp"

namespace heddle::emulator {
namespace {

namespace fs = std::filesystem;

// A CUDA thread has at most 512 KiB of local memory; the pages of a stack exist once touched.
constexpr std::size_t kCudaStack = std::size_t{1} << 20;
constexpr std::size_t kCpuStack = std::size_t{64} << 20;

// What a module watches: every access, each once; or that a thread's own arrays are not left behind
// a pointer, as a helper that is compiled apart has it. No compiler does both in one.
enum class Watch { kAccesses, kGaps };

// What makes the compiler report every access. The order of optimisation matters: above -O1
// neighbouring accesses are merged and would be checked as one.
std::vector<std::string> instrumenting_flags(Dialect dialect, Scalars scalars, Watch watch) {
  // Over the field arithmetic on indices is what it was over the reals, where it is watched; the
  // rest keeps a broken text from breaking the emulator.
  const bool real = scalars == Scalars::kReal;
  std::vector<std::string> flags = {
      dialect == Dialect::kCuda ? "-std=c++17" : "-std=c++20",
      "-DHEDDLE_EMULATED",  // working memory of cpu kernels comes from the emulator
      "-O1",
      "-g1",
      "-gdwarf-4",          // in version 5 g++ 12 names the wrong file for an #included text
      "-fno-var-tracking",  // where variables are: half of the time, and nobody asks

      "-w",
      real ? "-fsanitize=bounds,object-size,alignment,signed-integer-overflow,integer-"
             "divide-by-zero,"
             "shift"
           : "-fsanitize=bounds,integer-divide-by-zero",
      "-fsanitize-coverage=trace-pc",
      "-ftrivial-auto-var-init=pattern",  // uninitialised locals are at least the same ones
      "-ffp-contract=off",
      "-fno-strict-aliasing",
      "-fno-exceptions",
      "-fno-threadsafe-statics",
      "-fno-weak",  // __shared__ variables of templates and inline functions stay in one section
      "-nodefaultlibs",  // not the sanitizers' own libraries
      "-Wl,-Bsymbolic"};
  const auto add = [&](std::initializer_list<const char*> more) {
    flags.insert(flags.end(), more.begin(), more.end());
  };
  if (watch == Watch::kAccesses) {
    add({"-fsanitize=thread", "--param", "tsan-instrument-func-entry-exit=0"});
  } else {
    add({"-fsanitize=kernel-address", "-fsanitize-address-use-after-scope", "--param",
         "asan-stack=1", "--param", "asan-instrument-allocas=1", "--param", "asan-globals=0",
         "--param", "asan-use-after-return=0", "--param",
         "asan-instrumentation-with-call-threshold=0"});
    flags.push_back("-fasan-shadow-offset=" + std::to_string(heddle_emulated::kGapNotes));
  }
  return flags;
}

bool is_identifier(const std::string& name) {
  return !name.empty() && !std::isdigit(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

// The one thing that is not compiled as it stands: C++ has no way to say `extern __shared__`. Line
// numbers stay.
std::string with_dynamic_shared(const std::string& text, bool& found) {
  static const std::regex declaration(
      R"(\bextern\s+__shared__\s+(?:__align__\(\d+\)\s+)?(\w+(?:\s+\w+)*)\s+(\w+)\s*\[\s*\]\s*;)");
  found = std::regex_search(text, declaration);
  return found ? std::regex_replace(text, declaration, "HEDDLE_DYNAMIC_SHARED($1, $2);") : text;
}

// An include of a text to which these words mean nothing: there is no assembly, and attributes that
// switch instrumentation off are unknown, so that they do nothing.
std::string include_watched(const std::string& file) {
  std::string taken, given_back;
  const auto take = [&](const std::string& word, const char* meaning) {
    taken += "#define " + word + " " + meaning + "\n";
    given_back += "#undef " + word + "\n";
  };
  for (const char* const word : {"asm", "__asm", "__asm__"}) {
    take(word, "assembly_cannot_be_watched");
  }
  for (const std::string word :
       {"no_sanitize", "no_sanitize_thread", "no_sanitize_address", "no_address_safety_analysis",
        "no_sanitize_undefined", "no_sanitize_coverage"}) {
    take(word, "heddle_unknown");
    take("__" + word + "__", "heddle_unknown");
  }
  return taken + "#include \"" + file + "\"\n" + given_back;
}

// The hooks are the same for every kernel of a kind: an object file that is made once.
Result<fs::path> hooks_object(const HostCompiler& compiler, const std::vector<std::string>& flags) {
  CompileRequest request;
  request.files["bridge.hpp"] = texts::bridge;
  request.files["hooks.cpp"] = texts::hooks;
  request.sources = {"hooks.cpp"};
  request.flags = flags;
  request.flags.push_back("-c");
  return compiler.shared_object(request);
}

// Where threads do not share what they work on; over the reals, as it is shipped.
bool has_gaps_watched(const KernelText& kernel) {
  return kernel.dialect == Dialect::kCpu && kernel.scalars == Scalars::kReal;
}

bool speaks_of(const KernelText& kernel, const char* header) {
  return kernel.text.find(header) != std::string::npos ||
         std::any_of(kernel.includes.begin(), kernel.includes.end(), [&](const auto& file) {
           return file.second.find(header) != std::string::npos;
         });
}

// A word by which a text could tell this compilation from the one that is shipped.
std::optional<std::string> asks_whether_watched(const std::string& text) {
  static const std::regex telling(
      R"(\b(HEDDLE_EMULATED|HEDDLE_HAS_FIELD|__SANITIZE_(THREAD|ADDRESS)__|__CUDACC__|__NVCC__|__CUDA_ARCH__)\b)");
  std::smatch word;
  if (!std::regex_search(text, word, telling)) return std::nullopt;
  return word.str();
}

Result<CompileRequest> compilation_of(const KernelText& kernel, Watch watch) {
  if (!is_identifier(kernel.symbol)) {
    return Error{"\"" + kernel.symbol + "\" is not the name of a function"};
  }
  if (const auto word = asks_whether_watched(kernel.text)) {
    return Error{"the text speaks of " + *word + ", by which it could be another one when watched"};
  }
  CompileRequest request;
  request.files = kernel.includes;
  request.files["bridge.hpp"] = texts::bridge;
  request.files["kernel_entry.hpp"] = kernel_entry_text;
  request.files["watched_copies.hpp"] = texts::watched_copies;
  std::string main = "#include \"bridge.hpp\"\n#include \"watched_copies.hpp\"\n";
  // The standard headers that a cpu text may include have to be over before float changes.
  if (kernel.dialect == Dialect::kCpu) {
    for (const char* const header :
         {"<algorithm>", "<cmath>", "<cstddef>", "<cstdint>", "<cstdlib>", "<cstring>"}) {
      if (speaks_of(kernel, header)) main += std::string("#include ") + header + "\n";
    }
  }
  if (kernel.scalars == Scalars::kField) {
    request.files["field.hpp"] = texts::field;
    main += "#include \"field.hpp\"\n";
  }
  if (kernel.dialect == Dialect::kCuda) {
    request.files["emulated_device.hpp"] = texts::emulated_device;
    main += "#include \"emulated_device.hpp\"\n";
  }
  main += include_watched(kernel.file) + "#include \"kernel_entry.hpp\"\nHEDDLE_KERNEL_ENTRY(" +
          kernel.symbol + ")\n";
  request.files["emulated_main.cpp"] = main;
  if (request.files.count(kernel.file) != 0) {
    return Error{"\"" + kernel.file + "\" names both the kernel and a file it includes"};
  }
  bool dynamic = false;
  request.files[kernel.file] = with_dynamic_shared(kernel.text, dynamic);
  // What a text may include for what emulated_device.hpp declares already.
  request.files.emplace("cuda_pipeline.h", "");
  request.sources = {"emulated_main.cpp"};
  request.flags = instrumenting_flags(kernel.dialect, kernel.scalars, watch);
  request.flags.push_back("-I.");
  if (dynamic) request.flags.push_back("-DHEDDLE_HAS_DYNAMIC_SHARED");
  if (kernel.scalars == Scalars::kField) {
    request.flags.push_back("-DHEDDLE_HAS_FIELD");
    // Over the reals rows are taken eight channels at a time, here as on the widest processors.
    request.flags.push_back("-DHEDDLE_MOST_LANES=16");
  }
  request.libraries = {"-lm", "-lc", "-lgcc"};
  return request;
}

Result<fs::path> module_of(const HostCompiler& compiler, const KernelText& kernel, Watch watch) {
  auto request = compilation_of(kernel, watch);
  if (!request) return request.error();
  std::vector<std::string> hooks_flags =
      instrumenting_flags(kernel.dialect, kernel.scalars, Watch::kAccesses);
  for (const std::string& flag : request->flags) {
    if (flag.rfind("-D", 0) == 0 || flag.rfind("-I", 0) == 0) hooks_flags.push_back(flag);
  }
  const auto hooks = hooks_object(compiler, hooks_flags);
  if (!hooks) return hooks.error();
  request->libraries.insert(request->libraries.begin(), hooks->string());
  return compiler.shared_object(*request);
}

const char* kind_of(char letter) {
  switch (letter) {
    case 'p':
      return "a pointer";
    case 'c':
      return "a pointer to constants";
    case 'i':
      return "a 32-bit integer";
    case 'f':
      return "a float";
    default:
      return "of another type";
  }
}

bool accepts(char letter, Scalars scalars, const LaunchArgument& argument) {
  const bool real = scalars == Scalars::kReal;
  return match(
      argument, [&](BufferArgument) { return letter == 'p' || letter == 'c'; },
      [&](NullArgument) { return letter == 'p' || letter == 'c'; },
      [&](std::int32_t) { return letter == 'i'; }, [&](float) { return real && letter == 'f'; },
      [&](FieldElement) { return !real && letter == 'f'; });
}

}  // namespace

const char* name_of(LaneOrder order) {
  switch (order) {
    case LaneOrder::kForward:
      return "forward";
    case LaneOrder::kReverse:
      return "reverse";
    case LaneOrder::kShuffled:
      return "shuffled";
  }
  unreachable("a lane order of no kind");
}

struct EmulatedKernel::Loaded {
  std::mutex turn;
  std::string symbol;
  Dialect dialect;
  Scalars scalars;
  ModuleImage image;
  SourceLines lines;
  std::string parameters;  // letters, see device/bridge.hpp
  std::optional<ModuleImage> gaps;
  std::optional<SourceLines> lines_of_gaps;

  std::optional<Error> misfit(const Launch& launch) const;
  Result<std::vector<Finding>> overruns(const Launch& launch);
};

EmulatedKernel::EmulatedKernel(std::unique_ptr<Loaded> loaded) : loaded_(std::move(loaded)) {}
EmulatedKernel::EmulatedKernel(EmulatedKernel&&) noexcept = default;
EmulatedKernel& EmulatedKernel::operator=(EmulatedKernel&&) noexcept = default;
EmulatedKernel::~EmulatedKernel() = default;

Result<EmulatedKernel> EmulatedKernel::build(const KernelText& kernel) {
  const auto compiler = HostCompiler::find();
  if (!compiler) return compiler.error();
  if (!compiler->is_gcc()) {
    return machine_error("the emulator needs g++, and CXX names " + compiler->version());
  }
  std::future<Result<fs::path>> gaps_module;
  if (has_gaps_watched(kernel)) {
    gaps_module =
        std::async(std::launch::async, [&] { return module_of(*compiler, kernel, Watch::kGaps); });
  }
  const auto path = module_of(*compiler, kernel, Watch::kAccesses);
  const auto gaps_path = gaps_module.valid() ? gaps_module.get() : path;
  if (!path) return path.error();
  if (!gaps_path) return gaps_path.error();
  auto image = load_module(*path);
  if (!image) return image.error();
  const std::string parameters = *image->module->signature;
  const std::size_t unknown = parameters.find('?');
  if (unknown != std::string::npos) {
    return Error{"parameter " + std::to_string(unknown + 1) + " of " + kernel.symbol +
                 " is neither a pointer nor a 32-bit integer nor a float"};
  }
  if (kernel.dialect == Dialect::kCpu &&
      (parameters.size() < 2 || parameters.substr(parameters.size() - 2) != "ii")) {
    return Error{kernel.symbol + " does not end in two 32-bit integers, its range of blocks"};
  }
  auto loaded = std::unique_ptr<Loaded>(new Loaded{{},
                                                   kernel.symbol,
                                                   kernel.dialect,
                                                   kernel.scalars,
                                                   std::move(*image),
                                                   SourceLines(*path, kernel.file),
                                                   parameters,
                                                   std::nullopt,
                                                   std::nullopt});
  if (has_gaps_watched(kernel)) {
    auto gaps = load_module(*gaps_path);
    if (!gaps) return gaps.error();
    loaded->gaps = std::move(*gaps);
    loaded->lines_of_gaps.emplace(*gaps_path, kernel.file);
  }
  return EmulatedKernel(std::move(loaded));
}

std::optional<Error> EmulatedKernel::Loaded::misfit(const Launch& launch) const {
  const std::size_t own = parameters.size() - (dialect == Dialect::kCpu ? 2 : 0);
  if (launch.arguments.size() != own) {
    return Error{symbol + " takes " + std::to_string(own) + " arguments, the launch gives " +
                 std::to_string(launch.arguments.size())};
  }
  for (std::size_t i = 0; i < own; ++i) {
    if (!accepts(parameters[i], scalars, launch.arguments[i])) {
      return Error{"argument " + std::to_string(i + 1) + " of " + symbol + " is " +
                   kind_of(parameters[i])};
    }
    const auto* buffer = std::get_if<BufferArgument>(&launch.arguments[i]);
    if (buffer != nullptr && buffer->index >= launch.buffers.size()) {
      return Error{"argument " + std::to_string(i + 1) + " of " + symbol +
                   " names a buffer that the launch does not have"};
    }
  }
  const int most = dialect == Dialect::kCpu ? 1 : 1024;
  const std::size_t most_shared = scalars == Scalars::kField
                                      ? heddle_emulated::kMostDynamicSharedOfField
                                      : heddle_emulated::kMostDynamicShared;
  if (launch.dynamic_shared_bytes > most_shared) {
    return Error{"a block has at most " + std::to_string(most_shared) +
                 " bytes of dynamic shared memory"};
  }
  if (launch.blocks < 0 || launch.threads < 1 || launch.threads > most) {
    return Error{"a launch has at least one thread a block and at most " + std::to_string(most)};
  }
  return std::nullopt;
}

// What the launch does beyond a thread's own arrays.
Result<std::vector<Finding>> EmulatedKernel::Loaded::overruns(const Launch& launch) {
  Launch again = launch;
  again.check = again.count_requests = false;
  auto memory = Memory::create(again, *gaps);
  if (!memory) return memory.error();
  auto fibers = Fibers::create(again.threads, kCpuStack);
  if (!fibers) return fibers.error();
  const auto notes = GapNotes::of(*fibers);
  if (!notes) return notes.error();
  Engine engine(again, dialect, *gaps, *memory, *fibers, *lines_of_gaps);
  engine.watch_gaps();
  return engine.run().findings;
}

Result<EmulationResult> EmulatedKernel::run(const Launch& launch) {
  const std::lock_guard lock(loaded_->turn);
  if (const auto misfit = loaded_->misfit(launch)) return *misfit;
  auto& kernel = *loaded_;
  auto memory = Memory::create(launch, loaded_->image);
  if (!memory) return memory.error();
  auto fibers =
      Fibers::create(launch.threads, kernel.dialect == Dialect::kCuda ? kCudaStack : kCpuStack);
  if (!fibers) return fibers.error();
  Engine engine(launch, kernel.dialect, kernel.image, *memory, *fibers, kernel.lines);
  EmulationResult result = engine.run();
  if (kernel.gaps && launch.check && result.completed && result.findings.empty()) {
    auto findings = kernel.overruns(launch);
    if (!findings) return findings.error();
    result.findings = std::move(*findings);
  }
  memory->copy_back(launch);
  return result;
}

std::vector<std::pair<int, int>> EmulatedKernel::lines_never_run() {
  const std::lock_guard lock(loaded_->turn);
  const ModuleImage& image = loaded_->image;
  const auto ran = [&](std::uint32_t site) { return image.ran(site); };
  if (std::all_of(image.blocks.begin(), image.blocks.end(), ran)) return {};
  loaded_->lines.prepare(image.blocks);
  std::map<int, bool> entered;  // by line: any of its blocks
  for (const std::uint32_t block : image.blocks) {
    const int line = loaded_->lines.own_line(block);
    if (line > 0) entered[line] = entered[line] || ran(block);
  }
  std::vector<std::pair<int, int>> never;
  bool open = false;
  for (const auto& [line, any] : entered) {
    if (any) {
      open = false;
    } else if (open) {
      never.back().second = line;
    } else {
      never.emplace_back(line, line);
      open = true;
    }
  }
  return never;
}

}  // namespace heddle::emulator
