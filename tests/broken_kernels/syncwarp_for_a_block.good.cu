// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// the block waits
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  tile[t] = x[t];
  __syncthreads();
  y[t] = tile[(t + 32) % 64];
}
