// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 64
// bins are counted while one thread still clears them
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ int bins[8];
  const int t = threadIdx.x;
  if (t == 0) {
    for (int b = 0; b < 8; ++b) bins[b] = 0;  // here
  }
  atomicAdd(&bins[t % 8], 1);  // here
  __syncthreads();
  y[t] = float(bins[t % 8]);
}
