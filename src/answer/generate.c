/* A language model writes; what it writes is cut into sentences as it comes, and each is released whole, after its check, never taken back.
 *
 * A sentence that no passage supports is not shown. When that is the first one the model is on a wrong track: it is stopped, and the extractive answer stands, whose
 * sentences are the documents' own. "Yes." and "To do this:" wait for the sentence behind them and stand or fall with it. Markers that the model writes
 * are dropped; the citations are found by the check (check.c). At the end the best unit is added, verbatim, if the model has not said it: a small
 * model leaves out what it could have said (docs/answering.md). */
#include "answer/answer_internal.h"
#include "text/sentences.h"
#include <string.h>

enum {
    ANSWER_TOKENS = 160,        /* the longest answer */
    TEXT_MAX = 64 * 1024,
    SENTENCES_MAX = 64,
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
    struct waiting waiting; /* text NULL: none */
    struct answer_sentence *sentences;
    struct answer_citation *citations;
    size_t n_sentences, n_citations;
    const char *said[SENTENCES_MAX]; /* sentences that were read, to tell repetition */
    size_t n_said;
    bool failed, full, newline; /* no memory; enough sentences; a line break came before what is read next */
    bool astray;                /* the first sentence stands nowhere */
};

/* ---- One sentence ---- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Length of a marker such as [2], [1, 3] or [^1] at s; 0: none. */
static size_t marker(const char *s, size_t n) {
    size_t i = 1, digits = 0;
    if (!n || s[0] != '[')
        return 0;
    for (; i < n && (is_digit(s[i]) || strchr(" ,^", s[i])); i++)
        digits += is_digit(s[i]);
    return digits && i < n && s[i] == ']' && i < 24 ? i + 1 : 0;
}

/* A copy without markers and without what surrounds it. */
static char *clean(struct arena *a, const char *s, size_t n) {
    char *out = arena_alloc(a, n + 1);
    size_t at = 0;
    bool code = false;
    for (size_t i = 0; out && i < n;) {
        size_t skip = code ? 0 : marker(s + i, n - i); /* `argv[1]` is none */
        code = code != (s[i] == '`');
        if (skip) {
            while (at && out[at - 1] == ' ')
                at--;
            i += skip;
            continue;
        }
        if (at || s[i] != ' ') /* behind a marker at the beginning */
            out[at++] = s[i];
        i++;
    }
    while (out && at && strchr(" \t\r\n", out[at - 1]))
        at--;
    if (out)
        out[at] = '\0';
    return out;
}

static bool was_said(const struct stream *s, const char *text) {
    for (size_t i = 0; i < s->n_said; i++)
        if (strcmp(s->said[i], text) == 0)
            return true;
    return false;
}

static void put_marker(struct stream *s, const struct answer_sentence *sentence) {
    for (size_t i = 0; i < sentence->n_citations; i++)
        buf_printf(&s->text, " [%zu]", sentence->citations[i]);
}

/* Each stretch once. */
static void add_citation(struct stream *s, const struct answer_citation *c) {
    for (size_t i = 0; i < s->n_citations; i++)
        if (s->citations[i].rank == c->rank && s->citations[i].start == c->start && s->citations[i].end == c->end)
            return;
    if (s->n_citations < CITATIONS_MAX)
        s->citations[s->n_citations++] = *c;
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
    const char *before = s->n_sentences ? w->before : "";
    buf_puts(&s->text, before);
    out->start = s->text.len;
    buf_puts(&s->text, w->text);
    put_marker(s, out);
    out->end = s->text.len;
    s->n_sentences++;
    if (s->text.status == QA_OK && s->g->on_sentence)
        s->g->on_sentence(s->g->user, before, s->text.data + out->start, out);
}

/* Does what waits go with this sentence? "Yes." does not introduce a denial, nor "No." anything else. */
static bool goes_with(const struct waiting *w, const struct answer_support *support, const char *text) {
    bool denies = support->negated || strstr(text, "only");
    return !(w->yes && denies) && !(w->no && !denies);
}

