// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 4 16
// the repaired twin
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int i = blockIdx.x * 16 + threadIdx.x;
  y[i] = x[i];
  __syncthreads();
  if (threadIdx.x == 0 && blockIdx.x > 0 && y[i + 1] < -1.0e30f) y[i + 2] = 0.0f;
}
