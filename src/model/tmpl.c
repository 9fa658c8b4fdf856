/*
 * Reads templates of messages (tmpl.h). Mistakes are told all at once, each with its line and column; a template that is read holds only
 * names that exist, parts that are closed, and lines that repeat one list.
 */
#include "model/tmpl.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/buf.h"

#define NAME_MAX_BYTES 40

/* clang-format off */
static const struct { const char *name; enum sw_tmpl_list list; const char *help; } values[SW_TV_COUNT] = {
	[SW_TV_LABEL] = { "label", 0, "severity, or that it is over, and a dry run, in the brackets of the channel: `[critical] `" },
	[SW_TV_SEVERITY] = { "severity", 0, "critical, warning, info" },
	[SW_TV_DRY_RUN] = { "dry_run", 0, "dry run, where it is one" },
	[SW_TV_PLACE] = { "place", 0, "service and environment: `web/prod`" },
	[SW_TV_SERVICE] = { "service", 0, "" },
	[SW_TV_ENVIRONMENT] = { "environment", 0, "" },
	[SW_TV_WHAT] = { "what", 0, "what happened, in a few words: verdict, news, first condition" },
	[SW_TV_NEWS] = { "news", 0, "what became of it: rolled back, no rollback, somebody has it in hand … Empty when it fires or is over" },
	[SW_TV_REPEAT] = { "repeat", 0, "that the message may have come before" },
	[SW_TV_VERDICT] = { "verdict", 0, "fail, inconclusive …; empty for rules that are decided by an event" },
	[SW_TV_REASON] = { "reason", 0, "the condition held, no data, it was so before …" },
	[SW_TV_RULE] = { "rule", 0, "the rule's name" },
	[SW_TV_SUMMARY] = { "summary", 0, "the rule's own words, where `{what}` does not have them" },
	[SW_TV_KIND] = { "kind", 0, "what it is about: deployment, pipeline, push …" },
	[SW_TV_STATUS] = { "status", 0, "of the event: success, failed …" },
	[SW_TV_VERSION_NAME] = { "version.name", 0, "the word version, or commit where only that is known" },
	[SW_TV_VERSION] = { "version", 0, "version and commit: `v2.3.1 (a1b2c3d4)`" },
	[SW_TV_PREVIOUS] = { "previous", 0, "the same of what ran before" },
	[SW_TV_SHA] = { "sha", 0, "the commit, 8 digits" },
	[SW_TV_BY] = { "by", 0, "who deployed, else who wrote the commit" },
	[SW_TV_USER] = { "user", 0, "who deployed" },
	[SW_TV_AUTHOR] = { "author", 0, "who wrote the commit" },
	[SW_TV_DEPLOYED] = { "deployed", 0, "when the deployment ended" },
	[SW_TV_AT] = { "at", 0, "when it was decided" },
	[SW_TV_REPO] = { "repo", 0, "" },
	[SW_TV_BRANCH] = { "branch", 0, "" },
	[SW_TV_TAG] = { "tag", 0, "" },
	[SW_TV_TITLE_NAME] = { "title.name", 0, "the word commit, or alarm" },
	[SW_TV_TITLE] = { "title", 0, "of the commit or the alarm, where no commits are listed" },
	[SW_TV_ROLLBACK] = { "rollback", 0, "action, state and detail of the rollback" },
	[SW_TV_ROLLBACK_ACTION] = { "rollback.action", 0, "its name" },
	[SW_TV_ROLLBACK_STATE] = { "rollback.state", 0, "starting, started, done, verified, skipped …" },
	[SW_TV_ROLLBACK_DETAIL] = { "rollback.detail", 0, "why, or what the host answered" },
	[SW_TV_RUN] = { "run", 0, "`ci_run_id`, which finds everything in the logs" },
	[SW_TV_WATCH] = { "watch", 0, "the id that `shipwatch explain` wants" },
	[SW_TV_ALERT] = { "alert", 0, "the id that `shipwatch ack` wants" },
	[SW_TV_COMMITS] = { "commits", 0, "how many commits" },
	[SW_TV_FILES] = { "files", 0, "how many files changed" },
	[SW_TV_CONDITION] = { "condition", SW_TMPL_CONDITIONS, "a condition, as the rule has it" },
	[SW_TV_CONDITION_VALUE] = { "condition.value", SW_TMPL_CONDITIONS, "what was measured" },
	[SW_TV_CONDITION_LIMIT] = { "condition.limit", SW_TMPL_CONDITIONS, "the limit" },
	[SW_TV_CONDITION_BEFORE] = { "condition.before", SW_TMPL_CONDITIONS, "the value before the deployment" },
	[SW_TV_CONDITION_LIMITS] = { "condition.limits", SW_TMPL_CONDITIONS, "both with their names: `limit 1.5s, before 310ms`" },
	[SW_TV_COMMIT_SHA] = { "commit.sha", SW_TMPL_COMMITS, "" },
	[SW_TV_COMMIT_TITLE] = { "commit.title", SW_TMPL_COMMITS, "" },
	[SW_TV_COMMIT_AUTHOR] = { "commit.author", SW_TMPL_COMMITS, "" },
	[SW_TV_FILE] = { "file", SW_TMPL_FILES, "a file that was changed" },
	[SW_TV_LINK] = { "link", SW_TMPL_LINKS, "a link with its name; each that is known" },
	[SW_TV_LINK_FIRST + SW_LINK_APPROVAL] = { "link.approval", 0, "the page where a rollback is decided; with until when it stands behind the first line in any case" },
	[SW_TV_LINK_FIRST + SW_LINK_CI_LOG] = { "link.ci_log", 0, "one link with its name" },
	[SW_TV_LINK_FIRST + SW_LINK_COMPARE] = { "link.compare", 0, "" },
	[SW_TV_LINK_FIRST + SW_LINK_ENVIRONMENT] = { "link.environment", 0, "" },
	[SW_TV_LINK_FIRST + SW_LINK_DASHBOARD] = { "link.dashboard", 0, "" },
	[SW_TV_LINK_FIRST + SW_LINK_RUNBOOK] = { "link.runbook", 0, "" },
	[SW_TV_LINK_FIRST + SW_LINK_LOGS] = { "link.logs", 0, "" },
	[SW_TV_LINK_FIRST + SW_LINK_ALARM] = { "link.alarm", 0, "" },
};

