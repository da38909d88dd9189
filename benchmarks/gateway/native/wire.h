/* What mock upstream and load client agree on, so that every answer can be checked to the byte that matters.
 *
 * A request carries a mark, [n=0000000042], in its text. The answer repeats it: an answer given to the wrong request is seen.
 * A streamed answer says a known text again and again, a word a token, as models answer in words: a lost, doubled or swapped one is
 * seen, however a gateway cuts or joins the chunks on their way.
 */
#ifndef SEEKWAY_BENCH_WIRE_H
#define SEEKWAY_BENCH_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define MARK_SIZE 14 /* "[n=" + ten digits + "]" */

/* The answer that is not streamed; about 0.8 KB with the JSON around it. */
#define ANSWER_TEXT                                                                                      \
  "The sky looks blue because the molecules of the air scatter short waves of light far more than long " \
  "ones. Sunlight holds all colours; on its way through the air the blue part is thrown about in every "  \
  "direction, and so it reaches the eye from all over the sky. At dusk the light has a longer way to go, " \
  "most of the blue is lost before it arrives, and what is left is orange and red. Violet is scattered "   \
  "still more, but the sun sends less of it and the eye is less awake to it."

#define STREAM_TEXT ANSWER_TEXT " "
#define STREAM_SIZE (sizeof STREAM_TEXT - 1)

static inline uint64_t now_ns(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

/* The number behind a header's name in lower case with its colon, -1 where the header is missing. */
long long header_number(const char *head, size_t size, const char *name);

/* Whether the header stands there and its value holds `word` (lower case). */
int header_has(const char *head, size_t size, const char *name, const char *word);

#endif
