#include "base/utf8.h"
#include "base/buf.h"

size_t utf8_span(const char *s, size_t n, bool *valid) {
    uint32_t unused;
    size_t len = utf8_valid_len(s, n);
    *valid = len > 0;
    return len ? len : utf8_get(s, n, &unused);
}

void utf8_repair(struct buf *out, const char *s, size_t n) {
    bool valid;
    for (size_t len; n; s += len, n -= len) {
        len = utf8_span(s, n, &valid);
        if (valid)
            buf_put(out, s, len);
        else
            buf_puts(out, UTF8_REPLACEMENT);
    }
}
