/* Conversations and turns. Each append is a transaction of its own, durable when it returns; several processes may append at
 * once, SQLite's write lock makes them wait for each other (up to the busy timeout). */
#include "base/utf8.h"
#include "store/store_file.h"
#include "store/store_schema.h"
#include <stdlib.h>
#include <string.h>

enum { TITLE_BYTES = 80 };

struct store_state {
    struct store_file file;
};
enum { SQL_BEGIN, SQL_COMMIT, SQL_ROLLBACK, SQL_CREATE, SQL_APPEND, SQL_LOAD, SQL_LIST,
      SQL_DELETE_TURNS, SQL_DELETE };

static qa_status run(struct store_file *f, unsigned slot, const char *sql, const char *one, qa_error *err) {
    sqlite3_stmt *st;
    qa_status status = store_sql(f, slot, sql, &st, err);
    if (status != QA_OK)
        return status;
    if (one)
        store_bind_text(f, st, 1, one);
    return store_run(f, st, err);
}

static qa_status end(struct store_file *f, qa_status status, qa_error *err) {
    if (status == QA_OK)
        status = run(f, SQL_COMMIT, "COMMIT", NULL, err);
    if (status != QA_OK && !sqlite3_get_autocommit(f->db))
        sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* The first line of the first question, cut at a whole character. */
static size_t title_length(const char *question) {
    size_t n = strcspn(question, "\r\n");
    return n <= TITLE_BYTES ? n : utf8_floor(question, TITLE_BYTES);
}

static qa_status append(struct store_file *f, const char *conversation, const struct memory_turn *t, qa_error *err) {
    sqlite3_stmt *st;
    qa_status status = store_sql(f, SQL_CREATE,
                                 "INSERT INTO conversations VALUES(?1, ?2, 1, ?3, ?3) ON CONFLICT(id) DO UPDATE SET turns = turns + 1, "
                                 "updated_ms = max(updated_ms, excluded.updated_ms)",
                                 &st, err);
    if (status != QA_OK)
        return status;
    store_bind_text(f, st, 1, conversation);
    store_bind_bytes(f, st, 2, t->question, title_length(t->question), true);
    store_bind_int(f, st, 3, t->created_ms);
    status = store_run(f, st, err);
    if (status == QA_OK)
        status = store_sql(f, SQL_APPEND,
                           "INSERT INTO turns(conversation, ordinal, id, question, answer, refused, record, created_ms) "
                           "SELECT id, turns, ?2, ?3, ?4, ?5, ?6, ?7 FROM conversations WHERE id = ?1 ON CONFLICT(id) DO NOTHING",
                           &st, err);
    if (status != QA_OK)
        return status;
    store_bind_text(f, st, 1, conversation);
    store_bind_text(f, st, 2, t->id);
    store_bind_text(f, st, 3, t->question);
    store_bind_text(f, st, 4, t->answer);
    store_bind_int(f, st, 5, t->refused);
    store_bind_text(f, st, 6, t->record);
    store_bind_int(f, st, 7, t->created_ms);
    status = store_run(f, st, err);
    if (status == QA_OK && sqlite3_changes(f->db) == 0)
        status = error_set(err, QA_EXISTS, "there is a turn %s in %s already", t->id, f->path);
    return status;
}

static qa_status append_turn(void *self, const char *conversation, const struct memory_turn *t, qa_error *err) {
    struct store_state *s = self;
    const char *texts[] = {conversation, t->id, t->question, t->answer, t->record};
    if (!s->file.writable)
        return error_set(err, QA_INTERNAL, "%s was opened for reading", s->file.path);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!texts[i] || utf8_valid_len(texts[i], strlen(texts[i])) != strlen(texts[i]))
            return error_set(err, QA_BAD_INPUT, "a turn of conversation %s holds text that is not UTF-8",
                             i ? conversation : "?");
    qa_status status = run(&s->file, SQL_BEGIN, "BEGIN IMMEDIATE", NULL, err);
    return status == QA_OK ? end(&s->file, append(&s->file, conversation, t, err), err) : status;
}

static qa_status copy(struct store_file *f, sqlite3_stmt *st, int i, struct arena *a, const char **out, qa_error *err) {
    const char *text;
    qa_status status = store_get_text(f, st, i, false, &text, err);
    if (status == QA_OK && !(*out = arena_string(a, text)))
        status = arena_error(a, err, "reading a conversation");
    return status;
}

static qa_status read_turn(struct store_file *f, sqlite3_stmt *st, struct arena *a, struct memory_turn *t, qa_error *err) {
    uint64_t refused, created;
    qa_status status = copy(f, st, 0, a, &t->id, err);
    if (status == QA_OK)
        status = copy(f, st, 1, a, &t->question, err);
    if (status == QA_OK)
        status = copy(f, st, 2, a, &t->answer, err);
    if (status == QA_OK)
        status = store_get_uint(f, st, 3, &refused, err);
    if (status == QA_OK)
        status = copy(f, st, 4, a, &t->record, err);
    if (status == QA_OK)
        status = store_get_uint(f, st, 5, &created, err);
    if (status == QA_OK) {
        t->refused = refused != 0;
        t->created_ms = (int64_t)created;
    }
    return status;
}

