// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 64
// the last steps of a reduction trust in lanes that march in step
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ volatile float part[64];
  const int t = threadIdx.x;
  part[t] = x[t];
  __syncthreads();
  if (t < 32) {
    part[t] = part[t] + part[t + 32];  // here
    for (int step = 16; step > 0; step /= 2) {
      if (t < step) part[t] = part[t] + part[t + step];  // here
    }
  }
  __syncthreads();
  y[t] = part[0];
}
