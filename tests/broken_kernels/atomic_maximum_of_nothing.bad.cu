// SPDX-License-Identifier: Apache-2.0
// expect: uninitialised_read
// launch: 1 64
// the maximum starts from what shared memory happens to hold
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ int best;
  const int t = threadIdx.x;
  atomicMax(&best, int(4.0f * x[t]));  // here
  __syncthreads();
  y[t] = float(best);
}
