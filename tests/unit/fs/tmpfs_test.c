/* SPDX-License-Identifier: MIT */
/* Random operations on a tmpfs; tree_test.c. */
#include "env.h"

int main(void)
{
    return tree_test(false);
}
