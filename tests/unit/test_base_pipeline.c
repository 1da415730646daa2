#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/pipeline.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { NEVER = -1, WINDOW_MAX = 40 };

struct item {
    long number, result;
    bool busy; /* between next and done: the slot must not be handed out again */
};

struct trial {
    unsigned threads, window;
    long items;
    long next_fails_at, done_fails_at;
    long waits_every;           /* 0: next never waits; else before each so many-th item and the end */
    /* what happened */
    pthread_t caller;
    long listed, finished;      /* calling thread only */
    long idle_at, idle_calls;
    unsigned under_way, most_under_way;
    atomic_long worked, working, most_working, on_the_caller;
    struct item slots[WINDOW_MAX];
};

static qa_status next(void *user, void *slot, bool *more, qa_error *err) {
    struct trial *t = user;
    struct item *item = slot;
    assert_true(pthread_equal(pthread_self(), t->caller));
    assert_false(item->busy);
    assert_true(!t->waits_every || t->listed % t->waits_every || t->idle_at == t->listed); /* it may wait: idle came before */
    if (t->listed == t->next_fails_at)
        return error_set(err, QA_IO, "next %ld", t->listed);
    if (t->listed == t->items) {
        *more = false;
        return QA_OK;
    }
    *item = (struct item){.number = t->listed++, .busy = true};
    t->under_way++;
    if (t->under_way > t->most_under_way)
        t->most_under_way = t->under_way;
    return QA_OK;
}

static void work(void *user, void *slot) {
    struct trial *t = user;
    struct item *item = slot;
    long now = atomic_fetch_add(&t->working, 1) + 1, most = atomic_load(&t->most_working);
    while (now > most && !atomic_compare_exchange_weak(&t->most_working, &most, now)) {
    }
    if (pthread_equal(pthread_self(), t->caller))
        atomic_fetch_add(&t->on_the_caller, 1);
    for (long i = 0; i < item->number * 7919 % 13; i++) /* some take longer */
        sched_yield();
    item->result = item->number * item->number;
    atomic_fetch_add(&t->worked, 1);
    atomic_fetch_sub(&t->working, 1);
}

static qa_status done(void *user, void *slot, qa_error *err) {
    struct trial *t = user;
    struct item *item = slot;
    assert_true(pthread_equal(pthread_self(), t->caller));
    assert_int_equal(item->number, t->finished); /* in order, none twice, none left out */
    assert_int_equal(item->result, item->number * item->number);
    if (t->finished == t->done_fails_at)
        return error_set(err, QA_CORRUPT, "done %ld", t->finished);
    t->finished++;
    t->under_way--;
    item->busy = false;
    return QA_OK;
}

static bool ready(void *user) {
    const struct trial *t = user;
    return t->listed % t->waits_every != 0;
}

static qa_status idle(void *user, qa_error *err) {
    struct trial *t = user;
    assert_true(pthread_equal(pthread_self(), t->caller));
    assert_int_equal(t->finished, t->listed);
    if (t->listed == t->done_fails_at)
        return error_set(err, QA_IO, "idle %ld", t->listed);
    t->idle_at = t->listed;
    t->idle_calls++;
    return QA_OK;
}

static qa_status run(struct trial *t, qa_error *err) {
    t->caller = pthread_self();
    struct pipeline p = {.threads = t->threads, .window = t->window, .slots = t->slots, .slot_size = sizeof *t->slots, .user = t,
                         .next = next, .work = work, .done = done};
    if (t->waits_every)
        p.ready = ready, p.idle = idle;
    qa_status status = pipeline_run(&p, err);
    assert_int_equal(t->working, 0); /* nobody works on after the return */
    assert_int_equal(t->on_the_caller, 0);
    assert_true(t->most_under_way <= t->window);
    assert_true(t->most_working <= t->threads && t->most_working <= t->window);
    return status;
}

static const unsigned shapes[][2] = {{1, 1}, {1, 4}, {8, 32}, {8, 3}, {8, 1}, {3, 40}}; /* threads, window */
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void everything_comes_out_in_order(void **state) {
    (void)state;
    static const long counts[] = {0, 1, 2, 5, 1000};
    for (size_t i = 0; i < SHAPES; i++)
        for (size_t k = 0; k < 5; k++) {
            struct trial t = {.threads = shapes[i][0], .window = shapes[i][1], .items = counts[k], .next_fails_at = NEVER, .done_fails_at = NEVER};
            qa_error err = {0};
            assert_int_equal(run(&t, &err), QA_OK);
            assert_int_equal(t.finished, counts[k]);
            assert_int_equal(t.worked, counts[k]);
            if (counts[k] == 1000)
                assert_int_equal(t.most_under_way, t.window); /* the window is used, too */
        }
}

static void all_is_done_before_next_waits(void **state) {
    (void)state;
    for (size_t i = 0; i < SHAPES; i++)
        for (long every = 1; every <= 4; every += 3) {
            struct trial t = {.threads = shapes[i][0], .window = shapes[i][1], .items = 20, .waits_every = every,
                              .next_fails_at = NEVER, .done_fails_at = NEVER};
            qa_error err = {0};
            t.idle_at = -1;
            assert_int_equal(run(&t, &err), QA_OK);
            assert_int_equal(t.finished, 20);
            assert_int_equal(t.idle_calls, 20 / every + 1);
        }
}

static void a_failing_idle_ends_it(void **state) {
    (void)state;
    struct trial t = {.threads = 3, .window = 8, .items = 20, .waits_every = 4, .idle_at = -1, .next_fails_at = NEVER, .done_fails_at = 8};
    qa_error err = {0};
    assert_int_equal(run(&t, &err), QA_IO);
    assert_string_equal(err.message, "idle 8");
    assert_int_equal(t.finished, 8);
}

static void a_failing_next_ends_it(void **state) {
    (void)state;
    static const long places[] = {0, 1, 7, 100};
    for (size_t i = 0; i < SHAPES; i++)
        for (size_t k = 0; k < 4; k++) {
            struct trial t = {.threads = shapes[i][0], .window = shapes[i][1], .items = 200, .next_fails_at = places[k], .done_fails_at = NEVER};
            qa_error err = {0};
            assert_int_equal(run(&t, &err), QA_IO);
            char message[30];
            snprintf(message, sizeof message, "next %ld", places[k]);
            assert_string_equal(err.message, message);
            assert_int_equal(t.listed, places[k]);
            assert_true(t.finished <= places[k]);
        }
}

static void a_failing_done_ends_it(void **state) {
    (void)state;
    static const long places[] = {0, 1, 7, 199};
    for (size_t i = 0; i < SHAPES; i++)
        for (size_t k = 0; k < 4; k++) {
            struct trial t = {.threads = shapes[i][0], .window = shapes[i][1], .items = 200, .next_fails_at = NEVER, .done_fails_at = places[k]};
            qa_error err = {0};
            assert_int_equal(run(&t, &err), QA_CORRUPT);
            assert_int_equal(t.finished, places[k]); /* not one after it */
            assert_true(t.listed <= places[k] + (long)t.window);
        }
}

static void the_default_is_sensible(void **state) {
    (void)state;
    assert_in_range(pipeline_default_threads(), 1, 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_out_in_order),
        cmocka_unit_test(all_is_done_before_next_waits),
        cmocka_unit_test(a_failing_idle_ends_it),
        cmocka_unit_test(a_failing_next_ends_it),
        cmocka_unit_test(a_failing_done_ends_it),
        cmocka_unit_test(the_default_is_sensible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
