// SPDX-License-Identifier: Apache-2.0
// expect: out_of_bounds
// launch: 1 64
// the remainder of a negative number is negative
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  y[t] = x[(t - 3) % n];  // here
}
