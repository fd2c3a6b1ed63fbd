// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 32
// the repaired twin
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[32];
  const int t = threadIdx.x;
  tile[t] = x[t];
  __syncwarp();
  const float neighbour = tile[t ^ 1];
  y[t] = neighbour;
  y[t + 32] = -neighbour;
}
