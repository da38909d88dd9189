#define _GNU_SOURCE
#include "wire.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The value behind `name`, and its length up to the end of the line. */
static const char *header_value(const char *head, size_t size, const char *name, size_t *length) {
  size_t name_size = strlen(name);
  const char *end = head + size;
  for (const char *line = memchr(head, '\n', size); line != NULL; line = memchr(line, '\n', (size_t)(end - line))) {
    line++;
    if ((size_t)(end - line) < name_size) return NULL;
    if (strncasecmp(line, name, name_size) != 0) continue;
    const char *value = line + name_size;
    while (value < end && *value == ' ') value++;
    const char *stop = memchr(value, '\r', (size_t)(end - value));
    *length = (size_t)((stop ? stop : end) - value);
    return value;
  }
  return NULL;
}

long long header_number(const char *head, size_t size, const char *name) {
  size_t length;
  const char *value = header_value(head, size, name, &length);
  if (value == NULL || length == 0 || length > 18) return -1;
  long long number = 0;
  for (size_t i = 0; i < length; i++) {
    if (value[i] < '0' || value[i] > '9') return -1;
    number = number * 10 + (value[i] - '0');
  }
  return number;
}

int header_has(const char *head, size_t size, const char *name, const char *word) {
  size_t length, word_size = strlen(word);
  const char *value = header_value(head, size, name, &length);
  if (value == NULL) return 0;
  for (size_t i = 0; i + word_size <= length; i++)
    if (strncasecmp(value + i, word, word_size) == 0) return 1;
  return 0;
}
