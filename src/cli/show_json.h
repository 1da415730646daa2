/* For the commands whose result is JSON of the library, shown to a person in words. */
#ifndef CLI_SHOW_JSON_H
#define CLI_SHOW_JSON_H

#include "base/json.h"
#include "cli/cli.h"

const char *cli_text_of(const json_t *object, const char *key); /* "" when there is none */
unsigned long long cli_number_of(const json_t *object, const char *key);
void cli_put_count(json_t *object, const char *key, uint64_t n, bool *sticky); /* as json_put */
void cli_print_counted(FILE *to, unsigned long long n, const char *what); /* 1 chunk, 1,284 chunks */
/* After a call that yields JSON: prints it, or hands it to `human`; returns the exit status. */
int cli_show_json(struct cli *c, qa_status status, char *json, const qa_error *err, void (*human)(FILE *to, const char *json));

#endif
