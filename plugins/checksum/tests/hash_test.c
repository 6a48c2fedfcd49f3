// An ordinary program: `make test`. It prints, for inputs of many lengths given in one piece and in several, what the
// algorithms make of them; tests/hash_test.py compares that with Python's.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

static void print(const struct algorithm *algorithm, const uint8_t *data, size_t length, size_t piece) {
    struct hash hash;
    uint8_t digest[MAX_DIGEST];
    hash_begin(&hash, algorithm);
    for (size_t at = 0; at < length; at += piece) hash_update(&hash, data + at, length - at < piece ? length - at : piece);
    hash_end(&hash, digest);
    printf("%s %zu %zu ", algorithm->name, length, piece);
    for (size_t i = 0; i < algorithm->digest_size; i++) printf("%02x", digest[i]);
    putchar('\n');
}

int main(void) {
    uint8_t data[1000];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 7 + i / 256);
    static const size_t pieces[] = {1, 3, 63, 64, 65, 127, 128, 129, 1000};
    for (int i = 0; i < ALGORITHMS; i++) {
        for (size_t length = 0; length <= 300; length++) {
            for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) print(algorithms[i], data, length, pieces[p]);
        }
        print(algorithms[i], data, sizeof data, 777);
    }
}
