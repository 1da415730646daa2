/* From text to weighed terms. Weights (of a stem 1) were chosen on 170 questions over the SageMaker guide; docs/search.md has the figures.
 *
 * A few general abbreviations are searched both ways ("max concurrent jobs" finds "maximum"), at a lower weight. The list holds what any
 * technical documentation uses, nothing of a product. */
#include "search/search_internal.h"
#include <string.h>

static const double PART_WEIGHT = 0.7, EXACT_WEIGHT = 0.4, ABBREVIATION_WEIGHT = 0.6;

static const char *const abbreviations[][2] = {
    {"max", "maximum"},       {"min", "minimum"},      {"config", "configuration"}, {"auth", "authentication"}, {"env", "environment"},
    {"repo", "repository"},   {"param", "parameter"},  {"params", "parameters"},    {"info", "information"},    {"dir", "directory"},
    {"db", "database"},       {"admin", "administrator"}, {"spec", "specification"}, {"app", "application"},    {"avg", "average"},
    {"prod", "production"},   {"temp", "temporary"},   {"creds", "credentials"},    {"perms", "permissions"},   {"k8s", "kubernetes"},
    {"img", "image"},         {"msg", "message"},      {"docs", "documentation"},   {"lib", "library"},         {"libs", "libraries"},
    {"init", "initialize"},   {"exec", "execute"},     {"ref", "reference"},        {"id", "identifier"},
};

struct adder {
    struct arena *a;
    struct search_terms *to;
    const char *text;
    bool own, failed;
    double weight;
};

static void add(struct adder *add_to, const struct word *word, double weight) {
    struct search_terms *t = add_to->to;
    for (size_t i = 0; i < t->n; i++)
        if (t->items[i].len == word->norm_len && memcmp(t->items[i].norm, word->norm, word->norm_len) == 0) {
            if (t->items[i].weight < weight)
                t->items[i].weight = weight;
            return;
        }
    if (t->n == SEARCH_TERMS_MAX)
        return; /* a question of more different words than that is not a question; its first ones are searched */
    struct search_term *fresh = &t->items[t->n];
    *fresh = (struct search_term){
        .norm = arena_copy(add_to->a, word->norm, word->norm_len),
        .len = word->norm_len,
        .kind = word->kind,
        .own = add_to->own,
        .weight = weight,
        .surface = arena_copy(add_to->a, add_to->text + word->start, word->end - word->start),
    };
    if (fresh->norm && fresh->surface)
        t->n++;
    else
        add_to->failed = true;
}

static int add_word(void *user, const struct word *word) {
    struct adder *a = user;
    if (!word->stop)
        add(a, word, a->weight * (word->kind == WORD_PART ? PART_WEIGHT : word->kind == WORD_EXACT ? EXACT_WEIGHT : 1));
    return a->failed;
}

static int add_stem(void *user, const struct word *word) {
    struct adder *a = user;
    if (word->kind == WORD_STEM && !word->stop)
        add(a, word, a->weight);
    return a->failed;
}

/* The other form of each abbreviation among the exact terms of this text. */
static void add_abbreviations(struct words *words, struct adder *a, size_t from) {
    size_t n = a->to->n;
    for (size_t i = from; i < n && !a->failed; i++) {
        if (a->to->items[i].kind != WORD_EXACT)
            continue;
        for (size_t k = 0; k < sizeof abbreviations / sizeof *abbreviations; k++)
            for (int side = 0; side < 2; side++)
                if (strcmp(a->to->items[i].norm + 1, abbreviations[k][side]) == 0) {
                    struct adder other = *a;
                    other.text = abbreviations[k][!side];
                    other.weight = a->weight * ABBREVIATION_WEIGHT;
                    other.own = false;
                    words_each(words, other.text, strlen(other.text), add_stem, &other);
                    a->failed = other.failed;
                }
    }
}

qa_status search_add_terms(struct words *words, struct arena *a, const char *text, bool own, double weight, struct search_terms *out,
                           qa_error *err) {
    if (!out->items && !(out->items = arena_array(a, SEARCH_TERMS_MAX, sizeof *out->items)))
        return arena_error(a, err, "reading the question");
    struct adder to = {.a = a, .to = out, .text = text, .own = own, .weight = weight};
    size_t from = out->n;
    words_each(words, text, strlen(text), add_word, &to);
    add_abbreviations(words, &to, from);
    return to.failed ? arena_error(a, err, "reading the question") : QA_OK;
}

qa_status search_candidates(const struct index_port *index, const struct index_scope *scope, struct search_terms *terms, size_t k,
                            struct arena *a, struct index_candidate **out, size_t *n, uint64_t *total, qa_error *err) {
    struct index_term *asked = arena_array(a, terms->n, sizeof *asked);
    if (!asked)
        return arena_error(a, err, "searching");
    for (size_t i = 0; i < terms->n; i++)
        asked[i] = (struct index_term){.norm = terms->items[i].norm, .len = terms->items[i].len, .weight = terms->items[i].weight};
    qa_status status = index->ops->text_candidates(index->self, asked, terms->n, scope, k, a, out, n, total, err);
    for (size_t i = 0; status == QA_OK && i < terms->n; i++) {
        terms->items[i].idf = asked[i].idf;
        /* A filter does not make a word unknown, but what others alone may read must not show in a caller's answer. */
        terms->items[i].known = scope->caller && !scope->caller->owner ? asked[i].seen : asked[i].df > 0;
    }
    return status;
}
