/* What waits for a point in time, the next one on top: a binary heap. */
#ifndef SEEKWAY_BENCH_DUE_H
#define SEEKWAY_BENCH_DUE_H

#include <stddef.h>
#include <stdint.h>

/* A part of whatever waits; `at` is 0 while it does not. Times are nanoseconds of CLOCK_MONOTONIC. */
struct due {
  uint64_t when;
  size_t at;
};

void due_add(struct due *due);
void due_remove(struct due *due); /* no harm where it does not wait */
struct due *due_next(void);       /* NULL: nothing waits */

#endif
