// Counting, without anything of the component: it is tested as an ordinary program.
#ifndef COUNT_H
#define COUNT_H

#include <stddef.h>
#include <stdint.h>

// What there is in a text.
struct count {
    uint32_t lines;
    uint32_t words;
    uint32_t characters;
};

// Counts in `length` bytes of UTF-8.
struct count count_text(const uint8_t *text, size_t length);

#endif
