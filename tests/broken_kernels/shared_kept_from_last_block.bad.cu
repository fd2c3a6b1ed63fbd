// SPDX-License-Identifier: Apache-2.0
// expect: uninitialised_read
// launch: 2 32
// only the first block fills the table
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float table[32];
  const int i = blockIdx.x * 32 + threadIdx.x;
  if (blockIdx.x == 0) table[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[i] = table[31 - threadIdx.x];  // here
}
