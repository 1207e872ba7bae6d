// The little JSON that descriptions, parameters and answers need.
#include <stdio.h>
#include <stdlib.h>

#include "quarry_buffer.h"

void quarry_json_raw(quarry_buffer *json, const char *text) {
  quarry_buffer_append(json, text, strlen(text));
}

void quarry_json_string(quarry_buffer *json, const char *text) {
  quarry_json_raw(json, "\"");
  for (const char *at = text; *at != '\0'; at++) {
    unsigned char byte = (unsigned char)*at;
    if (byte == '"' || byte == '\\') {
      quarry_json_raw(json, "\\");
      quarry_buffer_append(json, at, 1);
    } else if (byte < 0x20) {
      char escape[8];
      snprintf(escape, sizeof escape, "\\u%04x", byte);
      quarry_json_raw(json, escape);
    } else {
      quarry_buffer_append(json, at, 1);
    }
  }
  quarry_json_raw(json, "\"");
}

void quarry_json_integer(quarry_buffer *json, uint64_t value) {
  char digits[24];
  snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
  quarry_json_raw(json, digits);
}

void quarry_json_floats(quarry_buffer *json, const float *values, size_t len) {
  quarry_json_raw(json, "[");
  for (size_t i = 0; i < len; i++) {
    // Nine digits tell every float from every other.
    char digits[32];
    snprintf(digits, sizeof digits, i == 0 ? "%.9g" : ",%.9g", (double)values[i]);
    quarry_json_raw(json, digits);
  }
  quarry_json_raw(json, "]");
}

void quarry_json_indices(quarry_buffer *json, const uint32_t *values, size_t len) {
  quarry_json_raw(json, "[");
  for (size_t i = 0; i < len; i++) {
    quarry_json_raw(json, i == 0 ? "" : ",");
    quarry_json_integer(json, values[i]);
  }
  quarry_json_raw(json, "]");
}

// A reader of the parameters. The host has parsed and checked them: they are valid JSON.
typedef struct reader {
  const char *at;
  const char *end;
} reader;

static void skip_blanks(reader *json) {
  while (json->at < json->end && strchr(" \t\r\n", *json->at) != NULL) {
    json->at++;
  }
}

// The text between the quotes of a string; `escaped` when it has an escape in it.
static quarry_text read_string(reader *json, bool *escaped) {
  *escaped = false;
  const char *from = ++json->at;
  while (json->at < json->end && *json->at != '"') {
    if (*json->at == '\\') {
      *escaped = true;
      json->at++;
    }
    json->at++;
  }
  quarry_text text = {from, json->at < json->end ? (size_t)(json->at - from) : 0};
  json->at++;
  return text;
}

// The value that begins here, as it is written.
static quarry_text read_value(reader *json) {
  const char *from = json->at;
  int depth = 0;
  do {
    bool escaped;
    if (json->at >= json->end) {
      break;
    }
    char first = *json->at;
    if (first == '"') {
      read_string(json, &escaped);
    } else if (first == '{' || first == '[') {
      depth++;
      json->at++;
    } else if (first == '}' || first == ']') {
      depth--;
      json->at++;
    } else if (strchr(",: \t\r\n", first) != NULL) {
      json->at++;
    } else {
      while (json->at < json->end && strchr(",:]} \t\r\n", *json->at) == NULL) {
        json->at++;
      }
    }
  } while (depth > 0);
  return (quarry_text){from, (size_t)(json->at - from)};
}

static bool find(quarry_text object, const char *name, quarry_text *value) {
  reader json = {object.data, object.data + object.len};
  skip_blanks(&json);
  json.at++;
  for (;;) {
    while (json.at < json.end && strchr(", \t\r\n", *json.at) != NULL) {
      json.at++;
    }
    if (json.at >= json.end || *json.at != '"') {
      return false;
    }
    bool escaped;
    quarry_text key = read_string(&json, &escaped);
    while (json.at < json.end && strchr(": \t\r\n", *json.at) != NULL) {
      json.at++;
    }
    *value = read_value(&json);
    if (!escaped && quarry_text_is(key, name)) {
      return true;
    }
  }
}

// A number as text that ends with a NUL; false for what is no number.
static bool find_number(quarry_text object, const char *name, char digits[64]) {
  quarry_text value;
  if (!find(object, name, &value) || value.len == 0 || value.len >= 64 ||
      strchr("-0123456789", *value.data) == NULL) {
    return false;
  }
  memcpy(digits, value.data, value.len);
  digits[value.len] = '\0';
  return true;
}

bool quarry_parameter_i64(quarry_text parameters, const char *name, int64_t *value) {
  char digits[64];
  if (!find_number(parameters, name, digits)) {
    return false;
  }
  char *end;
  long long number = strtoll(digits, &end, 10);
  if (*end != '\0') {
    // JSON Schema takes 32.0 for an integer.
    double real = strtod(digits, &end);
    if (*end != '\0' || real < -0x1p53 || real > 0x1p53 || (double)(int64_t)real != real) {
      return false;
    }
    number = (int64_t)real;
  }
  *value = number;
  return true;
}

bool quarry_parameter_f64(quarry_text parameters, const char *name, double *value) {
  char digits[64];
  if (!find_number(parameters, name, digits)) {
    return false;
  }
  *value = strtod(digits, NULL);
  return true;
}

bool quarry_parameter_bool(quarry_text parameters, const char *name, bool *value) {
  quarry_text found;
  if (!find(parameters, name, &found)) {
    return false;
  }
  bool yes = quarry_text_is(found, "true");
  if (!yes && !quarry_text_is(found, "false")) {
    return false;
  }
  *value = yes;
  return true;
}

bool quarry_parameter_text(quarry_text parameters, const char *name, quarry_text *value) {
  quarry_text found;
  if (!find(parameters, name, &found) || found.len == 0 || *found.data != '"') {
    return false;
  }
  reader json = {found.data, found.data + found.len};
  bool escaped;
  quarry_text text = read_string(&json, &escaped);
  if (escaped) {
    return false;
  }
  *value = text;
  return true;
}
