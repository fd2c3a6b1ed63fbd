// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 64
// every thread counts with a plain increment
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ int count;
  const int t = threadIdx.x;
  if (t == 0) count = 0;
  __syncthreads();
  if (x[t] > 0.0f) count += 1;  // here
  __syncthreads();
  y[t] = float(count);
}
