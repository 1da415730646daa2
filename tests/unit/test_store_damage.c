// Damaged files: cut short, bytes flipped, with the page checksums as they were and with checksums made to fit (somebody did it on
// purpose). As they were: an error or the right answers. Made to fit: an error or some answer. Never a crash, and reading never
// changes the file.
#include "test_store_sample.h"
#include "base/buf.h"
#include "store/store_index.h"
#include "store/store_vfs.h"
#include <fcntl.h>

static char *dir, path[4096], *original;
static size_t original_len;
static struct buf right;

static const char *const words = "money train spot =jupyterlab heron river notebook life instance";

/* Everything a reader can ask for, as text. QA_OK only when all of it was. */
static qa_status probe(struct buf *out, qa_error *err) {
    struct store_index *s = NULL;
    struct arena a;
    struct index_candidate *c;
    struct index_passage *x;
    struct index_document d;
    struct index_statistics st;
    json_t *info = NULL;
    uint64_t total, *chunks;
    size_t n, n_chunks;
    static const char *const groups[] = {"ops"};
    struct caller caller = {.groups = groups, .n_groups = 1};
    arena_init(&a, 64 << 20);
    buf_reset(out);
    qa_status status = store_open_index(path, STORE_READ, NULL, &s, err);
    if (status != QA_OK)
        return status;
    struct index_port p = store_index_port(s);
    for (int scoped = 0; scoped < 3 && status == QA_OK; scoped++) {
        struct index_scope scope = {.caller = &caller, .collection = scoped == 2 ? "docs" : NULL};
        status = sample_search(&p, words, scoped ? &scope : NULL, 100, &a, &c, &n, &total, err);
        x = arena_array(&a, n, sizeof *x);
        uint64_t *ids = arena_array(&a, n, sizeof *ids);
        for (size_t i = 0; i < n && ids; i++)
            ids[i] = c[i].chunk;
        if (status == QA_OK)
            status = p.ops->load_passages(p.self, ids, n, &a, x, err);
        for (size_t i = 0; i < n && status == QA_OK; i++)
            buf_printf(out, "%.9f %s %s %s [%.*s] [%s]\n", c[i].score, x[i].path, x[i].title, x[i].n_heading ? x[i].heading[0] : "",
                       (int)x[i].text_len, x[i].text, x[i].map.plain);
    }
    if (status == QA_OK)
        status = p.ops->find_document(p.self, NULL, "guide", "spot.md", &a, &d, &chunks, &n_chunks, err);
    if (status == QA_OK)
        status = p.ops->statistics(p.self, &st, err);
    if (status == QA_OK)
        status = store_index_info(s, &info, err);
    json_decref(info);
    if (status == QA_OK)
        status = store_check_index(s, err);
    else
        store_check_index(s, NULL);
    store_close_index(s);
    arena_free(&a);
    return status;
}

