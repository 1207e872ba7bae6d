// The contract's exports, made of the author's definition.
#include "quarry_extractor.h"

#include <stdarg.h>
#include <stdio.h>

#include "quarry_state.h"

// Output that waits in the guest before it is handed over, even within a tile.
#define FLUSH_BYTES (1u << 20)
#define MEMORY_BYTES_DEFAULT (16u << 20)

static const quarry_extractor *const definition = &quarry_extractor_definition;

uint32_t quarry_dimensions[QUARRY_FIELDS_MAX];

static quarry_row row;
static quarry_documents documents;

// plugin.c wants it linked in: the object that would hold the contract's description. The builder
// writes that into the module itself.
void __component_type_object_force_link_plugin(void);
void __component_type_object_force_link_plugin(void) {}

quarry_text quarry_text_of(const char *string) {
  return (quarry_text){string, strlen(string)};
}

bool quarry_text_is(quarry_text text, const char *string) {
  size_t len = strlen(string);
  return text.len == len && (len == 0 || memcmp(text.data, string, len) == 0);
}

void quarry_log(quarry_level level, const char *format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  int len = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (len > 0) {
    size_t kept = (size_t)len < sizeof line ? (size_t)len : sizeof line - 1;
    // A cut must not leave half a character: what crosses the boundary is UTF-8.
    if ((size_t)len >= sizeof line) {
      while (kept > 0 && ((unsigned char)line[kept - 1] & 0xC0) == 0x80) {
        kept--;
      }
      if (kept > 0 && (unsigned char)line[kept - 1] >= 0xC0) {
        kept--;
      }
    }
    plugin_string_t message = {(uint8_t *)line, kept};
    quarry_extractor_log_write(level, &message);
  }
}

void quarry_trap(const char *message) {
  quarry_log(QUARRY_ERROR, "%s", message);
  __builtin_trap();
}

static const char *type_name(quarry_type type) {
  switch (type) {
    case QUARRY_UTF8: return "utf8";
    case QUARRY_JSON: return "json";
    case QUARRY_I64: return "i64";
    case QUARRY_F64: return "f64";
    case QUARRY_BOOL: return "bool";
    case QUARRY_BLOB: return "blob";
    case QUARRY_DENSE: return "dense";
    case QUARRY_SPARSE: return "sparse";
    case QUARRY_MULTI: return "multi";
  }
  quarry_trap("a field has no type");
}

static void member(quarry_buffer *json, const char *name) {
  quarry_json_raw(json, ",");
  quarry_json_string(json, name);
  quarry_json_raw(json, ":");
}

static void text_member(quarry_buffer *json, const char *name, const char *text) {
  member(json, name);
  quarry_json_string(json, text == NULL ? "" : text);
}

static void begin_field(quarry_buffer *json, bool first, const char *name, quarry_type type,
                        const char *description) {
  quarry_json_raw(json, first ? "{\"name\":" : ",{\"name\":");
  quarry_json_string(json, name);
  text_member(json, "type", type_name(type));
  text_member(json, "description", description);
}

static void describe_inputs(quarry_buffer *json) {
  member(json, "inputs");
  quarry_json_raw(json, "[");
  for (size_t i = 0; i < definition->inputs_len; i++) {
    const quarry_input *input = &definition->inputs[i];
    begin_field(json, i == 0, input->name, input->type, input->description);
    quarry_json_raw(json, input->required ? ",\"required\":true}" : ",\"required\":false}");
  }
  quarry_json_raw(json, "]");
}

static void describe_outputs(quarry_buffer *json) {
  member(json, "outputs");
  quarry_json_raw(json, "[");
  for (size_t i = 0; i < definition->outputs_len; i++) {
    const quarry_output *output = &definition->outputs[i];
    begin_field(json, i == 0, output->name, output->type, output->description);
    if (output->type == QUARRY_DENSE || output->type == QUARRY_MULTI) {
      member(json, "dimension");
      quarry_json_integer(json, quarry_dimensions[i]);
      text_member(json, "distance", output->distance);
    }
    quarry_json_raw(json, "}");
  }
  quarry_json_raw(json, "]");
}

// The description under the dimensions at hand. The host frees it.
static plugin_string_t describe(void) {
  quarry_buffer json = {0};
  quarry_json_raw(&json, "{\"api\":\"" QUARRY_API "\"");
  text_member(&json, "name", definition->name);
  text_member(&json, "version", definition->version);
  text_member(&json, "summary", definition->summary);
  describe_inputs(&json);
  describe_outputs(&json);
  if (definition->position != NULL) {
    text_member(&json, "position", definition->position);
  }
  member(&json, "parameters");
  const char *none = "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}";
  quarry_json_raw(&json, definition->parameters == NULL ? none : definition->parameters);
  member(&json, "capabilities");
  for (size_t i = 0; i < definition->capabilities_len; i++) {
    quarry_json_raw(&json, i == 0 ? "[" : ",");
    quarry_json_string(&json, definition->capabilities[i]);
  }
  quarry_json_raw(&json, definition->capabilities_len == 0 ? "[]" : "]");
  member(&json, "deterministic");
  quarry_json_raw(&json, definition->varies ? "false" : "true");
  member(&json, "memory_bytes");
  uint64_t memory = definition->memory_bytes;
  quarry_json_integer(&json, memory == 0 ? MEMORY_BYTES_DEFAULT : memory);
  quarry_json_raw(&json, definition->embed_query == NULL ? "}" : ",\"queries\":true}");
  return (plugin_string_t){json.data, json.len};
}

