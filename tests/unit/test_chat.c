/* Messages as chats draw them: dialects of markdown, cards, and what our channels really render, by their goldens; no word of it is lost or acts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/html.h"
#include "base/str.h"
#include "dashboard/chat.h"
#include "model/words.h"
#include "plugins.h"

/* No kinds of plug-in are looked for here. */
const struct sw_source *const sw_sources[] = { NULL };
const struct sw_signal *const sw_signals[] = { NULL };
const struct sw_channel *const sw_channels[] = { NULL };
const struct sw_action *const sw_actions[] = { NULL };
const struct sw_channel *sw_channel_find(const char *kind)
{
	(void)kind;
	return NULL;
}
extern const struct sw_channel sw_channel_dingtalk, sw_channel_wecom, sw_channel_feishu, sw_channel_slack;

/* ---- dialects ---- */

#define A(url, words) "<a rel=\"noreferrer noopener\" href=\"" url "\">" words "</a>"
#define AT(who) "<span class=\"chat-at\">@" who "</span>"

static const struct { enum chat_kind kind; const char *in, *want; } lines[] = {
	{ CHAT_FEISHU, "a **b** *c* ~~d~~ `e*`", "<p>a <strong>b</strong> <em>c</em> <s>d</s> <code>e*</code></p>\n" },
	{ CHAT_FEISHU, "a\nb\n\nc", "<p>a<br>b</p>\n<p>c</p>\n" },
	{ CHAT_FEISHU, "• a\n• b", "<p>• a<br>• b</p>\n" },
	{ CHAT_FEISHU, "# h\n- a\n- b\n> q", "<p class=\"chat-head\">h</p>\n<ul><li>a</li><li>b</li></ul>\n<blockquote><p>q</p></blockquote>\n" },
	{ CHAT_FEISHU, "<at id=ou_8f3a1c></at> <at id=all></at> <at id=\"x\"></at> <at user_id='y'>Lin <b></at>", "<p>" AT("ou_8f3a1c") " " AT("all") " " AT("x") " " AT("Lin &lt;b&gt;") "</p>\n" },
	{ CHAT_FEISHU, "<at id=a", "<p>&lt;at id=a</p>\n" }, { CHAT_FEISHU, "<at id=a>", "<p>&lt;at id=a&gt;</p>\n" }, { CHAT_FEISHU, "<at></at>", "<p>&lt;at&gt;&lt;/at&gt;</p>\n" },
	{ CHAT_FEISHU, "<at =></at>", "<p>&lt;at =&gt;&lt;/at&gt;</p>\n" },
	{ CHAT_FEISHU, "<font color='red'>**a**</font><font color=green>b</font><font color=\"#fff\">c</font>",
	  "<p><span class=\"chat-bad\"><strong>a</strong></span><span class=\"chat-info\">b</span>&lt;font color=&quot;#fff&quot;&gt;c&lt;/font&gt;</p>\n" },
	{ CHAT_FEISHU, "[x](https://h/a_b_c*d*)", "<p>" A("https://h/a_b_c*d*", "x") "</p>\n" }, { CHAT_FEISHU, "[x](javascript:1)", "<p>[x](javascript:1)</p>\n" },
	{ CHAT_FEISHU, "[](https://h)", "<p>[](https://h)</p>\n" },
	{ CHAT_FEISHU, "a\n---\nb", "<p>a</p>\n<hr>\n<p>b</p>\n" },
	{ CHAT_FEISHU, "a\n```c\n<b>**x**\n\ny\n```\nb", "<p>a</p>\n<pre class=\"chat-pre\">&lt;b&gt;**x**\n\ny</pre>\n<p>b</p>\n" },
	{ CHAT_FEISHU, "```\nnever closed", "<p>```<br>never closed</p>\n" }, { CHAT_FEISHU, "```\n```", "<pre class=\"chat-pre\"></pre>\n" },
	{ CHAT_FEISHU, "&lt; &amp;", "<p>&amp;lt; &amp;amp;</p>\n" },
	{ CHAT_SLACK, "*a* _b_ ~c~ `d*e*`", "<p><strong>a</strong> <em>b</em> <s>c</s> <code>d*e*</code></p>\n" },
	{ CHAT_SLACK, "snake_case_word 2*3*4 **x** * y *", "<p>snake_case_word 2*3*4 *<strong>x</strong>* * y *</p>\n" },
	{ CHAT_SLACK, "说*a*话", "<p>说*a*话</p>\n" }, { CHAT_SLACK, "*a*b c*", "<p><strong>a*b c</strong></p>\n" },
	{ CHAT_SLACK, "&lt;script&gt; &amp;lt; &quot; &", "<p>&lt;script&gt; &amp;lt; &amp;quot; &amp;</p>\n" },
	{ CHAT_SLACK, "<https://h/?a=1&amp;b=2|CI &lt;log&gt;> <http://h>", "<p>" A("https://h/?a=1&amp;b=2", "CI &lt;log&gt;") " " A("http://h", "http://h") "</p>\n" },
	{ CHAT_SLACK, "<javascript:alert(1)|x> <mailto:a@b.c|mail>", "<p>&lt;javascript:alert(1)|x&gt; mail</p>\n" },
	{ CHAT_SLACK, "<https://h\"onclick=\"x|y>", "<p>" A("https://h&quot;onclick=&quot;x", "y") "</p>\n" },
	{ CHAT_SLACK, "<@U012AB3CD> <!channel> <!subteam^S06> <!subteam^S06|@ops> <#C1|general>", "<p>" AT("U012AB3CD") " " AT("channel") " " AT("S06") " " AT("ops") " general</p>\n" },
	{ CHAT_SLACK, "< <> <", "<p>&lt; &lt;&gt; &lt;</p>\n" }, { CHAT_SLACK, "<|>", "<p>&lt;|&gt;</p>\n" }, { CHAT_SLACK, "<@>", "<p>" AT("") "</p>\n" },
	{ CHAT_SLACK, "> q\n&gt; r\n- x\n# y\n[z](https://h)", "<blockquote><p>q<br>r</p></blockquote>\n<p>- x<br># y<br>[z](https://h)</p>\n" },
	{ CHAT_SLACK, "```\n<https://h|x> *a* &amp;\n```", "<pre class=\"chat-pre\">&lt;https://h|x&gt; *a* &amp;</pre>\n" },
	{ CHAT_SLACK, "*a*\n", "<p><strong>a</strong></p>\n" }, { CHAT_SLACK, "*", "<p>*</p>\n" }, { CHAT_SLACK, "**", "<p>**</p>\n" }, { CHAT_SLACK, "", "" }, { CHAT_SLACK, NULL, "" },
};

