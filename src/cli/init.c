/* shipwatch init: four questions (or their answers as options), and a configuration that works, with its secrets and rules. */
#include "cli/init.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/str.h"
#include "base/yaml.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "config/config.h"
#include "plugins.h"
#include "rules/rules.h"

enum { ANSWER_MAX = 1000 };

static const char *const source_words[] = { "gitlab", "github", "gitea", NULL };
static const char *const channel_words[] = { "dingtalk", "wecom", "feishu", "slack", "webhook", "console", NULL };

/* One of them in any case; else why tells which there are. NULL: none. */
static const char *one_of(struct sw_init *in, const char *text, const char *const *words, const char **why)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *near = sw_did_you_mean(text, (const char **)(uintptr_t)words);

	for (size_t i = 0; words[i]; i++) {
		if (strcasecmp(words[i], text) == 0)
			return words[i];
		sw_buf_printf(&b, "%s%s", i ? words[i + 1] ? ", " : " or " : "", words[i]);
	}
	*why = near ? sw_arena_printf(&in->a, "want %s, got \"%s\", did you mean \"%s\"?", sw_buf_str(&b), text, near) :
	              sw_arena_printf(&in->a, "want %s, got \"%s\"", sw_buf_str(&b), text);
	return NULL;
}

/* What the loader of configurations says of a few lines of one; NULL: nothing. Its place in those lines is of no use to anybody. */
static const char *loader_says(struct sw_init *in, const char *text)
{
	static const struct sw_yenv none = { 0 };
	const struct sw_plugins plugins = { sw_sources, sw_signals, sw_channels, sw_actions };
	struct sw_config *cfg = NULL;
	const char *said = NULL;
	struct sw_diags d;

	sw_diags_init(&d, &in->a);
	if (sw_config_load_text("answer", text, strlen(text), &plugins, &none, &cfg, &d) == 0)
		sw_config_put(cfg);
	for (const struct sw_diag *one = d.first; one && !said; one = one->next)
		if (!one->warning)
			said = one->text;
	if (said && sw_starts(said, "answer:"))
		said += strspn(said + 7, "0123456789: ") + 7;
	return said;
}

static const char *take_source(struct sw_init *in, const char *text)
{
	const char *why = NULL;

	in->source = one_of(in, text, source_words, &why);
	return why;
}

/* A repository by its path; an address that was copied from a browser or from `git remote` is cut down to it. */
static const char *take_repo(struct sw_init *in, const char *text)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *p = strstr(text, "://"), *path = text, *why;
	char *repo;
	size_t n;

	if (p)
		path = strchr(p + 3, '/') ? strchr(p + 3, '/') + 1 : "";
	else if (strchr(text, '@') && strchr(text, ':'))
		path = strchr(text, ':') + 1;
	n = strlen(path);
	while (n && path[n - 1] == '/')
		n--;
	if (n > 4 && strncmp(path + n - 4, ".git", 4) == 0)
		n -= 4;
	repo = sw_arena_strndup(&in->a, path, n);
	p = strrchr(repo, '/');
	if (!p || !p[1] || *repo == '/' || strstr(repo, "//") || repo[strspn(repo, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/")])
		return sw_arena_printf(&in->a, "want the path of a repository, such as acme/web, got \"%s\"", text);
	sw_buf_cat(&b, "services: {");
	sw_buf_json(&b, p + 1);
	sw_buf_cat(&b, ": {repo: ");
	sw_buf_json(&b, repo);
	sw_buf_cat(&b, ", environments: {production: \"http://127.0.0.1/\"}}}\n");
	why = loader_says(in, sw_buf_str(&b));
	if (!why) {
		in->repo = repo;
		in->service = p + 1;
	}
	return why;
}

static const char *take_health(struct sw_init *in, const char *text)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *why;

	sw_buf_cat(&b, "services: {web: {repo: acme/web, environments: {production: {health: ");
	sw_buf_json(&b, text);
	sw_buf_cat(&b, "}}}}\n");
	why = loader_says(in, sw_buf_str(&b));
	in->health = why ? NULL : sw_arena_strdup(&in->a, text);
	return why;
}

static const char *take_channel(struct sw_init *in, const char *text)
{
	const char *why = NULL;

	in->channel = one_of(in, text, channel_words, &why);
	return why;
}

static const char *channel_says(struct sw_init *in, const char *url, const char *signing)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_buf_printf(&b, "channels: {chat: {kind: %s, url: ", in->channel);
	sw_buf_json(&b, url);
	if (signing) {
		sw_buf_cat(&b, ", secret: ");
		sw_buf_json(&b, signing);
	}
	sw_buf_cat(&b, "}}\n");
	return loader_says(in, sw_buf_str(&b));
}

