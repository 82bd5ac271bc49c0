/* SPDX-License-Identifier: Apache-2.0 */

#include <stdio.h>

#include "reconciler/cli/cli.h"
#include "shared/base/text.h"
#include "shared/fleet/fleet.h"
#include "shared/model/decision_input.h"

/* A name for what has a schema: a document kind, or one of our other files. */
struct schema {
        const char *name;
        const struct table *table; /* NULL: the compose file */
};

static const struct schema schemas[] = {
        { "Fleet", &fleet_table },
        { "Host", &host_table },
        { "Environment", &environment_table },
        { "App", &app_table },
        { "Release", &release_table },
        { "Compose", NULL },
        { "Configuration", &config_table },
        { "World", &decision_input_table },
};
#define N_SCHEMAS (sizeof(schemas) / sizeof(schemas[0]))

static json_t *schema_of(const struct schema *s) {
        return s->table ? table_schema(s->table) : compose_schema();
}

static int list_all(struct cli *cli, struct fault *reterr) {
        json_t *all = json_object();

        for (size_t i = 0; i < N_SCHEMAS; i++)
                json_object_set_new(all, schemas[i].name, schema_of(&schemas[i]));
        return cli_print_json(cli, all, reterr);
}

static int run(struct cli *cli, const struct verb *verb, int *ret_exit, struct fault *reterr) {
        const char *wanted = cli_arguments()->positional[0], *known[N_SCHEMAS + 1] = { NULL }, *near;
        int r;

        if (!wanted && cli->json)
                return list_all(cli, reterr);
        for (size_t i = 0; i < N_SCHEMAS; i++) {
                known[i] = schemas[i].name;
                if (!wanted)
                        puts(schemas[i].name);
                else if (str_eq(wanted, schemas[i].name))
                        return cli_print_json(cli, schema_of(&schemas[i]), reterr);
        }
        if (!wanted)
                return 0;
        r = fault_set(reterr, FAULT_CONFIG, 0, "there is no kind '%s'", wanted);
        near = closest_name(wanted, known);
        if (near)
                fault_hint(reterr, "did you mean '%s'? `tally schema` lists all", near);
        else
                fault_hint(reterr, "`tally schema` lists all");
        return r;
}

const struct verb verb_schema = {
        .name = "schema",
        .arguments = "[KIND]",
        .summary = "Print the JSON Schema of a kind of document, or the list of kinds.",
        .example = "tally schema Release > release.schema.json",
        .max_arguments = 1,
        .run = run,
};
