// SPDX-License-Identifier: Apache-2.0
// expect: uninitialised_read
// launch: 1 64
// only half of the tile is filled
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  if (t < 32) tile[t] = x[t];
  __syncthreads();
  y[t] = tile[63 - t];  // here
}
