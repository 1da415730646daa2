/* safetensors, the format in which models are published for Python: a u64 length (little-endian), that many bytes of JSON
 * {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {...}}, then the data, to which the offsets refer.
 * What is handed out has been checked: sizes against shapes, places against the file, no two tensors on the same bytes. The file is mapped, as in
 * model/gguf.h. */
#ifndef MODEL_SAFETENSORS_H
#define MODEL_SAFETENSORS_H

#include "base/arena.h"

enum {
    SAFETENSORS_MAX_HEADER = 8 << 20, /* bytes of JSON; a model of 70 billion parameters has less than 1 MB */
    SAFETENSORS_MAX_TENSORS = 65536,
    SAFETENSORS_MAX_NAME = 512,
    SAFETENSORS_MAX_DIMENSIONS = 8
};
enum safetensors_type { SAFETENSORS_F32, SAFETENSORS_F16, SAFETENSORS_BF16, SAFETENSORS_OTHER }; /* OTHER: not looked into, e.g. I64 */

struct safetensors_tensor {
    const char *name, *type_name;        /* "F32" */
    enum safetensors_type type;
    unsigned n_dims;
    uint64_t shape[SAFETENSORS_MAX_DIMENSIONS]; /* outermost first */
    uint64_t elements, size;
    const uint8_t *data;
};
struct safetensors {
    const char *file;
    struct safetensors_tensor *tensors;  /* by name */
    size_t n;
    const uint8_t *bytes;
    uint64_t size;
    bool mapped;
    struct arena arena;
};

/* QA_NOT_FOUND, QA_IO, QA_TOO_LARGE; QA_CORRUPT with the file, the tensor and both values. Release with model_close_safetensors (NULL is fine). */
qa_status model_open_safetensors(const char *path, struct safetensors **out, qa_error *err);
/* The same from memory that stays the caller's and must outlive *out. */
qa_status model_parse_safetensors(const char *file, const void *bytes, size_t size, struct safetensors **out, qa_error *err);
void model_close_safetensors(struct safetensors *s);
const struct safetensors_tensor *model_find_safetensor(const struct safetensors *s, const char *name); /* NULL: none */

#endif
