// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 32
// all lanes leave the loop by the same vote
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  int steps = t % 4;
  int rounds = 0;
  while (__any_sync(0xffffffffu, steps > 0)) {
    --steps;
    ++rounds;
  }
  __syncthreads();
  y[t] = float(rounds);
  y[t + 32] = x[t];
}
