#include "base/json.h"
#include "base/utf8.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* jansson guards its own recursion at 2048 levels; ours is lower, and counted before any parsing. */
static bool too_deep(const char *text, size_t len) {
    size_t depth = 0;
    bool string = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                string = false;
        } else if (c == '"')
            string = true;
        else if ((c == '[' || c == '{') && ++depth > JSON_MAX_DEPTH)
            return true;
        else if ((c == ']' || c == '}') && depth)
            depth--;
    }
    return false;
}

/* jansson's parser does not look whether its buffer for the text of a token could grow: it then misses the quote that ends a string and writes
 * past the end of another buffer, or fails an assertion. So an allocation that fails while it parses does not return to it but jumps back to
 * json_parse, which frees what the parse held so far: `live`, newest last. (A header in each block would need no list; but json_dumps hands
 * blocks out to free(), and an embedding program may have made some before this allocator was set.) */
static _Thread_local struct parse {
    jmp_buf *back; /* NULL: nothing is being parsed */
    void **live;
    size_t n, cap;
} parse;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool remember(void *p) {
    if (parse.n == parse.cap) {
        size_t cap = parse.cap ? parse.cap * 2 : 64;
        void **grown = reallocarray(parse.live, cap, sizeof *grown);
        if (!grown)
            return false;
        parse.live = grown;
        parse.cap = cap;
    }
    parse.live[parse.n++] = p;
    return true;
}

static void *noted_malloc(size_t n) {
    void *p = malloc(n);
    if (!parse.back)
        return p;
    if (p && remember(p))
        return p;
    free(p);
    longjmp(*parse.back, 1);
}

/* What a parse frees is new, or old and freed once for each level of nesting or doubling of a table: looking for it is cheap. */
static void noted_free(void *p) {
    for (size_t i = parse.back ? parse.n : 0; i-- > 0;)
        if (parse.live[i] == p) {
            memmove(&parse.live[i], &parse.live[i + 1], (--parse.n - i) * sizeof *parse.live);
            break;
        }
    free(p);
}
static void set_allocator(void) { json_set_alloc_funcs(noted_malloc, noted_free); }

void json_watch_memory(void) { pthread_once(&once, set_allocator); }

qa_status json_parse(const char *text, size_t len, json_t **out, qa_error *err) {
    *out = NULL;
    if (too_deep(text, len))
        return error_set(err, QA_BAD_INPUT, "JSON is nested deeper than %d levels", JSON_MAX_DEPTH);
    json_watch_memory();
    jmp_buf back;
    json_error_t where;
    json_t *value = NULL;
    parse = (struct parse){.back = &back};
    bool memory_out = setjmp(back) != 0;
    if (!memory_out)
        value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
    for (size_t i = 0; memory_out && i < parse.n; i++)
        free(parse.live[i]);
    free(parse.live);
    parse = (struct parse){0};
    if (memory_out)
        return error_no_memory(err, "reading JSON");
    enum json_error_code code = value ? json_error_unknown : json_error_code(&where);
    if (!value && (code == json_error_null_character || code == json_error_null_byte_in_key))
        return error_set(err, QA_BAD_INPUT, "not JSON at line %d, column %d: a text holds the character \\u0000, which is not taken", where.line, where.column);
    if (!value)
        return error_set(err, QA_BAD_INPUT, "not JSON at line %d, column %d: %s", where.line, where.column, where.text);
    *out = value;
    return QA_OK;
}

json_t *json_text(const char *bytes, size_t n) {
    if (utf8_valid_len(bytes, n) == n && !memchr(bytes, '\0', n))
        return json_stringn_nocheck(bytes, n);
    struct buf clean;
    buf_init(&clean, n * 3 + 1);
    for (size_t at = 0; at < n; at++) { /* from NUL to NUL */
        size_t len = strnlen(bytes + at, n - at);
        utf8_repair(&clean, bytes + at, len);
        at += len;
        if (at < n)
            buf_puts(&clean, UTF8_REPLACEMENT);
    }
    json_t *value = clean.status == QA_OK ? json_stringn_nocheck(clean.data ? clean.data : "", clean.len) : NULL;
    buf_free(&clean);
    return value;
}

json_t *json_text0(const char *s) { return s ? json_text(s, strlen(s)) : json_null(); }

json_t *json_round(double v, int digits) {
    double scale = pow(10, digits);
    return json_real(isfinite(v) ? round(v * scale) / scale : 0);
}

static bool terminal_control(const char *s) {
    return s[0] == 0x7F || ((unsigned char)s[0] == 0xC2 && (unsigned char)s[1] >= 0x80 && (unsigned char)s[1] < 0xA0);
}

/* jansson escapes what JSON demands. DEL and the C1 controls (U+0080 to U+009F) may stand as they are, but some terminals obey them. */
static char *escape_controls(char *text) {
    size_t n = 0, found = 0;
    for (; text[n]; n++)
        found += terminal_control(text + n);
    if (!found)
        return text;
    char *out = found > (SIZE_MAX - n) / 8 ? NULL : malloc(n + found * 8 + 1), *at = out;
    for (const char *s = text; out && *s; s++)
        if (terminal_control(s))
            at += sprintf(at, "\\u%04X", s[0] == 0x7F ? 0x7F : (unsigned)(unsigned char)*++s);
        else
            *at++ = *s;
    if (out)
        *at = '\0';
    free(text);
    return out;
}

char *json_write(const json_t *value, int indent) {
    char *text = json_dumps(value, (indent ? JSON_INDENT(indent) : JSON_COMPACT) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(10));
    return text ? escape_controls(text) : NULL;
}

void json_put(json_t *object, const char *key, json_t *value, bool *sticky) {
    if (json_object_set_new_nocheck(object, key, value) != 0)
        *sticky = false;
}

void json_add(json_t *array, json_t *value, bool *sticky) {
    if (json_array_append_new(array, value) != 0)
        *sticky = false;
}

const char *json_get_string(const json_t *object, const char *key) { return json_string_value(json_object_get(object, key)); }
