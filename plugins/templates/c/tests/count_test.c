// An ordinary program: `make test`. The calls beside it in TOML are run in the sandbox, by `toolhatch plugin test`.
#include "count.h"

#include <stdio.h>
#include <string.h>

static int failures;

static void expect(const char *text, struct count expected) {
    struct count found = count_text((const uint8_t *)text, strlen(text));
    if (memcmp(&found, &expected, sizeof found) != 0) {
        fprintf(stderr, "of \"%s\" %u lines, %u words and %u characters were counted\n", text, (unsigned)found.lines,
                (unsigned)found.words, (unsigned)found.characters);
        failures++;
    }
}

int main(void) {
    expect("", (struct count){0, 0, 0});
    expect("Well begun\nis half done.\n", (struct count){2, 5, 25});
    expect("für 😀", (struct count){1, 2, 5});
    puts(failures == 0 ? "ok" : "failed");
    return failures != 0;
}
