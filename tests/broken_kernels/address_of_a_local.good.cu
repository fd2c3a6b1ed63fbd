// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// a thread hands out a copy of its local variable
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float shown;
  const int t = threadIdx.x;
  float own[2] = {x[t], 1.0f};
  if (t == 5) shown = own[0];
  __syncthreads();
  y[t] = shown + own[t % 2];
}
