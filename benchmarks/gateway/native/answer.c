#define _GNU_SOURCE
#include "answer.h"

#include <stdlib.h>
#include <string.h>

const char *const failure_names[FAILURES] = {"none", "connect", "closed", "timeout", "http", "status", "length", "text",
                                             "mark", "tokens", "done", "usage", "stream_error"};

void answer_begin(struct answer *answer, int streamed, uint32_t expected, const char *mark) {
  /* Not the two large buffers: clearing them would cost more than the rest of a request. */
  answer->streamed = streamed;
  answer->expected = expected;
  memcpy(answer->mark, mark, MARK_SIZE);
  answer->mark[MARK_SIZE] = 0;
  answer->part = HEAD;
  answer->failure = NONE;
  answer->status = answer->closes = answer->done = answer->usage = answer->finish = answer->marked = answer->started = 0;
  answer->tokens = answer->events = 0;
  answer->head_size = answer->body_size = 0;
  answer->left = answer->body_total = answer->said = 0;
}

static void fail(struct answer *answer, enum failure failure) {
  if (answer->failure == NONE) answer->failure = failure;
}

static int holds(const struct answer *answer, const char *text, size_t size) {
  return memmem(answer->body, answer->body_size, text, size) != NULL;
}

static void judge(struct answer *answer) {
  answer->part = WHOLE;
  if (answer->status != 200) return fail(answer, STATUS);
  if (answer->streamed) {
    if (!answer->marked) fail(answer, MARK);
    if (answer->tokens != answer->expected) fail(answer, TOKENS);
    if (!answer->done || !answer->finish) fail(answer, DONE_MISSING);
    if (!answer->usage) fail(answer, USAGE_MISSING);
    return;
  }
  size_t size = answer->body_size;
  while (size > 0 && strchr(" \r\n\t", answer->body[size - 1])) size--;
  if (size < 500 || answer->body[size - 1] != '}') fail(answer, LENGTH_SHORT);
  if (!holds(answer, ANSWER_TEXT, sizeof ANSWER_TEXT - 1)) fail(answer, TEXT);
  if (!holds(answer, answer->mark, MARK_SIZE)) fail(answer, MARK);
  if (!holds(answer, "\"total_tokens\"", 14)) fail(answer, USAGE_MISSING);
}

/* What a chunk says, after the mark, must be the next piece of the text that is said again and again; a token is a word with its space. */
static void count_tokens(struct answer *answer, const char *line, size_t size) {
  static const char name[] = "\"content\":";
  const char *end = line + size, *at = memmem(line, size, name, sizeof name - 1);
  if (at == NULL) return;
  at += sizeof name - 1;
  while (at < end && *at == ' ') at++;
  if (at == end || *at++ != '"') return; /* null */
  const char *stop = memchr(at, '"', (size_t)(end - at));
  if (stop == NULL) return fail(answer, TOKENS);
  for (size_t part; at < stop; at += part, answer->said += part) {
    part = (size_t)(stop - at);
    if (answer->said < MARK_SIZE + 1) {
      if (part > MARK_SIZE + 1 - answer->said) part = MARK_SIZE + 1 - answer->said;
      continue;
    }
    size_t place = (answer->said - MARK_SIZE - 1) % STREAM_SIZE;
    if (part > STREAM_SIZE - place) part = STREAM_SIZE - place;
    if (memcmp(at, STREAM_TEXT + place, part) != 0) return fail(answer, TOKENS);
    for (size_t i = 0; i < part; i++) answer->tokens += at[i] == ' ';
    answer->started = 1;
  }
}

static int line_holds(const char *line, size_t size, const char *text) {
  return memmem(line, size, text, strlen(text)) != NULL;
}

static void take_line(struct answer *answer, const char *line, size_t size) {
  if (size < 6 || memcmp(line, "data: ", 6) != 0) return; /* a blank line or a comment that keeps alive */
  if (answer->done) return fail(answer, DONE_MISSING);    /* nothing may follow [DONE] */
  line += 6;
  size -= 6;
  if (size >= 6 && memcmp(line, "[DONE]", 6) == 0) {
    answer->done = 1;
    return;
  }
  answer->events++;
  if (!answer->marked && memmem(line, size, answer->mark, MARK_SIZE)) answer->marked = 1;
  count_tokens(answer, line, size);
  /* The end of a stream stands in its last events only. */
  if (answer->tokens < answer->expected && !line_holds(line, size, "\"error\"")) return;
  if (line_holds(line, size, "\"error\"")) fail(answer, STREAM_ERROR);
  if (line_holds(line, size, "\"finish_reason\":\"stop\"") || line_holds(line, size, "\"finish_reason\": \"stop\"")) answer->finish = 1;
  if (line_holds(line, size, "\"total_tokens\"")) answer->usage = 1;
}

