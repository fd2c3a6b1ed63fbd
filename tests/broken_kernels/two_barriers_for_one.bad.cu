// SPDX-License-Identifier: Apache-2.0
// expect: barrier_divergence
// launch: 1 64
// each half waits at a barrier of its own
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  if (t < 32) {
    tile[t] = x[t];
    __syncthreads();
  } else {
    tile[t] = -x[t];
    __syncthreads();  // here
  }
  y[t] = tile[63 - t];
}
