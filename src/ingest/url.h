/* URLs by rule: "https://docs.example.com/{page}". */
#ifndef INGEST_URL_H
#define INGEST_URL_H

#include "base/arena.h"

/* The URL of a path by a rule that ingest_check_url_rule accepted. NULL when memory is out. */
char *url_make(struct arena *a, const char *rule, const char *path);
/* Can it be opened as it stands: scheme and "//", no blanks, quotes or control characters? */
bool url_is_absolute(const char *url);

#endif
