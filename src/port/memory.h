/* What people said: conversations and their turns. src/store/ implements it on SQLite, DynamoDB follows, the tests in memory. */
#ifndef PORT_MEMORY_H
#define PORT_MEMORY_H

#include "base/arena.h"

struct memory_turn {
    const char *id;        /* "t_..." */
    const char *question, *answer;
    bool refused;
    const char *record;    /* JSON: everything needed to tell how the answer arose */
    int64_t created_ms;
};
struct memory_conversation {
    const char *id;        /* "v_..." */
    const char *title;     /* the first question, cut */
    uint64_t turns;
    int64_t created_ms, updated_ms;
};

struct memory_ops {
    /* Appends a turn; creates the conversation when it does not exist. Durable when it returns. QA_EXISTS: there is a turn
     * of this id, in whichever conversation. */
    qa_status (*append_turn)(void *self, const char *conversation, const struct memory_turn *turn, qa_error *err);
    /* The last `limit` turns (0: all), oldest first. QA_NOT_FOUND when there is no such conversation. */
    qa_status (*load_turns)(void *self, const char *conversation, size_t limit, struct arena *a, struct memory_turn **out, size_t *n,
                            qa_error *err);
    /* Newest first by update, ties by id, which sorts by age; limit 0: all. */
    qa_status (*list_conversations)(void *self, size_t limit, struct arena *a, struct memory_conversation **out, size_t *n,
                                    qa_error *err);
    qa_status (*delete_conversation)(void *self, const char *conversation, qa_error *err); /* QA_NOT_FOUND */
};
struct memory_port {
    const struct memory_ops *ops;
    void *self;
};

#endif
