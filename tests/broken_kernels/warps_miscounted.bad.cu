// SPDX-License-Identifier: Apache-2.0
// expect: unwritten
// launch: 1 64
// rows are dealt to four warps, and there are two
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int row = warp; row < 8; row += 4) {
    if (lane < 8) y[row * 8 + lane] = x[row * 8 + lane];
  }
}