static void take_body(struct answer *answer, const char *bytes, size_t size) {
  answer->body_total += size;
  if (!answer->streamed || answer->status != 200) {
    if (size > BODY_ROOM - answer->body_size) size = BODY_ROOM - answer->body_size;
    memcpy(answer->body + answer->body_size, bytes, size);
    answer->body_size += size;
    return;
  }
  while (size > 0) {
    const char *end = memchr(bytes, '\n', size);
    size_t part = end ? (size_t)(end - bytes) : size;
    if (end != NULL && answer->body_size == 0) {
      take_line(answer, bytes, part);
    } else {
      if (part > BODY_ROOM - answer->body_size) return fail(answer, HTTP);
      memcpy(answer->body + answer->body_size, bytes, part);
      answer->body_size += part;
      if (end != NULL) {
        take_line(answer, answer->body, answer->body_size);
        answer->body_size = 0;
      }
    }
    part += end != NULL;
    bytes += part;
    size -= part;
  }
}

static void take_head(struct answer *answer, size_t size) {
  const char *head = answer->head;
  if (size < 12 || memcmp(head, "HTTP/1.", 7) != 0) {
    fail(answer, HTTP);
    answer->part = WHOLE;
    return;
  }
  answer->status = atoi(head + 9);
  answer->closes = header_has(head, size, "connection:", "close");
  long long length = header_number(head, size, "content-length:");
  if (header_has(head, size, "transfer-encoding:", "chunked")) {
    answer->part = CHUNK_SIZE;
  } else if (length >= 0) {
    answer->left = (uint64_t)length;
    answer->part = LENGTH;
    if (length == 0) judge(answer);
  } else {
    answer->part = UNTIL_CLOSE;
    answer->closes = 1;
  }
  answer->head_size = 0; /* the room serves the lines of the chunks now */
}

/* Gathers up to the end of a head or of a line; the bytes taken. */
static size_t gather(struct answer *answer, const char *bytes, size_t size, const char *end) {
  size_t end_size = strlen(end), taken = 0;
  while (taken < size) {
    if (answer->head_size == HEAD_ROOM - 1) {
      fail(answer, HTTP);
      answer->part = WHOLE;
      return taken;
    }
    char byte = answer->head[answer->head_size++] = bytes[taken++];
    if (byte != '\n' || answer->head_size < end_size) continue;
    if (memcmp(answer->head + answer->head_size - end_size, end, end_size) != 0) continue;
    answer->head[answer->head_size] = 0;
    if (answer->part == HEAD) {
      take_head(answer, answer->head_size);
      return taken;
    }
    size_t line = answer->head_size - 2;
    answer->head_size = 0;
    if (answer->part == CHUNK_SIZE) {
      answer->left = strtoull(answer->head, NULL, 16);
      answer->part = answer->left ? CHUNK : TRAILER;
    } else if (answer->part == CHUNK_END) {
      if (line != 0) fail(answer, HTTP);
      answer->part = CHUNK_SIZE;
    } else if (line == 0) { /* the trailer's end */
      judge(answer);
    }
    return taken;
  }
  return taken;
}

int answer_feed(struct answer *answer, const char *bytes, size_t size) {
  while (size > 0 && answer->part != WHOLE) {
    size_t taken = size;
    switch (answer->part) {
      case HEAD: taken = gather(answer, bytes, size, "\r\n\r\n"); break;
      case CHUNK_SIZE:
      case CHUNK_END:
      case TRAILER: taken = gather(answer, bytes, size, "\r\n"); break;
      case LENGTH:
      case CHUNK:
        if (taken > answer->left) taken = (size_t)answer->left;
        take_body(answer, bytes, taken);
        answer->left -= taken;
        if (answer->left == 0 && answer->part == CHUNK) answer->part = CHUNK_END;
        else if (answer->left == 0) judge(answer);
        break;
      case UNTIL_CLOSE: take_body(answer, bytes, taken); break;
      case WHOLE: break;
    }
    bytes += taken;
    size -= taken;
  }
  if (size > 0) fail(answer, HTTP);
  return answer->part == WHOLE;
}

void answer_closed(struct answer *answer) {
  if (answer->part == UNTIL_CLOSE) judge(answer);
  else fail(answer, CLOSED);
  answer->part = WHOLE;
}
