// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 64
// the sum is read while others still add to it
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ int sum;
  const int t = threadIdx.x;
  if (t == 0) sum = 0;
  __syncthreads();
  atomicAdd(&sum, t);  // here
  y[t] = float(sum);
}