static void test_dialects(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(lines); i++) {
		struct sw_buf b = SW_BUF_INIT;

		chat_html(&b, lines[i].kind, lines[i].in);
		assert_string_equal(sw_buf_str(&b), lines[i].want);
		sw_buf_fini(&b);
	}
}

static void test_bounded(void **state)
{
	static const char *const pieces[] = { "*", "**", "*a ", "_a*", "[", "`", "<@", "<at id=", "<font color=red>", "&", "&lt;", "```\n", "~~*`[<", "> ", "\u4e2d", "<https://h|" };

	(void)state;
	for (size_t i = 0; i < SW_COUNT(pieces); i++)
		for (enum chat_kind k = 0; k < CHAT_KINDS; k++) {
			struct sw_buf in = SW_BUF_INIT, out = SW_BUF_INIT;

			while (in.n < 2 * CHAT_MAX)
				sw_buf_cat(&in, pieces[i]);
			chat_html(&out, k, sw_buf_str(&in));
			assert_true(out.n > 0 && out.n < 20 * CHAT_MAX);
			assert_null(strstr(sw_buf_str(&out), "\xef\xbf\xbd"));
			sw_buf_fini(&in);
			sw_buf_fini(&out);
		}
}

/* ---- cards ---- */

static const struct { const char *channel, *body, *want; } cards[] = {
	{ "feishu", "{'msg_type':'interactive','card':{'schema':'2.0','header':{'title':{'tag':'plain_text','content':'a <b> *c*'},'subtitle':{'tag':'plain_text','content':'s'},'template':'red'},"
	            "'body':{'elements':[{'tag':'markdown','content':'**x**'},{'tag':'button','text':{'tag':'plain_text','content':'go'},'type':'primary',"
	            "'behaviors':[{'type':'callback'},{'type':'open_url','default_url':'https://h/?a&b'}]}]}}}",
	  "<div class=\"chat-title bad\"><p class=\"chat-words chat-head\">a &lt;b&gt; *c*</p>\n<p class=\"chat-words\">s</p>\n</div>\n<p><strong>x</strong></p>\n"
	  "<a class=\"chat-button primary\" rel=\"noreferrer noopener\" href=\"https://h/?a&amp;b\">go</a>" },
	{ "feishu", "{'card':{'header':{'title':{'content':'t'},'template':'\\\"><script>'},'elements':[{'tag':'hr'},{'tag':'div','text':{'tag':'lark_md','content':'*d*'},'fields':["
	            "{'is_short':true,'text':{'tag':'plain_text','content':'f'}},{'text':{'tag':'plain_text','content':'g'}}]},{'tag':'note','elements':[{'tag':'plain_text','content':'n'}]},"
	            "{'tag':'action','actions':[{'tag':'button','text':{'content':'b'},'url':'javascript:alert(1)'}]}]}}",
	  "<div class=\"chat-title idle\"><p class=\"chat-words chat-head\">t</p>\n</div>\n<hr>\n<p><em>d</em></p>\n<div class=\"chat-fields\">\n<div><p class=\"chat-words\">f</p>\n</div>\n"
	  "<div class=\"long\"><p class=\"chat-words\">g</p>\n</div>\n</div>\n<p class=\"chat-words\">n</p>\n<span class=\"chat-button plain\">b</span>" },
	{ "feishu", "{'card':{'body':{'elements':[{'tag':'column_set','columns':[{'tag':'column','elements':[{'tag':'markdown','content':'l'}]},{'elements':[{'tag':'markdown','content':'r'}]}]}]}}}",
	  "<div class=\"chat-columns\">\n<div><p>l</p>\n</div>\n<div><p>r</p>\n</div>\n</div>\n" },
	{ "feishu", "{'card':{'body':{'elements':[{'tag':'chart','title':'<i>'},'words',7]}}}",
	  "<pre class=\"chat-raw\">{&quot;tag&quot;:&quot;chart&quot;,&quot;title&quot;:&quot;&lt;i&gt;&quot;}</pre>\n<p class=\"chat-words\">words</p>\n<pre class=\"chat-raw\">7</pre>\n" },
	{ "feishu", "{'msg_type':'text','content':{'text':'a\\nb'}}", "<p class=\"chat-words\">a\nb</p>\n" },
	{ "feishu", "{'msg_type':'post'}", "<pre class=\"chat-raw\">{&quot;msg_type&quot;:&quot;post&quot;}</pre>\n" },
	{ "slack", "{'text':'*a* <@U1>','attachments':[{'color':'#d0021b','blocks':[{'type':'section','text':{'type':'mrkdwn','text':'b &amp; c'}},{'type':'actions','elements':[{'type':'button',"
	           "'text':{'type':'plain_text','text':'go'},'style':'primary','url':'https://h'}]}]}]}",
	  "<p><strong>a</strong> " AT("U1") "</p>\n<div class=\"chat-attached\"><svg class=\"chat-bar\" aria-hidden=\"true\" preserveAspectRatio=\"none\" viewBox=\"0 0 1 1\">"
	  "<rect width=\"1\" height=\"1\" fill=\"#d0021b\"/></svg>\n<p>b &amp; c</p>\n<a class=\"chat-button primary\" rel=\"noreferrer noopener\" href=\"https://h\">go</a></div>\n" },
	{ "slack", "{'text':'not shown','blocks':[{'type':'header','text':{'type':'plain_text','text':'*h*'}},{'type':'section','fields':[{'type':'mrkdwn','text':'*f*'},{'type':'plain_text','text':'g'}],"
	           "'accessory':{'type':'button','text':{'text':'b'}}},{'type':'divider'},{'type':'context','elements':[{'type':'mrkdwn','text':'c'},{'type':'image','alt_text':'i'}]},{'type':'video'}]}",
	  "<p class=\"chat-words chat-head\">*h*</p>\n<div class=\"chat-fields\">\n<div><p><strong>f</strong></p>\n</div>\n<div><p class=\"chat-words\">g</p>\n</div>\n</div>\n"
	  "<span class=\"chat-button plain\">b</span><hr>\n<div class=\"chat-context\"><p>c</p>\n<pre class=\"chat-raw\">{&quot;type&quot;:&quot;image&quot;,&quot;alt_text&quot;:&quot;i&quot;}</pre>\n</div>\n"
	  "<pre class=\"chat-raw\">{&quot;type&quot;:&quot;video&quot;}</pre>\n" },
	{ "slack", "{'attachments':[{'color':'danger','pretext':'p','title':'t','title_link':'https://h','text':'_x_','fields':[{'title':'By','value':'*lin*','short':true}],'footer':'f'}]}",
	  "<p>p</p>\n<div class=\"chat-attached\"><svg class=\"chat-bar\" aria-hidden=\"true\" preserveAspectRatio=\"none\" viewBox=\"0 0 1 1\"><rect width=\"1\" height=\"1\" fill=\"#a30200\"/></svg>\n"
	  "<p class=\"chat-head\">" A("https://h", "t") "</p>\n<p><em>x</em></p>\n<div class=\"chat-fields\">\n<div><p class=\"chat-words chat-strong\">By</p>\n<p><strong>lin</strong></p>\n</div>\n</div>\n"
	  "<p class=\"chat-words chat-small\">f</p>\n</div>\n" },
	{ "slack", "{'attachments':[{'color':'\\\"/><script>','what':1}]}",
	  "<div class=\"chat-attached\"><svg class=\"chat-bar\" aria-hidden=\"true\" preserveAspectRatio=\"none\" viewBox=\"0 0 1 1\"><rect width=\"1\" height=\"1\" fill=\"#8a8a8a\"/></svg>\n"
	  "<pre class=\"chat-raw\">{&quot;color&quot;:&quot;\\&quot;/&gt;&lt;script&gt;&quot;,&quot;what&quot;:1}</pre>\n</div>\n" },
	{ "slack", "{'channel':'x'}", "<pre class=\"chat-raw\">{&quot;channel&quot;:&quot;x&quot;}</pre>\n" },
	{ "dingtalk", "{'msgtype':'actionCard','actionCard':{'text':'#### a','btns':[{'title':'go','actionURL':'https://h'},{'title':'no','actionURL':'dingtalk://x'}]}}",
	  "<p class=\"chat-head\">a</p>\n<a class=\"chat-button plain\" rel=\"noreferrer noopener\" href=\"https://h\">go</a><span class=\"chat-button plain\">no</span>" },
	{ "wecom", "{'msgtype':'template_card','template_card':{'source':{'desc':'s'},'main_title':{'title':'t','desc':'d'},'sub_title_text':'x','horizontal_content_list':[{'keyname':'k','value':'<v>'}],"
	           "'jump_list':[{'type':1,'title':'go','url':'https://h'}]}}",
	  "<p class=\"chat-words chat-small\">s</p>\n<p class=\"chat-words chat-head\">t</p>\n<p class=\"chat-words\">d</p>\n<p class=\"chat-words\">x</p>\n<dl class=\"kv\"><dt>k</dt><dd>&lt;v&gt;</dd></dl>\n"
	  "<a class=\"chat-button plain\" rel=\"noreferrer noopener\" href=\"https://h\">go</a>" },
	{ "wecom", "{'msgtype':'markdown','markdown':{'content':'<font color=\\\"info\\\">a</font>'}}", "<p><span class=\"chat-info\">a</span></p>\n" },
	{ "wecom", "{'msgtype':'file','file':{'media_id':'m'}}", "<pre class=\"chat-raw\">{&quot;msgtype&quot;:&quot;file&quot;,&quot;file&quot;:{&quot;media_id&quot;:&quot;m&quot;}}</pre>\n" },
	{ "console", "'x'", "<p class=\"chat-words\">x</p>\n" },
};

