/* Documents are immutable once made and counted by reference; a state is three sorted arrays of pointers. begin copies the
 * arrays, rollback drops the copy: no undo to get wrong.
 *
 * Numbers: document number and chunk number grow and are never used again, as in the real store. */
#include "fake/fake_index.h"
#include "base/json.h"
#include "base/file.h"
#include "port/embedder.h"
#include "text/words.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct document {
    unsigned refs;
    struct arena arena; /* of everything in record */
    struct index_document_record record;
    uint64_t number, first_chunk;
};
struct note { /* a failure, or a source: text is the cause or the root */
    char *source, *path, *text;
    bool ruled;
};
struct vector {
    uint64_t chunk; /* 0: a spare, of a chunk that was replaced or moved */
    struct hash128 key;
    float *values;
};
struct state {
    struct document **documents;
    struct note *failures, *roots;
    struct vector *vectors; /* in no order */
    size_t n_documents, n_failures, n_roots, n_vectors;
    char *embedder, *fingerprint; /* NULL: none yet */
    size_t dimensions;
};
struct fake_index {
    struct state committed, working;
    bool open;
    uint64_t next_document, next_chunk;
    unsigned fail_write, fail_commit;
    struct fake_index_counts counts;
};

enum { DOCUMENT_MEMORY = 256 << 20 };

/* ---- States ---- */

static void unref(struct document *d) {
    if (!d || --d->refs)
        return;
    arena_free(&d->arena);
    free(d);
}

static void free_note(struct note *n) {
    free(n->source);
    free(n->path);
    free(n->text);
}

static void free_vectors(struct state *s) {
    for (size_t i = 0; i < s->n_vectors; i++)
        free(s->vectors[i].values);
    free(s->vectors);
    free(s->embedder);
    free(s->fingerprint);
    s->vectors = NULL;
    s->embedder = s->fingerprint = NULL;
    s->n_vectors = s->dimensions = 0;
}

static void free_state(struct state *s) {
    for (size_t i = 0; i < s->n_documents; i++)
        unref(s->documents[i]);
    for (size_t i = 0; i < s->n_failures; i++)
        free_note(&s->failures[i]);
    for (size_t i = 0; i < s->n_roots; i++)
        free_note(&s->roots[i]);
    free_vectors(s);
    free(s->documents);
    free(s->failures);
    free(s->roots);
    *s = (struct state){0};
}

static bool set_note(struct note *out, const char *source, const char *path, const char *text, bool ruled) {
    *out = (struct note){.source = strdup(source), .path = strdup(path), .text = strdup(text), .ruled = ruled};
    if (out->source && out->path && out->text)
        return true;
    free_note(out);
    return false;
}

static bool copy_notes(const struct note *from, size_t n, struct note **out, size_t *n_out) {
    *out = calloc(n ? n : 1, sizeof **out);
    for (*n_out = 0; *out && *n_out < n; ++*n_out)
        if (!set_note(&(*out)[*n_out], from[*n_out].source, from[*n_out].path, from[*n_out].text, from[*n_out].ruled))
            return false;
    return *out != NULL;
}

static bool add_vector(struct state *s, uint64_t chunk, struct hash128 key, const float *values) {
    struct vector *grown = realloc(s->vectors, (s->n_vectors + 1) * sizeof *grown);
    if (!grown)
        return false;
    s->vectors = grown;
    float *copy = malloc(s->dimensions * sizeof *copy);
    if (!copy)
        return false;
    memcpy(copy, values, s->dimensions * sizeof *copy);
    grown[s->n_vectors++] = (struct vector){chunk, key, copy};
    return true;
}

static bool copy_vectors(const struct state *from, struct state *out) {
    out->dimensions = from->dimensions;
    if (!from->embedder)
        return true;
    out->embedder = strdup(from->embedder);
    out->fingerprint = strdup(from->fingerprint);
    bool good = out->embedder && out->fingerprint;
    for (size_t i = 0; good && i < from->n_vectors; i++)
        good = add_vector(out, from->vectors[i].chunk, from->vectors[i].key, from->vectors[i].values);
    return good;
}

static bool copy_state(const struct state *from, struct state *out) {
    *out = (struct state){.documents = calloc(from->n_documents ? from->n_documents : 1, sizeof *out->documents)};
    bool good = out->documents != NULL;
    for (size_t i = 0; good && i < from->n_documents; i++) {
        out->documents[out->n_documents++] = from->documents[i];
        from->documents[i]->refs++;
    }
    good = good && copy_notes(from->failures, from->n_failures, &out->failures, &out->n_failures) &&
           copy_notes(from->roots, from->n_roots, &out->roots, &out->n_roots) && copy_vectors(from, out);
    if (!good)
        free_state(out);
    return good;
}

static int compare(const char *source_a, const char *path_a, const char *source_b, const char *path_b) {
    int order = strcmp(source_a, source_b);
    return order ? order : strcmp(path_a, path_b);
}

