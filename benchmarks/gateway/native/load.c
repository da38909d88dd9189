/* Load client: chat completions to 127.0.0.1, one thread, epoll. Every answer is checked; one line of JSON tells what came.
 *
 *   load --port N [--connections N] (--requests N | --seconds S) [--rate R] [--stream TOKENS] [--burst] [--hold] …
 *
 * Without --rate each connection sends its next request when it has its answer.
 * With --rate requests have their times, whether or not the ones before are answered, and a latency counts from that time:
 * a stall is felt by every request that should have been sent in it.
 * --burst begins a request on every connection at once, and the next ones when all are answered.
 * --hold says {"event":"open"} as soon as all connections have a running stream.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
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

#include "answer.h"
#include "latencies.h"
#include "request.h"

#define EVENTS 512
#define MAX_FAILURES 1000
#define SWEEP_NS 100000000u

struct conn {
  int fd, busy, wants_write;
  uint64_t begun; /* from when the latency counts */
  char *out;
  size_t out_size, out_sent;
  struct answer answer;
};

static struct requests requests = {.path = "/v1/chat/completions", .body_bytes = 1024};
static unsigned connections = 1;
static uint64_t most_requests = UINT64_MAX, run_ns, timeout_ns = 30000000000u;
static double rate;
static uint32_t stream_tokens;
static int burst, hold;

static int epoll, ticks = -1;
static struct conn *conns, **idle;
static size_t idle_count;
static uint64_t started_at, begun_count, ended_at, answered, tokens, events_seen, bytes, connects;
static uint64_t in_flight, open_streams, peak_open, failed;
static uint64_t failures[FAILURES];
static char first_failure[512];
static struct latencies latencies, first_tokens;

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* --- one request --- */

static void hang_up(struct conn *conn) {
  if (conn->fd >= 0) close(conn->fd);
  conn->fd = -1;
  conn->wants_write = 0;
}

static void note_failure(const struct answer *answer) {
  failed++;
  failures[answer->failure]++;
  if (first_failure[0]) return;
  int size = snprintf(first_failure, 200, "%s: status %d, %u tokens, %llu bytes: ", failure_names[answer->failure], answer->status,
                      answer->tokens, (unsigned long long)answer->body_total);
  for (size_t i = 0; i < answer->body_size && size < 500; i++) {
    char byte = answer->body[i];
    first_failure[size++] = byte < ' ' || byte > '}' || byte == '"' || byte == '\\' ? '.' : byte;
  }
}

static void finish(struct conn *conn, uint64_t now) {
  struct answer *answer = &conn->answer;
  conn->busy = 0;
  in_flight--;
  if (answer->started && answer->streamed) open_streams--;
  ended_at = now;
  tokens += answer->tokens;
  events_seen += answer->events;
  bytes += answer->body_total;
  if (answer->failure != NONE) {
    note_failure(answer);
    hang_up(conn);
  } else {
    answered++;
    latencies_add(&latencies, now - conn->begun);
    if (answer->closes) hang_up(conn);
  }
  idle[idle_count++] = conn;
}

static void finish_failed(struct conn *conn, enum failure failure) {
  if (conn->answer.failure == NONE) conn->answer.failure = failure;
  finish(conn, now_ns());
}

static int dial(struct conn *conn) {
  int on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)requests.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (conn->fd < 0) return -1;
  setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(conn->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) return -1;
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = conn};
  conn->wants_write = 1;
  connects++;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, conn->fd, &event);
}

static void watch(struct conn *conn, int write) {
  if (conn->wants_write == write) return;
  conn->wants_write = write;
  struct epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = conn};
  epoll_ctl(epoll, EPOLL_CTL_MOD, conn->fd, &event);
}

static void send_out(struct conn *conn) {
  while (conn->out_sent < conn->out_size) {
    ssize_t wrote = send(conn->fd, conn->out + conn->out_sent, conn->out_size - conn->out_sent, MSG_NOSIGNAL);
    if (wrote < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == ENOTCONN) return watch(conn, 1);
      return finish_failed(conn, CLOSED);
    }
    conn->out_sent += (size_t)wrote;
  }
  watch(conn, 0);
}

static void begin(struct conn *conn, uint64_t from) {
  char mark[MARK_SIZE + 1];
  conn->out_size = requests_write(&requests, begun_count++, conn->out, mark);
  conn->out_sent = 0;
  conn->begun = from;
  conn->busy = 1;
  in_flight++;
  answer_begin(&conn->answer, requests.streamed, stream_tokens, mark);
  if (conn->fd >= 0) return send_out(conn);
  if (dial(conn) < 0) finish_failed(conn, CONNECT);
}

