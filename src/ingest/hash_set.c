#include "ingest/hash_set.h"
#include <stdlib.h>

static struct hash128 *find_slot(struct hash128 *slots, size_t cap, struct hash128 h) {
    size_t i = h.lo & (cap - 1);
    while ((slots[i].hi || slots[i].lo) && (slots[i].hi != h.hi || slots[i].lo != h.lo))
        i = (i + 1) & (cap - 1);
    return &slots[i];
}

static qa_status grow(struct hash_set *s, qa_error *err) {
    size_t cap = s->cap ? s->cap * 2 : 64;
    struct hash128 *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return error_no_memory(err, "remembering paths");
    for (size_t i = 0; i < s->cap; i++)
        if (s->slots[i].hi || s->slots[i].lo)
            *find_slot(slots, cap, s->slots[i]) = s->slots[i];
    free(s->slots);
    s->slots = slots;
    s->cap = cap;
    return QA_OK;
}

qa_status hash_set_add(struct hash_set *s, struct hash128 h, bool *fresh, qa_error *err) {
    if (!h.hi && !h.lo)
        h.lo = 1; /* all zeros marks an empty slot */
    if (s->n >= s->cap / 4 * 3) {
        qa_status status = grow(s, err);
        if (status != QA_OK)
            return status;
    }
    struct hash128 *slot = find_slot(s->slots, s->cap, h);
    *fresh = !slot->hi && !slot->lo;
    if (*fresh) {
        *slot = h;
        s->n++;
    }
    return QA_OK;
}

bool hash_set_has(const struct hash_set *s, struct hash128 h) {
    if (!h.hi && !h.lo)
        h.lo = 1;
    if (!s->cap)
        return false;
    const struct hash128 *slot = find_slot(s->slots, s->cap, h);
    return slot->hi || slot->lo;
}

void hash_set_free(struct hash_set *s) {
    free(s->slots);
    *s = (struct hash_set){0};
}
