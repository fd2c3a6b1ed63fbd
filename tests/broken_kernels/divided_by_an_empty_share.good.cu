// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// a thread without a share does not divide
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  const int share = n / 4 - t / 4 - 1;
  y[t] = x[t] + (share > 0 ? float(n / share) : 0.0f);
}
