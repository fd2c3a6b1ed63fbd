// SPDX-License-Identifier: Apache-2.0
// expect: out_of_bounds
// launch: 1 64
// row 0 has no predecessor
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  y[t] = x[t] + x[t - 1];  // here
}
