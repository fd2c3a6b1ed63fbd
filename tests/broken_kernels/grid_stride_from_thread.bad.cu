// SPDX-License-Identifier: Apache-2.0
// expect: race_global
// launch: 2 16
// every block starts at the first element
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  for (int i = threadIdx.x; i < n; i += blockDim.x * gridDim.x) y[i] = 2.0f * x[i];  // here
  if (blockIdx.x == 1) y[threadIdx.x + 16] = 0.0f, y[threadIdx.x + 48] = 0.0f;
}