/* Where it is, or (false) where it would be. */
static bool find_at(const struct state *s, const char *source, const char *path, size_t *at) {
    size_t lo = 0, hi = s->n_documents;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct index_document_record *r = &s->documents[mid]->record;
        if (compare(r->source, r->path, source, path) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *at = lo;
    return lo < s->n_documents && compare(s->documents[lo]->record.source, s->documents[lo]->record.path, source, path) == 0;
}

static const struct state *visible(const struct fake_index *f) { return f->open ? &f->working : &f->committed; }

/* ---- Copying a record ---- */

static bool copy_strings(struct arena *a, const char *const *from, size_t n, const char *const **out) {
    const char **to = arena_array(a, n, sizeof *to);
    for (size_t i = 0; to && i < n; i++)
        if (!(to[i] = arena_string(a, from[i])))
            return false;
    *out = to;
    return to != NULL;
}

static bool copy_chunks(struct arena *a, const struct index_document_record *from, struct index_document_record *out) {
    struct index_chunk_record *chunks = arena_array(a, from->n_chunks, sizeof *chunks);
    for (size_t i = 0; chunks && i < from->n_chunks; i++) {
        chunks[i] = from->chunks[i];
        chunks[i].plain = arena_copy(a, from->chunks[i].plain, from->chunks[i].plain_len);
        chunks[i].map = (const uint8_t *)arena_copy(a, from->chunks[i].map, from->chunks[i].map_len);
        if (!chunks[i].plain || !chunks[i].map ||
            !copy_strings(a, from->chunks[i].heading, from->chunks[i].n_heading, &chunks[i].heading))
            return false;
    }
    out->chunks = chunks;
    return chunks != NULL;
}

static struct document *new_document(struct fake_index *f, const struct index_document_record *from) {
    struct document *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->refs = 1;
    arena_init(&d->arena, DOCUMENT_MEMORY);
    struct index_document_record *r = &d->record;
    *r = *from;
    r->source = arena_string(&d->arena, from->source);
    r->path = arena_string(&d->arena, from->path);
    r->title = arena_string(&d->arena, from->title ? from->title : "");
    r->url = arena_string(&d->arena, from->url);
    r->collection = arena_string(&d->arena, from->collection);
    r->metadata = arena_string(&d->arena, from->metadata ? from->metadata : "{}");
    r->bytes = arena_copy(&d->arena, from->bytes, from->len);
    if (!r->source || !r->path || !r->title || !r->metadata || !r->bytes || !r->url != !from->url ||
        !r->collection != !from->collection ||
        !copy_strings(&d->arena, from->groups, from->n_groups, &r->groups) || !copy_chunks(&d->arena, from, r)) {
        unref(d);
        return NULL;
    }
    d->number = ++f->next_document;
    d->first_chunk = f->next_chunk + 1;
    f->next_chunk += from->n_chunks;
    return d;
}

/* ---- Vectors ---- */

static size_t count_chunks(const struct state *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->n_documents; i++)
        n += s->documents[i]->record.n_chunks;
    return n;
}

static size_t count_vectors(const struct state *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->n_vectors; i++)
        n += s->vectors[i].chunk != 0;
    return n;
}

static struct vector *vector_of(const struct state *s, uint64_t chunk) {
    for (size_t i = 0; i < s->n_vectors; i++)
        if (s->vectors[i].chunk == chunk)
            return &s->vectors[i];
    return NULL;
}

static void remove_vector(struct state *s, size_t i) {
    free(s->vectors[i].values);
    s->vectors[i] = s->vectors[--s->n_vectors];
}

static void drop_spares(struct state *s) {
    if (count_vectors(s) < count_chunks(s))
        return;
    for (size_t i = s->n_vectors; i-- > 0;)
        if (s->vectors[i].chunk == 0)
            remove_vector(s, i);
}

/* The document leaves the index; its vectors become spares or go too. */
static void release_vectors(struct state *s, const struct document *d, bool keep) {
    for (size_t i = s->n_vectors; i-- > 0;) {
        uint64_t chunk = s->vectors[i].chunk;
        if (chunk < d->first_chunk || chunk >= d->first_chunk + d->record.n_chunks)
            continue;
        if (keep)
            s->vectors[i].chunk = 0;
        else
            remove_vector(s, i);
    }
}

/* ---- Writing ---- */

static qa_status begin(void *self, qa_error *err) {
    struct fake_index *f = self;
    if (f->open)
        return error_set(err, QA_INTERNAL, "begin inside a transaction");
    if (!copy_state(&f->committed, &f->working))
        return error_no_memory(err, "beginning a transaction");
    f->open = true;
    f->counts.begins++;
    return QA_OK;
}

static void rollback(void *self) {
    struct fake_index *f = self;
    free_state(&f->working);
    f->counts.rollbacks += f->open;
    f->open = false;
}

static qa_status commit(void *self, qa_error *err) {
    struct fake_index *f = self;
    if (!f->open)
        return error_set(err, QA_INTERNAL, "commit outside a transaction");
    if (f->fail_commit && !--f->fail_commit)
        return error_set(err, QA_IO, "commit failed on purpose");
    drop_spares(&f->working);
    free_state(&f->committed);
    f->committed = f->working;
    f->working = (struct state){0};
    f->open = false;
    f->counts.commits++;
    return QA_OK;
}

static qa_status before_write(struct fake_index *f, qa_error *err) {
    if (!f->open)
        return error_set(err, QA_INTERNAL, "a write outside a transaction");
    if (f->fail_write && !--f->fail_write)
        return error_set(err, QA_IO, "a write failed on purpose");
    return QA_OK;
}

static void take_out(struct state *s, size_t at, bool keep_vectors) {
    release_vectors(s, s->documents[at], keep_vectors);
    unref(s->documents[at]);
    memmove(&s->documents[at], &s->documents[at + 1], (s->n_documents - at - 1) * sizeof *s->documents);
    s->n_documents--;
}

static qa_status insert(struct fake_index *f, const struct index_document_record *record, qa_error *err) {
    struct state *s = &f->working;
    size_t at;
    struct document *d = new_document(f, record);
    struct document **grown = d ? realloc(s->documents, (s->n_documents + 1) * sizeof *grown) : NULL;
    if (!grown) {
        unref(d);
        return error_no_memory(err, "storing a document");
    }
    s->documents = grown;
    if (find_at(s, record->source, record->path, &at))
        take_out(s, at, true);
    memmove(&s->documents[at + 1], &s->documents[at], (s->n_documents - at) * sizeof *s->documents);
    s->documents[at] = d;
    s->n_documents++;
    return QA_OK;
}

