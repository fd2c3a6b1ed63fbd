/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the artifact in the folder that it is given and runs prefill: y_i = a_i x_i + b_i y_{i-1}. */
#include <heddle.h>
#include <stdio.h>
#include <stdlib.h>

enum { kBatch = 2, kTokens = 50, kHeads = 3, kChannels = 8 };
enum { kRows = kBatch * kTokens * kHeads };

static float x[kRows * kChannels], y[kRows * kChannels], a[kRows], b[kRows];

static void check(heddle_error* error) {
  if (error == NULL) return;
  fprintf(stderr, "%s\n", heddle_error_message(error));
  heddle_error_free(error);
  exit(1);
}

static float draw(void) { return (float)rand() / (float)RAND_MAX - 0.5f; }

/* The largest difference from the recurrence, written out in double. */
static double worst_difference(void) {
  double worst = 0;
  int batch, head, t, d;
  for (batch = 0; batch < kBatch; ++batch) {
    for (head = 0; head < kHeads; ++head) {
      for (d = 0; d < kChannels; ++d) {
        double before = 0;
        for (t = 0; t < kTokens; ++t) {
          const int row = (batch * kTokens + t) * kHeads + head, at = row * kChannels + d;
          double difference;
          before = (double)a[row] * x[at] + (double)b[row] * before;
          difference = before > y[at] ? before - y[at] : y[at] - before;
          if (difference > worst) worst = difference;
        }
      }
    }
  }
  return worst;
}

int main(int argc, char** argv) {
  const int64_t rows[4] = {kBatch, kTokens, kHeads, kChannels};
  const int64_t columns[4] = {kBatch, kTokens, kHeads, 1};
  /* No state is wanted: it has no slots. */
  const int64_t positions[3] = {kBatch, kHeads, 0}, values[4] = {kBatch, 0, kHeads, kChannels};
  const heddle_buffer buffers[] = {
      {"x", x, HEDDLE_F32, 4, rows, NULL},           {"y", y, HEDDLE_F32, 4, rows, NULL},
      {"coef_a", a, HEDDLE_F32, 4, columns, NULL},   {"coef_b", b, HEDDLE_F32, 4, columns, NULL},
      {"final_b_pos", NULL, HEDDLE_I32, 3, positions, NULL},
      {"final_b_val", NULL, HEDDLE_F32, 4, values, NULL}};
  const heddle_size start = {"start", 0};
  heddle_launch launch = {sizeof(heddle_launch), "prefill", NULL, 0, &start, 1, NULL, 0, 0, NULL};
  heddle_artifact artifact;
  double worst;
  int i;
  if (argc != 2) return 2;
  for (i = 0; i < kRows * kChannels; ++i) x[i] = draw();
  for (i = 0; i < kRows; ++i) {
    a[i] = draw();
    b[i] = draw();
  }
  check(heddle_open(argv[1], NULL, &artifact));
  launch.buffers = buffers;
  launch.buffer_count = sizeof buffers / sizeof buffers[0];
  check(heddle_run(artifact, &launch));
  check(heddle_close(artifact));
  worst = worst_difference();
  printf("%d tokens: largest difference from the recurrence %.1e\n", kTokens, worst);
  return worst < 1e-6 ? 0 : 1;
}
