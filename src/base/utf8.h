/* UTF-8 on top of libunistring: what is invalid is found here once, at the door. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistr.h>

#define UTF8_REPLACEMENT "\xEF\xBF\xBD"

/* Length of the leading valid part of s. */
static inline size_t utf8_valid_len(const char *s, size_t n) {
    const uint8_t *bad = u8_check((const uint8_t *)s, n);
    return bad ? (size_t)(bad - (const uint8_t *)s) : n;
}
/* Decodes one character of at least one byte; returns its length, invalid bytes come out as U+FFFD of length >= 1. */
static inline size_t utf8_get(const char *s, size_t n, uint32_t *cp) {
    unsigned char c = (unsigned char)s[0];
    if (c < 0x80) {
        *cp = c;
        return 1;
    }
    ucs4_t u = 0xFFFD;
    int len = u8_mbtouc(&u, (const uint8_t *)s, n);
    *cp = u;
    return len > 0 ? (size_t)len : 1;
}
/* Encodes cp (surrogates and values past U+10FFFF become U+FFFD) into out[4]; returns the length. */
static inline size_t utf8_put(char out[4], uint32_t cp) {
    int len = u8_uctomb((uint8_t *)out, cp, 4);
    if (len > 0)
        return (size_t)len;
    out[0] = '\xEF', out[1] = '\xBF', out[2] = '\xBD';
    return 3;
}
/* The length of what s, of at least one byte, begins with: all that is valid, or (*valid false) bytes that one U+FFFD stands for. */
size_t utf8_span(const char *s, size_t n, bool *valid);
/* Appends s with U+FFFD for what is invalid, which makes it at most three times as long. */
struct buf;
void utf8_repair(struct buf *out, const char *s, size_t n);
/* May it go to a terminal? Neither what moves the cursor or colours, nor what turns the direction of writing for all that follows. */
static inline bool utf8_harmless(uint32_t cp) {
    return cp >= 0x20 && !(cp >= 0x7F && cp < 0xA0) && !(cp >= 0x202A && cp <= 0x202E) && !(cp >= 0x2066 && cp <= 0x2069);
}
/* The largest cut <= n that does not split a character. */
static inline size_t utf8_floor(const char *s, size_t n) {
    size_t cut = n;
    while (cut > 0 && n - cut < 4 && ((unsigned char)s[cut] & 0xC0) == 0x80)
        cut--;
    return ((unsigned char)s[cut] & 0xC0) == 0x80 ? n : cut;
}

#endif
