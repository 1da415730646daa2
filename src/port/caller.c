#include "port/caller.h"
#include <string.h>

static bool in_group(const struct caller *caller, const char *group) {
    if (caller->signed_in && strcmp(group, "signed-in") == 0)
        return true;
    for (size_t i = 0; i < caller->n_groups; i++)
        if (strcmp(caller->groups[i], group) == 0)
            return true;
    return false;
}

/* A document with groups is restricted whatever the flag says: when the two disagree, the answer is the safe one. */
bool caller_may_see(const struct caller *caller, bool restricted, const char *const *groups, size_t n_groups) {
    if (!caller || caller->owner || (!restricted && n_groups == 0))
        return true;
    for (size_t i = 0; i < n_groups; i++)
        if (in_group(caller, groups[i]))
            return true;
    return false;
}
