// Conversations: appended by several processes at once, read in order, deleted whole.
#include "test_store_sample.h"
#include <sys/wait.h>

static char *dir, path[4096];

static int set_up(void **state) {
    (void)state;
    dir = sample_folder();
    sample_path(path, dir, "state.db");
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    sample_remove(dir);
    return 0;
}

static struct store_state *open_state(enum store_mode mode) {
    struct store_state *s = NULL;
    assert_ok(store_open_state(path, mode, &s, err));
    return s;
}

static struct memory_turn turn(const char *id, const char *question, int64_t at) {
    return (struct memory_turn){.id = id, .question = question, .answer = "Because.", .record = "{}", .created_ms = at};
}

static void turns_come_back_in_order(void **state) {
    (void)state;
    static const struct {
        size_t limit, n;
        const char *first;
    } cases[] = {{0, 3, "t_1"}, {2, 2, "t_2"}, {3, 3, "t_1"}, {9, 3, "t_1"}, {1, 1, "t_3"}};
    struct store_state *s = open_state(STORE_WRITE);
    struct memory_port p = store_memory_port(s);
    struct memory_turn third = {.id = "t_3", .question = "c", .answer = "No idea.", .refused = true, .record = "{\"k\":1}",
                                .created_ms = 5};
    struct memory_turn first = turn("t_1", "a", 9), second = turn("t_2", "b", 9), *turns;
    struct arena a;
    size_t n;
    arena_init(&a, 1 << 20);
    assert_ok(p.ops->append_turn(p.self, "v_1", &first, err));
    assert_ok(p.ops->append_turn(p.self, "v_1", &second, err));
    assert_ok(p.ops->append_turn(p.self, "v_1", &third, err)); /* a clock that went back does not change the order */
    store_close_state(s);
    s = open_state(STORE_READ);
    p = store_memory_port(s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ok(p.ops->load_turns(p.self, "v_1", cases[i].limit, &a, &turns, &n, err));
        assert_int_equal(n, cases[i].n);
        assert_string_equal(turns[0].id, cases[i].first);
        assert_string_equal(turns[n - 1].id, "t_3");
    }
    assert_true(turns[0].refused);
    assert_string_equal(turns[0].answer, "No idea.");
    assert_string_equal(turns[0].record, "{\"k\":1}");
    assert_int_equal(turns[0].created_ms, 5);
    assert_fails(p.ops->load_turns(p.self, "v_2", 0, &a, &turns, &n, err), QA_NOT_FOUND, "v_2");
    assert_fails(p.ops->append_turn(p.self, "v_1", &first, err), QA_INTERNAL, "reading");
    arena_free(&a);
    store_close_state(s);
}

static void lists_newest_first_and_deletes(void **state) {
    (void)state;
    struct store_state *s = open_state(STORE_WRITE);
    struct memory_port p = store_memory_port(s);
    struct memory_turn turns[] = {turn("t_1", "old", 10), turn("t_2", "tie b", 20), turn("t_3", "tie a\nsecond line", 20),
                                  turn("t_4", "again", 30)};
    struct memory_conversation *list;
    struct memory_turn *loaded;
    struct arena a;
    size_t n;
    arena_init(&a, 1 << 20);
    assert_ok(p.ops->append_turn(p.self, "v_old", &turns[0], err));
    assert_ok(p.ops->append_turn(p.self, "v_b", &turns[1], err));
    assert_ok(p.ops->append_turn(p.self, "v_a", &turns[2], err));
    assert_ok(p.ops->list_conversations(p.self, 0, &a, &list, &n, err));
    assert_int_equal(n, 3);
    assert_string_equal(list[0].id, "v_b"); /* of one time, by id, which sorts by age */
    assert_string_equal(list[1].id, "v_a");
    assert_string_equal(list[1].title, "tie a");
    assert_ok(p.ops->append_turn(p.self, "v_old", &turns[3], err));
    assert_ok(p.ops->list_conversations(p.self, 1, &a, &list, &n, err));
    assert_int_equal(n, 1);
    assert_string_equal(list[0].id, "v_old");
    assert_string_equal(list[0].title, "old");
    assert_int_equal(list[0].turns, 2);
    assert_int_equal(list[0].created_ms, 10);
    assert_int_equal(list[0].updated_ms, 30);
    assert_ok(p.ops->delete_conversation(p.self, "v_old", err));
    assert_fails(p.ops->delete_conversation(p.self, "v_old", err), QA_NOT_FOUND, "v_old");
    assert_fails(p.ops->load_turns(p.self, "v_old", 0, &a, &loaded, &n, err), QA_NOT_FOUND, "v_old");
    assert_ok(p.ops->append_turn(p.self, "v_old", &turns[0], err)); /* its turns are gone, so the id is free again */
    assert_ok(p.ops->load_turns(p.self, "v_old", 0, &a, &loaded, &n, err));
    assert_int_equal(n, 1);
    arena_free(&a);
    store_close_state(s);
}

static void long_titles_are_cut_at_a_character(void **state) {
    (void)state;
    char question[200] = "";
    for (int i = 0; i < 40; i++)
        strcat(question, "\xE2\x82\xAC"); /* 3 bytes each; 80 lies inside one */
    struct store_state *s = open_state(STORE_WRITE);
    struct memory_port p = store_memory_port(s);
    struct memory_turn t = turn("t_1", question, 1), bad = turn("t_2", "\xE2\x82", 1);
    struct memory_conversation *list;
    struct arena a;
    size_t n;
    arena_init(&a, 1 << 20);
    assert_ok(p.ops->append_turn(p.self, "v_1", &t, err));
    assert_ok(p.ops->list_conversations(p.self, 0, &a, &list, &n, err));
    assert_int_equal(strlen(list[0].title), 78);
    assert_fails(p.ops->append_turn(p.self, "v_1", &bad, err), QA_BAD_INPUT, "UTF-8");
    assert_ok(p.ops->list_conversations(p.self, 0, &a, &list, &n, err));
    assert_int_equal(list[0].turns, 1);
    arena_free(&a);
    store_close_state(s);
}

