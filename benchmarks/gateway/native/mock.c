/* Mock upstream: answers OpenAI chat completions and /models on 127.0.0.1, one thread, epoll.
 *
 *   mock PORTS MODEL...
 *
 * listens on PORTS free ports, prints them as {"ports":[…]}, and ends when its standard input is closed.
 * A model's name says how its streams run: "fast-100x20000" is 100 tokens, one every 20,000 µs; an interval of 0 is as fast as possible.
 * Without such an ending the stream is the text of the whole answer, a word a chunk, as fast as possible.
 * The first token comes at once, the second after a part of the interval that differs from stream to stream, so that the streams do not beat together.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "due.h"
#include "wire.h"

#define IN_SIZE (256 * 1024)
#define OUT_SIZE (32 * 1024)
#define EVENTS 512
#define MODEL_SIZE 128

enum kind { LISTENER, CONNECTION, TIMER, INPUT };

struct conn {
  enum kind kind;
  int fd;
  char *in;
  size_t in_size, in_room;
  char *out;
  size_t out_size, out_sent;
  int wants_write, streaming;
  uint32_t sent, total;
  uint64_t interval;
  struct due due;   /* of the next token */
  const char *text; /* the words that are to come */
  char model[MODEL_SIZE];
  char mark[MARK_SIZE + 1];
};

static int epoll;
static struct conn timer = {.kind = TIMER}, input = {.kind = INPUT};
static uint64_t timer_set;
static char *models_answer;
static size_t models_size;
static uint32_t streams_begun, answer_words = 1;

static void die(const char *what) {
  fprintf(stderr, "mock: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void *need(void *memory) {
  if (memory == NULL) die("out of memory");
  return memory;
}

static void set_timer(void) {
  uint64_t due = due_next() ? due_next()->when : 0;
  if (due == timer_set) return;
  struct itimerspec when = {.it_value = {.tv_sec = (time_t)(due / 1000000000u), .tv_nsec = (long)(due % 1000000000u)}};
  if (timerfd_settime(timer.fd, TFD_TIMER_ABSTIME, &when, NULL) < 0) die("timerfd_settime");
  timer_set = due;
}

/* --- writing --- */

static void drop(struct conn *conn) {
  due_remove(&conn->due);
  close(conn->fd);
  free(conn->in);
  free(conn->out);
  free(conn);
}

static void watch(struct conn *conn, int write) {
  if (conn->wants_write == write) return;
  conn->wants_write = write;
  struct epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = conn};
  epoll_ctl(epoll, EPOLL_CTL_MOD, conn->fd, &event);
}

/* 1: all is out, 0: the rest waits for the socket, -1: the other side is gone. */
static int flush(struct conn *conn) {
  while (conn->out_sent < conn->out_size) {
    ssize_t wrote = send(conn->fd, conn->out + conn->out_sent, conn->out_size - conn->out_sent, MSG_NOSIGNAL);
    if (wrote < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return -1;
      watch(conn, 1);
      return 0;
    }
    conn->out_sent += (size_t)wrote;
  }
  conn->out_size = conn->out_sent = 0;
  watch(conn, 0);
  return 1;
}

static void put(struct conn *conn, const char *text, size_t size) {
  memcpy(conn->out + conn->out_size, text, size);
  conn->out_size += size;
}

static void put_chunk(struct conn *conn, const char *event, int size) {
  conn->out_size += (size_t)sprintf(conn->out + conn->out_size, "%x\r\n", (unsigned)size);
  put(conn, event, (size_t)size);
  put(conn, "\r\n", 2);
}

#define EVENT_HEAD                                                                                               \
  "data: {\"id\":\"chatcmpl-0a1b2c3d4e5f\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,\"model\":\"%s\"," \
  "\"system_fingerprint\":\"fp_mock\",\"choices\":[{\"index\":0,\"delta\":"

static void put_token(struct conn *conn) {
  char event[640];
  const char *mark = conn->sent == 0 ? conn->mark : "";
  if (*conn->text == 0) conn->text = STREAM_TEXT;
  size_t word = strcspn(conn->text, " ");
  word += conn->text[word] == ' ';
  int size = sprintf(event, EVENT_HEAD "{\"content\":\"%s%s%.*s\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n", conn->model, mark,
                     *mark ? " " : "", (int)word, conn->text);
  conn->text += word;
  conn->sent++;
  put_chunk(conn, event, size);
}

static void put_stream_end(struct conn *conn) {
  char event[768];
  int size = sprintf(event,
                     EVENT_HEAD "{},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":230,"
                                "\"completion_tokens\":%u,\"total_tokens\":%u,\"prompt_cache_hit_tokens\":0,"
                                "\"prompt_cache_miss_tokens\":230}}\n\n",
                     conn->model, conn->total, 230 + conn->total);
  put_chunk(conn, event, size);
  put_chunk(conn, "data: [DONE]\n\n", 14);
  put(conn, "0\r\n\r\n", 5);
  conn->streaming = 0;
}

/* --- answering --- */

