/* What ingest wants to know about its sources: known documents, failures, roots, whether access rules stand. */
#include "base/clock.h"
#include "store/store_index.h"
#include "store/store_write.h"

struct known_list {
    struct index_known *items;
    size_t n, cap;
};

static qa_status get_flag(struct store_index *s, sqlite3_stmt *st, int i, bool *out, qa_error *err) {
    uint64_t number = 0;
    qa_status status = store_get_uint(&s->file, st, i, &number, err);
    *out = number != 0;
    return status;
}

static qa_status add_known(struct store_index *s, sqlite3_stmt *st, struct arena *a, struct known_list *l, qa_error *err) {
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        struct index_known *grown = arena_grow(a, l->items, l->n, cap, sizeof *grown);
        if (!grown)
            return arena_error(a, err, "listing what is in the index");
        l->items = grown;
        l->cap = cap;
    }
    struct index_known *k = &l->items[l->n];
    const char *path;
    qa_status status = store_get_text(&s->file, st, 0, false, &path, err);
    if (status == QA_OK)
        status = store_get_uint(&s->file, st, 1, &k->document, err);
    if (status == QA_OK)
        status = store_get_hash(s, st, 2, &k->hash, err);
    if (status == QA_OK)
        status = store_get_hash(s, st, 3, &k->settings, err);
    if (status == QA_OK)
        status = store_get_uint(&s->file, st, 4, &k->bytes, err);
    if (status == QA_OK)
        status = get_flag(s, st, 5, &k->ruled, err);
    if (status == QA_OK && !(k->path = arena_string(a, path)))
        status = arena_error(a, err, "listing what is in the index");
    l->n += status == QA_OK;
    return status;
}

qa_status store_known_documents(void *self, const char *source, struct arena *a, struct index_known **out, size_t *n,
                                qa_error *err) {
    struct store_index *s = self;
    struct known_list l = {0};
    sqlite3_stmt *st = NULL;
    bool row;
    qa_status status = store_sql(&s->file, SQL_KNOWN,
                                 "SELECT d.path, d.id, d.hash, d.settings, d.bytes, d.ruled FROM " STORE_DOCUMENTS
                                 " WHERE s.name = ?1 ORDER BY d.path",
                                 &st, err);
    if (status == QA_OK)
        store_bind_text(&s->file, st, 1, source);
    while (status == QA_OK && (status = store_next(&s->file, st, &row, err)) == QA_OK && row)
        status = add_known(s, st, a, &l, err);
    sqlite3_reset(st);
    *out = l.items;
    *n = l.n;
    return status;
}

/* The current row: name, root, ruled. */
static qa_status take_source(struct store_index *s, sqlite3_stmt *st, struct arena *a, struct index_source *out, qa_error *err) {
    qa_status status = store_copy_text(s, st, 0, false, a, &out->source, err);
    if (status == QA_OK)
        status = store_copy_text(s, st, 1, true, a, &out->root, err);
    return status == QA_OK ? get_flag(s, st, 2, &out->ruled, err) : status;
}

qa_status store_list_sources(void *self, struct arena *a, struct index_source **out, size_t *n, qa_error *err) {
    struct store_index *s = self;
    struct index_source *list = NULL;
    size_t cap = 0;
    sqlite3_stmt *st = NULL;
    bool row;
    *out = NULL;
    *n = 0;
    qa_status status = store_sql(&s->file, SQL_LIST_SOURCES, "SELECT name, root, ruled FROM sources ORDER BY name", &st, err);
    while (status == QA_OK && (status = store_next(&s->file, st, &row, err)) == QA_OK && row) {
        if (*n == cap) {
            cap = cap ? cap * 2 : 8;
            struct index_source *grown = arena_grow(a, list, *n, cap, sizeof *grown);
            if (!grown) {
                status = arena_error(a, err, "listing the sources");
                break;
            }
            list = grown;
        }
        status = take_source(s, st, a, &list[*n], err);
        *n += status == QA_OK;
    }
    sqlite3_reset(st);
    *out = list;
    return status;
}

