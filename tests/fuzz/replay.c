/* SPDX-License-Identifier: Apache-2.0 */

/* Runs a fuzz target over the files named on the command line, whole files, no size limit. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path) {
        own_file FILE *f = fopen(path, "rbe");
        own_free uint8_t *data = NULL;
        size_t size = 0;

        if (!f)
                return -1;
        for (size_t n, room = 0;; size += n) {
                if (size == room) {
                        uint8_t *bigger = realloc(data, room = room ? 2 * room : 4096);
                        if (!bigger)
                                return -1;
                        data = bigger;
                }
                n = fread(data + size, 1, room - size, f);
                if (n == 0)
                        break;
        }
        if (ferror(f))
                return -1;
        return LLVMFuzzerTestOneInput(data, size);
}

int main(int argc, char **argv) {
        setlinebuf(stdout); /* what came through is known after a crash, too */
        for (int i = 1; i < argc; i++) {
                if (replay(argv[i]) < 0) {
                        perror(argv[i]);
                        return EXIT_FAILURE;
                }
                printf("ok %d - %s\n", i, argv[i]);
        }
        printf("1..%d\n", argc - 1);
        return EXIT_SUCCESS;
}
