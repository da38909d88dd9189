#include "latencies.h"

/* Bucket 256 * k + m holds the values whose highest 8 bits below the leading one are m; the first 256 hold themselves. */
static unsigned bucket_of(uint64_t ns) {
  if (ns < 256) return (unsigned)ns;
  unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - 8u;
  return (shift + 1) * 256 + (unsigned)((ns >> shift) - 256);
}

static uint64_t middle_of(unsigned bucket) {
  if (bucket < 256) return bucket;
  unsigned shift = bucket / 256 - 1;
  return ((uint64_t)(bucket % 256 + 256) << shift) + ((1ull << shift) >> 1);
}

void latencies_add(struct latencies *all, uint64_t ns) {
  all->count++;
  all->sum += ns;
  if (ns > all->most) all->most = ns;
  all->buckets[bucket_of(ns)]++;
}

uint64_t latencies_at(const struct latencies *all, double share) {
  uint64_t wanted = (uint64_t)(share * (double)all->count + 0.9999999), seen = 0;
  if (all->count == 0) return 0;
  if (wanted == 0) wanted = 1;
  for (unsigned bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
    seen += all->buckets[bucket];
    if (seen >= wanted) {
      uint64_t middle = middle_of(bucket);
      return middle < all->most ? middle : all->most;
    }
  }
  return all->most;
}

void latencies_print(const struct latencies *all, FILE *to) {
  fprintf(to, "{\"count\":%llu,\"mean\":%.2f,\"p50\":%.2f,\"p90\":%.2f,\"p95\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"max\":%.2f}",
          (unsigned long long)all->count, all->count ? (double)all->sum / (double)all->count / 1000 : 0.0,
          (double)latencies_at(all, 0.5) / 1000, (double)latencies_at(all, 0.9) / 1000,
          (double)latencies_at(all, 0.95) / 1000, (double)latencies_at(all, 0.99) / 1000, (double)latencies_at(all, 0.999) / 1000, (double)all->most / 1000);
}
