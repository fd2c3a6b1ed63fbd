// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 48
// lanes that do not exist add nothing
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  float sum = x[t];
  const unsigned lanes = t < 32 ? 0xffffffffu : 0x0000ffffu;
  for (int step = t < 32 ? 16 : 8; step > 0; step /= 2) sum += __shfl_xor_sync(lanes, sum, step);
  y[t] = sum;
  if (t < 16) y[t + 48] = sum;
}