/* Writes what is due of a stream; -1 when the other side is gone. */
static int go_on(struct conn *conn, uint64_t now) {
  for (;;) {
    while (conn->sent < conn->total && (conn->interval == 0 || conn->due.when <= now) && conn->out_size < OUT_SIZE - 2048) {
      put_token(conn);
      conn->due.when += conn->interval;
    }
    if (conn->sent == conn->total && conn->streaming && conn->out_size < OUT_SIZE - 2048) put_stream_end(conn);
    int out = flush(conn);
    if (out <= 0) return out;
    if (!conn->streaming) return 0;
    if (conn->interval != 0) break;
  }
  due_add(&conn->due);
  return 0;
}

static int begin_stream(struct conn *conn) {
  static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
  const char *shape = strrchr(conn->model, '-');
  unsigned total = 0, interval_us = 0;
  conn->text = STREAM_TEXT;
  if (shape == NULL || sscanf(shape, "-%ux%u", &total, &interval_us) != 2) {
    conn->text = ANSWER_TEXT;
    total = answer_words;
    interval_us = 0;
  }
  conn->total = total ? total : 1;
  conn->sent = 0;
  conn->interval = (uint64_t)interval_us * 1000;
  conn->streaming = 1;
  put(conn, head, sizeof head - 1);
  char event[640];
  put_chunk(conn, event, sprintf(event, EVENT_HEAD "{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n", conn->model));
  put_token(conn);
  uint64_t now = now_ns();
  /* The golden ratio spreads any number of phases evenly. */
  conn->due.when = now + 1 + (uint64_t)((double)conn->interval * ((double)((streams_begun++ * 2654435769u) & 0xffffffffu) / 4294967296.0));
  return go_on(conn, now);
}

static int answer_whole(struct conn *conn) {
  char body[2048];
  int size = sprintf(body,
                     "{\"id\":\"chatcmpl-0a1b2c3d4e5f\",\"object\":\"chat.completion\",\"created\":1763800000,\"model\":\"%s\","
                     "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s " ANSWER_TEXT
                     "\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":230,\"completion_tokens\":108,"
                     "\"total_tokens\":338,\"prompt_cache_hit_tokens\":0,\"prompt_cache_miss_tokens\":230},\"system_fingerprint\":\"fp_mock\"}",
                     conn->model, conn->mark);
  conn->out_size += (size_t)sprintf(conn->out + conn->out_size, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", size);
  put(conn, body, (size_t)size);
  return flush(conn);
}

static int answer_error(struct conn *conn, const char *status) {
  static const char body[] = "{\"error\":{\"message\":\"the mock upstream does not know this request\",\"type\":\"invalid_request_error\"}}";
  conn->out_size += (size_t)sprintf(conn->out + conn->out_size, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", status, sizeof body - 1, body);
  return flush(conn);
}

static int answer_models(struct conn *conn) {
  conn->out = need(realloc(conn->out, OUT_SIZE + models_size));
  put(conn, models_answer, models_size);
  return flush(conn);
}

/* The text behind a JSON key; NULL where the key is missing. */
static const char *value_of(const char *body, size_t size, const char *key) {
  const char *at = memmem(body, size, key, strlen(key));
  if (at == NULL) return NULL;
  at += strlen(key);
  while (*at == ' ' || *at == ':') at++;
  return at;
}

static int answer_chat(struct conn *conn, const char *body, size_t size) {
  const char *model = value_of(body, size, "\"model\"");
  const char *mark = memmem(body, size, "[n=", 3);
  const char *stream = value_of(body, size, "\"stream\"");
  size_t length = model && *model == '"' ? strcspn(model + 1, "\"\\") : 0;
  if (mark == NULL) mark = "[n=0000000000]"; /* who asks through an application does not write the model's requests */
  else if ((size_t)(body + size - mark) < MARK_SIZE) return answer_error(conn, "400 Bad Request");
  if (length == 0 || length >= MODEL_SIZE) return answer_error(conn, "400 Bad Request");
  memcpy(conn->model, model + 1, length);
  conn->model[length] = 0;
  memcpy(conn->mark, mark, MARK_SIZE);
  conn->mark[MARK_SIZE] = 0;
  return stream && strncmp(stream, "true", 4) == 0 ? begin_stream(conn) : answer_whole(conn);
}

static int path_ends(const char *head, const char *method, const char *end) {
  const char *space = strchr(head, ' ');
  const char *stop = space ? strpbrk(space + 1, " ?\r") : NULL;
  size_t size = strlen(end);
  return stop && strncmp(head, method, strlen(method)) == 0 && (size_t)(stop - space) > size && memcmp(stop - size, end, size) == 0;
}

/* Answers the requests in the buffer, one after the other; -1: close. */
static int serve(struct conn *conn) {
  while (conn->in_size > 0 && !conn->streaming && conn->out_size == 0) {
    conn->in[conn->in_size] = 0;
    char *end = memmem(conn->in, conn->in_size, "\r\n\r\n", 4);
    if (end == NULL) return conn->in_size < 32768 ? 0 : -1;
    size_t head = (size_t)(end + 4 - conn->in);
    long long length = header_number(conn->in, head, "content-length:");
    if (length < 0) {
      if (header_has(conn->in, head, "transfer-encoding:", "chunked")) return -1; /* no gateway here sends one */
      length = 0;
    }
    if (length > IN_SIZE) return -1;
    size_t whole = head + (size_t)length;
    if (conn->in_size < whole) return 0;
    int out;
    if (path_ends(conn->in, "POST", "/chat/completions")) out = answer_chat(conn, conn->in + head, (size_t)length);
    else if (path_ends(conn->in, "GET", "/models")) out = answer_models(conn);
    else out = answer_error(conn, "404 Not Found");
    if (out < 0) return -1;
    memmove(conn->in, conn->in + whole, conn->in_size - whole);
    conn->in_size -= whole;
  }
  return 0;
}

static int read_in(struct conn *conn) {
  for (;;) {
    if (conn->in_size + 1 >= conn->in_room) {
      if (conn->in_room >= IN_SIZE) return -1;
      conn->in_room = conn->in_room ? conn->in_room * 2 : 4096;
      conn->in = need(realloc(conn->in, conn->in_room));
    }
    size_t room = conn->in_room - 1 - conn->in_size;
    ssize_t got = recv(conn->fd, conn->in + conn->in_size, room, 0);
    if (got == 0) return -1;
    if (got < 0) return errno == EAGAIN || errno == EINTR ? serve(conn) : -1;
    conn->in_size += (size_t)got;
    if ((size_t)got < room) return serve(conn);
  }
}

static void on_connection(struct conn *conn, uint32_t events) {
  int out = 0;
  if (events & (EPOLLERR | EPOLLHUP)) out = -1;
  if (out == 0 && events & EPOLLOUT) {
    due_remove(&conn->due);
    out = conn->streaming ? go_on(conn, now_ns()) : flush(conn);
    if (out >= 0) out = serve(conn);
  }
  if (out >= 0 && events & EPOLLIN) out = read_in(conn);
  if (out < 0) drop(conn);
}

static void on_listener(struct conn *listener) {
  int fd, on = 1;
  while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    struct conn *conn = need(calloc(1, sizeof *conn));
    conn->kind = CONNECTION;
    conn->fd = fd;
    conn->out = need(malloc(OUT_SIZE));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
  }
}

static void on_timer(void) {
  uint64_t rung;
  if (read(timer.fd, &rung, sizeof rung) < 0 && errno != EAGAIN) die("timerfd");
  timer_set = 0;
  uint64_t now = now_ns();
  while (due_next() && due_next()->when <= now) {
    struct conn *conn = (struct conn *)((char *)due_next() - offsetof(struct conn, due));
    due_remove(&conn->due);
    if (go_on(conn, now) < 0 || serve(conn) < 0) drop(conn);
  }
}

/* --- start --- */

static void add(struct conn *conn) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, conn->fd, &event) < 0) die("epoll_ctl");
}

