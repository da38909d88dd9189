#define _GNU_SOURCE
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char FILLER[] = "Please explain to a curious child why the sky is blue, and take your time over the scattering of light. ";

static void *need(void *memory) {
  if (memory != NULL) return memory;
  fprintf(stderr, "load: out of memory\n");
  exit(1);
}

static void make_body(struct requests *requests, size_t which) {
  char *body = need(malloc(requests->body_bytes + 1024));
  size_t size = (size_t)sprintf(body,
                                "{\"model\":\"%s\",\"messages\":[{\"role\":\"system\",\"content\":\"You are a helpful assistant.\"},"
                                "{\"role\":\"user\",\"content\":\"",
                                requests->models[which]);
  requests->mark_at[which] = size;
  size += MARK_SIZE;
  char tail[128];
  size_t tail_size = (size_t)sprintf(tail, "\"}],\"temperature\":0.7,\"max_tokens\":512%s}",
                                     requests->streamed ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" : "");
  if (size + tail_size + 1 > requests->body_bytes) {
    fprintf(stderr, "load: --body-bytes must be at least %zu here\n", size + tail_size + 1);
    exit(2);
  }
  for (size_t i = 0; size + tail_size < requests->body_bytes; i++) body[size++] = i == 0 ? ' ' : FILLER[(i - 1) % (sizeof FILLER - 1)];
  memcpy(body + size, tail, tail_size);
  requests->bodies[which] = body;
  requests->body_sizes[which] = size + tail_size;
}

void requests_make(struct requests *requests) {
  size_t count = requests->model_count, longest_key = 0;
  requests->heads = need(calloc(count, sizeof(char *)));
  requests->bodies = need(calloc(count, sizeof(char *)));
  requests->head_sizes = need(calloc(count, sizeof(size_t)));
  requests->body_sizes = need(calloc(count, sizeof(size_t)));
  requests->mark_at = need(calloc(count, sizeof(size_t)));
  for (size_t i = 0; i < requests->key_count; i++)
    if (strlen(requests->keys[i]) > longest_key) longest_key = strlen(requests->keys[i]);
  for (size_t i = 0; i < count; i++) {
    make_body(requests, i);
    char *head = NULL;
    int size = asprintf(&head,
                        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/json\r\nAccept: %s\r\n"
                        "Content-Length: %zu\r\nAuthorization: Bearer ",
                        requests->path, requests->port, requests->streamed ? "text/event-stream" : "application/json", requests->body_sizes[i]);
    requests->heads[i] = need(size < 0 ? NULL : head);
    requests->head_sizes[i] = (size_t)size;
    size_t whole = (size_t)size + longest_key + 4 + requests->body_sizes[i];
    if (whole > requests->largest) requests->largest = whole;
  }
}

size_t requests_write(const struct requests *requests, uint64_t number, char *to, char mark[MARK_SIZE + 1]) {
  size_t which = number % requests->model_count;
  const char *key = requests->keys[number % requests->key_count];
  size_t key_size = strlen(key), size = requests->head_sizes[which];
  memcpy(to, requests->heads[which], size);
  memcpy(to + size, key, key_size);
  size += key_size;
  memcpy(to + size, "\r\n\r\n", 4);
  size += 4;
  memcpy(to + size, requests->bodies[which], requests->body_sizes[which]);
  uint64_t shown = (requests->same ? requests->first : requests->first + number) % 10000000000u;
  memcpy(mark, "[n=0000000000]", MARK_SIZE + 1);
  for (int digit = MARK_SIZE - 2; digit > 2; digit--, shown /= 10) mark[digit] = (char)('0' + shown % 10);
  memcpy(to + size + requests->mark_at[which], mark, MARK_SIZE);
  return size + requests->body_sizes[which];
}

char **read_lines(const char *path, size_t *count) {
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    fprintf(stderr, "load: %s: %s\n", path, strerror(errno));
    exit(2);
  }
  char **lines = NULL, *line = NULL;
  size_t room = 0, line_room = 0;
  for (ssize_t size; (size = getline(&line, &line_room, file)) >= 0;) {
    line[strcspn(line, "\r\n")] = 0;
    if (line[0] == 0) continue;
    if (*count == room) lines = need(realloc(lines, (room = room ? room * 2 : 64) * sizeof(char *)));
    lines[(*count)++] = need(strdup(line));
  }
  free(line);
  fclose(file);
  if (*count > 0) return lines;
  fprintf(stderr, "load: %s holds no line\n", path);
  exit(2);
}
