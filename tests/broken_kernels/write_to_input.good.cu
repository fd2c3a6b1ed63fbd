// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// the repaired twin
extern "C" __global__ void kernel(float* x, float* y, int n) {
  const int t = threadIdx.x;
  const float v = 2.0f * x[t];
  y[t] = v;
}