static unsigned listen_on_free_port(void) {
  struct conn *listener = need(calloc(1, sizeof *listener));
  listener->kind = LISTENER;
  listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  if (listener->fd < 0 || bind(listener->fd, (struct sockaddr *)&address, size) < 0 || listen(listener->fd, 4096) < 0 ||
      getsockname(listener->fd, (struct sockaddr *)&address, &size) < 0)
    die("listen");
  add(listener);
  return ntohs(address.sin_port);
}

static void make_models(char **names, int count) {
  char *body = need(malloc(64 + (size_t)count * (MODEL_SIZE + 96)));
  size_t size = (size_t)sprintf(body, "{\"object\":\"list\",\"data\":[");
  for (int i = 0; i < count; i++) {
    if (strlen(names[i]) >= MODEL_SIZE) die("a model's name is too long");
    size += (size_t)sprintf(body + size, "%s{\"id\":\"%s\",\"object\":\"model\",\"created\":1763800000,\"owned_by\":\"mock\"}", i ? "," : "", names[i]);
  }
  size += (size_t)sprintf(body + size, "]}");
  models_answer = need(malloc(size + 128));
  models_size = (size_t)sprintf(models_answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", size, body);
  free(body);
}

int main(int count, char **arguments) {
  if (count < 3) {
    fprintf(stderr, "usage: mock PORTS MODEL...\n");
    return 2;
  }
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  input.fd = STDIN_FILENO;
  if (epoll < 0 || timer.fd < 0) die("start");
  for (const char *at = ANSWER_TEXT; *at; at++) answer_words += *at == ' ';
  make_models(arguments + 2, count - 2);
  add(&timer);
  add(&input);
  printf("{\"ports\":[%u", listen_on_free_port());
  for (int i = 1; i < atoi(arguments[1]); i++) printf(",%u", listen_on_free_port());
  printf("]}\n");
  fflush(stdout);
  struct epoll_event events[EVENTS];
  for (;;) {
    set_timer();
    int found = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < found; i++) {
      struct conn *conn = events[i].data.ptr;
      if (conn->kind == CONNECTION) on_connection(conn, events[i].events);
      else if (conn->kind == LISTENER) on_listener(conn);
      else if (conn->kind == INPUT) return 0;
    }
    /* Last, since it may drop connections that stand in the events. */
    if (due_next() && due_next()->when <= now_ns()) on_timer();
  }
}
