/* SPDX-License-Identifier: Apache-2.0 */

#include "policies/gate.h"

const struct gate *const gate_table[] = {
        &gate_ledger,
        &gate_poison,
        &gate_suspension,
        NULL,
};

void gate_judge(struct decision_input *input, struct arena *a) {
        struct app_input *apps = input->apps.items;

        for (size_t i = 0; i < input->apps.n; i++) {
                apps[i].verdicts = (struct struct_list){ .items = NULL };
                if (!apps[i].declared)
                        continue;
                for (size_t g = 0; gate_table[g]; g++)
                        gate_table[g]->judge(gate_table[g], input, &apps[i], a, &apps[i].verdicts);
        }
}
