// SPDX-License-Identifier: Apache-2.0
// expect: arithmetic
// launch: 1 64
// a 32-bit product that leaves its range
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  const int stride = n * 1000003;
  y[t] = x[(t * stride) & 63];  // here
}
