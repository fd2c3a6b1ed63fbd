// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 32
// a shuffle exchanges registers and orders nothing else
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[32];
  const int t = threadIdx.x;
  tile[t] = x[t];
  const float other = __shfl_xor_sync(0xffffffffu, x[t], 1);
  y[t] = tile[t ^ 1];  // here
  y[t + 32] = other;
}
