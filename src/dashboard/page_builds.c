/*
 * Builds: is a branch getting slower, less covered, redder? The trend of each repository, branch and environment stands first, then the
 * runs themselves. One line's page draws its last 50; one build's page has its jobs and what came of it.
 */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/pages.h"

#define LINES_SHOWN 30
#define TREND       10
#define ROWS_SHOWN  30

/* ---- trends ---- */

static void line_url(struct page *p, const struct sum_line *x)
{
	sw_buf_cat(&p->out, "/builds?repo=");
	sw_html_url(&p->out, x->repo);
	sw_buf_cat(&p->out, "&amp;branch=");
	sw_html_url(&p->out, x->branch);
	sw_buf_cat(&p->out, "&amp;environment=");
	sw_html_url(&p->out, x->environment);
}

static size_t line_values(const struct sum_line *x, bool coverage, double *ret)
{
	for (size_t i = 0; i < x->n; i++)
		ret[i] = coverage ? x->b[x->n - 1 - i].coverage : x->b[x->n - 1 - i].duration / 1000;
	return x->n;
}

static double newest_of(const double *v, size_t n)
{
	while (n && !isfinite(v[n - 1]))
		n--;
	return n ? v[n - 1] : NAN;
}

/* The newest against the one before it, where both are known: "+3.1 %" of a duration, "-1.2 pp" of a coverage. */
static void put_change(struct page *p, const double *v, size_t n, bool coverage)
{
	double now, before;

	while (n && !isfinite(v[n - 1]))
		n--;
	now = n ? v[n - 1] : NAN;
	before = newest_of(v, n ? n - 1 : 0);
	if (!isfinite(now) || !isfinite(before) || (!coverage && before <= 0))
		return;
	if (coverage && fabs(now - before) >= 0.0005)
		sw_buf_printf(&p->out, " <span class=\"%s\">%+.1f pp</span>", now < before ? "worse" : "better", (now - before) * 100);
	if (!coverage && fabs(now / before - 1) >= 0.05)
		sw_buf_printf(&p->out, " <span class=\"%s\">%+.0f %%</span>", now > before ? "worse" : "better", (now / before - 1) * 100);
}

static void put_marks(struct page *p, const struct sum_line *x, size_t most)
{
	struct mark marks[SUM_BUILDS];
	size_t n = SW_MIN(x->n, most);

	for (size_t i = 0; i < n; i++) {
		const struct sum_build *b = &x->b[n - 1 - i];
		SW_CLEANUP(sw_buf_fini) struct sw_buf t = SW_BUF_INIT;

		sw_buf_printf(&t, "%s%s", page_word(p, b->status), W(p, ", ", "，"));
		sw_time_print_local(b->at, sw_config_tz_offset(p->cfg, b->at), true, &t);
		marks[i] = (struct mark){ .word = b->status, .href = sw_arena_printf(&p->a, "/builds/%lld", (long long)b->id), .title = sw_arena_strdup(&p->a, sw_buf_str(&t)) };
	}
	page_marks(p, W(p, "results, oldest first", "结果，从旧到新"), marks, n);
}

static void put_trend(struct page *p, const struct sum_line *x, bool coverage)
{
	double v[SUM_BUILDS];
	size_t n = line_values(x, coverage, v);

	sw_buf_cat(&p->out, "<span class=\"trend\">");
	page_spark(p, coverage ? W(p, "coverage", "覆盖率") : W(p, "duration", "耗时"), coverage ? SW_V_RATIO : SW_V_DURATION, v, n);
	if (!isfinite(newest_of(v, n))) { /* the dash is there */
		sw_buf_cat(&p->out, "</span>");
		return;
	}
	sw_buf_cat(&p->out, "<span class=\"nowrap\">");
	if (coverage)
		page_value(p, SW_V_RATIO, newest_of(v, n));
	else
		sw_html_dur(p, newest_of(v, n) * 1000);
	put_change(p, v, n, coverage);
	sw_buf_cat(&p->out, "</span></span>");
}

