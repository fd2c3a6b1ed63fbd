// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 32
// lanes of a warp do not run in lock step
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[32];
  const int t = threadIdx.x;
  tile[t] = x[t];  // here
  const float neighbour = tile[t ^ 1];  // here
  y[t] = neighbour;
  y[t + 32] = -neighbour;
}
