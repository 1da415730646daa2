// The first two bytes set the target and the kind, the rest is a document.
#include "unit/doc_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char why[200];
    if (size < 2)
        return 0;
    const struct doc_chunk_options options = {.target = (size_t)data[0] * 4 + 16};
    const char *path = data[1] & 0x80 ? "a.txt" : "a.md";
    if (!doc_check(path, (const char *)data + 2, size - 2, &options, why, sizeof why)) {
        fprintf(stderr, "%s, target %zu: %s\n", path, options.target, why);
        abort();
    }
    return 0;
}
