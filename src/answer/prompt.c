/* What the model reads. The stable part comes first, so that it is read once and kept: instructions and worked examples.
 * Then the recent turns, then the excerpts, best last, and the question.
 *
 * Not whole passages but their best units: the facts stand in a few sentences, and a small model given more names the wrong
 * thing of a passage that holds the right one. docs/answering.md has the figures.
 *
 * What does not fit the model's context is left out: the oldest turns first, then units from the worst. Tokens are
 * counted by the generator, piece by piece and each piece once; what its form of a conversation adds is reckoned with a
 * margin, since only it knows the form. Where somebody else's tokenizer is estimated, the estimate is on the high side,
 * and so is the sum. */
#include "answer/answer_internal.h"
#include "base/utf8.h"
#include <string.h>

enum {
    UNITS = 4,
    EXCERPT_WORDS = 80,        /* of one unit; the rest of a longer one is left out */
    ITEM_LEAD_WORDS = 30, OTHER_LEAD_WORDS = 25, /* the longest lead-in that is told */
    COLUMN_MAX = 40,           /* bytes of a column's name */
    HEADINGS = 2,              /* the last of title and heading path */
    BARE_QUESTION = 3,         /* content words: a question of no more is told with the one before it */
    EARLIER_QUESTION_MAX = 300, /* bytes of that one */
    EARLIER_ANSWER_MAX = 600,  /* bytes of an earlier answer that are told */
    PROMPT_MAX = 256 * 1024,
    FIXED_MESSAGES = 5,        /* the instruction, two examples */
    TURNS_TOKENS = 400,        /* of earlier turns */
    CONTEXT_UNKNOWN = 4096,    /* tokens that a model is taken to hold where nobody says how many */
    MESSAGE_TOKENS = 8,        /* what a model's form may put around a message; ChatML and Llama 3 put 5 */
    MARGIN = 32,               /* for the form as a whole, and for pieces that give a token more when they stand together */
};

static const char instruction[] =
    "You answer questions about software from excerpts of its documentation. Answer with the sentences of the excerpts that "
    "answer the question, in full, with all names, numbers, values and conditions exactly as written. Begin the answer to a "
    "yes or no question with Yes or No.";

static const char *const examples[][2] = {
    {"Documentation:\n\n## Backups > Restore a backup\nChoose Restore to open the wizard.\n\n## Backups > Retention\n"
     "- `retain_days`: The number of days that a backup is kept. The default is 35 days, the maximum is 365 days.\n"
     "Backups that are older are deleted automatically.\n\nQuestion: how long are backups kept, can I change that?",
     "The number of days that a backup is kept is set with `retain_days`. The default is 35 days, the maximum is 365 days. "
     "Backups that are older are deleted automatically."},
    {"Documentation:\n\n## Snapshots\nA snapshot is a copy of a volume.\n\n## Sharing > Share a backup\n"
     "To share a backup, use the ShareBackup API with the account ID.\n"
     "Encrypted backups cannot be shared with other accounts, only copied within the account.\n\n"
     "Question: may I share an encrypted backup with a partner's account?",
     "No. Encrypted backups cannot be shared with other accounts, only copied within the account."},
};

/* What is being put together. */
struct prompt {
    struct answer_work *w;
    struct answer_generation *g;
    struct buf b;                    /* the piece that is being written */
    const struct unit *units[UNITS]; /* in the order of worth */
    size_t n_units;
    size_t context, needed;          /* tokens: what the model holds; what is needed so far, the answer included */
};

static qa_status count(struct prompt *p, const char *text, size_t n, size_t *sum, qa_error *err) {
    size_t tokens = 0;
    const struct generator_port *g = &p->g->generator;
    qa_status status = g->ops->count_tokens(g->self, text, n, &tokens, err);
    *sum += tokens;
    return status;
}

/* ---- Excerpts ---- */

/* The best units, each text once; `best` is in the order of worth. */
static size_t choose(const struct answer_work *w, const struct unit *best[UNITS]) {
    size_t n = 0;
    for (; n < w->n_chosen && n < UNITS; n++)
        best[n] = w->chosen[n];
    while (n < UNITS) {
        const struct unit *next = NULL;
        for (size_t i = 0; i < w->units.n; i++) {
            const struct unit *u = &w->units.items[i];
            bool taken = u->repeated;
            for (size_t k = 0; k < n && !taken; k++)
                taken = best[k] == u;
            if (!taken && (!next || u->score > next->score))
                next = u;
        }
        if (!next)
            break;
        best[n++] = next;
    }
    return n;
}

