// SPDX-License-Identifier: Apache-2.0
// expect: barrier_divergence
// launch: 1 64
// half of the block never meets the other half
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  tile[t] = x[t];
  if (t < 32) {
    __syncthreads();  // here
    y[t] = tile[t + 32];
    y[t + 32] = tile[t];
  }
}
