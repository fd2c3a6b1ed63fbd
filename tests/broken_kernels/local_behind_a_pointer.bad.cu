// SPDX-License-Identifier: Apache-2.0
// expect: out_of_bounds
// launch: 1 64
// a register array one element shorter than what a helper fills, which has a pointer only
__device__ inline void fill(float* part, const float* x) {
  for (int k = 0; k < 4; ++k) part[k] = x[(threadIdx.x + k) % 64];  // here
}
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  float part[3];
  fill(part, x);
  y[threadIdx.x] = part[0] + part[n % 3];
}