/* Up to three texts, and as ?4 a number. */
static qa_status run_write(struct store_index *s, unsigned slot, const char *sql, const char *one, const char *two,
                           const char *three,
                           int64_t four, qa_error *err) {
    sqlite3_stmt *st;
    const char *texts[] = {one, two, three};
    qa_status status = store_writable(s, err);
    if (status == QA_OK)
        status = store_sql(&s->file, slot, sql, &st, err);
    if (status != QA_OK)
        return status;
    int n = sqlite3_bind_parameter_count(st);
    for (int i = 0; i < n && i < 3; i++)
        store_bind_text(&s->file, st, i + 1, texts[i]);
    if (n == 4)
        store_bind_int(&s->file, st, 4, four);
    s->file.masked = true;
    status = store_run(&s->file, st, err);
    s->file.masked = false;
    s->broken = s->broken || status != QA_OK;
    return status;
}

qa_status store_note_failure(void *self, const char *source, const char *path, const char *cause, qa_error *err) {
    if (!cause)
        return run_write(self, SQL_UNNOTE, "DELETE FROM failures WHERE source = ?1 AND path = ?2", source, path, NULL, 0,
                         err);
    return run_write(self, SQL_NOTE, "INSERT OR REPLACE INTO failures VALUES(?1, ?2, ?3, ?4)", source, path, cause,
                     clock_now_ms(), err);
}

qa_status store_find_failure(void *self, const char *source, const char *path, struct arena *a, const char **cause,
                             qa_error *err) {
    struct store_index *s = self;
    sqlite3_stmt *st;
    bool row;
    *cause = NULL;
    qa_status status = store_sql(&s->file, SQL_FIND_NOTE,
                                 "SELECT cause FROM failures WHERE (source = ?1 OR ?1 IS NULL) AND path = ?2 ORDER BY source", &st, err);
    if (status != QA_OK)
        return status;
    store_bind_text(&s->file, st, 1, source);
    store_bind_text(&s->file, st, 2, path);
    status = store_next(&s->file, st, &row, err);
    if (status == QA_OK && row)
        status = store_copy_text(s, st, 0, false, a, cause, err);
    sqlite3_reset(st);
    return status;
}

qa_status store_list_failures(void *self, const char *source, struct arena *a, const char ***out, size_t *n, qa_error *err) {
    struct store_index *s = self;
    const char **list = NULL;
    size_t cap = 0;
    sqlite3_stmt *st = NULL;
    bool row;
    *out = NULL;
    *n = 0;
    qa_status status = store_sql(&s->file, SQL_LIST_NOTES, "SELECT path FROM failures WHERE source = ?1 ORDER BY path", &st, err);
    if (status == QA_OK)
        store_bind_text(&s->file, st, 1, source);
    while (status == QA_OK && (status = store_next(&s->file, st, &row, err)) == QA_OK && row) {
        if (*n == cap) {
            cap = cap ? cap * 2 : 8;
            const char **grown = arena_grow(a, list, *n, cap, sizeof *grown);
            if (!grown) {
                status = arena_error(a, err, "listing failures");
                break;
            }
            list = grown;
        }
        status = store_copy_text(s, st, 0, false, a, &list[*n], err);
        *n += status == QA_OK;
    }
    sqlite3_reset(st);
    *out = list;
    return status;
}

qa_status store_get_source(void *self, const char *source, struct arena *a, struct index_source *out, qa_error *err) {
    struct store_index *s = self;
    sqlite3_stmt *st;
    bool row;
    *out = (struct index_source){.source = source};
    qa_status status = store_sql(&s->file, SQL_GET_SOURCE, "SELECT name, root, ruled FROM sources WHERE name = ?1", &st, err);
    if (status != QA_OK)
        return status;
    store_bind_text(&s->file, st, 1, source);
    status = store_next(&s->file, st, &row, err);
    if (status == QA_OK && row)
        status = take_source(s, st, a, out, err);
    sqlite3_reset(st);
    return status;
}

qa_status store_put_source(void *self, const struct index_source *source, qa_error *err) {
    return run_write(self, SQL_PUT_SOURCE,
                     "INSERT INTO sources(name, root, ruled) VALUES(?1, ?2, ?4) "
                     "ON CONFLICT(name) DO UPDATE SET root = excluded.root, ruled = excluded.ruled",
                     source->source, source->root, NULL, source->ruled, err);
}
