/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The part that needs an engine, in test_runtime_engine.c. Returns how many cases failed. */
int run_engine_contract(void);
