/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Footprint: what tallyd keeps in memory while it waits
 *
 * The loader, and the start of the libraries that libsystemd brings along, touch several times the pages that
 * waiting needs. Those pages are unchanged copies of files; giving them back costs nothing, and what is needed
 * again is mapped again. footprint_shrink() gives free heap and all such pages back to the kernel.
 *
 * A debugger's breakpoints in tallyd's code are lost by it.
 */

void footprint_shrink(void);
