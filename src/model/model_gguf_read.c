/* One pass over the bytes with a cursor that cannot leave them. Counts are compared with what the rest of the file could hold before memory is asked
 * for; names are looked up in sorted tables, so that a file of 65,536 equal keys costs a sort, not a square. */
#include "base/utf8.h"
#include "model/internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MAX_MEMORY = 64 << 20, HEADER = 24, DEFAULT_ALIGNMENT = 32, NAME_SHOWN = 64 };

static const uint8_t item_size[GGUF_TYPE_COUNT_] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}; /* strings and arrays: 0 */
static const char *const type_names[GGUF_TYPE_COUNT_] = {"u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};

struct cursor {
    const uint8_t *start, *at, *end;
    const char *file;
    char doing[NAME_SHOWN + 40]; /* what is being read, for messages */
    qa_error *err;
};

static uint32_t get32(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }
static uint64_t get64(const uint8_t *p) { return get32(p) | (uint64_t)get32(p + 4) << 32; }

static uint64_t left(const struct cursor *c) { return (uint64_t)(c->end - c->at); }

static qa_status cut_short(const struct cursor *c, uint64_t want) {
    return error_set(c->err, QA_CORRUPT, "%s: %s needs %llu more bytes at byte %llu, and the file ends after %llu: it is cut short or damaged", c->file,
                     c->doing, (unsigned long long)want, (unsigned long long)(c->at - c->start), (unsigned long long)(c->end - c->start));
}

static qa_status read32(struct cursor *c, uint32_t *out) {
    if (left(c) < 4)
        return cut_short(c, 4);
    *out = get32(c->at);
    c->at += 4;
    return QA_OK;
}
static qa_status read64(struct cursor *c, uint64_t *out) {
    if (left(c) < 8)
        return cut_short(c, 8);
    *out = get64(c->at);
    c->at += 8;
    return QA_OK;
}

/* The characters stay in the file. */
static qa_status read_string(struct cursor *c, uint64_t max, const uint8_t **bytes, uint64_t *len) {
    qa_status status = read64(c, len);
    if (status != QA_OK)
        return status;
    if (*len > left(c))
        return cut_short(c, *len);
    if (*len > max)
        return error_set(c->err, QA_TOO_LARGE, "%s: %s is a text of %llu bytes, and the limit is %llu", c->file, c->doing, (unsigned long long)*len,
                         (unsigned long long)max);
    *bytes = c->at;
    c->at += *len;
    return QA_OK;
}

/* A key or a tensor's name: copied, for comparisons. */
static qa_status read_name(struct cursor *c, struct arena *a, uint64_t max, const char **out) {
    const uint8_t *bytes = NULL;
    uint64_t len = 0;
    qa_status status = read_string(c, max, &bytes, &len);
    if (status != QA_OK)
        return status;
    if (!len || memchr(bytes, 0, len) || utf8_valid_len((const char *)bytes, len) != len)
        return error_set(c->err, QA_CORRUPT, "%s: %s is empty or no text", c->file, c->doing);
    *out = arena_copy(a, bytes, len);
    return *out ? QA_OK : arena_error(a, c->err, c->file);
}

/* ---- Metadata ---- */

static qa_status check_type(const struct cursor *c, uint32_t type) {
    return type < GGUF_TYPE_COUNT_ ? QA_OK
                                   : error_set(c->err, QA_CORRUPT, "%s: %s has the type %u, and there are 0 to %d", c->file, c->doing, type,
                                               GGUF_TYPE_COUNT_ - 1);
}

static qa_status read_array(struct cursor *c, struct model_gguf_entry *e) {
    uint32_t item = 0;
    qa_status status = read32(c, &item);
    if (status == QA_OK)
        status = check_type(c, item);
    if (status == QA_OK && item == GGUF_ARRAY)
        status = error_set(c->err, QA_CORRUPT, "%s: %s is an array of arrays, which no model has", c->file, c->doing);
    if (status == QA_OK)
        status = read64(c, &e->n);
    if (status != QA_OK)
        return status;
    e->item = item;
    e->bytes = c->at;
    uint64_t least = item == GGUF_STRING ? 8 : item_size[item];
    if (e->n > left(c) / least)
        return error_set(c->err, QA_CORRUPT, "%s: %s says that it has %llu items, and the %llu bytes left hold at most %llu", c->file, c->doing,
                         (unsigned long long)e->n, (unsigned long long)left(c), (unsigned long long)(left(c) / least));
    if (item != GGUF_STRING) {
        c->at += e->n * least;
    } else {
        const uint8_t *text;
        uint64_t len;
        for (uint64_t i = 0; i < e->n; i++)
            if ((status = read_string(c, GGUF_MAX_STRING, &text, &len)) != QA_OK)
                return status;
    }
    e->size = (uint64_t)(c->at - e->bytes);
    return QA_OK;
}

static qa_status read_entry(struct cursor *c, struct arena *a, uint64_t number, struct model_gguf_entry *e) {
    uint32_t type = 0;
    snprintf(c->doing, sizeof c->doing, "the name of entry %llu", (unsigned long long)number);
    qa_status status = read_name(c, a, GGUF_MAX_KEY, &e->key);
    if (status != QA_OK)
        return status;
    snprintf(c->doing, sizeof c->doing, "the entry %.*s", (int)utf8_floor(e->key, strnlen(e->key, NAME_SHOWN)), e->key);
    if ((status = read32(c, &type)) != QA_OK || (status = check_type(c, type)) != QA_OK)
        return status;
    e->type = e->item = type;
    e->n = 1;
    if (type == GGUF_ARRAY)
        return read_array(c, e);
    if (type == GGUF_STRING)
        return read_string(c, GGUF_MAX_STRING, &e->bytes, &e->size);
    if (left(c) < item_size[type])
        return cut_short(c, item_size[type]);
    e->bytes = c->at;
    e->size = item_size[type];
    c->at += e->size;
    if (type == GGUF_BOOL && *e->bytes > 1)
        return error_set(c->err, QA_CORRUPT, "%s: %s is a bool of value %u", c->file, c->doing, *e->bytes);
    return QA_OK;
}

/* ---- Tensors ---- */

/* Everything but where its data lies: data becomes the offset's place once the start of the data is known. */
static qa_status read_tensor(struct cursor *c, struct arena *a, uint64_t number, struct model_gguf_tensor *t, uint64_t *offset) {
    uint32_t n_dims = 0;
    snprintf(c->doing, sizeof c->doing, "the name of tensor %llu", (unsigned long long)number);
    qa_status status = read_name(c, a, GGUF_MAX_TENSOR_NAME, &t->name);
    if (status != QA_OK)
        return status;
    snprintf(c->doing, sizeof c->doing, "the tensor %s", t->name);
    if ((status = read32(c, &n_dims)) != QA_OK)
        return status;
    if (n_dims > GGUF_MAX_DIMENSIONS)
        return error_set(c->err, QA_CORRUPT, "%s: %s has %u dimensions, and the limit is %d", c->file, c->doing, n_dims, GGUF_MAX_DIMENSIONS);
    t->n_dims = n_dims;
    t->elements = 1;
    for (unsigned i = 0; i < GGUF_MAX_DIMENSIONS; i++) {
        t->shape[i] = 1;
        if (i < n_dims && (status = read64(c, &t->shape[i])) != QA_OK)
            return status;
        if (!t->shape[i] || t->shape[i] > INT64_MAX || __builtin_mul_overflow(t->elements, t->shape[i], &t->elements) || t->elements > INT64_MAX)
            return error_set(c->err, QA_CORRUPT, "%s: %s has %llu elements in dimension %u: none, or more than can be", c->file, c->doing,
                             (unsigned long long)t->shape[i], i);
    }
    if ((status = read32(c, &t->type)) != QA_OK || (status = read64(c, offset)) != QA_OK)
        return status;
    t->type_name = model_tensor_type_name(t->type);
    if (!t->type_name)
        return error_set(c->err, QA_CORRUPT, "%s: %s is of type %u, which this version does not know", c->file, c->doing, t->type);
    if (!model_tensor_size(t->type, t->shape[0], t->elements, &t->size))
        return error_set(c->err, QA_CORRUPT, "%s: %s has rows of %llu elements, which %s cannot hold", c->file, c->doing,
                         (unsigned long long)t->shape[0], t->type_name);
    return QA_OK;
}

/* Tensors lie one after the other: so no two share bytes. */
static qa_status place_tensors(struct cursor *c, const struct model_gguf *g, struct model_gguf_tensor *tensors, const uint64_t *offsets) {
    uint64_t start = (uint64_t)(c->at - c->start), at = 0;
    uint64_t padding = (g->alignment - start % g->alignment) % g->alignment;
    if (g->n_tensors && padding > left(c)) {
        snprintf(c->doing, sizeof c->doing, "the start of the data");
        return cut_short(c, padding);
    }
    uint64_t room = g->n_tensors ? left(c) - padding : 0;
    for (size_t i = 0; i < g->n_tensors; i++) {
        struct model_gguf_tensor *t = &tensors[i];
        if (offsets[i] != at)
            return error_set(c->err, QA_CORRUPT, "%s: the tensor %s lies at byte %llu of the data, and the ones before it end at %llu", c->file, t->name,
                             (unsigned long long)offsets[i], (unsigned long long)at);
        if (at > room || t->size > room - at)
            return error_set(c->err, QA_CORRUPT, "%s: the tensor %s needs bytes %llu to %llu of the data, and the file holds %llu: it is cut short",
                             c->file, t->name, (unsigned long long)at, (unsigned long long)(at + t->size), (unsigned long long)room);
        t->data = c->at + padding + at;
        at += t->size;
        at += (g->alignment - at % g->alignment) % g->alignment;
    }
    return QA_OK;
}

/* ---- Order ---- */

static int compare_keys(const void *x, const void *y) {
    const struct model_gguf_entry *const *a = x, *const *b = y;
    return strcmp((*a)->key, (*b)->key);
}
static int compare_names(const void *x, const void *y) {
    const struct model_gguf_tensor *const *a = x, *const *b = y;
    return strcmp((*a)->name, (*b)->name);
}

static qa_status sort_entries(struct model_gguf *g, qa_error *err) {
    g->by_key = arena_array(&g->arena, g->n_entries + 1, sizeof *g->by_key);
    if (!g->by_key)
        return arena_error(&g->arena, err, g->file);
    for (size_t i = 0; i < g->n_entries; i++)
        g->by_key[i] = &g->entries[i];
    qsort(g->by_key, g->n_entries, sizeof *g->by_key, compare_keys);
    for (size_t i = 1; i < g->n_entries; i++)
        if (compare_keys(&g->by_key[i - 1], &g->by_key[i]) == 0)
            return error_set(err, QA_CORRUPT, "%s: the entry %.64s is there twice", g->file, g->by_key[i]->key);
    return QA_OK;
}

static qa_status sort_tensors(struct model_gguf *g, qa_error *err) {
    g->by_name = arena_array(&g->arena, g->n_tensors + 1, sizeof *g->by_name);
    if (!g->by_name)
        return arena_error(&g->arena, err, g->file);
    for (size_t i = 0; i < g->n_tensors; i++)
        g->by_name[i] = &g->tensors[i];
    qsort(g->by_name, g->n_tensors, sizeof *g->by_name, compare_names);
    for (size_t i = 1; i < g->n_tensors; i++)
        if (compare_names(&g->by_name[i - 1], &g->by_name[i]) == 0)
            return error_set(err, QA_CORRUPT, "%s: the tensor %s is there twice", g->file, g->by_name[i]->name);
    return QA_OK;
}

/* ---- The whole ---- */

/* People hand in all sorts of files: say which, when it is plain. */
static qa_status not_gguf(const struct cursor *c) {
    static const struct {
        const char *start, *what;
        size_t skip;
    } others[] = {
        {"version https://git-lfs", "a pointer of Git LFS: the model itself was not downloaded ('git lfs pull' does that)", 0},
        {"{\"", "safetensors: 'quaere model import' makes a GGUF of the folder that it belongs to", 8},
        {"PK\x03\x04", "a ZIP archive or a PyTorch file", 0},
        {"<", "a web page: the address that it was downloaded from is not the file's", 0},
        {"FUGG", "a GGUF of a big-endian machine", 0},
    };
    size_t n = left(c);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        size_t len = strlen(others[i].start);
        if (n >= others[i].skip + len && memcmp(c->at + others[i].skip, others[i].start, len) == 0)
            return error_set(c->err, QA_CORRUPT, "%s: not a GGUF model; it looks like %s", c->file, others[i].what);
    }
    return error_set(c->err, QA_CORRUPT, n ? "%s: not a GGUF model: it does not begin with GGUF" : "%s: not a GGUF model: it is empty", c->file);
}

