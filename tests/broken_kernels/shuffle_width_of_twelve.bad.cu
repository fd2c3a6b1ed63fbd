// SPDX-License-Identifier: Apache-2.0
// expect: collective_mismatch
// launch: 1 64
// the width of a shuffle is no power of two
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  y[t] = __shfl_down_sync(0xffffffffu, x[t], 1, 12);  // here
}
