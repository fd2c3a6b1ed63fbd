// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 64
// all read what one thread is still to fetch
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float first;
  const int t = threadIdx.x;
  if (t == 63) first = x[0];  // here
  y[t] = first + x[t];  // here
}
