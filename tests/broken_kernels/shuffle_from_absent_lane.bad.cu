// SPDX-License-Identifier: Apache-2.0
// expect: collective_mismatch
// launch: 1 64
// the source lane is outside the mask
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  float v = x[t];
  if (t % 32 < 16) v = __shfl_sync(0x0000ffffu, v, 20);  // here
  y[t] = v;
}
