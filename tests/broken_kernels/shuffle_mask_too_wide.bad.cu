// SPDX-License-Identifier: Apache-2.0
// expect: collective_mismatch
// launch: 1 64
// the mask names lanes that are elsewhere
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  float v = x[t];
  if (t % 32 < 16) {
    v += __shfl_xor_sync(0xffffffffu, v, 1);  // here
  }
  __syncthreads();
  y[t] = v;
}
