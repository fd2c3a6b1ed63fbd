// SPDX-License-Identifier: Apache-2.0
// expect: out_of_bounds
// launch: 1 64
// a register array indexed past its end
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  float part[4];
  for (int k = 0; k < 4; ++k) part[k] = x[(threadIdx.x + k) % 64];
  y[threadIdx.x] = part[(n + 5) & 7];  // here
}
