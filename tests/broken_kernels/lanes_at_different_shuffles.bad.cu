// SPDX-License-Identifier: Apache-2.0
// expect: collective_mismatch
// launch: 1 32
// two branches, two shuffles, one mask
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  float v = x[t];
  if (t % 2 == 0) {
    v += __shfl_xor_sync(0xffffffffu, v, 1);  // here
  } else {
    v -= __shfl_xor_sync(0xffffffffu, v, 1);
  }
  y[t] = v;
  y[t + 32] = 0.0f;
}
