/* SPDX-License-Identifier: MIT */
/* kernel/lib/printf.c beside the C library's, and what only the kernel's knows. */
#include <unit.h>

#include <limits.h>

#include <lib/printf.h>

/* The C library's, under the name that libc_names.h hides. */
int __real_vsnprintf(char *to, size_t size, const char *format, va_list args) __asm__("vsnprintf");

static void like_libc(const char *format, ...)
{
    for (size_t size = 0; size < 80; size += size < 24 ? 1 : 13) {
        char ours[80] = "untouched", theirs[80] = "untouched";
        va_list args, again;

        va_start(args, format);
        va_copy(again, args);
        int our_length = vsnprintf(ours, size, format, args);
        int their_length = __real_vsnprintf(theirs, size, format, again);
        va_end(args);
        va_end(again);
        assert_string_equal(ours, theirs);
        assert_int_equal(our_length, their_length);
    }
}

static void conversions(void **state)
{
    like_libc("plain %% text");
    like_libc("%d %i %u %x %X %o", -5, INT_MIN, UINT_MAX, 0xbeef, 0xBEEF, 0755);
    like_libc("%ld %lu %lx %lld %llx", LONG_MIN, ULONG_MAX, 0x123456789abcdefUL, LLONG_MIN, 1ULL);
    like_libc("%hhd %hd %hhu %zu %zd %td %jd", 300, 70000, 300, (size_t)7, (long)-7, (long)9,
              (intmax_t)-1);
    like_libc("[%5d] [%-5d] [%05d] [%+d] [% d]", 42, 42, 42, 42, 42);
    like_libc("[%#x] [%#o] [%#X] [%#x]", 255, 8, 255, 0);
    like_libc("[%.3d] [%8.3d] [%-8.3d] [%.0d]", 7, 7, 7, 0);
    like_libc("[%s] [%10s] [%-10s] [%.2s] [%.10s]", "text", "text", "text", "text", "text");
    like_libc("[%*d] [%-*d] [%.*s] [%*s]", 6, 1, 6, 1, 2, "abc", -6, "left");
    like_libc("[%c] [%3c] [%-3c]", 'x', 'y', 'z');
    like_libc("%s%s%s%s%s%s", "a long text ", "that does ", "not fit ", "into ", "the small ",
              "buffer");
}

static void symbols(void **state)
{
    char text[64];

    snprintf(text, sizeof text, "%pS", (void *)0x1234);
    assert_string_equal(text, "known+0x4");
    snprintf(text, sizeof text, "%pS", (void *)0x4321);
    assert_non_null(__builtin_strstr(text, "4321"));
}

static void written_length(void **state)
{
    char text[8];

    assert_int_equal(scnprintf(text, sizeof text, "%s", "0123456789"), 7);
    assert_string_equal(text, "0123456");
    assert_int_equal(scnprintf(text, sizeof text, "%s", "ab"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversions),
        cmocka_unit_test(symbols),
        cmocka_unit_test(written_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
