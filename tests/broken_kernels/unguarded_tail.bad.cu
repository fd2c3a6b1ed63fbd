// SPDX-License-Identifier: Apache-2.0
// expect: out_of_bounds
// launch: 2 40
// the last block runs past the end
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = x[i];  // here
}