static qa_status put_document(void *self, const struct index_document_record *record, qa_error *err) {
    struct fake_index *f = self;
    qa_status status = before_write(f, err);
    f->counts.puts++;
    return status == QA_OK ? insert(f, record, err) : status;
}

static qa_status move_document(void *self, const char *source, const char *from, const struct index_document_record *to,
                               qa_error *err) {
    struct fake_index *f = self;
    size_t at;
    qa_status status = before_write(f, err);
    f->counts.moves++;
    if (status != QA_OK)
        return status;
    if (!find_at(&f->working, source, from, &at))
        return error_set(err, QA_NOT_FOUND, "%s:%s is not in the index", source, from);
    const struct index_document_record *old = &f->working.documents[at]->record;
    if (old->hash.hi != to->hash.hi || old->hash.lo != to->hash.lo)
        return error_set(err, QA_INTERNAL, "%s:%s moves with other bytes", source, from);
    take_out(&f->working, at, true);
    return insert(f, to, err);
}

static qa_status forget_document(void *self, const char *source, const char *path, qa_error *err) {
    struct fake_index *f = self;
    size_t at;
    qa_status status = before_write(f, err);
    f->counts.forgets++;
    if (status == QA_OK && find_at(&f->working, source, path, &at))
        take_out(&f->working, at, false);
    return status;
}

static qa_status set_access(void *self, const char *source, const char *path, bool restricted, const char *const *groups, size_t n_groups,
                            qa_error *err) {
    struct fake_index *f = self;
    size_t at;
    qa_status status = before_write(f, err);
    f->counts.accesses++;
    if (status != QA_OK)
        return status;
    if (!find_at(&f->working, source, path, &at))
        return error_set(err, QA_NOT_FOUND, "%s:%s is not in the index", source, path);
    struct index_document_record r = f->working.documents[at]->record;
    r.restricted = restricted;
    r.groups = groups;
    r.n_groups = n_groups;
    r.settings = (struct hash128){0};
    return insert(f, &r, err);
}

/* Sets or (text NULL) removes the note of that name in a list. */
static bool change_note(struct note **list, size_t *n, const char *source, const char *path, const char *text, bool ruled) {
    size_t at = 0;
    while (at < *n && compare((*list)[at].source, (*list)[at].path, source, path) < 0)
        at++;
    bool there = at < *n && compare((*list)[at].source, (*list)[at].path, source, path) == 0;
    struct note fresh = {0};
    if (text && !set_note(&fresh, source, path, text, ruled))
        return false;
    if (there)
        free_note(&(*list)[at]);
    if (there && !text) {
        memmove(&(*list)[at], &(*list)[at + 1], (*n - at - 1) * sizeof **list);
        --*n;
    } else if (there) {
        (*list)[at] = fresh;
    } else if (text) {
        struct note *grown = realloc(*list, (*n + 1) * sizeof *grown);
        if (!grown) {
            free_note(&fresh);
            return false;
        }
        *list = grown;
        memmove(&grown[at + 1], &grown[at], (*n - at) * sizeof *grown);
        grown[at] = fresh;
        ++*n;
    }
    return true;
}

static const struct note *get_note(const struct note *list, size_t n, const char *source, const char *path) {
    for (size_t i = 0; i < n; i++)
        if (compare(list[i].source, list[i].path, source, path) == 0)
            return &list[i];
    return NULL;
}

static qa_status note_failure(void *self, const char *source, const char *path, const char *cause, qa_error *err) {
    struct fake_index *f = self;
    if (!f->open)
        return error_set(err, QA_INTERNAL, "a write outside a transaction");
    bool good = change_note(&f->working.failures, &f->working.n_failures, source, path, cause, false);
    return good ? QA_OK : error_no_memory(err, "noting a failure");
}

static qa_status find_failure(void *self, const char *source, const char *path, struct arena *a, const char **cause,
                              qa_error *err) {
    const struct state *s = visible(self);
    const char *text = NULL;
    for (size_t i = 0; i < s->n_failures && !text; i++)
        if ((!source || strcmp(s->failures[i].source, source) == 0) && strcmp(s->failures[i].path, path) == 0)
            text = s->failures[i].text;
    *cause = arena_string(a, text);
    return text && !*cause ? arena_error(a, err, "finding a failure") : QA_OK;
}

static qa_status list_failures(void *self, const char *source, struct arena *a, const char ***out, size_t *n, qa_error *err) {
    const struct state *s = visible(self);
    *n = 0;
    *out = arena_array(a, s->n_failures, sizeof **out);
    if (!*out)
        return arena_error(a, err, "listing failures");
    for (size_t i = 0; i < s->n_failures; i++)
        if (strcmp(s->failures[i].source, source) == 0 && !((*out)[(*n)++] = arena_string(a, s->failures[i].path)))
            return arena_error(a, err, "listing failures");
    return QA_OK;
}

static qa_status get_source(void *self, const char *source, struct arena *a, struct index_source *out, qa_error *err) {
    const struct state *s = visible(self);
    const struct note *note = get_note(s->roots, s->n_roots, source, "");
    *out = (struct index_source){.source = source, .root = arena_string(a, note ? note->text : NULL), .ruled = note && note->ruled};
    return note && !out->root ? arena_error(a, err, "finding a source") : QA_OK;
}

static qa_status put_source(void *self, const struct index_source *source, qa_error *err) {
    struct fake_index *f = self;
    if (!f->open)
        return error_set(err, QA_INTERNAL, "a write outside a transaction");
    bool good = change_note(&f->working.roots, &f->working.n_roots, source->source, "", source->root, source->ruled);
    return good ? QA_OK : error_no_memory(err, "noting a root");
}

