// SPDX-License-Identifier: MIT
// What the objects of relocated.c, and relocations.c itself, refer to.
int shared_value = 42;
int shared_number(void);

int shared_number(void)
{
    return shared_value;
}
