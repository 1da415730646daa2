/* The forward pass: texts stand behind each other in rows, without padding, so that every product is one over all of them; attention alone goes text by
 * text and head by head. J. Devlin and others, "BERT: Pre-training of Deep Bidirectional Transformers", 2019; A. Vaswani and others, "Attention Is
 * All You Need", 2017, section 3. */
#include "embed/encoder.h"
#include <stdlib.h>
#include <string.h>

enum { ATTENTION_ROWS = 48 }; /* queries at once: their scores stay in the first-level cache */

static size_t pad(const struct encoder *e, size_t n) { return (n + e->kernels->panel - 1) / e->kernels->panel * e->kernels->panel; }

qa_status encoder_make_room(const struct encoder *e, size_t rows, struct encoder_room *out, qa_error *err) {
    size_t wide = 3 * e->hidden > e->inner ? 3 * e->hidden : e->inner, head = e->hidden / e->heads;
    size_t longest = rows < e->positions ? rows : e->positions;
    *out = (struct encoder_room){.rows = rows};
    out->x = embed_allocate(rows * e->hidden, sizeof *out->x);
    out->wide = embed_allocate(rows * wide, sizeof *out->wide);
    out->narrow = embed_allocate(rows * e->hidden, sizeof *out->narrow);
    out->keys = embed_allocate(pad(e, longest) * head, sizeof *out->keys);
    out->values = embed_allocate(longest * pad(e, head), sizeof *out->values);
    out->scores = embed_allocate(ATTENTION_ROWS * longest, sizeof *out->scores);
    if (!out->x || !out->wide || !out->narrow || !out->keys || !out->values || !out->scores)
        return error_no_memory(err, "embedding");
    return embed_make_room(rows, wide, &out->products, err);
}

void encoder_free_room(struct encoder_room *room) {
    free(room->x);
    free(room->wide);
    free(room->narrow);
    free(room->keys);
    free(room->values);
    free(room->scores);
    embed_free_room(&room->products);
    *room = (struct encoder_room){0};
}

static void look_up(const struct encoder *e, const struct encoder_text *t, float *x) {
    size_t width = e->tokens->type == MODEL_TENSOR_F16 ? 2 : 4;
    for (size_t i = 0; i < t->n; i++, x += e->hidden) {
        const uint8_t *from = e->tokens->data + (size_t)t->ids[i] * e->hidden * width;
        if (width == 2)
            e->kernels->widen_f16(from, e->hidden, x);
        else
            memcpy(x, from, e->hidden * sizeof *x);
        for (size_t k = 0; k < e->hidden; k++)
            x[k] += e->places[i * e->hidden + k];
    }
}

/* qkv: rows of query, key, value. One head's keys become the columns of a packed matrix, its values the rows of another. */
static void attend_head(const struct encoder *e, struct encoder_room *room, const float *qkv, size_t n, size_t head, float *out) {
    const struct embed_kernels *kernels = e->kernels;
    size_t size = e->hidden / e->heads, stride = 3 * e->hidden, panel = kernels->panel;
    const float *q = qkv + head * size, *k = q + e->hidden, *v = k + e->hidden;
    for (size_t r = 0; r < n; r++) {
        float *to = room->keys + r / panel * panel * size + r % panel;
        for (size_t i = 0; i < size; i++)
            to[i * panel] = k[r * stride + i];
        for (size_t c = 0; c < size; c += panel)
            memcpy(room->values + c * n + r * panel, v + r * stride + c, (size - c < panel ? size - c : panel) * sizeof *v);
    }
    for (size_t r = 0; r < n; r += ATTENTION_ROWS) {
        size_t rows = n - r < ATTENTION_ROWS ? n - r : ATTENTION_ROWS;
        kernels->multiply_f32(q + r * stride, stride, rows, size, room->keys, n, NULL, room->scores, n);
        for (size_t i = 0; i < rows; i++)
            kernels->softmax(room->scores + i * n, n);
        kernels->multiply_f32(room->scores, n, rows, n, room->values, size, NULL, out + r * e->hidden + head * size, e->hidden);
    }
}

static void pool(const struct encoder *e, const float *x, const struct encoder_text *t) {
    memcpy(t->out, x, e->hidden * sizeof *x);
    for (size_t r = 1; !e->cls && r < t->n; r++)
        for (size_t i = 0; i < e->hidden; i++)
            t->out[i] += x[r * e->hidden + i];
    for (size_t i = 0; !e->cls && i < e->hidden; i++)
        t->out[i] /= (float)t->n;
}

void encoder_run(const struct encoder *e, struct encoder_room *room, const struct encoder_text *texts, size_t n) {
    const struct embed_kernels *kernels = e->kernels;
    size_t rows = 0;
    for (size_t i = 0; i < n; i++) {
        look_up(e, &texts[i], room->x + rows * e->hidden);
        rows += texts[i].n;
    }
    kernels->add_norm(room->x, NULL, rows, e->hidden, e->first.gamma, e->first.beta, e->epsilon);
    for (size_t l = 0; l < e->n_layers; l++) {
        const struct encoder_layer *layer = &e->layers[l];
        embed_multiply(&layer->qkv, room->x, rows, &room->products, room->wide);
        for (size_t i = 0, at = 0; i < n; at += texts[i++].n)
            for (size_t head = 0; head < e->heads; head++)
                attend_head(e, room, room->wide + at * 3 * e->hidden, texts[i].n, head, room->narrow + at * e->hidden);
        embed_multiply(&layer->out, room->narrow, rows, &room->products, room->wide);
        kernels->add_norm(room->x, room->wide, rows, e->hidden, layer->after_attention.gamma, layer->after_attention.beta, e->epsilon);
        embed_multiply(&layer->up, room->x, rows, &room->products, room->wide);
        kernels->gelu(room->wide, rows * e->inner);
        embed_multiply(&layer->down, room->wide, rows, &room->products, room->narrow);
        kernels->add_norm(room->x, room->narrow, rows, e->hidden, layer->after_feed_forward.gamma, layer->after_feed_forward.beta, e->epsilon);
    }
    for (size_t i = 0, at = 0; i < n; at += texts[i++].n)
        pool(e, room->x + at * e->hidden, &texts[i]);
}
