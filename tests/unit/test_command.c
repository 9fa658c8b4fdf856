/* Commands of people: the one form in which they are appended, and what is wrong with names and silences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "model/command.h"

static const struct sw_decider lin = { "lin \"w\"", "dashboard", 1790000000000 };
#define BY "\"who\":\"lin \\\"w\\\"\",\"via\":\"dashboard\",\"at\":1790000000000}"

static void test_forms(void **state)
{
	struct sw_arena a = { 0 };
	const struct sw_decider link = { "lin", NULL, 1 };
	struct sw_silence_cmd s = { .id = "ab", .service = "web", .why = "<b>", .until = 1790000003600 };

	(void)state;
	assert_string_equal(sw_command_decide(&a, &lin, "a1", true, "D"), "{\"t\":\"cmd\",\"do\":\"approve\",\"act\":\"a1\",\"decision\":\"D\"," BY);
	assert_string_equal(sw_command_decide(&a, &link, "a1", false, "D"), "{\"t\":\"cmd\",\"do\":\"refuse\",\"act\":\"a1\",\"decision\":\"D\",\"who\":\"lin\",\"at\":1}");
	assert_string_equal(sw_command_hold(&a, &lin, true, "why"), "{\"t\":\"cmd\",\"do\":\"hold\",\"why\":\"why\"," BY);
	assert_string_equal(sw_command_hold(&a, &lin, false, NULL), "{\"t\":\"cmd\",\"do\":\"release\"," BY);
	assert_string_equal(sw_command_cancel(&a, &lin, "w1"), "{\"t\":\"cmd\",\"do\":\"cancel\",\"watch\":\"w1\"," BY);
	assert_string_equal(sw_command_ack(&a, &lin), "{\"t\":\"cmd\",\"do\":\"ack\"," BY);
	assert_string_equal(sw_command_label(&a, &lin, "d1", false), "{\"t\":\"cmd\",\"do\":\"label\",\"dep\":\"d1\",\"good\":false," BY);
	assert_string_equal(sw_command_silence(&a, &lin, &s), "{\"t\":\"cmd\",\"do\":\"silence\",\"id\":\"ab\",\"service\":\"web\",\"until\":1790000003600,\"why\":\"<b>\"," BY);
	s.maintenance = true;
	assert_non_null(strstr(sw_command_silence(&a, &lin, &s), ",\"maintenance\":true,"));
	assert_string_equal(sw_command_silence_end(&a, &lin, "ab"), "{\"t\":\"cmd\",\"do\":\"end\",\"id\":\"ab\"," BY);
	sw_arena_fini(&a);
}

static void test_names(void **state)
{
	char longest[SW_COMMAND_NAME + 2];

	(void)state;
	memset(longest, 'x', sizeof longest);
	longest[SW_COMMAND_NAME] = '\0';
	assert_true(sw_command_name_ok(longest));
	longest[SW_COMMAND_NAME] = 'x';
	longest[SW_COMMAND_NAME + 1] = '\0';
	assert_false(sw_command_name_ok(longest));
	assert_true(sw_command_name_ok("林 伟"));
	assert_false(sw_command_name_ok(""));
	assert_false(sw_command_name_ok("a\nb"));
	assert_false(sw_command_name_ok("a\xe2\x80\xae" "b"));
	assert_false(sw_command_name_ok("a\xff"));
}

static void test_silences(void **state)
{
	char text[SILENCE_TEXT + 2];
	struct sw_silence_cmd s = { .service = text };

	(void)state;
	memset(text, 'x', sizeof text);
	text[SILENCE_TEXT] = '\0';
	assert_null(sw_silence_wrong(&s));
	text[SILENCE_TEXT] = 'x';
	text[SILENCE_TEXT + 1] = '\0';
	assert_string_equal(sw_silence_wrong(&s), "a text has at most 200 bytes");
	s = (struct sw_silence_cmd){ .why = "no reason alone" };
	assert_non_null(strstr(sw_silence_wrong(&s), "it would be everything"));
	s = (struct sw_silence_cmd){ .severity = "critical" };
	assert_null(sw_silence_wrong(&s));
	s.maintenance = true;
	assert_non_null(strstr(sw_silence_wrong(&s), "an action has no severity"));
	s = (struct sw_silence_cmd){ .severity = "red" };
	assert_non_null(strstr(sw_silence_wrong(&s), "want info, warning or critical"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_forms), cmocka_unit_test(test_names), cmocka_unit_test(test_silences) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
