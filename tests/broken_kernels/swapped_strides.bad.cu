// SPDX-License-Identifier: Apache-2.0
// expect: write_twice
// launch: 1 64
// the strides of rows and columns change places on the way out: 4 rows of 16 become 16 of 4
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  const int row = t / 16, column = t % 16;
  y[row * 4 + column] = x[t];  // here
}
