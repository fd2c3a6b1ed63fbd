// SPDX-License-Identifier: Apache-2.0
#include "runtime/emulator/watched_module.hpp"

#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <optional>
#include <regex>

#include "runtime/emulator/device/bridge.hpp"
#include "runtime/emulator/device/texts.hpp"
#include "runtime/load/kernel_entry_text.hpp"

namespace heddle::emulator {
namespace {

namespace fs = std::filesystem;

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

}  // namespace

Result<fs::path> watched_module(const HostCompiler& compiler, const KernelText& kernel,
                                Watch watch) {
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

}  // namespace heddle::emulator
