// SPDX-License-Identifier: Apache-2.0
// expect: race_global
// launch: 4 16
// a block counts on the one before it having run
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int i = blockIdx.x * 16 + threadIdx.x;
  y[i] = x[i];  // here
  __syncthreads();
  if (threadIdx.x == 0 && blockIdx.x > 0 && y[i - 1] < -1.0e30f) y[i + 1] = 0.0f;  // here
}
