// SPDX-License-Identifier: Apache-2.0
// expect: race_global
// launch: 2 16
// the stride over a grid is that of one block
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x) y[i] = 2.0f * x[i];  // here
}
