// Outputs: values gathered in columns, handed over many documents at a time.
#include "quarry_state.h"

static const quarry_output *outputs(void) { return quarry_extractor_definition.outputs; }

static size_t outputs_len(void) { return quarry_extractor_definition.outputs_len; }

// Where value `at` of a column with offsets begins.
static size_t offset_at(const column *column, uint32_t at) {
  uint32_t offset;
  memcpy(&offset, column->offsets.data + at * sizeof offset, sizeof offset);
  return offset;
}

// Cuts a column down to its first `count` documents.
static void truncate_column(column *column, uint32_t output, uint32_t count) {
  quarry_type type = outputs()[output].type;
  column->validity.len = (count + 7) / 8;
  if (quarry_is_varlen(type)) {
    column->data.len = count == 0 ? 0 : offset_at(column, count);
    column->offsets.len = count == 0 ? 0 : (count + 1) * sizeof(uint32_t);
  } else if (type == QUARRY_SPARSE) {
    size_t entries = count == 0 ? 0 : offset_at(column, count);
    column->indices.len = entries * sizeof(uint32_t);
    column->data.len = entries * sizeof(float);
    column->offsets.len = count == 0 ? 0 : (count + 1) * sizeof(uint32_t);
  } else if (type == QUARRY_DENSE) {
    column->data.len = (size_t)count * quarry_dimensions[output] * sizeof(float);
  } else {
    column->data.len = count * quarry_width(type);
  }
}

// Adds a value to a column that has `count`: null, or what stands for it.
static void add_null(column *column, uint32_t output, uint32_t count) {
  quarry_type type = outputs()[output].type;
  if (count % 8 == 0) {
    *quarry_buffer_add(&column->validity, 1) = 0;
  }
  column->validity.data[count / 8] &= (uint8_t)~(1u << count % 8);
  if (quarry_is_varlen(type) || type == QUARRY_SPARSE) {
    if (count == 0) {
      quarry_buffer_append_u32(&column->offsets, 0);
    }
    quarry_buffer_append_u32(&column->offsets, (uint32_t)offset_at(column, count));
  } else {
    size_t width = type == QUARRY_DENSE ? quarry_dimensions[output] * sizeof(float)
                                        : quarry_width(type);
    memset(quarry_buffer_add(&column->data, width), 0, width);
  }
}

void quarry_document(quarry_documents *documents) {
  if (documents->rejected) {
    quarry_trap("a row that was rejected makes a document");
  }
  for (uint32_t i = 0; i < outputs_len(); i++) {
    add_null(&documents->columns[i], i, documents->count);
  }
  documents->count++;
}

// The column of an output of the last document, which gets a value.
static column *column_of(quarry_documents *documents, uint32_t output, quarry_type type) {
  if (documents->count == documents->row_first) {
    quarry_trap("a field is set before quarry_document began a document");
  }
  if (output >= outputs_len()) {
    quarry_trap("there is no output of this index");
  }
  quarry_type declared = outputs()[output].type;
  bool text = type == QUARRY_UTF8 && declared == QUARRY_JSON;
  bool vector = type == QUARRY_DENSE && declared == QUARRY_MULTI;
  if (declared != type && !text && !vector) {
    quarry_trap("an output is set as another type than it is declared with");
  }
  column *column = &documents->columns[output];
  uint32_t last = documents->count - 1;
  column->validity.data[last / 8] |= (uint8_t)(1u << last % 8);
  return column;
}

static void set_fixed(column *column, const void *value, size_t width) {
  memcpy(column->data.data + column->data.len - width, value, width);
}

// Ends the last value at `end`.
static void end_value(column *column, size_t end) {
  if (end > UINT32_MAX) {
    quarry_trap("more than 4 GiB of output");
  }
  uint32_t offset = (uint32_t)end;
  memcpy(column->offsets.data + column->offsets.len - sizeof offset, &offset, sizeof offset);
}

static void set_varlen(quarry_documents *documents, column *column, const void *data, size_t len) {
  // Whatever it was set to before goes.
  column->data.len = offset_at(column, documents->count - 1);
  quarry_buffer_append(&column->data, data, len);
  end_value(column, column->data.len);
}

void quarry_set_text(quarry_documents *documents, uint32_t output, const char *data, size_t len) {
  set_varlen(documents, column_of(documents, output, QUARRY_UTF8), data, len);
}

void quarry_set_blob(quarry_documents *documents, uint32_t output, const void *data, size_t len) {
  set_varlen(documents, column_of(documents, output, QUARRY_BLOB), data, len);
}

void quarry_set_i64(quarry_documents *documents, uint32_t output, int64_t value) {
  set_fixed(column_of(documents, output, QUARRY_I64), &value, sizeof value);
}

void quarry_set_f64(quarry_documents *documents, uint32_t output, double value) {
  set_fixed(column_of(documents, output, QUARRY_F64), &value, sizeof value);
}

void quarry_set_bool(quarry_documents *documents, uint32_t output, bool value) {
  uint8_t byte = value ? 1 : 0;
  set_fixed(column_of(documents, output, QUARRY_BOOL), &byte, sizeof byte);
}

