// SPDX-License-Identifier: Apache-2.0
// expect: barrier_divergence
// launch: 2 40
// the threads past the end leave before the barrier
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[40];
  const int t = threadIdx.x;
  const int i = blockIdx.x * blockDim.x + t;
  if (i >= n) return;
  tile[t] = x[i];
  __syncthreads();  // here
  y[i] = tile[t] + tile[0];
}
