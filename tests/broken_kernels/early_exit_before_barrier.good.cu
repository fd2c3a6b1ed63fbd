// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 2 40
// the repaired twin
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[40];
  const int t = threadIdx.x;
  const int i = blockIdx.x * blockDim.x + t;
  if (i < n) tile[t] = x[i];
  __syncthreads();
  if (i < n) y[i] = tile[t] + tile[0];
}
