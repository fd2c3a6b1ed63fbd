// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// the repaired twin
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  int p = n;
  int step = 16;
  float sum = 0.0f;
  while (p > 0) {
    sum += x[p - 1];
    p -= step;
    if (step > 1) step /= 2;
  }
  y[t] = sum;
}