static int set_up(void **state) {
    (void)state;
    static const char *const ops[] = {"ops"};
    static const struct sample docs[] = {
        {.source = "guide", .path = "spot.md",
         .text = "# Spot training\n\nManaged spot training saves money.\n\nSet max_wait above the runtime.",
         .title = "Spot", .collection = "docs", .metadata = "{\"lang\":\"en\"}"},
        {.source = "guide", .path = "life.md", .text = "A notebook instance runs JupyterLab.\n\nStop it to save money."},
        {.source = "wiki", .path = "secret.md", .text = "The heron flies over the river.", .groups = ops, .n_groups = 1},
        {.source = "wiki", .path = "gone.md", .text = "This will be replaced, river and all."},
    };
    struct store_index *s = NULL;
    char long_text[20000] = "";
    for (int i = 0; i < 300; i++)
        sprintf(long_text + strlen(long_text), "Sentence %d tells of heron%d and river%d.%s", i, i, i % 17,
                i % 30 == 29 ? "\n\n" : " ");
    struct sample more = {.source = "wiki", .path = "long.md", .text = long_text, .collection = "docs"}, again = docs[3];
    again.text = "Something else.";
    dir = sample_folder();
    sample_path(path, dir, "index.db");
    assert_ok(store_open_index(path, STORE_WRITE, NULL, &s, err));
    struct index_port p = store_index_port(s);
    for (int i = 0; i < 4; i++) {
        assert_ok(p.ops->begin(p.self, err));
        assert_ok(sample_put(&p, &docs[i], err));
        assert_ok(p.ops->commit(p.self, err));
    }
    assert_ok(p.ops->begin(p.self, err));
    assert_ok(sample_put(&p, &more, err));
    assert_ok(sample_put(&p, &again, err));
    assert_ok(p.ops->note_failure(p.self, "wiki", "bad.md", "why", err));
    assert_ok(p.ops->commit(p.self, err));
    store_close_index(s);
    original = sample_slurp(path, &original_len);
    buf_init(&right, 1 << 20);
    assert_ok(probe(&right, err));
    assert_non_null(strstr(right.data, "secret.md"));
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    buf_free(&right);
    free(original);
    sample_remove(dir);
    return 0;
}

/* Makes the file hold these bytes; pages that it holds already are not written again, for the sake of the disk. */
static void place(const char *bytes, size_t n) {
    static char old[STORE_PAGE];
    char beside[4110];
    unlink(strcat(strcpy(beside, path), "-wal"));
    unlink(strcat(strcpy(beside, path), "-shm"));
    int fd = open(path, O_RDWR | O_CREAT, 0644);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)n), 0);
    for (size_t at = 0; at < n; at += STORE_PAGE) {
        size_t len = n - at < STORE_PAGE ? n - at : STORE_PAGE;
        if (pread(fd, old, len, (off_t)at) != (ssize_t)len || memcmp(old, bytes + at, len) != 0)
            assert_int_equal(pwrite(fd, bytes + at, len, (off_t)at), len);
    }
    assert_int_equal(close(fd), 0);
}

/* Probes these bytes as the index. `exact`: an answer must be the right one. True when it was refused. */
static bool refused(const char *bytes, size_t n, bool exact, const char *what, size_t at) {
    struct buf out;
    qa_error err = {0};
    size_t n_after;
    buf_init(&out, 16 << 20);
    place(bytes, n);
    qa_status status = probe(&out, &err);
    if (status != QA_OK && (!err.message[0] || status == QA_INTERNAL))
        fail_msg("%s at %zu: %s: %s", what, at, qa_status_name(status), err.message);
    if (status == QA_OK && exact && (out.len != right.len || memcmp(out.data, right.data, right.len) != 0))
        fail_msg("%s at %zu: a wrong answer", what, at);
    char *after = sample_slurp(path, &n_after);
    if (n_after != n || memcmp(after, bytes, n) != 0)
        fail_msg("%s at %zu: reading changed the file", what, at);
    free(after);
    buf_free(&out);
    return status != QA_OK;
}

static void cut_short(void **state) {
    (void)state;
    for (size_t n = 0; n < 120; n += 17)
        assert_true(refused(original, n, true, "cut", n));
    for (size_t n = STORE_PAGE / 2; n <= original_len - STORE_PAGE; n += STORE_PAGE / 2)
        assert_true(refused(original, n, true, "cut", n));
    refused(original, original_len - 1, true, "cut", original_len - 1); /* the last page may be a free one */
    assert_false(refused(original, original_len, true, "whole", original_len));
}

static void one_byte_flipped(void **state) {
    (void)state;
    char *bytes = malloc(original_len);
    assert_non_null(bytes);
    size_t missed_page = 0;
    uint64_t seed = 99;
    for (size_t at = 0; at < original_len; at += at < 108 ? 1 : 307) {
        memcpy(bytes, original, original_len);
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        bytes[at] ^= (char)(1 << (seed >> 60) % 8);
        if (refused(bytes, original_len, true, "flip", at))
            continue;
        /* the check reads every page but a free one, and replacing a document has left one */
        assert_true(missed_page == 0 || missed_page == at / STORE_PAGE);
        missed_page = at / STORE_PAGE;
    }
    free(bytes);
}

