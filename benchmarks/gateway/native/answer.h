/* One HTTP answer, read piece by piece and checked against what the mock upstream says. */
#ifndef SEEKWAY_BENCH_ANSWER_H
#define SEEKWAY_BENCH_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "wire.h"

#define HEAD_ROOM 8192
#define BODY_ROOM 65536

enum part { HEAD, LENGTH, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER, UNTIL_CLOSE, WHOLE };

/* Why an answer is not the right one; the order is that of `failure_names`. */
enum failure { NONE, CONNECT, CLOSED, TIMEOUT, HTTP, STATUS, LENGTH_SHORT, TEXT, MARK, TOKENS, DONE_MISSING, USAGE_MISSING, STREAM_ERROR, FAILURES };
extern const char *const failure_names[FAILURES];

struct answer {
  /* asked */
  int streamed;
  uint32_t expected; /* tokens of a stream */
  char mark[MARK_SIZE + 1];
  /* found */
  enum part part;
  enum failure failure;
  int status, closes;
  uint32_t tokens, events;
  uint64_t said; /* characters of the stream's text, its mark among them */
  int done, usage, finish, marked, started; /* started: the first token has come */
  /* reading */
  char head[HEAD_ROOM];
  size_t head_size;
  uint64_t left;
  char body[BODY_ROOM]; /* the whole body, or a stream's line that is not yet whole */
  size_t body_size;
  uint64_t body_total;
};

void answer_begin(struct answer *answer, int streamed, uint32_t expected, const char *mark);

/* Takes in what came; 1: the answer is whole and judged (`failure`), 0: more is to come. Bytes past its end are a failure. */
int answer_feed(struct answer *answer, const char *bytes, size_t size);

/* The other side has closed: the answer's end where only that ends it, a failure otherwise. */
void answer_closed(struct answer *answer);

#endif
