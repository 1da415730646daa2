// Any text as a filter: parses or fails with a message that names a place, and a tree answers about a document. The tree's metadata test
// and its answer for the same question asked twice must agree.
#include "port/filter.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static json_t *metadata;
    if (!metadata)
        metadata = json_loads("{\"lang\": \"en\", \"n\": 2.5, \"v\": \"v1.2.3\", \"day\": \"2024-02-29T10:00:00+01:00\", \"tags\": [\"a\", 1, {\"b\": \"c\"}],"
                              " \"o\": {\"p\": {\"q\": true}}}", 0, NULL);
    struct arena a = {.ceiling = 8 << 20};
    qa_error err = {0};
    struct filter *f = NULL;
    char *text = malloc(size + 1);
    if (!text)
        abort();
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    if (filter_parse(&a, text, &f, &err) == QA_OK) {
        struct filter_subject with = {.path = "docs/a.md", .source = "s", .title = "t", .metadata = metadata}, without = {.path = "docs/a.md", .source = "s", .title = "t"};
        bool yes = filter_matches(f, &with);
        if (!filter_needs_metadata(f) && yes != filter_matches(f, &without))
            abort();
    } else if (err.status != QA_BAD_FILTER || !strstr(err.message, "filter")) {
        abort();
    }
    free(text);
    arena_free(&a);
    return 0;
}