// Takes the definition as it stands, then the parameters. Returns NULL or what is wrong.
static const char *configure(quarry_text parameters) {
  if (definition->inputs_len > QUARRY_FIELDS_MAX || definition->outputs_len > QUARRY_FIELDS_MAX) {
    return "more inputs or outputs than QUARRY_FIELDS_MAX";
  }
  for (size_t i = 0; i < definition->outputs_len; i++) {
    quarry_dimensions[i] = definition->outputs[i].dimension;
  }
  return definition->configure == NULL ? NULL : definition->configure(parameters);
}

void quarry_set_dimension(uint32_t output, uint32_t dimension) {
  if (output >= definition->outputs_len) {
    quarry_trap("there is no output of this index");
  }
  quarry_dimensions[output] = dimension;
}

void exports_quarry_extractor_extractor_describe(plugin_string_t *ret) {
  const char *wrong = configure(quarry_text_of("{}"));
  if (wrong != NULL) {
    quarry_log(QUARRY_WARN, "the default parameters do not fit: %s", wrong);
  }
  *ret = describe();
}

bool exports_quarry_extractor_extractor_configure(plugin_string_t *parameters,
                                                  plugin_string_t *ret, plugin_string_t *err) {
  // Never freed: an instance is configured once, and the extractor may keep what points into it.
  const char *wrong = configure((quarry_text){(const char *)parameters->ptr, parameters->len});
  if (wrong != NULL) {
    plugin_string_dup(err, wrong);
    return false;
  }
  *ret = describe();
  return true;
}

bool exports_quarry_extractor_extractor_run(batch_handle batch, sink_handle sink,
                                            plugin_string_t *err) {
  (void)err;
  row.batch = batch;
  quarry_documents_clear(&documents);
  uint32_t rows = quarry_extractor_input_method_batch_rows(batch);
  uint32_t tile = quarry_extractor_input_method_batch_tile(batch);
  tile = tile == 0 ? 1 : tile;
  for (uint32_t from = 0; from < rows;) {
    uint32_t to = rows - from > tile ? from + tile : rows;
    quarry_row_pull(&row, from, to);
    uint32_t flushed = from;
    for (uint32_t at = from; at < to; at++) {
      row.row = at;
      quarry_documents_begin_row(&documents, at);
      definition->extract(&row, &documents);
      quarry_documents_end_row(&documents);
      if (quarry_documents_bytes(&documents) > FLUSH_BYTES) {
        quarry_documents_flush(&documents, sink, flushed);
        flushed = at + 1;
      }
    }
    quarry_documents_flush(&documents, sink, flushed);
    quarry_row_release(&row);
    from = to;
  }
  quarry_extractor_input_batch_drop_borrow(batch);
  quarry_extractor_output_sink_drop_borrow(sink);
  return true;
}

bool exports_quarry_extractor_extractor_embed_query(plugin_string_t *text, plugin_string_t *ret,
                                                    plugin_string_t *err) {
  if (definition->embed_query == NULL) {
    plugin_string_dup(err, "this extractor can not embed queries");
    return false;
  }
  quarry_query query = {0};
  definition->embed_query((quarry_text){(const char *)text->ptr, text->len}, &query);
  plugin_string_free(text);
  if (query.error.len > 0) {
    free(query.json.data);
    *err = (plugin_string_t){query.error.data, query.error.len};
    return false;
  }
  quarry_json_raw(&query.json, query.json.len == 0 ? "{}" : "}");
  *ret = (plugin_string_t){query.json.data, query.json.len};
  return true;
}

static void answer(quarry_query *query, const char *output) {
  quarry_json_raw(&query->json, query->json.len == 0 ? "{" : ",");
  quarry_json_string(&query->json, output);
  quarry_json_raw(&query->json, ":");
}

void quarry_answer_vector(quarry_query *query, const char *output, const float *values,
                          size_t len) {
  answer(query, output);
  size_t dimension = len;
  bool multi = false;
  for (size_t i = 0; i < definition->outputs_len; i++) {
    if (strcmp(definition->outputs[i].name, output) == 0) {
      multi = definition->outputs[i].type == QUARRY_MULTI;
      dimension = quarry_dimensions[i];
    }
  }
  if (!multi) {
    quarry_json_floats(&query->json, values, len);
    return;
  }
  quarry_json_raw(&query->json, "[");
  for (size_t from = 0; dimension > 0 && from + dimension <= len; from += dimension) {
    quarry_json_raw(&query->json, from == 0 ? "" : ",");
    quarry_json_floats(&query->json, values + from, dimension);
  }
  quarry_json_raw(&query->json, "]");
}

void quarry_answer_sparse(quarry_query *query, const char *output, const uint32_t *indices,
                          const float *values, size_t len) {
  answer(query, output);
  quarry_json_raw(&query->json, "{\"indices\":");
  quarry_json_indices(&query->json, indices, len);
  quarry_json_raw(&query->json, ",\"values\":");
  quarry_json_floats(&query->json, values, len);
  quarry_json_raw(&query->json, "}");
}

void quarry_answer_error(quarry_query *query, const char *message) {
  query->error.len = 0;
  quarry_json_raw(&query->error, message);
}
