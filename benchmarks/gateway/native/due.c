#include "due.h"

#include <stdlib.h>

static struct due **heap; /* from 1 */
static size_t size, room;

static void place(size_t at, struct due *due) {
  heap[at] = due;
  due->at = at;
}

static void sift(size_t at) {
  struct due *due = heap[at];
  for (; at > 1 && heap[at / 2]->when > due->when; at /= 2) place(at, heap[at / 2]);
  for (size_t child; (child = at * 2) <= size; at = child) {
    if (child < size && heap[child + 1]->when < heap[child]->when) child++;
    if (heap[child]->when >= due->when) break;
    place(at, heap[child]);
  }
  place(at, due);
}

void due_add(struct due *due) {
  if (size + 2 > room) {
    room = room ? room * 2 : 1024;
    heap = realloc(heap, room * sizeof *heap);
    if (heap == NULL) abort();
  }
  place(++size, due);
  sift(size);
}

void due_remove(struct due *due) {
  size_t at = due->at;
  if (at == 0) return;
  struct due *last = heap[size--];
  due->at = 0;
  if (last == due) return;
  place(at, last);
  sift(at);
}

struct due *due_next(void) { return size ? heap[1] : NULL; }
