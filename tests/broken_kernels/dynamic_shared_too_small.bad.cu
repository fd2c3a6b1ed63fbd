// SPDX-License-Identifier: Apache-2.0
// expect: out_of_bounds
// launch: 1 64 252
// the launch asks for one float less of shared memory than the kernel uses
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  extern __shared__ float tile[];
  const int t = threadIdx.x;
  tile[t] = x[t];  // here
  __syncthreads();
  y[t] = tile[63 - t];
}
