// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// the vote is of those that call it
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  unsigned votes = 0;
  if (t % 32 < 20) votes = __ballot_sync(0x000fffffu, x[t] > 0.0f);
  __syncthreads();
  y[t] = float(__popc(votes));
}
