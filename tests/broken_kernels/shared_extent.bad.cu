// SPDX-License-Identifier: Apache-2.0
// expect: out_of_bounds
// launch: 1 64
// a tile one element too small
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[63];
  __shared__ float other[64];
  const int t = threadIdx.x;
  tile[t] = x[t];  // here
  other[t] = x[63 - t];
  __syncthreads();
  y[t] = tile[63 - t] + other[t];
}
