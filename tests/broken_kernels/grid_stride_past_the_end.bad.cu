// SPDX-License-Identifier: Apache-2.0
// expect: out_of_bounds
// launch: 2 32
// the last round of a grid stride includes the end
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int first = blockIdx.x * blockDim.x + threadIdx.x;
  for (int i = first; i <= n; i += blockDim.x * gridDim.x) y[i] = 2.0f * x[i];  // here
}
