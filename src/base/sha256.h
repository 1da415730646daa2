/* SHA-256 through OpenSSL, for what must resist forgery: files from elsewhere. (base/hash.h tells changed from unchanged, much quicker.) */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include "base/error.h"
#include <stdatomic.h>

enum { SHA256_HEX = 65 }; /* 64 lower-case digits and NUL */

struct sha256 {
    void *context;
    bool failed; /* sticky: told by sha256_end */
};
void sha256_begin(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *bytes, size_t n);
qa_status sha256_end(struct sha256 *h, char out[SHA256_HEX], qa_error *err); /* releases */
void sha256_drop(struct sha256 *h);                                         /* releases without a result; fine after sha256_end */

/* Of a whole file. `show` (may be NULL) is called now and then; QA_CANCELLED soon after *cancel (may be NULL) becomes non-zero. */
qa_status sha256_file(const char *path, void (*show)(void *user, uint64_t done, uint64_t total), void *user, const atomic_int *cancel,
                      char out[SHA256_HEX], qa_error *err);

#endif
