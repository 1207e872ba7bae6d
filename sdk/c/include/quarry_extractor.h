// Write a Quarry extractor in C: rows in, documents out. ../README.md is the guide.
//
// An extractor defines `quarry_extractor_definition` and the functions it names. The SDK pulls the
// columns in tiles, calls `extract` for each row, gathers the documents in columns and hands them
// over. What `plugin.h` declares (the contract itself, made by wit-bindgen) is there for whoever
// needs more.
//
// A mistake of the extractor (a field of another type, an index out of range, no memory) traps with
// a message in the log: the host tells the row. Nothing here prints, opens or waits.
#ifndef QUARRY_EXTRACTOR_H
#define QUARRY_EXTRACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The version of the contract (the WIT package quarry:extractor) this SDK speaks.
#define QUARRY_API "0.1.0"

// Most inputs, and most outputs.
#define QUARRY_FIELDS_MAX 64

// Bytes that are text: UTF-8, without a NUL at the end. `data` may be NULL when `len` is 0.
typedef struct quarry_text {
  const char *data;
  size_t len;
} quarry_text;

// The text of a literal or another string that ends with a NUL.
quarry_text quarry_text_of(const char *string);
// Whether a text has just these bytes.
bool quarry_text_is(quarry_text text, const char *string);

typedef enum quarry_type {
  QUARRY_UTF8 = 1,
  QUARRY_JSON,
  QUARRY_I64,
  QUARRY_F64,
  QUARRY_BOOL,
  QUARRY_BLOB,
  QUARRY_DENSE,
  QUARRY_SPARSE,  // outputs only
  QUARRY_MULTI,   // outputs only
} quarry_type;

typedef struct quarry_input {
  const char *name;
  quarry_type type;
  // Rows in which it is null never reach the extractor.
  bool required;
  const char *description;  // may be NULL
} quarry_input;

typedef struct quarry_output {
  const char *name;
  quarry_type type;
  // Of dense and multi only: values of one vector, and "cosine", "dot", "euclid" or "manhattan".
  uint32_t dimension;
  const char *distance;
  const char *description;  // may be NULL
} quarry_output;

// The row at hand, the documents that are being made, the answer to a query.
typedef struct quarry_row quarry_row;
typedef struct quarry_documents quarry_documents;
typedef struct quarry_query quarry_query;

// What an extractor is. Fields that are left out are 0 or NULL: not there.
typedef struct quarry_extractor {
  const char *name;     // QUARRY_NAME, which the builder takes from extractor.toml
  const char *version;  // QUARRY_VERSION, likewise
  const char *summary;  // one sentence
  const quarry_input *inputs;
  size_t inputs_len;
  const quarry_output *outputs;
  size_t outputs_len;
  // The JSON Schema of the parameters, with defaults; NULL when there are none.
  const char *parameters;
  // Called once for an instance, with the parameters as a JSON object that fits the schema (defaults
  // are not filled in). Returns NULL, or what is wrong as a text that stays valid.
  const char *(*configure)(quarry_text parameters);
  // Called for each row, in order. Makes any number of documents, or rejects the row.
  void (*extract)(const quarry_row *row, quarry_documents *documents);
  // Vectors for a search text; NULL when queries can not be embedded.
  void (*embed_query)(quarry_text text, quarry_query *query);
  // The i64 output that is a document's position in its row; NULL: the ordinal.
  const char *position;
  // What it wants beside the contract, such as "clock": the functions are in plugin.h. Without a
  // grant for it the extractor is not started.
  const char *const *capabilities;
  size_t capabilities_len;
  // Whether the same row may give other documents another time: then nothing is taken again.
  bool varies;
  // Memory an instance needs, a hint for the scheduler; 0: 16 MiB.
  uint64_t memory_bytes;
} quarry_extractor;

// The extractor defines this.
extern const quarry_extractor quarry_extractor_definition;

// Parameters. Each gives true and sets `value` when the object has the parameter with a value of
// this kind; else `value` stays what it was, so set it to the default before.
bool quarry_parameter_i64(quarry_text parameters, const char *name, int64_t *value);
bool quarry_parameter_f64(quarry_text parameters, const char *name, double *value);
bool quarry_parameter_bool(quarry_text parameters, const char *name, bool *value);
// The text as it stands between the quotes: one with an escape in it is not given.
bool quarry_parameter_text(quarry_text parameters, const char *name, quarry_text *value);

// In `configure`: the dimension of a dense or multi output under these parameters.
void quarry_set_dimension(uint32_t output, uint32_t dimension);

// The row. `input` counts the inputs from 0. What is read is valid until `extract` returns.
bool quarry_is_null(const quarry_row *row, uint32_t input);
// Of utf8 and json; empty when it is null.
quarry_text quarry_read_text(const quarry_row *row, uint32_t input);
// 0 or false when it is null.
int64_t quarry_read_i64(const quarry_row *row, uint32_t input);
double quarry_read_f64(const quarry_row *row, uint32_t input);
bool quarry_read_bool(const quarry_row *row, uint32_t input);
// Of dense: `*len` values; NULL and 0 when it is null.
const float *quarry_read_vector(const quarry_row *row, uint32_t input, size_t *len);
// Of blob: its bytes in all; -1 when it can not be read.
int64_t quarry_blob_len(const quarry_row *row, uint32_t input);
// Up to `len` bytes from `offset` on; fewer only at the end; -1 when it can not be read.
int64_t quarry_blob_read(const quarry_row *row, uint32_t input, uint64_t offset, void *into,
                         size_t len);
// Why the last read of a blob failed.
quarry_text quarry_blob_error(void);

// Documents. `output` counts the outputs from 0. What is given is copied.
// Begins a document; the functions below fill it. What is not set is null, a sparse vector without
// entries, a dense vector of zeros.
void quarry_document(quarry_documents *documents);
void quarry_set_text(quarry_documents *documents, uint32_t output, const char *data, size_t len);
void quarry_set_i64(quarry_documents *documents, uint32_t output, int64_t value);
void quarry_set_f64(quarry_documents *documents, uint32_t output, double value);
void quarry_set_bool(quarry_documents *documents, uint32_t output, bool value);
void quarry_set_blob(quarry_documents *documents, uint32_t output, const void *data, size_t len);
// Of dense, `len` being its dimension; of multi, `len` being a multiple of it.
void quarry_set_vector(quarry_documents *documents, uint32_t output, const float *values,
                       size_t len);
// Indices ascend.
void quarry_set_sparse(quarry_documents *documents, uint32_t output, const uint32_t *indices,
                       const float *values, size_t len);
// Takes the row's documents back and sends it to the dead letters. `code` is for programs, short and
// stable; `message` is for people. Return from `extract` afterwards.
void quarry_reject(quarry_documents *documents, const char *code, const char *message);

// Answers to a query, by the output's name. Of multi, `len` is a multiple of the dimension.
void quarry_answer_vector(quarry_query *query, const char *output, const float *values, size_t len);
void quarry_answer_sparse(quarry_query *query, const char *output, const uint32_t *indices,
                          const float *values, size_t len);
// Instead of an answer: why this text has none.
void quarry_answer_error(quarry_query *query, const char *message);

typedef enum quarry_level {
  QUARRY_ERROR = 1,
  QUARRY_WARN,
  QUARRY_INFO,
  QUARRY_DEBUG,
  QUARRY_TRACE,
} quarry_level;

// A line in the log, cut at 1,024 bytes; formats as printf does.
__attribute__((format(printf, 2, 3))) void quarry_log(quarry_level level, const char *format, ...);
// Logs why, and traps: for what must never happen.
_Noreturn void quarry_trap(const char *message);

#endif
