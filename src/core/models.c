/* Which models are meant, and opening them. Nothing is loaded before it is needed: a search by words never pays for a language model. */
#include "base/file.h"
#include "core/core.h"
#include "embed/embed.h"
#include "llm/llm.h"
#include "model/model.h"
#include "net/http.h"
#include "remote/remote.h"
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 4096, LIST_CEILING = 16 << 20 };

qa_status core_choose_model(qa *q, const char *option, const char *variable, const struct config_model *configured, struct config_model *out,
                            qa_error *err) {
    const char *text = option ? option : getenv(variable);
    if (!text || (!option && !*text)) {
        *out = *configured;
        return QA_OK;
    }
    qa_status status = config_read_model(&q->memory, text, ".", out, err);
    return status == QA_OK || option ? status : error_prefix(err, status, "%s: ", variable);
}

/* ---- Local files ---- */

struct local {
    struct llm_options options;
    struct model_identity identity;
    bool here;
};

static qa_status find_entry(const struct model_list *list, const struct config_model *choice, const char *standard, enum model_role role,
                            const struct model_entry **out, qa_error *err) {
    const struct model_entry *entry = model_find(list, choice->name ? choice->name : standard);
    if (!entry && choice->name)
        return error_set(err, QA_NOT_FOUND, "there is no model named \"%s\"; quaere model list shows them, and a file of your own is given by its path",
                         choice->name);
    if (entry && entry->role != role)
        return error_set(err, QA_BAD_CONFIG, "%s is %s, and %s is wanted here", entry->name,
                         entry->role == MODEL_EMBEDDER ? "an embedder" : "a generator", role == MODEL_EMBEDDER ? "an embedder" : "a generator");
    *out = entry;
    return QA_OK;
}

/* Which file, and that it is the one it should be. What somebody named must be there. */
static qa_status identify(qa *q, struct arena *a, const struct config_model *choice, const char *standard, enum model_role role,
                          const struct model_list *list, struct local *out, qa_error *err) {
    const struct model_entry *entry = NULL;
    struct llm_options *o = &out->options;
    if (choice->file) {
        o->path = choice->file;
        o->name = file_basename(choice->file);
        out->here = true;
        qa_status status = llm_check_memory(choice->file, err);
        if (status != QA_OK)
            return status;
        status = model_identify(choice->file, &q->cancel, &out->identity, err);
        return status == QA_OK ? QA_OK : error_prefix(err, status, "the model ");
    }
    qa_status status = find_entry(list, choice, standard, role, &entry, err);
    if (status != QA_OK || !entry)
        return status;
    o->name = entry->name;
    if ((status = model_path(a, entry, &o->path, &out->here, err)) != QA_OK)
        return status;
    if (out->here && (status = llm_check_memory(o->path, err)) == QA_OK)
        status = model_identify_entry(entry, o->path, &q->cancel, &out->identity, err);
    if (out->here)
        return status;
    if (!choice->name)
        return QA_OK;
    return entry->n_sources ? error_set(err, QA_NOT_FOUND, "the model %s is not here yet; get it with: quaere model pull %s", entry->name, entry->name)
                            : error_set(err, QA_NOT_FOUND, "the model %s is not here yet; download it by hand%s%s to %s", entry->name,
                                        entry->page ? " from " : "", entry->page ? entry->page : "", o->path);
}

/* out->here false: no model, and none was asked for. */
static qa_status find_local(qa *q, struct arena *a, const struct config_model *choice, const char *standard, enum model_role role, struct local *out,
                            qa_error *err) {
    _Static_assert((int)MODEL_MAX_PREFIX <= (int)EMBEDDER_MAX_PREFIX, "a prefix of models.conf is one of an embedder");
    struct model_list list = {0};
    struct llm_options *o = &out->options;
    *out = (struct local){.options = {.context = choice->context, .cancel = &q->cancel}};
    qa_status status = model_load_list(a, &list, err);
    if (status == QA_OK)
        status = identify(q, a, choice, standard, role, &list, out, err);
    if (status != QA_OK || !out->here)
        return status;
    /* Its sum says what a file is, whatever its name. */
    const struct model_entry *known = model_find_sha256(&list, out->identity.sha256);
    const struct model_entry *entry = known ? known : choice->file ? NULL : model_find(&list, o->name);
    o->trusted = known || strcmp(out->identity.tried, llm_version()) == 0;
    if (role == MODEL_EMBEDDER) {
        if (entry && !o->context)
            o->context = entry->context; /* what its publisher says; the file's positions may be more */
        o->prefixes.of[EMBEDDER_QUERY] = choice->query_prefix ? choice->query_prefix : entry ? entry->query_prefix : NULL;
        o->prefixes.of[EMBEDDER_PASSAGE] = choice->passage_prefix ? choice->passage_prefix : entry ? entry->passage_prefix : NULL;
    }
    o->fingerprint = arena_printf(a, "sha256:%s", out->identity.sha256);
    return o->fingerprint ? QA_OK : arena_error(a, err, "opening a model");
}

