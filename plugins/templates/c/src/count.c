#include "count.h"

#include <stdbool.h>

static bool is_space(uint8_t byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

struct count count_text(const uint8_t *text, size_t length) {
    struct count count = {0};
    bool in_word = false;
    for (size_t at = 0; at < length; at++) {
        count.lines += text[at] == '\n';
        count.words += !in_word && !is_space(text[at]);
        in_word = !is_space(text[at]);
        // Every byte but those that continue a character begins one.
        count.characters += (text[at] & 0xc0) != 0x80;
    }
    // The last line may lack its end.
    count.lines += length > 0 && text[length - 1] != '\n';
    return count;
}