static void pages_exchanged(void **state) {
    (void)state;
    char *bytes = malloc(original_len);
    assert_non_null(bytes);
    memcpy(bytes, original, original_len);
    memcpy(bytes + 3 * STORE_PAGE, original + 4 * STORE_PAGE, STORE_PAGE);
    memcpy(bytes + 4 * STORE_PAGE, original + 3 * STORE_PAGE, STORE_PAGE);
    assert_true(refused(bytes, original_len, true, "exchange", 3));
    free(bytes);
}

static void sum_page(char *page, size_t number) {
    uint64_t sum = store_page_checksum(page, number);
    for (int i = 0; i < 8; i++)
        page[STORE_PAGE - STORE_PAGE_RESERVED + i] = (char)(sum >> (8 * i));
}

static void flipped_on_purpose(void **state) {
    (void)state;
    char *bytes = malloc(original_len);
    assert_non_null(bytes);
    size_t caught = 0;
    uint64_t seed = 7;
    for (size_t at = 100; at < original_len; at += 149) {
        if (at % STORE_PAGE >= STORE_PAGE - STORE_PAGE_RESERVED)
            continue;
        memcpy(bytes, original, original_len);
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        bytes[at] = (char)(seed >> 56);
        size_t page = at / STORE_PAGE;
        sum_page(bytes + page * STORE_PAGE, page + 1);
        caught += refused(bytes, original_len, false, "change", at);
    }
    assert_true(caught > 50);
    free(bytes);
}

static void writing_into_a_damaged_file(void **state) {
    (void)state;
    static const struct sample changes[] = {
        {.source = "guide", .path = "spot.md", .text = "New text about glaciers."},
        {.source = "wiki", .path = "long.md", .text = "Now it is short."},
    };
    char *bytes = malloc(original_len);
    assert_non_null(bytes);
    uint64_t seed = 5;
    for (size_t at = 107; at < original_len; at += 401) {
        struct store_index *s = NULL;
        qa_error err = {0};
        memcpy(bytes, original, original_len);
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        bytes[at] = (char)(seed >> 56);
        sum_page(bytes + at / STORE_PAGE * STORE_PAGE, at / STORE_PAGE + 1);
        place(bytes, original_len);
        qa_status status = store_open_index(path, STORE_WRITE, NULL, &s, &err);
        if (status != QA_OK)
            continue;
        sqlite3_exec(s->file.db, "PRAGMA synchronous = OFF", NULL, NULL, NULL); /* only the time of the test */
        struct index_port p = store_index_port(s);
        status = p.ops->begin(p.self, &err);
        for (int i = 0; i < 2 && status == QA_OK; i++)
            status = sample_put(&p, &changes[i], &err);
        if (status == QA_OK)
            status = p.ops->forget_document(p.self, "guide", "life.md", &err);
        if (status == QA_OK)
            status = p.ops->commit(p.self, &err);
        if (status == QA_INTERNAL)
            fail_msg("at %zu: %s", at, err.message);
        store_close_index(s);
    }
    free(bytes);
}

