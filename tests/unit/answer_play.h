// An answer that a model writes, played from a script over three passages made by hand, and what must hold of every such answer.
#ifndef UNIT_ANSWER_PLAY_H
#define UNIT_ANSWER_PLAY_H

#include "fake/fake_generator.h"
#include "unit/answer_fixture.h"

static const char valid[] = "how long is the presigned URL valid?";

/* Sentences of the passages, and one of elsewhere. */
#define VALID "The presigned URL is valid for 5 minutes."
#define EXTEND "You can extend the session to 12 hours in the domain settings."
#define SHARED "The URL cannot be shared with other users unless an administrator agrees."
#define CATS "Cats sleep all day long."

struct play {
    struct fixture f;
    struct arena a; /* of one answer */
    struct fake_generator fake;
    struct answer_generation g;
    struct answer answer;
    struct buf told, tokens; /* all that on_sentence and on_token said */
    size_t n_told;
    size_t context; /* that the generator says it has */
    atomic_int cancel;
    bool wrong; /* on_sentence told what does not fit */
};

static int set_up(void **state) {
    struct play *p = test_calloc(1, sizeof *p);
    struct fixture *f = &p->f;
    fixture_begin(f);
    fixture_passage(f);
    fixture_block(f, UNIT_PARAGRAPH, VALID " You can extend the session to 12 hours in the **domain settings**. " SHARED);
    fixture_close(f, "Presigned URLs", 1);
    fixture_hidden(f, "\n\n");
    fixture_passage(f);
    fixture_block(f, UNIT_PARAGRAPH, "To open the notebook:");
    fixture_block(f, UNIT_ITEM, "- Choose Open in the console.");
    fixture_block(f, UNIT_ITEM, "- Select the `ml.t3.medium` instance type.");
    fixture_block(f, UNIT_ITEM, "- Wait until the status is InService.");
    fixture_close(f, "Notebooks", 0.8);
    fixture_passage(f);
    fixture_block(f, UNIT_PARAGRAPH, "Call the API from the command line.");
    fixture_block(f, UNIT_CODE, "aws sagemaker create-presigned-domain-url --domain-id d-1\naws sagemaker list-apps --domain-id-equals d-1");
    fixture_close(f, "Commands", 0.6);
    arena_init(&p->a, 64 << 20);
    buf_init(&p->told, 1 << 20);
    buf_init(&p->tokens, 1 << 20);
    *state = p;
    return 0;
}

static int tear_down(void **state) {
    struct play *p = *state;
    fake_generator_free(&p->fake);
    buf_free(&p->told);
    buf_free(&p->tokens);
    arena_free(&p->a);
    fixture_end(&p->f);
    test_free(p);
    return 0;
}

static void on_sentence(void *user, const char *text, const struct answer_sentence *s) {
    struct play *p = user;
    size_t blank = strspn(text, " \n");
    p->wrong = p->wrong || s->start != p->told.len + blank || blank != (p->n_told > 0);
    buf_puts(&p->told, text);
    p->wrong = p->wrong || s->end != p->told.len;
    p->n_told++;
}

static void on_token(void *user, const char *text, size_t len) { buf_put(&((struct play *)user)->tokens, text, len); }

/* What must hold of every answer that a model wrote. */
static void check_sound(const struct play *p) {
    const struct answer *x = &p->answer;
    size_t at = 0;
    assert_false(p->wrong);
    assert_string_equal(p->told.data, x->text); /* told in parts, it is the whole */
    assert_int_equal(p->n_told, x->n_sentences);
    assert_int_equal(strlen(x->text), x->sentences[x->n_sentences - 1].end);
    for (size_t i = 0; i < x->n_sentences; i++) {
        const struct answer_sentence *s = &x->sentences[i];
        char markers[64] = "";
        assert_true(s->start >= at && s->end > s->start);
        assert_true(x->text[s->start] != ' ' && x->text[s->start] != '\n' && x->text[s->end - 1] != ' ');
        assert_int_equal(s->start - at, i ? 1 : 0); /* one blank or line break between */
        assert_int_equal(s->support == QA_SUPPORT_NONE, s->n_citations == 0);
        for (size_t k = 0; k < s->n_citations; k++) {
            bool cited = false;
            sprintf(markers + strlen(markers), " [%zu]", s->citations[k]);
            for (size_t c = 0; c < x->n_citations; c++)
                cited = cited || x->citations[c].rank == s->citations[k];
            assert_true(cited);
        }
        assert_true(s->end - s->start > strlen(markers));
        assert_memory_equal(x->text + s->end - strlen(markers), markers, strlen(markers));
        at = s->end;
    }
    for (size_t i = 0; i < x->n_citations; i++) {
        const struct answer_citation *c = &x->citations[i];
        const struct index_passage *passage = &p->f.hits[c->rank - 1].passage;
        assert_true(c->rank >= 1 && c->rank <= p->f.found.n_hits && c->start >= passage->start && c->end <= passage->end && c->start < c->end);
        assert_int_equal(c->quote_len, c->end - c->start);
        assert_memory_equal(c->quote, passage->text + (c->start - passage->start), c->quote_len);
        assert_int_equal(strlen(c->quote), c->quote_len);
        assert_non_null(strstr(passage->map.plain, c->quote_plain));
        for (size_t k = 0; k < i; k++)
            assert_true(x->citations[k].start != c->start || x->citations[k].end != c->end);
    }
}

static qa_status play(struct play *p, const char *question, const char *const *pieces) {
    struct fixture *f = &p->f;
    arena_free(&p->a);
    buf_reset(&p->told);
    buf_reset(&p->tokens);
    buf_puts(&p->told, "");
    buf_puts(&p->tokens, "");
    p->n_told = 0;
    p->wrong = false;
    atomic_store(&p->cancel, 0);
    f->err = (qa_error){0};
    fixture_ask(f, question, NULL);
    assert_int_equal(answer_extract(f->words, &p->a, &f->found, &p->answer, &f->err), QA_OK);
    assert_false(p->answer.refused);
    p->fake.pieces = pieces;
    p->fake.calls = p->fake.counts = 0;
    p->g = (struct answer_generation){.generator = fake_generator_port(&p->fake), .turns = p->g.turns, .n_turns = p->g.n_turns,
                                      .cancel = &p->cancel, .on_sentence = on_sentence, .on_token = on_token, .user = p};
    p->g.generator.context = p->context;
    qa_status status = answer_generate(f->words, &p->a, &f->found, &p->g, &p->answer, &f->err);
    if (status == QA_OK && p->answer.generated)
        check_sound(p);
    if (status == QA_OK && !p->answer.generated)
        assert_int_equal(p->n_told, 0);
    return status;
}

static void play_whole(struct play *p, const char *question, const char *script) {
    const char *pieces[] = {script, NULL};
    if (play(p, question, pieces) != QA_OK)
        fail_msg("%s: %s", script, p->f.err.message);
}

#endif
