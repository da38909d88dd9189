/* Latencies in buckets: exact below 256 ns, within 0.4% above, whatever their number. */
#ifndef SEEKWAY_BENCH_LATENCIES_H
#define SEEKWAY_BENCH_LATENCIES_H

#include <stdint.h>
#include <stdio.h>

#define LATENCY_BUCKETS (57 * 256)

struct latencies {
  uint64_t count, sum, most;
  uint64_t buckets[LATENCY_BUCKETS];
};

void latencies_add(struct latencies *all, uint64_t ns);

/* The least latency, in ns, that `share` (0 to 1) of all do not exceed; 0 where there are none. */
uint64_t latencies_at(const struct latencies *all, double share);

/* {"count":…,"mean":…,"p50":…,"p90":…,"p95":…,"p99":…,"p999":…,"max":…} in microseconds. */
void latencies_print(const struct latencies *all, FILE *to);

#endif