/* By our own encoder where it knows the family. It is made for files that a stranger wrote, so it needs no trial. */
static qa_status open_own(qa *q, const struct config_model *choice, const struct llm_options *o, qa_error *err) {
    const struct embed_options own = {
        .path = o->path,
        .name = o->name,
        .fingerprint = o->fingerprint,
        .prefixes = o->prefixes,
        .context = o->context,
        .precision = choice->precision,
    };
    return embed_open(&own, &q->embedder, err);
}

static qa_status open_local(qa *q, const struct config_model *choice, const char *standard, enum model_role role, qa_error *err) {
    struct local local;
    struct arena a; /* of the list, and of the options: who opens copies them */
    arena_init(&a, LIST_CEILING);
    qa_status status = find_local(q, &a, choice, standard, role, &local, err);
    bool own = false;
    if (status == QA_OK && local.here && role == MODEL_EMBEDDER) {
        status = open_own(q, choice, &local.options, err);
        own = status != QA_UNSUPPORTED;
    }
    if (local.here && (status == QA_OK || status == QA_UNSUPPORTED) && !own) {
        status = role == MODEL_EMBEDDER ? llm_open_embedder(&local.options, &q->embedder, err) : llm_open_generator(&local.options, &q->generator, err);
        if (status == QA_OK && !local.options.trusted)
            model_note_trial(local.options.path, &local.identity, llm_version());
    }
    arena_free(&a);
    return status;
}

qa_status core_find_embedder(qa *q, struct arena *a, const char *model, struct llm_options *out, qa_error *err) {
    struct config_model choice = q->embedder_choice;
    struct local local = {0};
    qa_status status = model ? config_read_model(a, model, ".", &choice, err) : QA_OK;
    if (status != QA_OK)
        return status;
    if (choice.none || choice.url)
        return error_set(err, QA_BAD_CONFIG, "the embedder is %s, which does not run on this machine; name one that does with --model",
                         choice.none ? "\"none\"" : choice.url);
    if (!choice.name && !choice.file)
        choice.name = CORE_EMBEDDER; /* wanted, not only welcome */
    status = find_local(q, a, &choice, CORE_EMBEDDER, MODEL_EMBEDDER, &local, err);
    *out = local.options;
    return status;
}

/* ---- Servers ---- */

static qa_status read_key(struct arena *a, const struct config_model *m, const char **out, qa_error *err) {
    size_t len = 0;
    char *text = NULL, address[200];
    http_address(m->url, address, sizeof address);
    if (m->key_env) {
        *out = getenv(m->key_env);
        return *out && **out ? QA_OK : error_set(err, QA_BAD_CONFIG, "the environment variable %s, which should hold the key of %s, is not set", m->key_env,
                                                         address);
    }
    if (!m->key_file)
        return QA_OK;
    qa_status status = file_read(a, m->key_file, KEY_MAX, &text, &len, err);
    if (status != QA_OK)
        return error_prefix(err, status, "the key of %s: ", address);
    while (len && strchr(" \t\r\n", text[len - 1]))
        text[--len] = '\0';
    *out = text;
    return len ? QA_OK : error_set(err, QA_BAD_CONFIG, "%s, which should hold the key of %s, is empty", m->key_file, address);
}

