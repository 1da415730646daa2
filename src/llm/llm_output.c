#include "llm/llm_output.h"
#include "base/clock.h"
#include "base/utf8.h"
#include <string.h>

void llm_output_begin(struct llm_output *o, bool (*piece)(void *user, const char *text, size_t len), void *user) {
    *o = (struct llm_output){.piece = piece, .user = user};
}

static bool hand_out(struct llm_output *o, const char *text, size_t n) {
    if (!o->any)
        o->first_ms = clock_mono_ms(); /* before the reader takes its time */
    o->any = true;
    return o->piece(o->user, text, n);
}

/* True: s could go on to be a character. */
static bool is_beginning(const char *s, size_t n) {
    ucs4_t unused;
    return n < 4 && u8_mbtoucr(&unused, (const uint8_t *)s, n) == -2;
}

/* Hands out all of s but a beginning at its end, whose length comes back in *left. */
static bool hand_out_valid(struct llm_output *o, const char *s, size_t n, size_t *left) {
    *left = 0;
    while (n) {
        bool valid;
        size_t len = utf8_span(s, n, &valid);
        if (!valid && is_beginning(s, n)) {
            *left = n;
            return true;
        }
        if (!(valid ? hand_out(o, s, len) : hand_out(o, UTF8_REPLACEMENT, strlen(UTF8_REPLACEMENT))))
            return false;
        s += len;
        n -= len;
    }
    return true;
}

bool llm_output_put(struct llm_output *o, const char *bytes, size_t n) {
    size_t left = 0;
    /* What is held is completed byte by byte: at most three more. */
    while (o->n_held && n) {
        o->held[o->n_held++] = *bytes++;
        n--;
        if (is_beginning(o->held, o->n_held))
            continue;
        if (!hand_out_valid(o, o->held, o->n_held, &left))
            return false;
        memmove(o->held, o->held + o->n_held - left, left);
        o->n_held = left;
    }
    if (!n)
        return true;
    if (!hand_out_valid(o, bytes, n, &left))
        return false;
    memcpy(o->held, bytes + n - left, left);
    o->n_held = left;
    return true;
}

bool llm_output_end(struct llm_output *o) {
    bool half = o->n_held > 0;
    o->n_held = 0;
    return !half || hand_out(o, UTF8_REPLACEMENT, strlen(UTF8_REPLACEMENT));
}
