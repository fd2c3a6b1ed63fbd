// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 64 512
// two arrays carved out of one overlap
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  extern __shared__ float storage[];
  float* const tile = storage;
  float* const sums = storage + 32;
  const int t = threadIdx.x;
  tile[t] = x[t];  // here
  sums[t] = 2.0f * x[t];  // here
  __syncthreads();
  y[t] = tile[63 - t] + sums[t];
}
