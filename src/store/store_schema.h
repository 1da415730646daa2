#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "store/store_file.h"

extern const struct store_kind store_index_kind, store_state_kind;

/* Registers the tokenizer and the collecting function with a connection; user is its struct store_index. */
int store_register_words(sqlite3 *db, void *user);

#endif
