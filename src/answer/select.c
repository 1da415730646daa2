/* Chooses up to three units, one after the other, each time the best of what is left: little overlap with the chosen
 * ones, a bonus for what goes on where a chosen one ended. A fourth unit would find 2 % more facts and make answers a
 * third longer. */
#include "answer/answer_internal.h"
#include "base/hash.h"
#include <stdlib.h>
#include <string.h>

static const double OVERLAP = 0.1, FOLLOWS = 0.1;
/* A further unit must be worth this share of the best: fewer words and truer citations for one fact in 76 (docs/answering.md). */
static const double KEEP_FROM = 0.7;
enum { WORDS_MAX = 115, BAG_MAX = 2048 };

static int compare_score(const void *x, const void *y) {
    const struct unit *a = *(const struct unit *const *)x, *b = *(const struct unit *const *)y;
    if (a->score != b->score)
        return a->score < b->score ? 1 : -1;
    return a < b ? -1 : a > b; /* in the order of passages, then of the text */
}

static int compare_hash(const void *x, const void *y) {
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return a < b ? -1 : a > b;
}

struct bag {
    uint32_t *hashes;
    size_t n;
};
static int put_in_bag(void *user, const struct word *word) {
    struct bag *b = user;
    if (b->n == BAG_MAX)
        return 1;
    if (word->kind != WORD_EXACT)
        b->hashes[b->n++] = (uint32_t)hash_bytes(word->norm, word->norm_len).lo;
    return 0;
}

/* The different words of a unit and its term. */
static qa_status fill_bag(struct answer_work *w, struct unit *u, qa_error *err) {
    if (u->bag)
        return QA_OK;
    const char *plain = passage_of(w, u)->map.plain;
    size_t room = (u->text.to - u->text.from) + (u->term.to - u->term.from); /* a word takes a byte at least */
    struct bag b = {.hashes = arena_array(w->a, room < BAG_MAX ? room : BAG_MAX, sizeof(uint32_t))};
    if (!b.hashes)
        return arena_error(w->a, err, "choosing sentences");
    words_each(w->words, plain + u->text.from, u->text.to - u->text.from, put_in_bag, &b);
    words_each(w->words, plain + u->term.from, u->term.to - u->term.from, put_in_bag, &b);
    qsort(b.hashes, b.n, sizeof *b.hashes, compare_hash);
    for (size_t i = 0; i < b.n; i++)
        if (!i || b.hashes[i] != b.hashes[i - 1])
            b.hashes[u->n_bag++] = b.hashes[i];
    u->bag = b.hashes;
    return QA_OK;
}

static double overlap(const struct unit *a, const struct unit *b) {
    size_t i = 0, j = 0, both = 0, smaller = a->n_bag < b->n_bag ? a->n_bag : b->n_bag;
    while (i < a->n_bag && j < b->n_bag) {
        both += a->bag[i] == b->bag[j];
        if (a->bag[i] <= b->bag[j])
            i++;
        else
            j++;
    }
    return smaller ? (double)both / (double)smaller : 0;
}

static uint32_t cost(const struct answer_work *w, const struct unit *u) {
    uint32_t most = u->kind == AS_ROW ? ANSWER_CUT_TO : ANSWER_CUT_OVER;
    const char *plain = passage_of(w, u)->map.plain;
    struct span lead = answer_lead_in(w, u);
    return (u->words < most ? u->words : most) + answer_count_words(plain + lead.from, lead.to - lead.from);
}

/* Can it be cited: do its bytes stand in the document as one span of this passage? */
static bool is_citable(const struct answer_work *w, const struct unit *u) {
    const struct index_passage *p = passage_of(w, u);
    uint64_t from, to;
    return textmap_raw(&p->map, u->text.from, u->text.to, &from, &to) && from >= p->start && to <= p->start + p->text_len;
}

static double value(const struct answer_work *w, const struct unit *u) {
    double most = 0;
    bool follows = false;
    for (size_t i = 0; i < w->n_chosen; i++) {
        double o = overlap(u, w->chosen[i]);
        most = o > most ? o : most;
        follows = follows || (w->chosen[i]->passage == u->passage && w->chosen[i]->kind != AS_ROW && w->chosen[i] + 1 == u);
    }
    return u->score - OVERLAP * most + (follows ? FOLLOWS : 0);
}

qa_status answer_select(struct answer_work *w, qa_error *err) {
    struct unit **pool = arena_array(w->a, w->units.n, sizeof *pool);
    if (!pool)
        return arena_error(w->a, err, "choosing sentences");
    size_t n = 0;
    uint32_t words = 0;
    for (size_t i = 0; i < w->units.n; i++)
        if (is_citable(w, &w->units.items[i]))
            pool[n++] = &w->units.items[i];
    qsort(pool, n, sizeof *pool, compare_score);
    n = n < ANSWER_POOL ? n : ANSWER_POOL;
    for (size_t i = 0; i < n; i++) {
        qa_status status = fill_bag(w, pool[i], err);
        if (status != QA_OK)
            return status;
    }
    while (w->n_chosen < ANSWER_CHOSEN) {
        size_t best = n;
        double best_value = 0;
        for (size_t i = 0; i < n; i++) {
            if (!pool[i] || (w->n_chosen && words + cost(w, pool[i]) > WORDS_MAX))
                continue;
            double v = value(w, pool[i]);
            if (best == n || v > best_value)
                best = i, best_value = v;
        }
        if (best == n || (w->n_chosen && best_value < KEEP_FROM * w->chosen[0]->score))
            break;
        words += cost(w, pool[best]);
        w->chosen[w->n_chosen++] = pool[best];
        pool[best] = NULL;
    }
    return QA_OK;
}
