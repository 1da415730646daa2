/* A language model writes; what it writes is cut into sentences as it comes, and each is released whole, after its check,
 * never taken back.
 *
 * A sentence that no passage supports is not shown. When that is the first one the model is on a wrong track: it is
 * stopped, and the extractive answer stands, whose sentences are the documents' own. "Yes." and "To do this:" wait for
 * the sentence behind them, also both one after the other, and stand or fall with it. Markers that the model writes are
 * dropped; the citations are found by the check (check.c). At the end the best unit is added, verbatim, if the model has
 * not said it: a small model leaves out what it could have said (docs/answering.md). */
#include "answer/answer_internal.h"
#include "text/sentences.h"
#include <string.h>

enum {
    GENERATED_MAX = 160,        /* the model's tokens in the longest answer */
    SENTENCES_MAX = 64,
    RAW_MAX = 64 * 1024,        /* of what waits for the end of its sentence */
    TEXT_MAX = (SENTENCES_MAX + 1) * RAW_MAX,
    CITATIONS_MAX = 192,
    REPEATED = 8,               /* bytes: a longer line that comes again ends the answer */
};

struct waiting { /* a sentence that has been read and not been released */
    const char *before, *text;
    bool yes, no;
    struct answer_support support; /* an introduction may be supported itself, and still waits for what it introduces */
};
static const double SAID_FROM = 0.8; /* of its words: then the best unit was said */

struct stream {
    struct answer_work *w;
    struct answer_generation *g;
    struct buf raw;             /* what came and was not cut into sentences yet */
    struct buf text;            /* the answer so far */
    struct waiting waiting[SENTENCES_MAX]; /* in the order in which they came */
    size_t n_waiting;
    struct answer_sentence *sentences;
    struct answer_citation *citations;
    size_t n_sentences, n_citations;
    const char *said[SENTENCES_MAX]; /* sentences that were read, to tell repetition */
    size_t n_said;
    bool failed, full, newline; /* no memory; enough sentences; a line break came before what is read next */
    bool astray;                /* the first sentence stands nowhere */
    bool wrote;                 /* something that is no white space */
};

/* ---- One sentence ---- */

static bool was_said(const struct stream *s, const char *text) {
    for (size_t i = 0; i < s->n_said; i++)
        if (strcmp(s->said[i], text) == 0)
            return true;
    return false;
}

static void put_marker(struct stream *s, const struct answer_sentence *sentence) {
    for (size_t i = 0; i < sentence->n_citations; i++)
        answer_put_marker(&s->text, sentence->citations[i]);
}

/* Each stretch once. */
static void add_citation(struct stream *s, const struct answer_citation *c) {
    for (size_t i = 0; i < s->n_citations; i++)
        if (s->citations[i].rank == c->rank && s->citations[i].start == c->start && s->citations[i].end == c->end)
            return;
    if (s->n_citations < CITATIONS_MAX)
        s->citations[s->n_citations++] = *c;
}

/* `from`: where what stands before the sentence begins. */
static void tell(struct stream *s, size_t from, const struct answer_sentence *sentence) {
    if (s->text.status == QA_OK && s->g->on_sentence)
        s->g->on_sentence(s->g->user, s->text.data + from, sentence);
}

static void release(struct stream *s, const struct waiting *w, const struct answer_support *support) {
    struct answer_sentence *out = &s->sentences[s->n_sentences];
    *out = (struct answer_sentence){.support = support ? support->support : QA_SUPPORT_NONE};
    out->citations = arena_array(s->w->a, support ? support->n : 0, sizeof *out->citations);
    if (!out->citations) {
        s->failed = true;
        return;
    }
    for (size_t i = 0; support && i < support->n; i++) {
        size_t rank = support->cited[i].rank;
        bool known = false;
        for (size_t k = 0; k < out->n_citations; k++)
            known = known || out->citations[k] == rank;
        if (!known)
            out->citations[out->n_citations++] = rank;
        add_citation(s, &support->cited[i]);
    }
    size_t from = s->text.len;
    buf_puts(&s->text, s->n_sentences ? w->before : "");
    out->start = s->text.len;
    buf_puts(&s->text, w->text);
    put_marker(s, out);
    out->end = s->text.len;
    s->n_sentences++;
    tell(s, from, out);
}

/* Does what waits go with this sentence? "Yes." does not introduce a denial, nor "No." anything else. */
static bool goes_with(const struct waiting *w, const struct answer_support *support, const char *text) {
    bool denies = support->negated || strstr(text, "only");
    return !(w->yes && denies) && !(w->no && !denies);
}

static void release_waiting(struct stream *s, const struct answer_support *support, const char *text) {
    for (size_t i = 0; i < s->n_waiting && !s->failed; i++) {
        const struct waiting *w = &s->waiting[i];
        if (goes_with(w, support, text))
            release(s, w, w->support.support == QA_SUPPORT_NONE ? NULL : &w->support);
    }
    s->n_waiting = 0;
}

