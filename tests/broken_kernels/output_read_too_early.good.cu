// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 1
// the repaired twin
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  for (int i = 0; i < n; ++i) y[i] = x[i] + (i > 0 ? 0.5f * y[i - 1] : 0.0f);
}