/* The names of sources, noted or of a document, ascending: one after `last` (NULL: the first), and what is noted of it (NULL: nothing). */
static const char *next_source(const struct state *s, const char *last, const struct note **note) {
    const char *next = NULL;
    *note = NULL;
    for (size_t i = 0; i < s->n_roots && !*note; i++)
        if (!last || strcmp(s->roots[i].source, last) > 0)
            *note = &s->roots[i];
    for (size_t i = 0; i < s->n_documents && !next; i++)
        if (!last || strcmp(s->documents[i]->record.source, last) > 0)
            next = s->documents[i]->record.source;
    if (*note && (!next || strcmp((*note)->source, next) <= 0))
        return (*note)->source;
    *note = NULL;
    return next;
}

static qa_status list_sources(void *self, struct arena *a, struct index_source **out, size_t *n, qa_error *err) {
    const struct state *s = visible(self);
    const struct note *note;
    struct index_source *rows = arena_array(a, s->n_roots + s->n_documents, sizeof *rows);
    *n = 0;
    *out = rows;
    for (const char *name = NULL; rows && (name = next_source(s, name, &note)) != NULL; ++*n) {
        rows[*n] = (struct index_source){.source = arena_string(a, name), .root = arena_string(a, note ? note->text : NULL),
                                         .ruled = note && note->ruled};
        if (!rows[*n].source || (note && !rows[*n].root))
            return arena_error(a, err, "listing sources");
    }
    return rows ? QA_OK : arena_error(a, err, "listing sources");
}

static qa_status known_documents(void *self, const char *source, struct arena *a, struct index_known **out, size_t *n,
                                 qa_error *err) {
    const struct state *s = visible(self);
    struct index_known *rows = arena_array(a, s->n_documents, sizeof *rows);
    *n = 0;
    for (size_t i = s->n_documents; rows && i-- > 0;) { /* backwards: nobody may count on an order */
        const struct document *d = s->documents[i];
        if (strcmp(d->record.source, source) != 0)
            continue;
        rows[*n] = (struct index_known){.path = arena_string(a, d->record.path), .document = d->number, .hash = d->record.hash,
                                        .settings = d->record.settings, .bytes = d->record.len,
                                        .ruled = d->record.restricted || d->record.n_groups};
        if (!rows[(*n)++].path)
            rows = NULL;
    }
    *out = rows;
    return rows ? QA_OK : arena_error(a, err, "loading known documents");
}

/* ---- Reading ---- */

static bool in_scope(const struct document *d, const struct index_scope *scope) {
    const struct index_document_record *r = &d->record;
    static const struct caller owner = {.owner = true};
    const struct caller *caller = scope && scope->caller ? scope->caller : &owner;
    if (!caller_may_see(caller, r->restricted, r->groups, r->n_groups))
        return false;
    if (!scope)
        return true;
    if (scope->collection && (!r->collection || strcmp(r->collection, scope->collection) != 0))
        return false;
    json_t *metadata = NULL;
    if (json_parse(r->metadata, strlen(r->metadata), &metadata, NULL) != QA_OK)
        metadata = NULL;
    struct filter_subject subject = {.path = r->path, .source = r->source, .title = r->title, .url = r->url,
                                     .collection = r->collection,
                                     .metadata = metadata};
    bool matches = filter_matches(scope->filter, &subject);
    json_decref(metadata);
    return matches;
}

struct counting {
    const struct index_term *terms;
    size_t n;
    double *found; /* by term */
    double weight, words;
};

static int count_word(void *user, const struct word *w) {
    struct counting *c = user;
    if (w->stop)
        return 0;
    c->words += c->weight;
    for (size_t i = 0; i < c->n; i++)
        if (c->terms[i].len == w->norm_len && memcmp(c->terms[i].norm, w->norm, w->norm_len) == 0)
            c->found[i] += c->weight;
    return 0;
}

/* Words of a chunk: body once, title, headings and path without its ending twice. */
static void count_chunk(struct words *words, const struct document *d, size_t i, struct counting *c) {
    const struct index_chunk_record *chunk = &d->record.chunks[i];
    const char *name = file_basename(d->record.path), *dot = strrchr(name, '.');
    c->words = 0;
    c->weight = 1;
    words_each(words, chunk->plain, chunk->plain_len, count_word, c);
    c->weight = 2;
    words_each(words, d->record.title, strlen(d->record.title), count_word, c);
    words_each(words, d->record.path, dot && dot != name ? (size_t)(dot - d->record.path) : strlen(d->record.path), count_word, c);
    for (size_t h = 0; h < chunk->n_heading; h++)
        words_each(words, chunk->heading[h], strlen(chunk->heading[h]), count_word, c);
}

static int by_score(const void *pa, const void *pb) {
    const struct index_candidate *a = pa, *b = pb;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->chunk < b->chunk ? -1 : a->chunk > b->chunk;
}

