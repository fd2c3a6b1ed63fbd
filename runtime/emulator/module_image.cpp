// SPDX-License-Identifier: Apache-2.0
#include "runtime/emulator/module_image.hpp"

#include <cxxabi.h>
#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <utility>

namespace heddle::emulator {
namespace {

// "_ZZ6kernelE4tile" -> "tile", "tile.0" -> "tile"
std::string variable_name(const char* symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(symbol, nullptr, nullptr, &status), &std::free);
  std::string name = status == 0 ? demangled.get() : symbol;
  const std::size_t scope = name.rfind("::");
  if (scope != std::string::npos) name = name.substr(scope + 2);
  return name.substr(0, name.find('.'));
}

// A record of an ELF file at a byte offset; the file is our own compiler's, but may be cut short.
template <typename Record>
bool read_record(const std::string& file, std::size_t offset, Record& record) {
  if (offset > file.size() || file.size() - offset < sizeof record) return false;
  std::memcpy(&record, file.data() + offset, sizeof record);
  return true;
}

std::vector<SharedVariable> shared_variables(const std::string& file, std::uintptr_t base,
                                             std::uintptr_t begin, std::uintptr_t end) {
  std::vector<SharedVariable> variables;
  ElfW(Ehdr) header;
  if (!read_record(file, 0, header)) return variables;
  const auto section = [&](std::size_t index, ElfW(Shdr) & into) {
    return read_record(file, header.e_shoff + index * sizeof into, into);
  };
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    ElfW(Shdr) table, names;
    if (!section(i, table) || table.sh_type != SHT_SYMTAB || !section(table.sh_link, names)) {
      continue;
    }
    for (std::size_t at = 0; at + sizeof(ElfW(Sym)) <= table.sh_size; at += sizeof(ElfW(Sym))) {
      ElfW(Sym) symbol;
      if (!read_record(file, table.sh_offset + at, symbol)) break;
      const std::uintptr_t address = base + symbol.st_value;
      if ((symbol.st_info & 15) != STT_OBJECT || address < begin || address >= end) continue;
      const std::size_t name_at = names.sh_offset + symbol.st_name;
      if (name_at >= file.size()) continue;
      // The string is bounded by the file's own end, c_str() of which is zero.
      const std::string name = variable_name(file.c_str() + name_at);
      if (name == "heddle_anchor") continue;
      variables.push_back({name, address, symbol.st_size});
    }
  }
  std::sort(variables.begin(), variables.end(),
            [](const auto& a, const auto& b) { return a.begin < b.begin; });
  return variables;
}

struct Span {
  const void* inside;
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  std::vector<std::pair<std::uintptr_t, std::uintptr_t>> code = {};
};

int find_span(dl_phdr_info* info, std::size_t, void* data) {
  auto* span = static_cast<Span*>(data);
  std::uintptr_t end = info->dlpi_addr;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& part = info->dlpi_phdr[i];
    if (part.p_type == PT_LOAD) {
      end = std::max<std::uintptr_t>(end, info->dlpi_addr + part.p_vaddr + part.p_memsz);
    }
  }
  const auto inside = reinterpret_cast<std::uintptr_t>(span->inside);
  if (inside < info->dlpi_addr || inside >= end) return 0;
  span->begin = info->dlpi_addr;
  span->end = end;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& part = info->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0) continue;
    const std::uintptr_t from = info->dlpi_addr + part.p_vaddr;
    span->code.emplace_back(from, from + part.p_memsz);
  }
  return 1;
}

// Where the code calls `target`: x86's near call, whose operand counts from behind it.
std::vector<std::uintptr_t> calls_of(std::uintptr_t target, const Span& span) {
  constexpr std::size_t kLength = 5;
  std::vector<std::uintptr_t> calls;
  for (const auto& [begin, end] : span.code) {
    for (std::uintptr_t at = begin; at + kLength <= end; ++at) {
      const auto* bytes = reinterpret_cast<const unsigned char*>(at);
      if (bytes[0] != 0xE8) continue;
      std::int32_t distance = 0;
      std::memcpy(&distance, bytes + 1, sizeof distance);
      if (at + kLength + static_cast<std::uintptr_t>(static_cast<std::intptr_t>(distance)) ==
          target) {
        calls.push_back(at + kLength);
      }
    }
  }
  return calls;
}

}  // namespace

Result<ModuleImage> load_module(const std::filesystem::path& path) {
  auto object = SharedObject::open_private_copy(path);
  if (!object) return object.error();
  ModuleImage image;
  image.object = std::move(*object);
  image.module = static_cast<heddle_emulated::Module*>(image.object.address_of("heddle_module"));
  if (image.module == nullptr) return Error{path.string() + " is not an emulated module"};
  Span span{image.module};
  if (dl_iterate_phdr(find_span, &span) == 0) return Error{"cannot find a module just loaded"};
  image.begin = span.begin;
  image.end = span.end;
  image.entered.resize(span.end - span.begin + 1);
  for (const std::uintptr_t call :
       calls_of(reinterpret_cast<std::uintptr_t>(image.module->block_entered), span)) {
    image.blocks.push_back(image.site_of(reinterpret_cast<const void*>(call)));
  }
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream content;
  content << stream.rdbuf();
  const std::string file = content.str();
  image.shared = shared_variables(file, image.begin,
                                  reinterpret_cast<std::uintptr_t>(image.module->shared_begin),
                                  reinterpret_cast<std::uintptr_t>(image.module->shared_end));
  return image;
}

}  // namespace heddle::emulator
