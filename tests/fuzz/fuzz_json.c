// Any bytes as JSON: the value survives writing and reading, and as a filter it parses or fails with a message.
#include "port/filter.h"
#include <stdlib.h>
#include <string.h>

static void write_and_read(const json_t *value) {
    char *text = json_write(value, 0);
    if (!text)
        abort();
    json_t *back = NULL;
    qa_error err = {0};
    if (json_parse(text, strlen(text), &back, &err) != QA_OK)
        abort();
    char *again = json_write(back, 0); /* reals are written with ten digits: equal from the second time on */
    if (!again || strcmp(text, again) != 0)
        abort();
    free(again);
    free(text);
    json_decref(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena a = {.ceiling = 8 << 20};
    qa_error err = {0};
    json_t *value = NULL;
    struct filter *f = NULL;
    if (json_parse((const char *)data, size, &value, &err) == QA_OK) {
        write_and_read(value);
        struct filter_subject subject = {.path = "docs/a.md", .metadata = value};
        if (filter_parse_json(&a, value, &f, &err) == QA_OK)
            filter_matches(f, &subject);
        else if (err.status != QA_BAD_FILTER || !err.message[0])
            abort();
        json_decref(value);
    } else if (!err.message[0]) {
        abort();
    }
    json_t *text = json_text((const char *)data, size);
    if (!text)
        abort();
    json_decref(text);
    arena_free(&a);
    return 0;
}
