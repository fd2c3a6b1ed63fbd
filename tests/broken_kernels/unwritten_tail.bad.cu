// SPDX-License-Identifier: Apache-2.0
// expect: unwritten
// launch: 1 64
// the division drops the remainder
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int rounds = 64 / 24;
  for (int round = 0; round < rounds; ++round) {
    const int i = round * 24 + threadIdx.x;
    if (threadIdx.x < 24) y[i] = x[i];
  }
}
