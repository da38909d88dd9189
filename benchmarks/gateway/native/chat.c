/* Chatting users: questions to a Dify application at 127.0.0.1, one thread, epoll. One line of JSON tells what came.
 *
 *   chat --port N --key K --questions FILE [--users N] [--turns N] (--messages N | --seconds S) [--rate R] [--run NAME] [--fresh N]
 *
 * FILE has a question a line, as JSON writes it between the quotes. Each user has a connection and a conversation of his own,
 * goes on in it for `turns` questions, by the id in the first answer, and then begins another.
 * Without --rate a user asks again when he has his answer. With --rate questions have their times, and a latency counts from
 * that time: a question for which no user is free waits, and that is counted.
 * With --fresh each question ends in a number of its own, from N on, so that nothing kept of an earlier one answers for it.
 * An answer is right when it is streamed with status 200, has text, and ends in `message_end`.
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
#include <sys/socket.h>
#include <unistd.h>

#include "latencies.h"
#include "wire.h"

#define IN_ROOM (1024 * 1024)
#define OUT_ROOM (64 * 1024)
#define ID_SIZE 36
#define EVENTS 256
#define MOST_FAILURES 100

struct user {
  int fd, number, busy, wants_write, had_token, turn;
  uint64_t begun;
  char conversation[ID_SIZE + 1];
  char out[OUT_ROOM];
  size_t out_size, out_sent;
  char *in;
  size_t in_size, looked;
};

static unsigned port, users = 50, turns = 10;
static uint64_t most = UINT64_MAX, run_ns;
static double rate;
static uint64_t fresh;
static const char *key = "", *run_name = "run";
static char **questions;
static size_t question_count;

static int epoll;
static struct user *all, **idle;
static size_t idle_count;
static uint64_t started_at, ended_at, begun_count, answered, failed, events_seen, cited, conversations;
static char first_failure[512];
static struct latencies latencies, first_tokens;

static void die(const char *what) {
  fprintf(stderr, "chat: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void *need(void *memory) {
  if (memory == NULL) die("out of memory");
  return memory;
}

/* --- answers --- */

static int holds(const struct user *user, const char *text) { return memmem(user->in, user->in_size, text, strlen(text)) != NULL; }

static void hang_up(struct user *user) {
  if (user->fd >= 0) close(user->fd);
  user->fd = -1;
}

static void note_failure(const struct user *user, const char *why) {
  failed++;
  if (first_failure[0]) return;
  int size = snprintf(first_failure, 100, "%s: ", why);
  size_t from = user->in_size > 350 ? user->in_size - 350 : 0;
  for (size_t i = from; i < user->in_size && size < 500; i++) {
    char byte = user->in[i];
    first_failure[size++] = byte < ' ' || byte > '}' || byte == '"' || byte == '\\' ? '.' : byte;
  }
}

static uint64_t times(const struct user *user, const char *text) {
  uint64_t found = 0;
  const char *end = user->in + user->in_size;
  for (const char *at = user->in; (at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL; at += strlen(text)) found++;
  return found;
}

static const char *judged(struct user *user) {
  static const char ID[] = "\"conversation_id\":\"";
  if (user->in_size < 12 || memcmp(user->in + 9, "200", 3) != 0) return "status";
  if (holds(user, "\"event\":\"error\"")) return "error";
  if (!holds(user, "\"event\":\"message_end\"")) return "end";
  if (!user->had_token) return "text";
  const char *id = memmem(user->in, user->in_size, ID, sizeof ID - 1);
  if (id == NULL || (size_t)(user->in + user->in_size - id) < sizeof ID + ID_SIZE) return "conversation";
  id += sizeof ID - 1;
  if (user->conversation[0] && memcmp(user->conversation, id, ID_SIZE) != 0) return "another conversation";
  memcpy(user->conversation, id, ID_SIZE);
  return NULL;
}

static void finish(struct user *user, const char *failure) {
  uint64_t now = ended_at = now_ns();
  if (failure == NULL) failure = judged(user);
  user->busy = 0;
  idle[idle_count++] = user;
  if (failure != NULL) {
    note_failure(user, failure);
    hang_up(user);
    user->conversation[0] = 0;
    user->turn = 0;
    return;
  }
  answered++;
  events_seen += times(user, "\ndata: ");
  if (holds(user, "\"retriever_resources\":[{")) cited++;
  latencies_add(&latencies, now - user->begun);
  if (++user->turn == (int)turns) {
    user->turn = 0;
    user->conversation[0] = 0;
  }
}

/* --- questions --- */

static int dial(struct user *user) {
  int on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  user->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (user->fd < 0) return -1;
  setsockopt(user->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(user->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) return -1;
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = user};
  user->wants_write = 1;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, user->fd, &event);
}

