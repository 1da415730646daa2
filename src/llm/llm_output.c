/* A token is any bytes: half a character, or what is none. A reader gets whole characters of valid UTF-8.
 *
 * Small models fall into repeating themselves. That is seen on tokens, exactly: for each period p the number of tokens in a row that equal the one p
 * before is kept, which costs LLM_LOOP_PERIOD comparisons a token. Near repetitions ("Step 7", "Step 8") end with max_tokens. */
#include "llm/llm_output.h"
#include "base/utf8.h"
#include <string.h>

void llm_output_begin(struct llm_output *o, bool (*piece)(void *user, const char *text, size_t len), void *user) {
    *o = (struct llm_output){.piece = piece, .user = user};
}

static bool hand_out(struct llm_output *o, const char *text, size_t n) {
    if (!n)
        return true;
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
        size_t valid = utf8_valid_len(s, n);
        if (!hand_out(o, s, valid))
            return false;
        s += valid;
        n -= valid;
        if (!n)
            return true;
        if (is_beginning(s, n)) {
            *left = n;
            return true;
        }
        uint32_t unused;
        size_t bad = utf8_get(s, n, &unused);
        if (!hand_out(o, UTF8_REPLACEMENT, strlen(UTF8_REPLACEMENT)))
            return false;
        s += bad;
        n -= bad;
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

bool llm_output_loops(struct llm_output *o, int32_t token) {
    bool loops = false;
    for (size_t p = 1; p <= LLM_LOOP_PERIOD && p <= o->n_tokens; p++) {
        bool same = o->recent[(o->n_tokens - p) % LLM_LOOP_PERIOD] == token;
        o->run[p] = same ? o->run[p] + 1 : 0;
        size_t enough = p * LLM_LOOP_TIMES > LLM_LOOP_TOKENS ? p * LLM_LOOP_TIMES : LLM_LOOP_TOKENS;
        loops = loops || o->run[p] + p >= enough;
    }
    o->recent[o->n_tokens++ % LLM_LOOP_PERIOD] = token;
    return loops;
}
