// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 64
// threads set their bits of one word with a plain or
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ unsigned flags[2];
  const int t = threadIdx.x;
  if (t < 2) flags[t] = 0;
  __syncthreads();
  if (x[t] > 0.0f) flags[t / 32] |= 1u << (t % 32);  // here
  __syncthreads();
  y[t] = float(__popc(flags[t / 32]));
}
