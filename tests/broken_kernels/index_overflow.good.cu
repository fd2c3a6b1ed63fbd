// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// the repaired twin
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  const long long stride = n * 1000003LL;
  y[t] = x[(t * stride) & 63];
}
