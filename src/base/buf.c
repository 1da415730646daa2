#include "base/buf.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max) { *b = (struct buf){.max = max}; }

/* Room for n more bytes and the NUL. */
static bool reserve(struct buf *b, size_t n) {
    if (b->status != QA_OK)
        return false;
    if (b->len > b->max || n > b->max - b->len) {
        b->status = QA_TOO_LARGE;
        return false;
    }
    size_t need = b->len + n + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap * 2 : 256;
    if (cap < need)
        cap = need;
    if (cap > b->max && b->max + 1 >= need)
        cap = b->max + 1;
    char *p = realloc(b->data, cap);
    if (!p) {
        b->status = QA_NO_MEMORY;
        return false;
    }
    b->data = p;
    b->cap = cap;
    return true;
}

void buf_put(struct buf *b, const void *bytes, size_t n) {
    if (!reserve(b, n))
        return;
    if (n)
        memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s) { buf_put(b, s, strlen(s)); }
void buf_putc(struct buf *b, char c) { buf_put(b, &c, 1); }

void buf_printf(struct buf *b, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 && b->status == QA_OK)
        b->status = QA_TOO_LARGE; /* over 2 GiB in one go */
    if (n >= 0 && reserve(b, (size_t)n)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void buf_put_varint(struct buf *b, uint64_t v) {
    uint8_t bytes[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        bytes[n++] = (uint8_t)(v | 0x80);
    bytes[n++] = (uint8_t)v;
    buf_put(b, bytes, n);
}

void buf_reset(struct buf *b) {
    b->len = 0;
    b->status = QA_OK;
    if (b->data)
        b->data[0] = '\0';
}

char *buf_take(struct buf *b) {
    char *p = b->status == QA_OK ? b->data : NULL;
    if (!p)
        free(b->data);
    buf_init(b, b->max);
    return p;
}

void buf_free(struct buf *b) {
    free(b->data);
    buf_init(b, b->max);
}

qa_status buf_error(const struct buf *b, qa_error *err, const char *doing) {
    if (b->status == QA_TOO_LARGE)
        return error_set(err, QA_TOO_LARGE, "%s would take more than the %zu bytes allowed", doing, b->max);
    if (b->status != QA_OK)
        return error_no_memory(err, doing);
    return QA_OK;
}

bool varint_get(const uint8_t **at, const uint8_t *end, uint64_t *out) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        if (shift == 63 && byte > 1)
            return false;
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *out = v;
            return true;
        }
    }
    return false;
}
