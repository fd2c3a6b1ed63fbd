// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// a ring is walked backwards by adding its length first
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  y[t] = x[(t - 3 + n) % n];
}