/* In one line. */
static void put_words(struct buf *b, const char *text, size_t n) {
    size_t words = 0;
    for (size_t i = 0; i < n; i++) {
        bool space = text[i] == ' ' || text[i] == '\n' || text[i] == '\t';
        words += space;
        if (words >= EXCERPT_WORDS) {
            buf_puts(b, " ...");
            return;
        }
        buf_putc(b, space ? ' ' : text[i]);
    }
}

static void put_span(struct buf *b, const struct index_passage *p, struct span s) {
    put_words(b, p->map.plain + s.from, s.to - s.from);
}

/* "Column: cell; Column: cell" */
static void put_row(struct buf *b, const struct index_passage *p, const struct unit *u) {
    struct span cells[ANSWER_CELLS_MAX], names[ANSWER_CELLS_MAX];
    size_t n = answer_cells(p->map.plain, u->text, cells);
    size_t n_names = span_is(u->header) ? answer_cells(p->map.plain, u->header, names) : 0;
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (!span_is(cells[i]))
            continue;
        if (any)
            buf_puts(b, "; ");
        if (i < n_names && n <= n_names && span_is(names[i]) && names[i].to - names[i].from < COLUMN_MAX) {
            put_span(b, p, names[i]);
            buf_puts(b, ": ");
        }
        put_span(b, p, cells[i]);
        any = true;
    }
}

static struct span lead_of(const struct answer_work *w, const struct unit *u) {
    return answer_lead_within(w, u, u->kind == AS_ITEM ? ITEM_LEAD_WORDS : OTHER_LEAD_WORDS);
}

static void put_lead(struct buf *b, const struct index_passage *p, struct span lead) {
    put_span(b, p, lead);
    buf_putc(b, '\n');
}

static void put_unit(struct buf *b, const struct answer_work *w, const struct unit *u) {
    const struct index_passage *p = passage_of(w, u);
    const char *plain = p->map.plain;
    size_t term = u->term.to - u->term.from;
    buf_puts(b, u->kind == AS_ITEM || u->kind == AS_ROW ? "- " : "");
    if (term && !answer_contains(plain + u->text.from, u->text.to - u->text.from, plain + u->term.from, term)) {
        put_span(b, p, u->term);
        buf_puts(b, ": ");
    }
    if (u->kind == AS_ROW)
        put_row(b, p, u);
    else
        put_span(b, p, u->text);
    buf_putc(b, '\n');
}

static void put_heading(struct buf *b, const struct index_passage *p) {
    bool title = !p->n_heading || strcmp(p->heading[0], p->title) != 0;
    size_t all = p->n_heading + title, first = all > HEADINGS ? all - HEADINGS : 0;
    buf_puts(b, "\n## ");
    for (size_t i = first; i < all; i++)
        buf_printf(b, "%s%s", i > first ? " > " : "", title ? (i ? p->heading[i - 1] : p->title) : p->heading[i]);
    buf_putc(b, '\n');
}

/* By passage, the one with the best unit last; within a passage as they stand there. A lead-in is said once for what
 * follows it. */
static void put_excerpts(struct prompt *p) {
    const struct answer_work *w = p->w;
    size_t order[UNITS], n_order = 0;
    bool seen[ANSWER_PASSAGES] = {0};
    for (size_t i = 0; i < p->n_units; i++)
        if (!seen[p->units[i]->passage]) {
            seen[p->units[i]->passage] = true;
            order[n_order++] = p->units[i]->passage;
        }
    while (n_order--) {
        struct span said = {0};
        const struct index_passage *passage = &w->found->hits[order[n_order]].passage;
        put_heading(&p->b, passage);
        for (const struct unit *after = NULL, *next;; after = next) {
            next = NULL;
            for (size_t i = 0; i < p->n_units; i++) {
                const struct unit *u = p->units[i];
                if (u->passage == order[n_order] && (!after || u > after) && (!next || u < next))
                    next = u;
            }
            if (!next)
                break;
            struct span lead = lead_of(w, next);
            if (span_is(lead) && lead.to != said.to) {
                put_lead(&p->b, passage, lead);
                said = lead;
            }
            put_unit(&p->b, w, next);
        }
    }
}

