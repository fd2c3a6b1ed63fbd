// SPDX-License-Identifier: Apache-2.0
// expect: unwritten
// launch: 3 16
// the grid is rounded down and nobody takes the rest
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 2.0f * x[i];
}