/* --- which request begins when --- */

/* Whether one more may begin now, and from when its latency counts. */
static int may_begin(uint64_t now, uint64_t *from) {
  if (begun_count >= most_requests || failed >= MAX_FAILURES) return 0;
  if (run_ns && now - started_at >= run_ns && rate == 0) return 0;
  *from = now;
  if (rate == 0) return 1;
  *from = started_at + (uint64_t)((double)begun_count / rate * 1e9);
  return *from <= now;
}

static void begin_what_may(void) {
  uint64_t from;
  if (burst && in_flight > 0) return;
  /* Those that end at once, since nobody listens, are idle again: a pass over the ones that are idle now, no more. */
  for (size_t left = idle_count; left > 0 && idle_count > 0 && may_begin(now_ns(), &from); left--) begin(idle[--idle_count], from);
}

static int is_over(void) {
  uint64_t from;
  if (in_flight > 0) return 0;
  if (rate > 0) return begun_count >= most_requests || failed >= MAX_FAILURES;
  return !may_begin(now_ns(), &from);
}

static void start_ticks(void) {
  if (rate == 0) return;
  uint64_t period = (uint64_t)(1e9 / rate);
  struct itimerspec when = {.it_value = {.tv_sec = (time_t)(started_at / 1000000000u), .tv_nsec = (long)(started_at % 1000000000u)},
                            .it_interval = {.tv_sec = (time_t)(period / 1000000000u), .tv_nsec = (long)(period % 1000000000u)}};
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  ticks = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (ticks < 0 || timerfd_settime(ticks, TFD_TIMER_ABSTIME, &when, NULL) < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, ticks, &event) < 0) die("timer");
}

/* --- events --- */

static void on_first_token(struct conn *conn, uint64_t now) {
  latencies_add(&first_tokens, now - conn->begun);
  if (++open_streams > peak_open) peak_open = open_streams;
  if (hold && open_streams == connections) {
    hold = 0;
    printf("{\"event\":\"open\"}\n");
    fflush(stdout);
  }
}

static void read_in(struct conn *conn) {
  static char buffer[128 * 1024];
  for (;;) {
    ssize_t got = recv(conn->fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (!conn->busy) { /* the server closes an idle connection, or says what nobody asked for */
      if (got > 0) {
        failed++;
        failures[HTTP]++;
      }
      return hang_up(conn);
    }
    if (got <= 0) {
      answer_closed(&conn->answer);
      return finish(conn, now_ns());
    }
    int had_token = conn->answer.started;
    int whole = answer_feed(&conn->answer, buffer, (size_t)got);
    uint64_t now = now_ns();
    if (!had_token && conn->answer.started) on_first_token(conn, now);
    if (whole || conn->answer.failure != NONE) return finish(conn, now);
    if ((size_t)got < sizeof buffer) return;
  }
}

static void on_event(struct epoll_event *event) {
  struct conn *conn = event->data.ptr;
  uint64_t rung;
  if (conn == NULL) {
    if (read(ticks, &rung, sizeof rung) < 0 && errno != EAGAIN) die("timer");
    return;
  }
  if (conn->fd < 0) return;
  if (event->events & EPOLLOUT && conn->busy) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) return finish_failed(conn, CONNECT);
    send_out(conn);
  }
  if (conn->fd >= 0 && event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_in(conn);
}

static void sweep(uint64_t now) {
  for (unsigned i = 0; i < connections; i++)
    if (conns[i].busy && now > conns[i].begun + timeout_ns) finish_failed(&conns[i], TIMEOUT);
}

static void run(void) {
  struct epoll_event events[EVENTS];
  started_at = ended_at = now_ns();
  uint64_t swept = started_at;
  start_ticks();
  for (begin_what_may(); !is_over(); begin_what_may()) {
    uint64_t from;
    int at_once = idle_count > 0 && !burst && may_begin(now_ns(), &from);
    int found = epoll_wait(epoll, events, EVENTS, at_once ? 0 : 50);
    for (int i = 0; i < found; i++) on_event(&events[i]);
    uint64_t now = now_ns();
    if (now - swept < SWEEP_NS) continue;
    swept = now;
    sweep(now);
  }
}

