#include "base/nearest.h"
#include <stdint.h>
#include <string.h>

/* Levenshtein distance by rows. */
static size_t distance(const char *a, const char *b) {
    size_t row[NEAREST_LONGEST + 1], la = strlen(a), lb = strlen(b);
    if (la > NEAREST_LONGEST || lb > NEAREST_LONGEST)
        return SIZE_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[lb];
}

const char *nearest_word(const char *word, const char *const *candidates, size_t n) {
    const char *best = NULL;
    size_t least = strlen(word) / 3 + 2; /* the first distance that is too far */
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, candidates[i]);
        if (d < least && d < strlen(candidates[i])) {
            best = candidates[i];
            least = d;
        }
    }
    return best;
}