static qa_status text_candidates(void *self, struct index_term *terms, size_t n_terms, const struct index_scope *scope,
                                 size_t k, struct arena *a,
                                 struct index_candidate **out, size_t *n, uint64_t *total, qa_error *err) {
    const struct state *s = visible(self);
    const double k1 = 1.2, b = 0.75;
    double average = 0;
    size_t chunks = 0, at = 0;
    *n = 0;
    for (size_t i = 0; i < s->n_documents; i++)
        chunks += s->documents[i]->record.n_chunks;
    *total = chunks;
    struct words *words = words_new();
    double *found = arena_array(a, chunks * (n_terms ? n_terms : 1), sizeof *found);
    double *lengths = arena_array(a, chunks, sizeof *lengths);
    struct index_candidate *hits = arena_array(a, chunks, sizeof *hits);
    if (!words || !found || !lengths || !hits) {
        words_free(words);
        return words ? arena_error(a, err, "searching") : error_no_memory(err, "searching");
    }
    for (size_t t = 0; t < n_terms; t++) {
        terms[t].df = 0;
        terms[t].seen = false;
    }
    for (size_t i = 0; i < s->n_documents; i++)
        for (size_t c = 0; c < s->documents[i]->record.n_chunks; c++, at++) {
            struct counting counting = {.terms = terms, .n = n_terms, .found = found + at * n_terms};
            count_chunk(words, s->documents[i], c, &counting);
            lengths[at] = counting.words;
            average += counting.words / (double)chunks;
            for (size_t t = 0; t < n_terms; t++)
                terms[t].df += counting.found[t] > 0;
        }
    words_free(words);
    for (size_t t = 0; t < n_terms; t++)
        terms[t].idf = log(1 + ((double)chunks - (double)terms[t].df + 0.5) / ((double)terms[t].df + 0.5));
    at = 0;
    for (size_t i = 0; i < s->n_documents; i++) {
        const struct document *d = s->documents[i];
        bool visible_here = in_scope(d, scope);
        for (size_t c = 0; c < d->record.n_chunks; c++, at++) {
            double score = 0;
            for (size_t t = 0; visible_here && t < n_terms; t++) {
                double tf = found[at * n_terms + t];
                terms[t].seen = terms[t].seen || tf > 0;
                score += terms[t].weight * terms[t].idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * lengths[at] / (average > 0 ? average : 1)));
            }
            if (score > 0)
                hits[(*n)++] = (struct index_candidate){.chunk = d->first_chunk + c, .document = d->number, .score = score};
        }
    }
    qsort(hits, *n, sizeof *hits, by_score);
    *n = *n > k ? k : *n;
    *out = hits;
    return QA_OK;
}

static bool is_unit(const float *v, size_t n, double *length) {
    double square = 0;
    for (size_t i = 0; i < n; i++)
        square += (double)v[i] * v[i];
    *length = sqrt(square);
    return *length >= .99 && *length <= 1.01;
}

static qa_status vector_space(void *self, struct arena *a, struct index_space *out, qa_error *err) {
    const struct state *s = visible(self);
    *out = (struct index_space){.name = arena_string(a, s->embedder), .fingerprint = arena_string(a, s->fingerprint),
                                .dimensions = s->dimensions, .vectors = count_vectors(s)};
    out->pending = count_chunks(s) - out->vectors;
    return s->embedder && (!out->name || !out->fingerprint) ? arena_error(a, err, "reading the embedder") : QA_OK;
}

static qa_status count_pending(void *self, const struct index_scope *scope, uint64_t *out, qa_error *err) {
    const struct state *s = visible(self);
    (void)err;
    *out = 0;
    for (size_t i = 0; i < s->n_documents; i++)
        for (size_t c = 0; c < s->documents[i]->record.n_chunks && in_scope(s->documents[i], scope); c++)
            *out += !vector_of(s, s->documents[i]->first_chunk + c);
    return QA_OK;
}

static qa_status vector_scores(void *self, const float *query, const uint64_t *chunks, size_t n, double *out, qa_error *err) {
    const struct state *s = visible(self);
    double length = 1, other;
    if (s->embedder && !is_unit(query, s->dimensions, &length))
        return error_set(err, QA_BAD_INPUT, "the vector of the question does not have the length 1");
    for (size_t i = 0; i < n; i++) {
        const struct vector *v = chunks[i] ? vector_of(s, chunks[i]) : NULL;
        double sum = 0;
        for (size_t k = 0; v && k < s->dimensions; k++)
            sum += (double)query[k] * v->values[k];
        out[i] = v && is_unit(v->values, s->dimensions, &other) ? sum / (length * other) : NAN;
    }
    return QA_OK;
}

static qa_status vector_candidates(void *self, const float *query, const struct index_scope *scope, size_t k, struct arena *a,
                                   struct index_candidate **out, size_t *n, qa_error *err) {
    const struct state *s = visible(self);
    struct index_candidate *hits = arena_array(a, count_vectors(s), sizeof *hits);
    *n = 0;
    *out = hits;
    if (!hits)
        return arena_error(a, err, "searching");
    for (size_t i = 0; i < s->n_documents; i++) {
        const struct document *d = s->documents[i];
        bool visible_here = in_scope(d, scope);
        for (size_t c = 0; visible_here && c < d->record.n_chunks; c++) {
            uint64_t chunk = d->first_chunk + c;
            double score;
            qa_status status = vector_scores(self, query, &chunk, 1, &score, err);
            if (status != QA_OK)
                return status;
            if (!isnan(score))
                hits[(*n)++] = (struct index_candidate){.chunk = chunk, .document = d->number, .score = score};
        }
    }
    qsort(hits, *n, sizeof *hits, by_score);
    *n = *n > k ? k : *n;
    return QA_OK;
}