static const char *const defaults[] = {
	[SW_LOCALE_EN] =
	"# {label}{place}{?: {what}?}{? ({repeat})?}\n"
	"{summary}\n"
	"> {condition}{?: **{condition.value}**?}{? ({condition.limits})?}\n"
	"rule: {rule}\n"
	"{version.name}: {version}{? ← {previous}?}\n"
	"{?by: {by}?}{? · deployed: {deployed}?}{? · at: {at}?}\n"
	"{?repository: {repo}?}{? · branch: {branch}?}{? · tag: {tag}?}\n"
	"{title.name}: {title}\n"
	"rollback: {rollback}\n"
	"{link}\n"
	"{?run: {run}?}{? · watch: {watch}?}\n"
	"commits ({commits})\n"
	"- {commit.sha} {commit.title}{? — {commit.author}?}\n"
	"files changed ({files})\n"
	"- {file}\n",
	[SW_LOCALE_ZH] =
	"# {label}{place}{?：{what}?}{? ({repeat})?}\n"
	"{summary}\n"
	"> {condition}{?：**{condition.value}**?}{? ({condition.limits})?}\n"
	"规则：{rule}\n"
	"{version.name}：{version}{? ← {previous}?}\n"
	"{?操作人：{by}?}{? · 部署时间：{deployed}?}{? · 时间：{at}?}\n"
	"{?仓库：{repo}?}{? · 分支：{branch}?}{? · 标签：{tag}?}\n"
	"{title.name}：{title}\n"
	"回滚：{rollback}\n"
	"{link}\n"
	"{?运行编号：{run}?}{? · 观察编号：{watch}?}\n"
	"提交列表 ({commits})\n"
	"- {commit.sha} {commit.title}{? — {commit.author}?}\n"
	"变更文件 ({files})\n"
	"- {file}\n",
};
/* clang-format on */

const char *sw_tmpl_default(enum sw_locale l)
{
	return defaults[l];
}

const char *sw_tmpl_name(enum sw_tmpl_value v)
{
	return values[v].name;
}

const char *sw_tmpl_help(enum sw_tmpl_value v)
{
	return values[v].help;
}

/* One line while it is read. */
struct reading {
	struct sw_arena *a;
	struct sw_diags *d;
	const char *file, *start, *end; /* of the line's text */
	unsigned row;
	struct sw_tmpl_piece pieces[SW_TMPL_PIECES];
	size_t n;
	const char *listed; /* the name that made it a list */
	struct sw_tmpl_line line;
	const char *maybe, *strong; /* where it was opened; NULL: it is not */
	bool full;
};

