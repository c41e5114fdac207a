/* SPDX-License-Identifier: MIT
 *
 * -p and --net: what is accepted, what QEMU is told, and the guest's address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <tool/network.h>

static void expect_port(const char *text, const char *address, unsigned host, unsigned guest,
                        bool udp)
{
    struct port port;

    assert_true(port_parse(&port, text));
    assert_string_equal(port.address, address);
    assert_int_equal(port.host, host);
    assert_int_equal(port.guest, guest);
    assert_int_equal(port.udp, udp);
}

static void test_ports(void **state)
{
    static const char *const bad[] = {"",
                                      "80",
                                      "80:",
                                      ":80",
                                      "80:0",
                                      "65536:80",
                                      "80:65536",
                                      "-1:80",
                                      "+1:80",
                                      " 1:80",
                                      "80:80/sctp",
                                      "80:80/",
                                      "80:80x",
                                      "::80:80",
                                      "1.2.3:80:80",
                                      "1.2.3.4:80",
                                      "1.2.3.256:1:1",
                                      "localhost:80:80",
                                      "1:2:3:4",
                                      "100000000000000000000:80"};
    struct port port;

    (void)state;
    expect_port("8080:80", "", 8080, 80, false);
    expect_port("0:80/tcp", "", 0, 80, false);
    expect_port("65535:65535/udp", "", 65535, 65535, true);
    expect_port("127.0.0.1:53:5353/udp", "127.0.0.1", 53, 5353, true);
    expect_port("255.255.255.255:1:1", "255.255.255.255", 1, 1, false);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(port_parse(&port, bad[i]));
}

/* The arguments in one line, or NULL when it is refused. */
static const char *line(const char *net, const char *port, const char *name)
{
    static char text[512];
    struct options options = {.net = net, .name = name};
    struct words words = {0};
    struct network network;

    if (port)
        words_add(&options.ports, port);
    text[0] = '\0';
    if (network_choose(&network, &options)) {
        options_free(&options);
        return NULL;
    }
    network_arguments(&network, &words);
    for (size_t i = 0; i < words.count; i++) {
        strncat(text, i ? " " : "", 2);
        strncat(text, words.item[i], 200);
    }
    words_clear(&words);
    network_free(&network);
    options_free(&options);
    return text;
}

static void test_kinds(void **state)
{
    (void)state;
    assert_string_equal(line(NULL, NULL, NULL), "-nic none");
    assert_string_equal(line("none", NULL, "a"), "-nic none");
    assert_non_null(strstr(line(NULL, "1:2", NULL), "user,id=net0,restrict=on,hostfwd=tcp::1-:2 "));
    assert_non_null(
        strstr(line("user", NULL, NULL), "user,id=net0,restrict=on -device virtio-net-device,"));
    assert_non_null(strstr(line("user,out", "1:2", NULL), "user,id=net0,hostfwd=tcp::1-:2 "));
    assert_non_null(strstr(line("tap:t0", NULL, NULL),
                           "tap,id=net0,ifname=t0,script=no,downscript=no -device "
                           "virtio-net-device,netdev=net0,mac="));
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"",        "usr",     "user,",
                                      "user,in", "tap",     "tap:",
                                      "tap:a/b", "tap:a,b", "tap:sixteen-letters!",
                                      "tap:a b"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_null(line(bad[i], NULL, NULL));
    assert_null(line("none", "1:2", NULL));
    assert_null(line("tap:t0", "1:2", NULL));
}

static void test_addresses(void **state)
{
    char web[18], data[18], first[64];

    (void)state;
    network_mac("web", web);
    network_mac("data", data);
    assert_int_equal(strlen(web), 17);
    assert_memory_equal(web, "52:54:00:", 9);
    assert_string_not_equal(web, data);
    assert_non_null(strstr(line("tap:t0", NULL, "web"), web));
    assert_non_null(strstr(line("user", NULL, "web"), web));
    strcpy(first, strstr(line("tap:t0", NULL, NULL), "mac="));
    assert_string_not_equal(first, strstr(line("tap:t0", NULL, NULL), "mac="));
    strcpy(first, strstr(line("user", NULL, NULL), "mac="));
    assert_string_equal(first, strstr(line("user", NULL, NULL), "mac="));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
