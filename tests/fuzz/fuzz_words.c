// Any bytes as text: terms are short valid UTF-8 from inside the text, the same whatever came before, and fall apart at spaces.
#include "base/utf8.h"
#include "text/words.h"
#include <stdlib.h>
#include <string.h>

static void check(bool holds) {
    if (!holds)
        abort();
}

static size_t list(struct words *words, struct arena *arena, const char *text, size_t len, struct word **out) {
    size_t n = 0;
    check(words_list(words, arena, text, len, out, &n, NULL) == QA_OK);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct words *used; /* its cache has seen every input before this one */
    struct words *fresh = words_new();
    struct arena arena = {.ceiling = (size_t)1 << 30};
    if (!used)
        used = words_new();
    check(used && fresh && size <= 1 << 20);
    const char *text = (const char *)data, *space = size ? memchr(text + size / 2, ' ', size - size / 2) : NULL;
    size_t cut = space ? (size_t)(space - text) : size;
    struct word *all, *parts[2] = {NULL, NULL};
    size_t n = list(used, &arena, text, size, &all), left = list(fresh, &arena, text, cut, &parts[0]);
    size_t right = cut < size ? list(fresh, &arena, text + cut + 1, size - cut - 1, &parts[1]) : 0;
    check(n == left + right);
    for (size_t i = 0; i < n; i++) {
        const struct word *w = &all[i], *same = i < left ? &parts[0][i] : &parts[1][i - left];
        size_t shift = i < left ? 0 : cut + 1;
        check(w->start < w->end && w->end <= size && w->norm_len > 0 && w->norm_len <= WORD_MAX + 1);
        check(strlen(w->norm) == w->norm_len && utf8_valid_len(w->norm, w->norm_len) == w->norm_len);
        check(w->kind == same->kind && w->stop == same->stop && w->start == same->start + shift && w->end == same->end + shift);
        check(strcmp(w->norm, same->norm) == 0);
    }
    words_free(fresh);
    arena_free(&arena);
    return 0;
}
