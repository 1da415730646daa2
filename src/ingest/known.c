#include "ingest/known.h"
#include <stdlib.h>
#include <string.h>

static const size_t MAX_KNOWN = (size_t)16 << 30; /* no hostile input here: what was ingested before */

static int by_path(const void *a, const void *b) {
    return strcmp(((const struct index_known *)a)->path, ((const struct index_known *)b)->path);
}

static _Thread_local const struct index_known *sort_rows; /* qsort has no argument for it */

static int by_hash(const void *pa, const void *pb) {
    uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
    int order = hash_compare(sort_rows[a].hash, sort_rows[b].hash);
    return order ? order : a < b ? -1 : a > b;
}

qa_status known_load(struct index_port index, const char *source, struct known_source *out, qa_error *err) {
    *out = (struct known_source){0};
    arena_init(&out->arena, MAX_KNOWN);
    qa_status status = index.ops->known_documents(index.self, source, &out->arena, &out->rows, &out->n, err);
    if (status != QA_OK)
        goto failed;
    if (out->n > UINT32_MAX) {
        status = error_set(err, QA_TOO_LARGE, "the source \"%s\" has %zu documents, more than one run can handle", source, out->n);
        goto failed;
    }
    out->name = arena_string(&out->arena, source);
    out->by_hash = arena_array(&out->arena, out->n, sizeof *out->by_hash);
    out->state = arena_array(&out->arena, out->n, 1);
    out->taken = arena_array(&out->arena, out->n, sizeof *out->taken);
    if (!out->name || !out->by_hash || !out->state || !out->taken) {
        status = arena_error(&out->arena, err, "loading what the index knows");
        goto failed;
    }
    if (out->n)
        qsort(out->rows, out->n, sizeof *out->rows, by_path);
    for (size_t i = 0; i < out->n; i++)
        out->by_hash[i] = (uint32_t)i;
    sort_rows = out->rows;
    if (out->n)
        qsort(out->by_hash, out->n, sizeof *out->by_hash, by_hash);
    return QA_OK;
failed:
    known_free(out);
    return status;
}

void known_free(struct known_source *k) {
    hash_set_free(&k->written);
    arena_free(&k->arena);
    *k = (struct known_source){0};
}

size_t known_find(const struct known_source *k, const char *path) {
    struct index_known key = {.path = path};
    const struct index_known *row = k->n ? bsearch(&key, k->rows, k->n, sizeof *k->rows, by_path) : NULL;
    return row ? (size_t)(row - k->rows) : KNOWN_NONE;
}

/* The first place in by_hash that is not below `hash`. */
static size_t lower(const struct known_source *k, struct hash128 hash) {
    size_t lo = 0, hi = k->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (hash_compare(k->rows[k->by_hash[mid]].hash, hash) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool known_has_hash(const struct known_source *k, struct hash128 hash) {
    size_t at = lower(k, hash);
    return at < k->n && hash_compare(k->rows[k->by_hash[at]].hash, hash) == 0;
}

size_t known_take_moved(struct known_source *k, struct hash128 hash) {
    size_t first = lower(k, hash);
    if (first == k->n)
        return KNOWN_NONE;
    for (size_t at = first + k->taken[first]; at < k->n; at++) {
        size_t row = k->by_hash[at];
        if (hash_compare(k->rows[row].hash, hash) != 0)
            break;
        k->taken[first]++; /* so that a thousand equal files cost a thousand steps, not a million */
        if (k->state[row] == KNOWN_UNSEEN) {
            k->state[row] = KNOWN_MOVED;
            return row;
        }
    }
    return KNOWN_NONE;
}

void known_keep_below(struct known_source *k, const char *folder) {
    size_t n = strlen(folder), lo = 0, hi = k->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (strcmp(k->rows[mid].path, folder) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < k->n && strncmp(k->rows[lo].path, folder, n) == 0; lo++)
        if (k->state[lo] == KNOWN_UNSEEN)
            k->state[lo] = KNOWN_KEPT;
}
