// SPDX-License-Identifier: Apache-2.0
// heddle_alarms FIRST COUNT [SECONDS]: verifies the random kernels FIRST .. FIRST + COUNT - 1, or
// as many as the seconds allow, and prints every complaint. The last line says where to go on.
// Fails where there was a complaint.
#include <stdlib.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "tests/alarms/random_kernel.hpp"

int main(int argc, char** argv) {
  using namespace heddle::alarms;
  if (argc < 3) return 2;
  const unsigned long long first = std::strtoull(argv[1], nullptr, 10);
  const unsigned long long count = std::strtoull(argv[2], nullptr, 10);
  const std::time_t end = std::time(nullptr) + (argc > 3 ? std::strtol(argv[3], nullptr, 10) : 800);
  std::string cache = (std::filesystem::temp_directory_path() / "heddle-alarms-XXXXXX").string();
  if (mkdtemp(cache.data()) == nullptr) return 1;
  setenv("HEDDLE_CACHE_DIR", cache.c_str(), 1);

  unsigned long long next = first, alarms = 0;
  for (; next < first + count && std::time(nullptr) < end; ++next) {
    const RandomKernel kernel = random_kernel(next);
    const std::string heard = complaint(kernel);
    std::error_code ignored;
    if (next % 50 == 49)
      std::filesystem::remove_all(std::filesystem::path(cache) / "host", ignored);
    if (heard.empty()) continue;
    ++alarms;
    std::printf("%llu: %s\n%s%s\n", next, kernel.describe().c_str(), kernel.source.c_str(),
                heard.c_str());
    std::fflush(stdout);
  }
  std::filesystem::remove_all(cache);
  std::printf("%llu kernels, %llu alarms; next is %llu\n", next - first, alarms, next);
  return alarms == 0 ? 0 : 1;
}
