// SPDX-License-Identifier: Apache-2.0
// expect: write_twice
// launch: 1 64
// the first element is corrected after everyone has written
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  y[t] = x[t];
  __syncthreads();
  if (t == 0) y[0] = 2.0f * x[0];  // here
}