static void watch(struct user *user, int write) {
  if (user->wants_write == write) return;
  user->wants_write = write;
  struct epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = user};
  epoll_ctl(epoll, EPOLL_CTL_MOD, user->fd, &event);
}

static void send_out(struct user *user) {
  while (user->out_sent < user->out_size) {
    ssize_t wrote = send(user->fd, user->out + user->out_sent, user->out_size - user->out_sent, MSG_NOSIGNAL);
    if (wrote < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == ENOTCONN) return watch(user, 1);
      return finish(user, "closed");
    }
    user->out_sent += (size_t)wrote;
  }
  watch(user, 0);
}

static void ask(struct user *user, uint64_t from) {
  static char body[OUT_ROOM - 1024];
  char number[32] = "";
  const char *question = questions[begun_count++ % question_count];
  if (!user->conversation[0]) conversations++;
  if (fresh) snprintf(number, sizeof number, " (%llu)", (unsigned long long)(fresh + begun_count));
  int size = snprintf(body, sizeof body,
                      "{\"query\":\"%s%s\",\"inputs\":{},\"user\":\"%s-%d\",\"response_mode\":\"streaming\",\"conversation_id\":\"%s\"}",
                      question, number, run_name, user->number, user->conversation);
  user->out_size = (size_t)snprintf(user->out, sizeof user->out,
                                    "POST /v1/chat-messages HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/json\r\n"
                                    "Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
                                    port, key, size, body);
  user->out_sent = user->in_size = user->looked = 0;
  user->had_token = 0;
  user->busy = 1;
  user->begun = from;
  if (user->fd >= 0) return send_out(user);
  if (dial(user) < 0) finish(user, "connect");
}

static int may_ask(uint64_t now, uint64_t *from) {
  if (begun_count >= most || failed >= MOST_FAILURES) return 0;
  if (rate == 0 && run_ns && now - started_at >= run_ns) return 0;
  *from = rate > 0 ? started_at + (uint64_t)((double)begun_count / rate * 1e9) : now;
  return *from <= now;
}

static void ask_what_may(void) {
  uint64_t from;
  /* The one who waited longest asks first, so that all conversations go on. */
  for (size_t left = idle_count; left > 0 && may_ask(now_ns(), &from); left--) {
    struct user *user = idle[0];
    memmove(idle, idle + 1, --idle_count * sizeof *idle);
    ask(user, from);
  }
}

/* --- events --- */

