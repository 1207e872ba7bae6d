// What the parts of the SDK know of each other. Inside of the SDK only.
#ifndef QUARRY_STATE_H
#define QUARRY_STATE_H

#include "plugin.h"
#include "quarry_buffer.h"

typedef quarry_extractor_input_borrow_batch_t batch_handle;
typedef quarry_extractor_output_borrow_sink_t sink_handle;

// A tile of an input column, as the host gave it.
typedef struct tile_column {
  plugin_list_u8_t validity;
  plugin_list_u32_t offsets;
  plugin_list_u8_t data;
  // Bytes of a row of a fixed column.
  size_t stride;
} tile_column;

// The tile at hand and the row in it.
struct quarry_row {
  batch_handle batch;
  uint32_t from;
  uint32_t row;
  tile_column columns[QUARRY_FIELDS_MAX];
};

// The values of an output that wait to be handed over.
typedef struct column {
  // Bits, least significant first.
  quarry_buffer validity;
  // Where each value begins, and after the last its end: bytes, or entries of a sparse vector.
  quarry_buffer offsets;
  quarry_buffer data;
  quarry_buffer indices;
} column;

struct quarry_documents {
  uint32_t count;
  // Documents there were before the row at hand.
  uint32_t row_first;
  uint32_t row;
  bool rejected;
  column columns[QUARRY_FIELDS_MAX];
  // Documents of each row since the last time they were handed over.
  quarry_buffer counts;
  // Rejections: row, length of the code, length of the message, their bytes.
  quarry_buffer rejects;
};

struct quarry_query {
  quarry_buffer json;
  quarry_buffer error;
};

// Dimensions of the outputs under the parameters at hand.
extern uint32_t quarry_dimensions[QUARRY_FIELDS_MAX];

static inline bool quarry_is_varlen(quarry_type type) {
  return type == QUARRY_UTF8 || type == QUARRY_JSON || type == QUARRY_BLOB || type == QUARRY_MULTI;
}

// Bytes of one value of a fixed column.
static inline size_t quarry_width(quarry_type type) { return type == QUARRY_BOOL ? 1 : 8; }

void quarry_documents_clear(quarry_documents *documents);
void quarry_documents_begin_row(quarry_documents *documents, uint32_t row);
void quarry_documents_end_row(quarry_documents *documents);
size_t quarry_documents_bytes(const quarry_documents *documents);
// Hands the rows from `row` on over, and empties the buffers.
void quarry_documents_flush(quarry_documents *documents, sink_handle sink, uint32_t row);
void quarry_row_pull(quarry_row *row, uint32_t from, uint32_t to);
void quarry_row_release(quarry_row *row);

#endif