static const struct sw_jnode *json_of(struct sw_arena *a, const char *text)
{
	char *s = sw_arena_memdup(a, text, strlen(text) + 1);
	struct sw_err err = SW_ERR_INIT;
	struct sw_jnode *ret;

	for (char *p = s; *p; p++)
		if (*p == '\'')
			*p = '"';
	if (sw_jtree_parse(a, s, strlen(s), 10000, &ret, &err) < 0)
		fail_msg("%s: %s", s, err.text);
	return ret;
}

static void test_cards(void **state)
{
	struct sw_arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < SW_COUNT(cards); i++) {
		struct sw_buf b = SW_BUF_INIT;

		chat_message(&b, chat_kind_of(cards[i].channel), json_of(&a, cards[i].body));
		if (strcmp(sw_buf_str(&b), cards[i].want) != 0)
			fail_msg("%zu: got\n%s\nwant\n%s", i, sw_buf_str(&b), cards[i].want);
		sw_buf_fini(&b);
	}
	sw_arena_fini(&a);
}

/* Columns within columns without end are text from some depth on; nothing at all is nothing. */
static void test_depth(void **state)
{
	struct sw_buf in = SW_BUF_INIT, out = SW_BUF_INIT;
	struct sw_arena a = { 0 };

	(void)state;
	sw_buf_cat(&in, "{'card':{'elements':[");
	for (int i = 0; i < 6; i++)
		sw_buf_cat(&in, "{'tag':'column_set','columns':[{'elements':[");
	sw_buf_cat(&in, "{'tag':'markdown','content':'deep'}");
	for (int i = 0; i < 6; i++)
		sw_buf_cat(&in, "]}]}");
	sw_buf_cat(&in, "]}}");
	chat_message(&out, CHAT_FEISHU, json_of(&a, in.p));
	assert_non_null(strstr(sw_buf_str(&out), "deep"));
	assert_non_null(strstr(sw_buf_str(&out), "chat-raw"));
	sw_buf_reset(&out);
	for (enum chat_kind k = 0; k <= CHAT_KINDS; k++)
		chat_message(&out, k, NULL);
	assert_int_equal(out.n, 0);
	sw_buf_fini(&in);
	sw_buf_fini(&out);
	sw_arena_fini(&a);
}