void quarry_set_vector(quarry_documents *documents, uint32_t output, const float *values,
                       size_t len) {
  column *column = column_of(documents, output, QUARRY_DENSE);
  size_t dimension = quarry_dimensions[output];
  if (outputs()[output].type == QUARRY_MULTI) {
    if (len % dimension != 0) {
      quarry_trap("the values of a multi vector are no multiple of its dimension");
    }
    set_varlen(documents, column, values, len * sizeof *values);
    return;
  }
  if (len != dimension) {
    quarry_trap("a vector has another dimension than its output");
  }
  set_fixed(column, values, len * sizeof *values);
}

void quarry_set_sparse(quarry_documents *documents, uint32_t output, const uint32_t *indices,
                       const float *values, size_t len) {
  column *column = column_of(documents, output, QUARRY_SPARSE);
  size_t begin = offset_at(column, documents->count - 1);
  column->indices.len = begin * sizeof *indices;
  column->data.len = begin * sizeof *values;
  quarry_buffer_append(&column->indices, indices, len * sizeof *indices);
  quarry_buffer_append(&column->data, values, len * sizeof *values);
  end_value(column, begin + len);
}

void quarry_reject(quarry_documents *documents, const char *code, const char *message) {
  if (documents->rejected) {
    return;
  }
  documents->rejected = true;
  for (uint32_t i = 0; i < outputs_len(); i++) {
    truncate_column(&documents->columns[i], i, documents->row_first);
  }
  documents->count = documents->row_first;
  size_t code_len = strlen(code), message_len = strlen(message);
  quarry_buffer_append_u32(&documents->rejects, documents->row);
  quarry_buffer_append_u32(&documents->rejects, (uint32_t)code_len);
  quarry_buffer_append_u32(&documents->rejects, (uint32_t)message_len);
  quarry_buffer_append(&documents->rejects, code, code_len);
  quarry_buffer_append(&documents->rejects, message, message_len);
}

void quarry_documents_begin_row(quarry_documents *documents, uint32_t row) {
  documents->row = row;
  documents->row_first = documents->count;
  documents->rejected = false;
}

void quarry_documents_end_row(quarry_documents *documents) {
  quarry_buffer_append_u32(&documents->counts, documents->count - documents->row_first);
}

size_t quarry_documents_bytes(const quarry_documents *documents) {
  size_t bytes = 0;
  for (uint32_t i = 0; i < outputs_len(); i++) {
    const column *column = &documents->columns[i];
    bytes += column->data.len + column->indices.len + column->offsets.len;
  }
  return bytes;
}

void quarry_documents_clear(quarry_documents *documents) {
  for (uint32_t i = 0; i < outputs_len(); i++) {
    truncate_column(&documents->columns[i], i, 0);
  }
  documents->count = 0;
  documents->counts.len = 0;
  documents->rejects.len = 0;
}

static plugin_list_u8_t bytes_of(const quarry_buffer *buffer) {
  return (plugin_list_u8_t){buffer->data, buffer->len};
}

static plugin_list_u32_t numbers_of(const quarry_buffer *buffer) {
  return (plugin_list_u32_t){(uint32_t *)(void *)buffer->data, buffer->len / sizeof(uint32_t)};
}

static void push(sink_handle sink, const column *column, uint32_t output, uint32_t first) {
  quarry_type type = outputs()[output].type;
  plugin_list_u8_t validity = bytes_of(&column->validity), data = bytes_of(&column->data);
  plugin_list_u32_t offsets = numbers_of(&column->offsets);
  plugin_list_u32_t indices = numbers_of(&column->indices);
  if (quarry_is_varlen(type)) {
    quarry_extractor_output_method_sink_varlen(sink, output, first, &validity, &offsets, &data);
  } else if (type == QUARRY_SPARSE) {
    quarry_extractor_output_method_sink_sparse(sink, output, first, &offsets, &indices, &data);
  } else if (type == QUARRY_DENSE) {
    quarry_extractor_output_method_sink_vectors(sink, output, first, &data);
  } else {
    quarry_extractor_output_method_sink_fixed(sink, output, first, &validity, &data);
  }
}

static void push_rejects(sink_handle sink, const quarry_buffer *rejects) {
  const uint8_t *at = rejects->data;
  const uint8_t *end = rejects->data + rejects->len;
  while (at < end) {
    uint32_t head[3];
    memcpy(head, at, sizeof head);
    at += sizeof head;
    plugin_string_t code = {(uint8_t *)(uintptr_t)at, head[1]};
    at += head[1];
    plugin_string_t message = {(uint8_t *)(uintptr_t)at, head[2]};
    at += head[2];
    quarry_extractor_output_method_sink_reject(sink, head[0], &code, &message);
  }
}

void quarry_documents_flush(quarry_documents *documents, sink_handle sink, uint32_t row) {
  if (documents->counts.len > 0) {
    plugin_list_u32_t counts = numbers_of(&documents->counts);
    uint32_t first = quarry_extractor_output_method_sink_documents(sink, row, &counts);
    if (documents->count > 0) {
      for (uint32_t i = 0; i < outputs_len(); i++) {
        push(sink, &documents->columns[i], i, first);
      }
    }
    push_rejects(sink, &documents->rejects);
  }
  quarry_documents_clear(documents);
}