static void trend_rows(struct page *p, const struct sum_line *lines, size_t n)
{
	const char *const heads[] = { W(p, "Line", "线路"), W(p, "Last 10, newest right", "最近 10 次，最新在右"), W(p, "Duration", "耗时"), W(p, "Coverage", "覆盖率"), W(p, "Newest", "最新"), NULL };
	struct table t;

	page_table(p, &t, W(p, "Trend of each repository, branch and environment", "各仓库、分支与环境的趋势"), heads);
	for (size_t i = 0; i < n; i++) {
		const struct sum_line *x = &lines[i];

		if (!x->n)
			continue;
		page_row(p, &t);
		page_cell(p, &t);
		sw_buf_cat(&p->out, "<a class=\"main\" href=\"");
		line_url(p, x);
		sw_buf_cat(&p->out, "\">");
		page_words(p, x->repo, 48);
		sw_buf_cat(&p->out, "</a> ");
		page_branch(p, *x->branch ? x->branch : W(p, "no branch", "无分支"));
		if (*x->environment)
			sw_html(&p->out, " <span class=\"muted\">→ %s</span>", x->environment);
		page_cell(p, &t);
		put_marks(p, x, TREND);
		page_cell(p, &t);
		put_trend(p, x, false);
		page_cell(p, &t);
		put_trend(p, x, true);
		page_cell(p, &t);
		page_ago(p, x->b[0].at);
	}
	page_table_end(p, &t);
}

static void trends(struct page *p)
{
	struct sum_line *lines = SW_ARENA_ARRAY(&p->a, struct sum_line, LINES_SHOWN);
	struct sw_rows rows;

	page_section(p, "trends", W(p, "Trends", "趋势"), "builds");
	page_some(p, "lines", LINES_SHOWN, &rows, "repo", sw_page_query(p, "repo"), "branch", sw_page_query(p, "branch"), "environment", sw_page_query(p, "environment"), NULL);
	for (size_t i = 0; i < rows.n; i++)
		lines[i] = (struct sum_line){ .repo = sw_row_text(&rows.rows[i], "repo"), .branch = sw_row_text(&rows.rows[i], "branch"),
		                              .environment = sw_row_text(&rows.rows[i], "environment") };
	if (rows.n && sum_lines(p->store, lines, rows.n, TREND, &p->a) == 0)
		trend_rows(p, lines, rows.n);
	else
		page_empty(p, W(p, "Trends need builds: webhooks of pipelines, or reports of CI jobs (shipwatch report).", "趋势来自流水线的 webhook 或 CI 任务报告（shipwatch report）。"));
	if (rows.next)
		sw_html(&p->out, "<p class=\"muted\">%s</p>\n", W(p, "The 30 with the newest builds are shown; a filter finds others.", "仅显示最近有构建的 30 条，可用筛选查找其他。"));
	page_section_end(p);
}

/* ---- one line, drawn ---- */

static void line_curve(struct page *p, const struct sum_line *x, bool coverage)
{
	struct chart_point v[SUM_BUILDS];
	size_t n = 0;

	for (size_t i = x->n; i-- > 0;)
		if (isfinite(coverage ? x->b[i].coverage : x->b[i].duration))
			v[n++] = (struct chart_point){ .at = x->b[i].at, .v = coverage ? x->b[i].coverage : x->b[i].duration / 1000 };
	if (n < 2)
		return;
	page_chart(p, &(struct chart){ .signal = coverage ? W(p, "coverage", "覆盖率") : W(p, "duration", "耗时"), .type = coverage ? SW_V_RATIO : SW_V_DURATION,
	                               .points = v, .n = n, .before = NAN, .from = v[0].at, .to = v[n - 1].at });
}

/* A line is named by the query: the builds that these filters find are one. Return: whether there is one with builds. */
static bool line_of(struct page *p, struct sum_line *x)
{
	*x = (struct sum_line){ .repo = sw_page_query(p, "repo"), .branch = sw_page_query(p, "branch"), .environment = sw_page_query(p, "environment") };
	if (!p->store || !x->repo || !*x->repo || !x->branch || !x->environment || strchr(x->repo, '*') || strchr(x->branch, '*') || strchr(x->environment, '*'))
		return false;
	return sum_lines(p->store, x, 1, SUM_BUILDS, &p->a) == 0 && x->n;
}

static void line_section(struct page *p, const struct sum_line *x)
{
	page_section(p, "line", W(p, "This line", "此线路"), "builds");
	sw_buf_cat(&p->out, "<p class=\"row\"><strong>");
	page_words(p, x->repo, 80);
	sw_buf_cat(&p->out, "</strong> ");
	page_branch(p, *x->branch ? x->branch : W(p, "no branch", "无分支"));
	if (*x->environment)
		sw_html(&p->out, " <span class=\"muted\">→ %s</span>", x->environment);
	sw_buf_cat(&p->out, "</p>\n");
	put_marks(p, x, 25);
	sw_buf_cat(&p->out, "<div class=\"curves\">\n");
	line_curve(p, x, false);
	line_curve(p, x, true);
	sw_buf_cat(&p->out, "</div>\n");
	page_section_end(p);
}

