// SPDX-License-Identifier: Apache-2.0
// expect: race_global
// launch: 1 64
// an output is read back across threads without a barrier
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  if (t < 32) y[t] = x[t];  // here
  if (t >= 32) y[t] = y[t - 32] + x[t];  // here
}
