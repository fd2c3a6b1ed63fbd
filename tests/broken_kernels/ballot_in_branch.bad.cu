// SPDX-License-Identifier: Apache-2.0
// expect: collective_mismatch
// launch: 1 64
// a vote of the whole warp is called by a part of it
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  unsigned votes = 0;
  if (t % 32 < 20) votes = __ballot_sync(0xffffffffu, x[t] > 0.0f);  // here
  __syncthreads();
  y[t] = float(__popc(votes));
}
