/* Answers token by token. What was computed stays in the context between calls: the tokens that a prompt begins with and that the last one began with too are not
 * computed again, which is most of a conversation when its stable part stands first.
 *
 * The last bits of a result depend on how many tokens were computed in one go, and near ties turn on them. So where prompts are cut depends on nothing but themselves:
 * before each message of the user, which is where conversations that begin alike part, and after LLM_BATCH tokens. Only batches that would be cut alike are used again,
 * not the tokens of an answer: a request gets the same bytes whatever was asked before.
 *
 * The likeliest token is taken by our own loop: llama.cpp's sampler would first copy the whole vocabulary for each token. */
#include "base/clock.h"
#include "base/repeat.h"
#include "llm/llm_internal.h"
#include "llm/llm_output.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct generator {
    struct llm_model m;
    struct llama_context *context;
    struct ggml_threadpool *pool;   /* llama.cpp would start and end its threads for each token */
    unsigned most_threads;
    bool fixed_threads;             /* somebody said how many */
    struct llm_prompt prompt;
    struct llm_tokens wanted;       /* the prompt */
    struct llm_tokens kept;         /* what the context holds */
    struct llm_tokens turns;        /* of the prompt: how many tokens stand before each message of the user */
    struct llm_tokens ends;         /* how many of the kept tokens each batch of their prompt ended with */
    struct llm_batch batch;
    char *text;                     /* of one token */
    size_t text_cap;
    struct repeat repeat;           /* small models fall into repeating themselves */
};

/* Forgets all but the first n tokens, and what a failed computation left behind them. Contexts that cannot forget a part (recurrent models) forget everything. */
static void keep(struct generator *g, size_t n) {
    llama_memory_t memory = llama_get_memory(g->context);
    if (n == 0 || !llama_memory_seq_rm(memory, 0, (llama_pos)n, -1)) {
        llama_memory_clear(memory, false);
        n = 0;
    }
    g->kept.n = n;
    while (g->ends.n && (size_t)g->ends.items[g->ends.n - 1] > n)
        g->ends.n--;
}

/* Before each computation, since others come and go. */
static void set_threads(struct generator *g) {
    unsigned n = g->fixed_threads ? g->most_threads : llm_free_processors();
    if (n > g->most_threads)
        n = g->most_threads;
    llama_set_n_threads(g->context, (int32_t)(n < LLM_MAX_GENERATION_THREADS ? n : LLM_MAX_GENERATION_THREADS), (int32_t)n);
}

/* Computes tokens that follow the kept ones; their room in `kept` is there. Only of the last one is it asked what comes next. */
static qa_status advance(struct generator *g, const llama_token *tokens, size_t n, bool last, qa_error *err) {
    g->batch.tokens.n_tokens = 0;
    for (size_t i = 0; i < n; i++)
        llm_batch_add(&g->batch, tokens[i], g->kept.n + i, last && i + 1 == n);
    llm_backend_forget();
    set_threads(g);
    int code = llama_decode(g->context, g->batch.tokens);
    if (code != 0) {
        qa_status status = llm_compute_error(&g->m, code, err);
        keep(g, g->kept.n);
        return status;
    }
    memcpy(g->kept.items + g->kept.n, tokens, n * sizeof *tokens);
    g->kept.n += n;
    return QA_OK;
}

/* Where the batch that begins with token `at` ends; *turn: the message of the user that comes next, counted on from call to call. */
static size_t batch_end(const struct generator *g, size_t at, size_t *turn) {
    while (*turn < g->turns.n && (size_t)g->turns.items[*turn] <= at)
        ++*turn;
    size_t next = *turn < g->turns.n ? (size_t)g->turns.items[*turn] : g->wanted.n;
    return next - at < LLM_BATCH ? next : at + LLM_BATCH;
}

/* How many tokens of the context are those of this prompt, computed in the batches in which it would compute them. */
static size_t find_reusable(const struct generator *g) {
    size_t same = 0, whole = 0, turn = 0;
    while (same < g->kept.n && same + 1 < g->wanted.n && g->kept.items[same] == g->wanted.items[same])
        same++; /* the last one is computed in any case: it says what comes next */
    for (size_t i = 0, end; i < g->ends.n && (end = batch_end(g, whole, &turn)) <= same && end == (size_t)g->ends.items[i]; i++)
        whole = end;
    return whole;
}

static qa_status read_prompt(struct generator *g, size_t *reused, qa_error *err) {
    size_t turn = 0;
    keep(g, find_reusable(g));
    *reused = g->kept.n;
    for (size_t at = g->kept.n, end; at < g->wanted.n; at = end) {
        end = batch_end(g, at, &turn);
        if (llm_cancelled(&g->m))
            return error_set(err, QA_CANCELLED, "cancelled");
        qa_status status = advance(g, g->wanted.items + at, end - at, end == g->wanted.n, err);
        if (status == QA_OK)
            status = llm_tokens_add(&g->ends, (llama_token)end, err);
        if (status != QA_OK)
            return status;
    }
    return QA_OK;
}

