// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// the votes of a warp make its word
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ unsigned flags[2];
  const int t = threadIdx.x;
  const unsigned votes = __ballot_sync(0xffffffffu, x[t] > 0.0f);
  if (t % 32 == 0) flags[t / 32] = votes;
  __syncthreads();
  y[t] = float(__popc(flags[t / 32]));
}