/* What unit i needs beyond the better ones: itself, and its heading and lead-in where none of them has these. */
static qa_status count_unit(struct prompt *p, size_t i, size_t *tokens, qa_error *err) {
    const struct unit *u = p->units[i];
    const struct index_passage *passage = passage_of(p->w, u);
    struct span lead = lead_of(p->w, u);
    bool heading = true, introduced = !span_is(lead);
    for (size_t k = 0; k < i; k++) {
        bool same = p->units[k]->passage == u->passage;
        heading = heading && !same;
        introduced = introduced || (same && lead_of(p->w, p->units[k]).to == lead.to);
    }
    buf_reset(&p->b);
    if (heading)
        put_heading(&p->b, passage);
    if (!introduced)
        put_lead(&p->b, passage, lead);
    put_unit(&p->b, p->w, u);
    qa_status status = buf_error(&p->b, err, "the prompt");
    return status == QA_OK ? count(p, p->b.data, p->b.len, tokens, err) : status;
}

static qa_status too_small(const struct prompt *p, size_t needed, qa_error *err) {
    const struct generator_port *g = &p->g->generator;
    return error_set(err, QA_TOO_LARGE,
                     "the model %.100s %s %zu tokens, and the question with one passage and an answer of up to %zu "
                     "takes about %zu; give the model a larger context or ask in fewer words",
                     g->name,
                     g->context ? "has a context of" : "does not say how large its context is, which is taken to be",
                     p->context, p->g->max_tokens, needed);
}

/* Keeps the best units that fit, one at least. *all: nothing had to be left out. */
static qa_status keep_units(struct prompt *p, bool *all, qa_error *err) {
    size_t fit = 0;
    for (; fit < p->n_units; fit++) {
        size_t tokens = 0;
        qa_status status = count_unit(p, fit, &tokens, err);
        if (status != QA_OK)
            return status;
        if (p->needed + tokens > p->context) {
            if (fit == 0)
                return too_small(p, p->needed + tokens, err);
            break;
        }
        p->needed += tokens;
    }
    *all = fit == p->n_units;
    p->n_units = fit;
    return QA_OK;
}

/* ---- Turns ---- */

/* Cut behind a word where one ends soon enough. `text` has `most` bytes and more; 4 further ones are there. */
static void cut_short(char *text, size_t most) {
    size_t end = most;
    while (end > most / 2 && text[end] != ' ' && text[end] != '\n')
        end--;
    strcpy(text + (end > most / 2 ? end : utf8_floor(text, most)), " ...");
}

/* Answers without their markers, cut: they are there so that "it" can be understood. */
static char *told_answer(struct arena *a, const char *text) {
    char *out = answer_without_markers(a, text ? text : "", text ? strlen(text) : 0);
    if (!out || strlen(out) <= EARLIER_ANSWER_MAX + 4)
        return out;
    cut_short(out, EARLIER_ANSWER_MAX);
    return out;
}

/* The newest turns that fit the budget, oldest first. `none`: units had to go already. */
static qa_status put_turns(struct prompt *p, bool none, struct generator_message *to, size_t *n, qa_error *err) {
    struct answer_generation *g = p->g;
    size_t used = 0, first = g->n_turns;
    char **answers = arena_array(p->w->a, g->n_turns, sizeof *answers);
    if (!answers)
        return arena_error(p->w->a, err, "writing the prompt");
    while (first && !none) {
        const struct answer_turn *t = &g->turns[first - 1];
        size_t tokens = 0;
        if (!(answers[first - 1] = told_answer(p->w->a, t->answer)))
            return arena_error(p->w->a, err, "writing the prompt");
        if (!*answers[first - 1]) { /* a refusal teaches the model to refuse */
            first--;
            continue;
        }
        qa_status status = count(p, t->question, strlen(t->question), &tokens, err);
        if (status == QA_OK)
            status = count(p, answers[first - 1], strlen(answers[first - 1]), &tokens, err);
        if (status != QA_OK)
            return status;
        if (used + tokens > TURNS_TOKENS || p->needed + tokens + 2 * MESSAGE_TOKENS > p->context)
            break;
        used += tokens;
        p->needed += tokens + 2 * MESSAGE_TOKENS;
        first--;
    }
    g->dropped_turns = first;
    for (size_t i = first; i < g->n_turns; i++) {
        if (!*answers[i])
            continue;
        to[(*n)++] = (struct generator_message){GENERATOR_USER, g->turns[i].question};
        to[(*n)++] = (struct generator_message){GENERATOR_ASSISTANT, answers[i]};
    }
    return QA_OK;
}

