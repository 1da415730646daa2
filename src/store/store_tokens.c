/* Words for FTS5. Indexed are the terms of text/words.h but stop words, which are never asked for and would be a third of the
 * postings. An exact form is a token at the place of the term before it.
 *
 * A query term comes here already in its normal form and is one token as it is.
 *
 * FTS5 takes a text back out of an index without content only when it gets exactly the text that went in, so head and body
 * are made here for both ways. */
#include "base/file.h"
#include "store/store_index.h"
#include "store/store_schema.h"
#include <string.h>

struct feed {
    int (*each)(void *user, const struct word *word);
    void *user;
};

static int unless_stop(void *user, const struct word *word) {
    const struct feed *f = user;
    return word->stop ? 0 : f->each(f->user, word);
}

int store_each_word(struct words *w, const char *text, size_t n, int (*each)(void *user, const struct word *word),
                    void *user) {
    struct feed f = {each, user};
    return words_each(w, text, n, unless_stop, &f);
}

qa_status store_need_words(struct store_index *s, qa_error *err) {
    if (!s->words)
        s->words = words_new();
    return s->words ? QA_OK : error_no_memory(err, "preparing to split text into words");
}

/* The path without the extension: folders name subjects too (docs/search.md has what that is worth). */
static size_t path_words(const char *path) {
    const char *name = file_basename(path), *dot = strrchr(name, '.');
    return dot && dot != name ? (size_t)(dot - path) : strlen(path);
}

qa_status store_make_head(struct store_index *s, const char *title, const char *heading, const char *path, qa_error *err) {
    size_t title_len = strlen(title), first = heading ? strcspn(heading, STORE_SEPARATOR) : 0;
    buf_reset(&s->head);
    if (!heading || first != title_len || memcmp(title, heading, first) != 0) {
        buf_put(&s->head, title, title_len);
        buf_putc(&s->head, '\n');
    }
    for (const char *p = heading; p && *p; p++)
        buf_putc(&s->head, *p == STORE_SEPARATOR[0] ? '\n' : *p);
    buf_putc(&s->head, '\n');
    buf_put(&s->head, path, path_words(path));
    return buf_error(&s->head, err, "the title and headings of a document");
}

/* ---- The tokenizer ---- */

struct token_feed {
    void *user;
    int (*take)(void *, int, const char *, int, int, int);
    uint32_t words;
};

static int give(void *user, const struct word *word) {
    struct token_feed *f = user;
    bool same_place = word->kind == WORD_EXACT;
    f->words += store_takes_place(word, f->words);
    return f->take(f->user, same_place ? FTS5_TOKEN_COLOCATED : 0, word->norm, (int)word->norm_len, (int)word->start,
                   (int)word->end);
}

static int create(void *user, const char **args, int n, Fts5Tokenizer **out) {
    (void)args;
    (void)n;
    *out = user;
    return SQLITE_OK;
}

static void destroy(Fts5Tokenizer *t) { (void)t; } /* it is the index */

static int tokenize(Fts5Tokenizer *t, void *user, int flags, const char *text, int n,
                    int (*take)(void *, int, const char *, int, int, int)) {
    struct store_index *s = (struct store_index *)t;
    if (flags & FTS5_TOKENIZE_QUERY)
        return n > 0 ? take(user, 0, text, n, 0, n) : SQLITE_OK;
    if (store_need_words(s, NULL) != QA_OK)
        return SQLITE_NOMEM;
    struct token_feed feed = {.user = user, .take = take};
    int rc = text && n > 0 ? store_each_word(s->words, text, (size_t)n, give, &feed) : SQLITE_OK;
    if (s->n_counted < 2)
        s->counted[s->n_counted] = feed.words;
    s->n_counted++;
    return rc;
}

static int find_fts5(sqlite3 *db, fts5_api **out) {
    sqlite3_stmt *st = NULL;
    *out = NULL;
    int rc = sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_pointer(st, 1, out, "fts5_api_ptr", NULL);
    if (rc == SQLITE_OK)
        sqlite3_step(st);
    int done = sqlite3_finalize(st);
    return rc != SQLITE_OK ? rc : done != SQLITE_OK ? done : *out ? SQLITE_OK : SQLITE_ERROR;
}

int store_register_words(sqlite3 *db, void *user) {
    static fts5_tokenizer tokenizer = {create, destroy, tokenize};
    fts5_api *api;
    int rc = find_fts5(db, &api);
    if (rc == SQLITE_OK)
        rc = api->xCreateTokenizer(api, "quaere_words", user, &tokenizer, NULL);
    if (rc == SQLITE_OK)
        rc = api->xCreateFunction(api, "quaere_collect", user, store_collect, NULL);
    return rc;
}
