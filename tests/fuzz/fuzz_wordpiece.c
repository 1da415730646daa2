// Any bytes as a vocabulary and a text: a first byte of settings, tokens one a line up to an empty line (without one: a
// small vocabulary of ours), the rest is text. Spans lie in the text and in order, a count is the number of ids, a limit
// gives the beginning of them, and a text falls apart at spaces.
#include "fake/fake_vocabulary.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_TOKENS = 2000, MAX_TOKEN = 500, OURS = 16 };

static const char *const ours[OURS] = {
    "[UNK]", "[CLS]", "[SEP]", "the", "##s", "a", "##a", "##b", "e", "!", "\xE4\xB8\xAD", "\xE1\x84\x92", "##\xE1\x85\xA1",
    "##\xE1\xAD\x84", "##\xE3\x80\xAE", "##\xCC\x87",
};

static void check(bool holds) {
    if (!holds)
        abort();
}

struct read {
    size_t n;
    int32_t *ids;
    struct tokenizer_span *spans;
};

static struct read read_text(const struct tokenizer *t, const char *text, size_t len) {
    struct read r = {.ids = malloc((len + 1) * sizeof *r.ids), .spans = malloc((len + 1) * sizeof *r.spans)};
    char *alone = malloc(len + !len); /* what is read behind it is seen */
    check(r.ids && r.spans && alone);
    memcpy(alone, text, len);
    r.n = tokenizer_tokens(t, alone, len, len, r.ids, r.spans);
    check(tokenizer_count(t, alone, len) == r.n + 2);
    free(alone);
    return r;
}

static void drop(struct read *r) {
    free(r->ids);
    free(r->spans);
}

static void check_text(const struct tokenizer *t, size_t n_tokens, const char *text, size_t len) {
    struct read whole = read_text(t, text, len);
    for (size_t i = 0; i < whole.n; i++) {
        const struct tokenizer_span *s = &whole.spans[i];
        check(whole.ids[i] >= 0 && (size_t)whole.ids[i] < n_tokens && s->start < s->end && s->end <= len);
        check(i == 0 || (s->start >= s[-1].start && s->end >= s[-1].end));
    }
    size_t limit = whole.n / 2 + 2;
    int32_t *part = malloc(limit * sizeof *part);
    check(part && tokenizer_encode(t, text, len, limit, part, NULL) == limit);
    check(part[0] == tokenizer_special(t).cls && part[limit - 1] == tokenizer_special(t).sep);
    check(memcmp(part + 1, whole.ids, (limit - 2) * sizeof *part) == 0);
    free(part);
    const char *space = len ? memchr(text + len / 2, ' ', len - len / 2) : NULL;
    if (space) {
        size_t cut = (size_t)(space - text);
        struct read left = read_text(t, text, cut), right = read_text(t, space + 1, len - cut - 1);
        check(left.n + right.n == whole.n && memcmp(left.ids, whole.ids, left.n * sizeof *left.ids) == 0);
        check(memcmp(right.ids, whole.ids + left.n, right.n * sizeof *right.ids) == 0);
        check(right.n == 0 || right.spans[0].start + cut + 1 == whole.spans[left.n].start);
        drop(&left);
        drop(&right);
    }
    drop(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char text_of[MAX_TOKENS][MAX_TOKEN + 1];
    static const char *tokens[MAX_TOKENS];
    if (size < 1 || size > 1 << 20)
        return 0;
    const char *text = (const char *)data + 1, *empty = memmem(text, size - 1, "\n\n", 2);
    size_t len = size - 1, n = 0;
    while (n < OURS) {
        tokens[n] = ours[n];
        n++;
    }
    for (const char *at = text, *end; empty && at <= empty && n < MAX_TOKENS; at = end + 1) {
        end = memchr(at, '\n', (size_t)(empty - at) + 1);
        size_t token = (size_t)(end - at) < MAX_TOKEN ? (size_t)(end - at) : MAX_TOKEN;
        memcpy(text_of[n], at, token);
        text_of[n][token] = '\0';
        tokens[n] = text_of[n];
        n++;
    }
    if (empty) {
        len -= (size_t)(empty - text) + 2;
        text = empty + 2;
    }
    static struct tokenizer *known[9]; /* of our own vocabulary, by settings */
    struct tokenizer **kept = empty ? NULL : &known[data[0] % 9], *t = kept ? *kept : NULL;
    struct fake_vocabulary v;
    qa_error err = {0};
    if (t) {
        check_text(t, n, text, len);
        return 0;
    }
    fake_vocabulary_make(&v, tokens, n, data[0] % 3, data[0] % 9 / 3);
    if (tokenizer_open(v.g, &t, &err) == QA_OK)
        check_text(t, n, text, len);
    else
        check(!t && err.message[0]);
    if (kept)
        *kept = t;
    else
        tokenizer_close(t);
    fake_vocabulary_free(&v);
    return 0;
}
