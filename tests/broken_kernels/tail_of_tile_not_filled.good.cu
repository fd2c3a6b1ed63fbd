// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// what lies behind the last element is zero
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  tile[t] = t < n - 4 ? x[t] : 0.0f;
  __syncthreads();
  float sum = 0.0f;
  for (int i = 0; i < 64; ++i) sum += tile[i];
  y[t] = sum;
}
