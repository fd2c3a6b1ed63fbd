// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// the repaired twin
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  float v = x[t];
  if (t % 32 < 16) {
    v += __shfl_xor_sync(0x0000ffffu, v, 1);
  }
  __syncthreads();
  y[t] = v;
}
