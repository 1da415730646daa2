/* What the writing files share. */
#ifndef STORE_WRITE_H
#define STORE_WRITE_H

#include "store/store_index.h"

qa_status store_writable(struct store_index *s, qa_error *err);
qa_status store_flush_tail(struct store_index *s, qa_error *err);
qa_status store_set_entry(struct store_index *s, uint64_t chunk, struct store_entry entry, qa_error *err);
/* The number of a source; 0: there is none and `make` is false. */
qa_status store_source_number(struct store_index *s, const char *name, bool make, int64_t *out, qa_error *err);

#endif
