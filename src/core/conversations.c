#include "core/core.h"
#include "base/clock.h"
#include <string.h>

enum { LIST_CEILING = 256 << 20 };

static json_t *time_json(int64_t ms) {
    char text[32];
    clock_format(ms, text);
    return json_string(text);
}

static qa_status list(qa *q, struct arena *a, size_t limit, char **json, qa_error *err) {
    struct memory_port memory = {0};
    struct memory_conversation *all = NULL;
    size_t n = 0;
    bool ok = true;
    qa_status status = core_open_memory(q, false, &memory, err);
    if (status == QA_OK && memory.ops)
        status = memory.ops->list_conversations(memory.self, limit, a, &all, &n, err);
    if (status != QA_OK)
        return status;
    json_t *root = json_object(), *items = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *o = json_object();
        json_put(o, "id", json_text0(all[i].id), &ok);
        json_put(o, "title", json_text0(all[i].title), &ok);
        json_put(o, "turns", json_integer((json_int_t)all[i].turns), &ok);
        json_put(o, "created", time_json(all[i].created_ms), &ok);
        json_put(o, "updated", time_json(all[i].updated_ms), &ok);
        json_add(items, o, &ok);
    }
    json_put(root, "conversations", items, &ok);
    return core_json_result(root, ok, json, err);
}

qa_status qa_conversations_list(qa *q, size_t limit, char **json, qa_error *err) {
    struct arena a;
    *json = NULL;
    arena_init(&a, LIST_CEILING);
    qa_status status = list(q, &a, limit, json, err);
    arena_free(&a);
    return core_finish(q, status);
}

qa_status core_find_conversation(const struct memory_port *memory, struct arena *a, const char **id, qa_error *err) {
    struct memory_conversation *newest = NULL;
    size_t n = 0;
    bool last = strcmp(*id, "last") == 0;
    if (!memory->ops && !last)
        return error_set(err, QA_NOT_FOUND, "there is no conversation %s: nothing was kept yet", *id);
    if (!last)
        return QA_OK;
    qa_status status = memory->ops ? memory->ops->list_conversations(memory->self, 1, a, &newest, &n, err) : QA_OK;
    if (status == QA_OK && !n)
        return error_set(err, QA_NOT_FOUND, "there is no conversation yet, so none is the last");
    if (status == QA_OK)
        *id = newest[0].id;
    return status;
}

static qa_status get(qa *q, struct arena *a, const char *id, char **json, qa_error *err) {
    struct memory_port memory = {0};
    struct memory_turn *turns = NULL;
    size_t n = 0;
    bool ok = true;
    qa_status status = core_open_memory(q, false, &memory, err);
    if (status == QA_OK)
        status = core_find_conversation(&memory, a, &id, err);
    if (status == QA_OK)
        status = memory.ops->load_turns(memory.self, id, 0, a, &turns, &n, err);
    if (status != QA_OK)
        return status;
    json_t *root = json_object(), *items = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *o = json_object();
        json_put(o, "turn", json_text0(turns[i].id), &ok);
        json_put(o, "question", json_text0(turns[i].question), &ok);
        json_put(o, "answer", json_text0(turns[i].answer), &ok);
        json_put(o, "refused", json_boolean(turns[i].refused), &ok);
        json_put(o, "created", time_json(turns[i].created_ms), &ok);
        json_put(o, "record", core_stored_json(turns[i].record, &ok), &ok);
        json_add(items, o, &ok);
    }
    json_put(root, "id", json_text0(id), &ok);
    json_put(root, "turns", items, &ok);
    return core_json_result(root, ok, json, err);
}

qa_status qa_conversation_get(qa *q, const char *id, char **json, qa_error *err) {
    struct arena a;
    *json = NULL;
    arena_init(&a, LIST_CEILING);
    qa_status status = get(q, &a, id, json, err);
    arena_free(&a);
    return core_finish(q, status);
}

qa_status qa_conversation_delete(qa *q, const char *id, char *deleted, qa_error *err) {
    struct memory_port memory = {0};
    struct arena a;
    arena_init(&a, LIST_CEILING);
    qa_status status = core_open_memory(q, false, &memory, err);
    if (status == QA_OK)
        status = core_find_conversation(&memory, &a, &id, err);
    if (status == QA_OK)
        status = memory.ops->delete_conversation(memory.self, id, err);
    if (status == QA_OK && deleted)
        snprintf(deleted, 64, "%s", id);
    arena_free(&a);
    return core_finish(q, status);
}
