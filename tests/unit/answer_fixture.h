// Passages made by hand, for the tests of src/answer/. A document is written block by block; what a reader would do to
// Markdown is done in the simplest way: backslashes, asterisks and backquotes vanish, two spaces before a line's end break
// it, cells are joined by " | ".
#ifndef UNIT_ANSWER_FIXTURE_H
#define UNIT_ANSWER_FIXTURE_H

#include "answer/answer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIXTURE_PASSAGES = 5, FIXTURE_DOCUMENT = 64 * 1024 };

struct fixture {
    struct arena a;
    struct words *words;
    struct search_hit hits[FIXTURE_PASSAGES];
    struct search_result found;
    struct answer answer;
    qa_error err;
    /* the document being written */
    char *bytes;
    size_t len, start;
    struct textmap_writer w;
    bool marked;
};

static inline void fixture_begin(struct fixture *f) {
    *f = (struct fixture){.words = words_new(), .bytes = calloc(1, FIXTURE_DOCUMENT)};
    arena_init(&f->a, 64 << 20);
    f->found.hits = f->hits;
    f->found.gap = 0.5;
    f->found.total_chunks = 1000;
    if (!f->words || !f->bytes)
        abort();
}

static inline void fixture_end(struct fixture *f) {
    words_free(f->words);
    arena_free(&f->a);
    free(f->bytes);
}

// A new passage of the same document; what is written from here is in it.
static inline void fixture_passage(struct fixture *f) {
    f->start = f->len;
    f->marked = false;
    textmap_begin(&f->w, f->start, FIXTURE_DOCUMENT);
}

static inline void fixture_text(struct fixture *f, const char *raw, size_t n) {
    for (size_t i = 0; i < n; i++) {
        f->bytes[f->len] = raw[i];
        size_t at = f->len++;
        if (raw[i] == '\\' || raw[i] == '*' || raw[i] == '`')
            continue;
        if (i + 2 < n && memcmp(raw + i, "  \n", 3) == 0) {
            memcpy(f->bytes + f->len, " \n", 2);
            f->len += 2;
            i += 2;
            textmap_literal(&f->w, "\n", 1);
        } else {
            textmap_copy(&f->w, f->bytes, at, 1);
        }
    }
}

static inline void fixture_block(struct fixture *f, enum textmap_unit kind, const char *raw) {
    size_t n = strlen(raw);
    if (f->marked)
        textmap_literal(&f->w, kind == UNIT_TABLE_ROW || kind == UNIT_ITEM ? "\n" : "\n\n", kind == UNIT_TABLE_ROW || kind == UNIT_ITEM ? 1 : 2);
    f->marked = true;
    textmap_mark(&f->w, kind);
    if (kind == UNIT_TABLE_HEAD || kind == UNIT_TABLE_ROW) { // "| a | b |"
        const char *from = raw + 2, *bar;
        memcpy(f->bytes + f->len, "| ", 2);
        f->len += 2;
        for (bool first = true; (bar = strstr(from, " |")); first = false) {
            if (!first)
                textmap_literal(&f->w, " | ", 3);
            fixture_text(f, from, (size_t)(bar - from));
            memcpy(f->bytes + f->len, " | ", 3);
            f->len += 3;
            from = bar[2] ? bar + 3 : bar + 2;
        }
    } else {
        fixture_text(f, raw, n);
    }
    f->bytes[f->len++] = '\n';
}

// Bytes of the document that no passage shows.
static inline void fixture_hidden(struct fixture *f, const char *raw) {
    memcpy(f->bytes + f->len, raw, strlen(raw));
    f->len += strlen(raw);
}

static inline struct index_passage *fixture_close(struct fixture *f, const char *title, double score) {
    struct search_hit *hit = &f->hits[f->found.n_hits++];
    struct index_passage *p = &hit->passage;
    hit->score = score;
    p->title = title;
    p->start = f->start;
    p->end = f->len;
    p->text_len = f->len - f->start;
    p->text = arena_copy(&f->a, f->bytes + f->start, p->text_len);
    p->path = "a.md";
    if (textmap_finish(&f->w, &f->err) != QA_OK ||
        textmap_decode(&f->a, (const uint8_t *)f->w.ops.data, f->w.ops.len, f->start, f->bytes, 0, f->len, &p->map, &f->err) != QA_OK)
        abort();
    textmap_free(&f->w);
    return p;
}

struct fixture_adder {
    struct fixture *f;
    const char *text;
    bool own;
};
static inline int fixture_add_term(void *user, const struct word *word) {
    struct fixture_adder *a = user;
    struct search_terms *t = &a->f->found.terms;
    if (word->stop || t->n == SEARCH_TERMS_MAX)
        return 0;
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->items[i].norm, word->norm) == 0)
            return 0;
    t->items[t->n++] = (struct search_term){
        .norm = arena_copy(&a->f->a, word->norm, word->norm_len),
        .len = word->norm_len,
        .kind = word->kind,
        .own = a->own,
        .weight = a->own ? 1 : 0.4,
        .idf = 4,
        .known = strncmp(word->norm, "zz", 2) != 0, // no document has a word that begins with zz
        .surface = arena_copy(&a->f->a, a->text + word->start, word->end - word->start),
    };
    return 0;
}

static inline void fixture_ask(struct fixture *f, const char *question, const char *earlier) {
    f->found.question = question;
    f->found.terms = (struct search_terms){.items = arena_array(&f->a, SEARCH_TERMS_MAX, sizeof(struct search_term))};
    struct fixture_adder own = {f, question, true}, other = {f, earlier, false};
    words_each(f->words, question, strlen(question), fixture_add_term, &own);
    if (earlier)
        words_each(f->words, earlier, strlen(earlier), fixture_add_term, &other);
}

#endif
