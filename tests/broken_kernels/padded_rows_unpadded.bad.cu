// SPDX-License-Identifier: Apache-2.0
// expect: out_of_bounds
// launch: 1 64
// a tile is read as if its rows were padded
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  const int row = t / 8, column = t % 8;
  tile[row * 8 + column] = x[t];
  __syncthreads();
  y[t] = tile[column * 9 + row];  // here
}
