/* SPDX-License-Identifier: MIT
 *
 * Variables of shell scripts that are read and not run: `name=value`, and `for name in words`,
 * which gives a name several values at once. Conditions are not looked at; see sh(1), 'Parameter
 * expansion'.
 */
#ifndef TOOL_SCRIPT_H
#define TOOL_SCRIPT_H

#include "buffer.h"

/* All zero knows no variable. */
struct script_variables {
    struct script_variable *first;
};

/* Takes a line that sets a variable, without its leading blanks. False: it is no such line, or its
 * value can only be told by running something; a name then keeps the values that it had. */
bool script_assign(struct script_variables *variables, const char *line);

/* Adds the line to `lines` with values for $name and ${name}, once for each combination of them.
 * False: it holds a name that is not known, another kind of $ or a back quote, or there are too
 * many combinations; some lines may have been added. */
bool script_expand(const struct script_variables *variables, const char *line, struct words *lines);

void script_variables_clear(struct script_variables *variables);

#endif
