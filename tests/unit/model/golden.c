/* SPDX-License-Identifier: Apache-2.0 */

/*
 * golden: what people read when a file is wrong, to the letter
 *
 *      golden [--update] tests/golden
 *
 * Each folder is a case. With a compose.yaml at its top it is the folder of app "shop", named whole-… for the runtime
 * compose; else it is a whole desired state. Its file `expected` holds the fault as it is printed. --update writes
 * those that are missing or differ.
 */

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "shared/base/file.h"
#include "shared/base/text.h"
#include "shared/compose/dotenv.h"
#include "tests/unit/model/support.h"

struct tree {
        struct desired_entry *items;
        size_t n;
};

static int only_names(const struct dirent *d) {
        return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 && strcmp(d->d_name, "expected") != 0;
}

static void read_tree(const char *folder, const char *prefix, struct arena *a, struct tree *tree) {
        struct dirent **names = NULL;
        int n = scandir(folder, &names, only_names, alphasort);

        for (int i = 0; i < n; i++) {
                const char *path = arena_printf(a, "%s/%s", folder, names[i]->d_name);
                const char *inside = arena_printf(a, "%s%s", prefix, names[i]->d_name);
                own_fault struct fault fault = FAULT_INIT;
                struct buffer bytes = BUFFER_INIT;
                struct stat st;

                if (lstat(path, &st) < 0)
                        abort();
                if (S_ISDIR(st.st_mode)) {
                        read_tree(path, arena_printf(a, "%s/", inside), a, tree);
                } else {
                        struct desired_entry *entry = arena_push(a, &tree->items, &tree->n, sizeof(*entry));

                        if (!S_ISLNK(st.st_mode) && file_read(AT_FDCWD, path, 1 << 20, &bytes, &fault) < 0)
                                abort();
                        entry->path = inside;
                        entry->type = S_ISLNK(st.st_mode) ? DESIRED_SYMLINK : DESIRED_FILE;
                        entry->size = bytes.size;
                        entry->bytes = arena_strndup(a, buffer_str(&bytes), bytes.size);
                        buffer_done(&bytes);
                }
                free(names[i]);
        }
        free(names);
}

static int read_app(const struct tree *tree, bool whole, struct arena *a, struct fault *reterr) {
        static const struct variable items[] = { { "GIVEN", "g" } };
        static const struct variables variables = { .items = items, .n = 1 };
        struct compose_input in = { .app = "shop", .variables = &variables };
        const struct app_file *file;
        const struct node *root;
        struct app_files files;
        struct compose compose;
        int r = app_files_make("apps/shop", tree->items, tree->n, a, &files, reterr);

        if (r < 0)
                return r;
        in.files = &files;
        file = app_files_find(&files, "compose.yaml");
        r = yaml_parse("apps/shop/compose.yaml", file->bytes, file->size, a, &root, reterr);
        in.keys = whole ? COMPOSE_KEYS_ALL : 0;
        if (r == 0)
                r = compose_read(root, &in, a, &compose, reterr);
        return r < 0 ? r : compose_pin(&compose, NULL, a, reterr);
}

static int read_fleet(const struct tree *tree, struct arena *a, struct fault *reterr) {
        struct fleet fleet;
        int r = fleet_read(tree->items, tree->n, a, &fleet, reterr);

        return r < 0 ? r : fleet_check(&fleet, a, NULL, reterr);
}

static char *run_case(const char *folder, bool whole, struct arena *a) {
        own_fault struct fault fault = FAULT_INIT;
        struct tree tree = { 0 };
        bool app = access(arena_printf(a, "%s/compose.yaml", folder), F_OK) == 0;
        int r;

        read_tree(folder, app ? "apps/shop/" : "", a, &tree);
        r = app ? read_app(&tree, whole, a, &fault) : read_fleet(&tree, a, &fault);
        return r < 0 ? fault_text(&fault) : strdup("no fault\n");
}

static int check_case(const char *root, const char *name, bool update) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        own_buffer struct buffer expected = BUFFER_INIT;
        const char *folder = arena_printf(a, "%s/%s", root, name), *path = arena_printf(a, "%s/expected", folder);
        own_free char *actual = run_case(folder, str_after(name, "whole-") != NULL, a);

        (void)file_read(AT_FDCWD, path, 1 << 20, &expected, &fault);
        if (strcmp(actual, buffer_str(&expected)) == 0)
                return 0;
        if (update) {
                own_file FILE *f = fopen(path, "we");

                return f && fputs(actual, f) >= 0 ? 0 : -1;
        }
        fprintf(stderr, "%s: expected\n%sbut it is\n%s", name, buffer_str(&expected), actual);
        return -1;
}

int main(int argc, char **argv) {
        bool update = argc > 2 && strcmp(argv[1], "--update") == 0;
        const char *root = argv[argc - 1];
        struct dirent **names = NULL;
        int n = scandir(root, &names, only_names, alphasort), failed = 0, cases = 0;

        for (int i = 0; i < n; i++) {
                if (names[i]->d_type == DT_DIR) {
                        bool good = check_case(root, names[i]->d_name, update) == 0;

                        printf("%sok %d - %s\n", good ? "" : "not ", ++cases, names[i]->d_name);
                        failed += !good;
                }
                free(names[i]);
        }
        free(names);
        printf("1..%d\n", cases);
        return cases > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
