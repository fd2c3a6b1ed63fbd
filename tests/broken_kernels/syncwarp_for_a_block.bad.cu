// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 64
// a warp barrier stands where the block must wait
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  tile[t] = x[t];  // here, where the other warp has read already
  __syncwarp();
  y[t] = tile[(t + 32) % 64];  // here
}
