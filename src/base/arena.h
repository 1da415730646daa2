/* Memory that lives and dies together: one arena a document, a query, a request.
 *
 * Blocks double from 4 KiB to 1 MiB; larger requests get a block of their own. Each arena has a ceiling in bytes, so that hostile input
 * runs into a message, not into the machine. Memory is aligned to 16 and zeroed. Not thread-safe. In sanitizer builds every
 * allocation is its own malloc, so that overruns between neighbours are seen. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/error.h"

struct arena_block;
struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used;                /* bytes handed out */
    size_t ceiling;
    bool over;                  /* an allocation met the ceiling, not the machine's end */
};

/* No allocation happens before the first arena_alloc; a zeroed struct with a ceiling is a valid arena. */
void arena_init(struct arena *a, size_t ceiling);
void *arena_alloc(struct arena *a, size_t size);             /* NULL when out of memory or over the ceiling */
void *arena_array(struct arena *a, size_t count, size_t size); /* checked multiplication */
void *arena_grow(struct arena *a, void *old, size_t old_count, size_t new_count, size_t size); /* copy; old stays */
char *arena_copy(struct arena *a, const void *bytes, size_t n); /* NUL appended */
char *arena_string(struct arena *a, const char *s);             /* NULL for NULL */
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
void arena_reset(struct arena *a); /* empties it; keeps at most one block */
void arena_free(struct arena *a);  /* empties it; the arena may be used again */
/* The error to return after an allocation gave NULL: says whether machine or ceiling, and what was being done. */
qa_status arena_error(const struct arena *a, qa_error *err, const char *doing);

#endif
