#include "model/internal.h"
#include "model/safetensors.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MAX_MEMORY = 64 << 20, PREFIX = 8 };

/* The types that the format had when this was written. */
static const struct {
    const char *name;
    enum safetensors_type type;
    unsigned bytes;
} types[] = {
    {"F32", SAFETENSORS_F32, 4},   {"F16", SAFETENSORS_F16, 2},   {"BF16", SAFETENSORS_BF16, 2}, {"F64", SAFETENSORS_OTHER, 8},
    {"I64", SAFETENSORS_OTHER, 8}, {"I32", SAFETENSORS_OTHER, 4}, {"I16", SAFETENSORS_OTHER, 2}, {"I8", SAFETENSORS_OTHER, 1},
    {"U64", SAFETENSORS_OTHER, 8}, {"U32", SAFETENSORS_OTHER, 4}, {"U16", SAFETENSORS_OTHER, 2}, {"U8", SAFETENSORS_OTHER, 1},
    {"BOOL", SAFETENSORS_OTHER, 1}, {"F8_E4M3", SAFETENSORS_OTHER, 1}, {"F8_E5M2", SAFETENSORS_OTHER, 1},
};

static bool get_count(const json_t *value, uint64_t *out) {
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static qa_status bad(const struct safetensors *s, qa_error *err, const char *name, const char *what) {
    return error_set(err, QA_CORRUPT, "%s: the tensor %.80s %s", s->file, name, what);
}

static qa_status read_shape(const struct safetensors *s, struct safetensors_tensor *t, const json_t *shape, unsigned item, qa_error *err) {
    if (!json_is_array(shape) || json_array_size(shape) > SAFETENSORS_MAX_DIMENSIONS)
        return bad(s, err, t->name, "has no shape, or one of more than 8 dimensions");
    t->n_dims = (unsigned)json_array_size(shape);
    t->elements = 1;
    for (unsigned i = 0; i < t->n_dims; i++)
        if (!get_count(json_array_get(shape, i), &t->shape[i]) || __builtin_mul_overflow(t->elements, t->shape[i], &t->elements))
            return bad(s, err, t->name, "has a shape that is no list of numbers, or too large a one");
    if (__builtin_mul_overflow(t->elements, (uint64_t)item, &t->size))
        return bad(s, err, t->name, "is larger than can be");
    return QA_OK;
}

static qa_status read_tensor(struct safetensors *s, const char *name, const json_t *value, uint64_t data, struct safetensors_tensor *t, qa_error *err) {
    uint64_t begin = 0, end = 0, room = s->size - data;
    const char *type = json_get_string(value, "dtype");
    const json_t *offsets = json_object_get(value, "data_offsets");
    size_t k = 0;
    if (strlen(name) > SAFETENSORS_MAX_NAME)
        return error_set(err, QA_TOO_LARGE, "%s: a tensor's name has %zu bytes, and the limit is %d", s->file, strlen(name), SAFETENSORS_MAX_NAME);
    t->name = arena_string(&s->arena, name);
    if (!t->name)
        return arena_error(&s->arena, err, s->file);
    while (type && k < sizeof types / sizeof *types && strcmp(types[k].name, type) != 0)
        k++;
    if (!type || k == sizeof types / sizeof *types)
        return error_set(err, QA_CORRUPT, "%s: the tensor %.80s is of type %.20s, which this version does not know", s->file, name, type ? type : "(none)");
    t->type = types[k].type;
    t->type_name = types[k].name;
    qa_status status = read_shape(s, t, json_object_get(value, "shape"), types[k].bytes, err);
    if (status != QA_OK)
        return status;
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 || !get_count(json_array_get(offsets, 0), &begin) ||
        !get_count(json_array_get(offsets, 1), &end))
        return bad(s, err, name, "has no data_offsets");
    if (begin > end || end > room)
        return error_set(err, QA_CORRUPT, "%s: the tensor %.80s lies at bytes %llu to %llu of the data, and there are %llu: the file is cut short or damaged",
                         s->file, name, (unsigned long long)begin, (unsigned long long)end, (unsigned long long)room);
    if (end - begin != t->size)
        return error_set(err, QA_CORRUPT, "%s: the tensor %.80s has %llu bytes of data, and its shape asks for %llu", s->file, name,
                         (unsigned long long)(end - begin), (unsigned long long)t->size);
    t->data = s->bytes + data + begin;
    return QA_OK;
}

static int by_place(const void *x, const void *y) {
    const struct safetensors_tensor *a = x, *b = y;
    return a->data != b->data ? (a->data < b->data ? -1 : 1) : (a->size > b->size) - (a->size < b->size);
}
static int by_name(const void *x, const void *y) {
    const struct safetensors_tensor *a = x, *b = y;
    return strcmp(a->name, b->name);
}

