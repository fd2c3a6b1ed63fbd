// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// the repaired twin
__device__ inline void fill(float* part, const float* x) {
  for (int k = 0; k < 4; ++k) part[k] = x[(threadIdx.x + k) % 64];
}
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  float part[4];
  fill(part, x);
  y[threadIdx.x] = part[0] + part[n % 3];
}
