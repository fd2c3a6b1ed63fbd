// SPDX-License-Identifier: Apache-2.0
// expect: barrier_divergence
// launch: 1 64
// threads go round a loop with a barrier differently often
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  float sum = 0.0f;
  for (int step = 0; step < 1 + t / 32; ++step) {
    sum += x[(t + step) % 64];
    __syncthreads();  // here
  }
  y[t] = sum;
}