static int whole(const struct user *user) {
  static const char END[] = "\r\n0\r\n\r\n";
  if (user->in_size > 12 && memcmp(user->in + 9, "200", 3) == 0)
    return user->in_size > sizeof END && memcmp(user->in + user->in_size - sizeof END + 1, END, sizeof END - 1) == 0;
  const char *end = memmem(user->in, user->in_size, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  size_t head = (size_t)(end + 4 - user->in);
  return user->in_size - head >= (size_t)header_number(user->in, head, "content-length:");
}

static void read_in(struct user *user) {
  for (;;) {
    if (user->in_size == IN_ROOM) return finish(user, "too long");
    ssize_t got = recv(user->fd, user->in + user->in_size, IN_ROOM - user->in_size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (!user->busy) return hang_up(user);
    if (got <= 0) return finish(user, "closed");
    user->in_size += (size_t)got;
    if (!user->had_token) {
      static const char TOKEN[] = "\"event\":\"message\"";
      size_t from = user->looked > sizeof TOKEN ? user->looked - sizeof TOKEN : 0;
      if (memmem(user->in + from, user->in_size - from, TOKEN, sizeof TOKEN - 1) != NULL) {
        user->had_token = 1;
        latencies_add(&first_tokens, now_ns() - user->begun);
      }
      user->looked = user->in_size;
    }
    if (whole(user)) return finish(user, NULL);
  }
}

static void on_event(struct epoll_event *event) {
  struct user *user = event->data.ptr;
  if (user->fd < 0) return;
  if (event->events & EPOLLOUT && user->busy) send_out(user);
  if (user->fd >= 0 && event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_in(user);
}

static int is_over(void) {
  uint64_t from;
  if (idle_count < users) return 0;
  return rate > 0 ? begun_count >= most || failed >= MOST_FAILURES : !may_ask(now_ns(), &from);
}

static void run(void) {
  struct epoll_event events[EVENTS];
  started_at = ended_at = now_ns();
  for (ask_what_may(); !is_over(); ask_what_may()) {
    /* With a rate the next question may be due within the millisecond. */
    int found = epoll_wait(epoll, events, EVENTS, rate > 0 ? 1 : 50);
    for (int i = 0; i < found; i++) on_event(&events[i]);
    uint64_t now = now_ns();
    for (unsigned i = 0; i < users; i++)
      if (all[i].busy && now > all[i].begun + 60000000000u) finish(&all[i], "timeout");
  }
}

/* --- start --- */

static void read_questions(const char *path) {
  FILE *file = fopen(path, "r");
  char *line = NULL;
  size_t room = 0;
  if (file == NULL) die(path);
  while (getline(&line, &room, file) >= 0) {
    line[strcspn(line, "\r\n")] = 0;
    if (line[0] == 0) continue;
    questions = need(realloc(questions, (question_count + 1) * sizeof *questions));
    questions[question_count++] = need(strdup(line));
  }
  free(line);
  fclose(file);
}

static const struct option OPTIONS[] = {{"port", 1, 0, 'p'},  {"key", 1, 0, 'k'},      {"questions", 1, 0, 'q'}, {"users", 1, 0, 'u'},
                                        {"turns", 1, 0, 't'}, {"messages", 1, 0, 'n'}, {"seconds", 1, 0, 's'},   {"rate", 1, 0, 'r'},
                                        {"run", 1, 0, 'R'},   {"fresh", 1, 0, 'F'},    {0, 0, 0, 0}};

int main(int count, char **arguments) {
  for (int option; (option = getopt_long(count, arguments, "", OPTIONS, NULL)) >= 0;) switch (option) {
      case 'p': port = (unsigned)atoi(optarg); break;
      case 'k': key = optarg; break;
      case 'q': read_questions(optarg); break;
      case 'u': users = (unsigned)atoi(optarg); break;
      case 't': turns = (unsigned)atoi(optarg); break;
      case 'n': most = strtoull(optarg, NULL, 10); break;
      case 's': run_ns = (uint64_t)(atof(optarg) * 1e9); break;
      case 'r': rate = atof(optarg); break;
      case 'R': run_name = optarg; break;
      case 'F': fresh = strtoull(optarg, NULL, 10); break;
      default: return 2;
    }
  if (port == 0 || port > 65535 || users == 0 || turns == 0 || question_count == 0 || (most == UINT64_MAX && run_ns == 0)) {
    fprintf(stderr, "usage: chat --port N --key K --questions FILE (--messages N | --seconds S) …\n");
    return 2;
  }
  if (rate > 0 && run_ns && most == UINT64_MAX) most = (uint64_t)(rate * (double)run_ns / 1e9);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  all = need(calloc(users, sizeof *all));
  idle = need(calloc(users, sizeof *idle));
  if (epoll < 0) die("epoll");
  for (unsigned i = 0; i < users; i++) {
    all[i].fd = -1;
    all[i].number = (int)i;
    all[i].in = need(malloc(IN_ROOM));
    idle[idle_count++] = &all[i];
  }
  run();
  printf("{\"messages\":%llu,\"answered\":%llu,\"failed\":%llu,\"seconds\":%.6f,\"events\":%llu,\"cited\":%llu,\"conversations\":%llu,"
         "\"first_failure\":\"%s\",\"latency_us\":",
         (unsigned long long)begun_count, (unsigned long long)answered, (unsigned long long)failed, (double)(ended_at - started_at) / 1e9,
         (unsigned long long)events_seen, (unsigned long long)cited, (unsigned long long)conversations, first_failure);
  latencies_print(&latencies, stdout);
  printf(",\"first_token_us\":");
  latencies_print(&first_tokens, stdout);
  printf("}\n");
  return 0;
}
