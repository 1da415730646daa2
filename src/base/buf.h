/* A growing byte buffer with a named ceiling and a sticky error: ten appends need one check at the end.
 * After an append fails, further appends do nothing and buf_status tells why (QA_NO_MEMORY or QA_TOO_LARGE). The content is
 * always NUL-terminated one past `len` once anything was appended. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/error.h"

struct buf {
    char *data;
    size_t len, cap, max;
    qa_status status;
};

void buf_init(struct buf *b, size_t max);
void buf_put(struct buf *b, const void *bytes, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_put_varint(struct buf *b, uint64_t v); /* LEB128: 7 bits a byte, least significant first */
void buf_reset(struct buf *b);  /* empties, keeps the memory, clears the error */
char *buf_take(struct buf *b);  /* hands the malloc'd bytes to the caller (free); NULL if empty or failed */
void buf_free(struct buf *b);
qa_status buf_error(const struct buf *b, qa_error *err, const char *doing); /* QA_OK, or sets err from the sticky status */

/* Reads a varint at *at (advanced) before end; false when truncated or over 64 bits. */
bool varint_get(const uint8_t **at, const uint8_t *end, uint64_t *out);
static inline uint64_t zigzag(int64_t v) { return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63); }
static inline int64_t unzigzag(uint64_t v) { return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }

#endif
