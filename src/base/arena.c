#include "base/arena.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ONE_MALLOC_EACH 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ONE_MALLOC_EACH 1
#endif
#endif
#ifndef ONE_MALLOC_EACH
#define ONE_MALLOC_EACH 0
#endif

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20, ALIGNMENT = 16 };

struct arena_block {
    struct arena_block *next;
    size_t size, used; /* of data */
    _Alignas(ALIGNMENT) char data[];
};

void arena_init(struct arena *a, size_t ceiling) { *a = (struct arena){.ceiling = ceiling}; }

static struct arena_block *new_block(size_t size) {
    struct arena_block *b = malloc(sizeof *b + size);
    if (b)
        *b = (struct arena_block){.size = size};
    return b;
}

void *arena_alloc(struct arena *a, size_t size) {
    size_t rounded = size ? (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1) : ALIGNMENT;
    if (rounded < size || rounded > a->ceiling - a->used || a->used > a->ceiling) {
        a->over = true;
        return NULL;
    }
    struct arena_block *b = a->blocks;
    if (ONE_MALLOC_EACH || !b || b->size - b->used < rounded) {
        size_t want = b ? b->size * 2 : FIRST_BLOCK;
        if (want > LARGEST_BLOCK)
            want = LARGEST_BLOCK;
        bool alone = ONE_MALLOC_EACH || rounded > want / 2;
        struct arena_block *fresh = new_block(ONE_MALLOC_EACH ? (size ? size : 1) : alone ? rounded : want);
        if (!fresh)
            return NULL;
        if (alone && b && !ONE_MALLOC_EACH) { /* keep filling the block before */
            fresh->next = b->next;
            b->next = fresh;
        } else {
            fresh->next = b;
            a->blocks = fresh;
        }
        b = fresh;
    }
    void *p = b->data + b->used;
    b->used = ONE_MALLOC_EACH ? b->size : b->used + rounded;
    a->used += rounded;
    memset(p, 0, size);
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        a->over = true;
        return NULL;
    }
    return arena_alloc(a, bytes);
}

void *arena_grow(struct arena *a, void *old, size_t old_count, size_t new_count, size_t size) {
    void *p = arena_array(a, new_count, size);
    if (p && old_count)
        memcpy(p, old, old_count * size);
    return p;
}

char *arena_copy(struct arena *a, const void *bytes, size_t n) {
    char *p = n == SIZE_MAX ? NULL : arena_alloc(a, n + 1);
    if (p && n)
        memcpy(p, bytes, n);
    return p;
}

char *arena_string(struct arena *a, const char *s) { return s ? arena_copy(a, s, strlen(s)) : NULL; }

char *arena_printf(struct arena *a, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (p)
        vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    return p;
}

void arena_reset(struct arena *a) {
    struct arena_block *keep = NULL, *next = NULL;
    for (struct arena_block *b = a->blocks; b; b = next) {
        next = b->next;
        if (!keep && !ONE_MALLOC_EACH && b->size <= LARGEST_BLOCK)
            keep = b;
        else
            free(b);
    }
    if (keep)
        keep->next = NULL, keep->used = 0;
    *a = (struct arena){.blocks = keep, .ceiling = a->ceiling};
}

void arena_free(struct arena *a) {
    arena_reset(a);
    free(a->blocks);
    a->blocks = NULL;
}

qa_status arena_error(const struct arena *a, qa_error *err, const char *doing) {
    if (a->over)
        return error_set(err, QA_TOO_LARGE, "%s needs more than the %zu MiB of memory allowed for it", doing,
                         a->ceiling >> 20);
    return error_no_memory(err, doing);
}
