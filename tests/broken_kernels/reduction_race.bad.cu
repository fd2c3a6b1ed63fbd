// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 64
// the tree halves before the other half has been added
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float sum[64];
  const int t = threadIdx.x;
  sum[t] = x[t];
  __syncthreads();
  for (int width = 32; width > 0; width /= 2) {
    if (t < width) sum[t] += sum[t + width];  // here
  }
  __syncthreads();
  y[t] = sum[0];
}
