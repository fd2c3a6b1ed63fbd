// SPDX-License-Identifier: Apache-2.0
// A fuzz target without libFuzzer: runs it on every file of the folders that are named, and on
// seeded edits of each. Usage: NAME_replay EDITS FOLDER...
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void run(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

void edit(std::string& bytes, std::mt19937_64& random) {
  const auto somewhere = [&] { return bytes.empty() ? 0 : random() % bytes.size(); };
  const std::size_t at = somewhere();
  switch (random() % 4) {
    case 0:
      bytes.erase(at, 1 + random() % 16);
      break;
    case 1:
      bytes.insert(at, bytes.substr(somewhere(), random() % 24));
      break;
    case 2:
      bytes.insert(at, 1, "(){}[]|&-+*/^=<>,:;.\"ik01fAB \n"[random() % 31]);
      break;
    default:
      if (!bytes.empty()) bytes[at] = static_cast<char>(random());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int edits = argc > 1 ? std::atoi(argv[1]) : 0;
  std::vector<std::string> paths;
  for (int a = 2; a < argc; ++a) {
    for (const auto& file : std::filesystem::directory_iterator(argv[a])) {
      paths.push_back(file.path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::mt19937_64 random(5);
  for (const std::string& path : paths) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    run(bytes);
    for (int e = 0; e < edits; ++e) {
      std::string edited = bytes;
      for (std::size_t more = 1 + random() % 3; more > 0; --more) edit(edited, random);
      run(edited);
    }
  }
  std::printf("%zu files, %zu inputs\n", paths.size(), paths.size() * (1 + edits));
  return paths.empty() ? 1 : 0;
}
