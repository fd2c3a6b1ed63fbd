// SPDX-License-Identifier: Apache-2.0
// expect: out_of_bounds
// launch: 1 1
// <= where < belongs
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  float sum = 0.0f;
  for (int i = 0; i <= n; ++i) sum += x[i];  // here
  for (int i = 0; i < n; ++i) y[i] = sum;
}
