// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// a second sum waits until all have read the first one
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float scratch[2];
  const int t = threadIdx.x;
  float total = 0.0f;
  for (int round = 0; round < 2; ++round) {
    float part = x[t] * (round + 1);
    for (int mask = 16; mask > 0; mask /= 2) part += __shfl_xor_sync(0xffffffffu, part, mask);
    if (t % 32 == 0) scratch[t / 32] = part;
    __syncthreads();
    total += scratch[0] + scratch[1];
    __syncthreads();
  }
  y[t] = total;
}
