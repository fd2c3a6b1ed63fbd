// SPDX-License-Identifier: Apache-2.0
// expect: uninitialised_read
// launch: 1 64
// a stencil reads the border that nobody filled
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[66];
  const int t = threadIdx.x;
  tile[t + 1] = x[t];
  __syncthreads();
  y[t] = tile[t] + tile[t + 1] + tile[t + 2];  // here
}
