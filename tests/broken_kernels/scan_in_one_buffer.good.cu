// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// a prefix sum reads, waits and writes
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float sum[64];
  const int t = threadIdx.x;
  sum[t] = x[t];
  for (int step = 1; step < 64; step *= 2) {
    __syncthreads();
    const float before = t >= step ? sum[t - step] : 0.0f;
    __syncthreads();
    sum[t] += before;
  }
  __syncthreads();
  y[t] = sum[t];
}
