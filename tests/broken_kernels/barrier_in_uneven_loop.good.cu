// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// all threads go round as often, and some only wait
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  float sum = 0.0f;
  for (int step = 0; step < 2; ++step) {
    if (step < 1 + t / 32) sum += x[(t + step) % 64];
    __syncthreads();
  }
  y[t] = sum;
}
