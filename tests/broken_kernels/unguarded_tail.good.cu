// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 2 40
// the repaired twin
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i];
}