void page_build_list(struct page *p)
{
	static const char *const filters[] = { "repo", "branch", "environment", "service", "status", "sha", "since", NULL };
	struct sum_line *line = SW_ARENA_NEW(&p->a, struct sum_line);
	struct sw_rows rows;
	bool one = line_of(p, line);

	if (!sw_page_rows(p, "builds", ROWS_SHOWN, &rows))
		return;
	p->charts = one;
	sw_page_begin(p, "builds", W(p, "Builds", "构建"));
	sw_page_filters(p, sw_list_find("builds"), filters);
	if (one)
		line_section(p, line);
	else if (!sw_page_query(p, "cursor"))
		trends(p);
	page_section(p, "list", W(p, "Runs", "运行"), sw_page_query(p, "cursor") ? NULL : "builds");
	if (rows.n)
		page_builds(p, &rows);
	else
		page_empty(p, *p->req->query ? W(p, "No build fits these filters.", "没有符合筛选条件的构建。") : W(p, "No build was told of yet. Add a webhook for pipelines at the git host, or let CI jobs report.", "尚无构建。请在代码平台添加流水线 webhook，或让 CI 任务上报。"));
	sw_page_older(p, &rows);
	page_section_end(p);
	sw_page_end(p);
}

/* ---- one build ---- */

static void put_bytes(struct page *p, const struct sw_row *r, const char *column)
{
	page_value(p, SW_V_BYTES, sw_row_num(r, column, NAN));
}

static void build_facts(struct page *p, const struct sw_row *r)
{
	const char *const texts[][2] = { { W(p, "Pipeline", "流水线"), "name" }, { W(p, "Version", "版本"), "version" }, { W(p, "Set off by", "触发方式"), "trigger" },
		                         { W(p, "By", "操作人"), "user" }, { W(p, "Author", "作者"), "author" }, { W(p, "Source", "来源"), "source" } };
	const char *url = sw_row_text(r, "url"), *run = sw_row_text(r, "ci_run_id");

	sw_buf_cat(&p->out, "<dl class=\"facts\">\n");
	page_fact_begin(p, W(p, "Result", "结果"));
	sw_html_badge(p, sw_row_text(r, "status"));
	if (sw_row_int(r, "jobs_failed", 0))
		sw_html(&p->out, " %lld %s", (long long)sw_row_int(r, "jobs_failed", 0), W(p, "jobs failed", "个任务失败"));
	page_fact_end(p);
	page_fact_begin(p, W(p, "Duration", "耗时"));
	sw_html_dur(p, sw_row_num(r, "duration_ms", -1));
	page_fact_end(p);
	page_fact_begin(p, W(p, "Coverage", "覆盖率"));
	page_value(p, SW_V_RATIO, sw_row_num(r, "coverage", NAN));
	page_fact_end(p);
	page_fact_begin(p, W(p, "Commit", "提交"));
	sw_html_sha(p, sw_row_text(r, "sha"));
	page_fact_end(p);
	page_fact(p, W(p, "Branch", "分支"), sw_row_text(r, "branch"));
	page_fact(p, W(p, "Tag", "标签"), sw_row_text(r, "tag"));
	for (size_t i = 0; i < SW_COUNT(texts); i++)
		page_fact(p, texts[i][0], sw_row_text(r, texts[i][1]));
	page_fact_begin(p, W(p, "Began", "开始"));
	page_clock(p, sw_row_int(r, "started", 0));
	page_fact_end(p);
	page_fact_begin(p, W(p, "Ended", "结束"));
	page_clock(p, sw_row_int(r, "finished", 0));
	page_fact_end(p);
	if (sw_row_num(r, "cpu_ms", -1) >= 0) {
		page_fact_begin(p, W(p, "Processor time", "CPU 时间"));
		sw_html_dur(p, sw_row_num(r, "cpu_ms", -1));
		page_fact_end(p);
	}
	if (sw_row_num(r, "max_rss_bytes", -1) >= 0) {
		page_fact_begin(p, W(p, "Most memory", "最大内存"));
		put_bytes(p, r, "max_rss_bytes");
		page_fact_end(p);
	}
	page_fact(p, W(p, "Run", "运行编号"), run);
	if (url || page_log_url(p, run)) {
		page_fact_begin(p, W(p, "Links", "链接"));
		sw_html_link(&p->out, url, url ? W(p, "CI log", "CI 日志") : "");
		sw_buf_putc(&p->out, ' ');
		page_log_link(p, run);
		page_fact_end(p);
	}
	sw_buf_cat(&p->out, "</dl>\n");
	page_fact_long(p, sw_row_text(r, "title"));
}

