// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 2 16
// every block starts at its own element
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int first = blockIdx.x * blockDim.x + threadIdx.x;
  for (int i = first; i < n; i += blockDim.x * gridDim.x) y[i] = 2.0f * x[i];
}