static qa_status load_passage(const struct document *d, uint64_t number, struct arena *a, struct index_passage *out,
                              qa_error *err) {
    const struct index_document_record *r = &d->record;
    const struct index_chunk_record *c = &r->chunks[number - d->first_chunk];
    char span[64], id[24];
    snprintf(span, sizeof span, "%llu-%llu", (unsigned long long)c->start, (unsigned long long)c->end);
    const char *parts[] = {r->source, r->path, span, r->bytes + c->start};
    size_t lens[] = {strlen(r->source), strlen(r->path), strlen(span), (size_t)(c->end - c->start)};
    hash_id("c_", hash_parts(parts, lens, 4), id);
    *out = (struct index_passage){.chunk_number = number, .document_number = d->number, .text_len = (size_t)(c->end - c->start), .start = c->start,
                                  .end = c->end, .lossy = c->lossy, .n_heading = c->n_heading};
    out->chunk = arena_string(a, id);
    out->source = arena_string(a, r->source);
    out->path = arena_string(a, r->path);
    out->title = arena_string(a, r->title);
    out->url = arena_string(a, r->url);
    out->collection = arena_string(a, r->collection);
    out->metadata = arena_string(a, r->metadata);
    out->text = arena_copy(a, r->bytes + c->start, out->text_len);
    const char *const *heading = NULL;
    bool good = copy_strings(a, c->heading, c->n_heading, &heading);
    out->heading = (const char **)(uintptr_t)heading;
    if (!good || !out->chunk || !out->source || !out->path || !out->title || !out->metadata || !out->text || !out->url != !r->url ||
        !out->collection != !r->collection)
        return arena_error(a, err, "loading a passage");
    return textmap_decode(a, c->map, c->map_len, c->start, r->bytes, 0, r->len, &out->map, err);
}

static const struct document *by_chunk(const struct state *s, uint64_t number) {
    for (size_t i = 0; i < s->n_documents; i++)
        if (number >= s->documents[i]->first_chunk && number < s->documents[i]->first_chunk + s->documents[i]->record.n_chunks)
            return s->documents[i];
    return NULL;
}

static qa_status load_passages(void *self, const uint64_t *chunks, size_t n, struct arena *a, struct index_passage *out,
                               qa_error *err) {
    qa_status status = QA_OK;
    for (size_t i = 0; status == QA_OK && i < n; i++) {
        const struct document *d = by_chunk(visible(self), chunks[i]);
        if (!d)
            return chunks[i] <= ((struct fake_index *)self)->next_chunk /* there was one */
                       ? error_set(err, QA_BUSY, "chunk %llu is gone since it was found; ask again", (unsigned long long)chunks[i])
                       : error_set(err, QA_CORRUPT, "chunk %llu does not exist", (unsigned long long)chunks[i]);
        status = load_passage(d, chunks[i], a, &out[i], err);
    }
    return status;
}

static qa_status use_space(void *self, const char *name, const char *fingerprint, size_t dimensions, qa_error *err) {
    struct fake_index *f = self;
    struct state *s = &f->working;
    if (!f->open)
        return error_set(err, QA_INTERNAL, "a write outside a transaction");
    if (!name[0] || !fingerprint[0] || dimensions == 0 || dimensions > EMBEDDER_MAX_DIMENSIONS)
        return error_set(err, QA_BAD_INPUT, "an embedder \"%s\" with %zu dimensions", name, dimensions);
    bool same = s->embedder && s->dimensions == dimensions && strcmp(s->fingerprint, fingerprint) == 0;
    if (!same && count_vectors(s))
        return error_set(err, QA_BAD_CONFIG, "the index holds vectors of %s (%zu dimensions), not of %s (%zu dimensions): quaere index reembed",
                         s->embedder, s->dimensions, name, dimensions);
    char *copy = strdup(name), *print = strdup(fingerprint);
    if (!copy || !print) {
        free(copy);
        free(print);
        return error_no_memory(err, "noting the embedder");
    }
    if (!same)
        free_vectors(s);
    free(s->embedder);
    free(s->fingerprint);
    s->embedder = copy;
    s->fingerprint = print;
    s->dimensions = dimensions;
    return QA_OK;
}

static qa_status drop_vectors(void *self, qa_error *err) {
    struct fake_index *f = self;
    if (!f->open)
        return error_set(err, QA_INTERNAL, "a write outside a transaction");
    free_vectors(&f->working);
    return QA_OK;
}

static int by_chunk_number(const void *pa, const void *pb) {
    const struct index_pending *a = pa, *b = pb;
    return a->chunk < b->chunk ? -1 : a->chunk > b->chunk;
}

static qa_status pending_chunks(void *self, uint64_t after, size_t limit, struct arena *a, struct index_pending **out, size_t *n,
                                qa_error *err) {
    const struct state *s = visible(self);
    struct index_pending *all = arena_array(a, count_chunks(s), sizeof *all);
    size_t found = 0;
    *n = 0;
    *out = all;
    if (!all)
        return arena_error(a, err, "listing chunks");
    for (size_t i = 0; i < s->n_documents; i++)
        for (size_t c = 0; c < s->documents[i]->record.n_chunks; c++)
            if (s->documents[i]->first_chunk + c > after && !vector_of(s, s->documents[i]->first_chunk + c))
                all[found++].chunk = s->documents[i]->first_chunk + c;
    qsort(all, found, sizeof *all, by_chunk_number);
    found = found < limit ? found : limit;
    for (size_t i = 0; i < found; i++) {
        struct index_passage p;
        qa_status status = load_passage(by_chunk(s, all[i].chunk), all[i].chunk, a, &p, err);
        if (status != QA_OK)
            return status;
        all[i] = (struct index_pending){all[i].chunk, p.title, p.heading, p.n_heading, p.map.plain, p.map.plain_len};
    }
    *n = found;
    return QA_OK;
}

static qa_status known_vectors(void *self, const struct hash128 *keys, size_t n, float *out, bool *found, qa_error *err) {
    const struct state *s = visible(self);
    (void)err;
    for (size_t i = 0; i < n; i++) {
        found[i] = false;
        for (size_t k = 0; k < s->n_vectors && !found[i]; k++)
            if ((found[i] = hash_compare(s->vectors[k].key, keys[i]) == 0))
                memcpy(out + i * s->dimensions, s->vectors[k].values, s->dimensions * sizeof *out);
    }
    return QA_OK;
}