static void wrong(struct reading *r, const char *at, const char *fmt, ...) SW_PRINTF(3, 4);

/* Columns are counted in characters. */
static void wrong(struct reading *r, const char *at, const char *fmt, ...)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_ynode where = { .file = r->file, .line = r->row, .col = 1 };
	va_list ap;

	for (const char *p = r->start; p < at; p++)
		where.col += ((unsigned char)*p & 0xc0) != 0x80;
	va_start(ap, fmt);
	sw_buf_vprintf(&b, fmt, ap);
	va_end(ap);
	sw_diag_error(r->d, &where, "%s", sw_buf_str(&b));
}

static void piece_add(struct reading *r, struct sw_tmpl_piece p, const char *at)
{
	if (r->n == SW_TMPL_PIECES) {
		if (!r->full)
			wrong(r, at, "a line has at most %d pieces", SW_TMPL_PIECES);
		r->full = true;
		return;
	}
	r->pieces[r->n++] = p;
}

/* Text that adjoins text is one piece. */
static void text_add(struct reading *r, const char *s, size_t n)
{
	struct sw_tmpl_piece *last = r->n ? &r->pieces[r->n - 1] : NULL;

	if (last && last->op == SW_TMPL_TEXT && last->s + last->n == s)
		last->n += n;
	else
		piece_add(r, (struct sw_tmpl_piece){ .op = SW_TMPL_TEXT, .s = s, .n = n }, s);
}

static const char *name_near(const char *name)
{
	const char *names[SW_TV_COUNT + 1];

	for (size_t i = 0; i < SW_TV_COUNT; i++)
		names[i] = values[i].name;
	names[SW_TV_COUNT] = NULL;
	return sw_did_you_mean(name, names);
}

static void list_is(struct reading *r, enum sw_tmpl_list list, const char *name, const char *at)
{
	if (!list)
		return;
	if (r->line.list && r->line.list != list) {
		wrong(r, at, "a line repeats one list: {%s} does not go with {%s}", name, r->listed);
		return;
	}
	r->line.list = list;
	r->listed = name;
}

/* {name}; at stands on the brace. Return: behind it. */
static const char *read_value(struct reading *r, const char *at)
{
	size_t n = 0, max = (size_t)(r->end - at - 1);
	const char *name, *near;

	while (n < max && ((at[1 + n] >= 'a' && at[1 + n] <= 'z') || at[1 + n] == '_' || at[1 + n] == '.'))
		n++;
	if (!n || n > NAME_MAX_BYTES || n == max || at[1 + n] != '}') {
		wrong(r, at, "want {name}, {? or {#; write {{ for the brace itself");
		return at + 1;
	}
	name = sw_arena_strndup(r->a, at + 1, n);
	for (size_t i = 0; i < SW_TV_COUNT; i++) {
		if (strcmp(values[i].name, name) != 0)
			continue;
		list_is(r, values[i].list, values[i].name, at);
		piece_add(r, (struct sw_tmpl_piece){ .op = SW_TMPL_VALUE, .value = (enum sw_tmpl_value)i }, at);
		return at + n + 2;
	}
	near = name_near(name);
	wrong(r, at + 1, near ? "unknown value \"%s\", did you mean \"%s\"?" : "unknown value \"%s\"", name, near);
	return at + n + 2;
}

static const char *read_maybe(struct reading *r, const char *at, bool open)
{
	if (open && r->maybe)
		wrong(r, at, "{? stands within {? already");
	else if (!open && !r->maybe)
		wrong(r, at, "?} closes nothing");
	else if (!open && r->strong && r->strong > r->maybe)
		wrong(r, r->strong, "** is not closed before ?}");
	else
		piece_add(r, (struct sw_tmpl_piece){ .op = open ? SW_TMPL_MAYBE : SW_TMPL_MAYBE_END }, at);
	r->maybe = open ? at : NULL;
	return at + 2;
}

static const char *read_strong(struct reading *r, const char *at)
{
	if (r->strong && r->maybe && r->maybe > r->strong)
		wrong(r, at, "** was opened before {?");
	piece_add(r, (struct sw_tmpl_piece){ .op = r->strong ? SW_TMPL_STRONG_END : SW_TMPL_STRONG }, at);
	r->strong = r->strong ? NULL : at;
	return at + 2;
}

