// Bytes that grow. Inside of the SDK only.
#ifndef QUARRY_BUFFER_H
#define QUARRY_BUFFER_H

#include <stdlib.h>
#include <string.h>

#include "quarry_extractor.h"

typedef struct quarry_buffer {
  uint8_t *data;
  size_t len;
  size_t capacity;
} quarry_buffer;

// Room for `len` more bytes; they are not set.
static inline uint8_t *quarry_buffer_add(quarry_buffer *buffer, size_t len) {
  if (len > buffer->capacity - buffer->len) {
    size_t wanted = buffer->len + len;
    if (wanted < len || wanted > SIZE_MAX / 2) {
      quarry_trap("out of memory");
    }
    size_t capacity = wanted > 2 * buffer->capacity ? wanted : 2 * buffer->capacity;
    uint8_t *data = realloc(buffer->data, capacity);
    if (data == NULL) {
      quarry_trap("out of memory");
    }
    buffer->data = data;
    buffer->capacity = capacity;
  }
  uint8_t *added = buffer->data + buffer->len;
  buffer->len += len;
  return added;
}

static inline void quarry_buffer_append(quarry_buffer *buffer, const void *data, size_t len) {
  if (len > 0) {
    memcpy(quarry_buffer_add(buffer, len), data, len);
  }
}

static inline void quarry_buffer_append_u32(quarry_buffer *buffer, uint32_t value) {
  quarry_buffer_append(buffer, &value, sizeof value);
}

// JSON.
void quarry_json_raw(quarry_buffer *json, const char *text);
void quarry_json_string(quarry_buffer *json, const char *text);
void quarry_json_integer(quarry_buffer *json, uint64_t value);
void quarry_json_floats(quarry_buffer *json, const float *values, size_t len);
void quarry_json_indices(quarry_buffer *json, const uint32_t *values, size_t len);

#endif
