// SPDX-License-Identifier: Apache-2.0
// expect: collective_mismatch
// launch: 1 64
// a lane calls with a mask that leaves it out
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  const float v = __shfl_xor_sync(0x7fffffffu, x[t], 1);  // here
  y[t] = v;
}
