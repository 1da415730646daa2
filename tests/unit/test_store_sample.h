/* Documents for the tests of the store: Markdown-like text cut at blank lines, a temporary folder, short ways to put and search. */
#ifndef TEST_STORE_SAMPLE_H
#define TEST_STORE_SAMPLE_H

#include "base/json.h"
#include "store/store.h"
#include "text/words.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { SAMPLE_CHUNKS = 64 };

struct sample {
    const char *source, *path, *text;
    const char *title, *url, *collection, *metadata; /* NULL: "Title", none, none, {} */
    const char *const *groups;
    size_t n_groups;
    bool restricted;
};

/* A record of the sample in the arena. Lines beginning with # are headings, blank lines end chunks. false: out of memory. */
static inline bool sample_record(struct arena *a, const struct sample *s, struct index_document_record *out) {
    size_t len = strlen(s->text), n = 0, heading = 0;
    struct index_chunk_record *chunks = arena_array(a, SAMPLE_CHUNKS, sizeof *chunks);
    const char **path = NULL;
    if (!chunks)
        return false;
    for (size_t i = 0; i < len && n < SAMPLE_CHUNKS;) {
        const char *blank = strstr(s->text + i, "\n\n");
        size_t end = blank ? (size_t)(blank - s->text) : len;
        if (s->text[i] == '#') {
            path = arena_array(a, 1, sizeof *path);
            if (!path || !(path[0] = arena_copy(a, s->text + i + 2, end - i - 2)))
                return false;
            heading = 1;
        } else if (end > i) {
            struct textmap_writer w;
            qa_error err;
            textmap_begin(&w, i, 1 << 20);
            textmap_mark(&w, UNIT_PARAGRAPH);
            textmap_copy(&w, s->text, i, end - i);
            textmap_literal(&w, "\n", 1);
            bool ok = textmap_finish(&w, &err) == QA_OK;
            chunks[n] = (struct index_chunk_record){.start = i, .end = end, .heading = path, .n_heading = heading};
            if (ok) {
                chunks[n].plain = arena_copy(a, w.plain.data, w.plain.len);
                chunks[n].plain_len = w.plain.len;
                chunks[n].map = (const uint8_t *)arena_copy(a, w.ops.data, w.ops.len);
                chunks[n].map_len = w.ops.len;
                ok = chunks[n].plain && chunks[n].map;
            }
            textmap_free(&w);
            if (!ok)
                return false;
            n++;
        }
        i = blank ? end + 2 : len;
    }
    *out = (struct index_document_record){.source = s->source, .path = s->path, .title = s->title ? s->title : "Title",
                                          .url = s->url,
        .collection = s->collection, .metadata = s->metadata ? s->metadata : "{}", .restricted = s->restricted, .groups = s->groups,
        .n_groups = s->n_groups, .hash = hash_bytes(s->text, len), .settings = {1, 2}, .bytes = s->text, .len = len,
            .chunks = chunks,
        .n_chunks = n};
    return true;
}

static inline qa_status sample_put(const struct index_port *p, const struct sample *s, qa_error *err) {
    struct arena a;
    struct index_document_record r;
    arena_init(&a, 64 << 20);
    qa_status status = sample_record(&a, s, &r) ? p->ops->put_document(p->self, &r, err) : error_no_memory(err, "making a sample");
    arena_free(&a);
    return status;
}

/* Candidates for words separated by spaces, each as a stem. */
static inline qa_status sample_search(const struct index_port *p, const char *words, const struct index_scope *scope, size_t k,
                                      struct arena *a,
                                      struct index_candidate **out, size_t *n, uint64_t *total, qa_error *err) {
    struct index_term terms[32];
    size_t n_terms = 0;
    for (const char *w = words; *w && n_terms < 32; w += strspn(w, " ")) {
        size_t len = strcspn(w, " ");
        terms[n_terms++] = (struct index_term){.norm = w, .len = len, .weight = 1};
        w += len;
    }
    return p->ops->text_candidates(p->self, terms, n_terms, scope, k, a, out, n, total, err);
}

/* ---- Folders ---- */

static inline char *sample_folder(void) {
    const char *tmp = getenv("TMPDIR");
    char *dir = NULL;
    assert_true(asprintf(&dir, "%s/quaere-store-XXXXXX", tmp ? tmp : "/tmp") > 0);
    assert_non_null(mkdtemp(dir));
    return dir;
}

static inline void sample_remove(char *dir) {
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
    free(dir);
}

static inline char *sample_path(char out[4096], const char *dir, const char *name) {
    snprintf(out, 4096, "%s/%s", dir, name);
    return out;
}

static inline char *sample_slurp(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    struct stat st;
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &st), 0);
    char *p = malloc((size_t)st.st_size + 1);
    assert_non_null(p);
    *n = fread(p, 1, (size_t)st.st_size, f);
    fclose(f);
    return p;
}

static inline void sample_spill(const char *path, const void *p, size_t n) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

#define assert_ok(call)                                                                                                                \
    do {                                                                                                                               \
        qa_error ok_error_ = {0};                                                                                                      \
        qa_error *err = &ok_error_;                                                                                                    \
        if ((call) != QA_OK)                                                                                                           \
            fail_msg("%s: %s", #call, ok_error_.message);                                                                              \
    } while (0)
/* The call fails with this status and its message has this in it. */
#define assert_fails(call, want, text)                                                                                                 \
    do {                                                                                                                               \
        qa_error fails_error_ = {0};                                                                                                   \
        qa_error *err = &fails_error_;                                                                                                 \
        qa_status fails_status_ = (call);                                                                                              \
        if (fails_status_ != (want) || fails_error_.status != (want) || !strstr(fails_error_.message, (text)))                         \
            fail_msg("%s: %s: %s", #call, qa_status_name(fails_status_), fails_error_.message);                                        \
    } while (0)

#endif