/* The likeliest token, the first of equals; -1 when the model gave no number at all. */
static llama_token likeliest(const float *scores, int32_t n) {
    llama_token best = -1;
    float top = -INFINITY;
    for (int32_t i = 0; i < n; i++)
        if (scores[i] > top) {
            top = scores[i];
            best = i;
        }
    return best;
}

static qa_status choose(struct generator *g, struct llama_sampler *sampler, llama_token *out, qa_error *err) {
    const float *scores = llama_get_logits_ith(g->context, -1);
    llama_token best = scores ? likeliest(scores, llama_vocab_n_tokens(g->m.vocab)) : -1;
    if (best < 0)
        return error_set(err, QA_CORRUPT, "the model %s gives no usable numbers; its file may be damaged", g->m.name);
    *out = sampler ? llama_sampler_sample(sampler, g->context, -1) : best;
    return QA_OK;
}

static qa_status token_text(struct generator *g, llama_token token, size_t *len, qa_error *err) {
    int32_t n = llama_token_to_piece(g->m.vocab, token, g->text, (int32_t)g->text_cap, 0, false);
    if (n < 0 && -n <= LLM_MAX_PIECE) {
        char *grown = realloc(g->text, (size_t)-n);
        if (!grown)
            return error_no_memory(err, "writing an answer");
        g->text = grown;
        g->text_cap = (size_t)-n;
        n = llama_token_to_piece(g->m.vocab, token, g->text, (int32_t)g->text_cap, 0, false);
    }
    if (n < 0)
        return error_set(err, QA_CORRUPT, "the model %s: the text of its token %d cannot be read", g->m.name, token);
    *len = (size_t)n;
    return QA_OK;
}

static struct llama_sampler *make_sampler(const struct generator_request *request) {
    struct llama_sampler *chain = llama_sampler_chain_init(llama_sampler_chain_default_params());
    uint32_t seed = request->seed == LLAMA_DEFAULT_SEED ? 0 : request->seed; /* that one would mean: by chance */
    llama_sampler_chain_add(chain, llama_sampler_init_top_k(40));
    llama_sampler_chain_add(chain, llama_sampler_init_top_p(0.95f, 1));
    llama_sampler_chain_add(chain, llama_sampler_init_min_p(0.05f, 1));
    llama_sampler_chain_add(chain, llama_sampler_init_temp(request->temperature));
    llama_sampler_chain_add(chain, llama_sampler_init_dist(seed));
    return chain;
}

static qa_status write_answer(struct generator *g, const struct generator_request *request, struct llama_sampler *sampler, double started,
                              struct generator_result *out, qa_error *err) {
    struct llm_output output;
    llm_output_begin(&output, request->piece, request->user);
    repeat_begin(&g->repeat, &repeat_tokens);
    out->end = GENERATOR_FULL;
    while (out->generated_tokens < request->max_tokens) {
        llama_token token = 0;
        size_t len = 0;
        qa_status status = choose(g, sampler, &token, err);
        if (status != QA_OK)
            return status;
        if (llama_vocab_is_eog(g->m.vocab, token)) {
            out->end = GENERATOR_DONE;
            break;
        }
        out->generated_tokens++;
        if ((status = token_text(g, token, &len, err)) != QA_OK)
            return status;
        bool more = llm_output_put(&output, g->text, len);
        if (output.any)
            out->first_token_ms = output.first_ms - started;
        if (!more) {
            out->end = GENERATOR_STOPPED;
            return QA_OK;
        }
        if (repeat_add(&g->repeat, token)) {
            out->end = GENERATOR_LOOPED;
            break;
        }
        if (llm_cancelled(&g->m))
            return error_set(err, QA_CANCELLED, "cancelled");
        if (out->generated_tokens < request->max_tokens && (status = advance(g, &token, 1, true, err)) != QA_OK)
            return status;
    }
    if (!llm_output_end(&output))
        out->end = GENERATOR_STOPPED;
    if (output.any)
        out->first_token_ms = output.first_ms - started;
    return QA_OK;
}

static qa_status check_request(const struct generator_request *request, qa_error *err) {
    size_t n = request->n_messages;
    if (!n || request->messages[n - 1].role != GENERATOR_USER)
        return error_set(err, QA_BAD_USAGE, "a generator needs a conversation whose last message is the user's");
    if (!(request->temperature >= 0) || request->temperature > 100)
        return error_set(err, QA_BAD_USAGE, "a temperature of %g; it goes from 0 to 100", (double)request->temperature);
    return QA_OK;
}