static qa_status read_tensors(struct safetensors *s, const json_t *root, uint64_t data, qa_error *err) {
    const char *name;
    json_t *value;
    qa_status status = QA_OK;
    size_t n = json_object_size(root);
    if (n > SAFETENSORS_MAX_TENSORS)
        return error_set(err, QA_TOO_LARGE, "%s: %zu tensors, and the limit is %d", s->file, n, SAFETENSORS_MAX_TENSORS);
    s->tensors = arena_array(&s->arena, n + 1, sizeof *s->tensors);
    if (!s->tensors)
        return arena_error(&s->arena, err, s->file);
    json_object_foreach((json_t *)(uintptr_t)root, name, value) {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        if ((status = read_tensor(s, name, value, data, &s->tensors[s->n], err)) != QA_OK)
            return status;
        s->n++;
    }
    qsort(s->tensors, s->n, sizeof *s->tensors, by_place);
    for (size_t i = 1; i < s->n; i++)
        if (s->tensors[i].data < s->tensors[i - 1].data + s->tensors[i - 1].size)
            return error_set(err, QA_CORRUPT, "%s: the tensors %.80s and %.80s share bytes", s->file, s->tensors[i - 1].name, s->tensors[i].name);
    qsort(s->tensors, s->n, sizeof *s->tensors, by_name);
    return QA_OK;
}

static qa_status parse(struct safetensors *s, qa_error *err) {
    uint64_t len = 0;
    json_t *root = NULL;
    if (s->size < PREFIX)
        return error_set(err, QA_CORRUPT, "%s: not a safetensors file: it has %llu bytes", s->file, (unsigned long long)s->size);
    for (int i = 0; i < PREFIX; i++)
        len |= (uint64_t)s->bytes[i] << 8 * i;
    if (len > s->size - PREFIX)
        return error_set(err, QA_CORRUPT, "%s: not a safetensors file, or cut short: its header would have %llu bytes, and there are %llu", s->file,
                         (unsigned long long)len, (unsigned long long)(s->size - PREFIX));
    if (len > SAFETENSORS_MAX_HEADER)
        return error_set(err, QA_TOO_LARGE, "%s: a header of %llu bytes, and the limit is %d", s->file, (unsigned long long)len, SAFETENSORS_MAX_HEADER);
    qa_status status = json_parse((const char *)s->bytes + PREFIX, len, &root, err);
    if (status == QA_BAD_INPUT)
        status = error_set(err, QA_CORRUPT, "%s: the header is %s", s->file, err ? err->message : "not JSON");
    else if (status == QA_OK && !json_is_object(root))
        status = error_set(err, QA_CORRUPT, "%s: the header is no JSON object", s->file);
    if (status == QA_OK)
        status = read_tensors(s, root, PREFIX + len, err);
    json_decref(root);
    return status;
}

qa_status model_parse_safetensors(const char *file, const void *bytes, size_t size, struct safetensors **out, qa_error *err) {
    *out = NULL;
    struct safetensors *s = calloc(1, sizeof *s);
    if (!s)
        return error_no_memory(err, file);
    arena_init(&s->arena, MAX_MEMORY);
    s->bytes = bytes;
    s->size = size;
    s->file = arena_string(&s->arena, file);
    qa_status status = s->file ? parse(s, err) : arena_error(&s->arena, err, file);
    if (status != QA_OK) {
        model_close_safetensors(s);
        return status;
    }
    *out = s;
    return QA_OK;
}

qa_status model_open_safetensors(const char *path, struct safetensors **out, qa_error *err) {
    const uint8_t *bytes = NULL;
    size_t size = 0;
    *out = NULL;
    qa_status status = model_map(path, &bytes, &size, err);
    if (status != QA_OK)
        return status;
    status = model_parse_safetensors(path, bytes ? (const void *)bytes : "", size, out, err);
    if (status == QA_OK)
        (*out)->mapped = true;
    else if (bytes)
        munmap((void *)(uintptr_t)bytes, size);
    return status;
}

void model_close_safetensors(struct safetensors *s) {
    if (!s)
        return;
    if (s->mapped && s->size)
        munmap((void *)(uintptr_t)s->bytes, s->size);
    arena_free(&s->arena);
    free(s);
}

const struct safetensors_tensor *model_find_safetensor(const struct safetensors *s, const char *name) {
    const struct safetensors_tensor wanted = {.name = name};
    return s->n ? bsearch(&wanted, s->tensors, s->n, sizeof *s->tensors, by_name) : NULL;
}
