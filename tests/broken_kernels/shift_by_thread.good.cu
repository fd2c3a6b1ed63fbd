// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// the shift stays in the word
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  const unsigned mask = 1u << (t % 32);
  y[t] = mask != 0 ? x[t] : 0.0f;
}