static qa_status read_counts(struct cursor *c, struct model_gguf *g) {
    uint64_t tensors = 0, entries = 0;
    if (left(c) < 4 || memcmp(c->at, "GGUF", 4) != 0)
        return not_gguf(c);
    snprintf(c->doing, sizeof c->doing, "the header");
    if (left(c) < HEADER)
        return cut_short(c, HEADER - left(c));
    g->version = get32(c->at + 4);
    tensors = get64(c->at + 8);
    entries = get64(c->at + 16);
    c->at += HEADER;
    if (g->version && !(g->version & 0xFFFF))
        return error_set(c->err, QA_CORRUPT, "%s: a GGUF of a big-endian machine (version %u)", c->file, g->version);
    if (g->version < 2 || g->version > 3)
        return error_set(c->err, QA_BAD_VERSION, "%s: version %u of GGUF, and this program reads 2 and 3", c->file, g->version);
    if (entries > GGUF_MAX_ENTRIES || tensors > GGUF_MAX_TENSORS)
        return error_set(c->err, QA_TOO_LARGE, "%s: %llu entries and %llu tensors, and the limits are %d and %d", c->file, (unsigned long long)entries,
                         (unsigned long long)tensors, GGUF_MAX_ENTRIES, GGUF_MAX_TENSORS);
    g->n_entries = entries;
    g->n_tensors = tensors;
    if (entries * 13 + tensors * 24 > left(c)) /* the least that each takes */
        return cut_short(c, entries * 13 + tensors * 24 - left(c));
    return QA_OK;
}

