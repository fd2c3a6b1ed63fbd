// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// a tile is reversed by way of a register
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  tile[t] = x[t];
  __syncthreads();
  const float other = tile[63 - t];
  __syncthreads();
  tile[t] = other;
  __syncthreads();
  y[t] = tile[t];
}
