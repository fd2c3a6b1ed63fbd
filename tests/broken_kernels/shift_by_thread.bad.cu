// SPDX-License-Identifier: Apache-2.0
// expect: arithmetic
// launch: 1 64
// a mask of thirty-two bits is shifted by up to sixty-three
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  const unsigned mask = 1u << t;  // here
  y[t] = mask != 0 ? x[t] : 0.0f;
}
