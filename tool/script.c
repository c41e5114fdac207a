/* SPDX-License-Identifier: MIT
 *
 * Variables of shell scripts. A line is expanded from the left: the text up to the first $ is done,
 * and each value of the name there is followed by every expansion of what is behind it.
 */
#include "script.h"

#include <stdlib.h>
#include <string.h>

enum {
    LINES_MAX = 256,   /* of one line, and values of one name */
    LENGTH_MAX = 4096, /* of an expanded line */
};

struct script_variable {
    struct script_variable *next;
    char *name;
    struct words values; /* several: of a loop */
    const char *bound;   /* the value of a loop's name in the line being expanded */
};

static const char NAME_LETTERS[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

/* Length of the name that text begins with; 0: none. */
static size_t name_length(const char *text)
{
    return *text >= '0' && *text <= '9' ? 0 : strspn(text, NAME_LETTERS);
}

static struct script_variable *find(const struct script_variables *variables, const char *name,
                                    size_t length)
{
    struct script_variable *variable = variables->first;

    while (variable && (strlen(variable->name) != length || memcmp(variable->name, name, length)))
        variable = variable->next;
    return variable;
}

/* Takes over the values. */
static void set(struct script_variables *variables, const char *name, size_t length,
                struct words *values)
{
    struct script_variable *variable = find(variables, name, length);

    if (variable == NULL) {
        variable = memory_alloc(sizeof(*variable));
        variable->name = memory_copy(name, length);
        variable->next = variables->first;
        variables->first = variable;
    }
    words_clear(&variable->values);
    variable->values = *values;
    *values = (struct words){0};
}

/* --- Expansion. --------------------------------------------------------------------------------
 */

struct expansion {
    const struct script_variables *variables;
    struct words *lines;
    bool keep_loops; /* names with several values stay */
};

static bool expand(const struct expansion *expansion, const char *done, const char *text);

/* What a name stands for and the rest, behind what is done. */
static bool go_on(const struct expansion *expansion, const char *done, size_t plain,
                  const char *text, const char *value, const char *rest)
{
    char *more = text_format("%s%.*s", done, (int)plain, text);
    char *left = text_format("%s%s", value, rest);
    bool understood = strlen(more) + strlen(left) <= LENGTH_MAX && expand(expansion, more, left);

    free(more);
    free(left);
    return understood;
}

/* A name of a loop has the same value all over one line. */
static bool each_value(const struct expansion *expansion, struct script_variable *variable,
                       const char *done, size_t plain, const char *text, const char *rest)
{
    bool understood = true;

    for (size_t i = 0; i < variable->values.count && understood; i++) {
        variable->bound = variable->values.item[i];
        understood = go_on(expansion, done, plain, text, variable->bound, rest);
    }
    variable->bound = NULL;
    return understood;
}

static bool expand(const struct expansion *expansion, const char *done, const char *text)
{
    size_t plain = strcspn(text, "$`");
    const char *name = text + plain + 1;
    struct script_variable *variable = NULL;
    bool braces, understood;
    const char *value;
    size_t length;
    char *kept;

    if (expansion->lines->count == LINES_MAX)
        return false;
    if (text[plain] == '\0') {
        words_take(expansion->lines, text_format("%s%s", done, text));
        return true;
    }
    braces = *name == '{';
    name += braces;
    length = text[plain] == '$' ? name_length(name) : 0;
    if (length)
        variable = find(expansion->variables, name, length);
    if (variable == NULL || (braces && name[length] != '}'))
        return false;
    name += length + braces;
    value = variable->values.count == 1 ? variable->values.item[0] : variable->bound;
    if (value)
        return go_on(expansion, done, plain, text, value, name);
    if (!expansion->keep_loops)
        return each_value(expansion, variable, done, plain, text, name);
    kept = text_format("%s%.*s${%s}", done, (int)plain, text, variable->name);
    understood = strlen(kept) <= LENGTH_MAX && expand(expansion, kept, name);
    free(kept);
    return understood;
}

bool script_expand(const struct script_variables *variables, const char *line, struct words *lines)
{
    struct expansion expansion = {.variables = variables, .lines = lines};

    return expand(&expansion, "", line);
}

/* --- Assignment. -------------------------------------------------------------------------------
 */

/* `name=text`. Names of loops stay in the value until it is used. */
static bool assign_text(struct script_variables *variables, const char *name, size_t length,
                        const char *text)
{
    struct words lines = {0}, values = {0};
    struct expansion expansion = {variables, &lines, .keep_loops = true};
    bool understood = expand(&expansion, "", text) &&
                      words_split_shell(&values, lines.item[0]) == 0 && values.count <= 1;

    if (understood) {
        if (values.count == 0)
            words_add(&values, "");
        set(variables, name, length, &values);
    }
    words_clear(&values);
    words_clear(&lines);
    return understood;
}

/* `for name in text`. */
static bool assign_loop(struct script_variables *variables, const char *name, size_t length,
                        const char *text)
{
    struct words lines = {0}, values = {0};
    bool understood = script_expand(variables, text, &lines);

    for (size_t i = 0; i < lines.count && understood; i++)
        understood = words_split_shell(&values, lines.item[i]) == 0 && values.count <= LINES_MAX;
    if (understood)
        set(variables, name, length, &values);
    words_clear(&values);
    words_clear(&lines);
    return understood;
}

/* `words; do` without its end. */
static char *loop_words(const char *text)
{
    size_t length = strlen(text);

    while (length && strchr(" \t", text[length - 1]))
        length--;
    if (length >= 2 && memcmp(text + length - 2, "do", 2) == 0)
        length -= 2;
    while (length && strchr(" \t;", text[length - 1]))
        length--;
    return memory_copy(text, length);
}

bool script_assign(struct script_variables *variables, const char *line)
{
    bool loop = text_starts(line, "for "), understood = false;
    const char *name = loop ? line + 4 + strspn(line + 4, " \t") : line;
    size_t length = name_length(name);
    const char *rest = name + length;

    if (length && loop) {
        rest += strspn(rest, " \t");
        if (text_starts(rest, "in ")) {
            char *words = loop_words(rest + 3);

            understood = assign_loop(variables, name, length, words);
            free(words);
        }
    } else if (length && *rest == '=') {
        understood = assign_text(variables, name, length, rest + 1);
    }
    return understood;
}

void script_variables_clear(struct script_variables *variables)
{
    while (variables->first) {
        struct script_variable *variable = variables->first;

        variables->first = variable->next;
        words_clear(&variable->values);
        free(variable->name);
        free(variable);
    }
}
