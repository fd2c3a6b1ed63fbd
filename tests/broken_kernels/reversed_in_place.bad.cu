// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 64
// a tile is reversed in place
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  tile[t] = x[t];
  __syncthreads();
  tile[t] = tile[63 - t];  // here
  __syncthreads();
  y[t] = tile[t];
}