/* ---- what our channels render ---- */

/* Only elements of ours, each closed where it belongs, and links that lead to the web. */
static void is_well(const char *html, const char *where)
{
	static const char *const elements[] = { "p", "br", "hr", "strong", "em", "s", "code", "pre", "span", "a", "ul", "li", "blockquote", "div", "dl", "dt", "dd", "svg", "rect" };
	char open[64][16];
	size_t depth = 0;

	for (const char *s = strchr(html, '<'); s; s = strchr(s + 1, '<')) {
		bool closes = s[1] == '/', known = false;
		size_t n = strcspn(s + 1 + closes, " />");
		char name[16];

		assert_true(n < sizeof name);
		(void)snprintf(name, sizeof name, "%.*s", (int)n, s + 1 + closes);
		for (size_t i = 0; i < SW_COUNT(elements); i++)
			known |= strcmp(elements[i], name) == 0;
		if (!known)
			fail_msg("%s: <%s> in %s", where, name, html);
		if (strcmp(name, "br") == 0 || strcmp(name, "hr") == 0 || strcmp(name, "rect") == 0)
			continue;
		if (!closes) {
			assert_true(depth < SW_COUNT(open));
			memcpy(open[depth++], name, sizeof name);
		} else if (!depth || strcmp(open[--depth], name) != 0) {
			fail_msg("%s: </%s> closes another in %s", where, name, html);
		}
	}
	assert_int_equal(depth, 0);
	for (const char *s = strstr(html, "href=\""); s; s = strstr(s + 1, "href=\""))
		assert_true(sw_starts(s, "href=\"https://") || sw_starts(s, "href=\"http://"));
	assert_null(strstr(html, " onclick="));
	assert_null(strstr(html, "style="));
}

