// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 64
// a ring of two slots is refilled while its oldest slot is in use
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float ring[2][64];
  const int t = threadIdx.x;
  float sum = 0.0f;
  ring[0][t] = x[t];
  __syncthreads();
  for (int step = 1; step < 5; ++step) {
    ring[(step + 1) % 2][t] = x[(t + step) % 64];  // here
    sum += ring[(step - 1) % 2][63 - t];  // here
    __syncthreads();
  }
  y[t] = sum;
}
