// SPDX-License-Identifier: Apache-2.0
// expect: arithmetic
// launch: 1 64
// a thread without a share divides by it
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  const int share = n / 4 - t / 4 - 1;
  y[t] = x[t] + float(n / share);  // here
}