/* Words as they are read: no elements, entities as characters, line ends as blanks. */
static void read_words(const char *html, struct sw_buf *out)
{
	static const struct { const char *entity, is; } entities[] = { { "&lt;", '<' }, { "&gt;", '>' }, { "&amp;", '&' }, { "&quot;", '"' }, { "&#39;", '\'' } };

	for (const char *s = html; *s; s++) {
		bool done = false;

		if (*s == '<') {
			s = strchr(s, '>');
			sw_buf_putc(out, ' ');
			continue;
		}
		for (size_t i = 0; i < SW_COUNT(entities) && !done; i++)
			if (sw_starts(s, entities[i].entity)) {
				sw_buf_putc(out, entities[i].is);
				s += strlen(entities[i].entity) - 1;
				done = true;
			}
		if (!done)
			sw_buf_putc(out, *s == '\n' ? ' ' : *s);
	}
}

/* Whatever stands beside whatever. */
static void test_any(void **state)
{
	static const char *const bits[] = { "*", "_", "~", "`", "<", ">", "|", "<at id=", "</at>", "&amp;", "&", "```\n", "\n", "[", "](", "https://", ")", "\xff", "<@", "<!", "<font color=red>",
		"</font>", "\"", "# ", "- ", "> ", "---\n", "中", "ab ", "'" };
	unsigned long seed = 12345;

	(void)state;
	for (int i = 0; i < 4000; i++)
		for (enum chat_kind k = 0; k < CHAT_KINDS; k++) {
			struct sw_buf in = SW_BUF_INIT, out = SW_BUF_INIT;

			for (int n = i % 24; n > 0; n--) {
				seed = seed * 6364136223846793005ul + 1442695040888963407ul;
				sw_buf_cat(&in, bits[(seed >> 33) % SW_COUNT(bits)]);
			}
			chat_html(&out, k, sw_buf_str(&in));
			is_well(sw_buf_str(&out), sw_buf_str(&in));
			sw_buf_fini(&in);
			sw_buf_fini(&out);
		}
}

