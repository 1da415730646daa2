/* "Did you mean ...?" for words that people type. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

enum { NEAREST_LONGEST = 63 }; /* bytes; longer words have no neighbour */

/* The candidate that fewest changes of a letter lead to (the first of equal ones); NULL when none is within a slip of the finger: one
 * change, and one more for every three letters. */
const char *nearest_word(const char *word, const char *const *candidates, size_t n);

#endif
