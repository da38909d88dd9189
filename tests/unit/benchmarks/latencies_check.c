/* Reads nanoseconds, prints what the load client makes of them. */
#include <stdio.h>

#include "latencies.h"

int main(void) {
  static struct latencies all;
  for (unsigned long long ns; scanf("%llu", &ns) == 1;) latencies_add(&all, ns);
  latencies_print(&all, stdout);
  return 0;
}