static void test_of_channels(void **state)
{
	static const struct sw_channel *const channels[] = { &sw_channel_dingtalk, &sw_channel_wecom, &sw_channel_feishu, &sw_channel_slack };
	static const char *const stories[] = { "asks_en", "asks_hostile", "asks_zh", "digest", "firing_en", "firing_zh", "hostile", "long", "mention_all", "resolved_en", "rollback_failed" };
	struct sw_arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < SW_COUNT(channels); i++)
		for (size_t k = 0; k < SW_COUNT(stories); k++) {
			const char *name = channels[i]->base.name, *path = sw_arena_printf(&a, "%s/tests/golden/channel/feishu/%s/in.json", getenv("SW_SOURCE_ROOT"), stories[k]);
			struct sw_buf in = SW_BUF_INIT, out = SW_BUF_INIT, words = SW_BUF_INIT;
			struct sw_err err = SW_ERR_INIT;
			struct sw_jnode *node, *body;
			struct sw_job job = { 0 };
			struct sw_alert al;

			if (sw_file_read(path, 1 << 20, &in, NULL) < 0 || sw_jtree_parse(&a, in.p, in.n, 100000, &node, &err) < 0)
				fail_msg("%s: %s", path, err.text);
			sw_alert_read(sw_jget(node, "alert"), &a, &al);
			assert_true(channels[i]->render(sw_arena_alloc(&a, channels[i]->base.conf_size), &al, SW_SIZE_FULL, 0, 1700000000000, &a, &job, &err) >= 0);
			assert_int_equal(sw_jtree_parse(&a, job.body, job.body_n, 100000, &body, &err), 0);
			chat_message(&out, chat_kind_of(name), body);
			is_well(sw_buf_str(&out), path);
			read_words(sw_buf_str(&out), &words);
			assert_null(strstr(sw_buf_str(&out), "chat-raw")); /* all of it is drawn */
			if (sw_starts(stories[k], "asks")) {
				assert_non_null(strstr(sw_buf_str(&out), "<a class=\"chat-button"));
				if (i != 1 /* its cards have their own, shorter words */ && !strstr(sw_buf_str(&words), sw_word_link(SW_LINK_APPROVAL, al.locale)))
					fail_msg("%s: no button in %s", name, sw_buf_str(&words));
			} else if (sw_starts(stories[k], "firing")) {
				assert_non_null(strstr(sw_buf_str(&words), "prod-health"));
				assert_non_null(strstr(sw_buf_str(&words), "acme/web"));
			}
			if (strcmp(stories[k], "firing_en") == 0)
				assert_non_null(strstr(sw_buf_str(&words), "cart: count each item once"));
			if (strstr(stories[k], "hostile"))
				assert_non_null(strstr(sw_buf_str(&words), "<b>x</b>") ? "" : strstr(sw_buf_str(&words), "b>x"));
			sw_buf_fini(&in);
			sw_buf_fini(&out);
			sw_buf_fini(&words);
		}
	sw_arena_fini(&a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialects), cmocka_unit_test(test_bounded), cmocka_unit_test(test_cards), cmocka_unit_test(test_depth), cmocka_unit_test(test_any), cmocka_unit_test(test_of_channels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
