// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// the repaired twin
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  if (t < 32) y[t] = x[t];
  __syncthreads();
  if (t >= 32) y[t] = y[t - 32] + x[t];
}