/* One sentence of the model, with what stood before it. */
static void take(struct stream *s, const char *from, size_t n, bool newline) {
    struct answer_support support = {0};
    struct waiting w = {.before = newline ? "\n" : " ", .text = answer_without_markers(s->w->a, from, n)};
    if (!w.text) {
        s->failed = true;
        return;
    }
    if (!*w.text || strncmp(w.text, "```", 3) == 0)
        return;
    if (was_said(s, w.text)) { /* a list that goes round in circles */
        s->full = strlen(w.text) > REPEATED;
        return;
    }
    if (s->n_said == SENTENCES_MAX) {
        s->full = true;
        return;
    }
    s->said[s->n_said++] = w.text;
    s->failed = s->failed || answer_check(s->w, w.text, &support) != QA_OK;
    if (s->failed)
        return;
    if (support.waits) {
        w.yes = support.yes;
        w.no = support.no;
        w.support = support;
        s->waiting[s->n_waiting++] = w; /* no more than were read */
        return;
    }
    if (support.support == QA_SUPPORT_NONE) {
        s->n_waiting = 0;
        s->astray = !s->n_sentences;
        return;
    }
    release_waiting(s, &support, w.text);
    if (!s->failed)
        release(s, &w, &support);
}

/* ---- What the model left out ---- */

/* The share of the content words of `text` that the answer has so far. */
static double share_said(struct stream *s, const char *text) {
    struct answer_work *w = s->w;
    struct word *ours = NULL, *theirs = NULL;
    size_t n = 0, m = 0, asked = 0, held = 0;
    s->failed = words_list(w->words, w->a, text, strlen(text), &ours, &n, NULL) != QA_OK ||
                words_list(w->words, w->a, s->text.data, s->text.len, &theirs, &m, NULL) != QA_OK;
    if (s->failed)
        return 1;
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        if (ours[i].kind == WORD_EXACT || ours[i].stop)
            continue;
        for (size_t k = 0; k < m && !found; k++)
            found = theirs[k].kind != WORD_EXACT && theirs[k].norm_len == ours[i].norm_len &&
                    memcmp(theirs[k].norm, ours[i].norm, ours[i].norm_len) == 0;
        asked++;
        held += found;
    }
    return asked ? (double)held / (double)asked : 1;
}

/* The best unit as the extractive answer would say it. */
static void add_best(struct stream *s) {
    struct answer_work one = *s->w;
    struct answer best = {0};
    if (!one.n_chosen || s->failed || s->n_sentences == SENTENCES_MAX)
        return;
    one.n_chosen = 1;
    s->failed = answer_render(&one, &best, NULL) != QA_OK;
    if (s->failed || !best.n_sentences || share_said(s, best.text) >= SAID_FROM)
        return;
    struct answer_sentence *added = &s->sentences[s->n_sentences++];
    bool apart = one.chosen[0]->kind == AS_ROW || one.chosen[0]->kind == AS_LINE;
    size_t from = s->text.len;
    *added = best.sentences[0];
    buf_puts(&s->text, apart ? "\n" : " ");
    added->start = s->text.len;
    buf_puts(&s->text, best.text);
    added->end = s->text.len;
    for (size_t i = 0; i < best.n_citations; i++)
        add_citation(s, &best.citations[i]);
    tell(s, from, added);
}

/* ---- The stream ---- */

enum so_far { MORE_COMES, BROKEN_OFF, WHOLE };

/* Cuts off and takes the sentences that stand at the beginning of what came: those behind which something follows; in a
 * text that broke off also a last one with its end stop; in a whole one all. */
static void cut(struct stream *s, enum so_far what) {
    while (!s->failed && !s->full && !s->astray) {
        size_t n = s->raw.len, skip = 0;
        while (skip < n && strchr(" \t\r\n", s->raw.data[skip])) {
            s->newline = s->newline || s->raw.data[skip] == '\n';
            skip++;
        }
        const char *from = s->raw.data + skip, *line = n > skip ? memchr(from, '\n', n - skip) : NULL;
        size_t room = line ? (size_t)(line - from) : n - skip, next = room;
        if (!room)
            break;
        s->wrote = true;
        size_t stop = sentence_end(from, room, 0, &next);
        if (!line && what == MORE_COMES && sentence_is_open(from, room, next))
            break;
        if (!line && what == BROKEN_OFF && next == room && !sentence_is_stopped(from, room))
            break;
        take(s, from, stop ? stop : room, s->newline);
        s->newline = false;
        size_t used = skip + (stop ? stop : room);
        memmove(s->raw.data, s->raw.data + used, s->raw.len - used + 1);
        s->raw.len -= used;
    }
}

static bool piece(void *user, const char *text, size_t len) {
    struct stream *s = user;
    if (s->g->on_token)
        s->g->on_token(s->g->user, text, len);
    buf_put(&s->raw, text, len);
    if (s->raw.status == QA_OK)
        cut(s, MORE_COMES);
    return s->raw.status == QA_OK && !s->failed && !s->full && !s->astray;
}

/* ---- The end ---- */

