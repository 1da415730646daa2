/* JSON through jansson, strict: duplicate keys, invalid UTF-8, NUL in strings, nesting over 64 are errors. The only file that
 * includes jansson.h. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"
#include <jansson.h>

#define JSON_MAX_DEPTH 64

/* Makes jansson safe when memory runs out while it parses. Before threads use it; json_parse does it too. */
void json_watch_memory(void);
/* Parses one value; err says line and column. The caller owns *out (json_decref). */
qa_status json_parse(const char *text, size_t len, json_t **out, qa_error *err);
/* A string for JSON from bytes that may be invalid UTF-8 or hold NUL: replaced by U+FFFD. Never NULL but out of memory. */
json_t *json_text(const char *bytes, size_t n);
json_t *json_text0(const char *s); /* json null for NULL */
json_t *json_round(double v, int digits); /* a real rounded to that many decimals, so that output is stable and short */
/* Compact (indent 0) or pretty; malloc'd, NULL when out of memory. Order of members is kept. Safe to show on a terminal. */
char *json_write(const json_t *value, int indent);
/* Takes the reference also on failure, so that builders need one check: *sticky turns false when value or a step is NULL. */
void json_put(json_t *object, const char *key, json_t *value, bool *sticky);
void json_add(json_t *array, json_t *value, bool *sticky);
const char *json_get_string(const json_t *object, const char *key); /* NULL if absent, null or of another type */

#endif
