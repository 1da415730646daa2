// Bytes as an index file: opened for reading, listed, searched, read, checked. Whatever they are, the outcome is an error or an
// answer.
//
// First byte: 0: the rest is the file. 1 or 2: the rest changes a good index, in records of offset (3 bytes, little-endian), n (1
// byte) and n bytes for that place (n = 0: cut there); after 1 the page checksums are made to fit, so that the changes get past
// them.
#include "port/embedder.h"
#include "store/store.h"
#include "store/store_vfs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[300], path[320];
static uint8_t *good;
static size_t good_len;

static void clean(void) {
    static const char *const endings[] = {"", "-wal", "-shm", "-lock"};
    char name[340];
    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        unlink(name);
    }
}

static void leave(void) {
    clean();
    rmdir(dir);
    free(good);
}

static void put(const struct index_port *p, const char *name, const char *text, const char *const *groups, size_t n_groups) {
    struct textmap_writer w;
    size_t len = strlen(text);
    const char *heading[] = {"Birds"};
    textmap_begin(&w, 0, 1 << 16);
    textmap_mark(&w, UNIT_PARAGRAPH);
    textmap_copy(&w, text, 0, len);
    if (textmap_finish(&w, NULL) != QA_OK)
        abort();
    struct index_chunk_record c = {.end = len, .plain = w.plain.data, .plain_len = w.plain.len, .map = (const uint8_t *)w.ops.data,
                                   .map_len = w.ops.len, .heading = heading, .n_heading = 1};
    struct index_document_record r = {.source = "s", .path = name, .title = "T", .metadata = "{\"k\":[1,\"x\"]}", .groups = groups,
                                      .n_groups = n_groups,
                                      .hash = hash_bytes(text, len), .bytes = text, .len = len, .chunks = &c, .n_chunks = 1};
    if (p->ops->put_document(p->self, &r, NULL) != QA_OK)
        abort();
    textmap_free(&w);
}

static void make_good(void) {
    static const char *const groups[] = {"ops"};
    const char *tmp = getenv("TMPDIR");
    struct store_index *s = NULL;
    snprintf(dir, sizeof dir, "%s/quaere-fuzz-XXXXXX", tmp ? tmp : "/tmp");
    setenv("QUAERE_CLOCK", "2026-01-31T12:00:00Z", 1);
    if (!mkdtemp(dir))
        abort();
    snprintf(path, sizeof path, "%s/index.db", dir);
    atexit(leave);
    if (store_open_index(path, STORE_WRITE, NULL, &s, NULL) != QA_OK)
        abort();
    struct index_port p = store_index_port(s);
    if (p.ops->begin(p.self, NULL) != QA_OK)
        abort();
    put(&p, "heron.md", "The heron stands in the river.", NULL, 0);
    put(&p, "otter.md", "An otter swims past the heron_nest.", groups, 1);
    float v[2 * 8] = {[0] = 1, [8 + 1] = .6f, [8 + 2] = -.8f};
    if (p.ops->use_space(p.self, "e", "f", 8, NULL) != QA_OK ||
        p.ops->put_vectors(p.self, (uint64_t[]){1, 2}, (struct hash128[]){{1, 1}, {2, 2}}, v, 2, NULL) != QA_OK)
        abort();
    if (p.ops->commit(p.self, NULL) != QA_OK)
        abort();
    store_close_index(s);
    FILE *f = fopen(path, "rb");
    good = malloc(1 << 20);
    if (!f || !good)
        abort();
    good_len = fread(good, 1, 1 << 20, f);
    fclose(f);
}

/* The changed index; *n is its length. */
static uint8_t *change(const uint8_t *data, size_t size, bool sums, size_t *n) {
    uint8_t *bytes = malloc(good_len);
    if (!bytes)
        abort();
    memcpy(bytes, good, good_len);
    *n = good_len;
    while (size >= 4) {
        size_t at = (data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16) % good_len, len = data[3];
        data += 4, size -= 4;
        if (len == 0)
            *n = at;
        for (; len > 0 && size > 0; len--, data++, size--, at++)
            bytes[at % good_len] = *data;
    }
    for (size_t page = 0; sums && page < good_len / STORE_PAGE; page++) {
        uint64_t sum = store_page_checksum(bytes + page * STORE_PAGE, page + 1);
        for (int i = 0; i < 8; i++)
            bytes[page * STORE_PAGE + STORE_PAGE - STORE_PAGE_RESERVED + i] = (uint8_t)(sum >> (8 * i));
    }
    return bytes;
}

static int count(void *user, const struct index_document *d) {
    *(size_t *)user += strlen(d->path);
    return 0;
}

static void use_vectors(const struct index_port *p, const struct index_scope *scope, struct arena *a) {
    static const float query[EMBEDDER_MAX_DIMENSIONS] = {.6f, .8f};
    static float known[2 * EMBEDDER_MAX_DIMENSIONS];
    struct index_space space;
    struct index_candidate *c;
    struct index_pending *pending;
    double score;
    bool found[2];
    size_t n = 0;
    if (p->ops->vector_space(p->self, a, &space, NULL) != QA_OK)
        return;
    p->ops->vector_candidates(p->self, query, scope, 10, a, &c, &n, NULL);
    for (size_t i = 0; i < n; i++)
        p->ops->vector_scores(p->self, query, &c[i].chunk, 1, &score, NULL);
    p->ops->pending_chunks(p->self, 0, 10, a, &pending, &n, NULL);
    p->ops->known_vectors(p->self, (struct hash128[]){{1, 1}, {2, 2}}, 2, known, found, NULL);
}

static void use(void) {
    struct store_index *s = NULL;
    qa_error err = {0};
    if (store_open_index(path, STORE_READ, NULL, &s, &err) != QA_OK) {
        if (!err.message[0] || err.status == QA_INTERNAL) {
            fprintf(stderr, "%s: %s\n", qa_status_name(err.status), err.message);
            abort();
        }
        return;
    }
    struct index_port p = store_index_port(s);
    struct arena a;
    struct caller caller = {.signed_in = true};
    struct index_scope scopes[] = {{0}, {.caller = &caller}, {.collection = "c"}};
    arena_init(&a, 256 << 20);
    for (size_t i = 0; i < 3; i++) {
        struct index_term terms[] = {{.norm = "heron", .len = 5, .weight = 1}, {.norm = "river", .len = 5, .weight = 1},
                                     {.norm = "=birds", .len = 6, .weight = 1}};
        struct index_candidate *c;
        struct index_passage x;
        size_t n = 0, seen = 0;
        uint64_t total;
        p.ops->text_candidates(p.self, terms, 3, &scopes[i], 10, &a, &c, &n, &total, NULL);
        for (size_t k = 0; k < n; k++)
            p.ops->load_passages(p.self, &c[k].chunk, 1, &a, &x, NULL);
        p.ops->each_document(p.self, &scopes[i], count, &seen, NULL);
        use_vectors(&p, &scopes[i], &a);
    }
    store_check_index(s, NULL);
    store_close_index(s);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!good)
        make_good();
    if (size < 1)
        return 0;
    size_t n = size - 1;
    uint8_t *changed = data[0] % 3 ? change(data + 1, size - 1, data[0] % 3 == 1, &n) : NULL;
    clean();
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(changed ? changed : data + 1, 1, n, f) != n || fclose(f) != 0)
        abort();
    free(changed);
    use();
    return 0;
}
