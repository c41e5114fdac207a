/* SPDX-License-Identifier: MIT
 *
 * What a mistyped word was meant to be: the Damerau-Levenshtein distance, in its restricted form.
 */
#include "nearest.h"

#include <string.h>

#define LENGTH_MAX   32 /* of words that are looked at */
#define DISTANCE_MAX 2

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned cost[LENGTH_MAX + 1][LENGTH_MAX + 1];

    for (size_t i = 0; i <= a_length; i++)
        for (size_t n = 0; n <= b_length; n++) {
            if (i == 0 || n == 0) {
                cost[i][n] = (unsigned)(i + n);
                continue;
            }
            cost[i][n] = least(cost[i - 1][n - 1] + (a[i - 1] != b[n - 1]),
                               least(cost[i - 1][n], cost[i][n - 1]) + 1);
            if (i > 1 && n > 1 && a[i - 1] == b[n - 2] && a[i - 2] == b[n - 1])
                cost[i][n] = least(cost[i][n], cost[i - 2][n - 2] + 1);
        }
    return cost[a_length][b_length];
}

const char *text_nearest(const char *word, const char *const names[], size_t count)
{
    size_t length = strlen(word);
    unsigned best = DISTANCE_MAX + 1;
    const char *nearest = NULL;

    for (size_t i = 0; i < count && length <= LENGTH_MAX; i++) {
        size_t name_length = strlen(names[i]);
        unsigned found;

        if (name_length > LENGTH_MAX)
            continue;
        found = distance(word, length, names[i], name_length);
        if (found < best && 2 * found < length) {
            best = found;
            nearest = names[i];
        }
    }
    return nearest;
}
