/* The words of the question and what they weigh: its own at their idf, those that the search took from earlier questions
 * or abbreviations at the weight that the search gave them. Of a plain word only the stem counts, since a sentence may
 * inflect it freely; of an identifier its parts and its whole.
 *
 * Names are words that stand for one thing: with a digit, an inner capital, an underscore or an inner dot, or
 * capitalised where no sentence begins. A passage that lacks them is about something else, however many other words it
 * shares (evidence.c). */
#include "answer/answer_internal.h"
#include "base/hash.h"
#include <string.h>

enum { SLOTS = 2 * ANSWER_TERMS_MAX };

static size_t slot_of(const struct question *q, const char *norm, size_t len) {
    size_t slot = hash_bytes(norm, len).lo % SLOTS;
    while (q->slots[slot]) {
        const struct question_term *t = &q->terms[q->slots[slot] - 1];
        if (t->len == len && memcmp(t->norm, norm, len) == 0)
            break;
        slot = (slot + 1) % SLOTS;
    }
    return slot;
}

int answer_find_term(const struct question *q, const struct word *word) {
    size_t len = word->norm_len;
    const char *norm = answer_canonical(word->norm, &len);
    return q->slots[slot_of(q, norm, len)] - 1;
}

double answer_weight(const struct question *q, const struct term_set *set) {
    double sum = 0;
    for (size_t i = 0; i < q->n; i++)
        if (set_has(set, (int)i))
            sum += q->terms[i].weight;
    return sum;
}

/* The term of this norm, made when it is new; NULL when there are too many. */
static struct question_term *term(struct question *q, const char *norm, size_t len, const char *surface) {
    norm = answer_canonical(norm, &len);
    size_t slot = slot_of(q, norm, len);
    if (!q->slots[slot]) {
        if (q->n == ANSWER_TERMS_MAX)
            return NULL;
        q->terms[q->n++] = (struct question_term){.norm = norm, .len = (uint32_t)len, .surface = surface};
        q->slots[slot] = (int16_t)q->n;
    }
    return &q->terms[q->slots[slot] - 1];
}

/* Does the surface of an exact form have parts? */
static int is_part(void *user, const struct word *word) {
    *(bool *)user = word->kind == WORD_PART;
    return 1;
}
static bool is_identifier(struct words *words, const char *surface) {
    bool parts = false;
    words_each(words, surface, strlen(surface), is_part, &parts);
    return parts;
}

static bool upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool lower(char c) { return c >= 'a' && c <= 'z'; }

static bool name_like(const char *text, size_t from, size_t to) {
    bool capital = false;
    for (size_t i = from; i < to; i++) {
        char c = text[i], before = i > from ? text[i - 1] : 0, after = i + 1 < to ? text[i + 1] : 0;
        if ((c >= '0' && c <= '9' && to - from > 1) || c == '_' || (upper(c) && lower(before)) ||
            (c == '.' && lower(before) && lower(after)))
            return true;
        capital = capital || upper(c);
    }
    while (from && (text[from - 1] == ' ' || text[from - 1] == '"' || text[from - 1] == '('))
        from--;
    return capital && from && !strchr(".?!:\n", text[from - 1]);
}

static double idf_of(const struct search_terms *terms, const struct word *word) {
    for (size_t i = 0; i < terms->n; i++)
        if (terms->items[i].len == word->norm_len && memcmp(terms->items[i].norm, word->norm, word->norm_len) == 0)
            return terms->items[i].idf;
    return 0;
}

qa_status answer_read_question(struct words *words, struct arena *a, const struct search_result *found, struct question *out,
                               qa_error *err) {
    const char *text = found->question;
    *out = (struct question){0};
    for (size_t i = 0; i < found->terms.n; i++) {
        const struct search_term *t = &found->terms.items[i];
        if (t->kind == WORD_EXACT && !is_identifier(words, t->surface))
            continue;
        struct question_term *mine = term(out, t->norm, t->len, t->surface);
        double weight = t->own ? t->idf : t->idf * t->weight;
        if (mine && mine->weight < weight)
            mine->weight = weight;
    }
    for (size_t i = 0; i < out->n; i++)
        out->total += out->terms[i].weight;

    struct word *list = NULL;
    size_t n = 0;
    qa_status status = words_list(words, a, text, strlen(text), &list, &n, err);
    for (size_t i = 0; status == QA_OK && i < n; i++) {
        bool whole = list[i].kind == WORD_EXACT && i && list[i - 1].kind == WORD_PART;
        if ((list[i].kind != WORD_STEM && !whole) || list[i].stop || !name_like(text, list[i].start, list[i].end))
            continue;
        const char *surface = arena_copy(a, text + list[i].start, list[i].end - list[i].start);
        struct question_term *mine = surface ? term(out, list[i].norm, list[i].norm_len, surface) : NULL;
        if (!surface)
            return arena_error(a, err, "reading the question");
        if (mine)
            mine->name_weight = idf_of(&found->terms, &list[i]);
    }
    if (status == QA_OK)
        status = answer_tokens(a, text, strlen(text), &out->tokens, err);
    if (status == QA_OK)
        out->cues = answer_question_cues(&out->tokens);
    return status;
}