static void job_extra(struct page *p, const struct sw_row *r)
{
	const struct sw_jnode *metrics = page_json(p, sw_row_text(r, "metrics"), sw_row_value(r, "metrics")->n);

	for (const struct sw_jnode *m = metrics && metrics->type == SW_J_OBJECT ? metrics->child : NULL; m; m = m->next)
		sw_html(&p->out, "<span class=\"pair\"><span class=\"muted\">%s</span> %s</span> ", m->key, m->text);
}

static void build_jobs(struct page *p, const struct sw_row *build)
{
	const char *const heads[] = { W(p, "Job", "任务"), W(p, "Stage", "阶段"), W(p, "#Duration", "#耗时"), W(p, "#Coverage", "#覆盖率"), W(p, "#Memory", "#内存"), W(p, "#Exit", "#退出码"),
	                              W(p, "Numbers", "指标"), W(p, "Log", "日志"), NULL };
	struct sw_rows rows;
	struct table t;

	page_section(p, "jobs", W(p, "Jobs", "任务"), "builds");
	page_some(p, "jobs", 200, &rows, "build", sw_row_text(build, "id"), NULL);
	if (!rows.n) {
		page_empty(p, W(p, "Nobody told of single jobs of this build.", "没有收到此构建的任务信息。"));
		page_section_end(p);
		return;
	}
	page_table(p, &t, W(p, "Jobs", "任务"), heads);
	for (size_t i = rows.n; i-- > 0;) {
		const struct sw_row *r = &rows.rows[i];

		page_row(p, &t);
		page_cell(p, &t);
		sw_html_badge(p, sw_row_text(r, "status"));
		sw_buf_putc(&p->out, ' ');
		page_words(p, sw_row_text(r, "name") ? sw_row_text(r, "name") : sw_row_text(r, "job_id"), 60);
		if (sw_row_text(r, "environment"))
			sw_html(&p->out, " <span class=\"muted\">→ %s</span>", sw_row_text(r, "environment"));
		page_cell(p, &t);
		page_words(p, sw_row_text(r, "stage"), 32);
		page_cell(p, &t);
		sw_html_dur(p, sw_row_num(r, "duration_ms", -1));
		page_cell(p, &t);
		page_value(p, SW_V_RATIO, sw_row_num(r, "coverage", NAN));
		page_cell(p, &t);
		put_bytes(p, r, "max_rss_bytes");
		page_cell(p, &t);
		page_words(p, sw_row_text(r, "exit_code"), 8);
		page_cell(p, &t);
		job_extra(p, r);
		page_cell(p, &t);
		sw_html_link(&p->out, sw_row_text(r, "url"), sw_row_text(r, "url") ? W(p, "open", "打开") : "–");
	}
	page_table_end(p, &t);
	page_section_end(p);
}

/* What came of it: everything that has its run, else its commit. */
static void build_deployments(struct page *p, const struct sw_row *build)
{
	const char *run = sw_row_text(build, "ci_run_id"), *sha = sw_row_text(build, "sha");
	struct sw_rows rows = { 0 };

	page_section(p, "deployments", W(p, "Deployments that came of it", "由此产生的部署"), "deployments");
	if (run)
		page_some(p, "deployments", 20, &rows, "ci_run_id", run, NULL);
	if (!rows.n && sha && strlen(sha) >= 7)
		page_some(p, "deployments", 20, &rows, "sha", sha, NULL);
	if (rows.n)
		page_deployments(p, &rows, true);
	else
		page_empty(p, W(p, "None, as far as is known.", "目前没有。"));
	page_section_end(p);
}

void page_build(struct page *p)
{
	const struct sw_row *r;

	if (!page_one(p, "builds", p->id, &r))
		return;
	sw_page_begin(p, "builds", sw_arena_printf(&p->a, "%s %s", W(p, "Build of", "构建"), sw_row_text(r, "repo") ? sw_row_text(r, "repo") : sw_row_text(r, "run")));
	page_section(p, "build", W(p, "What it was", "概要"), "builds");
	build_facts(p, r);
	page_section_end(p);
	build_jobs(p, r);
	build_deployments(p, r);
	sw_page_end(p);
}
