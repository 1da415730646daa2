/* A generator port that plays a script: the pieces in order, then the end that the test chose. It keeps what it was asked, and fails or is
 * stopped where a test says so.
 *
 * One thread at a time. Copes with allocations that fail (fault tests). */
#ifndef FAKE_GENERATOR_H
#define FAKE_GENERATOR_H

#include "port/generator.h"

enum { FAKE_MESSAGES = 64 };

struct fake_generator {
    const char *const *pieces;  /* NULL behind the last; NULL: none */
    enum generator_end end;     /* after the last piece */
    unsigned fail_at;           /* instead of this piece, counted from 1, comes QA_REMOTE; one more than there are: at the end; 0: never */
    qa_status fail_with;        /* QA_OK: QA_REMOTE */
    unsigned fail_count;        /* this call of count_tokens fails with the same; 0: none does */
    atomic_int *stop;           /* set before piece `stop_at` comes, as somebody does who has read enough */
    unsigned stop_at;
    /* Filled: */
    unsigned calls, counts;     /* of generate, of count_tokens */
    size_t pieces_given;
    enum generator_end ended;   /* of the last call that ended well */
    struct generator_request request; /* the last one; its messages are not kept, but: */
    struct {
        enum generator_role role;
        char *text;
    } messages[FAKE_MESSAGES];
    size_t n_messages;
};
/* The port lives as long as *f, which the caller has set. */
struct generator_port fake_generator_port(struct fake_generator *f);
void fake_generator_free(struct fake_generator *f); /* the messages; *f may be used again */

#endif
