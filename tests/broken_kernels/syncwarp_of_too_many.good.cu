// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// the warp barrier is outside the branch
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  tile[t] = 0.0f;
  __syncthreads();
  if (t % 32 < 8) tile[t] = x[t];
  __syncwarp(0xffffffffu);
  if (t % 32 < 8) tile[t] += 1.0f;
  __syncthreads();
  y[t] = tile[t];
}
