// The functions that wit/world.wit exports, on the bindings that are generated from it into build/bindings.
#include "component.h"
#include "count.h"

enum { SLOWEST = 50, USUAL = 230, FASTEST = 1000 };

static void log_debug(const char *message) {
    component_string_t text;
    component_string_set(&text, message);
    toolhatch_plugin_log_write(TOOLHATCH_PLUGIN_LOG_LEVEL_DEBUG, &text);
}

// Gives true and sets `result`, or gives false and sets `error`. The text is ours to free.
bool exports_component_word_count(component_string_t *text, uint16_t *maybe_words_per_minute,
                                  component_count_t *result, component_string_t *error) {
    uint16_t words_per_minute = maybe_words_per_minute ? *maybe_words_per_minute : USUAL;
    struct count count = count_text(text->ptr, text->len);
    component_string_free(text);

    if (words_per_minute < SLOWEST || words_per_minute > FASTEST) {
        component_string_dup(error, "`words-per-minute` has to be from 50 to 1000");
        return false;
    }
    log_debug("counted");
    *result = (component_count_t){
        .lines = count.lines,
        .words = count.words,
        .characters = count.characters,
        .reading_seconds = (uint32_t)(((uint64_t)count.words * 60 + words_per_minute - 1) / words_per_minute),
    };
    return true;
}