static qa_status open_remote(qa *q, const struct config_model *m, enum model_role role, qa_error *err) {
    struct remote_options o = {.url = m->url, .model = m->model, .context = m->context, .dimensions = m->dimensions, .cancel = &q->cancel,
                               .total_ms = 1000 * (unsigned)m->timeout_seconds};
    o.prefixes.of[EMBEDDER_QUERY] = m->query_prefix;
    o.prefixes.of[EMBEDDER_PASSAGE] = m->passage_prefix;
    qa_status status = read_key(&q->memory, m, &o.key, err);
    if (status != QA_OK)
        return status;
    return role == MODEL_EMBEDDER ? remote_open_embedder(&o, &q->embedder, err) : remote_open_generator(&o, &q->generator, err);
}

/* ---- */

/* What was found out is kept, so that a broken model costs its loading once, but not a cancelled one. */
static qa_status open_once(qa *q, enum model_role role, const char *standard, qa_error *err) {
    struct core_model *state = role == MODEL_EMBEDDER ? &q->embedder_state : &q->generator_state;
    const struct config_model *choice = role == MODEL_EMBEDDER ? &q->embedder_choice : &q->generator_choice;
    if (!state->tried) {
        state->why = (qa_error){0};
        qa_status status = choice->none  ? QA_OK
                           : choice->url ? open_remote(q, choice, role, &state->why)
                                         : open_local(q, choice, standard, role, &state->why);
        state->why.status = status;
        state->tried = status != QA_CANCELLED;
    }
    return state->why.status == QA_OK ? QA_OK : error_set(err, state->why.status, "%s", state->why.message);
}

qa_status core_open_embedder(qa *q, const char *made_with, struct embedder_port **out, qa_error *err) {
    qa_status status = open_once(q, MODEL_EMBEDDER, made_with ? made_with : CORE_EMBEDDER, err);
    *out = status == QA_OK && q->embedder.ops ? &q->embedder : NULL;
    return status;
}

qa_status core_open_generator(qa *q, struct generator_port **out, qa_error *err) {
    qa_status status = open_once(q, MODEL_GENERATOR, CORE_GENERATOR, err);
    *out = status == QA_OK && q->generator.ops ? &q->generator : NULL;
    return status;
}

static qa_status tell_other(const struct index_space *space, const struct embedder_port *embedder, const struct model_entry *entry, qa_error *err) {
    static const char anew[] = "or make the vectors anew with: quaere index reembed";
    bool listed = entry && entry->role == MODEL_EMBEDDER;
    if (embedder && strcmp(space->name, embedder->name) == 0 && space->dimensions == embedder->dimensions)
        return error_set(err, QA_BAD_CONFIG, "the vectors of the index were made with another %s than the one in use (its file, its address or its prefixes have "
                         "changed): make them anew with: quaere index reembed", space->name);
    if (embedder && listed)
        return error_set(err, QA_BAD_CONFIG, "the index was made with %s (%zu dimensions), and the embedder is %s (%zu): set models: embedder: %s, %s", space->name,
                         space->dimensions, embedder->name, embedder->dimensions, space->name, anew);
    if (embedder)
        return error_set(err, QA_BAD_CONFIG, "the index was made with %s (%zu dimensions), and the embedder is %s (%zu): name that one's file or server in "
                         "quaere.yaml (models: embedder:), %s", space->name, space->dimensions, embedder->name, embedder->dimensions, anew);
    if (listed && entry->n_sources)
        return error_set(err, QA_NOT_FOUND, "the index has vectors of %s, and that model is not here; get it with: quaere model pull %s", space->name, space->name);
    return error_set(err, QA_NOT_FOUND, "the index has vectors of %s, which 'quaere model pull' does not have: name its file or server in quaere.yaml (models: "
                     "embedder:), %s", space->name, anew);
}

qa_status core_other_embedder(const struct index_space *space, const struct embedder_port *embedder, qa_error *err) {
    struct model_list list = {0};
    struct arena a;
    arena_init(&a, LIST_CEILING);
    qa_status status = model_load_list(&a, &list, err);
    if (status == QA_OK)
        status = tell_other(space, embedder, model_find(&list, space->name), err);
    arena_free(&a);
    return status;
}

void core_close_models(qa *q) {
    if (q->embedder.ops)
        q->embedder.ops->close(q->embedder.self);
    if (q->generator.ops)
        q->generator.ops->close(q->generator.self);
}
