// SPDX-License-Identifier: Apache-2.0
// expect: write_to_readonly
// launch: 1 64
// the input is used as scratch
extern "C" __global__ void kernel(float* x, float* y, int n) {
  const int t = threadIdx.x;
  x[t] = 2.0f * x[t];  // here
  y[t] = x[t];
}