static qa_status get_alignment(struct model_gguf *g, qa_error *err) {
    const struct model_gguf_entry *e = model_gguf_find(g, "general.alignment");
    uint64_t v = DEFAULT_ALIGNMENT;
    if (e && (e->type != GGUF_U32 || !model_gguf_get_uint(g, e->key, &v) || !v || v > GGUF_MAX_ALIGNMENT || (v & (v - 1))))
        return error_set(err, QA_CORRUPT, "%s: general.alignment is %llu (%s), and must be a power of two up to %d (u32)", g->file, (unsigned long long)v,
                         type_names[e->type], GGUF_MAX_ALIGNMENT);
    g->alignment = (uint32_t)v;
    return QA_OK;
}

static qa_status parse(struct cursor *c, struct model_gguf *g) {
    qa_status status = read_counts(c, g);
    if (status != QA_OK)
        return status;
    struct model_gguf_entry *entries = arena_array(&g->arena, g->n_entries + 1, sizeof *entries);
    struct model_gguf_tensor *tensors = arena_array(&g->arena, g->n_tensors + 1, sizeof *tensors);
    uint64_t *offsets = arena_array(&g->arena, g->n_tensors + 1, sizeof *offsets);
    if (!entries || !tensors || !offsets)
        return arena_error(&g->arena, c->err, c->file);
    g->entries = entries;
    g->tensors = tensors;
    for (size_t i = 0; i < g->n_entries; i++)
        if ((status = read_entry(c, &g->arena, i, &entries[i])) != QA_OK)
            return status;
    if ((status = sort_entries(g, c->err)) != QA_OK || (status = get_alignment(g, c->err)) != QA_OK)
        return status;
    for (size_t i = 0; i < g->n_tensors; i++)
        if ((status = read_tensor(c, &g->arena, i, &tensors[i], &offsets[i])) != QA_OK)
            return status;
    if ((status = sort_tensors(g, c->err)) != QA_OK)
        return status;
    return place_tensors(c, g, tensors, offsets);
}

