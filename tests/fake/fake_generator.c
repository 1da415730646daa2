#include "fake/fake_generator.h"
#include <stdlib.h>
#include <string.h>

static size_t count_words(const char *text, size_t len) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += !strchr(" \t\n", text[i]) && (!i || strchr(" \t\n", text[i - 1]));
    return n;
}

static qa_status fail(const struct fake_generator *f, qa_error *err) {
    return error_set(err, f->fail_with ? f->fail_with : QA_REMOTE, "the generator failed on purpose");
}

void fake_generator_free(struct fake_generator *f) {
    for (size_t i = 0; i < f->n_messages; i++)
        free(f->messages[i].text);
    f->n_messages = 0;
}

static qa_status keep(struct fake_generator *f, const struct generator_request *r, struct generator_result *out, qa_error *err) {
    fake_generator_free(f);
    if (r->n_messages > FAKE_MESSAGES)
        return error_set(err, QA_INTERNAL, "%zu messages", r->n_messages);
    for (size_t i = 0; i < r->n_messages; i++) {
        f->messages[i].role = r->messages[i].role;
        if (!(f->messages[i].text = strdup(r->messages[i].text)))
            return error_no_memory(err, "keeping the messages");
        f->n_messages++;
        out->prompt_tokens += count_words(r->messages[i].text, strlen(r->messages[i].text));
    }
    f->request = *r;
    f->request.messages = NULL;
    return QA_OK;
}

static qa_status generate(void *self, const struct generator_request *r, struct generator_result *out, qa_error *err) {
    struct fake_generator *f = self;
    f->calls++;
    f->pieces_given = 0;
    *out = (struct generator_result){.end = f->end};
    qa_status status = keep(f, r, out, err);
    for (unsigned i = 1; status == QA_OK; i++) {
        const char *piece = f->pieces ? f->pieces[i - 1] : NULL;
        if (f->stop && i == f->stop_at)
            atomic_store(f->stop, 1);
        if (r->cancel && atomic_load(r->cancel))
            return error_set(err, QA_CANCELLED, "the generator was stopped");
        if (i == f->fail_at)
            return fail(f, err);
        if (!piece)
            break;
        f->pieces_given++;
        out->generated_tokens++;
        if (!r->piece(r->user, piece, strlen(piece))) {
            out->end = GENERATOR_STOPPED;
            break;
        }
    }
    f->ended = out->end;
    return status;
}

static qa_status count_tokens(void *self, const char *text, size_t len, size_t *out, qa_error *err) {
    struct fake_generator *f = self;
    if (++f->counts == f->fail_count)
        return fail(f, err);
    *out = count_words(text, len);
    return QA_OK;
}

static void close_generator(void *self) { fake_generator_free(self); }

struct generator_port fake_generator_port(struct fake_generator *f) {
    static const struct generator_ops ops = {.generate = generate, .count_tokens = count_tokens, .close = close_generator};
    return (struct generator_port){.ops = &ops, .self = f, .name = "fake", .fingerprint = "script:fake"};
}
