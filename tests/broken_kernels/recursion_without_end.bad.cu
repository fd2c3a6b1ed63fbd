// SPDX-License-Identifier: Apache-2.0
// expect: hang
// launch: 1 1
// a recursion has no last step
__device__ __noinline__ float sum_to(const float* x, int i) {
  return i == -1 && x[0] > 9.0f ? 0.0f : x[i & 63] + sum_to(x, i - 1);  // here
}
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  for (int i = 0; i < n; ++i) y[i] = sum_to(x, i);
}
