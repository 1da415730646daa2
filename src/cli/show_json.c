#include "cli/show_json.h"
#include <stdlib.h>
#include <string.h>

char *cli_json_member(const char *json, const char *name) {
    json_t *root = NULL;
    if (json_parse(json, strlen(json), &root, NULL) != QA_OK)
        return NULL;
    const char *value = json_get_string(root, name);
    char *copy = value ? strdup(value) : NULL;
    json_decref(root);
    return copy;
}

const char *cli_text_of(const json_t *object, const char *key) {
    const char *s = json_get_string(object, key);
    return s ? s : "";
}
unsigned long long cli_number_of(const json_t *object, const char *key) {
    return (unsigned long long)json_integer_value(json_object_get(object, key));
}

void cli_put_count(json_t *object, const char *key, uint64_t n, bool *sticky) { json_put(object, key, json_integer((json_int_t)n), sticky); }

void cli_print_counted(FILE *to, unsigned long long n, const char *what) {
    cli_print_count(to, n);
    fprintf(to, " %s%s", what, n == 1 ? "" : "s");
}

int cli_show_json(struct cli *c, qa_status status, char *json, const qa_error *err, void (*human)(FILE *to, const char *json)) {
    if (status != QA_OK)
        return cli_fail(c, err);
    if (c->json)
        puts(json);
    else
        human(stdout, json);
    qa_text_free(json);
    return 0;
}
