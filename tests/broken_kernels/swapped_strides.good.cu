// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// the rows of 16 keep their stride on the way out
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  const int row = t / 16, column = t % 16;
  y[row * 16 + column] = x[t];
}