static const char *take_url(struct sw_init *in, const char *text)
{
	const char *why = channel_says(in, text, NULL);

	in->url = why ? NULL : sw_arena_strdup(&in->a, text);
	return why;
}

/* May be left empty. */
static const char *take_signing(struct sw_init *in, const char *text)
{
	const char *why = *text ? channel_says(in, in->url, text) : NULL;

	in->signing = why || !*text ? NULL : sw_arena_strdup(&in->a, text);
	return why;
}

static bool has_url(const struct sw_init *in)
{
	return !sw_streq(in->channel, "console");
}

static bool has_signing(const struct sw_init *in)
{
	return sw_streq(in->channel, "dingtalk") || sw_streq(in->channel, "feishu");
}

static const struct question {
	const char *option, *text;
	bool (*asked)(const struct sw_init *in); /* NULL: always */
	/* Keeps a good answer. Return: what is wrong with it, or NULL. */
	const char *(*take)(struct sw_init *in, const char *text);
	bool optional;
} questions[] = {
	{ "source", "1. Where do webhooks come from: gitlab, github or gitea?", NULL, take_source, false },
	{ "repo", "2. Which repository? Its path, for example acme/web", NULL, take_repo, false },
	{ "health", "3. Which address answers while production is well? For example https://web.example.com/health", NULL, take_health, false },
	{ "channel", "4. Who is told: dingtalk, wecom, feishu, slack, webhook, or console (only the log)?", NULL, take_channel, false },
	{ "channel-url", "   The robot's whole address, for example https://oapi.dingtalk.com/robot/send?access_token=…", has_url, take_url, false },
	{ "channel-secret", "   Where the robot wants signatures: its secret; else nothing", has_signing, take_signing, true },
};

/* One answer, blanks around it cut off. Return: 0; -1: the input is over; 1: too long or not of one line of text. */
static int answer_read(char *out, size_t size)
{
	size_t n, from;
	bool whole;

	if (!fgets(out, (int)size, stdin))
		return -1;
	n = strlen(out);
	whole = n && out[n - 1] == '\n';
	if (!whole && !feof(stdin)) {
		for (int c = 0; c != '\n' && c != EOF;)
			c = fgetc(stdin);
		return 1;
	}
	if (!whole)
		return -1; /* the input ended within a line: what stands there may be half an answer */
	while (n && strchr(" \t\r\n", out[n - 1]))
		out[--n] = 0;
	from = strspn(out, " \t");
	memmove(out, out + from, n - from + 1);
	for (const unsigned char *p = (const unsigned char *)out; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			return 1;
	return 0;
}

/* Until the answer is a good one. Return: 0, or -1 at the end of the input. */
static int ask(struct sw_init *in, const struct question *q)
{
	char text[ANSWER_MAX + 2];

	for (;;) {
		const char *why;
		int r;

		(void)fprintf(stderr, "%s\n> ", q->text);
		r = answer_read(text, sizeof text);
		if (r < 0) {
			(void)fputc('\n', stderr);
			return -1;
		}
		why = r > 0 ? "want one line of at most 1000 bytes, without control characters" : q->take(in, text);
		if (!why)
			return 0;
		(void)fprintf(stderr, "   %s\n", why);
	}
}

static int complain(int code, const char *text)
{
	(void)fprintf(stderr, "shipwatch: init: %s\n", text);
	return code;
}

/* Answers that came as options are checked first, all of them; then the others are asked for. Return: an exit code; OK: all are there. */
static int answers(struct sw_init *in, const char *const *given)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf missing = SW_BUF_INIT;
	bool terminal = isatty(STDIN_FILENO) == 1;

	for (size_t i = 0; i < SW_COUNT(questions); i++) {
		const struct question *q = &questions[i];
		const char *why;

		/* whether it is asked depends on the channel's kind, which may still be to be asked for */
		if (!given[i] || ((q->asked == has_url || q->asked == has_signing) && !in->channel))
			continue;
		if (q->asked && !q->asked(in))
			return complain(SW_EXIT_USAGE, sw_arena_printf(&in->a, "--%s: a channel of kind %s has none", q->option, in->channel));
		why = q->take == take_signing && !in->url ? "want --channel-url with it" :
		      strlen(given[i]) > ANSWER_MAX || given[i][strcspn(given[i], "\r\n")] ? "want one line of at most 1000 bytes" : q->take(in, given[i]);
		if (why)
			return complain(SW_EXIT_USAGE, sw_arena_printf(&in->a, "--%s: %s", q->option, why));
	}
	if ((given[4] || given[5]) && !in->channel)
		return complain(SW_EXIT_USAGE, "--channel-url and --channel-secret: want --channel, the kind, with them");
	for (size_t i = 0; i < SW_COUNT(questions); i++) {
		const struct question *q = &questions[i];

		if (given[i] || (q->asked && !(terminal || in->channel)) || (q->asked && in->channel && !q->asked(in)))
			continue;
		if (!terminal && !q->optional)
			sw_buf_printf(&missing, "%s--%s", missing.n ? ", " : "", q->option);
		else if (terminal && ask(in, q) < 0)
			return complain(SW_EXIT_WRONG, "the input ended; nothing was written");
	}
	if (missing.n)
		return complain(SW_EXIT_USAGE, sw_arena_printf(&in->a, "there is no terminal to ask on: want %s (shipwatch init --help)", sw_buf_str(&missing)));
	return SW_EXIT_OK;
}

