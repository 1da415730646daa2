#include "fake/fake_embedder.h"
#include "base/hash.h"
#include <math.h>
#include <string.h>

enum { WORD_MAX_BYTES = 64, MARKS = 4 /* dimensions that a word sets */ };

static size_t dimensions_of(const struct fake_embedder *f) { return f->dimensions ? f->dimensions : FAKE_DIMENSIONS; }

static bool is_letter(char c) { return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (unsigned char)c >= 0x80; }

void fake_embedder_vector(const struct fake_embedder *f, const char *text, size_t len, float *out) {
    size_t n = dimensions_of(f);
    double square = 0;
    memset(out, 0, n * sizeof *out);
    for (size_t at = 0; at < len;) {
        char word[WORD_MAX_BYTES];
        size_t used = 0;
        for (; at < len && is_letter(text[at]) && used < sizeof word; at++)
            word[used++] = (char)(text[at] >= 'A' && text[at] <= 'Z' ? text[at] + 32 : text[at]);
        uint64_t mark = used ? hash_bytes(word, used).lo : 0;
        for (size_t i = 0; used && i < MARKS; i++, mark >>= 16)
            out[(mark >> 1 & 0x7FFF) % n] += mark & 1 ? 1 : -1;
        at += !used;
    }
    for (size_t i = 0; i < n; i++)
        square += (double)out[i] * out[i];
    if (!(square > 0))
        out[0] = 1;
    for (size_t i = 0; i < n && square > 0; i++)
        out[i] = (float)(out[i] / sqrt(square));
}

static qa_status embed(void *self, enum embedder_side side, const struct embedder_text *texts, size_t n, const atomic_int *cancel, float *out,
                       qa_error *err) {
    struct fake_embedder *f = self;
    if (++f->calls == f->fail_at)
        return error_set(err, f->fail_with ? f->fail_with : QA_REMOTE, "the embedder failed on purpose");
    for (size_t i = 0; i < n; i++) {
        if (f->stop && f->texts == f->stop_after)
            atomic_store(f->stop, 1);
        if (cancel && atomic_load(cancel))
            return error_set(err, QA_CANCELLED, "the embedder was stopped");
        fake_embedder_vector(f, texts[i].text, texts[i].len, out + i * dimensions_of(f));
        f->texts++;
        f->queries += side == EMBEDDER_QUERY;
        if (f->seen)
            f->seen(f->user, side, texts[i].text, texts[i].len);
    }
    return QA_OK;
}

static qa_status count_tokens(void *self, const char *text, size_t len, size_t *out, qa_error *err) {
    (void)self, (void)err;
    *out = 0;
    for (size_t i = 0; i < len; i++)
        *out += is_letter(text[i]) && (!i || !is_letter(text[i - 1]));
    return QA_OK;
}

static void close_embedder(void *self) { (void)self; }

struct embedder_port fake_embedder_port(struct fake_embedder *f) {
    static const struct embedder_ops ops = {.embed = embed, .count_tokens = count_tokens, .close = close_embedder};
    return (struct embedder_port){.ops = &ops, .self = f, .name = f->name ? f->name : "fake", .fingerprint = f->fingerprint ? f->fingerprint : "hash:fake",
                                  .dimensions = dimensions_of(f), .at_once = f->at_once};
}
