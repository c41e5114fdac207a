/* SPDX-License-Identifier: MIT
 *
 * The choice of accelerator and CPU for all kinds of hosts, and QEMU's arguments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <tool/machine.h>

static const struct host pc = {"Linux", "x86_64", true, true};
static const struct host arm_kvm = {"Linux", "aarch64", true, true};
static const struct host arm_closed = {"Linux", "aarch64", true, false};
static const struct host arm_plain = {"Linux", "aarch64", false, false};
static const struct host mac_arm = {"Darwin", "arm64", false, false};
static const struct host mac_intel = {"Darwin", "x86_64", false, false};

static void expect(const struct host *host, const char *wanted, const char *name, const char *cpu)
{
    struct accelerator choice = {0};
    int status = accelerator_choose(host, wanted, &choice);

    assert_int_equal(status, name ? 0 : STATUS_ERROR);
    if (name) {
        assert_string_equal(choice.name, name);
        assert_string_equal(choice.cpu, cpu);
        assert_true(strlen(choice.why) > 0);
    }
}

static void test_chosen_by_itself(void **state)
{
    (void)state;
    expect(&pc, NULL, "tcg", "cortex-a72");
    expect(&arm_kvm, NULL, "kvm", "host");
    expect(&arm_closed, NULL, "tcg", "cortex-a72");
    expect(&arm_plain, NULL, "tcg", "cortex-a72");
    expect(&mac_arm, NULL, "hvf", "host");
    expect(&mac_intel, NULL, "tcg", "cortex-a72");
}

static void test_asked_for(void **state)
{
    (void)state;
    expect(&arm_kvm, "tcg", "tcg", "cortex-a72");
    expect(&arm_kvm, "kvm", "kvm", "host");
    expect(&pc, "kvm", NULL, NULL);
    expect(&arm_closed, "kvm", NULL, NULL);
    expect(&arm_kvm, "hvf", NULL, NULL);
    expect(&mac_arm, "hvf", "hvf", "host");
    expect(&pc, "magic", NULL, NULL);
}

static size_t place(const struct words *words, const char *word)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->item[i], word) == 0)
            return i;
    return SIZE_MAX;
}

static void test_arguments(void **state)
{
    struct options options = {0};
    struct accelerator accelerator;
    struct network network;
    struct machine_start start = {.image = "/image",
                                  .bootargs = "remora.tty=",
                                  .bulk = -1,
                                  .memory_mib = 256,
                                  .cpus = 2,
                                  .network = &network};
    struct words words = {0};

    (void)state;
    words_add(&options.ports, "8080:80");
    words_add(&options.ports, "127.0.0.1:53:5353/udp");
    words_add(&options.volumes, "/a,b:/data:ro");
    words_add(&options.qemu_args, "-S");
    assert_int_equal(accelerator_choose(&pc, NULL, &accelerator), 0);
    assert_int_equal(network_choose(&network, &options), 0);
    machine_arguments(&options, &accelerator, &start, &words);
    assert_string_equal(words.item[place(&words, "-m") + 1], "256");
    assert_string_equal(words.item[place(&words, "-smp") + 1], "2");
    assert_string_equal(words.item[place(&words, "-machine") + 1], "virt,gic-version=3");
    assert_string_equal(words.item[place(&words, "-netdev") + 1],
                        "user,id=net0,restrict=on,hostfwd=tcp::8080-:80,"
                        "hostfwd=udp:127.0.0.1:53-:5353");
    assert_string_equal(words.item[place(&words, "-fsdev") + 1],
                        "local,id=volume0,path=/a,,b,security_model=none,readonly=on");
    assert_string_equal(words.item[words.count - 1], "-S");
    assert_int_equal(place(&words, "virtserialport,chardev=bulk,name=remora"), SIZE_MAX);
    words_clear(&words);
    start.bulk = 9;
    machine_arguments(&options, &accelerator, &start, &words);
    assert_int_not_equal(place(&words, "socket,id=bulk,fd=9"), SIZE_MAX);
    words_clear(&words);
    network_free(&network);
    options_free(&options);
}

static int parse(struct options *options, enum command command, char *const argv[])
{
    bool help;

    return options_parse(options, command, argv, &help);
}

static void test_options(void **state)
{
    char *const run[] = {"-m", "2G", "--cpus=4", "-e", "A=1", "prog", "-m", "x", NULL};
    char *const build[] = {"prog", "a", "-o", "out", "--", "-o", "b", NULL};
    char *const bad_size[] = {"-m", "0", "prog", NULL};
    char *const unknown[] = {"--nothing", "prog", NULL};
    char *const no_value[] = {"-m", NULL};
    struct options options;

    (void)state;
    assert_int_equal(parse(&options, COMMAND_RUN, run), 0);
    assert_int_equal(options.memory_mib, 2048);
    assert_int_equal(options.cpus, 4);
    assert_string_equal(options.source, "prog");
    assert_int_equal(options.args.count, 2);
    assert_string_equal(options.args.item[0], "-m");
    options_free(&options);
    assert_int_equal(parse(&options, COMMAND_BUILD, build), 0);
    assert_string_equal(options.output, "out");
    assert_int_equal(options.args.count, 3);
    assert_string_equal(options.args.item[1], "-o");
    options_free(&options);
    assert_int_equal(parse(&options, COMMAND_RUN, bad_size), STATUS_ERROR);
    options_free(&options);
    assert_int_equal(parse(&options, COMMAND_RUN, unknown), STATUS_ERROR);
    options_free(&options);
    assert_int_equal(parse(&options, COMMAND_RUN, no_value), STATUS_ERROR);
    options_free(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chosen_by_itself),
        cmocka_unit_test(test_asked_for),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
