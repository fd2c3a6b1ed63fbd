// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 64
// a ring for three steps is indexed modulo two
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float ring[3][64];
  const int t = threadIdx.x;
  float sum = 0.0f;
  for (int step = 0; step < 6; ++step) {
    ring[step % 2][t] = x[(t + step) % 64];  // here
    if (step >= 2) sum += ring[(step - 2) % 2][63 - t];  // here
    __syncthreads();
  }
  y[t] = sum;
}
