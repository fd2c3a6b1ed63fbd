// SPDX-License-Identifier: Apache-2.0
// expect: barrier_divergence
// launch: 1 64
// a thread that has found something no longer comes to the barrier
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  float found = 0.0f;
  for (int step = 0; step < 4; ++step) {
    if (x[(t + step) % 64] > 1.5f) {
      found = 1.0f;
      break;
    }
    __syncthreads();  // here
  }
  y[t] = found;
}
