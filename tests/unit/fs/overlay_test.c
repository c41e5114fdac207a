/* SPDX-License-Identifier: MIT */
/* Random operations on an overlay over an EROFS image; tree_test.c. */
#include "env.h"

int main(void)
{
    return tree_test(true);
}