static qa_status finish(struct stream *s, struct answer *out, qa_error *err) {
    out->generated = true;
    out->text = arena_copy(s->w->a, s->text.data, s->text.len);
    out->sentences = s->sentences;
    out->n_sentences = s->n_sentences;
    out->citations = s->citations;
    out->n_citations = s->n_citations;
    qa_status status = buf_error(&s->text, err, "the answer");
    return status == QA_OK && !out->text ? arena_error(s->w->a, err, "writing the answer") : status;
}

static const char *end_name(const struct answer_generation *g, qa_status status) {
    static const char *const names[] = {
        [GENERATOR_DONE] = "done", [GENERATOR_FULL] = "full", [GENERATOR_STOPPED] = "enough", [GENERATOR_LOOPED] = "looped"};
    return status == QA_OK ? names[g->result.end] : status == QA_CANCELLED ? "cancelled" : "failed";
}

/* What a person should know of how a model ended that did not fail, or "". Whole sentences that no passage supports are
 * left out without a word: that is the rule and no accident. NULL: no memory. */
static const char *notice_of_end(const struct stream *s) {
    struct arena *a = s->w->a;
    bool tail = s->raw.len > strspn(s->raw.data ? s->raw.data : "", " \t\r\n");
    const char *name = s->g->generator.name;
    if (!s->wrote)
        return arena_printf(a, "answered with sentences of the documents: the model %.100s wrote nothing", name);
    if (s->g->result.end == GENERATOR_LOOPED && s->n_sentences)
        return arena_printf(a, "the model %.100s began to repeat itself and was stopped: something may be missing", name);
    if (s->g->result.end == GENERATOR_LOOPED)
        return arena_printf(a, "answered with sentences of the documents: the model %.100s only repeated itself", name);
    if (s->g->result.end == GENERATOR_FULL && s->n_sentences && tail)
        return arena_printf(a, "the answer was cut at %zu tokens: its last sentence was not finished and is not shown",
                            s->g->max_tokens);
    return "";
}

/* What became of it: the words, or the extractive answer and why it stands. */
static qa_status settle(struct stream *s, qa_status status, const qa_error *said, struct answer *out, qa_error *err) {
    struct answer_generation *g = s->g;
    struct arena *a = s->w->a;
    const char *notice = "";
    if (status == QA_OK && (s->failed || s->raw.status == QA_NO_MEMORY))
        return error_no_memory(err, "writing the answer");
    if (status == QA_NO_MEMORY || (status == QA_CANCELLED && !s->n_sentences)) {
        g->stopped = status == QA_CANCELLED;
        return error_set(err, status, "%s", said->message);
    }
    g->end = end_name(g, status);
    g->stopped = status == QA_CANCELLED;
    g->discarded = status == QA_OK && !s->n_sentences;
    if (status == QA_OK)
        notice = notice_of_end(s);
    else if (!g->stopped)
        notice = arena_printf(a, s->n_sentences ? "the answer broke off: %s" : "answered with sentences of the documents: %s",
                              said->message);
    if (!notice)
        return arena_error(a, err, "writing the answer");
    g->notice = *notice ? notice : NULL;
    return s->n_sentences ? finish(s, out, err) : QA_OK;
}

static void waiting(void *user, const char *why) {
    const struct stream *s = user;
    s->g->on_wait(s->g->user, why);
}

static qa_status write_down(struct stream *s, qa_error *err) {
    struct answer_generation *g = s->g;
    const struct generator_request request = {.messages = g->messages,
                                              .n_messages = g->n_messages,
                                              .max_tokens = g->max_tokens,
                                              .seed = g->seed,
                                              .piece = piece,
                                              .waiting = g->on_wait ? waiting : NULL,
                                              .user = s,
                                              .cancel = g->cancel};
    qa_status status = g->generator.ops->generate(g->generator.self, &request, &g->result, err);
    if (status == QA_OK && s->raw.status == QA_OK && s->raw.data && g->result.end != GENERATOR_STOPPED)
        cut(s, g->result.end == GENERATOR_DONE ? WHOLE : BROKEN_OFF);
    if (status == QA_OK && s->n_sentences)
        add_best(s);
    return status;
}

qa_status answer_generate(struct words *words, struct arena *a, const struct search_result *found,
                          struct answer_generation *g, struct answer *out, qa_error *err) {
    struct answer_work work;
    struct stream s = {.w = &work, .g = g};
    qa_error said = {0};
    g->max_tokens = GENERATED_MAX;
    qa_status status = answer_prepare(words, a, found, &work, err);
    if (status != QA_OK)
        return status;
    s.sentences = arena_array(a, SENTENCES_MAX, sizeof *s.sentences);
    s.citations = arena_array(a, CITATIONS_MAX, sizeof *s.citations);
    if (!s.sentences || !s.citations)
        return arena_error(a, err, "writing the answer");
    buf_init(&s.raw, RAW_MAX);
    buf_init(&s.text, TEXT_MAX);
    status = answer_make_prompt(&work, g, &said);
    if (status == QA_OK)
        status = write_down(&s, &said);
    status = settle(&s, status, &said, out, err);
    buf_free(&s.raw);
    buf_free(&s.text);
    return status;
}
