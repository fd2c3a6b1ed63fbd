// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// the maximum starts below every value
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ int best;
  const int t = threadIdx.x;
  if (t == 0) best = -1000;
  __syncthreads();
  atomicMax(&best, int(4.0f * x[t]));
  __syncthreads();
  y[t] = float(best);
}
