// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// the repaired twin
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  const float v = __shfl_xor_sync(0xffffffffu, x[t], 1);
  y[t] = v;
}
