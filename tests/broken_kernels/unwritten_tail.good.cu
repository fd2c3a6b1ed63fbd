// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// the repaired twin
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int rounds = (64 + 23) / 24;
  for (int round = 0; round < rounds; ++round) {
    const int i = round * 24 + threadIdx.x;
    if (threadIdx.x < 24 && i < 64) y[i] = x[i];
  }
}
