// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 1
// the repaired twin
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  float sum = 0.0f;
  for (int i = 0; i < n; ++i) sum += x[i];
  for (int i = 0; i < n; ++i) y[i] = sum;
}
