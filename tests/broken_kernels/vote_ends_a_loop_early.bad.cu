// SPDX-License-Identifier: Apache-2.0
// expect: collective_mismatch
// launch: 1 32
// lanes leave a loop by themselves while the others vote in it
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  int steps = t % 4;
  int rounds = 0;
  while (steps > 0) {
    --steps;
    if (__any_sync(0xffffffffu, steps > 0)) ++rounds;  // here
  }
  __syncthreads();
  y[t] = float(rounds);
  y[t + 32] = x[t];
}
