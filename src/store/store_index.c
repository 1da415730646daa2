/* The index port on SQLite: open, close, the table of functions. */
#include "base/version.h"
#include "store/store_index.h"
#include "store/store_schema.h"
#include <stdlib.h>

enum { SCRATCH_MAX = 512 << 20, HEAD_MAX = 16 << 20 };

static const struct index_ops operations = {
    .text_candidates = store_text_candidates,
    .vector_space = store_vector_space,
    .count_pending = store_count_pending,
    .vector_candidates = store_vector_candidates,
    .vector_scores = store_vector_scores,
    .load_passages = store_load_passages,
    .each_document = store_each_document,
    .find_document = store_find_document,
    .statistics = store_statistics,
    .list_sources = store_list_sources,
    .begin = store_begin,
    .commit = store_commit,
    .rollback = store_rollback,
    .known_documents = store_known_documents,
    .put_document = store_put_document,
    .move_document = store_move_document,
    .forget_document = store_forget_document,
    .set_access = store_set_access,
    .note_failure = store_note_failure,
    .find_failure = store_find_failure,
    .list_failures = store_list_failures,
    .get_source = store_get_source,
    .put_source = store_put_source,
    .use_space = store_use_space,
    .drop_vectors = store_drop_vectors,
    .pending_chunks = store_pending_chunks,
    .known_vectors = store_known_vectors,
    .put_vectors = store_put_vectors,
};

/* Fewer, larger checkpoints while loading, and room for the pages of the b-trees that are being filled. */
static qa_status prepare_for_writing(struct store_index *s, qa_error *err) {
    qa_status status = store_exec(&s->file,
                                  "PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;"
                                  "PRAGMA cache_size = -48000", err);
    sqlite3_stmt *st = NULL;
    if (status != QA_OK)
        return status;
    int rc = sqlite3_prepare_v2(s->file.db, "UPDATE meta SET value = ?1 WHERE key = 'created_by' AND value = ''", -1, &st,
                                NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(st, 1, QA_VERSION, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        sqlite3_step(st);
    int done = sqlite3_finalize(st);
    return rc == SQLITE_OK && done == SQLITE_OK ? QA_OK : store_fail(&s->file, rc != SQLITE_OK ? rc : done, err);
}

qa_status store_open_index(const char *path, enum store_mode mode, const atomic_int *cancel, struct store_index **out,
                           qa_error *err) {
    *out = NULL;
    struct store_index *s = calloc(1, sizeof *s);
    if (!s)
        return error_no_memory(err, "opening the index");
    arena_init(&s->scratch, SCRATCH_MAX);
    buf_init(&s->head, HEAD_MAX);
    qa_status status = store_open_file(&s->file, &store_index_kind, path, mode, cancel, s, err);
    if (status == QA_OK && mode == STORE_WRITE)
        status = prepare_for_writing(s, err);
    if (status != QA_OK) {
        store_close_index(s);
        return status;
    }
    *out = s;
    return QA_OK;
}

void store_close_index(struct store_index *s) {
    if (!s)
        return;
    if (s->file.db)
        store_rollback(s);
    store_close_file(&s->file);
    store_free_directory(&s->directory);
    store_free_vectors(&s->vectors);
    free(s->search.scores);
    free(s->search.allowed);
    free(s->search.matches);
    words_free(s->words);
    arena_free(&s->scratch);
    buf_free(&s->head);
    free(s);
}

struct index_port store_index_port(struct store_index *s) { return (struct index_port){&operations, s}; }
