// Any bytes as a stream of events: the same events whether it comes whole, byte by byte or in pieces; nothing longer than allowed; data without its line break.
#include "base/hash.h"
#include "net/sse.h"
#include <stdlib.h>
#include <string.h>

enum { MAX = 300 };

struct seen {
    struct hash128 hash;
    size_t events;
};

static bool note(void *user, const char *type, const char *data, size_t len) {
    struct seen *s = user;
    size_t type_len = strlen(type);
    if (type_len > 63 || len > MAX || data[len] != '\0')
        abort();
    const char *parts[] = {(const char *)&s->hash, type, data};
    const size_t lens[] = {sizeof s->hash, type_len, len};
    s->hash = hash_parts(parts, lens, 3);
    s->events++;
    return s->events < 50;
}

static qa_status run(const char *data, size_t size, size_t slice, struct seen *seen) {
    struct sse s;
    qa_error err = {0};
    qa_status status = QA_OK;
    sse_init(&s, MAX, note, seen);
    for (size_t at = 0; at < size && status == QA_OK; at += slice)
        status = sse_feed(&s, data + at, size - at < slice ? size - at : slice, &err);
    if (status != QA_OK && (status != QA_REMOTE || !err.message[0]))
        abort();
    if (s.stopped != (seen->events == 50))
        abort();
    sse_free(&s);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct seen whole = {0};
    qa_status status = run((const char *)data, size, size ? size : 1, &whole);
    for (size_t slice = 1; slice < 8; slice += 3) {
        struct seen again = {0};
        if (run((const char *)data, size, slice, &again) != status || again.events != whole.events || hash_compare(again.hash, whole.hash) != 0)
            abort();
    }
    return 0;
}