/* One sentence of the model, with what stood before it. */
static void take(struct stream *s, const char *from, size_t n, bool newline) {
    struct answer_support support = {0};
    struct waiting w = {.before = newline ? "\n" : " ", .text = clean(s->w->a, from, n)};
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
        s->waiting = w;
        return;
    }
    if (support.support == QA_SUPPORT_NONE) {
        s->waiting.text = NULL;
        s->astray = !s->n_sentences;
        return;
    }
    if (s->waiting.text && goes_with(&s->waiting, &support, w.text))
        release(s, &s->waiting, s->waiting.support.support == QA_SUPPORT_NONE ? NULL : &s->waiting.support);
    s->waiting.text = NULL;
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
            found = theirs[k].kind != WORD_EXACT && theirs[k].norm_len == ours[i].norm_len && memcmp(theirs[k].norm, ours[i].norm, ours[i].norm_len) == 0;
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
    *added = best.sentences[0];
    buf_puts(&s->text, apart ? "\n" : " ");
    added->start = s->text.len;
    buf_puts(&s->text, best.text);
    added->end = s->text.len;
    for (size_t i = 0; i < best.n_citations; i++)
        add_citation(s, &best.citations[i]);
    if (s->text.status == QA_OK && s->g->on_sentence)
        s->g->on_sentence(s->g->user, apart ? "\n" : " ", s->text.data + added->start, added);
}

/* ---- The stream ---- */

/* Does nothing stand here but what may open a sentence? Whether it does is told by what follows. */
static bool may_go_on(const char *s, size_t n) {
    static const char *const openers[] = {"(", "[", "\"", "'", "*", "_", "`", "\xE2\x80\x9C", "\xE2\x80\x98"};
    size_t at = 0;
    for (bool opens = true; opens && at < n;) {
        opens = false;
        for (size_t i = 0; !opens && i < sizeof openers / sizeof *openers; i++) {
            size_t len = strlen(openers[i]);
            opens = len <= n - at && memcmp(s + at, openers[i], len) == 0;
            at += opens ? len : 0;
        }
    }
    return at == n;
}

/* Cuts off and takes the whole sentences that stand at the beginning of what came: those behind which something follows, or all at the end. */
static void cut(struct stream *s, bool end) {
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
        size_t stop = sentence_end(from, room, 0, &next);
        if (!line && !end && may_go_on(from + next, room - next))
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
        cut(s, false);
    return s->raw.status == QA_OK && !s->failed && !s->full && !s->astray;
}

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

static qa_status say(struct answer_generation *g, struct arena *a, qa_error *err, const char *format, const char *why) {
    g->notice = arena_printf(a, format, why);
    return g->notice ? QA_OK : arena_error(a, err, "writing the answer");
}

/* What became of it: the words, or the extractive answer and why it stands. */
static qa_status settle(struct stream *s, qa_status status, const qa_error *said, struct answer *out, qa_error *err) {
    struct answer_generation *g = s->g;
    struct arena *a = s->w->a;
    if (status == QA_OK && (s->failed || s->raw.status == QA_NO_MEMORY))
        return error_no_memory(err, "writing the answer");
    if (status == QA_NO_MEMORY)
        return error_set(err, status, "%s", said->message);
    g->stopped = status == QA_CANCELLED;
    if (!s->n_sentences) {
        if (g->stopped)
            return error_set(err, status, "%s", said->message);
        if (status != QA_OK)
            return say(g, a, err, "answered with sentences of the documents: %s", said->message);
        g->discarded = true;
        return QA_OK;
    }
    if (status != QA_OK && !g->stopped && say(g, a, err, "the answer broke off: %s", said->message) != QA_OK)
        return QA_NO_MEMORY;
    return finish(s, out, err);
}

qa_status answer_generate(struct words *words, struct arena *a, const struct search_result *found, struct answer_generation *g, struct answer *out,
                          qa_error *err) {
    struct answer_work work;
    struct stream s = {.w = &work, .g = g};
    qa_error said = {0};
    qa_status status = answer_prepare(words, a, found, &work, err);
    if (status != QA_OK)
        return status;
    status = answer_make_prompt(&work, g, ANSWER_TOKENS, &said);
    if (status != QA_OK)
        return settle(&s, status, &said, out, err);
    s.sentences = arena_array(a, SENTENCES_MAX, sizeof *s.sentences);
    s.citations = arena_array(a, CITATIONS_MAX, sizeof *s.citations);
    if (!s.sentences || !s.citations)
        return arena_error(a, err, "writing the answer");
    buf_init(&s.raw, TEXT_MAX);
    buf_init(&s.text, TEXT_MAX);
    const struct generator_request request = {.messages = g->messages, .n_messages = g->n_messages, .max_tokens = ANSWER_TOKENS, .piece = piece, .user = &s,
                                              .cancel = g->cancel};
    status = g->generator.ops->generate(g->generator.self, &request, &g->result, &said);
    if (status == QA_OK && s.raw.status == QA_OK && s.raw.data && g->result.end == GENERATOR_DONE)
        cut(&s, true);
    if (status == QA_OK && s.n_sentences)
        add_best(&s);
    status = settle(&s, status, &said, out, err);
    buf_free(&s.raw);
    buf_free(&s.text);
    return status;
}