/* One piece. Return: behind it. */
static const char *read_piece(struct reading *r, const char *p)
{
	char c = *p, next = '\0';
	unsigned len;

	if (p + 1 < r->end)
		next = p[1];
	if ((c == '{' || c == '}') && next == c) {
		text_add(r, p, 1);
		return p + 2;
	}
	if ((c == '{' && next == '?') || (c == '?' && next == '}'))
		return read_maybe(r, p, c == '{');
	if (c == '*' && next == '*')
		return read_strong(r, p);
	if (c == '{')
		return read_value(r, p);
	len = sw_utf8_len(p, (size_t)(r->end - p));
	if (c == '}')
		wrong(r, p, "} closes nothing; write }} for the brace itself");
	else if (!len)
		wrong(r, p, "not UTF-8");
	else if ((unsigned char)c < 0x20 || c == 0x7f)
		wrong(r, p, "a control character");
	text_add(r, p, len ? len : 1);
	return p + (len ? len : 1);
}

static void read_line(struct reading *r, const char *end)
{
	static const struct { const char *mark; enum sw_tmpl_kind kind; } kinds[] = {
		{ "# ", SW_TMPL_HEAD }, { "> ", SW_TMPL_QUOTE }, { "- ", SW_TMPL_ITEM },
	};
	const char *p = r->start;

	r->end = end;
	r->line = (struct sw_tmpl_line){ .kind = SW_TMPL_WORDS };
	r->n = 0;
	r->maybe = r->strong = NULL;
	r->full = false;
	for (size_t i = 0; i < SW_COUNT(kinds); i++)
		if (end - p > 2 && memcmp(p, kinds[i].mark, 2) == 0) {
			r->line.kind = kinds[i].kind;
			p += 2;
			break;
		}
	while (p < end)
		p = read_piece(r, p);
	if (r->maybe)
		wrong(r, r->maybe, "{? is not closed in its line");
	if (r->strong)
		wrong(r, r->strong, "** is not closed in its line");
}

static bool is_nothing(const char *s, const char *end)
{
	while (s < end && *s == ' ')
		s++;
	return s == end || (end - s >= 4 && memcmp(s, "{#", 2) == 0 && memcmp(end - 2, "#}", 2) == 0);
}

static void line_keep(struct reading *r, struct sw_tmpl *t)
{
	struct sw_tmpl_piece *pieces;

	if (t->n == SW_TMPL_LINES) {
		wrong(r, r->start, "a template has at most %d lines", SW_TMPL_LINES);
		return;
	}
	pieces = SW_ARENA_ARRAY(r->a, struct sw_tmpl_piece, r->n);
	memcpy(pieces, r->pieces, r->n * sizeof *pieces);
	r->line.pieces = pieces;
	r->line.n = r->n;
	t->lines[t->n++] = r->line;
}

int sw_tmpl_parse(struct sw_arena *a, const char *file, const char *text, size_t n, const struct sw_tmpl **ret, struct sw_diags *d)
{
	struct reading r = { .a = a, .d = d, .file = file, .row = 1 };
	struct sw_tmpl *t = SW_ARENA_NEW(a, struct sw_tmpl);
	unsigned errors = d->errors;
	const char *end;

	t->text = r.start = text = sw_arena_memdup(a, text, n);
	t->text_n = n;
	end = text + n;
	if (n > SW_TMPL_BYTES) {
		wrong(&r, text, "a template has at most %zu bytes, this one has %zu", SW_TMPL_BYTES, n);
		return -EINVAL;
	}
	t->lines = SW_ARENA_ARRAY(a, struct sw_tmpl_line, SW_TMPL_LINES);
	for (const char *next; r.start < end && d->errors - errors < SW_TMPL_LINES; r.start = next, r.row++) {
		const char *nl = memchr(r.start, '\n', (size_t)(end - r.start)), *stop = nl ? nl : end;

		next = nl ? nl + 1 : end;
		if (stop > r.start && stop[-1] == '\r')
			stop--;
		if (is_nothing(r.start, stop))
			continue;
		read_line(&r, stop);
		line_keep(&r, t);
	}
	if (!t->n && d->errors == errors) {
		r.start = text;
		r.row = 1;
		wrong(&r, text, "a template has at least one line");
	}
	*ret = t;
	return d->errors == errors ? 0 : -EINVAL;
}
