// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 4 16
// the grid is rounded up
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 2.0f * x[i];
}
