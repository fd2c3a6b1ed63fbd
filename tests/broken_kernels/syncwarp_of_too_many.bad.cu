// SPDX-License-Identifier: Apache-2.0
// expect: collective_mismatch
// launch: 1 64
// a warp barrier names lanes that are in another branch
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  tile[t] = 0.0f;
  __syncthreads();
  if (t % 32 < 8) {
    tile[t] = x[t];
    __syncwarp(0xffffffffu);  // here
    tile[t] += 1.0f;
  }
  __syncthreads();
  y[t] = tile[t];
}
