// Inputs: tiles of columns, and cells of blobs.
#include "quarry_state.h"

// Bytes of one read of a blob.
#define READ_BYTES_MAX 65536

static quarry_buffer blob_error;

static const quarry_input *inputs(void) { return quarry_extractor_definition.inputs; }

void quarry_row_pull(quarry_row *row, uint32_t from, uint32_t to) {
  row->from = from;
  for (uint32_t i = 0; i < quarry_extractor_definition.inputs_len; i++) {
    tile_column *column = &row->columns[i];
    memset(column, 0, sizeof *column);
    quarry_type type = inputs()[i].type;
    if (type == QUARRY_UTF8 || type == QUARRY_JSON) {
      quarry_extractor_input_varlen_column_t pulled;
      quarry_extractor_input_method_batch_varlen(row->batch, i, from, to, &pulled);
      column->validity = pulled.validity;
      column->offsets = pulled.offsets;
      column->data = pulled.data;
    } else if (type != QUARRY_BLOB) {
      quarry_extractor_input_fixed_column_t pulled;
      quarry_extractor_input_method_batch_fixed(row->batch, i, from, to, &pulled);
      column->validity = pulled.validity;
      column->data = pulled.data;
      column->stride = (size_t)pulled.width * pulled.lanes;
    }
  }
}

void quarry_row_release(quarry_row *row) {
  for (uint32_t i = 0; i < quarry_extractor_definition.inputs_len; i++) {
    tile_column *column = &row->columns[i];
    plugin_list_u8_free(&column->validity);
    plugin_list_u32_free(&column->offsets);
    plugin_list_u8_free(&column->data);
    memset(column, 0, sizeof *column);
  }
}

static const tile_column *column_of(const quarry_row *row, uint32_t input, quarry_type type) {
  if (input >= quarry_extractor_definition.inputs_len) {
    quarry_trap("there is no input of this index");
  }
  quarry_type declared = inputs()[input].type;
  bool text = type == QUARRY_UTF8 && declared == QUARRY_JSON;
  if (declared != type && !text) {
    quarry_trap("an input is read as another type than it is declared with");
  }
  return &row->columns[input];
}

static bool is_set(plugin_list_u8_t validity, uint32_t at) {
  return validity.len == 0 || (validity.ptr[at / 8] >> (at % 8) & 1) != 0;
}

bool quarry_is_null(const quarry_row *row, uint32_t input) {
  if (input >= quarry_extractor_definition.inputs_len) {
    quarry_trap("there is no input of this index");
  }
  if (inputs()[input].type == QUARRY_BLOB) {
    // The host has no bits for cells; it says `null` when one is asked for.
    return quarry_blob_len(row, input) < 0 && quarry_text_is(quarry_blob_error(), "null");
  }
  return !is_set(row->columns[input].validity, row->row - row->from);
}

quarry_text quarry_read_text(const quarry_row *row, uint32_t input) {
  const tile_column *column = column_of(row, input, QUARRY_UTF8);
  uint32_t at = row->row - row->from;
  if (!is_set(column->validity, at)) {
    return (quarry_text){NULL, 0};
  }
  uint32_t begin = column->offsets.ptr[at], end = column->offsets.ptr[at + 1];
  return (quarry_text){(const char *)column->data.ptr + begin, end - begin};
}

// The bytes of a fixed value; NULL when it is null.
static const uint8_t *fixed(const quarry_row *row, uint32_t input, quarry_type type) {
  const tile_column *column = column_of(row, input, type);
  uint32_t at = row->row - row->from;
  return is_set(column->validity, at) ? column->data.ptr + at * column->stride : NULL;
}

int64_t quarry_read_i64(const quarry_row *row, uint32_t input) {
  const uint8_t *bytes = fixed(row, input, QUARRY_I64);
  int64_t value = 0;
  if (bytes != NULL) {
    memcpy(&value, bytes, sizeof value);
  }
  return value;
}

double quarry_read_f64(const quarry_row *row, uint32_t input) {
  const uint8_t *bytes = fixed(row, input, QUARRY_F64);
  double value = 0;
  if (bytes != NULL) {
    memcpy(&value, bytes, sizeof value);
  }
  return value;
}

bool quarry_read_bool(const quarry_row *row, uint32_t input) {
  const uint8_t *bytes = fixed(row, input, QUARRY_BOOL);
  return bytes != NULL && *bytes != 0;
}

const float *quarry_read_vector(const quarry_row *row, uint32_t input, size_t *len) {
  const uint8_t *bytes = fixed(row, input, QUARRY_DENSE);
  *len = bytes == NULL ? 0 : row->columns[input].stride / sizeof(float);
  // malloc aligns the tile, and its rows are multiples of a float.
  return (const float *)(const void *)bytes;
}

static void keep_error(plugin_string_t *error) {
  blob_error.len = 0;
  quarry_buffer_append(&blob_error, error->ptr, error->len);
  plugin_string_free(error);
}

quarry_text quarry_blob_error(void) {
  return (quarry_text){(const char *)blob_error.data, blob_error.len};
}

int64_t quarry_blob_len(const quarry_row *row, uint32_t input) {
  column_of(row, input, QUARRY_BLOB);
  uint64_t len;
  plugin_string_t error;
  if (!quarry_extractor_input_method_batch_cell_len(row->batch, input, row->row, &len, &error)) {
    keep_error(&error);
    return -1;
  }
  return (int64_t)len;
}

int64_t quarry_blob_read(const quarry_row *row, uint32_t input, uint64_t offset, void *into,
                         size_t len) {
  column_of(row, input, QUARRY_BLOB);
  size_t filled = 0;
  while (filled < len) {
    size_t wanted = len - filled < READ_BYTES_MAX ? len - filled : READ_BYTES_MAX;
    plugin_list_u8_t bytes;
    plugin_string_t error;
    if (!quarry_extractor_input_method_batch_cell_read(row->batch, input, row->row,
                                                       offset + filled, (uint32_t)wanted, &bytes,
                                                       &error)) {
      keep_error(&error);
      return -1;
    }
    size_t read = bytes.len;
    if (read > 0) {
      memcpy((uint8_t *)into + filled, bytes.ptr, read);
      filled += read;
    }
    plugin_list_u8_free(&bytes);
    if (read < wanted) {
      break;
    }
  }
  return (int64_t)filled;
}
