/* A refusal says what is missing, in the words of the question, so that a person can put the question otherwise or see
 * that the documentation has nothing to say. */
#include "answer/answer_internal.h"
#include <string.h>

enum { NAMED_MAX = 4 };

static void put_words(struct buf *b, const char *const *words, size_t n, const char *conjunction) {
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_puts(b, i + 1 < n ? ", " : conjunction);
        buf_printf(b, "\"%.80s\"", words[i]);
    }
}

/* The question's words that no passage, or the best one alone, holds; the weightiest first. Names only, or any. */
static size_t missing_words(const struct answer_work *w, size_t passages, bool names, const char *words[NAMED_MAX]) {
    const struct question *q = &w->question;
    double weights[NAMED_MAX];
    size_t n = 0;
    for (size_t i = 0; i < q->n; i++) {
        double weight = names ? q->terms[i].name_weight : q->terms[i].weight;
        bool held = !q->terms[i].surface || weight <= 0;
        for (size_t p = 0; p < passages && !held; p++)
            held = set_has(&w->holds[p], (int)i);
        for (size_t k = 0; k < n && !held; k++)
            held = strcasecmp(words[k], q->terms[i].surface) == 0;
        if (held || (n == NAMED_MAX && weight <= weights[n - 1]))
            continue;
        size_t at = n < NAMED_MAX ? n++ : n - 1;
        for (; at && weights[at - 1] < weight; at--) {
            weights[at] = weights[at - 1];
            words[at] = words[at - 1];
        }
        weights[at] = weight;
        words[at] = q->terms[i].surface;
    }
    return n;
}

static void say_not_found(const struct answer_work *w, struct buf *b) {
    const char *words[NAMED_MAX];
    size_t n = missing_words(w, 0, false, words);
    if (!w->found->total_chunks) {
        buf_puts(b, "the index is empty; ingest documents first");
    } else if (!n) {
        buf_puts(b, "the question has no word that says what it is about");
    } else {
        buf_puts(b, "no document that was searched contains ");
        put_words(b, words, n, " or ");
    }
}

static void say_missing(const struct answer_work *w, struct buf *b) {
    const char *words[NAMED_MAX];
    size_t n = missing_words(w, w->n_passages, true, words);
    if (n || (n = missing_words(w, w->n_passages, false, words))) {
        buf_puts(b, "none of the closest passages mentions ");
        put_words(b, words, n, " or ");
    } else if (w->price) {
        buf_puts(b, "the question asks for a price, and no passage found names an amount of money");
    } else if ((n = missing_words(w, 1, true, words)) || (n = missing_words(w, 1, false, words))) {
        buf_puts(b, "the closest passage does not mention ");
        put_words(b, words, n, " or ");
    } else {
        buf_puts(b, "many passages mention these words and none of them more than the others; name what the question is about");
    }
}

qa_status answer_refuse(struct answer_work *w, struct answer *out, qa_error *err) {
    struct buf reason;
    buf_init(&reason, 4096);
    if (w->found->n_hits)
        say_missing(w, &reason);
    else
        say_not_found(w, &reason);
    out->refused = true;
    out->text = arena_string(w->a, w->found->n_hits ? "The documentation found does not answer this."
                                                    : "Nothing in the documentation matches this question.");
    out->reason = arena_copy(w->a, reason.data, reason.len);
    qa_status status = buf_error(&reason, err, "the reason");
    buf_free(&reason);
    return status == QA_OK && (!out->text || !out->reason) ? arena_error(w->a, err, "refusing") : status;
}
