// SPDX-License-Identifier: Apache-2.0
// expect: out_of_bounds
// launch: 1 64
// a thread hands out the address of its own local variable
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ const float* shown;
  const int t = threadIdx.x;
  float own[2] = {x[t], 1.0f};
  if (t == 5) shown = own;
  __syncthreads();
  y[t] = shown[0] + own[t % 2];  // here
}
