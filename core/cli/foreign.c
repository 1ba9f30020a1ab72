/* What other tools call the options of run: hands know them longer than ours. */
#include "cli/cli.h"
#include <string.h>

const char *foreign_option(const char *word)
{
    static const struct {
        const char *theirs, *ours;
    } rows[] = {{"vus", "--users"},
                {"concurrency", "--users"},
                {"clients", "--connections"},
                {"rps", "--rate"},
                {"qps", "--rate"},
                {"requests", "--iterations"},
                {"total", "--iterations"},
                {"run-time", "--duration"},
                {"threads", "--workers"},
                {"spawn-rate", "--ramp"},
                {"cacert", "--ca"},
                {"data", "--body"},
                {"url", "the URL as it is, without an option"},
                {"host", "the URL as it is, without an option"},
                {"stage", "a scenario: load: [ { ramp: 0 -> 100/s, over: 30s } ]"}};
    size_t len = strcspn(word, "=");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strlen(rows[i].theirs) == len && strncmp(rows[i].theirs, word, len) == 0)
            return rows[i].ours;
    return NULL;
}
