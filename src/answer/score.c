/* What a unit is worth: mostly the share of the question's weight that its words, or what stands around it, hold.
 *
 *     score = coverage + .2 cues + .15 passage's score + .15 passage's coverage - .015 sqrt(words) - penalties
 *
 * The constants are round numbers on a plateau: 60 random configurations around them, chosen by cross-validation over
 * 126 answerable questions, were no better. docs/answering.md says what each part is worth. */
#include "answer/answer_internal.h"
#include "base/hash.h"
#include <math.h>
#include <string.h>

static const double BESIDE = 0.8, HEADING = 0.4; /* what a word counts in the term, lead-in or table header; in the headings */
static const double CUE = 0.2, RANK = 0.15, PASSAGE = 0.15, LENGTH = 0.015;
static const double SHORT = 0.15, CODE = 0.05, NAVIGATION = 0.1, REPEATED = 1;
enum { SHORT_WORDS = 5, SEEN_SLOTS = 4096 };

struct reading {
    const struct question *q;
    struct term_set set;
    uint64_t hash;
    size_t words, terms; /* stems that are no stop words; those of them that are terms */
};

static int read_word(void *user, const struct word *word) {
    struct reading *r = user;
    int term = answer_find_term(r->q, word);
    if (term >= 0)
        set_add(&r->set, term);
    if (word->kind == WORD_EXACT)
        return 0;
    r->hash = (r->hash ^ hash_bytes(word->norm, word->norm_len).lo) * 0x100000001B3u;
    if (!word->stop) {
        r->words++;
        r->terms += term >= 0 && r->q->terms[term].weight > 0;
    }
    return 0;
}

static struct reading read_text(struct answer_work *w, const char *text, size_t len) {
    struct reading r = {.q = &w->question};
    words_each(w->words, text, len, read_word, &r);
    return r;
}

struct term_set answer_terms_in(struct answer_work *w, const char *text, size_t len) { return read_text(w, text, len).set; }

double answer_precision(struct answer_work *w, const char *text, size_t len) {
    struct reading r = read_text(w, text, len);
    return r.words ? (double)r.terms / (double)r.words : 0;
}

/* Neighbouring units share what stands around them: each span is read once in a row. */
struct memory {
    struct span span;
    struct term_set set;
};
static void join_span(struct answer_work *w, const char *plain, struct span s, struct memory *m, struct term_set *to) {
    if (!span_is(s))
        return;
    if (m->span.from != s.from || m->span.to != s.to) {
        m->span = s;
        m->set = answer_terms_in(w, plain + s.from, s.to - s.from);
    }
    set_join(to, &m->set);
}

static struct term_set terms_of_headings(struct answer_work *w, const struct index_passage *p) {
    struct term_set set = {0};
    if (p->title)
        set = answer_terms_in(w, p->title, strlen(p->title));
    for (size_t i = 0; i < p->n_heading; i++) {
        struct term_set one = answer_terms_in(w, p->heading[i], strlen(p->heading[i]));
        set_join(&set, &one);
    }
    return set;
}

static qa_status read_passage(struct answer_work *w, size_t passage, size_t first, qa_error *err) {
    const struct index_passage *p = &w->found->hits[passage].passage;
    const char *plain = p->map.plain;
    struct term_set path = terms_of_headings(w, p);
    struct memory term = {0}, lead = {0}, parent = {0}, header = {0}, heading = {0};
    w->holds[passage] = path;
    for (size_t i = first; i < w->units.n; i++) {
        struct unit *u = &w->units.items[i];
        const char *text = plain + u->text.from;
        size_t len = u->text.to - u->text.from;
        struct reading r = read_text(w, text, len);
        qa_status status = answer_tokens(w->a, text, len, &u->tokens, err);
        if (status != QA_OK)
            return status;
        u->own = r.set;
        u->text_hash = r.hash;
        u->far = path;
        join_span(w, plain, u->term, &term, &u->context);
        join_span(w, plain, u->lead, &lead, &u->context);
        join_span(w, plain, u->parent, &parent, &u->context);
        join_span(w, plain, u->header, &header, &u->context);
        join_span(w, plain, u->heading, &heading, &u->far);
        set_join(&w->holds[passage], &u->own);
        set_join(&w->holds[passage], &u->context);
        set_join(&w->holds[passage], &u->far);
        w->amount = w->amount || answer_names_amount(&u->tokens);
    }
    return QA_OK;
}

qa_status answer_prepare(struct words *words, struct arena *a, const struct search_result *found, struct answer_work *out,
                         qa_error *err) {
    *out = (struct answer_work){.words = words, .a = a, .found = found};
    out->n_passages = found->n_hits < ANSWER_PASSAGES ? found->n_hits : ANSWER_PASSAGES;
    qa_status status = answer_read_question(words, a, found, &out->question, err);
    for (size_t i = 0; status == QA_OK && i < out->n_passages; i++) {
        size_t first = out->units.n;
        status = answer_cut(a, &found->hits[i].passage, i, &out->units, err);
        if (status == QA_OK)
            status = read_passage(out, i, first, err);
    }
    if (status == QA_OK)
        status = answer_score(out, err);
    return status == QA_OK ? answer_select(out, err) : status;
}

/* Marks units whose text an earlier one has. */
static qa_status mark_repeated(struct answer_work *w, qa_error *err) {
    uint64_t *seen = arena_array(w->a, SEEN_SLOTS, sizeof *seen); /* over 5 * 256 units: never full */
    if (!seen)
        return arena_error(w->a, err, "reading passages");
    for (size_t i = 0; i < w->units.n; i++) {
        struct unit *u = &w->units.items[i];
        uint64_t key = u->text_hash | 1;
        size_t slot = (key >> 1) % SEEN_SLOTS;
        while (seen[slot] && seen[slot] != key)
            slot = (slot + 1) % SEEN_SLOTS;
        u->repeated = seen[slot] == key;
        seen[slot] = key;
    }
    return QA_OK;
}

qa_status answer_score(struct answer_work *w, qa_error *err) {
    const struct question *q = &w->question;
    double total = q->total > 0 ? q->total : 1, best = w->n_passages && w->found->hits[0].score > 0 ? w->found->hits[0].score : 1;
    double share[ANSWER_PASSAGES] = {0};
    for (size_t i = 0; i < w->n_passages; i++)
        share[i] = answer_weight(q, &w->holds[i]) / total;
    qa_status status = mark_repeated(w, err);
    for (size_t i = 0; status == QA_OK && i < w->units.n; i++) {
        struct unit *u = &w->units.items[i];
        double own = 0, beside = 0;
        for (int t = 0; t < (int)q->n; t++) {
            double weight = q->terms[t].weight;
            if (set_has(&u->own, t))
                own += weight;
            else
                beside += weight * (set_has(&u->context, t) ? BESIDE : set_has(&u->far, t) ? HEADING : 0);
        }
        u->own_coverage = own / total;
        u->coverage = (own + beside) / total;
        u->score = u->coverage + CUE * answer_cue_value(&u->tokens, q->cues) + RANK * w->found->hits[u->passage].score / best +
                   PASSAGE * share[u->passage] - LENGTH * sqrt(u->words);
        bool asks = u->tokens.n && strcmp(u->tokens.items[u->tokens.n - 1].s, "?") == 0;
        if (u->words < SHORT_WORDS && u->kind != AS_ROW)
            u->score -= SHORT;
        if (u->kind == AS_LINE)
            u->score -= CODE;
        if (asks || answer_is_navigation(&u->tokens))
            u->score -= NAVIGATION;
        if (u->repeated)
            u->score -= REPEATED;
    }
    return status;
}