/* ---- The whole ---- */

static int count_word(void *user, const struct word *word) {
    *(size_t *)user += word->kind != WORD_EXACT && !word->stop;
    return 0;
}
static size_t content_words(struct answer_work *w, const char *text) {
    size_t n = 0;
    words_each(w->words, text, strlen(text), count_word, &n);
    return n;
}

/* "Question: ..." On a line of its own the model would answer the question before. */
static qa_status write_question(struct prompt *p, const char **out, qa_error *err) {
    const struct answer_generation *g = p->g;
    const char *question = p->w->found->question;
    buf_reset(&p->b);
    buf_printf(&p->b, "\nQuestion: %s", question);
    if (g->n_turns && content_words(p->w, question) <= BARE_QUESTION) {
        const char *earlier = g->turns[g->n_turns - 1].question;
        size_t n = strlen(earlier);
        char *copy = arena_copy(p->w->a, earlier, n);
        if (!copy)
            return arena_error(p->w->a, err, "writing the prompt");
        if (n > EARLIER_QUESTION_MAX + 4)
            cut_short(copy, EARLIER_QUESTION_MAX);
        buf_puts(&p->b, " (asked after: ");
        put_words(&p->b, copy, strlen(copy));
        buf_putc(&p->b, ')');
    }
    qa_status status = buf_error(&p->b, err, "the prompt");
    *out = status == QA_OK ? arena_copy(p->w->a, p->b.data, p->b.len) : NULL;
    return status == QA_OK && !*out ? arena_error(p->w->a, err, "writing the prompt") : status;
}

static qa_status write_prompt(struct prompt *p, struct generator_message *m, size_t *n, qa_error *err) {
    static const char opening[] = "Documentation:\n";
    const char *question = NULL;
    bool all = true;
    qa_status status = write_question(p, &question, err);
    if (status == QA_OK)
        status = count(p, opening, strlen(opening), &p->needed, err);
    if (status == QA_OK)
        status = count(p, question, strlen(question), &p->needed, err);
    for (size_t i = 0; status == QA_OK && i < *n; i++)
        status = count(p, m[i].text, strlen(m[i].text), &p->needed, err);
    p->needed += p->g->max_tokens + (*n + 2) * MESSAGE_TOKENS + MARGIN; /* and the question, and the answer's beginning */
    if (status == QA_OK)
        status = keep_units(p, &all, err);
    if (status == QA_OK)
        status = put_turns(p, !all, m, n, err);
    if (status != QA_OK)
        return status;
    buf_reset(&p->b);
    buf_puts(&p->b, opening);
    put_excerpts(p);
    buf_puts(&p->b, question);
    status = buf_error(&p->b, err, "the prompt");
    if (status != QA_OK)
        return status;
    m[*n] = (struct generator_message){GENERATOR_USER, arena_copy(p->w->a, p->b.data, p->b.len)};
    return m[(*n)++].text ? QA_OK : arena_error(p->w->a, err, "writing the prompt");
}

qa_status answer_make_prompt(struct answer_work *w, struct answer_generation *g, qa_error *err) {
    struct prompt p = {.w = w, .g = g, .context = g->generator.context ? g->generator.context : CONTEXT_UNKNOWN};
    struct generator_message *m = arena_array(w->a, FIXED_MESSAGES + 2 * g->n_turns + 1, sizeof *m);
    size_t n = 0;
    if (!m)
        return arena_error(w->a, err, "writing the prompt");
    m[n++] = (struct generator_message){GENERATOR_SYSTEM, instruction};
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        m[n++] = (struct generator_message){GENERATOR_USER, examples[i][0]};
        m[n++] = (struct generator_message){GENERATOR_ASSISTANT, examples[i][1]};
    }
    p.n_units = choose(w, p.units);
    buf_init(&p.b, PROMPT_MAX);
    qa_status status = write_prompt(&p, m, &n, err);
    buf_free(&p.b);
    if (status == QA_OK) {
        g->messages = m;
        g->n_messages = n;
    }
    return status;
}