static qa_status generate(void *self, const struct generator_request *request, struct generator_result *out, qa_error *err) {
    struct generator *g = self;
    double started = clock_mono_ms();
    *out = (struct generator_result){0};
    qa_status status = check_request(request, err);
    if (status != QA_OK)
        return status;
    g->m.cancel = request->cancel;
    struct llama_sampler *sampler = request->temperature > 0 ? make_sampler(request) : NULL;
    status = llm_prompt_build(&g->prompt, &g->m, request->messages, request->n_messages, &g->wanted, &g->turns, err);
    if (status == QA_OK) {
        out->prompt_tokens = g->wanted.n;
        if (g->wanted.n > g->m.context_tokens || request->max_tokens > g->m.context_tokens - g->wanted.n)
            status = error_set(err, QA_TOO_LARGE, "a prompt of %zu tokens and an answer of up to %zu do not fit the context of the model %s, %zu tokens",
                               g->wanted.n, request->max_tokens, g->m.name, g->m.context_tokens);
    }
    if (status == QA_OK)
        status = read_prompt(g, &out->reused_tokens, err);
    if (status == QA_OK)
        status = write_answer(g, request, sampler, started, out, err);
    if (sampler)
        llama_sampler_free(sampler);
    g->m.cancel = NULL;
    return status;
}

static qa_status count_tokens(void *self, const char *text, size_t len, size_t *out, qa_error *err) {
    struct generator *g = self;
    g->wanted.n = 0;
    qa_status status = llm_tokenize(&g->m, text, len, false, &g->wanted, err);
    *out = g->wanted.n;
    return status;
}

static void close_generator(void *self) {
    struct generator *g = self;
    if (g->context)
        llama_free(g->context);
    if (g->pool)
        ggml_threadpool_free(g->pool);
    llm_batch_free(&g->batch);
    llm_tokens_free(&g->wanted);
    llm_tokens_free(&g->kept);
    llm_tokens_free(&g->turns);
    llm_tokens_free(&g->ends);
    free(g->text);
    llm_unload(&g->m);
    free(g);
}

static const struct generator_ops ops = {generate, count_tokens, close_generator};

static qa_status make_context(struct generator *g, const struct llm_options *options, qa_error *err) {
    g->fixed_threads = options->threads > 0;
    g->most_threads = options->threads > LLM_MAX_THREADS ? LLM_MAX_THREADS : options->threads ? options->threads : llm_processors();
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = (uint32_t)g->m.context_tokens;
    params.n_batch = params.n_ubatch = LLM_BATCH;
    params.n_threads = params.n_threads_batch = (int32_t)g->most_threads;
    /* Flash attention divides the work on one token by threads, and so its bytes depend on their number. Without it nothing was slower where measured. */
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    qa_status status = llm_make_context(&g->m, params, &g->context, err);
    if (status != QA_OK || g->most_threads == 1)
        return status;
    struct ggml_threadpool_params pool = ggml_threadpool_params_default((int)g->most_threads);
    pool.poll = 0; /* threads sleep between computations: they would take processors from others, and be counted as others */
    if (!(g->pool = ggml_threadpool_new(&pool)))
        return error_no_memory(err, "starting threads for a model");
    llama_attach_threadpool(g->context, g->pool, NULL);
    return QA_OK;
}

static qa_status prepare(void *self, const struct llm_options *options, qa_error *err) {
    struct generator *g = self;
    qa_status status = make_context(g, options, err);
    if (status != QA_OK)
        return status;
    llm_prompt_open(&g->prompt, &g->m);
    g->text_cap = 256;
    g->text = malloc(g->text_cap);
    g->kept.cap = g->m.context_tokens;
    g->kept.items = malloc(g->kept.cap * sizeof *g->kept.items);
    return g->text && g->kept.items ? llm_batch_make(&g->batch, LLM_BATCH, err) : error_no_memory(err, "opening a generator");
}

static bool ignore(void *user, const char *text, size_t len) {
    (void)user, (void)text, (void)len;
    return true;
}

static qa_status attempt(void *self, qa_error *err) {
    struct generator_result result;
    struct generator_message message = {GENERATOR_USER, "trial"};
    struct generator_request request = {.messages = &message, .n_messages = 1, .max_tokens = 2, .piece = ignore};
    return generate(self, &request, &result, err);
}

qa_status llm_open_generator(const struct llm_options *options, struct generator_port *out, qa_error *err) {
    static const struct llm_kind kind = {LLM_GENERATOR, sizeof(struct generator), "opening a generator", prepare, attempt, close_generator};
    void *self = NULL;
    qa_status status = llm_open(&kind, options, &self, err);
    if (status != QA_OK)
        return status;
    struct generator *g = self;
    *out = (struct generator_port){.ops = &ops, .self = g, .name = g->m.name, .fingerprint = g->m.fingerprint, .context = g->m.context_tokens};
    return QA_OK;
}