qa_status model_gguf_parse(const char *file, const void *bytes, size_t size, struct model_gguf **out, qa_error *err) {
    *out = NULL;
    struct model_gguf *g = calloc(1, sizeof *g);
    if (!g)
        return error_no_memory(err, file);
    arena_init(&g->arena, MAX_MEMORY);
    g->bytes = bytes;
    g->size = size;
    g->file = arena_string(&g->arena, file);
    struct cursor c = {.start = bytes, .at = bytes, .end = (const uint8_t *)bytes + size, .file = g->file, .err = err};
    qa_status status = g->file ? parse(&c, g) : arena_error(&g->arena, err, file);
    if (status != QA_OK) {
        model_gguf_close(g);
        return status;
    }
    *out = g;
    return QA_OK;
}

qa_status model_gguf_open(const char *path, struct model_gguf **out, qa_error *err) {
    const uint8_t *bytes = NULL;
    size_t size = 0;
    *out = NULL;
    qa_status status = model_map(path, &bytes, &size, err);
    if (status != QA_OK)
        return status;
    status = model_gguf_parse(path, bytes ? (const void *)bytes : "", size, out, err);
    if (status == QA_OK)
        (*out)->mapped = true;
    else if (bytes)
        munmap((void *)(uintptr_t)bytes, size);
    return status;
}

