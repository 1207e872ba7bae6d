// Counts the words of a text, and makes a vector of its letters.
#include <string.h>

#include "quarry_extractor.h"

enum { TEXT };            // the inputs
enum { WORDS, LETTERS };  // the outputs

static int64_t letters_min;
static float counts[26];

static bool is_letter(char byte) {
  return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

static bool in_word(char byte) { return is_letter(byte) || (byte >= '0' && byte <= '9'); }

// Counts the letters a to z; false when there is none.
static bool count_letters(quarry_text text) {
  memset(counts, 0, sizeof counts);
  bool any = false;
  for (size_t i = 0; i < text.len; i++) {
    if (is_letter(text.data[i])) {
      counts[(text.data[i] | 0x20) - 'a'] += 1;
      any = true;
    }
  }
  return any;
}

static int64_t count_words(quarry_text text) {
  int64_t words = 0, length = 0;
  for (size_t i = 0; i < text.len; i++) {
    length = in_word(text.data[i]) ? length + 1 : 0;
    words += length == letters_min;
  }
  return words;
}

static const char *configure(quarry_text parameters) {
  letters_min = 1;
  quarry_parameter_i64(parameters, "letters_min", &letters_min);
  return NULL;
}

static void extract(const quarry_row *row, quarry_documents *documents) {
  quarry_text text = quarry_read_text(row, TEXT);
  if (!count_letters(text)) {
    quarry_reject(documents, "no_letters", "the text has no letters");
    return;
  }
  quarry_document(documents);
  quarry_set_i64(documents, WORDS, count_words(text));
  quarry_set_vector(documents, LETTERS, counts, 26);
}

static void embed_query(quarry_text text, quarry_query *query) {
  if (!count_letters(text)) {
    quarry_answer_error(query, "the query has no letters");
    return;
  }
  quarry_answer_vector(query, "letters", counts, 26);
}

static const quarry_input inputs[] = {
    [TEXT] = {"text", QUARRY_UTF8, .required = true,
              .description = "The text whose words are counted."},
};

static const quarry_output outputs[] = {
    [WORDS] = {"words", QUARRY_I64, .description = "How many words the text has."},
    [LETTERS] = {"letters", QUARRY_DENSE, .dimension = 26, .distance = "cosine",
                 .description = "How often each letter comes."},
};

const quarry_extractor quarry_extractor_definition = {
    .name = QUARRY_NAME,
    .version = QUARRY_VERSION,
    .summary = "Counts words and letters",
    .inputs = inputs,
    .inputs_len = sizeof inputs / sizeof *inputs,
    .outputs = outputs,
    .outputs_len = sizeof outputs / sizeof *outputs,
    .parameters =
        "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
        "\"letters_min\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 100, "
        "\"default\": 1, \"description\": \"Words with fewer letters do not count.\"}}}",
    .configure = configure,
    .extract = extract,
    .embed_query = embed_query,
};