static qa_status put_vectors(void *self, const uint64_t *chunks, const struct hash128 *keys, const float *vectors, size_t n,
                             qa_error *err) {
    struct fake_index *f = self;
    struct state *s = &f->working;
    double length;
    if (!f->open || !s->embedder)
        return error_set(err, QA_INTERNAL, f->open ? "vectors of an embedder that was not named" : "a write outside a transaction");
    for (size_t i = 0; i < n; i++) {
        if (!by_chunk(s, chunks[i]))
            return error_set(err, QA_BAD_INPUT, "a vector for chunk %llu, which does not exist", (unsigned long long)chunks[i]);
        if (!is_unit(vectors + i * s->dimensions, s->dimensions, &length))
            return error_set(err, QA_BAD_INPUT, "the vector for chunk %llu does not have the length 1", (unsigned long long)chunks[i]);
    }
    for (size_t i = 0; i < n; i++) {
        struct vector *old = vector_of(s, chunks[i]);
        if (old) {
            old->key = keys[i];
            memcpy(old->values, vectors + i * s->dimensions, s->dimensions * sizeof *vectors);
        } else if (!add_vector(s, chunks[i], keys[i], vectors + i * s->dimensions)) {
            return error_no_memory(err, "storing vectors");
        }
    }
    return QA_OK;
}

static struct index_document describe(const struct document *d) {
    const struct index_document_record *r = &d->record;
    return (struct index_document){.document = d->number, .source = r->source, .path = r->path, .title = r->title, .url = r->url,
                                   .collection = r->collection, .metadata = r->metadata, .restricted = r->restricted,
                                   .groups = (const char **)(uintptr_t)r->groups, .n_groups = r->n_groups, .hash = r->hash,
                                   .bytes = r->len,
                                   .chunks = r->n_chunks};
}

static qa_status each_document(void *self, const struct index_scope *scope,
                               int (*each)(void *user, const struct index_document *d), void *user,
                               qa_error *err) {
    (void)err;
    const struct state *s = visible(self);
    for (size_t i = 0; i < s->n_documents; i++) {
        struct index_document d = describe(s->documents[i]);
        if (in_scope(s->documents[i], scope) && each(user, &d))
            break;
    }
    return QA_OK;
}

static qa_status find_document(void *self, const struct index_scope *scope, const char *source, const char *path, struct arena *a,
                               struct index_document *out, uint64_t **chunks, size_t *n_chunks, qa_error *err) {
    const struct state *s = visible(self);
    const struct document *found = NULL;
    for (size_t i = 0; i < s->n_documents; i++) {
        const struct document *d = s->documents[i];
        if (strcmp(d->record.path, path) != 0 || (source && strcmp(d->record.source, source) != 0) || !in_scope(d, scope))
            continue;
        if (found)
            return error_set(err, QA_BAD_USAGE, "%s is in several sources; say source:%s", path, path);
        found = d;
    }
    if (!found)
        return error_set(err, QA_NOT_FOUND, "%s is not in the index", path);
    *out = describe(found);
    const char *const *groups = NULL;
    *chunks = arena_array(a, found->record.n_chunks, sizeof **chunks);
    out->source = arena_string(a, out->source);
    out->path = arena_string(a, out->path);
    out->title = arena_string(a, out->title);
    out->url = arena_string(a, out->url);
    out->collection = arena_string(a, out->collection);
    out->metadata = arena_string(a, out->metadata);
    bool good = copy_strings(a, found->record.groups, found->record.n_groups, &groups);
    out->groups = (const char **)(uintptr_t)groups;
    if (!good || !*chunks || !out->source || !out->path || !out->title || !out->metadata || !out->url != !found->record.url ||
        !out->collection != !found->record.collection)
        return arena_error(a, err, "finding a document");
    for (size_t i = 0; i < found->record.n_chunks; i++)
        (*chunks)[i] = found->first_chunk + i;
    *n_chunks = found->record.n_chunks;
    return QA_OK;
}

static qa_status statistics(void *self, struct index_statistics *out, qa_error *err) {
    (void)err;
    const struct state *s = visible(self);
    *out = (struct index_statistics){.documents = s->n_documents, .failed = s->n_failures};
    for (size_t i = 0; i < s->n_documents; i++) {
        const struct index_document_record *r = &s->documents[i]->record;
        out->chunks += r->n_chunks;
        out->bytes += r->len;
        out->restricted += r->restricted || r->n_groups;
    }
    const struct note *note;
    for (const char *name = NULL; (name = next_source(s, name, &note)) != NULL;)
        out->sources++;
    return QA_OK;
}

static const struct index_ops fake_ops = {
    .text_candidates = text_candidates, .load_passages = load_passages, .each_document = each_document,
    .find_document = find_document,
    .statistics = statistics, .begin = begin, .commit = commit, .rollback = rollback, .known_documents = known_documents,
    .put_document = put_document, .move_document = move_document, .forget_document = forget_document, .note_failure = note_failure,
    .find_failure = find_failure, .list_failures = list_failures, .get_source = get_source, .put_source = put_source,
    .list_sources = list_sources, .set_access = set_access,
    .vector_space = vector_space, .count_pending = count_pending, .vector_candidates = vector_candidates, .vector_scores = vector_scores,
    .use_space = use_space, .drop_vectors = drop_vectors, .pending_chunks = pending_chunks, .known_vectors = known_vectors,
    .put_vectors = put_vectors,
};

/* ---- For tests ---- */

struct fake_index *fake_index_new(void) { return calloc(1, sizeof(struct fake_index)); }

void fake_index_free(struct fake_index *f) {
    if (!f)
        return;
    free_state(&f->working);
    free_state(&f->committed);
    free(f);
}