static int init_run(struct sw_init *in, const char *const *given)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf next = SW_BUF_INIT;
	struct sw_err err = SW_ERR_INIT;
	struct sw_rules *rules = NULL;
	struct sw_config *cfg;
	const char *path;
	int r;

	if (sw_init_may(in, &err) < 0)
		return complain(SW_EXIT_WRONG, err.text);
	r = answers(in, given);
	if (r != SW_EXIT_OK)
		return r;
	if (sw_init_write(in, &path, &err) < 0)
		return complain(SW_EXIT_WRONG, sw_arena_printf(&in->a, "%s; nothing was written", err.text));
	(void)printf("%s, rules.yaml and secrets/ are written\n", path);
	cfg = sw_cli_config(path, &rules, false); /* tells its warnings too */
	if (!cfg)
		return SW_EXIT_WRONG;
	sw_rules_put(rules);
	sw_config_put(cfg);
	sw_init_next(in, path, &next);
	(void)fputs(sw_buf_str(&next), stdout);
	return SW_EXIT_OK;
}

int sw_cli_init(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"init [--dir DIR] [--force] [--source KIND] [--repo PATH] [--health URL] [--channel KIND] [--channel-url URL]",
		"Asks four questions and writes a configuration that works: shipwatch.yaml, rules.yaml and a folder of secrets. What is given as an\n"
		"option is not asked; without a terminal every answer is an option. What is there already is not written over without --force, and\n"
		"secrets that hosts know stay even then.\n",
		NULL, 0, 0,
	};
	struct sw_init in = { .dir = "." };
	const char *given[SW_COUNT(questions)] = { NULL };
	const struct sw_opt opts[] = {
		{ "dir", 0, SW_OPT_TEXT, &in.dir, "DIR", "where it is written; made when it is not there; the current one unless said", NULL, 0, 0 },
		{ "force", 0, SW_OPT_FLAG, &in.force, NULL, "write over a configuration and rules that are there", NULL, 0, 0 },
		{ "source", 0, SW_OPT_TEXT, &given[0], "KIND", "gitlab, github or gitea; where webhooks come from", NULL, 0, 0 },
		{ "repo", 0, SW_OPT_TEXT, &given[1], "PATH", "the repository: acme/web", NULL, 0, 0 },
		{ "health", 0, SW_OPT_TEXT, &given[2], "URL", "address that answers while production is well", NULL, 0, 0 },
		{ "channel", 0, SW_OPT_TEXT, &given[3], "KIND", "dingtalk, wecom, feishu, slack, webhook or console; who is told", NULL, 0, 0 },
		{ "channel-url", 0, SW_OPT_TEXT, &given[4], "URL", "the robot's whole address", NULL, 0, 0 },
		{ "channel-secret", 0, SW_OPT_TEXT, &given[5], "TEXT", "where the robot wants signatures: its secret", NULL, 0, 0 },
		{ 0 },
	};
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	r = init_run(&in, given);
	sw_arena_fini(&in.a);
	return r;
}
