// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// all wait for the one that fetches
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float first;
  const int t = threadIdx.x;
  if (t == 63) first = x[0];
  __syncthreads();
  y[t] = first + x[t];
}
