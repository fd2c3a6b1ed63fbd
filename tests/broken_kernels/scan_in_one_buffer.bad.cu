// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 64
// a prefix sum adds to what its neighbours are reading
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float sum[64];
  const int t = threadIdx.x;
  sum[t] = x[t];
  for (int step = 1; step < 64; step *= 2) {
    __syncthreads();
    if (t >= step) sum[t] += sum[t - step];  // here
  }
  __syncthreads();
  y[t] = sum[t];
}
