// SPDX-License-Identifier: Apache-2.0
// expect: out_of_bounds
// launch: 2 32
// a row of 20 entries is read by all 32 lanes, and the last row ends the array
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int lane = threadIdx.x, row = blockIdx.x + 1;
  float v = x[row * 20 + lane];  // here
  for (int mask = 16; mask > 0; mask /= 2) v += __shfl_xor_sync(0xffffffffu, v, mask);
  y[blockIdx.x * 32 + lane] = v;
}