static void a_turn_twice_is_refused_whole(void **state) {
    (void)state;
    struct store_state *s = open_state(STORE_WRITE);
    struct memory_port p = store_memory_port(s);
    struct memory_turn t = turn("t_1", "a", 1);
    struct memory_conversation *list;
    struct arena a;
    size_t n;
    arena_init(&a, 1 << 20);
    assert_ok(p.ops->append_turn(p.self, "v_1", &t, err));
    assert_fails(p.ops->append_turn(p.self, "v_1", &t, err), QA_EXISTS, "a turn t_1 in");
    assert_fails(p.ops->append_turn(p.self, "v_2", &t, err), QA_EXISTS, path);
    assert_ok(p.ops->list_conversations(p.self, 0, &a, &list, &n, err));
    assert_int_equal(n, 1);
    assert_int_equal(list[0].turns, 1);
    arena_free(&a);
    store_close_state(s);
}

static bool is_on_disk(const char *ending, const char *text) {
    char file[4110];
    size_t n;
    snprintf(file, sizeof file, "%s%s", path, ending);
    char *bytes = sample_slurp(file, &n);
    bool found = memmem(bytes, n, text, strlen(text)) != NULL;
    free(bytes);
    return found;
}

/* A short turn lies in a cell among others, a long one on pages of its own. */
static void what_is_deleted_cannot_be_read_from_the_disk(void **state) {
    (void)state;
    static const char *const secrets[] = {"secret-question", "secret-answer", "secret-record"};
    char answer[9000];
    snprintf(answer, sizeof answer, "%08000d%s", 0, secrets[1]);
    struct store_state *s = open_state(STORE_WRITE);
    struct memory_port p = store_memory_port(s);
    struct memory_turn short_one = turn("t_1", secrets[0], 1), long_one = turn("t_2", "b", 2), kept = turn("t_3", "kept-words", 3);
    long_one.answer = answer;
    long_one.record = "{\"k\":\"secret-record\"}";
    assert_ok(p.ops->append_turn(p.self, "v_1", &short_one, err));
    assert_ok(p.ops->append_turn(p.self, "v_1", &long_one, err));
    assert_ok(p.ops->append_turn(p.self, "v_2", &kept, err));
    for (size_t i = 0; i < 3; i++)
        assert_true(is_on_disk("", secrets[i]) || is_on_disk("-wal", secrets[i]));
    assert_ok(p.ops->delete_conversation(p.self, "v_1", err));
    for (size_t i = 0; i < 3; i++)
        if (is_on_disk("", secrets[i]) || is_on_disk("-wal", secrets[i]))
            fail_msg("%s is still there", secrets[i]);
    assert_true(is_on_disk("", "kept-words"));
    store_close_state(s);
}

enum { WRITERS = 4, TURNS = 12 };

static void several_processes_append_at_once(void **state) {
    (void)state;
    for (int w = 0; w < WRITERS; w++) {
        if (fork() == 0) { /* all of them find no file */
            struct store_state *s = NULL;
            qa_status status = store_open_state(path, STORE_WRITE, &s, NULL);
            struct memory_port p = store_memory_port(s);
            for (int i = 0; i < TURNS && status == QA_OK; i++) {
                char id[40];
                snprintf(id, sizeof id, "t_%d_%d", w, i);
                struct memory_turn t = turn(id, "q", i);
                status = p.ops->append_turn(p.self, i % 2 ? "v_shared" : "v_other", &t, NULL);
            }
            store_close_state(s);
            _exit(status == QA_OK ? 0 : 1);
        }
    }
    for (int w = 0; w < WRITERS; w++) {
        int how = -1;
        assert_true(wait(&how) > 0);
        assert_int_equal(how, 0);
    }
    struct store_state *s = open_state(STORE_READ);
    struct memory_port p = store_memory_port(s);
    struct memory_turn *turns;
    struct arena a;
    size_t n;
    arena_init(&a, 1 << 20);
    assert_ok(p.ops->load_turns(p.self, "v_shared", 0, &a, &turns, &n, err));
    assert_int_equal(n, WRITERS * TURNS / 2);
    int next[WRITERS] = {1, 1, 1, 1};
    for (size_t i = 0; i < n; i++) { /* each writer's own order is kept */
        int w, k;
        assert_int_equal(sscanf(turns[i].id, "t_%d_%d", &w, &k), 2);
        assert_int_equal(k, next[w]);
        next[w] += 2;
    }
    arena_free(&a);
    store_close_state(s);
}

static void missing_and_foreign_files(void **state) {
    (void)state;
    struct store_state *s = NULL;
    struct store_index *index = NULL;
    assert_fails(store_open_state(path, STORE_READ, &s, err), QA_NOT_FOUND, "no state file at");
    store_close_state(open_state(STORE_WRITE));
    assert_fails(store_open_index(path, STORE_WRITE, NULL, &index, err), QA_CORRUPT, "not the index");
    assert_fails(store_open_index(path, STORE_READ, NULL, &index, err), QA_CORRUPT, "not the index");
    store_close_state(open_state(STORE_READ));
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(turns_come_back_in_order), CASE(lists_newest_first_and_deletes), CASE(long_titles_are_cut_at_a_character),
        CASE(a_turn_twice_is_refused_whole), CASE(what_is_deleted_cannot_be_read_from_the_disk),
        CASE(several_processes_append_at_once), CASE(missing_and_foreign_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
