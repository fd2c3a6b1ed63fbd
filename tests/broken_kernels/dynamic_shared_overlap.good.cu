// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64 512
// two arrays carved out of one lie side by side
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  extern __shared__ float storage[];
  float* const tile = storage;
  float* const sums = storage + 64;
  const int t = threadIdx.x;
  tile[t] = x[t];
  sums[t] = 2.0f * x[t];
  __syncthreads();
  y[t] = tile[63 - t] + sums[t];
}
