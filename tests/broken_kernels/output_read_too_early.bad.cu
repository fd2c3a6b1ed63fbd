// SPDX-License-Identifier: Apache-2.0
// expect: uninitialised_read
// launch: 1 1
// a recurrence that starts from an output nobody wrote
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  for (int i = 0; i < n; ++i) y[i] = x[i] + 0.5f * y[i > 0 ? i - 1 : n - 1];  // here
}
