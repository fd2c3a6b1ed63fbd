// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 64
// the next round overwrites the tile that slow threads still read
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  float sum = 0.0f;
  for (int round = 0; round < 4; ++round) {
    tile[t] = x[t] + round;  // here
    __syncthreads();
    sum += tile[(t + 17) % 64];  // here
  }
  y[t] = sum;
}
