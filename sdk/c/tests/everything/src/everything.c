// Every type of field, in and out, and every way to go wrong: for tests/it/languages/c.rs.
#include <stdlib.h>
#include <string.h>

#include "quarry_extractor.h"

enum { TEXT, NUMBER, REAL, FLAG, DATA, META, IMAGE };
enum { TERMS = IMAGE + 1, PIECES };

static double scale;
static quarry_text label;

static const char *configure(quarry_text parameters) {
  int64_t dimension = 2;
  bool wrong = false;
  scale = 1;
  label = quarry_text_of("none");
  quarry_parameter_i64(parameters, "dimension", &dimension);
  quarry_parameter_f64(parameters, "scale", &scale);
  quarry_parameter_bool(parameters, "wrong", &wrong);
  quarry_parameter_text(parameters, "label", &label);
  quarry_set_dimension(IMAGE, (uint32_t)dimension);
  quarry_set_dimension(PIECES, (uint32_t)dimension);
  return wrong ? "parameter `wrong`: it is wrong" : NULL;
}

static void echo_data(const quarry_row *row, quarry_documents *documents) {
  int64_t len = quarry_blob_len(row, DATA);
  uint8_t *bytes = malloc(len > 0 ? (size_t)len : 1);
  if (bytes == NULL || quarry_blob_read(row, DATA, 0, bytes, (size_t)len) != len) {
    quarry_trap("the blob is not what it said");
  }
  quarry_set_blob(documents, DATA, bytes, (size_t)len);
  free(bytes);
}

static void echo(const quarry_row *row, quarry_documents *documents) {
  quarry_document(documents);
  if (!quarry_is_null(row, TEXT)) {
    quarry_text text = quarry_read_text(row, TEXT);
    quarry_set_text(documents, TEXT, "what is set again", 17);
    quarry_set_text(documents, TEXT, text.data, text.len);
  }
  if (!quarry_is_null(row, NUMBER)) {
    quarry_set_i64(documents, NUMBER, quarry_read_i64(row, NUMBER));
  }
  if (!quarry_is_null(row, REAL)) {
    quarry_set_f64(documents, REAL, quarry_read_f64(row, REAL) * scale);
  }
  if (!quarry_is_null(row, FLAG)) {
    quarry_set_bool(documents, FLAG, quarry_read_bool(row, FLAG));
  }
  if (!quarry_is_null(row, DATA)) {
    echo_data(row, documents);
  }
  if (!quarry_is_null(row, META)) {
    quarry_text meta = quarry_read_text(row, META);
    quarry_set_text(documents, META, meta.data, meta.len);
  }
  size_t len;
  const float *image = quarry_read_vector(row, IMAGE, &len);
  if (image != NULL) {
    quarry_set_vector(documents, IMAGE, image, len);
    quarry_set_vector(documents, PIECES, image, len);
    uint32_t indices[] = {1, (uint32_t)quarry_read_i64(row, NUMBER) + 2};
    quarry_set_sparse(documents, TERMS, indices, image, 2);
  }
}

static int deep(volatile int *above) {
  volatile int here = *above + 1;
  return here == 0 ? 0 : deep(&here) + here;
}

static void extract(const quarry_row *row, quarry_documents *documents) {
  quarry_text text = quarry_read_text(row, TEXT);
  if (quarry_text_is(text, "reject")) {
    echo(row, documents);
    quarry_reject(documents, "refused", "taken back");
  } else if (quarry_text_is(text, "twice")) {
    echo(row, documents);
    echo(row, documents);
  } else if (quarry_text_is(text, "label")) {
    quarry_document(documents);
    quarry_set_text(documents, TEXT, label.data, label.len);
  } else if (quarry_text_is(text, "log")) {
    quarry_log(QUARRY_INFO, "%s %d %.2f", "seven", 7, 7.0);
  } else if (quarry_text_is(text, "deep")) {
    volatile int start = 1;
    quarry_document(documents);
    quarry_set_i64(documents, NUMBER, deep(&start));
  } else if (quarry_text_is(text, "mistake")) {
    quarry_document(documents);
    quarry_set_i64(documents, TEXT, 7);
  } else if (!quarry_text_is(text, "nothing")) {
    echo(row, documents);
  }
}

static void embed_query(quarry_text text, quarry_query *query) {
  if (text.len == 0) {
    quarry_answer_error(query, "the query is empty");
    return;
  }
  static const float values[] = {0.1f, -1e-20f, 16777216, 3};
  static const uint32_t indices[] = {3, 4294967295};
  quarry_answer_vector(query, "image", values, 2);
  quarry_answer_vector(query, "pieces", values, 4);
  quarry_answer_sparse(query, "terms", indices, values, 2);
}

static const quarry_input inputs[] = {
    [TEXT] = {"text", QUARRY_UTF8, .description = "With \"quotes\", \\ and\ttab."},
    [NUMBER] = {"number", QUARRY_I64},
    [REAL] = {"real", QUARRY_F64},
    [FLAG] = {"flag", QUARRY_BOOL},
    [DATA] = {"data", QUARRY_BLOB},
    [META] = {"meta", QUARRY_JSON},
    [IMAGE] = {"image", QUARRY_DENSE},
};

static const quarry_output outputs[] = {
    [TEXT] = {"text", QUARRY_UTF8},
    [NUMBER] = {"number", QUARRY_I64},
    [REAL] = {"real", QUARRY_F64},
    [FLAG] = {"flag", QUARRY_BOOL},
    [DATA] = {"data", QUARRY_BLOB},
    [META] = {"meta", QUARRY_JSON},
    [IMAGE] = {"image", QUARRY_DENSE, .dimension = 2, .distance = "dot"},
    [TERMS] = {"terms", QUARRY_SPARSE},
    [PIECES] = {"pieces", QUARRY_MULTI, .dimension = 2, .distance = "dot"},
};

const quarry_extractor quarry_extractor_definition = {
    .name = QUARRY_NAME,
    .version = QUARRY_VERSION,
    .inputs = inputs,
    .inputs_len = sizeof inputs / sizeof *inputs,
    .outputs = outputs,
    .outputs_len = sizeof outputs / sizeof *outputs,
    .parameters =
        "{\"type\": \"object\", \"properties\": {\"dimension\": {\"type\": \"integer\"}, "
        "\"scale\": {\"type\": \"number\"}, \"wrong\": {\"type\": \"boolean\"}, "
        "\"label\": {\"type\": \"string\"}, \"nested\": {}}}",
    .configure = configure,
    .extract = extract,
    .embed_query = embed_query,
};
