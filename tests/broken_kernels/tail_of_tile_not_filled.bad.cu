// SPDX-License-Identifier: Apache-2.0
// expect: uninitialised_read
// launch: 1 64
// a sum over a whole tile includes what lies behind the last element
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  if (t < n - 4) tile[t] = x[t];
  __syncthreads();
  float sum = 0.0f;
  for (int i = 0; i < 64; ++i) sum += tile[i];  // here
  y[t] = sum;
}