struct index_port fake_index_port(struct fake_index *f) { return (struct index_port){.ops = &fake_ops, .self = f}; }
size_t fake_index_count(const struct fake_index *f) { return f->committed.n_documents; }
struct fake_index_counts fake_index_counts(const struct fake_index *f) { return f->counts; }

void fake_index_fail(struct fake_index *f, unsigned nth_write, unsigned nth_commit) {
    f->fail_write = nth_write;
    f->fail_commit = nth_commit;
}

const struct index_document_record *fake_index_find(const struct fake_index *f, const char *source, const char *path) {
    size_t at;
    return find_at(&f->committed, source, path, &at) ? &f->committed.documents[at]->record : NULL;
}

const char *fake_index_failure(const struct fake_index *f, const char *source, const char *path) {
    const struct note *note = get_note(f->committed.failures, f->committed.n_failures, source, path);
    return note ? note->text : NULL;
}

void fake_index_dump(const struct fake_index *f, struct buf *out) {
    if (f->committed.embedder)
        buf_printf(out, "embedder %s %s %zu\n", f->committed.embedder, f->committed.fingerprint, f->committed.dimensions);
    for (size_t i = 0; i < f->committed.n_documents; i++) {
        const struct index_document_record *r = &f->committed.documents[i]->record;
        buf_printf(out, "%s:%s title=%s url=%s collection=%s metadata=%s %s", r->source, r->path, r->title, r->url ? r->url : "-",
                   r->collection ? r->collection : "-", r->metadata, r->restricted ? "for" : "public");
        for (size_t g = 0; g < r->n_groups; g++)
            buf_printf(out, " [%s]", r->groups[g]);
        buf_printf(out, " hash=%016llx settings=%016llx %zu bytes\n", (unsigned long long)r->hash.lo,
                   (unsigned long long)r->settings.lo, r->len);
        for (size_t c = 0; c < r->n_chunks; c++) {
            const struct index_chunk_record *k = &r->chunks[c];
            buf_printf(out, "  %llu-%llu", (unsigned long long)k->start, (unsigned long long)k->end);
            for (size_t h = 0; h < k->n_heading; h++)
                buf_printf(out, " > %s", k->heading[h]);
            buf_printf(out, ": %zu bytes %016llx, map %016llx", k->plain_len,
                       (unsigned long long)hash_bytes(k->plain, k->plain_len).lo,
                       (unsigned long long)hash_bytes(k->map, k->map_len).lo);
            const struct vector *v = vector_of(&f->committed, f->committed.documents[i]->first_chunk + c);
            if (v)
                buf_printf(out, ", vector %016llx",
                           (unsigned long long)hash_bytes(v->values, f->committed.dimensions * sizeof *v->values).lo);
            buf_putc(out, '\n');
        }
    }
    for (size_t i = 0; i < f->committed.n_failures; i++)
        buf_printf(out, "failed %s:%s: %s\n", f->committed.failures[i].source, f->committed.failures[i].path,
                   f->committed.failures[i].text);
    for (size_t i = 0; i < f->committed.n_roots; i++)
        buf_printf(out, "root %s: %s%s\n", f->committed.roots[i].source, f->committed.roots[i].text, f->committed.roots[i].ruled ? ", ruled" : "");
}

/* Chunks of one copy each, a paragraph long. The maps and plain texts live in the arena. */
static bool split(struct arena *a, const char *text, const char *const *heading, struct index_document_record *r) {
    size_t len = strlen(text), cap = 1;
    for (const char *gap = strstr(text, "\n\n"); gap; gap = strstr(gap + 2, "\n\n"))
        cap++;
    struct index_chunk_record *chunks = arena_array(a, cap, sizeof *chunks);
    for (size_t from = 0; chunks && from < len;) {
        const char *gap = strstr(text + from, "\n\n");
        size_t to = gap ? (size_t)(gap - text) : len;
        if (to > from) {
            struct textmap_writer w;
            textmap_begin(&w, from, len + 1);
            textmap_mark(&w, UNIT_PARAGRAPH);
            textmap_copy(&w, text, from, to - from);
            struct index_chunk_record *c = &chunks[r->n_chunks++];
            *c = (struct index_chunk_record){.start = from, .end = to, .heading = heading, .n_heading = heading ? 1 : 0};
            if (textmap_finish(&w, NULL) == QA_OK) {
                c->plain = arena_copy(a, w.plain.data, c->plain_len = w.plain.len);
                c->map = (const uint8_t *)arena_copy(a, w.ops.data, c->map_len = w.ops.len);
            }
            textmap_free(&w);
            if (!c->plain || !c->map)
                return false;
        }
        from = to + (gap ? 2 : 0);
    }
    r->chunks = chunks;
    return chunks != NULL;
}

qa_status fake_index_add(struct fake_index *f, const char *source, const char *path, const char *title, const char *heading,
                         const char *text,
                         const char *const *groups, size_t n_groups, const char *metadata, qa_error *err) {
    struct arena a;
    struct index_document_record r = {.source = source, .path = path, .title = title, .metadata = metadata,
                                      .restricted = groups != NULL,
                                      .groups = groups, .n_groups = n_groups, .hash = hash_bytes(text, strlen(text)), .bytes = text,
                                      .len = strlen(text)};
    arena_init(&a, DOCUMENT_MEMORY);
    qa_status status = split(&a, text, heading ? &heading : NULL, &r) ? begin(f, err) : error_no_memory(err, "adding a document");
    if (status == QA_OK) {
        status = insert(f, &r, err);
        if (status == QA_OK)
            status = commit(f, err);
        if (status != QA_OK)
            rollback(f);
    }
    arena_free(&a);
    return status;
}
