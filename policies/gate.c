/* SPDX-License-Identifier: Apache-2.0 */

#include "policies/gate.h"

const struct gate *const gate_table[] = {
        &gate_ledger,
        &gate_poison,
        &gate_suspension,
        NULL,
};

void gate_judge(struct world *world, struct arena *a) {
        struct world_app *apps = world->apps.items;

        for (size_t i = 0; i < world->apps.n; i++) {
                apps[i].verdicts = (struct struct_list){ .items = NULL };
                if (!apps[i].declared)
                        continue;
                for (size_t g = 0; gate_table[g]; g++)
                        gate_table[g]->judge(gate_table[g], world, &apps[i], a, &apps[i].verdicts);
        }
}