static qa_status read_conversation(struct store_file *f, sqlite3_stmt *st, struct arena *a, struct memory_conversation *c,
                                   qa_error *err) {
    uint64_t created, updated;
    qa_status status = copy(f, st, 0, a, &c->id, err);
    if (status == QA_OK)
        status = copy(f, st, 1, a, &c->title, err);
    if (status == QA_OK)
        status = store_get_uint(f, st, 2, &c->turns, err);
    if (status == QA_OK)
        status = store_get_uint(f, st, 3, &created, err);
    if (status == QA_OK)
        status = store_get_uint(f, st, 4, &updated, err);
    if (status == QA_OK) {
        c->created_ms = (int64_t)created;
        c->updated_ms = (int64_t)updated;
    }
    return status;
}

/* Room for one more in an array in the arena. */
static void *room(struct arena *a, void *items, size_t n, size_t *cap, size_t size) {
    if (n < *cap)
        return items;
    size_t more = *cap ? *cap * 2 : 16;
    void *grown = arena_grow(a, items, n, more, size);
    if (grown)
        *cap = more;
    return grown;
}

static qa_status load_turns(void *self, const char *conversation, size_t limit, struct arena *a, struct memory_turn **out,
                            size_t *n, qa_error *err) {
    struct store_file *f = &((struct store_state *)self)->file;
    struct memory_turn *turns = NULL;
    size_t cap = 0;
    sqlite3_stmt *st = NULL;
    bool row;
    *out = NULL;
    *n = 0;
    qa_status status = store_sql(f, SQL_LOAD,
                                 "SELECT id, question, answer, refused, record, created_ms FROM turns WHERE conversation = ?1 "
                                 "ORDER BY ordinal DESC LIMIT ?2",
                                 &st, err);
    if (status != QA_OK)
        return status;
    store_bind_text(f, st, 1, conversation);
    store_bind_int(f, st, 2, limit && limit < INT64_MAX ? (int64_t)limit : -1);
    while (status == QA_OK && (status = store_next(f, st, &row, err)) == QA_OK && row) {
        struct memory_turn *grown = room(a, turns, *n, &cap, sizeof *turns);
        if (!grown) {
            status = arena_error(a, err, "reading a conversation");
            break;
        }
        turns = grown;
        status = read_turn(f, st, a, &turns[*n], err);
        *n += status == QA_OK;
    }
    sqlite3_reset(st);
    for (size_t i = 0; i < *n / 2; i++) { /* they came newest first */
        struct memory_turn t = turns[i];
        turns[i] = turns[*n - 1 - i];
        turns[*n - 1 - i] = t;
    }
    *out = turns;
    if (status == QA_OK && *n == 0) /* a conversation comes into being with its first turn and goes with its last */
        return error_set(err, QA_NOT_FOUND, "there is no conversation %s in %s", conversation, f->path);
    return status;
}

static qa_status list_conversations(void *self, size_t limit, struct arena *a, struct memory_conversation **out, size_t *n,
                                    qa_error *err) {
    struct store_file *f = &((struct store_state *)self)->file;
    struct memory_conversation *list = NULL;
    size_t cap = 0;
    sqlite3_stmt *st = NULL;
    bool row;
    *out = NULL;
    *n = 0;
    qa_status status = store_sql(f, SQL_LIST,
                                 "SELECT id, title, turns, created_ms, updated_ms FROM conversations "
                                 "ORDER BY updated_ms DESC, id DESC LIMIT ?1", &st, err);
    if (status != QA_OK)
        return status;
    store_bind_int(f, st, 1, limit && limit < INT64_MAX ? (int64_t)limit : -1);
    while (status == QA_OK && (status = store_next(f, st, &row, err)) == QA_OK && row) {
        struct memory_conversation *grown = room(a, list, *n, &cap, sizeof *list);
        if (!grown) {
            status = arena_error(a, err, "listing conversations");
            break;
        }
        list = grown;
        status = read_conversation(f, st, a, &list[*n], err);
        *n += status == QA_OK;
    }
    sqlite3_reset(st);
    *out = list;
    return status;
}

static qa_status delete_conversation(void *self, const char *conversation, qa_error *err) {
    struct store_file *f = &((struct store_state *)self)->file;
    if (!f->writable)
        return error_set(err, QA_INTERNAL, "%s was opened for reading", f->path);
    qa_status status = run(f, SQL_BEGIN, "BEGIN IMMEDIATE", NULL, err);
    if (status != QA_OK)
        return status;
    status = run(f, SQL_DELETE_TURNS, "DELETE FROM turns WHERE conversation = ?1", conversation, err);
    if (status == QA_OK)
        status = run(f, SQL_DELETE, "DELETE FROM conversations WHERE id = ?1", conversation, err);
    bool found = sqlite3_changes(f->db) > 0;
    if (status == QA_OK && !found)
        status = error_set(err, QA_NOT_FOUND, "there is no conversation %s in %s", conversation, f->path);
    status = end(f, status, err);
    /* The log still holds the pages as they were. A reader may keep it from being emptied; then
     * it goes when the last who may write closes the file. */
    if (status == QA_OK)
        sqlite3_wal_checkpoint_v2(f->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return status;
}

static const struct memory_ops operations = {append_turn, load_turns, list_conversations, delete_conversation};

qa_status store_open_state(const char *path, enum store_mode mode, struct store_state **out, qa_error *err) {
    *out = NULL;
    struct store_state *s = calloc(1, sizeof *s);
    if (!s)
        return error_no_memory(err, "opening the state file");
    qa_status status = store_open_file(&s->file, &store_state_kind, path, mode, NULL, NULL, err);
    if (status != QA_OK) {
        free(s);
        return status;
    }
    *out = s;
    return QA_OK;
}

void store_close_state(struct store_state *s) {
    if (s)
        store_close_file(&s->file);
    free(s);
}

struct memory_port store_memory_port(struct store_state *s) { return (struct memory_port){&operations, s}; }
