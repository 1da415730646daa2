/* Who asks. Groups come from the credential alone, never from the question or the model. */
#ifndef PORT_CALLER_H
#define PORT_CALLER_H

#include <stdbool.h>
#include <stddef.h>

struct caller {
    bool owner;    /* the person at the machine: sees everything, no rule is applied */
    bool signed_in;
    const char *const *groups;
    size_t n_groups;
};

/* Rules of a document: n_groups == 0 and !restricted: everyone. restricted with no groups: nobody but the owner.
 * The group "signed-in" is held by every signed-in caller. */
bool caller_may_see(const struct caller *caller, bool restricted, const char *const *groups, size_t n_groups);

#endif