static void print_result(void) {
  printf("{\"event\":\"result\",\"requests\":%llu,\"answered\":%llu,\"failed\":%llu,\"seconds\":%.6f,\"tokens\":%llu,\"events\":%llu,"
         "\"bytes\":%llu,\"connects\":%llu,\"peak_open\":%llu,\"failures\":{",
         (unsigned long long)begun_count, (unsigned long long)answered, (unsigned long long)failed, (double)(ended_at - started_at) / 1e9,
         (unsigned long long)tokens, (unsigned long long)events_seen, (unsigned long long)bytes, (unsigned long long)connects,
         (unsigned long long)peak_open);
  const char *comma = "";
  for (int i = 1; i < FAILURES; i++)
    if (failures[i]) {
      printf("%s\"%s\":%llu", comma, failure_names[i], (unsigned long long)failures[i]);
      comma = ",";
    }
  printf("},\"first_failure\":\"%s\",\"latency_us\":", first_failure);
  latencies_print(&latencies, stdout);
  printf(",\"first_token_us\":");
  latencies_print(&first_tokens, stdout);
  printf("}\n");
}

/* --- start --- */

static const struct option OPTIONS[] = {
    {"port", 1, 0, 'p'},     {"path", 1, 0, 'a'},  {"model", 1, 0, 'm'},      {"models", 1, 0, 'M'}, {"key", 1, 0, 'k'},
    {"keys", 1, 0, 'K'},     {"first", 1, 0, 'f'}, {"connections", 1, 0, 'c'}, {"requests", 1, 0, 'n'}, {"seconds", 1, 0, 's'},
    {"rate", 1, 0, 'r'},     {"stream", 1, 0, 't'}, {"body-bytes", 1, 0, 'b'}, {"timeout", 1, 0, 'T'}, {"same", 0, 0, 'S'},
    {"burst", 0, 0, 'B'},    {"hold", 0, 0, 'H'},  {0, 0, 0, 0}};

static char **single(char *value, size_t *count) {
  char **list = malloc(sizeof *list);
  if (list == NULL) die("out of memory");
  *list = value;
  *count = 1;
  return list;
}

static void take_option(int option) {
  switch (option) {
    case 'p': requests.port = (unsigned)atoi(optarg); break;
    case 'a': requests.path = optarg; break;
    case 'm': requests.models = single(optarg, &requests.model_count); break;
    case 'M': requests.models = read_lines(optarg, &requests.model_count); break;
    case 'k': requests.keys = single(optarg, &requests.key_count); break;
    case 'K': requests.keys = read_lines(optarg, &requests.key_count); break;
    case 'f': requests.first = strtoull(optarg, NULL, 10); break;
    case 'c': connections = (unsigned)atoi(optarg); break;
    case 'n': most_requests = strtoull(optarg, NULL, 10); break;
    case 's': run_ns = (uint64_t)(atof(optarg) * 1e9); break;
    case 'r': rate = atof(optarg); break;
    case 't': stream_tokens = (uint32_t)atoi(optarg); break;
    case 'b': requests.body_bytes = strtoull(optarg, NULL, 10); break;
    case 'T': timeout_ns = (uint64_t)(atof(optarg) * 1e9); break;
    case 'S': requests.same = 1; break;
    case 'B': burst = 1; break;
    case 'H': hold = 1; break;
    default: exit(2);
  }
}

static void prepare(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (requests.models == NULL) requests.models = single("mock", &requests.model_count);
  if (requests.keys == NULL) requests.keys = single("sk-bench", &requests.key_count);
  requests.streamed = stream_tokens > 0;
  requests_make(&requests);
  if (rate > 0 && run_ns && most_requests == UINT64_MAX) most_requests = (uint64_t)(rate * (double)run_ns / 1e9);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  conns = calloc(connections, sizeof *conns);
  idle = calloc(connections, sizeof *idle);
  if (epoll < 0 || conns == NULL || idle == NULL) die("start");
  for (unsigned i = 0; i < connections; i++) {
    struct conn *conn = &conns[connections - 1 - i];
    conn->fd = -1;
    conn->out = malloc(requests.largest);
    if (conn->out == NULL) die("out of memory");
    idle[idle_count++] = conn;
  }
}

int main(int count, char **arguments) {
  for (int option; (option = getopt_long(count, arguments, "", OPTIONS, NULL)) >= 0;) take_option(option);
  if (requests.port == 0 || requests.port > 65535 || connections == 0 || (most_requests == UINT64_MAX && run_ns == 0)) {
    fprintf(stderr, "usage: load --port N [--connections N] (--requests N | --seconds S) …\n");
    return 2;
  }
  prepare();
  run();
  print_result();
  return 0;
}
