/* `quaere init`: a first quaere.yaml from a look at a folder. */
#ifndef CORE_INIT_H
#define CORE_INIT_H

#include "base/buf.h"

/* Looks at the folder `path` (NULL: the working folder) and writes PATH/quaere.yaml, or with `dry` only says what it would
 * hold. `report` (begun by the caller) gets what was found, for a person. QA_EXISTS when there is one already, QA_NOT_FOUND
 * when there is no such folder. */
qa_status core_init(const char *path, bool dry, struct buf *report, qa_error *err);

#endif
