// The first two bytes set target and token limit, the rest is a document.
#include "unit/doc_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char why[200];
    if (size < 2)
        return 0;
    const struct doc_chunk_options options = {
        .target = (size_t)data[0] * 4 + 16, .max_tokens = data[1] & 0x7F, .count_tokens = doc_check_count};
    const char *path = data[1] & 0x80 ? "a.txt" : "a.md";
    if (!doc_check(path, (const char *)data + 2, size - 2, &options, why, sizeof why)) {
        fprintf(stderr, "%s, target %zu, tokens %zu: %s\n", path, options.target, options.max_tokens, why);
        abort();
    }
    return 0;
}
