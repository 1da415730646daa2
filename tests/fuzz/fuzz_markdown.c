// Any bytes as a document, read as Markdown and as MDX.
#include "unit/doc_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const paths[] = {"a.md", "a.mdx"};
    const struct doc_chunk_options options = {0};
    char why[200];
    for (size_t i = 0; i < 2; i++) {
        if (doc_check(paths[i], size ? (const char *)data : "", size, &options, why, sizeof why))
            continue;
        fprintf(stderr, "%s: %s\n", paths[i], why);
        abort();
    }
    return 0;
}
