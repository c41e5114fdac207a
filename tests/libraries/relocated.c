// SPDX-License-Identifier: MIT
// A shared object a kind of relocation: compiled once for each -DKIND_..., of which it has at least
// one. probe() is 42 if the loader has done what the relocation asks.
extern int shared_number(void);
extern int shared_value;
int probe(void);

#if defined(KIND_RELATIVE) || defined(KIND_RELR)
static int own = 42;
static int *volatile pointers[40] = {[0 ... 39] = &own};
int probe(void)
{
    int sum = 0;
    for (int i = 0; i < 40; i++)
        sum += *pointers[i];
    return sum / 40;
}
#elif defined(KIND_ABS64)
static int *volatile pointer = &shared_value;
int probe(void)
{
    return *pointer;
}
#elif defined(KIND_GLOB_DAT)
int probe(void)
{
    return shared_value;
}
#elif defined(KIND_JUMP_SLOT)
int probe(void)
{
    return shared_number() + 0;
}
#elif defined(KIND_IRELATIVE)
static int chosen(void)
{
    return 42;
}
static int (*choose(void))(void)
{
    return chosen;
}
static int by_cpu(void) __attribute__((ifunc("choose")));
int probe(void)
{
    return by_cpu() + 0;
}
#elif defined(KIND_TLS)
static __thread int counted = 40;
__thread int seen_by_all = 1;
int probe(void)
{
    int was = counted;
    counted += seen_by_all;
    seen_by_all = 1;
    counted = was;
    return counted + seen_by_all + 1;
}
#endif
