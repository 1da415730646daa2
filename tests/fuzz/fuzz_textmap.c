// A stored text map and the document it speaks of: two bytes chunk start, two bytes length of the document, the document, the map.
// What decodes must be consistent, lie inside the document, and survive being written again.
#include "base/textmap.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

static void check(bool holds) {
    if (!holds)
        abort();
}

static void check_raw(const struct textmap *m, size_t from, size_t to, uint64_t lo, uint64_t hi) {
    uint64_t a = 0, b = 0;
    if (textmap_raw(m, from, to, &a, &b))
        check(lo <= a && a <= b && b <= hi);
}

static void write_again(struct arena *arena, const struct textmap *m, uint64_t start, const char *document, size_t len) {
    struct textmap_writer w;
    struct textmap again;
    size_t mark = 0;
    textmap_begin(&w, start, m->plain_len + 1);
    for (size_t i = 0; i <= m->n_segments; i++) {
        for (; mark < m->n_marks && (i == m->n_segments || m->marks[mark].plain <= m->segments[i].plain); mark++)
            textmap_mark(&w, m->marks[mark].kind);
        if (i < m->n_segments && m->segments[i].literal)
            textmap_literal(&w, m->plain + m->segments[i].plain, m->segments[i].len);
        else if (i < m->n_segments)
            textmap_copy(&w, document, m->segments[i].raw, m->segments[i].len);
    }
    check(textmap_finish(&w, NULL) == QA_OK);
    check(textmap_decode(arena, (const uint8_t *)w.ops.data, w.ops.len, start, document, 0, len, &again, NULL) == QA_OK);
    check(again.plain_len == m->plain_len && memcmp(again.plain, m->plain, m->plain_len) == 0);
    check(again.n_marks == m->n_marks && again.n_segments <= m->n_segments);
    textmap_free(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 4)
        return 0;
    uint64_t start = data[0] | data[1] << 8, lo, hi;
    size_t len = data[2] | data[3] << 8;
    if (len > size - 4)
        len = size - 4;
    const char *document = (const char *)data + 4;
    const uint8_t *map = data + 4 + len;
    size_t n = size - 4 - len;
    struct arena arena = {.ceiling = 16 << 20};
    struct textmap m;
    if (textmap_extent(map, n, start, len, &lo, &hi, NULL) == QA_OK) {
        check(lo <= hi && hi <= len);
        if (textmap_decode(&arena, map, n, start, document + lo, lo, hi - lo, &m, NULL) == QA_OK) {
            check(utf8_valid_len(m.plain, m.plain_len) == m.plain_len && strlen(m.plain) == m.plain_len);
            size_t at = 0;
            for (size_t i = 0; i < m.n_segments; at += m.segments[i++].len)
                check(m.segments[i].plain == at && (m.segments[i].literal || (lo <= m.segments[i].raw && m.segments[i].raw + m.segments[i].len <= hi)));
            check(at == m.plain_len);
            for (size_t i = 0; i < 16; i++)
                check_raw(&m, at * i / 16, at * (i + 3) / 18, lo, hi);
            write_again(&arena, &m, start, document, len);
        }
    } else {
        check(textmap_decode(&arena, map, n, start, document, 0, len, &m, NULL) != QA_OK);
    }
    arena_free(&arena);
    return 0;
}
