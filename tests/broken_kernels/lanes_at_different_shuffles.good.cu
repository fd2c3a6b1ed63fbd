// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 32
// the repaired twin
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  float v = x[t];
  const float other = __shfl_xor_sync(0xffffffffu, v, 1);
  if (t % 2 == 0) {
    v += other;
  } else {
    v -= other;
  }
  y[t] = v;
  y[t + 32] = 0.0f;
}
