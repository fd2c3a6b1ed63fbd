// SPDX-License-Identifier: Apache-2.0
// expect: hang
// launch: 1 64
// the step of a walk becomes zero
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  int p = n;
  int step = 16;
  float sum = 0.0f;
  while (p > 0) {
    sum += x[p - 1];  // here
    p -= step;
    step /= 2;
  }
  y[t] = sum;
}
