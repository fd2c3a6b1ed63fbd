// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 4 16
// the repaired twin
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  const int i = blockIdx.x * 16 + t;
  if (i > 0) y[i] = x[i];
  if (i == 0) y[0] = x[i];
}
