// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// rows are padded where they are written too
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[72];
  const int t = threadIdx.x;
  const int row = t / 8, column = t % 8;
  tile[row * 9 + column] = x[t];
  __syncthreads();
  y[t] = tile[column * 9 + row];
}
