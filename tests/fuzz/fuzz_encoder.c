// Any bytes as changes to a small encoder's file, and a text: what is still taken for an encoder runs without reading or writing out of its place, and gives
// the same bytes beside a neighbour and alone.
//
// The first byte chooses precision, kernels and kind of model; the second says how many changes follow, of four bytes each: where (three,
// little-endian, within the file), and what to add to the byte there. The rest is the text.
#include "embed/encoder.h"
#include "embed/tokenizer.h"
#include "fake/fake_encoder.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_TEXT = 2000,
    MAX_TOKENS = 64,
    HEAD = 4096,        /* the weights lie behind it */
    MOST_WORK = 1 << 22 /* weights: the changed file may say more than a run is to take */
};

static void check(bool holds) {
    if (!holds)
        abort();
}

/* Broken weights are let in, and which of its many bit patterns a NaN has is not said. */
static bool same(const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

static void run(const struct encoder *e, const struct tokenizer *t, const char *text, size_t len) {
    int32_t ids[MAX_TOKENS];
    size_t limit = e->positions < MAX_TOKENS ? e->positions : MAX_TOKENS;
    struct encoder_room room = {0};
    if (limit < 2 || e->n_layers * e->hidden * (4 * e->hidden + 2 * e->inner) > MOST_WORK)
        return;
    size_t n = tokenizer_encode(t, text, len, limit, ids, NULL);
    for (size_t i = 0; i < n; i++)
        check(ids[i] >= 0 && (size_t)ids[i] < e->vocabulary);
    float *out = malloc(2 * e->hidden * sizeof *out);
    check(out && encoder_make_room(e, 2 * n, &room, NULL) == QA_OK);
    struct encoder_text texts[] = {{ids, n, out}, {ids, n, out + e->hidden}};
    encoder_run(e, &room, texts, 2);
    check(same(out, out + e->hidden, e->hidden));
    encoder_run(e, &room, texts + 1, 1);
    check(same(out, out + e->hidden, e->hidden));
    encoder_free_room(&room);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct buf models[4];
    static struct tokenizer *known; /* theirs, while the changes leave the vocabulary alone: to open one takes longer than all the rest */
    const struct embed_kernels *kernels[5];
    if (size < 2)
        return 0;
    struct buf *model = &models[data[0] % 4];
    if (!model->len)
        fake_encoder_make(&(struct fake_encoder){.cls = data[0] & 1, .half = data[0] & 2}, model);
    const size_t n_kernels = embed_list_kernels(kernels), which = data[0] >> 4, changes = (size - 2) / 4 < data[1] ? (size - 2) / 4 : data[1];
    uint8_t *bytes = malloc(model->len);
    check(bytes);
    memcpy(bytes, model->data, model->len);
    bool as_it_was = true;
    for (size_t i = 0; i < changes; i++) {
        const uint8_t *c = data + 2 + 4 * i;
        size_t at = (c[0] | c[1] << 8 | c[2] << 16) % model->len;
        bytes[at] += c[3];
        as_it_was = as_it_was && at > HEAD;
    }
    const char *text = (const char *)data + 2 + 4 * changes;
    size_t len = size - 2 - 4 * changes;
    struct model_gguf *g = NULL;
    struct encoder e;
    struct tokenizer *t = NULL;
    qa_error err = {0};
    if (model_gguf_parse("fuzz.gguf", bytes, model->len, &g, &err) == QA_OK) {
        if (encoder_load(g, kernels[which % n_kernels], (enum embed_precision)((data[0] >> 2 & 3) % 3), &e, &err) == QA_OK) {
            struct tokenizer **kept = as_it_was ? &known : &t;
            if (*kept || tokenizer_open(e.gguf, kept, &err) == QA_OK)
                run(&e, *kept, text, len < MAX_TEXT ? len : MAX_TEXT);
            else
                check(err.message[0]);
            tokenizer_close(t);
            encoder_free(&e);
        } else {
            check(err.message[0]);
        }
    } else {
        check(!g && err.message[0]);
    }
    free(bytes);
    return 0;
}
