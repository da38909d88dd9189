/* The requests a load is made of: chat completions of a given size, told apart by number, model and key. */
#ifndef SEEKWAY_BENCH_REQUEST_H
#define SEEKWAY_BENCH_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "wire.h"

struct requests {
  const char *path;
  unsigned port;
  int streamed, same; /* same: every request carries the first number, so that a cache can hit */
  size_t body_bytes;
  uint64_t first;
  char **models, **keys;
  size_t model_count, key_count;
  /* made by requests_make */
  char **heads, **bodies;
  size_t *head_sizes, *body_sizes, *mark_at;
  size_t largest;
};

/* Builds a head and a body for each model; ends the process with a message where a body cannot be as small as asked. */
void requests_make(struct requests *requests);

/* Writes request `number` to `to` (`largest` bytes of room) and its mark to `mark`; its size. */
size_t requests_write(const struct requests *requests, uint64_t number, char *to, char mark[MARK_SIZE + 1]);

/* The lines of a file that are not empty; ends the process with a message where it cannot be read. */
char **read_lines(const char *path, size_t *count);

#endif