/* What only somebody who writes SQL into the file can do; each must be found by the check or by reading. */
static void rows_changed_by_hand(void **state) {
    (void)state;
    static const char *const cases[] = {
        "UPDATE contents SET bytes = x'00' WHERE document = 1",
        "UPDATE contents SET bytes = zeroblob(length(bytes)) WHERE document = 1",
        "UPDATE contents SET bytes = 'text' WHERE document = 1",
        "DELETE FROM contents WHERE document = 1",
        "UPDATE chunks SET map = x'ff' WHERE id = 1",
        "UPDATE chunks SET map = NULL || '' WHERE id = 99; UPDATE chunks SET map = 'text' WHERE id = 1",
        "UPDATE chunks SET map = x'0ca0ffffffff0f' WHERE id = 1",
        "UPDATE chunks SET start = 9000000000000000000 WHERE id = 1",
        "UPDATE chunks SET end = -1 WHERE id = 1",
        "UPDATE chunks SET document = 2 WHERE id = 1",
        "UPDATE chunks SET heading = x'c328' WHERE id = 1",
        "UPDATE chunks SET heading = CAST(x'c328' AS TEXT) WHERE id = 1",
        "DELETE FROM chunks WHERE id = 1",
        "UPDATE documents SET metadata = '[1]' WHERE id = 1",
        "UPDATE documents SET metadata = '{' WHERE id = 1",
        "UPDATE documents SET chunks = 1000000000 WHERE id = 1",
        "UPDATE documents SET first_chunk = 4000000000000 WHERE id = 1",
        "UPDATE documents SET bytes = 9000000000000000000 WHERE id = 1",
        "UPDATE documents SET hash = x'01' WHERE id = 1",
        "UPDATE documents SET hash = zeroblob(16) WHERE id = 1",
        "UPDATE documents SET title = CAST(x'610062' AS TEXT) WHERE id = 1",
        "UPDATE documents SET restricted = 7 WHERE id = 1",
        "UPDATE documents SET source = 77 WHERE id = 1",
        "UPDATE documents SET path = 'other.md' WHERE id = 1",
        "UPDATE documents SET ruled = 0 WHERE id = 3",
        "UPDATE documents SET ruled = 1 WHERE id = 1",
        "UPDATE documents SET ruled = 2 WHERE id = 3",
        "UPDATE documents SET ruled = 'yes' WHERE id = 3",
        "UPDATE documents SET groups = '' WHERE id = 3",
        "UPDATE documents SET restricted = 1 WHERE id = 1",
        "UPDATE meta SET value = (SELECT max(id) FROM documents) WHERE key = 'next_document'",
        "UPDATE meta SET value = (SELECT max(id) FROM chunks) WHERE key = 'next_chunk'",
        "UPDATE meta SET value = 0 WHERE key = 'next_chunk'",
        "UPDATE meta SET value = 5000000000 WHERE key = 'next_document'",
        "UPDATE meta SET value = 'many' WHERE key = 'next_document'",
        "DELETE FROM meta WHERE key = 'next_chunk'",
        "UPDATE chunk_blocks SET entries = x'00'",
        "UPDATE chunk_blocks SET entries = zeroblob(8192)",
        "UPDATE chunk_blocks SET block = 5000000000",
        "UPDATE chunk_blocks SET block = 3",
        "DELETE FROM chunk_blocks",
        "INSERT INTO postings(rowid, head, body) VALUES(1, 'x', 'planted')",
        "INSERT INTO postings(rowid, head, body) VALUES(-5, 'x', 'money')",
        "INSERT INTO postings(rowid, head, body) VALUES(4000000000000, 'x', 'money')",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct store_index *s = NULL;
        place(original, original_len);
        assert_ok(store_open_index(path, STORE_WRITE, NULL, &s, err));
        sqlite3 *db = s->file.db;
        sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
        sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
        char *said = NULL;
        if (sqlite3_exec(db, cases[i], NULL, NULL, &said) != SQLITE_OK)
            fail_msg("%s: %s", cases[i], said);
        store_close_index(s);
        size_t n;
        char *bytes = sample_slurp(path, &n);
        if (!refused(bytes, n, false, cases[i], i))
            fail_msg("not found: %s", cases[i]);
        free(bytes);
    }
}

int main(void) {
#define CASE(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {CASE(cut_short), CASE(one_byte_flipped), CASE(pages_exchanged), CASE(flipped_on_purpose),
                                       CASE(writing_into_a_damaged_file), CASE(rows_changed_by_hand)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
