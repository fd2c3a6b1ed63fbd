// SPDX-License-Identifier: Apache-2.0
// expect: collective_mismatch
// launch: 1 48
// the second warp has sixteen lanes, and the sum reads thirty-two
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  float sum = x[t];
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);  // here
  y[t] = sum;
  if (t < 16) y[t + 48] = sum;
}
