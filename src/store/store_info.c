/* What the index holds, as numbers. */
#include "base/json.h"
#include "store/store_index.h"
#include <sys/stat.h>

qa_status store_statistics(void *self, struct index_statistics *out, qa_error *err) {
    struct store_index *s = self;
    sqlite3_stmt *st;
    bool row;
    uint64_t *numbers[] = {&out->documents, &out->chunks, &out->bytes, &out->restricted, &out->sources, &out->failed};
    *out = (struct index_statistics){0};
    qa_status status = store_sql(&s->file, SQL_STATISTICS,
                                 "SELECT count(*), coalesce(sum(chunks), 0), coalesce(sum(bytes), 0), coalesce(sum(ruled), 0), "
                                 "(SELECT count(*) FROM sources), (SELECT count(*) FROM failures) FROM documents",
                                 &st, err);
    if (status == QA_OK)
        status = store_next(&s->file, st, &row, err);
    for (int i = 0; i < 6 && status == QA_OK; i++)
        status = store_get_uint(&s->file, st, i, numbers[i], err);
    if (status == QA_OK || s->file.db)
        sqlite3_reset(s->file.slots[SQL_STATISTICS]);
    return status;
}

static json_t *number(uint64_t n) { return json_integer((json_int_t)n); }

static uint64_t size_of(struct store_index *s, const char *ending) {
    struct stat st;
    arena_reset(&s->scratch);
    const char *path = arena_printf(&s->scratch, "%s%s", s->file.path, ending);
    return path && stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* Rows of one SELECT, each handed to `add`. */
static qa_status each_row(struct store_index *s, const char *sql,
                          qa_status (*add)(struct store_index *, sqlite3_stmt *, json_t *, bool *, qa_error *),
                          json_t *to, bool *ok, qa_error *err) {
    sqlite3_stmt *st = NULL;
    bool row;
    int rc = sqlite3_prepare_v2(s->file.db, sql, -1, &st, NULL);
    qa_status status = rc == SQLITE_OK ? QA_OK : store_fail(&s->file, rc, err);
    s->file.bind_rc = SQLITE_OK;
    while (status == QA_OK && (status = store_next(&s->file, st, &row, err)) == QA_OK && row)
        status = add(s, st, to, ok, err);
    sqlite3_finalize(st);
    return status;
}

static qa_status add_source(struct store_index *s, sqlite3_stmt *st, json_t *list, bool *ok, qa_error *err) {
    static const char *const keys[] = {"documents", "chunks", "bytes", "failed"};
    const char *name, *root;
    uint64_t n[4];
    qa_status status = store_get_text(&s->file, st, 0, false, &name, err);
    if (status == QA_OK)
        status = store_get_text(&s->file, st, 1, true, &root, err);
    for (int i = 0; i < 4 && status == QA_OK; i++)
        status = store_get_uint(&s->file, st, 2 + i, &n[i], err);
    if (status != QA_OK)
        return status;
    json_t *source = json_object();
    json_put(source, "name", json_text0(name), ok);
    json_put(source, "root", json_text0(root), ok);
    for (int i = 0; i < 4; i++)
        json_put(source, keys[i], number(n[i]), ok);
    json_add(list, source, ok);
    return QA_OK;
}

static qa_status add_fact(struct store_index *s, sqlite3_stmt *st, json_t *to, bool *ok, qa_error *err) {
    const char *text;
    uint64_t n[3];
    qa_status status = store_get_text(&s->file, st, 0, false, &text, err);
    for (int i = 0; i < 3 && status == QA_OK; i++)
        status = store_get_uint(&s->file, st, 1 + i, &n[i], err);
    if (status != QA_OK)
        return status;
    json_put(to, "created_by", json_text0(text), ok);
    json_put(to, "content_bytes", number(n[0]), ok);
    json_put(to, "map_bytes", number(n[1]), ok);
    json_put(to, "postings_bytes", number(n[2]), ok);
    return QA_OK;
}

static json_t *describe_vectors(const struct index_space *space, bool *ok) {
    json_t *vectors = json_object();
    json_put(vectors, "embedder", json_text0(space->name), ok);
    json_put(vectors, "fingerprint", json_text0(space->fingerprint), ok);
    json_put(vectors, "dimensions", number(space->dimensions), ok);
    json_put(vectors, "count", number(space->vectors), ok);
    json_put(vectors, "pending", number(space->pending), ok);
    return vectors;
}

qa_status store_index_info(struct store_index *s, json_t **out, qa_error *err) {
    struct index_statistics counts;
    struct index_space space;
    struct arena names;
    bool ok = true;
    *out = NULL;
    arena_init(&names, 1 << 20);
    json_t *info = json_object(), *sources = json_array();
    qa_status status = store_begin_read(s, err);
    if (status != QA_OK) {
        json_decref(info);
        json_decref(sources);
        return status;
    }
    status = store_statistics(s, &counts, err);
    if (status == QA_OK)
        status = store_vector_space(s, &names, &space, err);
    if (status == QA_OK) {
        json_put(info, "path", json_text0(s->file.path), &ok);
        json_put(info, "format", number(s->file.kind->n_steps), &ok);
        json_put(info, "file_bytes", number(size_of(s, "")), &ok);
        json_put(info, "wal_bytes", number(size_of(s, "-wal")), &ok);
        json_put(info, "documents", number(counts.documents), &ok);
        json_put(info, "chunks", number(counts.chunks), &ok);
        json_put(info, "failed", number(counts.failed), &ok);
        json_put(info, "restricted", number(counts.restricted), &ok);
        json_put(info, "vectors", describe_vectors(&space, &ok), &ok);
        status = each_row(s,
                          "SELECT (SELECT value FROM meta WHERE key = 'created_by'), "
                          "(SELECT coalesce(sum(length(bytes)), 0) FROM contents), "
                          "(SELECT coalesce(sum(length(map)), 0) FROM chunks), "
                          "(SELECT coalesce(sum(length(block)), 0) FROM postings_data)",
                          add_fact, info, &ok, err);
    }
    if (status == QA_OK)
        status = each_row(s,
                          "SELECT s.name, s.root, count(d.id), coalesce(sum(d.chunks), 0), coalesce(sum(d.bytes), 0), "
                          "(SELECT count(*) FROM failures AS f WHERE f.source = s.name) "
                          "FROM sources AS s LEFT JOIN documents AS d ON d.source = s.id GROUP BY s.id ORDER BY s.name",
                          add_source, sources, &ok, err);
    store_end_read(s);
    arena_free(&names);
    json_put(info, "sources", sources, &ok);
    if (status == QA_OK && !ok)
        status = error_no_memory(err, "describing the index");
    if (status != QA_OK)
        json_decref(info);
    else
        *out = info;
    return status;
}