void model_gguf_close(struct model_gguf *g) {
    if (!g)
        return;
    if (g->mapped && g->size)
        munmap((void *)(uintptr_t)g->bytes, g->size);
    arena_free(&g->arena);
    free(g);
}

/* ---- Looking things up ---- */

const struct model_gguf_entry *model_gguf_find(const struct model_gguf *g, const char *key) {
    const struct model_gguf_entry wanted = {.key = key}, *at = &wanted;
    const struct model_gguf_entry **found = bsearch(&at, g->by_key, g->n_entries, sizeof *g->by_key, compare_keys);
    return found ? *found : NULL;
}

const struct model_gguf_tensor *model_gguf_find_tensor(const struct model_gguf *g, const char *name) {
    const struct model_gguf_tensor wanted = {.name = name}, *at = &wanted;
    const struct model_gguf_tensor **found = bsearch(&at, g->by_name, g->n_tensors, sizeof *g->by_name, compare_names);
    return found ? *found : NULL;
}

bool model_gguf_get_uint(const struct model_gguf *g, const char *key, uint64_t *out) {
    const struct model_gguf_entry *e = model_gguf_find(g, key);
    bool is_signed = e && (e->type == GGUF_I8 || e->type == GGUF_I16 || e->type == GGUF_I32 || e->type == GGUF_I64);
    uint64_t v = 0;
    if (!e || !(is_signed || e->type == GGUF_U8 || e->type == GGUF_U16 || e->type == GGUF_U32 || e->type == GGUF_U64))
        return false;
    for (uint64_t i = 0; i < e->size; i++)
        v |= (uint64_t)e->bytes[i] << 8 * i;
    if (is_signed && e->bytes[e->size - 1] & 0x80)
        return false;
    *out = v;
    return true;
}

bool model_gguf_get_float(const struct model_gguf *g, const char *key, double *out) {
    const struct model_gguf_entry *e = model_gguf_find(g, key);
    if (e && e->type == GGUF_F32) {
        uint32_t bits = get32(e->bytes);
        float v;
        memcpy(&v, &bits, sizeof v);
        *out = (double)v;
        return true;
    }
    if (e && e->type == GGUF_F64) {
        uint64_t bits = get64(e->bytes);
        memcpy(out, &bits, sizeof *out);
        return true;
    }
    return false;
}

bool model_gguf_get_bool(const struct model_gguf *g, const char *key, bool *out) {
    const struct model_gguf_entry *e = model_gguf_find(g, key);
    if (!e || e->type != GGUF_BOOL)
        return false;
    *out = *e->bytes != 0;
    return true;
}

bool model_gguf_get_string(const struct model_gguf *g, const char *key, const char **out, size_t *len) {
    const struct model_gguf_entry *e = model_gguf_find(g, key);
    if (!e || e->type != GGUF_STRING)
        return false;
    *out = (const char *)e->bytes;
    *len = e->size;
    return true;
}

bool model_gguf_next_string(const struct model_gguf_entry *array, const uint8_t **at, const char **out, size_t *len) {
    const uint8_t *p = *at ? *at : array->bytes;
    if (array->type != GGUF_ARRAY || array->item != GGUF_STRING || p >= array->bytes + array->size)
        return false;
    *len = get64(p);
    *out = (const char *)p + 8;
    *at = p + 8 + *len;
    return true;
}
