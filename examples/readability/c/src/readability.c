// How hard a text is to read, and a vector of its words. ../../README.md says what is computed.
#include <math.h>
#include <string.h>

#include "quarry_extractor.h"

#define DIMENSIONS_MAX 256

enum { TEXT };
enum { WORDS, SENTENCES, ARI, KEYWORDS };

typedef struct score {
  int64_t words;
  int64_t sentences;
  // Letters and digits in all words.
  int64_t characters;
} score;

static int64_t dimensions;
static int64_t sums[DIMENSIONS_MAX];
static float vector[DIMENSIONS_MAX];

static bool is_letter(unsigned char byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= 'a' && byte <= 'z');
}

static unsigned char lower(unsigned char byte) {
  return byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte;
}

static score count(quarry_text text) {
  score found = {0};
  bool in_word = false, words_since_end = false;
  for (size_t i = 0; i < text.len; i++) {
    unsigned char byte = (unsigned char)text.data[i];
    bool letter = is_letter(byte);
    found.characters += letter;
    if (letter && !in_word) {
      found.words++;
      words_since_end = true;
    } else if ((byte == '.' || byte == '!' || byte == '?') && words_since_end) {
      found.sentences++;
      words_since_end = false;
    }
    in_word = letter;
  }
  if (found.words > 0 && found.sentences == 0) {
    found.sentences = 1;
  }
  return found;
}

// The automated readability index, to four decimals; 0 when there is no word.
static double ari(score found) {
  if (found.words == 0) {
    return 0;
  }
  double words = (double)found.words, sentences = (double)found.sentences;
  double index = 4.71 * (double)found.characters / words + 0.5 * words / sentences - 21.43;
  return round(index * 10000.0) / 10000.0;
}

// Words may cancel each other out, and there may be none: the first axis stands for both.
static void normalise(void) {
  double squares = 0;
  for (int64_t i = 0; i < dimensions; i++) {
    squares += (double)(sums[i] * sums[i]);
  }
  if (squares == 0) {
    memset(vector, 0, sizeof vector);
    vector[0] = 1;
    return;
  }
  double length = sqrt(squares);
  for (int64_t i = 0; i < dimensions; i++) {
    vector[i] = (float)((double)sums[i] / length);
  }
}

static void read_keywords(quarry_text text) {
  memset(sums, 0, sizeof sums);
  for (size_t i = 0; i < text.len;) {
    // FNV-1a of the word in lower case, 64 bits.
    uint64_t hash = 0xcbf29ce484222325;
    size_t from = i;
    for (; i < text.len && is_letter((unsigned char)text.data[i]); i++) {
      hash = (hash ^ lower((unsigned char)text.data[i])) * 0x100000001b3;
    }
    if (i > from) {
      sums[hash % (uint64_t)dimensions] += hash >> 63 == 0 ? 1 : -1;
    } else {
      i++;
    }
  }
  normalise();
}

static const char *configure(quarry_text parameters) {
  dimensions = 32;
  quarry_parameter_i64(parameters, "dimensions", &dimensions);
  if (dimensions < 8 || dimensions > DIMENSIONS_MAX) {
    return "parameter `dimensions`: 8 to 256 are allowed";
  }
  quarry_set_dimension(KEYWORDS, (uint32_t)dimensions);
  return NULL;
}

static void extract(const quarry_row *row, quarry_documents *documents) {
  quarry_text text = quarry_read_text(row, TEXT);
  score found = count(text);
  read_keywords(text);
  quarry_document(documents);
  quarry_set_i64(documents, WORDS, found.words);
  quarry_set_i64(documents, SENTENCES, found.sentences);
  quarry_set_f64(documents, ARI, ari(found));
  quarry_set_vector(documents, KEYWORDS, vector, (size_t)dimensions);
}

static void embed_query(quarry_text text, quarry_query *query) {
  read_keywords(text);
  quarry_answer_vector(query, "keywords", vector, (size_t)dimensions);
}

static const quarry_input inputs[] = {
    [TEXT] = {"text", QUARRY_UTF8, .required = true, .description = "The text that is scored."},
};

static const quarry_output outputs[] = {
    [WORDS] = {"words", QUARRY_I64, .description = "How many words the text has."},
    [SENTENCES] = {"sentences", QUARRY_I64, .description = "How many sentences it has."},
    [ARI] = {"ari", QUARRY_F64,
             .description = "The automated readability index: about the school grade it takes to "
                            "read the text."},
    [KEYWORDS] = {"keywords", QUARRY_DENSE, .dimension = 32, .distance = "cosine",
                  .description = "Its words, hashed into a vector of length 1."},
};

const quarry_extractor quarry_extractor_definition = {
    .name = QUARRY_NAME,
    .version = QUARRY_VERSION,
    .summary = "Scores how hard a text is to read, with a vector of its words",
    .inputs = inputs,
    .inputs_len = sizeof inputs / sizeof *inputs,
    .outputs = outputs,
    .outputs_len = sizeof outputs / sizeof *outputs,
    .parameters =
        "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
        "\"dimensions\": {\"type\": \"integer\", \"minimum\": 8, \"maximum\": 256, "
        "\"default\": 32, \"description\": \"Values of the keyword vector.\"}}}",
    .configure = configure,
    .extract = extract,
    .embed_query = embed_query,
};
