// SPDX-License-Identifier: MIT
// Says that it is idle and then sleeps; the host looks at how much of a core the sleeping machine
// takes.
#include <unistd.h>

int main(void)
{
    static const char line[] = "idle\n";
    if (write(1, line, sizeof line - 1) < 0)
        return 1;
    sleep(30);
    return 0;
}
